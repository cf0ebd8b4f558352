/* act.h - activations. */
#ifndef MOONI_ACT_H
#define MOONI_ACT_H

#include <stdbool.h>
#include <stddef.h>

/* All matrices are [rows x width], with rows `stride` floats apart.
** forward: y holds x W, without the bias, and becomes act(z), z = y + bias. bias may be NULL. If needs_z, z is kept for
** the derivative; else z is NULL.
** backward: dy becomes dz = dy * act'(z). Rowwise ones (softmax) need whole rows.
** slopes: act'(z) and act''(z) of n elements. NULL for rowwise ones.
** All take the activation's parameter p, if it has one. */
typedef struct mooni_act {
  const char *name;
  bool needs_z, rowwise;
  bool unit;          /* the outputs lie in [0, 1] */
  const char *option; /* the layers' option that is its parameter (layers/slope.h); NULL: it has none */
  float p;            /* the default */
  void (*forward)(float *y, float *z, const float *bias, size_t rows, size_t width, size_t stride, float p);
  void (*backward)(float *dy, const float *y, const float *z, size_t rows, size_t width, size_t stride, float p);
  void (*slopes)(float *first, float *second, const float *y, const float *z, size_t n, float p);
} mooni_act;

#endif
