/* random.c - random floats, 16 at a time, and the noise made of them. */
#include "vmath.h"

/* 24 bits of each draw: uniform in [0, 1), every value exact. */
static inline void unit_block(mooni_rng *rng, float u[MOONI_LANES]) {
  uint32_t bits[MOONI_LANES];
  mooni_rng_block(rng, bits);
  for (size_t l = 0; l < MOONI_LANES; l++) u[l] = (float)(int32_t)(bits[l] >> 8) * 5.9604644775390625e-8f;
}

/* sin and cos of f quarter turns, f in [-1/2, 1/2], by their Taylor series in f pi / 2. */
static inline float quarter_sin(float f) {
  float a = f * 1.57079633f, q = a * a;
  return a * (1 + q * (-1.f / 6 + q * (1.f / 120 + q * (-1.f / 5040))));
}

static inline float quarter_cos(float f) {
  float a = f * 1.57079633f, q = a * a;
  return 1 + q * (-0.5f + q * (1.f / 24 + q * (-1.f / 720 + q * (1.f / 40320))));
}

enum { PAIR = 2 * MOONI_LANES };

/* Box and Muller 1958: two uniforms make two independent normals. */
static inline void normal_pair(mooni_rng *rng, float z[PAIR]) {
  float u[MOONI_LANES], v[MOONI_LANES];
  unit_block(rng, u);
  unit_block(rng, v);
  MOONI_EACH
  for (size_t l = 0; l < MOONI_LANES; l++) {
    float radius = sqrtf(-2 * v_log(1 - u[l]));
    float turn = v[l] * 4;
    int32_t quarter = (int32_t)(turn + 0.5f);
    float f = turn - (float)quarter, s = quarter_sin(f), c = quarter_cos(f);
    float sine = quarter & 1 ? c : s, cosine = quarter & 1 ? s : c;
    z[l] = radius * ((quarter + 1) & 2 ? -cosine : cosine);
    z[l + MOONI_LANES] = radius * (quarter & 2 ? -sine : sine);
  }
}

/* MAKE writes `block` draws to `draw`; TAKE(i, d) uses draw d for element i. The last block may be cut short. */
#define BLOCKS(block, MAKE, TAKE)                                \
  for (size_t i = 0; i < n; i += (block)) {                      \
    float draw[block];                                           \
    MAKE;                                                        \
    size_t count = n - i < (block) ? n - i : (block);            \
    if (count == (block))                                        \
      for (size_t l = 0; l < (block); l++) TAKE(i + l, draw[l]); \
    else                                                         \
      for (size_t l = 0; l < count; l++) TAKE(i + l, draw[l]);   \
  }

void MOONI_K(uniform)(mooni_rng *rng, float *y, size_t n, float low, float high) {
#define TAKE(i, u) y[i] = low + (high - low) * (u)
  BLOCKS(MOONI_LANES, unit_block(rng, draw), TAKE)
#undef TAKE
}

void MOONI_K(normal)(mooni_rng *rng, float *y, size_t n, float mean, float deviation) {
#define TAKE(i, z) y[i] = mean + deviation * (z)
  BLOCKS(PAIR, normal_pair(rng, draw), TAKE)
#undef TAKE
}

/* Noise on n elements. mask, unless NULL, gets dy/dx. */

static inline float cut(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

static void gaussian_mask(float *restrict mask, const float *restrict y, size_t n, float low, float high) {
  for (size_t i = 0; i < n; i++) mask[i] = y[i] > low && y[i] < high ? 1.f : 0.f;
}

void MOONI_K(noise_gaussian)(mooni_rng *rng, float *restrict y, float *mask, const float *restrict x, size_t n,
                             float sigma, float low, float high) {
#define TAKE(i, z) y[i] = cut(x[i] + sigma * (z), low, high)
  BLOCKS(PAIR, normal_pair(rng, draw), TAKE)
#undef TAKE
  if (mask) gaussian_mask(mask, y, n, low, high);
}

/* Each element is dropped with probability p, or else multiplied by keep. */
void MOONI_K(noise_masking)(mooni_rng *rng, float *restrict y, float *mask, const float *restrict x, size_t n, float p,
                            float keep) {
  float *restrict factor = mask ? mask : y;
#define TAKE(i, u) factor[i] = (u) < p ? 0 : keep
  BLOCKS(MOONI_LANES, unit_block(rng, draw), TAKE)
#undef TAKE
  for (size_t i = 0; i < n; i++) y[i] = x[i] * factor[i];
}

/* Each element becomes 0 or 1, with probability p / 2 each. */
void MOONI_K(noise_salt_pepper)(mooni_rng *rng, float *restrict y, float *mask, const float *restrict x, size_t n,
                                float p) {
  for (size_t i = 0; i < n; i += MOONI_LANES) {
    float draw[MOONI_LANES];
    unit_block(rng, draw);
    for (size_t l = 0; l < MOONI_LANES && i + l < n; l++) {
      float u = draw[l];
      y[i + l] = u < 0.5f * p ? 0 : u < p ? 1 : x[i + l];
      if (mask) mask[i + l] = u < p ? 0.f : 1.f;
    }
  }
}
