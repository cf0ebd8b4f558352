/* ops.h - what the tensor operations share: reading any tensor as floats, and telling apart who lies where. */
#ifndef MOONI_OPS_H
#define MOONI_OPS_H

#include "../internal.h"

/* Bytes become floats this many at a time, on the stack: no operation takes memory for a converted copy. */
enum { MOONI_CHUNK = 2048 };

/* Elements first..first+n-1 of t as floats: its own memory, or bytes converted by value into buffer (n at most
** MOONI_CHUNK). */
static inline const float *mooni_floats(const moon_tensor *t, size_t first, size_t n, float *buffer) {
  if (t->dtype == MOON_FLOAT32) return moon_tensor_float(t) + first;
  t->storage->ctx->k->from_bytes(buffer, moon_tensor_byte(t) + first, n, 1);
  return buffer;
}

/* MOON_ESHAPE if a and out have memory in common. With `in_place` they may lie on the very same elements. */
moon_status mooni_check_overlap(const char *what, const moon_tensor *out, const moon_tensor *a, bool in_place);

/* MOON_ESHAPE unless out has this shape; MOON_ESTATE if it is frozen. */
moon_status mooni_check_out(const char *what, const moon_tensor *out, int rank, const size_t *shape);

#endif
