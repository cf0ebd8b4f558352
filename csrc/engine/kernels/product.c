/* product.c - matrix products with AVX-512. BLIS 0.9 has AVX-512 kernels for large matrices only: it packs both
** operands first, and for the thin matrices of a small batch it falls back to AVX2. Here nothing is packed: the
** operands of a net's products are small enough to be read from the caches as they lie.
**
** c is computed in tiles of up to 8 rows and 48 columns, which stay in registers: each element of a's part is broadcast
** to a vector and multiplied with three vectors of b's row. So a may have any strides, while rows of b and c must be
** contiguous; if b's columns are contiguous instead, blocks of it are transposed on the way.
**
** Of a sparse a (images: many pixels are 0 in the whole batch) rows or columns that are all 0 are skipped: in y = x W
** columns of x with their rows of W, in dW = x'dz rows of dW. The bits are those of the whole product: what is skipped
** would add 0 to a sum whose order stays the same, and blocks stay cut where they are. */
#include "kernels.h"

#if defined(MOONI_HAS_PRODUCT)
#include <immintrin.h>
#include <string.h>

enum { LANES = 16, TILE_ROWS = 8, TILE_VECTORS = 3, TILE_COLUMNS = LANES * TILE_VECTORS, DEPTH = 256 };

enum { MOST = 2048, AHEAD = 16 }; /* columns searched for zeros; how far ahead to prefetch */

/* One tile's part of the product. The last vector of a row has `tail` lanes. */
typedef struct tile {
  const float *a, *b;
  float *c;
  size_t a_row, a_column, b_row, c_row, depth;
  const uint16_t *list; /* NULL, or the `depth` columns of a to use */
  __mmask16 tail;
  float alpha, beta;
} tile;

#define UNROLL _Pragma("GCC unroll 16")

