/* cross_entropy.c - categorical cross-entropy, -sum t ln p over the classes, mean over the rows; of probabilities,
** which are scaled to sum to 1 as in Keras, or, fused with a softmax, of logits: gradient softmax(z) - t. Targets are
** rows of class probabilities, or class numbers from 0. */
#include "losses.h"

/* The target of one row: its probabilities, or its class. Smoothed, `keep` of it is left, and each class gets `share`,
** as Keras has it: t (1 - a) + a / classes. */
typedef struct row_target {
  const float *values;
  size_t class;
  double keep, share;
} row_target;

static inline double target_of(const row_target *t, size_t j) {
  double given = t->values ? (double)t->values[j] : t->class == j ? 1 : 0;
  return given * t->keep + t->share;
}

static double logit_row(float *g, const float *z, const row_target *t, size_t width, float s) {
  float top = -INFINITY;
  double sum = 0, value = 0, mass = 0;
  for (size_t j = 0; j < width; j++) top = z[j] > top ? z[j] : top;
  for (size_t j = 0; j < width; j++) sum += (double)v_exp(z[j] - top);
  double log_sum = log(sum);
  for (size_t j = 0; j < width; j++) {
    double tj = target_of(t, j);
    if (tj != 0) value -= tj * ((double)(z[j] - top) - log_sum);
    mass += tj;
  }
  for (size_t j = 0; g && j < width; j++) g[j] = s * (float)((double)v_exp(z[j] - top) / sum * mass - target_of(t, j));
  return value;
}

static double probability_row(float *g, const float *p, const row_target *t, size_t width, float s) {
  const double epsilon = 1e-7;
  double sum = 0, value = 0, mass = 0;
  for (size_t j = 0; j < width; j++) sum += (double)p[j];
  if (!(sum > 0)) sum = NAN; /* no probabilities at all: NaN shows in the value and in the gradient */
  for (size_t j = 0; j < width; j++) {
    double tj = target_of(t, j), q = (double)p[j] / sum;
    bool inside = !(q <= epsilon || q >= 1 - epsilon); /* NaN stays NaN */
    q = inside ? q : q < 0.5 ? epsilon : 1 - epsilon;
    if (tj != 0) value -= tj * log(q);
    if (inside) mass += tj;
    if (g) g[j] = s * (float)(inside ? -tj / (double)p[j] : 0);
  }
  for (size_t j = 0; g && j < width; j++) g[j] += s * (float)(mass / sum);
  return value;
}

static double apply(LOSS_ARGUMENTS) {
  double total = 0, a = loss->label_smoothing;
  for (size_t r = 0; r < rows; r++) {
    size_t at = r * stride;
    row_target row = {t.values ? t.values + r * t.stride : NULL, t.values ? 0 : t.labels[r], 1 - a, a / (double)width};
    total += (logits ? logit_row : probability_row)(grad ? grad + at : NULL, p + at, &row, width, (float)scale);
  }
  return scale * total;
}

/*** moon.cross_entropy(options)
** Categorical cross-entropy, -sum t ln p over the classes, averaged over the rows. It is fused with a final softmax.
** Targets are one-hot rows or probabilities [rows x classes], or class numbers [rows] from 0. */
static const mooni_option_spec options[] = {FROM_LOGITS_OPTION("softmax"), LABEL_SMOOTHING_OPTION("1/classes"), {0}};

const mooni_loss_class MOONI_K(cross_entropy) = {
    .name = "cross_entropy",
    .aliases = {"categorical_crossentropy", "sparse_categorical_crossentropy"},
    .size = sizeof(moon_loss),
    .options = options,
    .fuses = "softmax",
    .takes_labels = true,
    .rowwise = true,
    .apply = apply};
