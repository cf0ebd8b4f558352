/* reduce.c - sum, mean, max, ...: of a whole tensor, or along one dimension. Sums are kept in double. Those whose names
** begin with nan skip NaN. */
#include <math.h>
#include <string.h>

#include "error.h"
#include "fpmode.h"
#include "memory.h"
#include "names.h"
#include "ops.h"

/* What is known after some numbers of a reduction. */
typedef struct fold {
  double sum;  /* of the present pass */
  double mean; /* of the pass before */
  float best;
  size_t at, seen; /* seen: of nan...: how many were not NaN */
} fold;

/* A reduction reads its numbers in pieces, in order, once in each pass. */
typedef void step(fold *f, const float *x, size_t n);

typedef struct reducer {
  const char *name;
  bool takes_none;      /* defined for no numbers at all */
  bool skips_nan;       /* NaN is as if it were not there */
  step *first, *second; /* second NULL: one pass is enough */
  double (*result)(const fold *f, size_t n);
} reducer;

/* Eight partial sums, so that no addition waits for the one before. */
#define ADD_UP(name, TERM)                                              \
  static void name(fold *f, const float *x, size_t n) {                 \
    double part[8] = {0}, m = f->mean;                                  \
    size_t i = 0;                                                       \
    (void)m;                                                            \
    for (; i + 8 <= n; i += 8)                                          \
      for (size_t l = 0; l < 8; l++) part[l] += TERM((double)x[i + l]); \
    for (; i < n; i++) part[0] += TERM((double)x[i]);                   \
    for (size_t l = 0; l < 8; l++) f->sum += part[l];                   \
  }

#define ITSELF(v) (v)
#define SQUARE(v) ((v) * (v))
#define DEVIATION(v) (((v)-m) * ((v)-m))
ADD_UP(add_up, ITSELF)
ADD_UP(add_squares, SQUARE)
ADD_UP(add_deviations, DEVIATION)

/* A NaN is the result, whatever follows. !(x <= best) is true if x is better, and if it is NaN. */
static void find_max(fold *f, const float *x, size_t n) {
  if (!f->seen) f->best = x[0];
  for (size_t i = 0; i < n && !isnan(f->best); i++) {
    if (x[i] <= f->best) continue;
    f->best = x[i];
    f->at = f->seen + i;
  }
  f->seen += n;
}

static void find_min(fold *f, const float *x, size_t n) {
  if (!f->seen) f->best = x[0];
  for (size_t i = 0; i < n && !isnan(f->best); i++)
    if (!(x[i] >= f->best)) f->best = x[i];
  f->seen += n;
}

/* ---- of the numbers that are not NaN ---- */

static void add_up_present(fold *f, const float *x, size_t n) {
  for (size_t i = 0; i < n; i++) {
    bool present = !isnan(x[i]);
    f->sum += present ? (double)x[i] : 0;
    f->seen += present;
  }
}

static void add_deviations_present(fold *f, const float *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isnan(x[i])) f->sum += ((double)x[i] - f->mean) * ((double)x[i] - f->mean);
}

static void find_max_present(fold *f, const float *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isnan(x[i]) && (!f->seen++ || x[i] > f->best)) f->best = x[i];
}

static void find_min_present(fold *f, const float *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isnan(x[i]) && (!f->seen++ || x[i] < f->best)) f->best = x[i];
}

/* ---- results ---- */

static double result_sum(const fold *f, size_t n) { return (void)n, f->sum; }
static double result_mean(const fold *f, size_t n) { return f->sum / (double)n; }
static double result_std(const fold *f, size_t n) { return sqrt(f->sum / (double)n); }
static double result_norm(const fold *f, size_t n) { return (void)n, sqrt(f->sum); }
static double result_best(const fold *f, size_t n) { return (void)n, f->best; }
static double result_at(const fold *f, size_t n) { return (void)n, (double)f->at; }

static const reducer reducers[] = {
    {"sum", true, false, add_up, NULL, result_sum},
    {"mean", false, false, add_up, NULL, result_mean},
    {"min", false, false, find_min, NULL, result_best},
    {"max", false, false, find_max, NULL, result_best},
    {"var", false, false, add_up, add_deviations, result_mean},
    {"std", false, false, add_up, add_deviations, result_std},
    {"norm", true, false, add_squares, NULL, result_norm},
    {"argmax", false, false, find_max, NULL, result_at},
    {"nanmean", false, true, add_up_present, NULL, result_mean},
    {"nanstd", false, true, add_up_present, add_deviations_present, result_std},
    {"nanmin", false, true, find_min_present, NULL, result_best},
    {"nanmax", false, true, find_max_present, NULL, result_best},
};

/* The count that the sum is divided by: of n numbers, those that count. */
static size_t counted(const reducer *r, const fold *f, size_t n) { return r->skips_nan ? f->seen : n; }

static double mean_of(const reducer *r, const fold *f, size_t n) {
  size_t count = counted(r, f, n);
  return count ? f->sum / (double)count : 0;
}

/* NaN if no number counts. */
static double finish(const reducer *r, const fold *f, size_t n) {
  size_t count = counted(r, f, n);
  return r->skips_nan && !count ? NAN : r->result(f, count);
}

