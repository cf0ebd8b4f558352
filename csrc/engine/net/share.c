/* share.c - copies of nets: shares, with the weights of one net in several contexts, so that several threads predict
** with one copy of them; and clones, with weights of their own.
**
** A context's memory cannot be shared: its allocator may be a Lua state's, which no other thread may call and which
** ends with that state. So what is shared is a copy, made once, in memory of no context (malloc), never written to
** again and counted atomically: whichever thread lets go of it last frees it. All else of a share, its layers and its
** buffers, is its own context's. The parameter that was copied keeps the copy for the next share, which compares the
** two first, since the original may have been trained meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "net.h"

/* ---- frozen values ---- */

struct mooni_frozen {
  atomic_size_t refs;
  size_t bytes;
  float *value;
  float *grad; /* zeros, so that every parameter has a gradient; from calloc, which for large ones costs no memory */
};

static mooni_frozen *frozen_new(const moon_tensor *t) {
  enum { ALIGNMENT = 64 };
  size_t bytes = moon_tensor_bytes(t);
  mooni_frozen *f = malloc(sizeof *f);
  if (!f) return NULL;
  atomic_init(&f->refs, 1);
  f->bytes = bytes;
  f->value = aligned_alloc(ALIGNMENT, bytes / ALIGNMENT * ALIGNMENT + ALIGNMENT);
  f->grad = calloc(1, bytes + 1);
  if (f->value && f->grad) {
    memcpy(f->value, moon_tensor_data(t), bytes);
    return f;
  }
  mooni_frozen_release(f);
  return NULL;
}

static mooni_frozen *frozen_retain(mooni_frozen *f) {
  atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
  return f;
}

void mooni_frozen_release(mooni_frozen *f) {
  if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1) return;
  free(f->value);
  free(f->grad);
  free(f);
}

static void release(void *ud) { mooni_frozen_release(ud); }

/* The frozen copy of a parameter's present value, retained; NULL without memory. A share's is only read here, so that
** others may share, or predict with, the same one meanwhile. */
static mooni_frozen *freeze(mooni_param *p) {
  mooni_frozen *f = p->value->storage->frozen;
  if (f) return frozen_retain(f);
  if (!p->frozen || memcmp(p->frozen->value, moon_tensor_data(p->value), p->frozen->bytes) != 0) {
    f = frozen_new(p->value);
    if (!f) return NULL;
    mooni_frozen_release(p->frozen);
    p->frozen = f;
  }
  return frozen_retain(p->frozen);
}

/* A tensor of ctx, of t's shape, on data of f. */
static moon_status frozen_tensor(moon_ctx *ctx, moon_tensor **out, const moon_tensor *t, float *data, mooni_frozen *f) {
  MOONI_TRY(moon_tensor_wrap(ctx, out, MOON_FLOAT32, t->rank, t->shape, data, release, f));
  (*out)->storage->frozen = frozen_retain(f);
  return MOON_OK;
}

bool moon_tensor_frozen(const moon_tensor *t) { return t->storage->frozen != NULL; }

moon_status mooni_want_writable(const moon_tensor *t, const char *what) {
  if (!t->storage->frozen) return MOON_OK;
  return mooni_fail(t->storage->ctx, MOON_ESTATE,
                    "%s: the result is a parameter that other contexts share (moon_net_share), which is read-only",
                    what);
}

/* ---- layers ---- */

/* The layers that were met so far, and what has become of each. */
typedef struct pair {
  const moon_layer *from;
  moon_layer *to;
} pair;

typedef moon_status give_param(moon_layer *layer, mooni_param *from);

typedef struct sharing {
  moon_ctx *ctx;
  give_param *give; /* puts what becomes of a parameter into the layer */
  pair *pairs;
  size_t count;
} sharing;

static moon_status share_param(moon_layer *layer, mooni_param *from) {
  moon_ctx *ctx = layer->ctx;
  mooni_param *p = mooni_layer_new_param(layer, from->name);
  if (!p) return mooni_nomem(ctx, sizeof *p);
  mooni_frozen *f = freeze(from);
  if (!f) return mooni_nomem(ctx, 2 * moon_tensor_bytes(from->value));
  moon_status status = frozen_tensor(ctx, &p->value, from->value, f->value, f);
  if (status == MOON_OK) status = frozen_tensor(ctx, &p->grad, from->value, f->grad, f);
  mooni_frozen_release(f);
  return status;
}

