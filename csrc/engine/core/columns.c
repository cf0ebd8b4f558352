/* columns.c - some columns of a matrix, and the pieces of a tensor along a dimension, as copies. */
#include <string.h>

#include "error.h"
#include "ops.h"

moon_status moon_tensor_columns(moon_tensor *out, const moon_tensor *a, const size_t *index, size_t count) {
  moon_ctx *ctx = out->storage->ctx;
  char text[MOONI_SHAPE_TEXT];
  if (a->rank != 2)
    return mooni_fail(ctx, MOON_ESHAPE, "columns: %s is not a matrix", mooni_shape_text(text, a->rank, a->shape));
  size_t rows = a->shape[0], width = a->shape[1];
  MOONI_TRY(mooni_check_same_type("columns", out, a));
  MOONI_TRY(mooni_check_out("columns", out, 2, (const size_t[]){rows, count}));
  MOONI_TRY(mooni_check_overlap("columns", out, a, false));
  for (size_t j = 0; j < count; j++)
    if (index[j] >= width)
      return mooni_fail(ctx, MOON_ERANGE, "columns: column %zu of %zu columns does not exist", index[j], width);
  const uint8_t *bytes = moon_tensor_byte(a);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < count; j++)
      if (bytes)
        moon_tensor_byte(out)[i * count + j] = bytes[i * width + index[j]];
      else
        moon_tensor_float(out)[i * count + j] = moon_tensor_float(a)[i * width + index[j]];
  return MOON_OK;
}

/* Does each part have a's shape, but for dim, where they add up to a's size? */
static moon_status check_split(moon_tensor *const *parts, size_t count, const moon_tensor *a, int dim) {
  moon_ctx *ctx = a->storage->ctx;
  char text[MOONI_SHAPE_TEXT];
  size_t sum = 0, shape[MOON_MAX_RANK];
  if (dim < 0 || dim >= a->rank)
    return mooni_fail(ctx, MOON_ERANGE, "split: dimension %d does not exist in %s", dim,
                      mooni_shape_text(text, a->rank, a->shape));
  memcpy(shape, a->shape, sizeof shape);
  for (size_t p = 0; p < count; p++) {
    shape[dim] = parts[p]->rank == a->rank ? parts[p]->shape[dim] : 0;
    MOONI_TRY(mooni_check_same_type("split", parts[p], a));
    MOONI_TRY(mooni_check_out("split", parts[p], a->rank, shape));
    MOONI_TRY(mooni_check_overlap("split", parts[p], a, false));
    if (__builtin_add_overflow(sum, shape[dim], &sum)) sum = SIZE_MAX;
  }
  if (sum == a->shape[dim]) return MOON_OK;
  return mooni_fail(ctx, MOON_ESHAPE, "split: the parts have %zu in dimension %d together, expected %zu as %s", sum,
                    dim + 1, a->shape[dim], mooni_shape_text(text, a->rank, a->shape));
}

/* The reverse of moon_tensor_cat: `outer` times, the `inner` bytes of each index in dim. */
moon_status moon_tensor_split(moon_tensor *const *parts, size_t count, const moon_tensor *a, int dim) {
  size_t outer = 1, inner = mooni_element_size(a->dtype), at = 0;
  MOONI_TRY(check_split(parts, count, a, dim));
  for (int i = 0; i < dim; i++) outer *= a->shape[i];
  for (int i = dim + 1; i < a->rank; i++) inner *= a->shape[i];
  for (size_t p = 0; p < count; p++) {
    size_t bytes = parts[p]->shape[dim] * inner;
    const char *from = (const char *)moon_tensor_data(a) + at;
    char *to = moon_tensor_data(parts[p]);
    for (size_t i = 0; i < outer && bytes; i++) memcpy(to + i * bytes, from + i * a->shape[dim] * inner, bytes);
    at += bytes;
  }
  return MOON_OK;
}