static const char *reducer_name(const void *list, size_t i) {
  return i < MOONI_COUNT(reducers) ? ((const reducer *)list)[i].name : NULL;
}

static const reducer *find_reducer(const char *name) {
  for (size_t i = 0; i < MOONI_COUNT(reducers); i++)
    if (strcmp(reducers[i].name, name) == 0) return &reducers[i];
  return NULL;
}

static moon_status unknown_reducer(moon_ctx *ctx, const char *name) {
  return mooni_unknown(ctx, "reduction", name, reducer_name, reducers);
}

static moon_status of_nothing(const char *name, const moon_tensor *a) {
  char text[MOONI_SHAPE_TEXT];
  return mooni_fail(a->storage->ctx, MOON_ESHAPE, "%s: %s has no elements", name,
                    mooni_shape_text(text, a->rank, a->shape));
}

/* Reduce n contiguous numbers of a, from number `first` on. */
static double reduce_run(const reducer *r, const moon_tensor *a, size_t first, size_t n) {
  float buffer[MOONI_CHUNK];
  fold f = {0};
  step *const passes[] = {r->first, r->second};
  for (int pass = 0; pass < 2 && passes[pass]; pass++) {
    f.mean = mean_of(r, &f, n);
    f.sum = 0;
    for (size_t i = 0; i < n; i += MOONI_CHUNK) {
      size_t count = n - i < MOONI_CHUNK ? n - i : MOONI_CHUNK;
      passes[pass](&f, mooni_floats(a, first + i, count, buffer), count);
    }
  }
  return finish(r, &f, n);
}

moon_status moon_tensor_reduce(double *value, const char *name, const moon_tensor *a) {
  MOONI_IEEE;
  const reducer *r = find_reducer(name);
  if (!r) return unknown_reducer(a->storage->ctx, name);
  if (!a->numel && !r->takes_none) return of_nothing(name, a);
  *value = reduce_run(r, a, 0, a->numel);
  return MOON_OK;
}

/* y [count] = the reductions of `count` columns (at most MOONI_TILE_COLUMNS) of a matrix [n x width] that begins at
** element `first`. */
static void reduce_columns(float *y, const reducer *r, const moon_tensor *a, size_t first, size_t width, size_t count,
                           size_t n) {
  float tile[MOONI_TILE_COLUMNS * MOONI_TILE_ROWS];
  fold f[MOONI_TILE_COLUMNS] = {{0}};
  step *const passes[] = {r->first, r->second};
  for (int pass = 0; pass < 2 && passes[pass]; pass++) {
    for (size_t j = 0; j < count; j++) {
      f[j].mean = mean_of(r, &f[j], n);
      f[j].sum = 0;
    }
    for (size_t i = 0; i < n; i += MOONI_TILE_ROWS) {
      size_t depth = n - i < MOONI_TILE_ROWS ? n - i : MOONI_TILE_ROWS;
      mooni_read_tile(tile, a, first + i * width, width, count, depth);
      for (size_t j = 0; j < count; j++) passes[pass](&f[j], tile + j * MOONI_TILE_ROWS, depth);
    }
  }
  for (size_t j = 0; j < count; j++) y[j] = (float)finish(r, &f[j], n);
}

moon_status moon_tensor_reduce_dim(moon_tensor *out, const char *name, const moon_tensor *a, int dim) {
  MOONI_IEEE;
  const reducer *r = find_reducer(name);
  moon_ctx *ctx = out->storage->ctx;
  size_t shape[MOON_MAX_RANK], outer = 1, inner = 1;
  int rank = 0;
  if (!r) return unknown_reducer(ctx, name);
  if (dim < 0 || dim >= a->rank)
    return mooni_fail(ctx, MOON_ERANGE, "%s: dimension %d does not exist in a tensor of rank %d", name, dim, a->rank);
  for (int i = 0; i < a->rank; i++)
    if (i != dim) {
      *(i < dim ? &outer : &inner) *= a->shape[i];
      shape[rank++] = a->shape[i];
    }
  MOONI_TRY(mooni_want_float(out, name));
  MOONI_TRY(mooni_check_out(name, out, rank, shape));
  MOONI_TRY(mooni_check_overlap(name, out, a, false));
  size_t n = a->shape[dim];
  if (!n && out->numel && !r->takes_none) return of_nothing(name, a);
  if (r->result == result_at && n > MOONI_COUNTED)
    return mooni_fail(ctx, MOON_ERANGE, "%s: %zu elements, expected at most %zu: float32 counts no further", name, n,
                      MOONI_COUNTED);
  float *y = moon_tensor_float(out);
  if (inner == 1) {
    for (size_t i = 0; i < outer; i++) y[i] = (float)reduce_run(r, a, i * n, n);
    return MOON_OK;
  }
  for (size_t i = 0; i < outer; i++)
    for (size_t j = 0; j < inner; j += MOONI_TILE_COLUMNS)
      reduce_columns(y + i * inner + j, r, a, i * n * inner + j, inner,
                     inner - j < MOONI_TILE_COLUMNS ? inner - j : MOONI_TILE_COLUMNS, n);
  return MOON_OK;
}
