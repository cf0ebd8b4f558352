/* broadcast.c - element-wise functions of several tensors, of which some repeat: a single element, a row or a column
** against a matrix. */
#include <string.h>

#include "error.h"
#include "fpmode.h"
#include "names.h"
#include "ops.h"

/* One operand, read piece by piece together with the result. */
typedef struct operand {
  const moon_tensor *t;
  size_t step;   /* 0: a single element for all of the result */
  size_t period; /* the length of a row that repeats; 0: no row */
  size_t repeat; /* a column: each element counts for so many of the result, one row; 0: no column */
  float buffer[MOONI_CHUNK];
} operand;

/* ---- shapes ---- */

/* A single element of any rank has no say, unless all are single. Nor has a row [c] beside a column [r x 1]: a matrix
** would hardly be meant, for instance of a prediction [n x 1] minus a target [n]. */
int moon_tensor_result_shape(size_t *shape, const moon_tensor *const *operands, size_t count) {
  int rank = 0;
  bool single = true;
  for (size_t k = 0; k < count; k++) single = single && operands[k]->numel == 1;
  for (size_t k = 0; k < count; k++)
    if ((single || operands[k]->numel != 1) && operands[k]->rank > rank) rank = operands[k]->rank;
  for (int i = 0; i < rank; i++) shape[i] = 1;
  for (size_t k = 0; k < count && !single; k++) {
    const moon_tensor *t = operands[k];
    for (int i = 0; i < rank && t->rank == rank && t->numel != 1; i++)
      if (shape[i] == 1) shape[i] = t->shape[i];
  }
  return rank;
}

static bool same_sizes(const moon_tensor *t, const size_t *shape, int count) {
  for (int i = 0; i < count; i++)
    if (t->shape[i] != shape[i]) return false;
  return true;
}

/* Say how the operand repeats to fill the shape. False if it does not fit. */
static bool fit(operand *o, int rank, const size_t *shape) {
  const moon_tensor *t = o->t;
  size_t width = rank ? shape[rank - 1] : 1;
  o->step = 1;
  o->period = o->repeat = 0;
  if (t->rank == rank && same_sizes(t, shape, rank)) return true;
  if (t->numel == 1) return o->step = 0, true;
  bool row = t->rank == 1 || (t->rank == 2 && t->shape[0] == 1);
  if (row && rank >= t->rank && t->shape[t->rank - 1] == width) return o->period = width, true;
  bool column = t->rank == rank && rank >= 2 && t->shape[rank - 1] == 1 && same_sizes(t, shape, rank - 1);
  if (column) o->repeat = width;
  return column;
}

/* Broadcast the operands to one shape and check out, the result of `name`. */
static moon_status prepare_shapes(moon_tensor *out, const char *name, operand *o, size_t count) {
  char s[MOONI_SHAPE_TEXT], t[MOONI_SHAPE_TEXT];
  const moon_tensor *list[3];
  size_t shape[MOON_MAX_RANK];
  for (size_t k = 0; k < count; k++) list[k] = o[k].t;
  int rank = moon_tensor_result_shape(shape, list, count);
  for (size_t k = 0; k < count; k++) {
    if (fit(&o[k], rank, shape)) continue;
    const moon_tensor *a = list[0], *b = list[k ? k : 1];
    return mooni_fail(out->storage->ctx, MOON_ESHAPE,
                      "%s: %s and %s do not fit: shapes must be equal, or one a single element, a row, or a column "
                      "[r x 1]",
                      name, mooni_shape_text(s, a->rank, a->shape), mooni_shape_text(t, b->rank, b->shape));
  }
  MOONI_TRY(mooni_check_out(name, out, rank, shape));
  for (size_t k = 0; k < count; k++)
    if (o[k].step) MOONI_TRY(mooni_check_overlap(name, out, list[k], true));
  return MOON_OK;
}

/* ---- reading ---- */

/* Read a single element or a short row in advance. A short row is repeated until the buffer is full, so that narrow
** matrices have long loops too. */
static void prepare(operand *o) {
  if (!o->step) {
    o->buffer[0] = (float)moon_tensor_get(o->t, 0);
  } else if (o->period && o->period <= MOONI_CHUNK) {
    const float *row = mooni_floats(o->t, 0, o->period, o->buffer);
    if (row != o->buffer) memcpy(o->buffer, row, o->period * sizeof(float));
    for (size_t i = o->period; i < MOONI_CHUNK; i++) o->buffer[i] = o->buffer[i - o->period];
  }
}