static moon_status clone_param(moon_layer *layer, mooni_param *from) {
  MOONI_TRY(mooni_layer_add_param(layer, from->name, from->value->rank, from->value->shape));
  const mooni_param *p = layer->params[layer->param_count - 1];
  MOONI_TRY(moon_tensor_copy(p->value, from->value));
  return moon_tensor_copy(p->grad, from->grad);
}

/* What has become of a parameter that a layer owns; NULL if that has not been met. */
static mooni_param *find_param(const sharing *s, const mooni_param *from) {
  for (size_t i = 0; i < s->count; i++)
    for (size_t j = 0; j < s->pairs[i].to->param_count; j++)
      if (s->pairs[i].from->params[j] == from) return s->pairs[i].to->params[j];
  return NULL;
}

static moon_status share_params(const sharing *s, moon_layer *layer, const moon_layer *from) {
  for (size_t i = 0; i < from->param_count; i++) {
    mooni_param *p = from->borrowed[i] ? find_param(s, from->params[i]) : NULL;
    MOONI_TRY(p ? mooni_layer_share_param(layer, p) : s->give(layer, from->params[i]));
  }
  return MOON_OK;
}

static moon_layer **layer_option(moon_layer *layer, const mooni_option_spec *o) {
  return (moon_layer **)(void *)((char *)layer + o->offset);
}

/* The layer without its parameters. Options are values, but for layers. The count of references is left alone: it may
** be another thread's. */
static moon_layer *copy_options(moon_ctx *ctx, const moon_layer *from) {
  const mooni_layer_class *class = from->class;
  moon_layer *layer = mooni_calloc(ctx, 1, class->size);
  if (!layer) return NULL;
  memcpy(layer + 1, from + 1, class->size - sizeof *layer);
  layer->refs = 1;
  layer->ctx = moon_ctx_retain(ctx);
  layer->class = class;
  layer->seed = from->seed;
  for (const mooni_option_spec *o = class->options; o && o->name; o++)
    if (o->kind == MOON_LAYER) *layer_option(layer, o) = NULL;
  return layer;
}

/* *out is not retained: the pairs own what is made. */
static moon_status share_layer(sharing *s, moon_layer **out, const moon_layer *from) {
  for (size_t i = 0; i < s->count; i++)
    if (s->pairs[i].from == from) return *out = s->pairs[i].to, MOON_OK;
  moon_layer *layer = copy_options(s->ctx, from);
  if (!layer) return mooni_nomem(s->ctx, from->class->size);
  s->pairs[s->count++] = (pair){from, layer};
  for (const mooni_option_spec *o = from->class->options; o && o->name; o++) {
    moon_layer *named = o->kind == MOON_LAYER ? *layer_option((moon_layer *)(uintptr_t)from, o) : NULL;
    if (!named) continue;
    MOONI_TRY(share_layer(s, &named, named));
    *layer_option(layer, o) = moon_layer_retain(named);
  }
  *out = layer;
  return share_params(s, layer, from);
}

/* ---- nets ---- */

static moon_status copy_net(const moon_net *net, moon_ctx *ctx, moon_net **out, give_param *give) {
  size_t count = net->count;
  moon_layer **layers = mooni_calloc(ctx, count, sizeof *layers);
  /* Each layer, and the one it is tied to, which may stand outside the net and is not tied itself. */
  sharing s = {ctx, give, mooni_calloc(ctx, 2 * count, sizeof *s.pairs), 0};
  moon_status status = layers && s.pairs ? MOON_OK : mooni_nomem(ctx, 2 * count * sizeof *s.pairs);
  for (size_t i = 0; status == MOON_OK && i < count; i++) status = share_layer(&s, &layers[i], net->layers[i]);
  if (status == MOON_OK) status = moon_net_new(ctx, out, layers, count);
  for (size_t i = 0; status == MOON_OK && i < count; i++) (*out)->slots[i].seed = net->slots[i].seed;
  if (status == MOON_OK) (*out)->encoder = net->encoder;
  while (s.count) moon_layer_release(s.pairs[--s.count].to);
  mooni_free(ctx, s.pairs);
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
