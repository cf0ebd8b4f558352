/* mse.c - mean squared error: e^2, gradient 2 e. */
#include "losses.h"

MOONI_INLINE float value_of(float p, float t) { return (p - t) * (p - t); }
MOONI_INLINE float gradient_of(float p, float t) { return 2 * (p - t); }
LOSS_ROWS(all_rows, value_of, gradient_of)

static double apply(LOSS_ARGUMENTS) {
  (void)loss, (void)logits;
  return scale * all_rows(grad, p, t, rows, width, stride, (float)scale);
}

/*** moon.mse(options)
** Mean squared error. With reduction "batchmean" it is the squared norm of a row's error, averaged over the rows. */
static const mooni_option_spec options[] = {REDUCTION_OPTION, {0}};

const mooni_loss_class MOONI_K(mse) = {
    .name = "mse", .aliases = {"mean_squared_error"}, .size = sizeof(moon_loss), .options = options, .apply = apply};
