/* loss.c - what all losses have in common. The formulas are in kernels/mse.c, bce.c, ... */
#include "loss.h"

#include <math.h>
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/registry.h"
#include "../core/tensor.h"
#include "../kernels/table.h"
#include "heads.h"

moon_status moon_loss_new(moon_ctx *ctx, moon_loss **out, const char *kind, const moon_option *options, size_t count) {
  const mooni_loss_class *class = mooni_find_loss(ctx, kind);
  if (!class) return mooni_unregistered(ctx, MOON_LOSSES, kind);
  void *object;
  MOONI_TRY(mooni_options_new(ctx, &object, class->size, class->name, class->options, options, count));
  moon_loss *loss = object;
  loss->refs = 1;
  loss->ctx = moon_ctx_retain(ctx);
  loss->class = class;
  *out = loss;
  return MOON_OK;
}

moon_loss *moon_loss_retain(moon_loss *loss) {
  loss->refs++;
  return loss;
}

void moon_loss_release(moon_loss *loss) {
  if (!loss || --loss->refs) return;
  moon_ctx *ctx = loss->ctx;
  if (loss->class->finish) loss->class->finish(loss);
  mooni_free(ctx, loss);
  moon_ctx_release(ctx);
}

moon_ctx *moon_loss_ctx(const moon_loss *loss) { return loss->ctx; }
const char *moon_loss_kind(const moon_loss *loss) { return loss->class->name; }

moon_status moon_loss_get(const moon_loss *loss, const char *name, moon_option *value) {
  return mooni_options_get(loss->ctx, loss, loss->class->name, loss->class->options, name, value);
}

double mooni_loss_scale(const moon_loss *loss, size_t rows, size_t width) {
  switch (loss->reduction[0]) {
    case 's': return 1;
    case 'm': return 1 / ((double)rows * (double)width);
    default: return 1 / (double)rows; /* batchmean, or a rowwise loss, which has no choice */
  }
}

bool mooni_loss_is_mean(const moon_loss *loss) { return loss->reduction[0] == 'm'; }

bool mooni_loss_fuses(const moon_loss *loss, const char *name) {
  return name && loss->class->fuses && !loss->from_logits && strcmp(loss->class->fuses, name) == 0;
}

float mooni_target_scale(const moon_loss *loss) { return loss->class->takes_labels ? 1 : 255; }

bool mooni_are_labels(const moon_loss *loss, const moon_tensor *t, size_t width) {
  return loss->class->takes_labels && (t->rank == 1 || (t->rank == 2 && t->shape[1] == 1 && width > 1));
}

moon_status mooni_read_labels(uint32_t *out, const moon_tensor *t, size_t column, const uint32_t *order, size_t first,
                              size_t count, size_t classes) {
  size_t step = mooni_row_step(t);
  for (size_t i = 0; i < count; i++) {
    size_t row = order ? order[first + i] : first + i;
    double c = moon_tensor_get(t, row * step + column);
    if (!(c >= 0 && c < (double)classes) || c != floor(c))
      return mooni_fail(t->storage->ctx, MOON_ERANGE,
                        "target of row %zu is class %g, expected a whole number of 0 to %zu", row + 1, c, classes - 1);
    if (out) out[i] = (uint32_t)c;
  }
  return MOON_OK;
}

moon_status mooni_check_weights(moon_ctx *ctx, const moon_tensor *w, size_t rows) {
  char text[MOONI_SHAPE_TEXT];
  const float *floats = moon_tensor_float(w);
  if (w->rank != 1 || w->shape[0] != rows || !floats)
    return mooni_fail(ctx, MOON_ESHAPE, "weights: got %s, expected [%zu] float32, one for each row",
                      mooni_tensor_text(text, w), rows);
  for (size_t i = 0; i < rows; i++)
    if (!(floats[i] >= 0 && floats[i] < INFINITY))
      return mooni_fail(ctx, MOON_ERANGE, "weights: row %zu has %g, expected a finite number of at least 0", i + 1,
                        (double)floats[i]);
  return MOON_OK;
}

