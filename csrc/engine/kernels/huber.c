/* huber.c - Huber's loss (1964): e^2 / 2 within delta, delta |e| - delta^2 / 2 beyond; gradient e cut to +-delta. */
#include "losses.h"

typedef struct huber {
  moon_loss base;
  double delta;
} huber;

static double apply(const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows, size_t width,
                    bool logits) {
  (void)logits;
  double scale = mooni_loss_scale(loss, rows, width), total = 0;
  float d = (float)((const huber *)loss)->delta, s = (float)scale;
  for (size_t r = 0; r < rows; r++) {
    float part = 0;
    MOONI_SUMMING(part)
    for (size_t i = r * width; i < (r + 1) * width; i++) {
      float e = p[i] - t.values[i], a = v_abs(e), inside = a <= d ? a : d;
      part += inside * (a - 0.5f * inside);
    }
    total += (double)part;
  }
  if (!grad) return scale * total;
  MOONI_EACH
  for (size_t i = 0; i < rows * width; i++) {
    float e = p[i] - t.values[i];
    grad[i] = s * (e > d ? d : e < -d ? -d : e);
  }
  return scale * total;
}

static const mooni_option_spec options[] = {REDUCTION_OPTION,
                                            {.name = "delta",
                                             .kind = MOON_NUMBER,
                                             .offset = offsetof(huber, delta),
                                             .flags = MOONI_OPEN_LOW,
                                             .number = 1,
                                             .low = 0,
                                             .high = INFINITY,
                                             .help = "where the square turns into a line"},
                                            {0}};

const mooni_loss_class MOONI_K(huber) = {.name = "huber", .size = sizeof(huber), .options = options, .apply = apply};
