/* copy.c - copies of nets. A share (moon_net_share) is a net of another context with the same weights, so that several
** threads predict with one copy of them. A clone has its own weights.
**
** The weights of a share are frozen (core/frozen.c); its layers and buffers belong to its context. The original
** parameter keeps the frozen copy for the next share, which compares the two first: the original may have been trained
** meanwhile. */
#include <string.h>

#include "../core/error.h"
#include "../core/frozen.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "net.h"

/* ---- layers ---- */

/* A layer and its copy. */
typedef struct pair {
  const moon_layer *from;
  moon_layer *to;
} pair;

/* Add a copy of the parameter to the layer. */
typedef moon_status copy_param(moon_layer *layer, mooni_param *from);

typedef struct copying {
  moon_ctx *ctx;
  copy_param *copy;
  pair *pairs; /* the layers copied so far */
  size_t count;
} copying;

static moon_status share_param(moon_layer *layer, mooni_param *from) {
  moon_ctx *ctx = layer->ctx;
  mooni_param *p = mooni_layer_new_param(layer, from->name, !from->grad);
  if (!p) return mooni_nomem(ctx, sizeof *p);
  mooni_frozen *f = mooni_freeze(from->value, &from->frozen);
  if (!f) return mooni_nomem(ctx, 2 * moon_tensor_bytes(from->value));
  moon_status status = mooni_frozen_tensors(ctx, &p->value, from->grad ? &p->grad : NULL, from->value, f);
  mooni_frozen_release(f);
  return status;
}

static moon_status clone_param(moon_layer *layer, mooni_param *from) {
  int rank = from->value->rank;
  const size_t *shape = from->value->shape;
  MOONI_TRY(from->grad ? mooni_layer_add_param(layer, from->name, rank, shape)
                       : mooni_layer_add_buffer(layer, from->name, rank, shape));
  const mooni_param *p = layer->params[mooni_layer_tensors(layer) - 1];
  MOONI_TRY(moon_tensor_copy(p->value, from->value));
  return from->grad ? moon_tensor_copy(p->grad, from->grad) : MOON_OK;
}

/* The copy of a parameter that another layer owns; NULL if that layer has not been copied. */
static mooni_param *find_param(const copying *c, const mooni_param *from) {
  for (size_t i = 0; i < c->count; i++)
    for (size_t j = 0; j < c->pairs[i].to->param_count; j++)
      if (c->pairs[i].from->params[j] == from) return c->pairs[i].to->params[j];
  return NULL;
}

static moon_status copy_params(const copying *c, moon_layer *layer, const moon_layer *from) {
  for (size_t i = 0; i < mooni_layer_tensors(from); i++) {
    mooni_param *p = i < from->param_count && from->borrowed[i] ? find_param(c, from->params[i]) : NULL;
    MOONI_TRY(p ? mooni_layer_tie_param(layer, p) : c->copy(layer, from->params[i]));
  }
  return MOON_OK;
}

static moon_layer **layer_option(moon_layer *layer, const mooni_option_spec *o) {
  return (moon_layer **)(void *)((char *)layer + o->offset);
}

/* The layer without its parameters. Options are plain values, except those that name a layer. The original's reference
** count is left alone: it may belong to another thread. */
static moon_layer *copy_options(moon_ctx *ctx, const moon_layer *from) {
  const mooni_layer_class *class = from->class;
  moon_layer *layer = mooni_calloc(ctx, 1, class->size);
  if (!layer) return NULL;
  memcpy(layer + 1, from + 1, class->size - sizeof *layer);
  layer->refs = 1;
  layer->ctx = moon_ctx_retain(ctx);
  layer->class = class;
  layer->seed = from->seed;
  layer->trainable = from->trainable;
  for (const mooni_option_spec *o = class->options; o && o->name; o++)
    if (o->kind == MOON_LAYER) *layer_option(layer, o) = NULL;
  return layer;
}

/* *out is not retained: the pairs own the copies. */
static moon_status copy_layer(copying *c, moon_layer **out, const moon_layer *from) {
  for (size_t i = 0; i < c->count; i++)
    if (c->pairs[i].from == from) return *out = c->pairs[i].to, MOON_OK;
  moon_layer *layer = copy_options(c->ctx, from);
  if (!layer) return mooni_nomem(c->ctx, from->class->size);
  c->pairs[c->count++] = (pair){from, layer};
  for (const mooni_option_spec *o = from->class->options; o && o->name; o++) {
    moon_layer *named = o->kind == MOON_LAYER ? *layer_option((moon_layer *)(uintptr_t)from, o) : NULL;
    if (!named) continue;
    MOONI_TRY(copy_layer(c, &named, named));
    *layer_option(layer, o) = moon_layer_retain(named);
  }
  *out = layer;
  return copy_params(c, layer, from);
}

/* ---- nets ---- */

static moon_status copy_net(const moon_net *net, moon_ctx *ctx, moon_net **out, copy_param *copy) {
  size_t count = net->count;
  moon_layer **layers = mooni_calloc(ctx, count, sizeof *layers);
  /* pairs: for each layer, and for the one it is tied to, which may be outside the net and is not tied itself */
  copying c = {ctx, copy, mooni_calloc(ctx, 2 * count, sizeof *c.pairs), 0};
  moon_status status = layers && c.pairs ? MOON_OK : mooni_nomem(ctx, 2 * count * sizeof *c.pairs);
  for (size_t i = 0; status == MOON_OK && i < count; i++) status = copy_layer(&c, &layers[i], net->layers[i]);
  if (status == MOON_OK) status = moon_net_new(ctx, out, layers, count);
  for (size_t i = 0; status == MOON_OK && i < count; i++) (*out)->places[i].seed = net->places[i].seed;
  if (status == MOON_OK) (*out)->encoder = net->encoder;
  while (c.count) moon_layer_release(c.pairs[--c.count].to);
  mooni_free(ctx, c.pairs);
  mooni_free(ctx, layers);
  return status;
}

moon_status moon_net_share(const moon_net *net, moon_ctx *ctx, moon_net **out) {
  return copy_net(net, ctx, out, share_param);
}

moon_status moon_net_clone(const moon_net *net, moon_net **out) {
  MOONI_TRY(copy_net(net, net->ctx, out, clone_param));
  (*out)->draw = net->draw;
  return MOON_OK;
}
