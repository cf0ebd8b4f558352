/* mae.c - mean absolute error: |e|, gradient sign(e). */
#include "losses.h"

MOONI_INLINE float value_of(float p, float t) { return v_abs(p - t); }
MOONI_INLINE float gradient_of(float p, float t) { return v_sign(p - t); }
LOSS_ROWS(all_rows, value_of, gradient_of)

static double apply(const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows, size_t width,
                    bool logits) {
  (void)logits;
  double scale = mooni_loss_scale(loss, rows, width);
  return scale * all_rows(grad, p, t.values, rows, width, (float)scale);
}

static const mooni_option_spec options[] = {REDUCTION_OPTION, {0}};

const mooni_loss_class MOONI_K(mae) = {
    .name = "mae", .aliases = "mean_absolute_error", .size = sizeof(moon_loss), .options = options, .apply = apply};
