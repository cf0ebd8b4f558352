/* floor.h - the shortest time of the matrix products of a training step on this machine. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "../../csrc/moonglass.h"

enum { FLOOR_LAYOUTS = 8 };

/* One product of a step, c [m x n] = a [m x k] b [k x n], and how it ran fastest. */
typedef struct floor_gemm {
  const char *pass; /* "forward", "weights", "input": which product of its layer */
  size_t layer;     /* from 1 */
  size_t m, n, k;
  int layout;                  /* bit 0, 1, 2: a, b, c is stored column by column */
  bool by_rows;                /* with threads: divided by the rows of c, else by its columns */
  double us;                   /* one call, at its best */
  double trial[FLOOR_LAYOUTS]; /* one call in each layout, in the trial */
} floor_gemm;

typedef struct floor_set {
  floor_gemm *gemms;
  size_t count;
  int threads;
  float *a, *b, *c; /* operands, as large as the largest product needs */
} floor_set;

/* The products of a step of `batch` rows through dense layers of these widths. For each, the fastest of the eight
** layouts and, with threads, of the two ways to divide it is found by trying. */
moon_status floor_new(moon_ctx *ctx, floor_set *f, const size_t *sizes, size_t count, size_t batch, int threads);
void floor_free(moon_ctx *ctx, floor_set *f);

/* Seconds for `steps` steps: each product `calls` times in a row, on the same operands, so that caches are warm. */
moon_status floor_time(moon_ctx *ctx, floor_set *f, double *seconds, double steps, size_t calls);

/* Monotonic time in seconds. */
double now(void);

#endif
