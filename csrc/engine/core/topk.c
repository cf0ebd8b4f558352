/* topk.c - the k largest or smallest elements along a dimension. */
#include <math.h>

#include "error.h"
#include "fpmode.h"
#include "memory.h"
#include "ops.h"

/* The k best numbers so far, as a heap with the worst of them at the root. It lies in the results themselves, whose
** elements are `stride` apart. */
typedef struct selection {
  float *value, *index;
  size_t stride, k, count, seen;
  bool largest;
} selection;

/* NaN counts as larger than any number. */
static bool is_above(float a, float b) { return a > b || (isnan(a) && !isnan(b)); }

static bool is_better(const selection *s, float a, float b) { return s->largest ? is_above(a, b) : is_above(b, a); }

/* Does entry i come before entry j in the result? Equal numbers are ordered by index. */
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

/* Move entry i down the heap of n entries until both of its children are better. */
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

/* Might one of MOONI_TILE_COLUMNS numbers replace the worst? True also if a NaN leaves it open. */
static bool may_enter(const float *x, float worst, bool largest) {
  int enter = 0;
  if (largest)
    for (size_t l = 0; l < MOONI_TILE_COLUMNS; l++) enter |= !(x[l] <= worst);
  else
    for (size_t l = 0; l < MOONI_TILE_COLUMNS; l++) enter |= !(x[l] >= worst);
  return enter;
}

/* Take in n further numbers. One that equals the worst comes after it, and stays out. */
static void take_in(selection *s, const float *x, size_t n) {
  size_t i = 0;
  for (; i < n && s->count < s->k; i++) {
    put(s, s->count++, x[i], s->seen + i);
    if (s->count == s->k) make_heap(s);
  }
  while (i < n) {
    if (n - i >= MOONI_TILE_COLUMNS && !may_enter(x + i, *s->value, s->largest)) {
      i += MOONI_TILE_COLUMNS;
      continue;
    }
    for (size_t end = n - i < MOONI_TILE_COLUMNS ? n : i + MOONI_TILE_COLUMNS; i < end; i++) {
      if (!is_better(s, x[i], *s->value)) continue;
      put(s, 0, x[i], s->seen + i);
      sink(s, 0, s->k);
    }
  }
  s->seen += n;
}

/* Turn the heap into a list, the best first. */
static void put_in_order(const selection *s) {
  for (size_t n = s->k; n > 1; n--) {
    swap(s, 0, n - 1);
    sink(s, 0, n - 1);
  }
}

/* The k best of n contiguous numbers, from number `first` on. */
static void select_run(selection *s, const moon_tensor *a, size_t first, size_t n) {
  float buffer[MOONI_CHUNK];
  for (size_t i = 0; i < n; i += MOONI_CHUNK) {
    size_t count = n - i < MOONI_CHUNK ? n - i : MOONI_CHUNK;
    take_in(s, mooni_floats(a, first + i, count, buffer), count);
  }
  put_in_order(s);
}

/* The k best of `count` columns (at most MOONI_TILE_COLUMNS) of a matrix [n x width] that begins at element `first`; of
** column j into s[j]. */
static void select_columns(selection *s, const moon_tensor *a, size_t first, size_t width, size_t count, size_t n) {
  float tile[MOONI_TILE_COLUMNS * MOONI_TILE_ROWS];
  for (size_t i = 0; i < n; i += MOONI_TILE_ROWS) {
    size_t depth = n - i < MOONI_TILE_ROWS ? n - i : MOONI_TILE_ROWS;
    mooni_read_tile(tile, a, first + i * width, width, count, depth);
    for (size_t j = 0; j < count; j++) take_in(&s[j], tile + j * MOONI_TILE_ROWS, depth);
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
    for (size_t j = 0; j < inner; j += MOONI_TILE_COLUMNS) {
      selection s[MOONI_TILE_COLUMNS];
      size_t count = inner - j < MOONI_TILE_COLUMNS ? inner - j : MOONI_TILE_COLUMNS, at = i * k * inner + j;
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
