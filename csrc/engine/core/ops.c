/* ops.c - operations on whole tensors: functions of one tensor, products, moving rows. */
#include "ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../kernels/act.h"
#include "error.h"
#include "fpmode.h"
#include "gemm.h"
#include "names.h"
#include "registry.h"

/* ---- checks ---- */

moon_status mooni_check_overlap(const char *what, const moon_tensor *out, const moon_tensor *a, bool in_place) {
  uintptr_t to = (uintptr_t)moon_tensor_data(out), from = (uintptr_t)moon_tensor_data(a);
  if (!out->numel || !a->numel) return MOON_OK;
  if (to + moon_tensor_bytes(out) <= from || from + moon_tensor_bytes(a) <= to) return MOON_OK;
  if (in_place && to == from && out->dtype == a->dtype && out->numel == a->numel) return MOON_OK;
  return mooni_fail(out->storage->ctx, MOON_ESHAPE, "%s: the result overlaps an operand; clone that first", what);
}

moon_status mooni_check_out(const char *what, const moon_tensor *out, int rank, const size_t *shape) {
  char have[MOONI_SHAPE_TEXT], want[MOONI_SHAPE_TEXT];
  bool same = out->rank == rank;
  for (int i = 0; same && i < rank; i++) same = out->shape[i] == shape[i];
  if (same) return mooni_want_writable(out, what);
  return mooni_fail(out->storage->ctx, MOON_ESHAPE, "%s: the result is %s, which does not fit into %s", what,
                    mooni_shape_text(want, rank, shape), mooni_shape_text(have, out->rank, out->shape));
}

void mooni_read_tile(float *tile, const moon_tensor *a, size_t first, size_t width, size_t columns, size_t rows) {
  float line[MOONI_TILE_COLUMNS];
  for (size_t i = 0; i < rows; i++) {
    const float *x = mooni_floats(a, first + i * width, columns, line);
    for (size_t j = 0; j < columns; j++) tile[j * MOONI_TILE_ROWS + i] = x[j];
  }
}

moon_status mooni_check_same_type(const char *what, const moon_tensor *out, const moon_tensor *a) {
  if (out->dtype == a->dtype) return MOON_OK;
  return mooni_fail(out->storage->ctx, MOON_ETYPE, "%s: expected %s as in the result, got %s", what,
                    mooni_dtype_name(out->dtype), mooni_dtype_name(a->dtype));
}

/* ---- functions of one tensor ---- */

static const mooni_unary *find_unary(const moon_ctx *ctx, const char *name) {
  for (const mooni_unary *f = ctx->k->unary; f->name; f++)
    if (strcmp(f->name, name) == 0) return f;
  return NULL;
}

/* Names for messages: the plain functions, then the activations. */
static const char *unary_name(const void *ctx, size_t i) {
  const mooni_unary *f = ((const moon_ctx *)ctx)->k->unary;
  for (; f->name; f++)
    if (i-- == 0) return f->name;
  return moon_registered(ctx, MOON_ACTIVATIONS, i);
}

static void apply_unary(float *y, const mooni_unary *f, const moon_tensor *a, float p, float q) {
  float buffer[MOONI_CHUNK];
  if (a->dtype == MOON_FLOAT32) {
    f->apply(y, moon_tensor_float(a), a->numel, p, q);
    return;
  }
  for (size_t i = 0; i < a->numel; i += MOONI_CHUNK) {
    size_t n = a->numel - i < MOONI_CHUNK ? a->numel - i : MOONI_CHUNK;
    f->apply(y + i, mooni_floats(a, i, n, buffer), n, p, q);
  }
}

/* In place. Rowwise activations work along the last dimension. */
static void apply_act(moon_tensor *out, const mooni_act *act) {
  float *y = moon_tensor_float(out), z[MOONI_CHUNK];
  size_t width = out->rank ? out->shape[out->rank - 1] : 1;
  if (act->rowwise) {
    if (out->numel) act->forward(y, NULL, NULL, out->numel / width, width, width, act->p);
    return;
  }
  for (size_t i = 0; i < out->numel; i += MOONI_CHUNK) {
    size_t n = out->numel - i < MOONI_CHUNK ? out->numel - i : MOONI_CHUNK;
    act->forward(y + i, act->needs_z ? z : NULL, NULL, 1, n, n, act->p);
  }
}

moon_status moon_tensor_unary(moon_tensor *out, const char *name, const moon_tensor *a, double p, double q) {
  MOONI_IEEE;
  moon_ctx *ctx = out->storage->ctx;
  const mooni_unary *f = find_unary(ctx, name);
  const mooni_act *act = f ? NULL : mooni_find_act(ctx, name);
  if (!f && !act) return mooni_unknown(ctx, "function", name, unary_name, ctx);
  MOONI_TRY(mooni_want_float(out, name));
  MOONI_TRY(mooni_check_out(name, out, a->rank, a->shape));
  MOONI_TRY(mooni_check_overlap(name, out, a, true));
  if (f) {
    apply_unary(moon_tensor_float(out), f, a, (float)p, (float)q);
    return MOON_OK;
  }
  if (out != a) MOONI_TRY(moon_tensor_copy(out, a));
  apply_act(out, act);
  return MOON_OK;
}

