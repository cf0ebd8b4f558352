/* detect.c - for detect/score.c: rows on their way into a detector's net, and the errors behind it. All matrices are
** [rows x width] without gaps. */
#include <float.h>
#include <math.h>

#include "kernels.h"

/* z = (x - offset) * inverse, with 0 for what is missing or infinite. weight: of the error there, `missing` (0 or
** 1) if x is NaN, infinity if z is infinite, else 1. counts [rows]: the weights that are not 0. */
void MOONI_K(detect_scale)(float *restrict z, float *restrict weight, float *restrict counts, const float *restrict x,
                           size_t rows, size_t width, const double *restrict offset, const double *restrict inverse,
                           float missing) {
  for (size_t r = 0; r < rows; r++, z += width, weight += width, x += width) {
    float count = 0;
    MOONI_EACH
    for (size_t c = 0; c < width; c++) {
      float v = (float)(((double)x[c] - offset[c]) * inverse[c]);
      bool finite = fabsf(v) <= FLT_MAX;
      z[c] = finite ? v : 0;
      weight[c] = x[c] != x[c] ? missing : finite ? 1 : INFINITY;
    }
    MOONI_SUMMING(count)
    for (size_t c = 0; c < width; c++) count += weight[c] != 0;
    counts[r] = count;
  }
}

/* e = (y - z)^2 weight share; share [width] is for each column. NaN becomes infinity, unless weight is 0. */
void MOONI_K(detect_errors)(float *restrict e, const float *restrict y, const float *restrict z,
                            const float *restrict weight, size_t rows, size_t width, const float *restrict share) {
  for (size_t r = 0; r < rows; r++, e += width, y += width, z += width, weight += width) {
    MOONI_EACH
    for (size_t c = 0; c < width; c++) {
      float d = y[c] - z[c], v = d * d * share[c] * weight[c];
      v = v == v ? v : INFINITY;
      e[c] = weight[c] != 0 ? v : 0;
    }
  }
}

/* counts [rows]: the cells below `low` or above `high`, both [width]. */
void MOONI_K(detect_outside)(float *restrict counts, const float *restrict x, size_t rows, size_t width,
                             const double *restrict low, const double *restrict high) {
  for (size_t r = 0; r < rows; r++, x += width) {
    float count = 0;
    MOONI_SUMMING(count)
    for (size_t c = 0; c < width; c++) count += ((double)x[c] < low[c]) | ((double)x[c] > high[c]);
    counts[r] = count;
  }
}
