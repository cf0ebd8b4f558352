/* kernels.h - for the files of this folder. Each is compiled once for each instruction set: plain loops that the
** compiler vectorises, with intrinsics only in product.c, small.c and sparse.c. A function is named MOONI_K(name): it
** becomes mooni_name_avx2 or the like; the rest of the engine finds it through the table (table.h). */
#ifndef MOONI_KERNELS_H
#define MOONI_KERNELS_H

#include "act.h"
#include "table.h"

#define MOONI_PASTE_(name, isa) mooni_##name##_##isa
#define MOONI_PASTE(name, isa) MOONI_PASTE_(name, isa)
#define MOONI_K(name) MOONI_PASTE(name, MOONI_ISA)

/* Put before a loop over elements: the iterations are independent, so the compiler may turn branches into selects. */
#define MOONI_PRAGMA_(text) _Pragma(#text)
#define MOONI_EACH MOONI_PRAGMA_(omp simd)

/* Put before a loop that adds into `sum`: the additions may be in any order. Nowhere else is rounding left to the
** compiler. */
#define MOONI_SUMMING(sum) MOONI_PRAGMA_(omp simd reduction(+ : sum))
#define MOONI_INLINE static inline __attribute__((always_inline))

#define MOONI_STRING_(text) #text
#define MOONI_STRING(text) MOONI_STRING_(text)

/* What table.c collects, besides losses and optimisers; table.h tells what each does. */
extern const mooni_act MOONI_K(activations)[];
extern const mooni_unary MOONI_K(unary)[];
extern const mooni_binary MOONI_K(binary)[];
void MOONI_K(from_bytes)(float *y, const uint8_t *x, size_t n, float scale);
void MOONI_K(add)(float *y, const float *x, size_t n);
void MOONI_K(axpy)(float *y, float a, const float *x, size_t n);
void MOONI_K(mul)(float *y, const float *x, size_t n);
void MOONI_K(add_product)(float *y, const float *a, const float *b, size_t n);
void MOONI_K(clip)(float *y, const float *x, size_t n, float factor, float limit);
double MOONI_K(sum_abs)(const float *x, size_t n);
double MOONI_K(sum_squares)(const float *x, size_t n);
double MOONI_K(sum_squared_difference)(const float *x, const float *y, size_t n);
void MOONI_K(column_sums)(float *y, const float *x, size_t rows, size_t width, size_t stride, bool accumulate);
void MOONI_K(add_sign)(float *y, float a, const float *x, size_t n);
void MOONI_K(column_deviations)(float *sum, float *squares, const float *x, const float *centre, size_t rows,
                                size_t width, size_t stride);
void MOONI_K(column_products)(float *sum, float *products, const float *dy, size_t dy_stride, const float *x,
                              size_t x_stride, const float *centre, size_t rows, size_t width);
void MOONI_K(normalise)(float *y, size_t y_stride, const float *x, size_t x_stride, const float *centre,
                        const double *scale, const double *shift, size_t rows, size_t width);
void MOONI_K(normalise_back)(float *dx, size_t x_stride, const float *dy, size_t y_stride, const float *x,
                             const float *centre, const double *scale, const double *slope, const double *shift,
                             size_t rows, size_t width);
void MOONI_K(normalise_rows)(float *y, float *stats, const float *x, const float *weight, const float *bias,
                             size_t rows, size_t n, double eps);
void MOONI_K(normalise_rows_back)(float *dx, const float *dy, const float *x, const float *stats, const float *weight,
                                  size_t rows, size_t n);
void MOONI_K(row_products)(float *sum, float *products, const float *dy, const float *x, const float *stats,
                           size_t rows, size_t width, size_t stride);
void MOONI_K(keep_largest)(float *y, float *mask, const float *x, size_t n, size_t k);
void MOONI_K(code_sample)(float *y, float *draws, const float *x, size_t n);
double MOONI_K(code_divergence)(const float *x, size_t n);
void MOONI_K(code_backward)(float *dx, const float *dy, const float *slope, const float *x, size_t n, float scale);
double MOONI_K(squared_distance)(const float *x, const float *y, size_t n);
size_t MOONI_K(next_near)(const float *product, const mooni_reach *r, size_t from, size_t n);
void MOONI_K(detect_scale)(float *z, float *weight, float *counts, const float *x, size_t rows, size_t width,
                           const double *offset, const double *inverse, float missing);
void MOONI_K(detect_errors)(float *e, const float *y, const float *z, const float *weight, size_t rows, size_t width,
                            const float *share);
void MOONI_K(detect_outside)(float *counts, const float *x, size_t rows, size_t width, const double *low,
                             const double *high);
void MOONI_K(eigen_reduce)(double *a, size_t n, size_t stride, const double *v, const double *q, const double *u,
                           double *p);
void MOONI_K(eigen_rotate)(double *z, const mooni_rotation *rotation, size_t count);
void MOONI_K(eigen_reflect)(double *z, const double *v, size_t n, double scale);
void MOONI_K(uniform)(mooni_rng *rng, float *y, size_t n, float low, float high);
void MOONI_K(normal)(mooni_rng *rng, float *y, size_t n, float mean, float deviation);
void MOONI_K(noise_gaussian)(mooni_rng *rng, float *y, float *mask, const float *x, size_t n, float sigma, float low,
                             float high);
void MOONI_K(noise_masking)(mooni_rng *rng, float *y, float *mask, const float *x, size_t n, float p, float keep);
void MOONI_K(noise_salt_pepper)(mooni_rng *rng, float *y, float *mask, const float *x, size_t n, float p);

bool MOONI_K(sparse_product)(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta,
                             mooni_mat c);

/* Our products need AVX-512; those of small matrices AVX2. For other CPUs BLIS makes them all. */
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define MOONI_HAS_PRODUCT
void MOONI_K(product)(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c);
#elif defined(__AVX2__) && defined(__FMA__)
#define MOONI_HAS_SMALL
void MOONI_K(small)(size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b, mooni_mat c);
#endif

#endif
