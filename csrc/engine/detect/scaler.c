/* scaler.c - an offset and a scale for each column, from one pass over the rows (the robust method: two). */
#include "scaler.h"

#include <math.h>
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/names.h"
#include "../core/ops.h"
#include "../core/tensor.h"
#include "../net/dataset.h"
#include "quantiles.h"

typedef enum method { STANDARD, MINMAX, ROBUST } method;
static const char *const methods[] = {"standard", "minmax", "robust"};

/* What is known of each column, all [width]. Deviations are from `first + mean`: taking off the first number is exact,
** so that a column far from zero loses no digits. `sum` and `squares` are of the rows since the last fold. */
typedef struct sums {
  double *count, *first, *mean, *variation, *sum, *squares, *low, *high;
} sums;
enum { SUMS = sizeof(sums) / sizeof(double *), RESULTS = 3 };

struct moon_scaler {
  size_t refs;
  moon_ctx *ctx;
  size_t width;
  method method;
  size_t rows, again;         /* how many rows the first pass has had, and the second */
  bool second, strange, done; /* strange: the second pass has had another row than the first */
  mooni_quantiles *quantiles; /* ROBUST, until it is done */
  sums s;
  double *offset, *scale, *inverse;
  float *block; /* [block_rows x width] */
  size_t block_rows;
  double *numbers; /* all of the above */
};

/* ---- making ---- */

static const char *method_name(const void *list, size_t i) {
  return i < MOONI_COUNT(methods) ? ((const char *const *)list)[i] : NULL;
}

static moon_status find_method(moon_ctx *ctx, method *out, const char *name) {
  for (size_t i = 0; i < MOONI_COUNT(methods); i++) {
    if (strcmp(name, methods[i]) != 0) continue;
    *out = (method)i;
    return MOON_OK;
  }
  return mooni_unknown(ctx, "method of a scaler", name, method_name, methods);
}

static moon_status allocate(moon_scaler *s) {
  enum { BLOCK = 4096 };
  size_t width = s->width, bytes = 0;
  s->block_rows = width < BLOCK ? BLOCK / width : 1;
  if (mooni_mul(&bytes, width, (SUMS + RESULTS) * sizeof(double)))
    s->numbers = mooni_calloc(s->ctx, (SUMS + RESULTS) * width, sizeof(double));
  if (s->numbers) s->block = mooni_calloc(s->ctx, s->block_rows * width, sizeof *s->block);
  if (!s->block) return mooni_nomem(s->ctx, bytes + s->block_rows * width * sizeof *s->block);
  double **const parts[] = {&s->s.count, &s->s.first, &s->s.mean, &s->s.variation, &s->s.sum,  &s->s.squares,
                            &s->s.low,   &s->s.high,  &s->offset, &s->scale,       &s->inverse};
  for (size_t i = 0; i < MOONI_COUNT(parts); i++) *parts[i] = s->numbers + i * width;
  for (size_t j = 0; j < width; j++) {
    s->s.first[j] = NAN;
    s->s.low[j] = INFINITY;
    s->s.high[j] = -INFINITY;
  }
  return s->method == ROBUST ? mooni_quantiles_new(s->ctx, &s->quantiles, width) : MOON_OK;
}

moon_status moon_scaler_new(moon_ctx *ctx, moon_scaler **out, const char *name, size_t width) {
  method m = STANDARD;
  MOONI_TRY(find_method(ctx, &m, name));
  if (!width) return mooni_fail(ctx, MOON_ESHAPE, "scaler: width is 0, expected at least 1");
  moon_scaler *s = mooni_calloc(ctx, 1, sizeof *s);
  if (!s) return mooni_nomem(ctx, sizeof *s);
  *s = (moon_scaler){.refs = 1, .ctx = moon_ctx_retain(ctx), .width = width, .method = m};
  moon_status status = allocate(s);
  if (status == MOON_OK)
    *out = s;
  else
    moon_scaler_release(s);
  return status;
}

moon_scaler *moon_scaler_retain(moon_scaler *s) {
  s->refs++;
  return s;
}

void moon_scaler_release(moon_scaler *s) {
  if (!s || --s->refs) return;
  moon_ctx *ctx = s->ctx;
  mooni_quantiles_free(s->quantiles);
  mooni_free(ctx, s->block);
  mooni_free(ctx, s->numbers);
  mooni_free(ctx, s);
  moon_ctx_release(ctx);
}

/* ---- taking rows ---- */

/* After so many rows, counted from the first one of all, the sums are folded: so the bits do not depend on how the rows
** came in blocks. */
enum { FOLD = 256 };