/* ---- functions of two tensors: see broadcast.c too ---- */

/* Is a close to b? Equal infinities are; a finite number and an infinity are not, whatever the tolerance. */
static bool is_close(float a, float b, double rtol, double atol) {
  double distance = fabs((double)a - (double)b);
  return a == b || (distance <= atol + rtol * fabs((double)b) && distance < INFINITY);
}

bool moon_tensor_allclose(const moon_tensor *a, const moon_tensor *b, double rtol, double atol) {
  MOONI_IEEE;
  float x_buffer[MOONI_CHUNK], y_buffer[MOONI_CHUNK];
  if (!moon_tensor_same_shape(a, b)) return false;
  for (size_t i = 0; i < a->numel; i += MOONI_CHUNK) {
    size_t n = a->numel - i < MOONI_CHUNK ? a->numel - i : MOONI_CHUNK;
    const float *x = mooni_floats(a, i, n, x_buffer), *y = mooni_floats(b, i, n, y_buffer);
    for (size_t j = 0; j < n; j++)
      if (!is_close(x[j], y[j], rtol, atol)) return false;
  }
  return true;
}

/* ---- matrices ---- */

static moon_status matmul_misfit(const moon_tensor *a, bool ta, const moon_tensor *b, bool tb) {
  char s[MOONI_SHAPE_TEXT], t[MOONI_SHAPE_TEXT], why[96] = "both must be matrices";
  if (a->rank == 2 && b->rank == 2)
    snprintf(why, sizeof why, "%zu columns against %zu rows", a->shape[!ta], b->shape[tb]);
  return mooni_fail(a->storage->ctx, MOON_ESHAPE, "matmul: %s%s and %s%s do not fit: %s",
                    mooni_shape_text(s, a->rank, a->shape), ta ? " transposed" : "",
                    mooni_shape_text(t, b->rank, b->shape), tb ? " transposed" : "", why);
}

static mooni_mat matrix(const moon_tensor *t, bool transposed) {
  mooni_mat m = mooni_row_major(moon_tensor_float(t), t->shape[1]);
  return transposed ? mooni_transposed(m) : m;
}

/* y = beta y; with beta 0 also where y is NaN. */
static void scale(float *y, size_t n, float beta) {
  for (size_t i = 0; i < n; i++) y[i] = beta == 0 ? 0 : beta * y[i];
}

/* out [m x n] = alpha a [m x k] b [k x n] + beta out; a is transposed if ta, b if tb. */
moon_status moon_tensor_matmul(moon_tensor *out, const moon_tensor *a, bool ta, const moon_tensor *b, bool tb,
                               double alpha, double beta) {
  MOONI_IEEE;
  moon_ctx *ctx = out->storage->ctx;
  MOONI_TRY(mooni_want_float(out, "matmul"));
  MOONI_TRY(mooni_want_float(a, "matmul"));
  MOONI_TRY(mooni_want_float(b, "matmul"));
  if (a->rank != 2 || b->rank != 2) return matmul_misfit(a, ta, b, tb);
  size_t m = a->shape[ta], k = a->shape[!ta], n = b->shape[!tb], shape[] = {m, n};
  if (b->shape[tb] != k) return matmul_misfit(a, ta, b, tb);
  MOONI_TRY(mooni_check_out("matmul", out, 2, shape));
  MOONI_TRY(mooni_check_overlap("matmul", out, a, false));
  MOONI_TRY(mooni_check_overlap("matmul", out, b, false));
  if (!m || !n) return MOON_OK;
  if (!k) {
    scale(moon_tensor_float(out), m * n, (float)beta);
    return MOON_OK;
  }
  mooni_mat x = matrix(a, ta), y = matrix(b, tb), z = matrix(out, false);
  MOONI_TRY(mooni_gemm_plan(ctx, 1, m, n, k, x, y, z));
  mooni_gemm(ctx, m, n, k, (float)alpha, x, y, (float)beta, z);
  return MOON_OK;
}

/* y [columns x rows] = x [rows x columns] transposed, block by block, so that the rows read and those written stay in
** the cache. */
#define TRANSPOSE(name, type)                                                                      \
  static void name(type *y, const type *x, size_t rows, size_t columns) {                          \
    enum { BLOCK = 32 };                                                                           \
    for (size_t r = 0; r < rows; r += BLOCK)                                                       \
      for (size_t c = 0; c < columns; c += BLOCK)                                                  \
        for (size_t j = c; j < columns && j < c + BLOCK; j++)                                      \
          for (size_t i = r; i < rows && i < r + BLOCK; i++) y[j * rows + i] = x[i * columns + j]; \
  }

TRANSPOSE(transpose_floats, float)
TRANSPOSE(transpose_bytes, uint8_t)

