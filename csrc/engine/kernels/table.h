/* table.h - the kernels of one instruction set, as the rest of the engine calls them. */
#ifndef MOONI_TABLE_H
#define MOONI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/mat.h"
#include "../core/rng.h"

typedef struct mooni_unary {
  const char *name;
  void (*apply)(float *y, const float *x, size_t n, float p, float q);
} mooni_unary;

/* y[i] = a[i * as] (op) alpha * b[i * bs]; as and bs are 0 or 1. */
typedef struct mooni_binary {
  const char *name;
  void (*apply)(float *y, const float *a, size_t as, const float *b, size_t bs, size_t n, float alpha);
} mooni_binary;

/* For core/eigen.c, which keeps eigenvectors in panels of so many columns and handles so many at once. A rotation: with
** a = row `row` and b = the next one, a becomes c a - s b, and b becomes s a + c b. */
enum { MOONI_EIGEN_WIDTH = 64, MOONI_EIGEN_LANES = 32 };
typedef struct mooni_rotation {
  size_t row;
  double c, s;
} mooni_rotation;

/* For core/neighbours.c: row j can be a neighbour only if its product is at least offset + half[j] - slope root[j]. */
typedef struct mooni_reach {
  double offset, slope;
  const double *half, *root;
} mooni_reach;

/* The most floats of b, with rows padded to eights, that small.c takes. */
enum { MOONI_SMALL_BLOCK = 512 };

/* Lists end with NULL, tables with a NULL name. */
typedef struct mooni_kernels {
  const char *isa;
  const struct mooni_act *activations;
  const mooni_unary *unary;
  const mooni_binary *binary;
  const struct mooni_loss_class *const *losses;
  const struct mooni_optim_class *const *optims;
  /* product.c: as mooni_gemm, for any a, b with contiguous rows or columns, c with contiguous rows. NULL if this
  ** instruction set has none. */
  void (*product)(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c);
  /* small.c: c = a b, for c with contiguous rows and a b of at most MOONI_SMALL_BLOCK floats. NULL if this instruction
  ** set has none. */
  void (*small)(size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b, mooni_mat c);
  /* sparse.c: the same, for b and c with contiguous rows; false, and nothing is done, if a has too few zeros. */
  bool (*sparse_product)(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c);
  /* vector.c */
  void (*from_bytes)(float *y, const uint8_t *x, size_t n, float scale);   /* y = x / scale */
  void (*add)(float *y, const float *x, size_t n);                         /* y += x */
  void (*axpy)(float *y, float a, const float *x, size_t n);               /* y += a x */
  void (*mul)(float *y, const float *x, size_t n);                         /* y *= x */
  void (*add_product)(float *y, const float *a, const float *b, size_t n); /* y += a b; a may be b */
  /* y = factor x, but at least -limit and at most limit; where x is NaN, 0 */
  void (*clip)(float *y, const float *x, size_t n, float factor, float limit);
  double (*sum_abs)(const float *x, size_t n);
  double (*sum_squares)(const float *x, size_t n);
  double (*sum_squared_difference)(const float *x, const float *y, size_t n);
  /* y [width] = the column sums of x [rows x width], rows `stride` apart; added to y if accumulate */
  void (*column_sums)(float *y, const float *x, size_t rows, size_t width, size_t stride, bool accumulate);
  void (*add_sign)(float *y, float a, const float *x, size_t n); /* y += a sign(x), sign(0) = 0 */
  /* norm.c, columns of x [rows x width], rows `stride` apart. The sums of x - centre, and of their squares; of dy, and
  ** of dy (x - centre); y = (x - centre) scale + shift; dx = dy scale + (x - centre) slope + shift */
  void (*column_deviations)(float *sum, float *squares, const float *x, const float *centre, size_t rows, size_t width,
                            size_t stride);
  void (*column_products)(float *sum, float *products, const float *dy, size_t dy_stride, const float *x,
                          size_t x_stride, const float *centre, size_t rows, size_t width);
  void (*normalise)(float *y, size_t y_stride, const float *x, size_t x_stride, const float *centre,
                    const double *scale, const double *shift, size_t rows, size_t width);
  void (*normalise_back)(float *dx, size_t x_stride, const float *dy, size_t y_stride, const float *x,
                         const float *centre, const double *scale, const double *slope, const double *shift,
                         size_t rows, size_t width);
  /* norm.c, rows of x [rows x n]. stats [rows x 3]: a row normalised is z = (x - stats[0]) stats[1] + stats[2]. y = z
  ** weight + bias; dx from dy; the column sums of dy and of dy z, for `width` columns of rows `stride` apart */
  void (*normalise_rows)(float *y, float *stats, const float *x, const float *weight, const float *bias, size_t rows,
                         size_t n, double eps);
  void (*normalise_rows_back)(float *dx, const float *dy, const float *x, const float *stats, const float *weight,
                              size_t rows, size_t n);
  void (*row_products)(float *sum, float *products, const float *dy, const float *x, const float *stats, size_t rows,
                       size_t width, size_t stride);
  /* largest.c: y = x where x is among the k largest of n, else 0; mask is 1 or 0. Of equal elements the first ones
  ** count; NaN is larger than any number. 1 <= k <= n */
  void (*keep_largest)(float *y, float *mask, const float *x, size_t n, size_t k);
  /* gaussian_code.c: n of x are means, n behind them logarithms of variances. y = a sample, made of n normal draws,
  ** which become dy/d log variance; the divergence from the standard normal distribution; dx of both */
  void (*code_sample)(float *y, float *draws, const float *x, size_t n);
  double (*code_divergence)(const float *x, size_t n);
  void (*code_backward)(float *dx, const float *dy, const float *slope, const float *x, size_t n, float scale);
  /* neighbours.c: the sum of (x - y)^2; the first j >= from that is within reach, or n */
  double (*squared_distance)(const float *x, const float *y, size_t n);
  size_t (*next_near)(const float *product, const mooni_reach *r, size_t from, size_t n);
  /* detect.c */
  void (*detect_scale)(float *z, float *weight, float *counts, const float *x, size_t rows, size_t width,
                       const double *offset, const double *inverse, float missing);
  void (*detect_errors)(float *e, const float *y, const float *z, const float *weight, size_t rows, size_t width,
                        const float *share);
  void (*detect_outside)(float *counts, const float *x, size_t rows, size_t width, const double *low,
                         const double *high);
  /* eigen.c */
  void (*eigen_reduce)(double *a, size_t n, size_t stride, const double *v, const double *q, const double *u,
                       double *p);
  void (*eigen_rotate)(double *z, const mooni_rotation *rotation, size_t count);
  void (*eigen_reflect)(double *z, const double *v, size_t n, double scale);
  /* random.c: draws in whole blocks of MOONI_LANES */
  void (*uniform)(mooni_rng *rng, float *y, size_t n, float low, float high);
  void (*normal)(mooni_rng *rng, float *y, size_t n, float mean, float deviation);
  /* random.c: y = x with noise, n elements; mask (may be NULL) gets dy/dx */
  void (*noise_gaussian)(mooni_rng *rng, float *y, float *mask, const float *x, size_t n, float sigma, float low,
                         float high);
  void (*noise_masking)(mooni_rng *rng, float *y, float *mask, const float *x, size_t n, float p, float keep);
  void (*noise_salt_pepper)(mooni_rng *rng, float *y, float *mask, const float *x, size_t n, float p);
} mooni_kernels;

extern const mooni_kernels mooni_kernels_base;
#if defined(__x86_64__)
extern const mooni_kernels mooni_kernels_avx2, mooni_kernels_avx512;
#endif

#endif