/* Put the sums into mean and variation (the sum of squared deviations from the mean): after Chan, Golub and LeVeque
** 1983, Algorithms for computing the sample variance, The American Statistician 37. */
static void fold(moon_scaler *s) {
  sums *t = &s->s;
  for (size_t j = 0; j < s->width; j++) {
    if (t->count[j] == 0) continue;
    double step = t->sum[j] / t->count[j];
    t->mean[j] += step;
    t->variation[j] += t->squares[j] - t->sum[j] * step;
    t->sum[j] = t->squares[j] = 0;
  }
}

static void add_row(moon_scaler *s, const float *row) {
  const sums t = s->s;
  for (size_t j = 0; j < s->width; j++) {
    double v = row[j], d;
    bool there = !isnan(v);
    if (isnan(t.first[j])) t.first[j] = v;
    d = there ? v - t.first[j] - t.mean[j] : 0;
    t.count[j] += there;
    t.sum[j] += d;
    t.squares[j] += d * d;
    if (v < t.low[j]) t.low[j] = v;
    if (v > t.high[j]) t.high[j] = v;
  }
  if (++s->rows % FOLD == 0) fold(s);
}

static void take_block(moon_scaler *s, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const float *row = s->block + i * s->width;
    if (s->quantiles && !mooni_quantiles_add(s->quantiles, row)) s->strange = true;
    if (s->second)
      s->again++;
    else
      add_row(s, row);
  }
}

/* Whatever can fail, before anything is counted. */
static moon_status check_block(moon_scaler *s, size_t first, size_t count) {
  size_t before = s->second ? s->again : s->rows;
  for (size_t i = 0; i < count; i++) {
    const float *row = s->block + i * s->width;
    for (size_t j = 0; j < s->width; j++)
      if (isinf(row[j]))
        return mooni_fail(s->ctx, MOON_ERANGE,
                          "scaler: row %zu, column %zu is %s, expected numbers, or NaN where one is missing",
                          before + first + i + 1, j + 1, row[j] < 0 ? "-inf" : "inf");
    if (s->quantiles) MOONI_TRY(mooni_quantiles_plan(s->quantiles, row));
  }
  return MOON_OK;
}

/* Read rows first..first+count-1 of x into the block. */
static size_t read_block(moon_scaler *s, const moon_tensor *x, size_t first) {
  size_t count = x->shape[0] - first < s->block_rows ? x->shape[0] - first : s->block_rows;
  mooni_gather(s->ctx, mooni_columns_of(s->block, count, s->width, false, 0, 1), x, NULL, first, count, 255);
  return count;
}

static moon_status check_rows(const moon_scaler *s, const char *what, const char *name, const moon_tensor *x) {
  char text[MOONI_SHAPE_TEXT];
  if (x->rank == 2 && x->shape[1] == s->width) return MOON_OK;
  return mooni_fail(s->ctx, MOON_ESHAPE, "%s: %s is %s, expected [rows x %zu]", what, name, mooni_tensor_text(text, x),
                    s->width);
}

moon_status moon_scaler_add(moon_scaler *s, const moon_tensor *x) {
  MOONI_IEEE;
  if (s->done) return mooni_fail(s->ctx, MOON_ESTATE, "scaler: it is finished, expected a new one for other rows");
  MOONI_TRY(check_rows(s, "scaler", "x", x));
  MOONI_TRY(mooni_interrupted(s->ctx));
  for (size_t first = 0, count; first < x->shape[0]; first += count) {
    count = read_block(s, x, first);
    MOONI_TRY(check_block(s, first, count));
  }
  for (size_t first = 0, count; first < x->shape[0]; first += count) {
    count = read_block(s, x, first);
    take_block(s, count);
  }
  return MOON_OK;
}

/* ---- the result ---- */

static double deviation(const moon_scaler *s, size_t j) {
  double variance = s->s.variation[j] / s->s.count[j];
  return variance > 0 ? sqrt(variance) : 0;
}

/* The interquartile range of a normal distribution is 1.349 deviations. */
static void robust(const moon_scaler *s, size_t j, double *offset, double *scale) {
  double quarters[MOONI_QUARTERS];
  mooni_quantiles_of(s->quantiles, j, quarters);
  *offset = quarters[1];
  *scale = (quarters[2] - quarters[0]) / 1.349;
  if (!(*scale > 0)) *scale = deviation(s, j);
}

