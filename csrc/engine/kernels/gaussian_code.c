/* gaussian_code.c - the sampled code of a variational autoencoder, one row at a time. x [2 n] holds n means and behind
** them the n logarithms of the variances. */
#include "vmath.h"

/* y [n] = mean + deviation * draw. `draws` holds n normal draws, and becomes dy / d log variance. */
void MOONI_K(code_sample)(float *restrict y, float *restrict draws, const float *restrict x, size_t n) {
  MOONI_EACH
  for (size_t i = 0; i < n; i++) {
    float shift = v_exp(0.5f * x[n + i]) * draws[i];
    y[i] = x[i] + shift;
    draws[i] = 0.5f * shift;
  }
}

/* The divergence of these normal distributions from the standard one: the sum of (mean^2 + e^l - 1 - l) / 2. */
double MOONI_K(code_divergence)(const float *x, size_t n) {
  double total = 0;
  for (size_t from = 0; from < n; from += STRETCH) {
    size_t to = n - from < STRETCH ? n : from + STRETCH;
    float sum = 0;
    MOONI_SUMMING(sum)
    for (size_t i = from; i < to; i++) sum += x[i] * x[i] + (v_expm1(x[n + i]) - x[n + i]);
    total += (double)sum;
  }
  return total / 2;
}

/* dx [2 n] from dy [n], with `slope` = dy / d log variance, and `scale` times the divergence's gradient. */
void MOONI_K(code_backward)(float *restrict dx, const float *restrict dy, const float *restrict slope,
                            const float *restrict x, size_t n, float scale) {
  MOONI_EACH
  for (size_t i = 0; i < n; i++) {
    dx[i] = dy[i] + scale * x[i];
    dx[n + i] = dy[i] * slope[i] + 0.5f * scale * v_expm1(x[n + i]);
  }
}
