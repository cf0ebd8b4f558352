/* norm.c - passes of batch and layer normalisation. Sums over rows are kept in float over FEW rows, and in double
** beyond. Deviations are from a number near the mean, the centre, which one float can hold: so a large mean costs no
** digits, and what the centre misses of the mean is in the sums themselves. */
#include "vmath.h"

enum { FEW = 128, STRIP = 256 };

/* Two sums over rows [rows x width]: one chunk of rows, and all of them. */
typedef struct chunk {
  float first[STRIP], second[STRIP];
} chunk;

typedef struct totals {
  double first[STRIP], second[STRIP];
} totals;

static void take(totals *t, const chunk *c, size_t n) {
  for (size_t j = 0; j < n; j++) t->first[j] += (double)c->first[j];
  for (size_t j = 0; j < n; j++) t->second[j] += (double)c->second[j];
}

static void give(float *first, float *second, const totals *t, size_t n) {
  for (size_t j = 0; j < n; j++) first[j] = (float)t->first[j];
  for (size_t j = 0; j < n; j++) second[j] = (float)t->second[j];
}

static void clear(totals *t, size_t n) {
  memset(t->first, 0, n * sizeof *t->first);
  memset(t->second, 0, n * sizeof *t->second);
}

MOONI_INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- columns ---- */

static void add_deviations(chunk *restrict c, const float *restrict x, const float *restrict centre, size_t rows,
                           size_t n, size_t stride) {
  for (size_t r = 0; r < rows; r++, x += stride)
    for (size_t j = 0; j < n; j++) {
      float d = x[j] - centre[j];
      c->first[j] += d;
      c->second[j] += d * d;
    }
}

void MOONI_K(column_deviations)(float *sum, float *squares, const float *x, const float *centre, size_t rows,
                                size_t width, size_t stride) {
  totals t;
  for (size_t c = 0, n; c < width; c += n) {
    n = least(width - c, STRIP);
    clear(&t, n);
    for (size_t r = 0; r < rows; r += FEW) {
      chunk part = {{0}, {0}};
      add_deviations(&part, x + r * stride + c, centre + c, least(rows - r, FEW), n, stride);
      take(&t, &part, n);
    }
    give(sum + c, squares + c, &t, n);
  }
}

static void add_products(chunk *restrict c, const float *restrict dy, size_t dy_stride, const float *restrict x,
                         size_t x_stride, const float *restrict centre, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, dy += dy_stride, x += x_stride)
    for (size_t j = 0; j < n; j++) {
      c->first[j] += dy[j];
      c->second[j] += dy[j] * (x[j] - centre[j]);
    }
}

void MOONI_K(column_products)(float *sum, float *products, const float *dy, size_t dy_stride, const float *x,
                              size_t x_stride, const float *centre, size_t rows, size_t width) {
  totals t;
  for (size_t c = 0, n; c < width; c += n) {
    n = least(width - c, STRIP);
    clear(&t, n);
    for (size_t r = 0; r < rows; r += FEW) {
      chunk part = {{0}, {0}};
      add_products(&part, dy + r * dy_stride + c, dy_stride, x + r * x_stride + c, x_stride, centre + c,
                   least(rows - r, FEW), n);
      take(&t, &part, n);
    }
    give(sum + c, products + c, &t, n);
  }
}

void MOONI_K(normalise)(float *restrict y, size_t y_stride, const float *restrict x, size_t x_stride,
                        const float *restrict centre, const float *restrict scale, const float *restrict shift,
                        size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, y += y_stride, x += x_stride)
    for (size_t j = 0; j < width; j++) y[j] = (x[j] - centre[j]) * scale[j] + shift[j];
}

void MOONI_K(normalise_back)(float *restrict dx, size_t x_stride, const float *restrict dy, size_t y_stride,
                             const float *restrict x, const float *restrict centre, const float *restrict scale,
                             const float *restrict slope, const float *restrict shift, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++, dx += x_stride, dy += y_stride, x += x_stride)
    for (size_t j = 0; j < width; j++) dx[j] = dy[j] * scale[j] + ((x[j] - centre[j]) * slope[j] + shift[j]);
}

