/* small.c - products of small matrices with AVX2. In a net of a few units a call of BLIS takes ten times as long as the
** product itself: it checks, divides and plans each time.
**
** The bits are those of BLIS's kernels for AVX2, so that nothing depends on who computes a product. They go along rows
** of a and columns of b where both are contiguous, with eight sums at a time; else an element of c is one sum in the
** order of k. The last of an odd number of columns BLIS leaves to other code, which rounds differently: such products
** are not made here. */
#include "kernels.h"

#if defined(MOONI_HAS_SMALL)
#include <immintrin.h>

enum { LANES = 8, ROWS = 4, COLUMNS = 4 };

#define UNROLL _Pragma("GCC unroll 8")

/* ---- one sum for each element ---- */

MOONI_INLINE void store(float *to, __m256 row, size_t columns) {
  float all[LANES];
  _mm256_storeu_ps(columns < LANES ? all : to, row);
  for (size_t j = 0; columns < LANES && j < columns; j++) to[j] = all[j];
}

/* c [rows x up to 8 columns] = a [rows x k] b [k x 8]. rows is a constant, so all of sum is registers. */
MOONI_INLINE void compute(const size_t rows, size_t columns, size_t k, mooni_mat a, const float *b, size_t b_row,
                          float *c, size_t c_row) {
  __m256 sum[ROWS];
  UNROLL for (size_t i = 0; i < rows; i++) sum[i] = _mm256_setzero_ps();
  for (size_t l = 0; l < k; l++, a.p += a.cs, b += b_row) {
    __m256 row = _mm256_loadu_ps(b);
    UNROLL for (size_t i = 0; i < rows; i++) sum[i] = _mm256_fmadd_ps(_mm256_set1_ps(a.p[i * a.rs]), row, sum[i]);
  }
  UNROLL for (size_t i = 0; i < rows; i++) store(c + i * c_row, sum[i], columns);
}

/* block [k x width] = b [k x n], padded with zeros. */
static mooni_mat padded(float *block, size_t width, size_t n, size_t k, mooni_mat b) {
  float *row = block;
  for (size_t l = 0; l < k; l++, row += width, b.p += b.rs) {
    for (size_t j = 0; j < n; j++) row[j] = b.p[j * b.cs];
    for (size_t j = n; j < width; j++) row[j] = 0;
  }
  return mooni_row_major(block, width);
}

MOONI_INLINE void across(size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b, mooni_mat c) {
  float block[MOONI_SMALL_BLOCK];
  size_t width = (n + LANES - 1) / LANES * LANES;
  if (b.cs != 1 || n != width) b = padded(block, width, n, k, b);
  for (size_t j = 0; j < n; j += LANES) {
    mooni_mat rest = a;
    float *to = c.p + j;
    size_t left = m;
    for (; left >= ROWS; left -= ROWS, rest.p += ROWS * a.rs, to += ROWS * c.rs)
      compute(ROWS, n - j, k, rest, b.p + j, b.rs, to, c.rs);
    for (; left; left--, rest.p += a.rs, to += c.rs) compute(1, n - j, k, rest, b.p + j, b.rs, to, c.rs);
  }
}

/* ---- eight sums for each element ---- */

/* c [up to 4 columns] = a [k] times each of 4 columns of b, of which the last may be the same. */
MOONI_INLINE void dots(float *c, size_t columns, size_t k, const float *a, const float *const *b) {
  __m256 sum[COLUMNS];
  float all[COLUMNS];
  size_t l = 0;
  UNROLL for (size_t j = 0; j < COLUMNS; j++) sum[j] = _mm256_setzero_ps();
  for (; l + LANES <= k; l += LANES)
    UNROLL for (size_t j = 0; j < COLUMNS; j++)
        sum[j] = _mm256_fmadd_ps(_mm256_loadu_ps(a + l), _mm256_loadu_ps(b[j] + l), sum[j]);
  for (; l < k; l++)
    UNROLL for (size_t j = 0; j < COLUMNS; j++) sum[j] = _mm256_fmadd_ps(
        _mm256_set_ps(0, 0, 0, 0, 0, 0, 0, a[l]), _mm256_set_ps(0, 0, 0, 0, 0, 0, 0, b[j][l]), sum[j]);
  __m256 fours = _mm256_hadd_ps(_mm256_hadd_ps(sum[0], sum[1]), _mm256_hadd_ps(sum[2], sum[3]));
  _mm_storeu_ps(all, _mm_add_ps(_mm256_castps256_ps128(fours), _mm256_extractf128_ps(fours, 1)));
  for (size_t j = 0; j < COLUMNS && j < columns; j++) c[j] = all[j];
}

MOONI_INLINE void along(size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b, mooni_mat c) {
  for (size_t j = 0; j < n; j += COLUMNS) {
    const float *column[COLUMNS];
    for (size_t s = 0; s < COLUMNS; s++) column[s] = b.p + (j + s < n ? j + s : n - 1) * b.cs;
    for (size_t i = 0; i < m; i++) dots(c.p + i * c.rs + j, n - j, k, a.p + i * a.rs, column);
  }
}

/* A sum of fewer than eight terms is the same either way. */
void MOONI_K(small)(size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b, mooni_mat c) {
  if (a.cs == 1 && b.rs == 1 && k >= LANES)
    along(m, n, k, a, b, c);
  else
    across(m, n, k, a, b, c);
}

#endif
