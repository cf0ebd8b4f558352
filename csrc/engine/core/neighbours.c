/* neighbours.c - for each row of a matrix q [m x width] the k nearest rows of another, x [n x width].
**
** |a - b|^2 = |a|^2 + |b|^2 - 2 a b. The right side is a matrix product for many rows at once, but a small difference
** of large numbers, so it does not decide. It only rules rows out: those that, with the bound on all rounding errors,
** cannot be among the k nearest. The distance of every other row is computed as on the left, in double. Both sides are
** first moved close to the middle of the data, where the bound is tight. */
#include <math.h>
#include <stdlib.h>

#include "error.h"
#include "fpmode.h"
#include "gemm.h"
#include "memory.h"
#include "ops.h"

typedef struct found {
  double square;
  size_t index;
} found;

/* The k nearest rows found so far for one query: a heap, the farthest at the root. */
typedef struct nearest {
  found *list;
  size_t count;
} nearest;

typedef struct search {
  moon_ctx *ctx;
  const moon_tensor *x, *q;
  size_t k, width, query_block, row_block;
  float scale; /* divisor for bytes: 1 if both sides are bytes, so that distances are exact; else 255 */
  double slack;
  float *centre, *zero;         /* [width] */
  float *queries, *rows;        /* [block x width] each, minus the centre */
  float *query, *row;           /* [width]: one row of bytes as floats */
  float *products;              /* [query_block x row_block] */
  double *half, *root, *square; /* half |row|^2 and |row| of each row; |query|^2 of each query */
  nearest *nearest;             /* [query_block] */
} search;

/* Row i of t as floats: in the tensor itself, or converted into buffer. */
static const float *row_of(const search *s, const moon_tensor *t, size_t i, float *buffer) {
  if (t->dtype == MOON_FLOAT32) return moon_tensor_float(t) + i * s->width;
  s->ctx->k->from_bytes(buffer, moon_tensor_byte(t) + i * s->width, s->width, s->scale);
  return buffer;
}

/* out [count x width] = rows first.. of t minus the centre. */
static void take(const search *s, float *out, const moon_tensor *t, size_t first, size_t count) {
  for (size_t i = 0; i < count; i++, out += s->width) {
    const float *row = row_of(s, t, first + i, out);
    for (size_t j = 0; j < s->width; j++) out[j] = row[j] - s->centre[j];
  }
}

