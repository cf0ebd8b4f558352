/* mask.c - missing cells. */
#include "mask.h"

#include <math.h>

#include "../core/error.h"
#include "heads.h"
#include "ranks.h"

void mooni_mask_fill(mooni_columns m, size_t rows) {
  for (size_t r = 0; r < rows; r++)
    for (size_t c = m.from; c < m.to; c++)
      if (isnan(m.p[r * m.stride + c])) m.p[r * m.stride + c] = 0;
}

size_t mooni_mask_count(mooni_columns m, size_t rows) {
  size_t n = 0;
  for (size_t r = 0; r < rows; r++)
    for (size_t c = m.from; c < m.to; c++) n += !isnan(m.p[r * m.stride + c]);
  return n;
}

/* The first cell from `at` on that is missing (or, with `present`, that is present); n if there is none. */
static size_t find(const float *t, size_t at, size_t n, bool present) {
  while (at < n && isnan(t[at]) == present) at++;
  return at;
}

/* The arguments of one call: so many rows from one cell on. */
typedef struct region {
  const moon_loss *loss;
  float *grad; /* NULL: not wanted */
  const float *p;
  mooni_target t;
  size_t stride;
  double scale;
  unsigned logits;
} region;

static double apply(const region *g, size_t row, size_t column, size_t rows, size_t width) {
  size_t at = row * g->stride + column;
  mooni_target t = {.values = g->t.values + row * g->t.stride + column, .stride = g->t.stride};
  return g->loss->class->apply(g->loss, g->grad ? g->grad + at : NULL, g->p + at, t, rows, width, g->stride, g->scale,
                               g->logits);
}

/* A row with gaps, run by run. */
static double apply_to_runs(const region *g, size_t row, size_t width) {
  const float *t = g->t.values + row * g->t.stride;
  double sum = 0;
  for (size_t from = 0, to; from < width; from = to) {
    to = find(t, from, width, true);
    for (size_t c = from; g->grad && c < to; c++) g->grad[row * g->stride + c] = 0;
    from = to;
    to = find(t, from, width, false);
    if (to > from) sum += apply(g, row, from, 1, to - from);
  }
  return sum;
}

/* Rows without a gap go together, in one call: if there is no gap at all, the bits are those without a mask. */
double mooni_mask_loss(const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows, size_t width,
                       size_t stride, double scale, unsigned logits) {
  if (mooni_heads_of(loss)) return mooni_heads_mask_loss(loss, grad, p, t, rows, width, stride, scale, logits);
  const region g = {loss, grad, p, t, stride, scale, logits};
  double sum = 0;
  for (size_t row = 0, end; row < rows; row = end) {
    for (end = row; end < rows && find(t.values + end * t.stride, 0, width, false) == width;) end++;
    if (end > row) sum += apply(&g, row, 0, end - row, width);
    if (end < rows) sum += apply_to_runs(&g, end++, width);
  }
  return sum;
}

moon_status mooni_mask_check(const moon_loss *loss) {
  if (mooni_heads_of(loss)) return mooni_heads_check_mask(mooni_heads_of(loss));
  if (!loss->class->rowwise) return MOON_OK;
  return mooni_fail(loss->ctx, MOON_ESTATE, "mask: %s takes whole rows, expected a loss of single cells, such as mse",
                    loss->class->name);
}

/* A count in two floats is exact up to 2^36. */
void mooni_mask_sum(mooni_batch *b, double present) {
  enum { BASE = 1 << 12 };
  float count[2] = {(float)fmod(present, BASE), (float)floor(present / BASE)};
  mooni_ranks_sum(b, count, 2);
  for (size_t i = 1; i < b->parts; i++) b->present[i] = 0;
  b->present[0] = (double)count[0] + BASE * (double)count[1];
}
