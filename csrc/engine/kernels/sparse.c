/* sparse.c - matrix products whose first operand has many zeros: images, of whose pixels four of five are 0. Only the
** others are multiplied.
**
** Of a block of up to 64 columns of a, and as many rows of b, a row of a becomes a mask, with a bit for each element
** that is not 0. A panel of b of some columns stays in the first cache, and the row's sums in registers, while its bits
** are gone through: each multiplies a row of the panel. The sums of the blocks are added up in their order, so that
** rounding errors stay smaller than in one long sum. */
#include <string.h>

#include "kernels.h"

/* FEW: it pays if at most one element of a in so many is not 0. Each multiply-add loads a vector, which with AVX-512 is
** what bounds it. bits: one for each lane whose element is not 0. */
#if defined(__AVX512F__)
#include <immintrin.h>
enum { LANES = 16, FEW = 3 };
MOONI_INLINE unsigned bits(const float *x) {
  return _mm512_cmp_ps_mask(_mm512_loadu_ps(x), _mm512_setzero_ps(), _CMP_NEQ_UQ);
}
#elif defined(__AVX2__)
#include <immintrin.h>
enum { LANES = 8, FEW = 2 };
MOONI_INLINE unsigned bits(const float *x) {
  return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x), _mm256_setzero_ps(), _CMP_NEQ_UQ));
}
#else
enum { LANES = 4, FEW = 2 };
MOONI_INLINE unsigned bits(const float *x) {
  return (unsigned)(x[0] != 0) | (unsigned)(x[1] != 0) << 1 | (unsigned)(x[2] != 0) << 2 | (unsigned)(x[3] != 0) << 3;
}
#endif

/* PANEL vectors of sums, besides one of b and one of a, are in registers. */
enum { PANEL = 8, BLOCK = 64, ROWS = 128 };

typedef float vec __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

#define UNROLL _Pragma("GCC unroll 8")

/* A block of the product: `rows` rows of a and c, up to 64 columns of a, `width` columns of b and c. */
typedef struct block {
  mooni_mat a, b, c;
  size_t rows, depth, width;
  float alpha;
  uint64_t mask[ROWS];
} block;

/* ---- masks ---- */

/* The columns of a lie together. */
static void mask_rows(block *s) {
  for (size_t i = 0; i < s->rows; i++) {
    const float *x = s->a.p + i * s->a.rs;
    uint64_t mask = 0;
    size_t k = 0;
    for (; k + LANES <= s->depth; k += LANES) mask |= (uint64_t)bits(x + k) << k;
    for (; k < s->depth; k++) mask |= (uint64_t)(x[k] != 0) << k;
    s->mask[i] = mask;
  }
}

/* The rows of a lie together. */
static void mask_columns(block *s) {
  memset(s->mask, 0, s->rows * sizeof *s->mask);
  for (size_t k = 0; k < s->depth; k++) {
    const float *x = s->a.p + k * s->a.cs;
    MOONI_EACH
    for (size_t i = 0; i < s->rows; i++) s->mask[i] |= (uint64_t)(x[i] != 0) << k;
  }
}

/* ---- sums ---- */

MOONI_INLINE vec load(const float *p) { return *(const vec *)p; }
MOONI_INLINE void add_to(float *p, vec v) { *(vec *)p += v; }

/* VECTORS is a constant, so all of sum is registers. */
MOONI_INLINE void add_row(const block *s, size_t i, size_t column, const int VECTORS) {
  const float *a = s->a.p + i * s->a.rs, *b = s->b.p + column;
  float *c = s->c.p + i * s->c.rs + column;
  vec sum[PANEL];
  UNROLL for (int j = 0; j < VECTORS; j++) sum[j] = (vec){0};
  for (uint64_t mask = s->mask[i]; mask; mask &= mask - 1) {
    size_t k = (size_t)__builtin_ctzll(mask);
    const float x = s->alpha * a[k * s->a.cs], *row = b + k * s->b.rs;
    UNROLL for (int j = 0; j < VECTORS; j++) sum[j] += x * load(row + LANES * j);
  }
  UNROLL for (int j = 0; j < VECTORS; j++) add_to(c + LANES * j, sum[j]);
}

/* The last columns, fewer than a vector has lanes. */
static void add_rest(const block *s, size_t column) {
  for (size_t i = 0; i < s->rows; i++)
    for (uint64_t mask = s->mask[i]; mask; mask &= mask - 1) {
      size_t k = (size_t)__builtin_ctzll(mask);
      float x = s->alpha * s->a.p[i * s->a.rs + k * s->a.cs];
      for (size_t j = column; j < s->width; j++) s->c.p[i * s->c.rs + j] += x * s->b.p[k * s->b.rs + j];
    }
}

#define PANEL_OF(vectors)                                      \
  static void panel_##vectors(const block *s, size_t column) { \
    for (size_t i = 0; i < s->rows; i++)                       \
      if (s->mask[i]) add_row(s, i, column, vectors);          \
  }
#define FOR_PANELS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
FOR_PANELS(PANEL_OF)

#define NAME_OF(vectors) panel_##vectors,
static void (*const panels[PANEL])(const block *s, size_t column) = {FOR_PANELS(NAME_OF)};

static void add_block(const block *s) {
  size_t column = 0;
  for (size_t left; (left = (s->width - column) / LANES) > 0; column += left * LANES) {
    if (left > PANEL) left = left < 2 * PANEL ? (left + 1) / 2 : PANEL;
    panels[left - 1](s, column);
  }
  if (column < s->width) add_rest(s, column);
}

/* ---- all of c ---- */

/* Are few enough elements of a other than 0? Every eighth row, or column, whichever lie together, stands for all: to
** count them must cost little beside the product. */
static bool is_sparse(size_t m, size_t k, mooni_mat a) {
  enum { STEP = 8 };
  size_t lines = a.cs == 1 ? m : k, length = a.cs == 1 ? k : m, stride = a.cs == 1 ? a.rs : a.cs, seen = 0, found = 0;
  for (size_t i = 0; i < lines; i += STEP, seen += length) {
    const float *x = a.p + i * stride;
    unsigned count = 0;
    MOONI_SUMMING(count)
    for (size_t j = 0; j < length; j++) count += x[j] != 0;
    found += count;
  }
  return found * FEW <= seen;
}

static void scale(size_t m, size_t n, float beta, mooni_mat c) {
  for (size_t i = 0; i < m && beta != 1; i++) {
    float *row = c.p + i * c.rs;
    if (beta == 0) memset(row, 0, n * sizeof *row);
    for (size_t j = 0; j < n && beta != 0; j++) row[j] *= beta;
  }
}

bool MOONI_K(sparse_product)(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta,
                             mooni_mat c) {
  enum { LEAST_COLUMNS = 32, LEAST_DEPTH = 8 }; /* for fewer a mask takes as long as it saves */
  if (n < LEAST_COLUMNS || k < LEAST_DEPTH || !is_sparse(m, k, a)) return false;
  scale(m, n, beta, c);
  for (size_t from = 0; from < k; from += BLOCK)
    for (size_t i = 0; i < m; i += ROWS) {
      block s = {.a = a, .b = b, .c = c, .width = n, .alpha = alpha};
      s.a.p += i * a.rs + from * a.cs;
      s.b.p += from * b.rs;
      s.c.p += i * c.rs;
      s.rows = m - i < ROWS ? m - i : ROWS;
      s.depth = k - from < BLOCK ? k - from : BLOCK;
      (a.cs == 1 ? mask_rows : mask_columns)(&s);
      add_block(&s);
    }
  return true;
}
