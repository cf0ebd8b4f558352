/* tensor.c - making, copying and filling tensors. */
#include "tensor.h"

#include <stdio.h>
#include <string.h>

#include "../kernels/table.h"
#include "ctx.h"
#include "error.h"
#include "fpmode.h"
#include "memory.h"

size_t mooni_element_size(moon_dtype dtype) { return dtype == MOON_UINT8 ? 1 : sizeof(float); }

const char *mooni_dtype_name(moon_dtype dtype) { return dtype == MOON_UINT8 ? "uint8" : "float32"; }

char *mooni_shape_text(char *buffer, int rank, const size_t *shape) {
  size_t used = (size_t)snprintf(buffer, MOONI_SHAPE_TEXT, "[");
  for (int i = 0; i < rank; i++)
    used += (size_t)snprintf(buffer + used, MOONI_SHAPE_TEXT - used, i ? " x %zu" : "%zu", shape[i]);
  snprintf(buffer + used, MOONI_SHAPE_TEXT - used, "]");
  return buffer;
}

char *mooni_tensor_text(char *buffer, const moon_tensor *t) {
  mooni_shape_text(buffer, t->rank, t->shape);
  if (t->dtype == MOON_UINT8) strncat(buffer, " uint8", MOONI_SHAPE_TEXT - strlen(buffer) - 1);
  return buffer;
}

bool moon_tensor_frozen(const moon_tensor *t) { return t->storage->frozen || t->storage->read_only; }

void moon_tensor_freeze(moon_tensor *t) { t->storage->read_only = true; }

moon_status mooni_want_writable(const moon_tensor *t, const char *what) {
  if (!moon_tensor_frozen(t)) return MOON_OK;
  if (t->storage->read_only)
    return mooni_fail(t->storage->ctx, MOON_ESTATE,
                      "%s: the result is a tensor that its host has made read-only (moon_tensor_freeze)", what);
  return mooni_fail(t->storage->ctx, MOON_ESTATE,
                    "%s: the result is a parameter that other contexts share (moon_net_share), which is read-only",
                    what);
}

moon_status mooni_want_float(const moon_tensor *t, const char *what) {
  if (t->dtype == MOON_FLOAT32) return MOON_OK;
  return mooni_fail(t->storage->ctx, MOON_ETYPE, "%s: expected a float32 tensor, got uint8", what);
}

/* The number of elements and bytes of a shape. MOON_ESHAPE if memory cannot hold it. */
static moon_status measure(moon_ctx *ctx, moon_dtype dtype, int rank, const size_t *shape, size_t *numel,
                           size_t *bytes) {
  if (rank < 0 || rank > MOON_MAX_RANK)
    return mooni_fail(ctx, MOON_ESHAPE, "tensor: expected 0 to %d dimensions, got %d", MOON_MAX_RANK, rank);
  if (dtype != MOON_FLOAT32 && dtype != MOON_UINT8)
    return mooni_fail(ctx, MOON_ETYPE, "tensor: unknown element type %d", (int)dtype);
  bool fits = true;
  size_t nonzero = 1;
  *numel = 1;
  for (int i = 0; i < rank; i++) {
    *numel *= shape[i];
    if (shape[i]) fits = fits && mooni_mul(&nonzero, nonzero, shape[i]);
  }
  if (!fits || !mooni_mul(bytes, nonzero, mooni_element_size(dtype)) || *bytes > PTRDIFF_MAX) {
    char text[MOONI_SHAPE_TEXT];
    return mooni_fail(ctx, MOON_ESHAPE, "tensor: %s has more elements than memory can hold",
                      mooni_shape_text(text, rank, shape));
  }
  *bytes = *numel * mooni_element_size(dtype);
  return MOON_OK;
}

static void storage_release(mooni_storage *s) {
  if (--s->refs) return;
  moon_ctx *ctx = s->ctx;
  if (s->release) s->release(s->ud);
  mooni_free(ctx, s);
  moon_ctx_release(ctx);
}

/* A view of storage; takes over one reference to it. NULL when out of memory. */
static moon_tensor *make_view(mooni_storage *s, size_t offset, moon_dtype dtype, int rank, const size_t *shape,
                              size_t numel) {
  moon_tensor *t = mooni_alloc(s->ctx, sizeof *t);
  if (!t) return NULL;
  *t = (moon_tensor){.refs = 1, .storage = s, .offset = offset, .dtype = dtype, .rank = rank, .numel = numel};
  for (int i = 0; i < rank; i++) t->shape[i] = shape[i];
  return t;
}

