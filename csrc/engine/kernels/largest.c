/* largest.c - the k largest numbers of a row. The numbers are read as integers of the same order, and the k-th largest
** is found bit by bit, each bit by counting over the row: no scratch, and no branches that depend on the numbers. */
#include "vmath.h"

/* An integer with the order of the numbers: equal for equal numbers, 0 and -0 too, and the largest one for NaN. */
MOONI_INLINE int32_t order_of(float x) {
  int32_t bits = v_bits(v_select(x != x, NAN, x) + 0.f);
  return bits ^ ((bits >> 31) & INT32_MAX);
}

static size_t count_from(const float *orders, size_t n, int32_t least) {
  int32_t count = 0;
  MOONI_SUMMING(count)
  for (size_t i = 0; i < n; i++) count += v_bits(orders[i]) >= least;
  return (size_t)count;
}

/* The largest number for which at least k numbers are not smaller. *surplus: how many more than k these are; the
** surplus ones are equal to it. */
static int32_t find_least(const float *orders, size_t n, size_t k, size_t *surplus) {
  uint32_t least = (uint32_t)INT32_MIN;
  *surplus = n - k;
  for (uint32_t bit = UINT32_C(1) << 31; bit && *surplus; bit >>= 1) {
    size_t count = count_from(orders, n, (int32_t)(least + bit));
    if (count < k) continue;
    least += bit;
    *surplus = count - k;
  }
  return (int32_t)least;
}

void MOONI_K(keep_largest)(float *restrict y, float *restrict mask, const float *restrict x, size_t n, size_t k) {
  size_t surplus;
  MOONI_EACH
  for (size_t i = 0; i < n; i++) y[i] = v_from_bits(order_of(x[i]));
  int32_t least = find_least(y, n, k, &surplus);
  MOONI_EACH
  for (size_t i = 0; i < n; i++) mask[i] = v_bits(y[i]) >= least ? 1.f : 0.f;
  for (size_t i = n; surplus && i--;)
    if (v_bits(y[i]) == least) mask[i] = 0, surplus--;
  MOONI_EACH
  for (size_t i = 0; i < n; i++) y[i] = v_select(mask[i] > 0, x[i], 0);
}
