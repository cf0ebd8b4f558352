/* norm.c - passes of batch and layer normalisation. Beside the products they cost little, so they compute in double:
** an error of a statistic would be one of all rows. Deviations are from a number near the mean, the centre, which one
** float can hold: so a large mean costs no digits, and what the centre misses of the mean is in the sums themselves. */
#include "vmath.h"

enum { STRIP = 256 };

/* Two sums over rows [rows x width], of a strip of columns. */
typedef struct totals {
  double first[STRIP], second[STRIP];
} totals;

static void clear(totals *t, size_t n) {
  memset(t->first, 0, n * sizeof *t->first);
  memset(t->second, 0, n * sizeof *t->second);
}

static void give(float *first, float *second, const totals *t, size_t n) {
  for (size_t j = 0; j < n; j++) first[j] = (float)t->first[j];
  for (size_t j = 0; j < n; j++) second[j] = (float)t->second[j];
}

MOONI_INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- columns ---- */

static void add_deviations(totals *restrict t, const float *restrict x, const float *restrict centre, size_t rows,
                           size_t n, size_t stride) {
  for (size_t r = 0; r < rows; r++, x += stride)
    for (size_t j = 0; j < n; j++) {
      double d = (double)(x[j] - centre[j]);
      t->first[j] += d;
      t->second[j] += d * d;
    }
}

void MOONI_K(column_deviations)(float *sum, float *squares, const float *x, const float *centre, size_t rows,
                                size_t width, size_t stride) {
  totals t;
  for (size_t c = 0, n; c < width; c += n) {
    n = least(width - c, STRIP);
    clear(&t, n);
    add_deviations(&t, x + c, centre + c, rows, n, stride);
    give(sum + c, squares + c, &t, n);
  }
}

static void add_products(totals *restrict t, const float *restrict dy, size_t dy_stride, const float *restrict x,
                         size_t x_stride, const float *restrict centre, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, dy += dy_stride, x += x_stride)
    for (size_t j = 0; j < n; j++) {
      t->first[j] += (double)dy[j];
      t->second[j] += (double)dy[j] * (double)(x[j] - centre[j]);
    }
}

void MOONI_K(column_products)(float *sum, float *products, const float *dy, size_t dy_stride, const float *x,
                              size_t x_stride, const float *centre, size_t rows, size_t width) {
  totals t;
  for (size_t c = 0, n; c < width; c += n) {
    n = least(width - c, STRIP);
    clear(&t, n);
    add_products(&t, dy + c, dy_stride, x + c, x_stride, centre + c, rows, n);
    give(sum + c, products + c, &t, n);
  }
}

void MOONI_K(normalise)(float *restrict y, size_t y_stride, const float *restrict x, size_t x_stride,
                        const float *restrict centre, const double *restrict scale, const double *restrict shift,
                        size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, y += y_stride, x += x_stride)
    for (size_t j = 0; j < width; j++) y[j] = (float)((double)(x[j] - centre[j]) * scale[j] + shift[j]);
}

void MOONI_K(normalise_back)(float *restrict dx, size_t x_stride, const float *restrict dy, size_t y_stride,
                             const float *restrict x, const float *restrict centre, const double *restrict scale,
                             const double *restrict slope, const double *restrict shift, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, dx += x_stride, dy += y_stride, x += x_stride)
    for (size_t j = 0; j < width; j++)
      dx[j] = (float)((double)dy[j] * scale[j] + ((double)(x[j] - centre[j]) * slope[j] + shift[j]));
}

/* ---- rows ---- */

/* Row x [n], normalised: z = (x - centre) inverse + offset. */
typedef struct line {
  float centre;
  double inverse, offset;
} line;

static line measure(const float *x, size_t n, double eps) {
  double sum = 0, rest = 0, squares = 0;
  MOONI_SUMMING(sum)
  for (size_t i = 0; i < n; i++) sum += (double)x[i];
  float centre = (float)(sum / (double)n);
  MOONI_PRAGMA_(omp simd reduction(+ : rest, squares))
  for (size_t i = 0; i < n; i++) {
    double d = (double)(x[i] - centre);
    rest += d;
    squares += d * d;
  }
  double off = rest / (double)n, variance = squares / (double)n - off * off;
  double inverse = 1 / sqrt((variance > 0 ? variance : 0) + eps);
  return (line){centre, inverse, -off * inverse};
}

void MOONI_K(normalise_rows)(float *restrict y, float *restrict stats, const float *restrict x,
                             const float *restrict weight, const float *restrict bias, size_t rows, size_t n,
                             double eps) {
  for (size_t r = 0; r < rows; r++, y += n, x += n, stats += 3) {
    line l = measure(x, n, eps);
    for (size_t j = 0; j < n; j++)
      y[j] = (float)(((double)(x[j] - l.centre) * l.inverse + l.offset) * (double)weight[j] + (double)bias[j]);
    stats[0] = l.centre;
    stats[1] = (float)l.inverse;
    stats[2] = (float)l.offset;
  }
}

/* With g = dy weight and z = x normalised: dx = inverse (g - mean g - z mean (g z)). */
void MOONI_K(normalise_rows_back)(float *restrict dx, const float *restrict dy, const float *restrict x,
                                  const float *restrict stats, const float *restrict weight, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, dx += n, dy += n, x += n, stats += 3) {
    double sum = 0, products = 0, inverse = (double)stats[1], offset = (double)stats[2];
    float centre = stats[0];
    MOONI_PRAGMA_(omp simd reduction(+ : sum, products))
    for (size_t i = 0; i < n; i++) {
      double g = (double)dy[i] * (double)weight[i];
      sum += g;
      products += g * ((double)(x[i] - centre) * inverse + offset);
    }
    double mean = sum / (double)n, along = products / (double)n;
    for (size_t j = 0; j < n; j++) {
      double z = (double)(x[j] - centre) * inverse + offset;
      dx[j] = (float)(inverse * ((double)dy[j] * (double)weight[j] - mean - z * along));
    }
  }
}

static void add_row_products(totals *restrict t, const float *restrict dy, const float *restrict x,
                             const float *restrict stats, size_t rows, size_t n, size_t stride) {
  for (size_t r = 0; r < rows; r++, dy += stride, x += stride, stats += 3) {
    double inverse = (double)stats[1], offset = (double)stats[2];
    float centre = stats[0];
    for (size_t j = 0; j < n; j++) {
      t->first[j] += (double)dy[j];
      t->second[j] += (double)dy[j] * ((double)(x[j] - centre) * inverse + offset);
    }
  }
}

void MOONI_K(row_products)(float *sum, float *products, const float *dy, const float *x, const float *stats,
                           size_t rows, size_t width, size_t stride) {
  totals t;
  for (size_t c = 0, n; c < width; c += n) {
    n = least(width - c, STRIP);
    clear(&t, n);
    add_row_products(&t, dy + c, x + c, stats, rows, n, stride);
    give(sum + c, products + c, &t, n);
  }
}
