/* product.c - matrix products with AVX-512, for which BLIS 0.9 has kernels made for large matrices only: it packs both
** operands first, and for the thin ones of a small batch it falls back to AVX2. Here nothing is packed, as the operands
** of a net's products are small enough to come from the caches as they lie.
**
** c is made in tiles of up to 8 rows and 48 columns, which stay in registers: each element of a's part goes, spread over
** a vector, against three vectors of b's row. So a may have any strides, while rows of b and c must be contiguous; of a
** b whose columns are, blocks are transposed on the way. */
#include "kernels.h"

#if defined(MOONI_HAS_PRODUCT)
#include <immintrin.h>

enum { LANES = 16, TILE_ROWS = 8, TILE_VECTORS = 3, TILE_COLUMNS = LANES * TILE_VECTORS, DEPTH = 256 };

/* A tile's part of the product. The last vector of a row has `tail` lanes. */
typedef struct tile {
  const float *a, *b;
  float *c;
  size_t a_row, a_column, b_row, c_row, depth;
  __mmask16 tail;
  float alpha, beta;
} tile;

#define UNROLL _Pragma("GCC unroll 16")

/* With ROWS, VECTORS and MASKED constant all of acc is registers. */
MOONI_INLINE void compute(const tile *t, const int ROWS, const int VECTORS, const bool MASKED) {
  __m512 acc[TILE_ROWS][TILE_VECTORS], row[TILE_VECTORS];
  const float *upper = t->a, *lower = t->a + 4 * t->a_row, *b = t->b;
  size_t a_row = t->a_row;
  UNROLL for (int i = 0; i < ROWS; i++) UNROLL for (int j = 0; j < VECTORS; j++) acc[i][j] = _mm512_setzero_ps();
  for (size_t k = t->depth; k; k--, upper += t->a_column, lower += t->a_column, b += t->b_row) {
    UNROLL for (int j = 0; j < VECTORS; j++) row[j] = MASKED && j == VECTORS - 1
                                                          ? _mm512_maskz_loadu_ps(t->tail, b + LANES * j)
                                                          : _mm512_loadu_ps(b + LANES * j);
    UNROLL for (int i = 0; i < ROWS; i++) {
      __m512 x = _mm512_set1_ps(i < 4 ? upper[(size_t)i * a_row] : lower[(size_t)(i - 4) * a_row]);
      UNROLL for (int j = 0; j < VECTORS; j++) acc[i][j] = _mm512_fmadd_ps(x, row[j], acc[i][j]);
    }
  }
  __m512 alpha = _mm512_set1_ps(t->alpha), beta = _mm512_set1_ps(t->beta);
  UNROLL for (int i = 0; i < ROWS; i++) UNROLL for (int j = 0; j < VECTORS; j++) {
    float *c = t->c + (size_t)i * t->c_row + LANES * j;
    __mmask16 lanes = MASKED && j == VECTORS - 1 ? t->tail : 0xffff;
    acc[i][j] = _mm512_mul_ps(acc[i][j], alpha);
    if (t->beta != 0) acc[i][j] = _mm512_fmadd_ps(beta, _mm512_maskz_loadu_ps(lanes, c), acc[i][j]);
    _mm512_mask_storeu_ps(c, lanes, acc[i][j]);
  }
}

typedef void compute_fn(const tile *t);

#define COMPUTE(rows, vectors)                                                              \
  static void whole_##rows##_##vectors(const tile *t) { compute(t, rows, vectors, false); } \
  static void masked_##rows##_##vectors(const tile *t) { compute(t, rows, vectors, true); }
#define FOR_VECTORS(X, rows) X(rows, 1) X(rows, 2) X(rows, 3)
#define FOR_ROWS(X) \
  FOR_VECTORS(X, 1) \
  FOR_VECTORS(X, 2) \
  FOR_VECTORS(X, 3) FOR_VECTORS(X, 4) FOR_VECTORS(X, 5) FOR_VECTORS(X, 6) FOR_VECTORS(X, 7) FOR_VECTORS(X, 8)
FOR_ROWS(COMPUTE)

#define WHOLE(rows, vectors) whole_##rows##_##vectors,
#define MASKED(rows, vectors) masked_##rows##_##vectors,
static compute_fn *const computes[2][TILE_ROWS * TILE_VECTORS] = {{FOR_ROWS(WHOLE)}, {FOR_ROWS(MASKED)}};

