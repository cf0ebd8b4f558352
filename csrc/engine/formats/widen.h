/* widen.h - numbers as they are in files, as float32. */
#ifndef MOONI_WIDEN_H
#define MOONI_WIDEN_H

#include <stddef.h>
#include <stdint.h>

/* y [n] = the n numbers at x, little-endian and at any address. Those that float32 does not have are rounded: whole
** numbers beyond 2^24, most doubles. */
typedef void mooni_widen(float *y, const uint8_t *x, size_t n);

mooni_widen mooni_widen_f16, mooni_widen_bf16, mooni_widen_f32, mooni_widen_f64;
mooni_widen mooni_widen_i8, mooni_widen_i16, mooni_widen_i32, mooni_widen_i64;
mooni_widen mooni_widen_u8, mooni_widen_u16, mooni_widen_u32, mooni_widen_u64;
mooni_widen mooni_widen_bool; /* bytes: 0 is 0, any other 1 */

/* Turn the n numbers of `size` bytes at x from big-endian to little-endian, in place. */
void mooni_swap_bytes(uint8_t *x, size_t n, size_t size);

#endif