/* ---- rows ---- */

/* Of row x [n]: the centre, 1 / deviation, and what to add: x normalised is (x - centre) inverse + offset. */
static void measure_row(float stats[3], const float *x, size_t n, double eps) {
  double sum = 0, rest = 0, squares = 0;
  for (size_t start = 0; start < n; start += STRETCH) {
    float part = 0;
    MOONI_SUMMING(part)
    for (size_t i = start; i < least(n, start + STRETCH); i++) part += x[i];
    sum += (double)part;
  }
  float centre = (float)(sum / (double)n);
  for (size_t start = 0; start < n; start += STRETCH) {
    float part = 0, square = 0;
    MOONI_PRAGMA_(omp simd reduction(+ : part, square))
    for (size_t i = start; i < least(n, start + STRETCH); i++) {
      part += x[i] - centre;
      square += (x[i] - centre) * (x[i] - centre);
    }
    rest += (double)part;
    squares += (double)square;
  }
  double off = rest / (double)n, variance = squares / (double)n - off * off;
  double inverse = 1 / sqrt((variance > 0 ? variance : 0) + eps);
  stats[0] = centre;
  stats[1] = (float)inverse;
  stats[2] = (float)(-off * inverse);
}

void MOONI_K(normalise_rows)(float *restrict y, float *restrict stats, const float *restrict x,
                             const float *restrict weight, const float *restrict bias, size_t rows, size_t n,
                             double eps) {
  for (size_t r = 0; r < rows; r++, y += n, x += n, stats += 3) {
    measure_row(stats, x, n, eps);
    float centre = stats[0], inverse = stats[1], offset = stats[2];
    for (size_t j = 0; j < n; j++) y[j] = ((x[j] - centre) * inverse + offset) * weight[j] + bias[j];
  }
}

/* With g = dy weight and z = x normalised: dx = inverse (g - mean g - z mean (g z)). */
void MOONI_K(normalise_rows_back)(float *restrict dx, const float *restrict dy, const float *restrict x,
                                  const float *restrict stats, const float *restrict weight, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, dx += n, dy += n, x += n, stats += 3) {
    double sum = 0, products = 0;
    float centre = stats[0], inverse = stats[1], offset = stats[2];
    for (size_t start = 0; start < n; start += STRETCH) {
      float part = 0, product = 0;
      MOONI_PRAGMA_(omp simd reduction(+ : part, product))
      for (size_t i = start; i < least(n, start + STRETCH); i++) {
        part += dy[i] * weight[i];
        product += dy[i] * weight[i] * ((x[i] - centre) * inverse + offset);
      }
      sum += (double)part;
      products += (double)product;
    }
    float mean = (float)(sum / (double)n), along = (float)(products / (double)n);
    for (size_t j = 0; j < n; j++)
      dx[j] = inverse * ((dy[j] * weight[j] - mean) - ((x[j] - centre) * inverse + offset) * along);
  }
}

static void add_row_products(chunk *restrict c, const float *restrict dy, const float *restrict x,
                             const float *restrict stats, size_t rows, size_t n, size_t stride) {
  for (size_t r = 0; r < rows; r++, dy += stride, x += stride, stats += 3) {
    float centre = stats[0], inverse = stats[1], offset = stats[2];
    for (size_t j = 0; j < n; j++) {
      c->first[j] += dy[j];
      c->second[j] += dy[j] * ((x[j] - centre) * inverse + offset);
    }
  }
}

void MOONI_K(row_products)(float *sum, float *products, const float *dy, const float *x, const float *stats,
                           size_t rows, size_t width, size_t stride) {
  totals t;
  for (size_t c = 0, n; c < width; c += n) {
    n = least(width - c, STRIP);
    clear(&t, n);
    for (size_t r = 0; r < rows; r += FEW) {
      chunk part = {{0}, {0}};
      add_row_products(&part, dy + r * stride + c, x + r * stride + c, stats + 3 * r, least(rows - r, FEW), n, stride);
      take(&t, &part, n);
    }
    give(sum + c, products + c, &t, n);
  }
}