/* All rows of c, in `width` columns. */
static void panel(tile t, size_t rows, size_t width) {
  size_t vectors = (width + LANES - 1) / LANES, rest = width % LANES;
  t.tail = (__mmask16)((1u << rest) - 1);
  for (size_t i = 0; i < rows; i += TILE_ROWS) {
    size_t high = rows - i < TILE_ROWS ? rows - i : TILE_ROWS;
    computes[rest != 0][(high - 1) * TILE_VECTORS + vectors - 1](&t);
    t.a += high * t.a_row;
    t.c += high * t.c_row;
  }
}

/* 64 columns are two panels alike rather than three vectors and one. */
static size_t panel_width(size_t left) {
  if (left <= TILE_COLUMNS) return left;
  return left == 4 * LANES ? 2 * LANES : TILE_COLUMNS;
}

/* to [16 x rows, beginning `to_row` apart] = 16 rows of `columns` <= 16 elements, transposed; none is read beyond. */
static void transpose(float *to, size_t to_row, const float *from, size_t from_row, size_t rows, size_t columns) {
  __m512 r[LANES], s[LANES];
  __mmask16 lanes = (__mmask16)((1u << columns) - 1);
  UNROLL for (size_t i = 0; i < LANES; i++) r[i] = i < rows ? _mm512_maskz_loadu_ps(lanes, from + i * from_row)
                                                            : _mm512_setzero_ps();
  UNROLL for (int i = 0; i < LANES; i += 2) {
    s[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    s[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
#define PAIRS(how, x, y) _mm512_castpd_ps(_mm512_unpack##how##_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)))
  UNROLL for (int i = 0; i < LANES; i += 4) {
    r[i] = PAIRS(lo, s[i], s[i + 2]);
    r[i + 1] = PAIRS(hi, s[i], s[i + 2]);
    r[i + 2] = PAIRS(lo, s[i + 1], s[i + 3]);
    r[i + 3] = PAIRS(hi, s[i + 1], s[i + 3]);
  }
  enum { EVEN = 0x88, ODD = 0xdd }; /* quarters 0 and 2, or 1 and 3, of both */
  UNROLL for (int i = 0; i < 4; i++) {
    s[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], EVEN);
    s[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], ODD);
    s[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], EVEN);
    s[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], ODD);
  }
  UNROLL for (size_t i = 0; i < 8; i++) {
    if (i < columns) _mm512_storeu_ps(to + i * to_row, _mm512_shuffle_f32x4(s[i], s[i + 8], EVEN));
    if (i + 8 < columns) _mm512_storeu_ps(to + (i + 8) * to_row, _mm512_shuffle_f32x4(s[i], s[i + 8], ODD));
  }
}

/* A block of b, `depth` rows of `width` columns, whose columns are contiguous, put by rows into `block`. */
static void turn(float *block, const float *b, size_t column, size_t depth, size_t width) {
  size_t vectors = (width + LANES - 1) / LANES;
  for (size_t j = 0; j < width; j += LANES)
    for (size_t k = 0; k < depth; k += LANES)
      transpose(block + k * vectors * LANES + j, vectors * LANES, b + j * column + k, column,
                width - j < LANES ? width - j : LANES, depth - k < LANES ? depth - k : LANES);
}

/* block: room for one block of b if that has to be turned, else NULL. */
static void panels(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c,
                   float *block) {
  for (size_t j = 0, width; j < n; j += width) {
    width = panel_width(n - j);
    for (size_t from = 0; from < k; from += DEPTH) {
      size_t depth = k - from < DEPTH ? k - from : DEPTH;
      tile t = {.a = a.p + from * a.cs,
                .b = b.p + from * b.rs + j * b.cs,
                .c = c.p + j,
                .a_row = a.rs,
                .a_column = a.cs,
                .b_row = b.rs,
                .c_row = c.rs,
                .depth = depth,
                .alpha = alpha,
                .beta = from ? 1 : beta};
      if (block) {
        turn(block, t.b, b.cs, depth, width);
        t.b = block;
        t.b_row = (width + LANES - 1) / LANES * LANES;
      }
      panel(t, m, width);
    }
  }
}

/* A function of its own, so that what never comes here, as predicting, gets by on a small stack. */
static __attribute__((noinline)) void turned(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b,
                                             float beta, mooni_mat c) {
  float block[DEPTH * TILE_COLUMNS] __attribute__((aligned(64)));
  panels(m, n, k, alpha, a, b, beta, c, block);
}

void MOONI_K(product)(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c) {
  if (b.cs == 1)
    panels(m, n, k, alpha, a, b, beta, c, NULL);
  else
    turned(m, n, k, alpha, a, b, beta, c);
}

#endif