/* Rows of one weight go together, in one call: if all weights are 1, the bits are those without weights. */
double mooni_loss_of_rows(mooni_loss_fn *apply, const moon_loss *loss, float *grad, const float *p, mooni_target t,
                          size_t rows, size_t width, size_t stride, double scale, unsigned logits) {
  const float *weights = t.weights;
  if (!weights) return apply(loss, grad, p, t, rows, width, stride, scale, logits);
  double sum = 0;
  for (size_t row = 0, end; row < rows; row = end) {
    for (end = row + 1; end < rows && weights[end] == weights[row];) end++;
    mooni_target some = {.values = t.values ? t.values + row * t.stride : NULL,
                         .labels = t.labels ? t.labels + row : NULL,
                         .stride = t.stride,
                         .batch = t.batch};
    sum += apply(loss, grad ? grad + row * stride : NULL, p + row * stride, some, end - row, width, stride,
                 scale * (double)weights[row], logits);
  }
  return sum;
}

static moon_status shape_error(const moon_loss *loss, const moon_tensor *prediction, const moon_tensor *target) {
  char p[MOONI_SHAPE_TEXT], t[MOONI_SHAPE_TEXT];
  return mooni_fail(loss->ctx, MOON_ESHAPE, "%s: target is %s, expected %s as the prediction", loss->class->name,
                    mooni_tensor_text(t, target), mooni_tensor_text(p, prediction));
}

moon_status moon_loss_apply(const moon_loss *loss, double *value, moon_tensor *grad, const moon_tensor *prediction,
                            const moon_tensor *target) {
  return moon_loss_apply_rows(loss, value, grad, prediction, target, NULL);
}

/* prediction [rows x width]: rank 1 is one column, any other rank is rows of all the rest. */
moon_status moon_loss_apply_rows(const moon_loss *loss, double *value, moon_tensor *grad, const moon_tensor *prediction,
                                 const moon_tensor *target, const moon_tensor *weights) {
  MOONI_IEEE;
  moon_ctx *ctx = loss->ctx;
  size_t rows = mooni_rows(prediction), width = mooni_width(prediction);
  MOONI_TRY(mooni_want_float(prediction, loss->class->name));
  if (!rows || !width) return mooni_fail(ctx, MOON_ESHAPE, "%s: the prediction has no elements", loss->class->name);
  if (grad && (!moon_tensor_same_shape(grad, prediction) || grad->dtype != MOON_FLOAT32))
    return mooni_fail(ctx, MOON_ESHAPE, "%s: the gradient must have the prediction's shape", loss->class->name);
  if (grad) MOONI_TRY(mooni_want_writable(grad, loss->class->name));
  if (mooni_heads_of(loss)) {
    moon_status ready = weights ? mooni_check_weights(ctx, weights, rows) : MOON_OK;
    if (ready == MOON_OK)
      ready = mooni_heads_apply_rows(mooni_heads_of(loss), value, grad, prediction, target, weights);
    return ready == MOON_OK ? MOON_OK : mooni_prepend(ctx, ready, "heads: ");
  }
  bool labels = mooni_are_labels(loss, target, width);
  if (labels ? mooni_rows(target) != rows : !moon_tensor_same_shape(target, prediction))
    return shape_error(loss, prediction, target);
  moon_status status = weights ? mooni_check_weights(ctx, weights, rows) : MOON_OK;
  if (status != MOON_OK) return mooni_prepend(ctx, status, "%s: ", loss->class->name);

  mooni_target t = {.values = moon_tensor_float(target), .stride = width};
  void *scratch = NULL;
  if (labels || !t.values) {
    scratch = mooni_calloc(ctx, labels ? rows : rows * width, sizeof(float));
    if (!scratch) return mooni_nomem(ctx, rows * width * sizeof(float));
    if (labels)
      status = mooni_read_labels(scratch, target, 0, NULL, 0, rows, width);
    else
      ctx->k->from_bytes(scratch, moon_tensor_byte(target), rows * width, mooni_target_scale(loss));
    t = labels ? (mooni_target){.labels = scratch} : (mooni_target){.values = scratch, .stride = width};
  }
  if (status == MOON_OK) {
    t.weights = weights ? moon_tensor_float(weights) : NULL;
    double v = mooni_loss_of_rows(loss->class->apply, loss, grad ? moon_tensor_float(grad) : NULL,
                                  moon_tensor_float(prediction), t, rows, width, width,
                                  mooni_loss_scale(loss, rows, width), loss->from_logits);
    if (value) *value = v;
  } else {
    mooni_prepend(ctx, status, "%s: ", loss->class->name);
  }
  mooni_free(ctx, scratch);
  return status;
}
