/* gemm.h - matrix products. gemm.c alone calls BLIS. */
#ifndef MOONI_GEMM_H
#define MOONI_GEMM_H

#include "../../moonglass.h"
#include "mat.h"

/* c [m x n] = alpha a [m x k] b [k x n] + beta c. Cannot fail for a shape that mooni_gemm_plan has accepted. */
void mooni_gemm(const moon_ctx *ctx, size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta,
                mooni_mat c);

/* The same as three plain loops, with sums in double: what the tests compare with. */
static inline void mooni_gemm_naive(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta,
                                    mooni_mat c) {
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++) {
      double sum = 0;
      float *to = &c.p[i * c.rs + j * c.cs];
      for (size_t l = 0; l < k; l++) sum += (double)a.p[i * a.rs + l * a.cs] * (double)b.p[l * b.rs + j * b.cs];
      *to = (float)((double)alpha * sum + (beta != 0 ? (double)beta * (double)*to : 0));
    }
}

/* The same, always by BLIS. */
void mooni_gemm_blis(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c);

/* Make BLIS allocate now all memory that this call will need, for `callers` calls at once: out of memory, BLIS would
** abort the process. Only the strides of a, b and c are looked at. */
moon_status mooni_gemm_plan(moon_ctx *ctx, size_t callers, size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b,
                            mooni_mat c);

/* The products that layers announce while a net is planned. After the first failure nothing more is planned. */
typedef struct mooni_plan {
  moon_ctx *ctx;
  size_t callers;
  moon_status status;
} mooni_plan;
void mooni_plan_add(mooni_plan *plan, size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b, mooni_mat c);

/* Forget which shapes have been planned. */
void mooni_gemm_forget(moon_ctx *ctx);
const char *mooni_blis_version(void);
const char *mooni_blis_config(void);

#endif
