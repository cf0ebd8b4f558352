/* lanes.h - vectors of floats for product.c, by intrinsics: what AVX-512 and AVX2 call by different names. */
#ifndef MOONI_LANES_H
#define MOONI_LANES_H

#include <immintrin.h>

#include "kernels.h"

#define UNROLL _Pragma("GCC unroll 16")

/* A tile of c stays in registers, of which AVX-512 has 32, and AVX2 16: enough sums at a time to hide the latency of a
** multiply-add, on two units. `some` are the first lanes of a vector. */
#if defined(__AVX512F__)

enum { LANES = 16, TILE_ROWS = 8, TILE_VECTORS = 3 };
typedef __m512 vec;
typedef __mmask16 some;

#define TILE_SIZES(X) \
  X(1, 1) X(1, 2) X(1, 3) X(2, 1) X(2, 2) X(2, 3) X(3, 1) X(3, 2) X(3, 3) X(4, 1) X(4, 2) X(4, 3) \
  X(5, 1) X(5, 2) X(5, 3) X(6, 1) X(6, 2) X(6, 3) X(7, 1) X(7, 2) X(7, 3) X(8, 1) X(8, 2) X(8, 3)

MOONI_INLINE some some_lanes(size_t n) { return (some)((1u << n) - 1); }
MOONI_INLINE vec zero(void) { return _mm512_setzero_ps(); }
MOONI_INLINE vec all(float x) { return _mm512_set1_ps(x); }
MOONI_INLINE vec load(const float *p) { return _mm512_loadu_ps(p); }
MOONI_INLINE vec load_some(const float *p, some lanes) { return _mm512_maskz_loadu_ps(lanes, p); }
MOONI_INLINE void store(float *p, vec v) { _mm512_storeu_ps(p, v); }
MOONI_INLINE void store_some(float *p, some lanes, vec v) { _mm512_mask_storeu_ps(p, lanes, v); }
MOONI_INLINE vec multiply(vec a, vec b) { return _mm512_mul_ps(a, b); }
MOONI_INLINE vec multiply_add(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
MOONI_INLINE vec either(vec a, vec b) { return _mm512_or_ps(a, b); }

/* A bit for each lane that has a bit. */
MOONI_INLINE unsigned lanes_with_bits(vec v) {
  return _mm512_test_epi32_mask(_mm512_castps_si512(v), _mm512_castps_si512(v));
}

#define PAIRS(how, x, y) _mm512_castpd_ps(_mm512_unpack##how##_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)))

/* r = 16 rows, transposed. */
MOONI_INLINE void transpose(vec r[LANES]) {
  enum { EVEN = 0x88, ODD = 0xdd }; /* quarters 0 and 2, or 1 and 3, of both */
  vec s[LANES];
  UNROLL for (int i = 0; i < LANES; i += 2) {
    s[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    s[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  UNROLL for (int i = 0; i < LANES; i += 4) {
    r[i] = PAIRS(lo, s[i], s[i + 2]);
    r[i + 1] = PAIRS(hi, s[i], s[i + 2]);
    r[i + 2] = PAIRS(lo, s[i + 1], s[i + 3]);
    r[i + 3] = PAIRS(hi, s[i + 1], s[i + 3]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    s[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], EVEN);
    s[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], ODD);
    s[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], EVEN);
    s[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], ODD);
  }
  UNROLL for (int i = 0; i < 8; i++) {
    r[i] = _mm512_shuffle_f32x4(s[i], s[i + 8], EVEN);
    r[i + 8] = _mm512_shuffle_f32x4(s[i], s[i + 8], ODD);
  }
}

#else

enum { LANES = 8, TILE_ROWS = 6, TILE_VECTORS = 2 };
typedef __m256 vec;
typedef __m256i some;

#define TILE_SIZES(X) \
  X(1, 1) X(1, 2) X(2, 1) X(2, 2) X(3, 1) X(3, 2) X(4, 1) X(4, 2) X(5, 1) X(5, 2) X(6, 1) X(6, 2)

MOONI_INLINE some some_lanes(size_t n) {
  static const int32_t from[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256((const __m256i *)(const void *)(from + LANES - n));
}

MOONI_INLINE vec zero(void) { return _mm256_setzero_ps(); }
MOONI_INLINE vec all(float x) { return _mm256_set1_ps(x); }
MOONI_INLINE vec load(const float *p) { return _mm256_loadu_ps(p); }
MOONI_INLINE vec load_some(const float *p, some lanes) { return _mm256_maskload_ps(p, lanes); }
MOONI_INLINE void store(float *p, vec v) { _mm256_storeu_ps(p, v); }
MOONI_INLINE void store_some(float *p, some lanes, vec v) { _mm256_maskstore_ps(p, lanes, v); }
MOONI_INLINE vec multiply(vec a, vec b) { return _mm256_mul_ps(a, b); }
MOONI_INLINE vec multiply_add(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
MOONI_INLINE vec either(vec a, vec b) { return _mm256_or_ps(a, b); }

/* A bit for each lane that has a bit. */
MOONI_INLINE unsigned lanes_with_bits(vec v) {
  __m256i none = _mm256_cmpeq_epi32(_mm256_castps_si256(v), _mm256_setzero_si256());
  return ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(none)) & 0xff;
}

#define PAIRS(how, x, y) _mm256_castpd_ps(_mm256_unpack##how##_pd(_mm256_castps_pd(x), _mm256_castps_pd(y)))

/* r = 8 rows, transposed. */
MOONI_INLINE void transpose(vec r[LANES]) {
  enum { LOW = 0x20, HIGH = 0x31 }; /* the same half of both */
  vec s[LANES];
  UNROLL for (int i = 0; i < LANES; i += 2) {
    s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  UNROLL for (int i = 0; i < LANES; i += 4) {
    r[i] = PAIRS(lo, s[i], s[i + 2]);
    r[i + 1] = PAIRS(hi, s[i], s[i + 2]);
    r[i + 2] = PAIRS(lo, s[i + 1], s[i + 3]);
    r[i + 3] = PAIRS(hi, s[i + 1], s[i + 3]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    s[i] = _mm256_permute2f128_ps(r[i], r[i + 4], LOW);
    s[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], HIGH);
  }
  UNROLL for (int i = 0; i < LANES; i++) r[i] = s[i];
}

#endif

#endif
