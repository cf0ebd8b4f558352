/* rng.h - random streams: 16 interleaved xoshiro128++ generators, so that a vector unit draws 16 numbers at once. */
#ifndef MOONI_RNG_H
#define MOONI_RNG_H

#include <stddef.h>
#include <stdint.h>

enum { MOONI_LANES = 16 };
typedef struct mooni_rng {
  uint32_t s[4][MOONI_LANES];
  uint32_t out[MOONI_LANES]; /* drawn in advance: the last `left` of them are still to be given out */
  uint32_t left;
} mooni_rng;

void mooni_rng_seed(mooni_rng *rng, uint64_t seed, uint64_t stream); /* any pair gives an independent stream */
uint32_t mooni_rng_u32(mooni_rng *rng);
uint64_t mooni_rng_u64(mooni_rng *rng);
uint32_t mooni_rng_below(mooni_rng *rng, uint32_t n); /* uniform in 0..n-1, n > 0 */
void mooni_rng_shuffle(mooni_rng *rng, uint32_t *order, size_t n);

static inline uint32_t mooni_rotl(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

/* The next number of every lane. */
static inline void mooni_rng_block(mooni_rng *rng, uint32_t out[MOONI_LANES]) {
  uint32_t(*s)[MOONI_LANES] = rng->s;
  for (size_t l = 0; l < MOONI_LANES; l++) {
    uint32_t s0 = s[0][l], s1 = s[1][l], s2 = s[2][l] ^ s0, s3 = s[3][l] ^ s1;
    out[l] = mooni_rotl(s0 + s[3][l], 7) + s0;
    s[1][l] = s1 ^ s2;
    s[0][l] = s0 ^ s3;
    s[2][l] = s2 ^ (s1 << 9);
    s[3][l] = mooni_rotl(s3, 11);
  }
}

#endif
