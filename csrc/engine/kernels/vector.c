/* vector.c - passes over arrays of numbers: sums, scaling, bytes to floats. */
#include "vmath.h"

void MOONI_K(from_bytes)(float *restrict y, const uint8_t *restrict x, size_t n, float scale) {
#ifdef __FMA__ /* the same result, because the remainder is exact, and much faster than a vector of divisions */
  float inverse = 1 / scale;
  for (size_t i = 0; i < n; i++) {
    float q = (float)x[i] * inverse;
    y[i] = q + ((float)x[i] - q * scale) * inverse;
  }
#else
  for (size_t i = 0; i < n; i++) y[i] = (float)x[i] / scale;
#endif
}

void MOONI_K(add)(float *restrict y, const float *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += x[i];
}

void MOONI_K(axpy)(float *restrict y, float a, const float *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

void MOONI_K(mul)(float *restrict y, const float *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] *= x[i];
}

void MOONI_K(add_product)(float *restrict y, const float *a, const float *b, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += a[i] * b[i];
}

void MOONI_K(add_sign)(float *restrict y, float a, const float *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += a * v_sign(x[i]);
}

void MOONI_K(clip)(float *restrict y, const float *restrict x, size_t n, float factor, float limit) {
  for (size_t i = 0; i < n; i++) y[i] = v_select(x[i] == x[i], v_clamp(factor * x[i], -limit, limit), 0);
}

#define SUM(TERM)                                           \
  double total = 0;                                         \
  for (size_t start = 0; start < n; start += STRETCH) {     \
    size_t end = n - start < STRETCH ? n : start + STRETCH; \
    float part = 0;                                         \
    MOONI_SUMMING(part)                                     \
    for (size_t i = start; i < end; i++) part += TERM(i);   \
    total += (double)part;                                  \
  }                                                         \
  return total

#define ABS(i) v_abs(x[i])
#define SQUARE(i) (x[i] * x[i])
#define SQUARED_DIFFERENCE(i) ((x[i] - y[i]) * (x[i] - y[i]))

double MOONI_K(sum_abs)(const float *x, size_t n) { SUM(ABS); }
double MOONI_K(sum_squares)(const float *x, size_t n) { SUM(SQUARE); }
double MOONI_K(sum_squared_difference)(const float *x, const float *y, size_t n) { SUM(SQUARED_DIFFERENCE); }

static void add_rows(float *restrict y, const float *restrict x, size_t rows, size_t width, size_t stride) {
  for (size_t r = 0; r < rows; r++, x += stride)
    for (size_t j = 0; j < width; j++) y[j] += x[j];
}

/* y [width] = the column sums of x [rows x width]. In float over FEW rows, and in double beyond: the error is at most
** FEW units in the last place of the sum of all absolute values, however many rows there are. */
void MOONI_K(column_sums)(float *restrict y, const float *restrict x, size_t rows, size_t width, size_t stride,
                          bool accumulate) {
  enum { FEW = 128, STRIP = 256 };
  if (!accumulate) memset(y, 0, width * sizeof *y);
  if (rows <= FEW) {
    add_rows(y, x, rows, width, stride);
    return;
  }
  for (size_t c = 0, n; c < width; c += n) {
    double total[STRIP];
    n = width - c < STRIP ? width - c : STRIP;
    for (size_t j = 0; j < n; j++) total[j] = (double)y[c + j];
    for (size_t r = 0; r < rows; r += FEW) {
      float part[STRIP] = {0};
      add_rows(part, x + r * stride + c, rows - r < FEW ? rows - r : FEW, n, stride);
      for (size_t j = 0; j < n; j++) total[j] += (double)part[j];
    }
    for (size_t j = 0; j < n; j++) y[c + j] = (float)total[j];
  }
}
