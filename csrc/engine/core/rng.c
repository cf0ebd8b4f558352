/* rng.c - the random stream: xoshiro128++ (Blackman and Vigna, 2019) in 16 lanes, seeded through splitmix64. */
#include "rng.h"

#include <string.h>

static uint64_t splitmix(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void mooni_rng_seed(mooni_rng *rng, uint64_t seed, uint64_t stream) {
  uint64_t state = stream;
  state = splitmix(&state) ^ seed;
  uint32_t *words = &rng->s[0][0];
  for (size_t i = 0; i < 4 * MOONI_LANES; i += 2) {
    uint64_t bits = splitmix(&state);
    words[i] = (uint32_t)bits;
    words[i + 1] = (uint32_t)(bits >> 32);
  }
  for (size_t l = 0; l < MOONI_LANES; l++) rng->s[0][l] |= 1; /* a lane that is all zeros would give zeros for ever */
  memset(rng->out, 0, sizeof rng->out);
  rng->left = 0;
}

static void refill(mooni_rng *rng) {
  mooni_rng_block(rng, rng->out);
  rng->left = MOONI_LANES;
}

uint32_t mooni_rng_u32(mooni_rng *rng) {
  if (!rng->left) refill(rng);
  return rng->out[MOONI_LANES - rng->left--];
}

uint64_t mooni_rng_u64(mooni_rng *rng) {
  uint64_t high = mooni_rng_u32(rng);
  return high << 32 | mooni_rng_u32(rng);
}

/* Lemire's multiply and reject (arXiv 1805.10941): unbiased, and rarely divides. */
uint32_t mooni_rng_below(mooni_rng *rng, uint32_t n) {
  uint64_t m = (uint64_t)mooni_rng_u32(rng) * n;
  if ((uint32_t)m < n) {
    uint32_t least = (uint32_t)-n % n;
    while ((uint32_t)m < least) m = (uint64_t)mooni_rng_u32(rng) * n;
  }
  return (uint32_t)(m >> 32);
}

void mooni_rng_shuffle(mooni_rng *rng, uint32_t *order, size_t n) {
  for (size_t i = n; i > 1; i--) {
    uint32_t j = mooni_rng_below(rng, (uint32_t)i), swap = order[i - 1];
    order[i - 1] = order[j];
    order[j] = swap;
  }
}
