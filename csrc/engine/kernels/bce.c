/* bce.c - binary cross-entropy, -(t ln p + (1 - t) ln(1 - p)), of probabilities or, fused with a sigmoid, of logits z:
** max(z, 0) - z t + ln(1 + e^-|z|), gradient sigmoid(z) - t. Probabilities are clipped to [1e-7, 1 - 1e-7] as in Keras;
** a clipped one has no gradient. */
#include "losses.h"

#define EPSILON 1e-7f

MOONI_INLINE float value_of_logit(float z, float t) { return v_relu(z) - z * t + v_log1p_exp_minus(v_abs(z)); }
MOONI_INLINE float gradient_of_logit(float z, float t) { return v_sigmoid_by_abs(z) - t; }

MOONI_INLINE float value_of_probability(float p, float t) {
  float q = v_select(p < EPSILON, EPSILON, v_select(p > 1 - EPSILON, 1 - EPSILON, p));
  return -(t * v_log(q) + (1 - t) * v_log(1 - q));
}

MOONI_INLINE float gradient_of_probability(float p, float t) {
  float g = (p - t) / (p * (1 - p));
  return v_select((p < EPSILON) | (p > 1 - EPSILON), 0, g);
}

LOSS_ROWS(logit_rows, value_of_logit, gradient_of_logit)
LOSS_ROWS(probability_rows, value_of_probability, gradient_of_probability)

typedef float stretch_fn(float *restrict grad, const float *restrict p, const float *restrict t, size_t n, float s);

/* The same with smoothed targets, as Keras has them: t (1 - a) + a / 2. */
static double smoothed_rows(stretch_fn *stretch, float smoothing, float *grad, const float *p, mooni_target target,
                            size_t rows, size_t width, size_t stride, float s) {
  enum { PIECE = 256 };
  float t[PIECE];
  double total = 0;
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0, n; c < width; c += n) {
      const float *given = target.values + r * target.stride + c;
      size_t at = r * stride + c;
      n = width - c < PIECE ? width - c : PIECE;
      for (size_t j = 0; j < n; j++) t[j] = given[j] * (1 - smoothing) + 0.5f * smoothing;
      total += (double)stretch(grad ? grad + at : NULL, p + at, t, n, s);
    }
  return total;
}

static double apply(LOSS_ARGUMENTS) {
  float a = (float)loss->label_smoothing;
  if (a > 0)
    return scale * smoothed_rows(logits ? logit_rows_stretch : probability_rows_stretch, a, grad, p, t, rows, width,
                                 stride, (float)scale);
  return scale * (logits ? logit_rows : probability_rows)(grad, p, t, rows, width, stride, (float)scale);
}

/*** moon.bce(options)
** Binary cross-entropy, -(t ln p + (1 - t) ln(1 - p)), for targets in [0, 1]. It is fused with a final sigmoid. p is
** clamped to [1e-7, 1 - 1e-7], as in Keras. Targets outside [0, 1] can make the value negative. */
static const mooni_option_spec options[] = {
    REDUCTION_OPTION, FROM_LOGITS_OPTION("sigmoid"), LABEL_SMOOTHING_OPTION("1/2"), {0}};

const mooni_loss_class MOONI_K(bce) = {.name = "bce",
                                       .aliases = {"binary_crossentropy"},
                                       .size = sizeof(moon_loss),
                                       .options = options,
                                       .fuses = "sigmoid",
                                       .apply = apply};