static void set_column(moon_scaler *s, size_t j) {
  double offset = 0, scale = 0, low = s->s.low[j], high = s->s.high[j];
  if (s->s.count[j] == 0) {
    s->s.low[j] = s->s.high[j] = NAN;
  } else if (s->method == MINMAX) {
    offset = low;
    scale = high - low;
  } else if (s->method == ROBUST) {
    robust(s, j, &offset, &scale);
  } else {
    offset = s->s.first[j] + s->s.mean[j];
    scale = deviation(s, j);
  }
  s->offset[j] = offset;
  s->scale[j] = scale > 0 ? scale : 1;
  s->inverse[j] = 1 / s->scale[j];
}

moon_status moon_scaler_finish(moon_scaler *s, bool *again) {
  MOONI_IEEE;
  if (s->done) return mooni_fail(s->ctx, MOON_ESTATE, "scaler: it is finished already");
  if (!s->rows) return mooni_fail(s->ctx, MOON_ESTATE, "scaler: no rows came, expected at least one");
  if (s->quantiles && !s->second) {
    MOONI_TRY(mooni_quantiles_second(s->quantiles));
    *again = s->second = true;
    return MOON_OK;
  }
  if (s->second && s->again != s->rows)
    return mooni_fail(s->ctx, MOON_ESTATE, "scaler: the second pass has had %zu rows, expected the first one's %zu",
                      s->again, s->rows);
  if (s->second && (s->strange || !mooni_quantiles_complete(s->quantiles)))
    return mooni_fail(s->ctx, MOON_ESTATE,
                      "scaler: the second pass has had other rows than the first, expected the "
                      "same ones");
  fold(s);
  for (size_t j = 0; j < s->width; j++) set_column(s, j);
  mooni_quantiles_free(s->quantiles);
  s->quantiles = NULL;
  s->done = true;
  *again = false;
  return MOON_OK;
}

const char *moon_scaler_method(const moon_scaler *s) { return methods[s->method]; }
size_t moon_scaler_width(const moon_scaler *s) { return s->width; }
const double *moon_scaler_offset(const moon_scaler *s) { return s->done ? s->offset : NULL; }
const double *moon_scaler_scale(const moon_scaler *s) { return s->done ? s->scale : NULL; }
const double *moon_scaler_low(const moon_scaler *s) { return s->done ? s->s.low : NULL; }
const double *moon_scaler_high(const moon_scaler *s) { return s->done ? s->s.high : NULL; }
size_t moon_scaler_count(const moon_scaler *s, size_t column) { return (size_t)s->s.count[column]; }

/* ---- using it ---- */

void mooni_scale(float *z, const float *x, size_t rows, size_t width, const double *offset, const double *inverse) {
  for (size_t i = 0; i < rows; i++, z += width, x += width)
    for (size_t j = 0; j < width; j++) z[j] = (float)((x[j] - offset[j]) * inverse[j]);
}

void mooni_unscale(float *x, const float *z, size_t rows, size_t width, const double *offset, const double *scale) {
  for (size_t i = 0; i < rows; i++, x += width, z += width)
    for (size_t j = 0; j < width; j++) x[j] = (float)(z[j] * scale[j] + offset[j]);
}

static moon_status check_use(const moon_scaler *s, const char *what, const moon_tensor *out, const moon_tensor *in) {
  if (!s->done) return mooni_fail(s->ctx, MOON_ESTATE, "%s: the scaler has not been finished", what);
  MOONI_TRY(check_rows(s, what, "the input", in));
  MOONI_TRY(mooni_want_float(out, what));
  MOONI_TRY(mooni_check_out(what, out, 2, in->shape));
  return mooni_check_overlap(what, out, in, true);
}

moon_status moon_scaler_apply(const moon_scaler *s, moon_tensor *z, const moon_tensor *x) {
  MOONI_IEEE;
  MOONI_TRY(check_use(s, "apply", z, x));
  size_t rows = x->shape[0];
  float *to = moon_tensor_float(z);
  if (to != moon_tensor_float(x))
    mooni_gather(s->ctx, mooni_columns_of(to, rows, s->width, false, 0, 1), x, NULL, 0, rows, 255);
  mooni_scale(to, to, rows, s->width, s->offset, s->inverse);
  return MOON_OK;
}

moon_status moon_scaler_invert(const moon_scaler *s, moon_tensor *x, const moon_tensor *z) {
  MOONI_IEEE;
  MOONI_TRY(check_use(s, "invert", x, z));
  MOONI_TRY(mooni_want_float(z, "invert"));
  mooni_unscale(moon_tensor_float(x), moon_tensor_float(z), z->shape[0], s->width, s->offset, s->scale);
  return MOON_OK;
}