moon_status moon_tensor_transpose(moon_tensor *out, const moon_tensor *a) {
  if (a->rank != 2) {
    char text[MOONI_SHAPE_TEXT];
    return mooni_fail(out->storage->ctx, MOON_ESHAPE, "transpose: %s is not a matrix",
                      mooni_shape_text(text, a->rank, a->shape));
  }
  MOONI_TRY(mooni_check_same_type("transpose", out, a));
  MOONI_TRY(mooni_check_out("transpose", out, 2, (const size_t[]){a->shape[1], a->shape[0]}));
  MOONI_TRY(mooni_check_overlap("transpose", out, a, false));
  if (a->dtype == MOON_UINT8)
    transpose_bytes(moon_tensor_byte(out), moon_tensor_byte(a), a->shape[0], a->shape[1]);
  else
    transpose_floats(moon_tensor_float(out), moon_tensor_float(a), a->shape[0], a->shape[1]);
  return MOON_OK;
}

/* ---- rows ---- */

/* out [count x width] = rows index[0..count-1] of a [rows x width]. */
moon_status moon_tensor_gather(moon_tensor *out, const moon_tensor *a, const size_t *index, size_t count) {
  moon_ctx *ctx = out->storage->ctx;
  if (!a->rank) return mooni_fail(ctx, MOON_ESHAPE, "gather: a tensor of rank 0 has no rows");
  size_t shape[MOON_MAX_RANK] = {count};
  for (int i = 1; i < a->rank; i++) shape[i] = a->shape[i];
  MOONI_TRY(mooni_check_same_type("gather", out, a));
  MOONI_TRY(mooni_check_out("gather", out, a->rank, shape));
  MOONI_TRY(mooni_check_overlap("gather", out, a, false));
  for (size_t i = 0; i < count; i++)
    if (index[i] >= a->shape[0])
      return mooni_fail(ctx, MOON_ERANGE, "gather: row %zu of %zu rows does not exist", index[i], a->shape[0]);
  size_t bytes = mooni_width(a) * mooni_element_size(a->dtype);
  const char *from = moon_tensor_data(a);
  char *to = moon_tensor_data(out);
  for (size_t i = 0; i < count; i++) memcpy(to + i * bytes, from + index[i] * bytes, bytes);
  return MOON_OK;
}

/* The shape of the concatenation along dim. */
static moon_status cat_shape(size_t *shape, const moon_tensor *const *parts, size_t count, int dim, moon_ctx *ctx) {
  char first[MOONI_SHAPE_TEXT], other[MOONI_SHAPE_TEXT];
  if (!count) return mooni_fail(ctx, MOON_ESHAPE, "cat: expected at least one tensor");
  int rank = parts[0]->rank;
  if (dim < 0 || dim >= rank)
    return mooni_fail(ctx, MOON_ERANGE, "cat: dimension %d does not exist in %s", dim,
                      mooni_shape_text(first, rank, parts[0]->shape));
  memcpy(shape, parts[0]->shape, sizeof parts[0]->shape);
  for (size_t p = 1; p < count; p++) {
    bool fits = parts[p]->rank == rank;
    for (int i = 0; fits && i < rank; i++) fits = i == dim || parts[p]->shape[i] == shape[i];
    if (fits && !__builtin_add_overflow(shape[dim], parts[p]->shape[dim], &shape[dim])) continue;
    return mooni_fail(ctx, MOON_ESHAPE, "cat: %s and %s do not fit: only dimension %d of %d may differ",
                      mooni_shape_text(first, rank, parts[0]->shape),
                      mooni_shape_text(other, parts[p]->rank, parts[p]->shape), dim + 1, rank);
  }
  return MOON_OK;
}

/* The parts one after the other along dim: `outer` times, the `inner` bytes of each index in dim. */
moon_status moon_tensor_cat(moon_tensor *out, const moon_tensor *const *parts, size_t count, int dim) {
  size_t shape[MOON_MAX_RANK], outer = 1, inner = mooni_element_size(out->dtype), at = 0;
  MOONI_TRY(cat_shape(shape, parts, count, dim, out->storage->ctx));
  MOONI_TRY(mooni_check_out("cat", out, parts[0]->rank, shape));
  for (size_t p = 0; p < count; p++) {
    MOONI_TRY(mooni_check_same_type("cat", out, parts[p]));
    MOONI_TRY(mooni_check_overlap("cat", out, parts[p], false));
  }
  for (int i = 0; i < dim; i++) outer *= shape[i];
  for (int i = dim + 1; i < out->rank; i++) inner *= shape[i];
  for (size_t p = 0; p < count; p++) {
    size_t bytes = parts[p]->shape[dim] * inner;
    const char *from = moon_tensor_data(parts[p]);
    char *to = (char *)moon_tensor_data(out) + at;
    for (size_t i = 0; i < outer; i++) memcpy(to + i * shape[dim] * inner, from + i * bytes, bytes);
    at += bytes;
  }
  return MOON_OK;
}
