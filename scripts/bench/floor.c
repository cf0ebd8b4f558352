/* floor.c - times only the matrix products of a training step.
**
** With T threads a product is cut into T pieces of its rows or of its columns. T threads compute their pieces at the
** same time, `calls` times each, without waiting for each other between the calls. The engine has to wait, so it cannot
** be faster. The time is from the first start to the last end. */
#include "floor.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "../../csrc/engine/core/error.h"
#include "../../csrc/engine/core/gemm.h"
#include "../../csrc/engine/core/memory.h"

enum { TRIALS = 3, MAX_THREADS = 256 };

/* Calls for a time that is long compared with the clock's resolution and the start of a thread. The time of a call is a
** rough guess: so many operations a second, and some time for the call itself. */
static const double TRIAL_SECONDS = 1.5e-3, FLOPS = 5e10, CALL_SECONDS = 3e-7, NEVER = 1e30;

double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- one product, divided ---- */

/* Threads that are ready; all begin when everyone is. */
typedef struct gate {
  atomic_int come;
  int threads;
} gate;

typedef struct piece {
  gate *gate;
  size_t m, n, k, calls;
  mooni_mat a, b, c;
  double begin, end;
} piece;

static void *run_piece(void *arg) {
  piece *s = arg;
  if (s->m && s->n) mooni_gemm_blis(s->m, s->n, s->k, 1, s->a, s->b, 0, s->c);
  atomic_fetch_add(&s->gate->come, 1);
  while (atomic_load(&s->gate->come) < s->gate->threads) sched_yield();
  s->begin = now();
  for (size_t i = 0; i < s->calls && s->m && s->n; i++) mooni_gemm_blis(s->m, s->n, s->k, 1, s->a, s->b, 0, s->c);
  s->end = now();
  return NULL;
}

static mooni_mat matrix(float *p, size_t rows, size_t columns, bool by_column) {
  return (mooni_mat){.p = p, .rs = by_column ? 1 : columns, .cs = by_column ? rows : 1};
}

static float *at(mooni_mat m, size_t i, size_t j) { return m.p + i * m.rs + j * m.cs; }

/* Where piece i of `threads` begins: at a multiple of a cache line of floats, if there are enough of them. */
static size_t cut(size_t extent, int i, int threads) {
  size_t line = extent >= (size_t)threads * 16 ? 16 : 1, lines = (extent + line - 1) / line;
  size_t first = (lines * (size_t)i + (size_t)threads - 1) / (size_t)threads * line;
  return first < extent ? first : extent;
}

static piece make_piece(const floor_set *f, const floor_gemm *g, int i, gate *start, size_t calls) {
  mooni_mat a = matrix(f->a, g->m, g->k, g->layout & 1), b = matrix(f->b, g->k, g->n, g->layout & 2);
  mooni_mat c = matrix(f->c, g->m, g->n, g->layout & 4);
  size_t extent = g->by_rows ? g->m : g->n, first = cut(extent, i, f->threads);
  size_t length = cut(extent, i + 1, f->threads) - first, row = g->by_rows ? first : 0, column = g->by_rows ? 0 : first;
  a.p = at(a, row, 0);
  b.p = at(b, 0, column);
  c.p = at(c, row, column);
  return (piece){.gate = start,
                 .m = g->by_rows ? length : g->m,
                 .n = g->by_rows ? g->n : length,
                 .k = g->k,
                 .calls = calls,
                 .a = a,
                 .b = b,
                 .c = c};
}

/* Seconds for `calls` calls of one product. */
static moon_status time_gemm(moon_ctx *ctx, const floor_set *f, const floor_gemm *g, size_t calls, double *seconds) {
  piece pieces[MAX_THREADS];
  pthread_t ids[MAX_THREADS];
  gate start = {0, f->threads};
  int started = 1, error = 0;
  for (int i = 0; i < f->threads; i++) pieces[i] = make_piece(f, g, i, &start, calls);
  while (started < f->threads && !(error = pthread_create(&ids[started], NULL, run_piece, &pieces[started]))) started++;
  if (error) atomic_store(&start.come, f->threads); /* let go those that wait */
  run_piece(&pieces[0]);
  for (int i = 1; i < started; i++) pthread_join(ids[i], NULL);
  if (error) return mooni_fail(ctx, MOON_ENOMEM, "floor: cannot start a thread: %s", strerror(error));

  double begin = pieces[0].begin, end = pieces[0].end;
  for (int i = 1; i < f->threads; i++) {
    if (pieces[i].begin < begin) begin = pieces[i].begin;
    if (pieces[i].end > end) end = pieces[i].end;
  }
  *seconds = end - begin;
  return MOON_OK;
}

