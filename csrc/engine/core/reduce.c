/* reduce.c - many numbers to one: of a whole tensor, or along one of its dimensions. Sums are kept in double. And many
** to a few: the k largest or smallest. */
#include <math.h>
#include <string.h>

#include "fpmode.h"
#include "ops.h"

/* What is known of the numbers seen so far. */
typedef struct fold {
  double sum;  /* of the present pass */
  double mean; /* of the pass before */
  float best;
  size_t at, seen;
} fold;

/* A reduction looks at its numbers in pieces, in order, once in each pass. */
typedef void step(fold *f, const float *x, size_t n);

typedef struct reducer {
  const char *name;
  bool takes_none;      /* has an answer for no numbers */
  step *first, *second; /* second NULL: one pass is enough */
  double (*result)(const fold *f, size_t n);
} reducer;

/* Eight sums side by side, so that no addition waits for the one before it. */
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

/* The first NaN is the answer, whatever comes after it; !(x <= best) holds for what is better and for NaN. */
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

static double result_sum(const fold *f, size_t n) { return (void)n, f->sum; }
static double result_mean(const fold *f, size_t n) { return f->sum / (double)n; }
static double result_std(const fold *f, size_t n) { return sqrt(f->sum / (double)n); }
static double result_norm(const fold *f, size_t n) { return (void)n, sqrt(f->sum); }
static double result_best(const fold *f, size_t n) { return (void)n, f->best; }
static double result_at(const fold *f, size_t n) { return (void)n, (double)f->at; }

static const reducer reducers[] = {
    {"sum", true, add_up, NULL, result_sum},
    {"mean", false, add_up, NULL, result_mean},
    {"min", false, find_min, NULL, result_best},
    {"max", false, find_max, NULL, result_best},
    {"var", false, add_up, add_deviations, result_mean},
    {"std", false, add_up, add_deviations, result_std},
    {"norm", true, add_squares, NULL, result_norm},
    {"argmax", false, find_max, NULL, result_at},
};

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

/* Numbers first..first+n-1 of a, which lie side by side. */
static double reduce_run(const reducer *r, const moon_tensor *a, size_t first, size_t n) {
  float buffer[MOONI_CHUNK];
  fold f = {0};
  step *const passes[] = {r->first, r->second};
  for (int pass = 0; pass < 2 && passes[pass]; pass++) {
    f.mean = n ? f.sum / (double)n : 0;
    f.sum = 0;
    for (size_t i = 0; i < n; i += MOONI_CHUNK) {
      size_t count = n - i < MOONI_CHUNK ? n - i : MOONI_CHUNK;
      passes[pass](&f, mooni_floats(a, first + i, count, buffer), count);
    }
  }
  return r->result(&f, n);
}

moon_status moon_tensor_reduce(double *value, const char *name, const moon_tensor *a) {
  MOONI_IEEE;
  const reducer *r = find_reducer(name);
  if (!r) return unknown_reducer(a->storage->ctx, name);
  if (!a->numel && !r->takes_none) return of_nothing(name, a);
  *value = reduce_run(r, a, 0, a->numel);
  return MOON_OK;
}

enum { LANES = 16, DEPTH = MOONI_CHUNK / LANES }; /* LANES floats fill a line of the cache */

/* Turn a tile of the columns (count <= LANES, width apart) so that each lies side by side. */
static void turn(float *tile, const moon_tensor *a, size_t first, size_t width, size_t count, size_t depth) {
  float line[LANES];
  for (size_t i = 0; i < depth; i++) {
    const float *x = mooni_floats(a, first + i * width, count, line);
    for (size_t j = 0; j < count; j++) tile[j * DEPTH + i] = x[j];
  }
}