/* A tensor on data, or, if that is NULL, on zeroed memory behind the storage's header. */
static moon_status make_tensor(moon_ctx *ctx, moon_tensor **out, moon_dtype dtype, int rank, const size_t *shape,
                               void *data, void (*release)(void *), void *ud) {
  size_t numel, bytes, total;
  enum { HEADER = (sizeof(mooni_storage) + 63) / 64 * 64 };
  MOONI_TRY(measure(ctx, dtype, rank, shape, &numel, &bytes));
  if (__builtin_add_overflow(data ? 0 : bytes, (size_t)HEADER, &total)) return mooni_nomem(ctx, bytes);
  mooni_storage *s = mooni_alloc(ctx, total);
  if (!s) return mooni_nomem(ctx, total);
  *s = (mooni_storage){1, ctx, data ? data : (char *)s + HEADER, bytes, release, ud, NULL, NULL, false};
  moon_tensor *t = make_view(s, 0, dtype, rank, shape, numel);
  if (!t) {
    mooni_free(ctx, s);
    return mooni_nomem(ctx, sizeof *t);
  }
  if (!data) memset(s->data, 0, bytes);
  moon_ctx_retain(ctx);
  *out = t;
  return MOON_OK;
}

moon_status moon_tensor_new(moon_ctx *ctx, moon_tensor **out, moon_dtype dtype, int rank, const size_t *shape) {
  return make_tensor(ctx, out, dtype, rank, shape, NULL, NULL, NULL);
}

moon_status moon_tensor_wrap(moon_ctx *ctx, moon_tensor **out, moon_dtype dtype, int rank, const size_t *shape,
                             void *data, void (*release)(void *ud), void *ud) {
  if (!data) return mooni_fail(ctx, MOON_ERANGE, "tensor_wrap: the buffer is NULL");
  if (dtype == MOON_FLOAT32 && (uintptr_t)data % sizeof(float))
    return mooni_fail(ctx, MOON_ERANGE, "tensor_wrap: the buffer is not aligned for float32");
  return make_tensor(ctx, out, dtype, rank, shape, data, release, ud);
}

moon_status moon_tensor_view(moon_tensor **out, moon_tensor *t, size_t first, int rank, const size_t *shape) {
  moon_ctx *ctx = t->storage->ctx;
  size_t numel, bytes;
  MOONI_TRY(measure(ctx, t->dtype, rank, shape, &numel, &bytes));
  if (first > t->numel || numel > t->numel - first) {
    char from[MOONI_SHAPE_TEXT], to[MOONI_SHAPE_TEXT];
    return mooni_fail(ctx, MOON_ESHAPE, "view: %s from element %zu on does not fit into %s",
                      mooni_shape_text(to, rank, shape), first, mooni_tensor_text(from, t));
  }
  moon_tensor *view = make_view(t->storage, t->offset + first * mooni_element_size(t->dtype), t->dtype, rank, shape,
                                numel);
  if (!view) return mooni_nomem(ctx, sizeof *view);
  t->storage->refs++;
  *out = view;
  return MOON_OK;
}

moon_tensor *moon_tensor_retain(moon_tensor *t) {
  t->refs++;
  return t;
}

void moon_tensor_release(moon_tensor *t) {
  if (!t || --t->refs) return;
  mooni_storage *s = t->storage;
  mooni_free(s->ctx, t);
  storage_release(s);
}

moon_ctx *moon_tensor_ctx(const moon_tensor *t) { return t->storage->ctx; }
moon_dtype moon_tensor_dtype(const moon_tensor *t) { return t->dtype; }
int moon_tensor_rank(const moon_tensor *t) { return t->rank; }
const size_t *moon_tensor_shape(const moon_tensor *t) { return t->shape; }
size_t moon_tensor_numel(const moon_tensor *t) { return t->numel; }
size_t moon_tensor_bytes(const moon_tensor *t) { return t->numel * mooni_element_size(t->dtype); }

bool moon_tensor_same_shape(const moon_tensor *a, const moon_tensor *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->shape[i] != b->shape[i]) return false;
  return true;
}

size_t mooni_rows(const moon_tensor *t) { return t->rank ? t->shape[0] : 1; }

size_t mooni_width(const moon_tensor *t) {
  size_t width = 1;
  for (int i = 1; i < t->rank; i++) width *= t->shape[i];
  return width;
}

void *moon_tensor_data(const moon_tensor *t) { return (char *)t->storage->data + t->offset; }
float *moon_tensor_float(const moon_tensor *t) { return t->dtype == MOON_FLOAT32 ? moon_tensor_data(t) : NULL; }
uint8_t *moon_tensor_byte(const moon_tensor *t) { return t->dtype == MOON_UINT8 ? moon_tensor_data(t) : NULL; }