/* How many elements of the operand can be read at once from element `at` on. A short row is always read from its
** beginning. */
static size_t reach(const operand *o, size_t at, size_t left) {
  size_t most = left;
  if (o->period > MOONI_CHUNK)
    most = o->period - at % o->period;
  else if (o->period)
    most = MOONI_CHUNK / o->period * o->period;
  bool buffered = o->repeat || (o->step && o->t->dtype == MOON_UINT8);
  if (buffered && most > MOONI_CHUNK) most = MOONI_CHUNK;
  return most < left ? most : left;
}

/* Elements at..at+n-1 of the result's shape, from a column. */
static const float *read_column(operand *o, size_t at, size_t n) {
  size_t row = at / o->repeat, end = o->repeat - at % o->repeat; /* where the row ends */
  for (size_t i = 0; i < n; end += o->repeat, row++) {
    float value = (float)moon_tensor_get(o->t, row);
    for (; i < n && i < end; i++) o->buffer[i] = value;
  }
  return o->buffer;
}

static const float *read_operand(operand *o, size_t at, size_t n) {
  if (!o->step || (o->period && o->period <= MOONI_CHUNK)) return o->buffer;
  if (o->repeat) return read_column(o, at, n);
  return mooni_floats(o->t, o->period ? at % o->period : at, n, o->buffer);
}

/* ---- two operands ---- */

static const mooni_binary *find_binary(const moon_ctx *ctx, const char *name) {
  for (const mooni_binary *f = ctx->k->binary; f->name; f++)
    if (strcmp(f->name, name) == 0) return f;
  return NULL;
}

static const char *binary_name(const void *ctx, size_t i) { return ((const moon_ctx *)ctx)->k->binary[i].name; }

moon_status moon_tensor_binary(moon_tensor *out, const char *name, const moon_tensor *a, const moon_tensor *b,
                               double alpha) {
  MOONI_IEEE;
  moon_ctx *ctx = out->storage->ctx;
  const mooni_binary *f = find_binary(ctx, name);
  operand o[2];
  o[0].t = a, o[1].t = b;
  if (!f) return mooni_unknown(ctx, "function", name, binary_name, ctx);
  MOONI_TRY(mooni_want_float(out, name));
  MOONI_TRY(prepare_shapes(out, name, o, 2));
  if (!out->numel) return MOON_OK;
  prepare(&o[0]);
  prepare(&o[1]);
  float *y = moon_tensor_float(out);
  for (size_t i = 0, n; i < out->numel; i += n) {
    n = reach(&o[0], i, out->numel - i);
    n = reach(&o[1], i, n);
    const float *x = read_operand(&o[0], i, n), *z = read_operand(&o[1], i, n);
    f->apply(y + i, x, o[0].step, z, o[1].step, n, (float)alpha);
  }
  return MOON_OK;
}

/* ---- three operands ---- */

moon_status moon_tensor_where(moon_tensor *out, const moon_tensor *condition, const moon_tensor *a,
                              const moon_tensor *b) {
  MOONI_IEEE;
  operand o[3];
  const float *x[3];
  o[0].t = condition, o[1].t = a, o[2].t = b;
  MOONI_TRY(mooni_want_float(out, "where"));
  MOONI_TRY(prepare_shapes(out, "where", o, 3));
  if (!out->numel) return MOON_OK;
  for (size_t k = 0; k < 3; k++) prepare(&o[k]);
  float *y = moon_tensor_float(out);
  for (size_t i = 0, n; i < out->numel; i += n) {
    n = out->numel - i;
    for (size_t k = 0; k < 3; k++) n = reach(&o[k], i, n);
    for (size_t k = 0; k < 3; k++) x[k] = read_operand(&o[k], i, n);
    for (size_t j = 0; j < n; j++) y[i + j] = x[0][j * o[0].step] != 0 ? x[1][j * o[1].step] : x[2][j * o[2].step];
  }
  return MOON_OK;
}