/* y[j] = the reduction of the n numbers from first + j on, width apart; for count <= LANES columns at once. */
static void reduce_columns(float *y, const reducer *r, const moon_tensor *a, size_t first, size_t width, size_t count,
                           size_t n) {
  float tile[LANES * DEPTH];
  fold f[LANES] = {{0}};
  step *const passes[] = {r->first, r->second};
  for (int pass = 0; pass < 2 && passes[pass]; pass++) {
    for (size_t j = 0; j < count; j++) {
      f[j].mean = n ? f[j].sum / (double)n : 0;
      f[j].sum = 0;
    }
    for (size_t i = 0; i < n; i += DEPTH) {
      size_t depth = n - i < DEPTH ? n - i : DEPTH;
      turn(tile, a, first + i * width, width, count, depth);
      for (size_t j = 0; j < count; j++) passes[pass](&f[j], tile + j * DEPTH, depth);
    }
  }
  for (size_t j = 0; j < count; j++) y[j] = (float)r->result(&f[j], n);
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
    for (size_t j = 0; j < inner; j += LANES)
      reduce_columns(y + i * inner + j, r, a, i * n * inner + j, inner, inner - j < LANES ? inner - j : LANES, n);
  return MOON_OK;
}

/* ---- the k best ---- */

/* The k best of the numbers seen so far: a heap, whose root is the last of them, the next to go. It lies in the results
** themselves, whose elements are `stride` apart. */
typedef struct selection {
  float *value, *index;
  size_t stride, k, count, seen;
  bool largest;
} selection;

/* NaN counts as larger than any number. */
static bool is_above(float a, float b) { return a > b || (isnan(a) && !isnan(b)); }

static bool is_better(const selection *s, float a, float b) { return s->largest ? is_above(a, b) : is_above(b, a); }

/* Does entry i come before entry j in the result? Equals come by their index. */
static bool is_before(const selection *s, size_t i, size_t j) {
  float a = s->value[i * s->stride], b = s->value[j * s->stride];
  if (is_better(s, a, b) || is_better(s, b, a)) return is_better(s, a, b);
  return s->index[i * s->stride] < s->index[j * s->stride];
}

static void put(const selection *s, size_t i, float value, size_t index) {
  s->value[i * s->stride] = value;
  s->index[i * s->stride] = (float)index;
}

static void swap(const selection *s, size_t i, size_t j) {
  float value = s->value[i * s->stride], index = s->index[i * s->stride];
  s->value[i * s->stride] = s->value[j * s->stride];
  s->index[i * s->stride] = s->index[j * s->stride];
  s->value[j * s->stride] = value;
  s->index[j * s->stride] = index;
}

/* Among the first n entries, entry i goes down until neither of those below it comes after it. */
static void sink(const selection *s, size_t i, size_t n) {
  for (size_t last = i;; i = last) {
    for (size_t below = 2 * i + 1; below < n && below <= 2 * i + 2; below++)
      if (is_before(s, last, below)) last = below;
    if (last == i) return;
    swap(s, i, last);
  }
}

static void make_heap(const selection *s) {
  for (size_t i = s->k / 2; i > 0; i--) sink(s, i - 1, s->k);
}

/* Can any of LANES numbers replace the worst? True also where NaN leaves it open. */
static bool may_enter(const float *x, float worst, bool largest) {
  int enter = 0;
  if (largest)
    for (size_t l = 0; l < LANES; l++) enter |= !(x[l] <= worst);
  else
    for (size_t l = 0; l < LANES; l++) enter |= !(x[l] >= worst);
  return enter;
}

/* Look at n further numbers. What equals the worst comes after it, and stays out. */
static void look(selection *s, const float *x, size_t n) {
  size_t i = 0;
  for (; i < n && s->count < s->k; i++) {
    put(s, s->count++, x[i], s->seen + i);
    if (s->count == s->k) make_heap(s);
  }
  while (i < n) {
    if (n - i >= LANES && !may_enter(x + i, *s->value, s->largest)) {
      i += LANES;
      continue;
    }
    for (size_t end = n - i < LANES ? n : i + LANES; i < end; i++) {
      if (!is_better(s, x[i], *s->value)) continue;
      put(s, 0, x[i], s->seen + i);
      sink(s, 0, s->k);
    }
  }
  s->seen += n;
}