/* ROWS, VECTORS, MASKED and LISTED are constants, so all of acc is registers. */
MOONI_INLINE void compute(const tile *t, const int ROWS, const int VECTORS, const bool MASKED, const bool LISTED) {
  __m512 acc[TILE_ROWS][TILE_VECTORS], row[TILE_VECTORS];
  const float *upper = t->a, *lower = t->a + 4 * t->a_row, *b = t->b;
  size_t a_row = t->a_row;
  UNROLL for (int i = 0; i < ROWS; i++) UNROLL for (int j = 0; j < VECTORS; j++) acc[i][j] = _mm512_setzero_ps();
  for (size_t k = 0; k < t->depth; k++) {
    if (LISTED) {
      upper = t->a + t->list[k] * t->a_column;
      lower = upper + 4 * a_row;
      b = t->b + t->list[k] * t->b_row;
      const float *next = t->b + t->list[k + AHEAD] * t->b_row;
      UNROLL for (int j = 0; j < VECTORS; j++) _mm_prefetch((const char *)(next + LANES * j), _MM_HINT_T0);
    } else if (k) {
      upper += t->a_column;
      lower += t->a_column;
      b += t->b_row;
    }
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

#define COMPUTE(rows, vectors)                                                                           \
  static void whole_##rows##_##vectors(const tile *t) { compute(t, rows, vectors, false, false); }       \
  static void masked_##rows##_##vectors(const tile *t) { compute(t, rows, vectors, true, false); }       \
  static void whole_listed_##rows##_##vectors(const tile *t) { compute(t, rows, vectors, false, true); } \
  static void masked_listed_##rows##_##vectors(const tile *t) { compute(t, rows, vectors, true, true); }
#define FOR_VECTORS(X, rows) X(rows, 1) X(rows, 2) X(rows, 3)
#define FOR_ROWS(X) \
  FOR_VECTORS(X, 1) \
  FOR_VECTORS(X, 2) \
  FOR_VECTORS(X, 3) FOR_VECTORS(X, 4) FOR_VECTORS(X, 5) FOR_VECTORS(X, 6) FOR_VECTORS(X, 7) FOR_VECTORS(X, 8)
FOR_ROWS(COMPUTE)

#define WHOLE(rows, vectors) whole_##rows##_##vectors,
#define MASKED(rows, vectors) masked_##rows##_##vectors,
#define WHOLE_LISTED(rows, vectors) whole_listed_##rows##_##vectors,
#define MASKED_LISTED(rows, vectors) masked_listed_##rows##_##vectors,
static compute_fn *const computes[2][2][TILE_ROWS * TILE_VECTORS] = {
    {{FOR_ROWS(WHOLE)}, {FOR_ROWS(MASKED)}}, {{FOR_ROWS(WHOLE_LISTED)}, {FOR_ROWS(MASKED_LISTED)}}};

/* ---- what is 0 throughout ---- */

typedef struct zeros {
  bool rows, columns;             /* which of the two is searched for zeros, if any */
  uint16_t live[MOST / LANES];    /* a bit for each: it is not all 0 */
  uint16_t list[MOST + AHEAD];    /* those columns, counted from their block's first; or the first row of each tile */
  size_t begin[MOST / DEPTH + 1]; /* columns: where each block begins in the list */
  size_t tiles;
} zeros;

enum { GROUP = 8, CHECK = 16 }; /* vectors of columns searched together; rows between two checks for an early end */

/* live = a bit for each column of x [rows x 16 vectors]: does it have an element that is not 0? -0 may count as either.
** It goes row by row, as x lies in memory, and ends as soon as every column has one. */
MOONI_INLINE void look_at(uint16_t *live, const float *x, size_t rows, size_t vectors, __mmask16 tail, size_t stride) {
  __m512i seen[GROUP];
  UNROLL for (size_t j = 0; j < GROUP; j++) seen[j] = _mm512_setzero_si512();
  unsigned all = 0;
  for (size_t i = 0; i < rows && !all; i++, x += stride) {
    UNROLL for (size_t j = 0; j < GROUP; j++) if (j < vectors) {
      __mmask16 lanes = j == vectors - 1 ? tail : 0xffff;
      seen[j] = _mm512_or_si512(seen[j], _mm512_maskz_loadu_epi32(lanes, x + LANES * j));
    }
    if (i % CHECK == CHECK - 1) {
      all = 1;
      UNROLL for (size_t j = 0; j < GROUP; j++) if (j < vectors)
          all &= _mm512_test_epi32_mask(seen[j], seen[j]) == (j == vectors - 1 ? tail : 0xffff);
    }
  }
  UNROLL for (size_t j = 0; j < GROUP; j++) if (j < vectors) live[j] = _mm512_test_epi32_mask(seen[j], seen[j]);
}

static void look(uint16_t *live, const float *x, size_t rows, size_t columns, size_t stride) {
  size_t vectors = (columns + LANES - 1) / LANES;
  __mmask16 tail = (__mmask16)(columns % LANES ? (1u << columns % LANES) - 1 : 0xffff);
  for (size_t j = 0; j < vectors; j += GROUP) {
    if (vectors - j > GROUP)
      look_at(live + j, x + j * LANES, rows, GROUP, 0xffff, stride);
    else
      look_at(live + j, x + j * LANES, rows, vectors - j, tail, stride);
  }
}

static void list_columns(zeros *z, size_t k) {
  size_t n = 0;
  for (size_t i = 0; i < k; i += LANES) {
    if (i % DEPTH == 0) z->begin[i / DEPTH] = n;
    for (unsigned mask = z->live[i / LANES]; mask; mask &= mask - 1)
      z->list[n++] = (uint16_t)(i % DEPTH + (unsigned)__builtin_ctz(mask));
  }
  z->begin[(k + DEPTH - 1) / DEPTH] = n;
  memset(z->list + n, 0, AHEAD * sizeof *z->list);
}

/* A tile begins at a row that is not all 0. Rows in no tile are 0 in c too; or, if c is added to, they stay as they
** are. */
static void list_tiles(zeros *z, size_t m, size_t n, float beta, mooni_mat c) {
  z->tiles = 0;
  for (size_t i = 0; i < m;) {
    if (z->live[i / LANES] >> i % LANES & 1) {
      z->list[z->tiles++] = (uint16_t)i;
      i += TILE_ROWS;
    } else {
      if (beta == 0) memset(c.p + i * c.rs, 0, n * sizeof *c.p);
      i++;
    }
  }
}

/* Find the zeros of a sparse a [m x k], whichever way its elements are contiguous. */
static void find_zeros(zeros *z, size_t m, size_t n, size_t k, mooni_mat a, float beta, mooni_mat c) {
  z->columns = a.sparse && a.cs == 1 && k <= MOST;
  z->rows = a.sparse && !z->columns && a.rs == 1 && m <= MOST && (beta == 0 || beta == 1);
  if (z->columns) {
    look(z->live, a.p, m, k, a.rs);
    list_columns(z, k);
  }
  if (z->rows) {
    look(z->live, a.p, k, m, a.cs);
    list_tiles(z, m, n, beta, c);
  }
}

/* A list has a cost for each of its columns: it must skip at least an eighth of the block. */
static void take_columns(tile *t, const zeros *z, size_t block) {
  size_t count = z->begin[block + 1] - z->begin[block];
  if (8 * count > 7 * t->depth) return;
  t->list = z->list + z->begin[block];
  t->depth = count;
}

/* ---- all of c ---- */

/* Compute `width` columns of c, all rows. z NULL: a was not searched for zeros. */
static void panel(tile t, const zeros *z, size_t rows, size_t width) {
  size_t vectors = (width + LANES - 1) / LANES, rest = width % LANES;
  bool listed = z && z->rows;
  size_t tiles = listed ? z->tiles : (rows + TILE_ROWS - 1) / TILE_ROWS;
  const float *a = t.a;
  float *c = t.c;
  t.tail = (__mmask16)((1u << rest) - 1);
  for (size_t s = 0; s < tiles; s++) {
    size_t i = listed ? z->list[s] : s * TILE_ROWS, high = rows - i < TILE_ROWS ? rows - i : TILE_ROWS;
    t.a = a + i * t.a_row;
    t.c = c + i * t.c_row;
    computes[t.list != NULL][rest != 0][(high - 1) * TILE_VECTORS + vectors - 1](&t);
  }
}

/* 64 columns are cut into two equal panels instead of three vectors and one. */
static size_t panel_width(size_t left) {
  if (left <= TILE_COLUMNS) return left;
  return left == 4 * LANES ? 2 * LANES : TILE_COLUMNS;
}

/* to [16 x rows], rows `to_row` apart, = 16 rows of `columns` <= 16 elements, transposed; nothing is read beyond
** them. */
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

/* block [depth x width] = that block of b, whose columns are contiguous. */
static void turn(float *block, const float *b, size_t column, size_t depth, size_t width) {
  size_t vectors = (width + LANES - 1) / LANES;
  for (size_t j = 0; j < width; j += LANES)
    for (size_t k = 0; k < depth; k += LANES)
      transpose(block + k * vectors * LANES + j, vectors * LANES, b + j * column + k, column,
                width - j < LANES ? width - j : LANES, depth - k < LANES ? depth - k : LANES);
}

/* block: room for one block of b if it must be transposed, else NULL. */
static void panels(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c,
                   const zeros *z, float *block) {
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
      if (z && z->columns) take_columns(&t, z, from / DEPTH);
      panel(t, z, m, width);
    }
  }
}

/* Two functions, so that each takes only its own stack, which is small in some hosts' threads: one that only predicts
** never needs the second. A transposed b is never multiplied with a sparse a, unless the first layer is tied. */
static __attribute__((noinline)) void straight(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b,
                                               float beta, mooni_mat c) {
  zeros z;
  find_zeros(&z, m, n, k, a, beta, c);
  panels(m, n, k, alpha, a, b, beta, c, &z, NULL);
}

static __attribute__((noinline)) void turned(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b,
                                             float beta, mooni_mat c) {
  float block[DEPTH * TILE_COLUMNS] __attribute__((aligned(64)));
  panels(m, n, k, alpha, a, b, beta, c, NULL, block);
}

void MOONI_K(product)(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c) {
  (b.cs == 1 ? straight : turned)(m, n, k, alpha, a, b, beta, c);
}

#endif
