/* ops.h - what the tensor operations have in common: reading any tensor as floats, and checking results. */
#ifndef MOONI_OPS_H
#define MOONI_OPS_H

#include "../kernels/table.h"
#include "ctx.h"
#include "tensor.h"

/* Bytes are converted to floats so many at a time, on the stack: no operation allocates a converted copy. */
enum { MOONI_CHUNK = 2048 };

/* Elements first..first+n-1 of t as floats: the tensor's own memory, or bytes converted by value into buffer (n at most
** MOONI_CHUNK). */
static inline const float *mooni_floats(const moon_tensor *t, size_t first, size_t n, float *buffer) {
  if (t->dtype == MOON_FLOAT32) return moon_tensor_float(t) + first;
  t->storage->ctx->k->from_bytes(buffer, moon_tensor_byte(t) + first, n, 1);
  return buffer;
}

/* A tile holds some columns of a matrix, each of them contiguous: column j begins at tile[j * MOONI_TILE_ROWS]. As many
** columns as floats in a cache line. */
enum { MOONI_TILE_COLUMNS = 16, MOONI_TILE_ROWS = MOONI_CHUNK / MOONI_TILE_COLUMNS };

/* Fill the tile with `rows` rows of `columns` columns of a [* x width], the first element being number `first`. */
void mooni_read_tile(float *tile, const moon_tensor *a, size_t first, size_t width, size_t columns, size_t rows);

/* MOON_ESHAPE if a and out overlap in memory. With `in_place` they may be exactly the same elements. */
moon_status mooni_check_overlap(const char *what, const moon_tensor *out, const moon_tensor *a, bool in_place);

/* MOON_ETYPE unless a has the element type of out. */
moon_status mooni_check_same_type(const char *what, const moon_tensor *out, const moon_tensor *a);

/* MOON_ESHAPE unless out has this shape; MOON_ESTATE if it is frozen. */
moon_status mooni_check_out(const char *what, const moon_tensor *out, int rank, const size_t *shape);

#endif