/* NaN becomes 0. */
static uint8_t to_byte(double value) { return value >= 255 ? 255 : value > 0 ? (uint8_t)(value + 0.5) : 0; }

double moon_tensor_get(const moon_tensor *t, size_t index) {
  return t->dtype == MOON_UINT8 ? moon_tensor_byte(t)[index] : (double)moon_tensor_float(t)[index];
}

void moon_tensor_set(moon_tensor *t, size_t index, double value) {
  MOONI_IEEE;
  if (moon_tensor_frozen(t)) return;
  if (t->dtype == MOON_UINT8)
    moon_tensor_byte(t)[index] = to_byte(value);
  else
    moon_tensor_float(t)[index] = (float)value;
}

void moon_tensor_fill(moon_tensor *t, double value) {
  MOONI_IEEE;
  if (moon_tensor_frozen(t)) return;
  if (t->dtype == MOON_UINT8) {
    memset(moon_tensor_data(t), to_byte(value), t->numel);
    return;
  }
  float *p = moon_tensor_float(t), v = (float)value;
  for (size_t i = 0; i < t->numel; i++) p[i] = v;
}

/* y and x may share memory: if x begins before y, it must be read from the end. */
static void widen(float *y, const uint8_t *x, size_t n) {
  if ((const uint8_t *)y <= x)
    for (size_t i = 0; i < n; i++) y[i] = x[i];
  else
    for (size_t i = n; i--;) y[i] = x[i];
}

moon_status moon_tensor_copy(moon_tensor *dst, const moon_tensor *src) {
  MOONI_IEEE;
  if (!moon_tensor_same_shape(dst, src)) {
    char to[MOONI_SHAPE_TEXT], from[MOONI_SHAPE_TEXT];
    return mooni_fail(dst->storage->ctx, MOON_ESHAPE, "copy: %s does not fit into %s", mooni_tensor_text(from, src),
                      mooni_tensor_text(to, dst));
  }
  MOONI_TRY(mooni_want_writable(dst, "copy"));
  if (dst->dtype == src->dtype)
    memmove(moon_tensor_data(dst), moon_tensor_data(src), moon_tensor_bytes(src));
  else if (dst->dtype == MOON_FLOAT32)
    widen(moon_tensor_float(dst), moon_tensor_byte(src), src->numel);
  else
    for (size_t i = 0; i < src->numel; i++) moon_tensor_byte(dst)[i] = to_byte(moon_tensor_float(src)[i]);
  return MOON_OK;
}

/* Fill t with random numbers. */
static moon_status draw(moon_tensor *t, const char *what, void (*numbers)(mooni_rng *, float *, size_t, float, float),
                        double p, double q) {
  MOONI_IEEE;
  MOONI_TRY(mooni_want_float(t, what));
  MOONI_TRY(mooni_want_writable(t, what));
  numbers(&t->storage->ctx->rng, moon_tensor_float(t), t->numel, (float)p, (float)q);
  return MOON_OK;
}

moon_status moon_tensor_uniform(moon_tensor *t, double a, double b) {
  return draw(t, "uniform", t->storage->ctx->k->uniform, a, b);
}

moon_status moon_tensor_normal(moon_tensor *t, double mean, double deviation) {
  return draw(t, "normal", t->storage->ctx->k->normal, mean, deviation);
}

moon_status moon_tensor_permutation(moon_tensor *t, double first) {
  MOONI_IEEE;
  moon_ctx *ctx = t->storage->ctx;
  MOONI_TRY(mooni_want_float(t, "permutation"));
  if (t->rank != 1 || t->numel > MOONI_COUNTED || first + (double)t->numel > (double)MOONI_COUNTED + 1)
    return mooni_fail(ctx, MOON_ESHAPE,
                      "permutation: expected one dimension of at most %zu, got %zu elements from %g on", MOONI_COUNTED,
                      t->numel, first);
  MOONI_TRY(mooni_want_writable(t, "permutation"));
  float *p = moon_tensor_float(t);
  for (size_t i = 0; i < t->numel; i++) p[i] = (float)(first + (double)i);
  for (size_t i = t->numel; i > 1; i--) {
    size_t j = mooni_rng_below(&ctx->rng, (uint32_t)i);
    float swap = p[i - 1];
    p[i - 1] = p[j];
    p[j] = swap;
  }
  return MOON_OK;
}
