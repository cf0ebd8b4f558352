/* huber.c - Huber's loss (1964): e^2 / 2 for |e| <= delta, delta |e| - delta^2 / 2 beyond; the gradient is e clipped to
** +-delta. */
#include "losses.h"

typedef struct huber {
  moon_loss base;
  double delta;
} huber;

static float values_of(const float *restrict p, const float *restrict t, size_t n, float d) {
  float part = 0;
  MOONI_SUMMING(part)
  for (size_t j = 0; j < n; j++) {
    float a = v_abs(p[j] - t[j]), inside = a <= d ? a : d;
    part += inside * (a - 0.5f * inside);
  }
  return part;
}

static double apply(LOSS_ARGUMENTS) {
  (void)logits;
  double total = 0;
  float d = (float)((const huber *)loss)->delta, s = (float)scale;
  for (size_t r = 0; r < rows; r++) {
    const float *restrict pr = p + r * stride, *restrict tr = t.values + r * t.stride;
    for (size_t c = 0; c < width; c += STRETCH)
      total += (double)values_of(pr + c, tr + c, width - c < STRETCH ? width - c : STRETCH, d);
    if (!grad) continue;
    float *restrict g = grad + r * stride;
    MOONI_EACH
    for (size_t j = 0; j < width; j++) g[j] = s * v_clamp(pr[j] - tr[j], -d, d);
  }
  return scale * total;
}

/*** moon.huber(options)
** Huber's loss: e^2 / 2 within delta, delta |e| - delta^2 / 2 beyond. */
static const mooni_option_spec options[] = {
    REDUCTION_OPTION,
    {.name = "delta",
     .kind = MOON_NUMBER,
     .offset = offsetof(huber, delta),
     .flags = MOONI_OPEN_LOW,
     .number = 1,
     .low = 0,
     .high = INFINITY,
     .help = "absolute error from which the loss grows linearly instead of with the square"},
    {0}};

const mooni_loss_class MOONI_K(huber) = {.name = "huber", .size = sizeof(huber), .options = options, .apply = apply};