/* The heap becomes a list, the best first. */
static void put_in_order(const selection *s) {
  for (size_t n = s->k; n > 1; n--) {
    swap(s, 0, n - 1);
    sink(s, 0, n - 1);
  }
}

/* Of the n numbers from first on, which lie side by side. */
static void select_run(selection *s, const moon_tensor *a, size_t first, size_t n) {
  float buffer[MOONI_CHUNK];
  for (size_t i = 0; i < n; i += MOONI_CHUNK) {
    size_t count = n - i < MOONI_CHUNK ? n - i : MOONI_CHUNK;
    look(s, mooni_floats(a, first + i, count, buffer), count);
  }
  put_in_order(s);
}

/* Of the n numbers from first + j on, width apart, into s[j]; for count <= LANES columns at once. */
static void select_columns(selection *s, const moon_tensor *a, size_t first, size_t width, size_t count, size_t n) {
  float tile[LANES * DEPTH];
  for (size_t i = 0; i < n; i += DEPTH) {
    size_t depth = n - i < DEPTH ? n - i : DEPTH;
    turn(tile, a, first + i * width, width, count, depth);
    for (size_t j = 0; j < count; j++) look(&s[j], tile + j * DEPTH, depth);
  }
  for (size_t j = 0; j < count; j++) put_in_order(&s[j]);
}

static moon_status check_topk(const moon_tensor *values, const moon_tensor *index, const moon_tensor *a, size_t k,
                              int dim) {
  moon_ctx *ctx = values->storage->ctx;
  size_t shape[MOON_MAX_RANK];
  if (dim < 0 || dim >= a->rank)
    return mooni_fail(ctx, MOON_ERANGE, "topk: dimension %d does not exist in a tensor of rank %d", dim, a->rank);
  size_t n = a->shape[dim];
  if (k > n) return mooni_fail(ctx, MOON_ERANGE, "topk: k is %zu, but there are only %zu elements", k, n);
  if (n > MOONI_COUNTED)
    return mooni_fail(ctx, MOON_ERANGE, "topk: %zu elements, expected at most %zu: float32 counts no further", n,
                      MOONI_COUNTED);
  for (int i = 0; i < a->rank; i++) shape[i] = i == dim ? k : a->shape[i];
  const moon_tensor *const results[] = {values, index};
  for (size_t i = 0; i < MOONI_COUNT(results); i++) {
    MOONI_TRY(mooni_want_float(results[i], "topk"));
    MOONI_TRY(mooni_check_out("topk", results[i], a->rank, shape));
    MOONI_TRY(mooni_check_overlap("topk", results[i], a, false));
  }
  return mooni_check_overlap("topk", values, index, false);
}

moon_status moon_tensor_topk(moon_tensor *values, moon_tensor *index, const moon_tensor *a, size_t k, int dim,
                             bool largest) {
  MOONI_IEEE;
  size_t outer = 1, inner = 1;
  MOONI_TRY(check_topk(values, index, a, k, dim));
  if (!values->numel) return MOON_OK;
  for (int i = 0; i < a->rank; i++)
    if (i != dim) *(i < dim ? &outer : &inner) *= a->shape[i];
  size_t n = a->shape[dim];
  for (size_t i = 0; i < outer; i++)
    for (size_t j = 0; j < inner; j += LANES) {
      selection s[LANES];
      size_t count = inner - j < LANES ? inner - j : LANES, at = i * k * inner + j;
      for (size_t l = 0; l < count; l++)
        s[l] = (selection){
            moon_tensor_float(values) + at + l, moon_tensor_float(index) + at + l, inner, k, 0, 0, largest};
      if (inner == 1)
        select_run(s, a, i * n, n);
      else
        select_columns(s, a, i * n * inner + j, inner, count, n);
    }
  return MOON_OK;
}
