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

static double apply(LOSS_ARGUMENTS) {
  (void)loss;
  return scale * (logits ? logit_rows : probability_rows)(grad, p, t, rows, width, stride, (float)scale);
}

/*** moon.bce(options)
** Binary cross-entropy, -(t ln p + (1 - t) ln(1 - p)), for targets in [0, 1]. It is fused with a final sigmoid. p is
** clamped to [1e-7, 1 - 1e-7], as in Keras. Targets outside [0, 1] can make the value negative. */
static const mooni_option_spec options[] = {REDUCTION_OPTION, FROM_LOGITS_OPTION("sigmoid"), {0}};

const mooni_loss_class MOONI_K(bce) = {.name = "bce",
                                       .aliases = {"binary_crossentropy"},
                                       .size = sizeof(moon_loss),
                                       .options = options,
                                       .fuses = "sigmoid",
                                       .apply = apply};
