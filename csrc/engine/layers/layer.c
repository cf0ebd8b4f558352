/* layer.c - what all layers have in common: options, parameters, making and releasing. */
#include "layer.h"

#include <stdio.h>
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/frozen.h"
#include "../core/memory.h"
#include "../core/registry.h"
#include "../kernels/table.h"

static void param_release(moon_ctx *ctx, mooni_param *p) {
  if (--p->refs) return;
  moon_tensor_release(p->value);
  moon_tensor_release(p->grad);
  mooni_frozen_release(p->frozen);
  mooni_free(ctx, p);
}

mooni_param *mooni_layer_new_param(moon_layer *layer, const char *name, bool buffer) {
  mooni_param *p = mooni_calloc(layer->ctx, 1, sizeof *p);
  if (!p) return NULL;
  p->refs = 1;
  p->name = name;
  p->owner = layer;
  layer->params[mooni_layer_tensors(layer)] = p;
  ++*(buffer ? &layer->buffer_count : &layer->param_count);
  return p;
}

/* After a failure the parameter is released with the layer. */
moon_status mooni_layer_add_param(moon_layer *layer, const char *name, int rank, const size_t *shape) {
  mooni_param *p = mooni_layer_new_param(layer, name, false);
  if (!p) return mooni_nomem(layer->ctx, sizeof *p);
  MOONI_TRY(moon_tensor_new(layer->ctx, &p->value, MOON_FLOAT32, rank, shape));
  return moon_tensor_new(layer->ctx, &p->grad, MOON_FLOAT32, rank, shape);
}

moon_status mooni_layer_add_buffer(moon_layer *layer, const char *name, int rank, const size_t *shape) {
  mooni_param *p = mooni_layer_new_param(layer, name, true);
  if (!p) return mooni_nomem(layer->ctx, sizeof *p);
  return moon_tensor_new(layer->ctx, &p->value, MOON_FLOAT32, rank, shape);
}

moon_status mooni_layer_tie_param(moon_layer *layer, mooni_param *param) {
  param->refs++;
  layer->borrowed[layer->param_count] = true;
  layer->params[layer->param_count++] = param;
  return MOON_OK;
}

moon_status moon_layer_new(moon_ctx *ctx, moon_layer **out, const char *kind, const moon_option *options,
                           size_t count) {
  MOONI_IEEE;
  const mooni_layer_class *class = mooni_find_layer(kind);
  if (!class) return mooni_unregistered(ctx, MOON_LAYERS, kind);
  void *object;
  MOONI_TRY(mooni_options_new(ctx, &object, class->size, class->name, class->options, options, count));
  moon_layer *layer = object;
  layer->refs = 1;
  layer->ctx = moon_ctx_retain(ctx);
  layer->class = class;
  moon_status status = class->init ? class->init(layer) : MOON_OK;
  if (status == MOON_OK)
    *out = layer;
  else
    moon_layer_release(layer);
  return status;
}

moon_layer *moon_layer_retain(moon_layer *layer) {
  layer->refs++;
  return layer;
}

void moon_layer_release(moon_layer *layer) {
  if (!layer || --layer->refs) return;
  moon_ctx *ctx = layer->ctx;
  for (size_t i = 0; i < mooni_layer_tensors(layer); i++) param_release(ctx, layer->params[i]);
  if (layer->class->finish) layer->class->finish(layer);
  mooni_free(ctx, layer);
  moon_ctx_release(ctx);
}

moon_ctx *moon_layer_ctx(const moon_layer *layer) { return layer->ctx; }
const char *moon_layer_kind(const moon_layer *layer) { return layer->class->name; }

moon_status moon_layer_width(const moon_layer *layer, size_t *out, size_t in) {
  const mooni_layer_class *class = layer->class;
  if (class->inputs && in != class->inputs(layer))
    return mooni_fail(layer->ctx, MOON_ESHAPE, "input is [* x %zu], expected [* x %zu]", in, class->inputs(layer));
  if (class->least && in < class->least(layer))
    return mooni_fail(layer->ctx, MOON_ESHAPE, "input is [* x %zu], expected [* x %zu] or wider", in,
                      class->least(layer));
  *out = class->outputs ? class->outputs(layer) : in;
  return MOON_OK;
}

moon_status moon_layer_get(const moon_layer *layer, const char *name, moon_option *value) {
  return mooni_options_get(layer->ctx, layer, layer->class->name, layer->class->options, name, value);
}

/* An option that the others do not allow gets its old value back. */
moon_status moon_layer_set(moon_layer *layer, const moon_option *value) {
  const mooni_layer_class *class = layer->class;
  moon_option before;
  MOONI_TRY(moon_layer_get(layer, value->name, &before));
  MOONI_TRY(mooni_options_set(layer->ctx, layer, class->name, class->options, value));
  moon_status status = class->check ? class->check(layer) : MOON_OK;
  if (status != MOON_OK) mooni_options_set(layer->ctx, layer, class->name, class->options, &before);
  return status;
}

bool moon_layer_parameter(const moon_layer *layer, size_t i, moon_parameter *parameter) {
  if (i >= mooni_layer_tensors(layer)) return false;
  const mooni_param *p = layer->params[i];
  *parameter = (moon_parameter){p->name, p->value, p->grad, i < layer->param_count && layer->borrowed[i]};
  return true;
}

bool moon_layer_trains(const moon_layer *layer, size_t i) {
  return i < layer->param_count && layer->params[i]->owner->trainable;
}

size_t mooni_layer_sums(const moon_layer *layer, mooni_round round) {
  return layer->class->sums ? layer->class->sums(layer, round) : 0;
}

char *mooni_layer_text(char *buffer, const moon_layer *layer) {
  const mooni_layer_class *class = layer->class;
  if (class->inputs)
    snprintf(buffer, MOONI_LAYER_TEXT, "%s %zu->%zu", class->name, class->inputs(layer), class->outputs(layer));
  else
    snprintf(buffer, MOONI_LAYER_TEXT, "%s", class->name);
  return buffer;
}

mooni_rng mooni_noise_stream(const mooni_pass *pass, size_t r) {
  enum {
    STREAMS = 1 << 20
  }; /* more than the grains of rows in a batch: otherwise a later draw would repeat the noise */
  mooni_rng rng;
  mooni_rng_seed(&rng, pass->seed, pass->draw * STREAMS + (pass->first + r) / MOONI_ROW_GRAIN);
  return rng;
}

void mooni_layer_backward_mask(moon_layer *layer, const mooni_pass *pass) {
  mooni_span rows = mooni_own_rows(pass);
  size_t at = rows.from * pass->in, n = mooni_length(rows) * pass->in;
  if (!pass->dx) return;
  layer->ctx->k->mul(pass->dy + at, pass->scratch + at, n);
  memcpy(pass->dx + at, pass->dy + at, n * sizeof(float));
}
