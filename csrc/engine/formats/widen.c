/* widen.c - numbers as they are in files, as float32. */
#include "widen.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "this file copies little-endian numbers as they are"
#endif

#define WIDEN(name, type)                                 \
  void name(float *y, const uint8_t *x, size_t n) {       \
    for (size_t i = 0; i < n; i++) {                      \
      type value;                                         \
      memcpy(&value, x + i * sizeof value, sizeof value); \
      y[i] = (float)value;                                \
    }                                                     \
  }
WIDEN(mooni_widen_f64, double)
WIDEN(mooni_widen_i64, int64_t)
WIDEN(mooni_widen_i32, int32_t)
WIDEN(mooni_widen_i16, int16_t)
WIDEN(mooni_widen_i8, int8_t)
WIDEN(mooni_widen_u64, uint64_t)
WIDEN(mooni_widen_u32, uint32_t)
WIDEN(mooni_widen_u16, uint16_t)
WIDEN(mooni_widen_u8, uint8_t)

/* A copy, so that a NaN keeps its bits. */
void mooni_widen_f32(float *y, const uint8_t *x, size_t n) {
  if (n) memcpy(y, x, n * sizeof *y);
}

void mooni_widen_bool(float *y, const uint8_t *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = x[i] ? 1 : 0;
}

static float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof bits);
  return value;
}

void mooni_widen_bf16(float *y, const uint8_t *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = from_bits((uint32_t)x[2 * i] << 16 | (uint32_t)x[2 * i + 1] << 24);
}

/* Half precision: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction. */
void mooni_widen_f16(float *y, const uint8_t *x, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint32_t h = (uint32_t)x[2 * i] | (uint32_t)x[2 * i + 1] << 8;
    uint32_t sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
    if (exponent == 0) { /* fraction times 2^-24: float32 holds it exactly */
      float value = (float)fraction * 0x1p-24f;
      y[i] = sign ? -value : value;
    } else {
      y[i] = from_bits(sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13);
    }
  }
}

void mooni_swap_bytes(uint8_t *x, size_t n, size_t size) {
  for (; size > 1 && n; n--, x += size)
    for (size_t i = 0, j = size - 1; i < j; i++, j--) {
      uint8_t byte = x[i];
      x[i] = x[j];
      x[j] = byte;
    }
}
