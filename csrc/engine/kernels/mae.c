/* mae.c - mean absolute error: |e|, gradient sign(e). */
#include "losses.h"

MOONI_INLINE float value_of(float p, float t) { return v_abs(p - t); }
MOONI_INLINE float gradient_of(float p, float t) { return v_sign(p - t); }
LOSS_ROWS(all_rows, value_of, gradient_of)

static double apply(LOSS_ARGUMENTS) {
  (void)loss, (void)logits;
  return scale * all_rows(grad, p, t, rows, width, stride, (float)scale);
}

/*** moon.mae(options)
** Mean absolute error. */
static const mooni_option_spec options[] = {REDUCTION_OPTION, {0}};

const mooni_loss_class MOONI_K(mae) = {
    .name = "mae", .aliases = {"mean_absolute_error"}, .size = sizeof(moon_loss), .options = options, .apply = apply};
