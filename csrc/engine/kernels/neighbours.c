/* neighbours.c - the inner loops of core/neighbours.c, over floats. */
#include "vmath.h"

/* The sum of (x - y)^2, in double. */
double MOONI_K(squared_distance)(const float *x, const float *y, size_t n) {
  double sum = 0;
  MOONI_SUMMING(sum)
  for (size_t i = 0; i < n; i++) {
    double d = (double)x[i] - (double)y[i];
    sum += d * d;
  }
  return sum;
}

/* Is the product of any of GROUP rows within reach? */
enum { GROUP = 16 };
static inline bool is_any_near(const float *product, const mooni_reach *r, size_t j) {
  int near = 0;
  for (size_t l = j; l < j + GROUP; l++) near |= !((double)product[l] < r->offset + r->half[l] - r->slope * r->root[l]);
  return near;
}

/* The first j >= from that is within reach, or n. Where the bound is NaN or infinite, j counts as within reach. */
size_t MOONI_K(next_near)(const float *product, const mooni_reach *r, size_t from, size_t n) {
  size_t j = from;
  while (n - j >= GROUP && !is_any_near(product, r, j)) j += GROUP;
  while (j < n && (double)product[j] < r->offset + r->half[j] - r->slope * r->root[j]) j++;
  return j;
}
