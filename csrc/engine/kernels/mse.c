/* mse.c - mean squared error: e^2, gradient 2 e. */
#include "losses.h"

MOONI_INLINE float value_of(float p, float t) { return (p - t) * (p - t); }
MOONI_INLINE float gradient_of(float p, float t) { return 2 * (p - t); }
LOSS_ROWS(all_rows, value_of, gradient_of)

static double apply(const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows, size_t width,
                    bool logits) {
  (void)logits;
  double scale = mooni_loss_scale(loss, rows, width);
  return scale * all_rows(grad, p, t.values, rows, width, (float)scale);
}

static const mooni_option_spec options[] = {REDUCTION_OPTION, {0}};

const mooni_loss_class MOONI_K(mse) = {
    .name = "mse", .aliases = "mean_squared_error", .size = sizeof(moon_loss), .options = options, .apply = apply};