static int by_size(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* centre [width] = the median of some rows, column by column; outliers do not move it. Any other point would give the
** same result, but more slowly. */
static void find_centre(search *s) {
  enum { SAMPLE = 63 };
  float values[SAMPLE];
  size_t n = s->x->shape[0], count = n < SAMPLE ? n : SAMPLE;
  for (size_t j = 0; j < s->width; j++) {
    for (size_t i = 0; i < count; i++) values[i] = (float)moon_tensor_get(s->x, n * i / count * s->width + j);
    qsort(values, count, sizeof *values, by_size);
    s->centre[j] = values[count / 2] / (s->x->dtype == MOON_UINT8 ? s->scale : 1);
  }
}

/* ---- the heap ---- */

/* At equal distance the row of higher index counts as farther. */
static bool is_farther(found a, found b) { return a.square != b.square ? a.square > b.square : a.index > b.index; }

static void sink(found *list, size_t i, size_t n) {
  for (size_t last = i;; i = last) {
    for (size_t below = 2 * i + 1; below < n && below <= 2 * i + 2; below++)
      if (is_farther(list[below], list[last])) last = below;
    if (last == i) return;
    found swap = list[i];
    list[i] = list[last];
    list[last] = swap;
  }
}

static void put(nearest *near, size_t k, found f) {
  if (near->count < k) {
    near->list[near->count++] = f;
    if (near->count == k)
      for (size_t i = k / 2; i-- > 0;) sink(near->list, i, k);
  } else if (is_farther(near->list[0], f)) {
    near->list[0] = f;
    sink(near->list, 0, k);
  }
}

static int by_distance(const void *a, const void *b) {
  return is_farther(*(const found *)a, *(const found *)b) ? 1 : -1;
}

/* ---- the bound ----
** With u = 2^-24, A and B the rows less the centre in floats, and R = |A| + |B|: rounding A and B moves the distance by
** no more than 1.01 u R, and the product A B is off by no more than g |A| |B|, g = w u / (1 - w u) for w columns, in
** whatever order it is added up (Higham, Accuracy and stability of numerical algorithms, 3.1). So with the farthest of
** the k nearest so far at a distance of d <= R, a row can be nearer only if
**   |A|^2 + |B|^2 - 2 A B < d^2 + 2.02 u R d + ... + 2 g |A| |B| <= d^2 + (g / 2 + 3 u) R^2,
** and if d > R, it passes that test as well. What is too small for float32 is lost besides: w times its least
** number. */

static double slack_of(size_t width) {
  const double u = 1.0 / (1 << 24), g = (double)width * u;
  return g < 0.5 ? 0.5 * g / (1 - g) + 4 * u : INFINITY;
}

/* r = which products can belong to a nearer row: those of at least offset + half[j] - slope root[j]. */
static void reach(mooni_reach *r, const search *s, size_t query) {
  const nearest *near = &s->nearest[query];
  double square = s->square[query], keep = 1 - s->slack;
  double farthest = near->count < s->k ? INFINITY : near->list[0].square;
  double lost = (double)s->width * 0x1p-148;
  *r = (mooni_reach){0.5 * (square * keep - farthest) - lost, s->slack * sqrt(square), s->half, s->root};
}

/* Compare one query with a block of rows. */
static void compare(search *s, size_t first_query, size_t query, size_t first_row, size_t count) {
  const float *products = s->products + query * s->row_block;
  const float *q = row_of(s, s->q, first_query + query, s->query);
  mooni_reach r;
  reach(&r, s, query);
  for (size_t j = 0; (j = s->ctx->k->next_near(products, &r, j, count)) < count; j++) {
    double square = s->ctx->k->squared_distance(row_of(s, s->x, first_row + j, s->row), q, s->width);
    put(&s->nearest[query], s->k, (found){square, first_row + j});
    reach(&r, s, query);
  }
}

/* products [query_block x row_block] = queries rows'. Always of the full shape, whatever is in the last rows, so that
** one plan is enough. */
static mooni_mat by_columns(float *p, size_t stride) { return mooni_transposed(mooni_row_major(p, stride)); }

static moon_status plan(search *s) {
  return mooni_gemm_plan(s->ctx, 1, s->query_block, s->row_block, s->width, mooni_row_major(s->queries, s->width),
                         by_columns(s->rows, s->width), mooni_row_major(s->products, s->row_block));
}

static void multiply(search *s) {
  mooni_gemm(s->ctx, s->query_block, s->row_block, s->width, 1, mooni_row_major(s->queries, s->width),
             by_columns(s->rows, s->width), 0, mooni_row_major(s->products, s->row_block));
}

static void look_at_rows(search *s, size_t first_query, size_t queries, size_t first_row, size_t rows) {
  take(s, s->rows, s->x, first_row, rows);
  for (size_t j = 0; j < rows; j++) {
    double square = s->ctx->k->squared_distance(s->rows + j * s->width, s->zero, s->width);
    s->half[j] = 0.5 * square * (1 - s->slack);
    s->root[j] = sqrt(square);
  }
  multiply(s);
  for (size_t i = 0; i < queries; i++) compare(s, first_query, i, first_row, rows);
}

static void search_for(search *s, moon_tensor *index, moon_tensor *distance, size_t first, size_t count) {
  size_t n = s->x->shape[0];
  take(s, s->queries, s->q, first, count);
  for (size_t i = 0; i < count; i++) {
    s->square[i] = s->ctx->k->squared_distance(s->queries + i * s->width, s->zero, s->width);
    s->nearest[i].count = 0;
  }
  for (size_t r = 0; r < n; r += s->row_block)
    look_at_rows(s, first, count, r, n - r < s->row_block ? n - r : s->row_block);
  for (size_t i = 0; i < count; i++) {
    found *list = s->nearest[i].list;
    float *at = moon_tensor_float(index) + (first + i) * s->k, *far = moon_tensor_float(distance) + (first + i) * s->k;
    qsort(list, s->k, sizeof *list, by_distance);
    for (size_t l = 0; l < s->k; l++) {
      at[l] = (float)list[l].index;
      far[l] = (float)(sqrt(list[l].square) * (s->scale == 1 && s->x->dtype == MOON_UINT8 ? 1.0 / 255 : 1));
    }
  }
}

/* ---- the entry ---- */

static moon_status check_side(moon_ctx *ctx, const moon_tensor *t, const char *name) {
  char text[MOONI_SHAPE_TEXT];
  if (t->rank != 2 || !t->shape[1])
    return mooni_fail(ctx, MOON_ESHAPE, "neighbours: %s is %s, expected [rows x width]", name,
                      mooni_tensor_text(text, t));
  if (t->dtype != MOON_FLOAT32) return MOON_OK;
  const float *p = moon_tensor_float(t);
  for (size_t i = 0; i < t->numel; i++)
    if (!isfinite(p[i]))
      return mooni_fail(ctx, MOON_ERANGE, "neighbours: %s has %g in row %zu, expected finite numbers", name,
                        (double)p[i], i / t->shape[1]);
  return MOON_OK;
}

static moon_status check(moon_ctx *ctx, const search *s, moon_tensor *index, moon_tensor *distance) {
  MOONI_TRY(check_side(ctx, s->x, "x"));
  MOONI_TRY(check_side(ctx, s->q, "q"));
  size_t n = s->x->shape[0], shape[] = {s->q->shape[0], s->k};
  if (s->x->shape[1] != s->q->shape[1])
    return mooni_fail(ctx, MOON_ESHAPE, "neighbours: q has rows of %zu, expected %zu as x", s->q->shape[1],
                      s->x->shape[1]);
  if (!s->k || s->k > n) return mooni_fail(ctx, MOON_ERANGE, "neighbours: k is %zu, expected 1 to %zu", s->k, n);
  if (n > MOONI_COUNTED)
    return mooni_fail(ctx, MOON_ERANGE, "neighbours: x has %zu rows, expected at most %zu: float32 counts no further",
                      n, MOONI_COUNTED);
  moon_tensor *const results[] = {index, distance};
  for (size_t i = 0; i < MOONI_COUNT(results); i++) {
    MOONI_TRY(mooni_want_float(results[i], "neighbours"));
    MOONI_TRY(mooni_check_out("neighbours", results[i], 2, shape));
    MOONI_TRY(mooni_check_overlap("neighbours", results[i], s->x, false));
    MOONI_TRY(mooni_check_overlap("neighbours", results[i], s->q, false));
  }
  return mooni_check_overlap("neighbours", index, distance, false);
}

/* The rows of a block: at most n, `most`, and as many as fit into `floats`; at least one. */
static size_t block_of(size_t n, size_t width, size_t most, size_t floats) {
  size_t block = floats / width < most ? floats / width : most;
  return n < block ? n : block ? block : 1;
}

/* Allocate all working memory as one block. */
static void *make_room(search *s) {
  size_t b = s->query_block, c = s->row_block, floats = (b + c + 4) * s->width + b * c;
  size_t bytes = b * s->k * sizeof(found) + b * sizeof(nearest) + (b + 2 * c) * sizeof(double) + floats * sizeof(float);
  found *lists = mooni_calloc(s->ctx, 1, bytes);
  if (!lists) {
    mooni_nomem(s->ctx, bytes);
    return NULL;
  }
  s->nearest = (nearest *)(lists + b * s->k);
  s->half = (double *)(s->nearest + b);
  s->root = s->half + c;
  s->square = s->root + c;
  s->queries = (float *)(s->square + b);
  s->rows = s->queries + b * s->width;
  s->centre = s->rows + c * s->width;
  s->zero = s->centre + s->width;
  s->query = s->zero + s->width;
  s->row = s->query + s->width;
  s->products = s->row + s->width;
  for (size_t i = 0; i < b; i++) s->nearest[i].list = lists + i * s->k;
  return lists;
}

moon_status moon_tensor_neighbours(moon_tensor *index, moon_tensor *distance, const moon_tensor *x,
                                   const moon_tensor *q, size_t k) {
  MOONI_IEEE;
  search s = {.ctx = index->storage->ctx, .x = x, .q = q, .k = k};
  MOONI_TRY(check(s.ctx, &s, index, distance));
  if (!q->numel) return MOON_OK;
  s.width = x->shape[1];
  s.scale = x->dtype == MOON_UINT8 && q->dtype == MOON_UINT8 ? 1 : 255;
  s.slack = slack_of(s.width);
  s.query_block = block_of(q->shape[0], s.width, 1024, (size_t)1 << 20);
  s.row_block = block_of(x->shape[0], s.width, 512, (size_t)1 << 18);
  void *room = make_room(&s);
  if (!room) return MOON_ENOMEM;
  moon_status status = plan(&s);
  if (status == MOON_OK) {
    find_centre(&s);
    for (size_t i = 0; i < q->shape[0]; i += s.query_block)
      search_for(&s, index, distance, i, q->shape[0] - i < s.query_block ? q->shape[0] - i : s.query_block);
  }
  mooni_free(s.ctx, room);
  return status;
}