/* ---- all products of a step ---- */

static moon_status choose(moon_ctx *ctx, floor_set *f, floor_gemm *g) {
  double guess = 2.0 * (double)(g->m * g->n) * (double)g->k / FLOPS + CALL_SECONDS;
  size_t calls = 2 + (size_t)(TRIAL_SECONDS / guess);
  floor_gemm best = *g;
  best.us = NEVER;
  for (int layout = 0; layout < FLOOR_LAYOUTS; layout++) best.trial[layout] = NEVER;
  for (int trial = 0; trial < TRIALS; trial++)
    for (g->layout = 0; g->layout < FLOOR_LAYOUTS; g->layout++)
      for (int by_rows = 0; by_rows < (f->threads > 1 ? 2 : 1); by_rows++) {
        double seconds, us;
        g->by_rows = by_rows;
        MOONI_TRY(time_gemm(ctx, f, g, calls, &seconds));
        us = seconds / (double)calls * 1e6;
        if (us < best.trial[g->layout]) best.trial[g->layout] = us;
        if (us >= best.us) continue;
        best.us = us;
        best.layout = g->layout;
        best.by_rows = g->by_rows;
      }
  *g = best;
  return MOON_OK;
}

/* Forward y = x W, weight gradient dW = x' dz, input gradient dx = dz W' (not below the first layer). */
static void list_gemms(floor_set *f, const size_t *sizes, size_t count, size_t batch) {
  for (size_t i = 1; i < count; i++) {
    size_t in = sizes[i - 1], out = sizes[i];
    f->gemms[f->count++] = (floor_gemm){.pass = "forward", .layer = i, .m = batch, .n = out, .k = in};
    f->gemms[f->count++] = (floor_gemm){.pass = "weights", .layer = i, .m = in, .n = out, .k = batch};
    if (i > 1) f->gemms[f->count++] = (floor_gemm){.pass = "input", .layer = i, .m = batch, .n = in, .k = out};
  }
}

/* Floats that do not change the speed of a product: neither 0 nor denormal. */
static float *operand(moon_ctx *ctx, size_t floats) {
  float *p = mooni_alloc(ctx, floats * sizeof *p);
  for (size_t i = 0; p && i < floats; i++) p[i] = (float)(i * 2654435761u % 1000) / 500.0f - 0.999f;
  return p;
}

moon_status floor_new(moon_ctx *ctx, floor_set *f, const size_t *sizes, size_t count, size_t batch, int threads) {
  size_t a = 0, b = 0, c = 0;
  *f = (floor_set){.threads = threads};
  if (threads < 1 || threads > MAX_THREADS) return mooni_fail(ctx, MOON_ERANGE, "floor: %d threads", threads);
  f->gemms = mooni_calloc(ctx, 3 * count, sizeof *f->gemms);
  if (!f->gemms) return mooni_nomem(ctx, 3 * count * sizeof *f->gemms);
  list_gemms(f, sizes, count, batch);
  for (size_t i = 0; i < f->count; i++) {
    const floor_gemm *g = &f->gemms[i];
    if (g->m * g->k > a) a = g->m * g->k;
    if (g->k * g->n > b) b = g->k * g->n;
    if (g->m * g->n > c) c = g->m * g->n;
  }
  f->a = operand(ctx, a);
  f->b = operand(ctx, b);
  f->c = operand(ctx, c);
  moon_status status = f->a && f->b && f->c ? MOON_OK : mooni_nomem(ctx, (a + b + c) * sizeof(float));
  for (size_t i = 0; status == MOON_OK && i < f->count; i++) status = choose(ctx, f, &f->gemms[i]);
  if (status != MOON_OK) floor_free(ctx, f);
  return status;
}

void floor_free(moon_ctx *ctx, floor_set *f) {
  mooni_free(ctx, f->gemms);
  mooni_free(ctx, f->a);
  mooni_free(ctx, f->b);
  mooni_free(ctx, f->c);
  *f = (floor_set){0};
}

moon_status floor_time(moon_ctx *ctx, floor_set *f, double *seconds, double steps, size_t calls) {
  double total = 0;
  for (size_t i = 0; i < f->count; i++) {
    double once;
    MOONI_TRY(time_gemm(ctx, f, &f->gemms[i], calls, &once));
    once /= (double)calls;
    if (once * 1e6 < f->gemms[i].us) f->gemms[i].us = once * 1e6;
    total += once;
  }
  *seconds = total * steps;
  return MOON_OK;
}
