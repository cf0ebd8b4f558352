/* net.c - a net as a stack of layers: making it, slices, parameters. run.c runs a batch through it. */
#include "net.h"

#include "../core/error.h"
#include "../core/memory.h"
#include "../core/rng.h"
#include "../core/tensor.h"
#include "branches.h"
#include "ranks.h"

/* ---- making a net ---- */

moon_status mooni_in_layer(const moon_net *net, size_t i, moon_status status) {
  char text[MOONI_LAYER_TEXT];
  if (status == MOON_OK) return status;
  return mooni_prepend(net->ctx, status, "in layer %zu (%s): ", i + 1, mooni_layer_text(text, net->layers[i]));
}

static moon_status set_branch_widths(moon_net *net, size_t in) {
  size_t out;
  MOONI_TRY(mooni_branches_width(net, &out, in));
  for (size_t i = net->count; i--; out = net->links[i].in) {
    net->places[i].in = net->links[i].in;
    net->places[i].out = out;
  }
  return MOON_OK;
}

moon_status mooni_set_widths(moon_net *net, size_t in) {
  if (net->links) return set_branch_widths(net, in);
  for (size_t i = 0; i < net->count; i++) {
    net->places[i].in = in;
    MOONI_TRY(mooni_in_layer(net, i, moon_layer_width(net->layers[i], &net->places[i].out, in)));
    in = net->places[i].out;
  }
  return MOON_OK;
}

static moon_status find_widths(moon_net *net) {
  for (size_t i = 0; i < net->count && !net->inputs; i++) {
    const moon_layer *l = net->layers[i];
    if (l->class->inputs) net->inputs = l->class->inputs(l);
  }
  if (net->links) MOONI_TRY(mooni_branches_input(net));
  if (!net->inputs) return MOON_OK; /* the net takes any width */
  MOONI_TRY(mooni_set_widths(net, net->inputs));
  net->outputs = net->places[net->count - 1].out;
  return MOON_OK;
}

static void find_repeats(moon_net *net) {
  for (size_t i = 0; i < net->count; i++)
    for (size_t k = 0; k < i; k++) net->places[i].again |= net->layers[k] == net->layers[i];
}

/* The spare buffers alternate from each layer that completes sums to the next: while one part still adds up, another
** may be at the next product. The last one does not use gradient[0], where the loss's gradient goes. */
static void find_spares(moon_net *net) {
  size_t spare = 0;
  for (size_t i = net->count; i--;) {
    if (net->layers[i]->class->complete) spare = 1 - spare;
    net->places[i].spare = spare;
  }
}

/* A layer may stand in several places, of this net and of others. Each place after the first gets its own noise. */
static void take_places(moon_net *net) {
  for (size_t i = 0; i < net->count; i++) {
    uint64_t before = net->layers[i]->placed++;
    mooni_rng rng;
    if (!before) continue;
    mooni_rng_seed(&rng, before, 0);
    net->places[i].seed = mooni_rng_u64(&rng);
  }
}

/* The index of a parameter in the list; param_count if it is new. */
static size_t index_of(const moon_net *net, const moon_tensor *value) {
  size_t i = 0;
  while (i < net->param_count && net->values[i] != value) i++;
  return i;
}

/* List every parameter once, from the last layer to the first. Backward meets them in this order: the first use writes
** the gradient, the others add to it. */
static moon_status list_parameters(moon_net *net) {
  size_t total = 0;
  for (size_t i = net->count; i--;) total += net->layers[i]->param_count;
  net->values = mooni_calloc(net->ctx, total + 1, sizeof *net->values);
  net->grads = mooni_calloc(net->ctx, total + 1, sizeof *net->grads);
  net->uses = mooni_calloc(net->ctx, total + 1, sizeof *net->uses);
  net->trained = mooni_calloc(net->ctx, total + 1, sizeof *net->trained);
  if (!net->values || !net->grads || !net->uses || !net->trained)
    return mooni_nomem(net->ctx, total * sizeof *net->values);
  for (size_t i = net->count; i--;)
    for (size_t j = 0; j < net->layers[i]->param_count; j++) {
      const mooni_param *p = net->layers[i]->params[j];
      size_t k = index_of(net, p->value);
      net->places[i].param[j] = k;
      if (net->uses[k]++) net->places[i].accumulate |= 1u << j;
      if (k < net->param_count) continue;
      net->values[k] = p->value;
      net->grads[k] = p->grad;
      net->frozen |= moon_tensor_frozen(p->value);
      net->param_count++;
      net->param_floats += p->value->numel;
    }
  return MOON_OK;
}

void mooni_find_trained(moon_net *net) {
  net->trainable = net->count;
  net->trained_floats = 0;
  for (size_t i = net->count; i--;)
    for (size_t j = 0; j < net->layers[i]->param_count; j++) {
      bool trained = net->layers[i]->params[j]->owner->trainable;
      net->trained[net->places[i].param[j]] = trained;
      if (trained) net->trainable = i;
    }
  for (size_t k = 0; k < net->param_count; k++)
    if (net->trained[k]) net->trained_floats += net->values[k]->numel;
  if (net->links) mooni_branches_find_trained(net);
}

static moon_status new_net(moon_ctx *ctx, moon_net **out, moon_layer *const *layers, size_t count) {
  if (!count) return mooni_fail(ctx, MOON_ERANGE, "a net needs at least one layer");
  for (size_t i = 0; i < count; i++)
    if (layers[i]->ctx != ctx) return mooni_fail(ctx, MOON_ETYPE, "layer %zu belongs to another context", i + 1);
  moon_net *net = mooni_calloc(ctx, 1, sizeof *net);
  if (!net) return mooni_nomem(ctx, sizeof *net);
  net->refs = 1;
  net->ctx = moon_ctx_retain(ctx);
  net->layers = mooni_calloc(ctx, count, sizeof *net->layers);
  net->places = mooni_calloc(ctx, count, sizeof *net->places);
  net->stages = mooni_calloc(ctx, MOONI_STAGES_OF_LAYER * count + MOONI_STAGES_OF_NET, sizeof *net->stages);
  moon_status status = net->layers && net->places && net->stages ? MOON_OK
                                                                 : mooni_nomem(ctx, count * sizeof *net->places);
  for (size_t i = 0; status == MOON_OK && i < count; i++) net->layers[net->count++] = moon_layer_retain(layers[i]);
  if (status == MOON_OK) find_repeats(net);
  if (status == MOON_OK) status = mooni_branches_find(net);
  if (status == MOON_OK) find_spares(net);
  if (status == MOON_OK) status = find_widths(net);
  if (status == MOON_OK) status = list_parameters(net);
  if (status == MOON_OK)
    *out = net;
  else
    moon_net_release(net);
  return status;
}

moon_status moon_net_new(moon_ctx *ctx, moon_net **out, moon_layer *const *layers, size_t count) {
  MOONI_TRY(new_net(ctx, out, layers, count));
  take_places(*out); /* last: a net that could not be made has taken no place */
  return MOON_OK;
}

moon_status moon_net_slice(const moon_net *net, moon_net **out, size_t first, size_t count) {
  if (!count || first >= net->count || count > net->count - first)
    return mooni_fail(net->ctx, MOON_ERANGE, "slice: layers %zu to %zu, but the net has %zu", first + 1, first + count,
                      net->count);
  moon_status status = new_net(net->ctx, out, net->layers + first, count);
  if (status != MOON_OK) return mooni_prepend(net->ctx, status, "slice: ");
  for (size_t i = 0; i < count; i++)
    (*out)->places[i].seed = net->places[first + i].seed; /* the same noise as in the whole net */
  return MOON_OK;
}

moon_net *moon_net_retain(moon_net *net) {
  net->refs++;
  return net;
}

static void drop_halves(moon_net *net) {
  for (size_t i = 0; i < MOONI_COUNT(net->half); i++) {
    moon_net_release(net->half[i]);
    net->half[i] = NULL;
  }
}

void moon_net_release(moon_net *net) {
  if (!net || --net->refs) return;
  moon_ctx *ctx = net->ctx;
  drop_halves(net);
  mooni_ranks_drop(net);
  moon_net_drop_measures(net);
  for (size_t i = 0; i < net->count; i++) moon_layer_release(net->layers[i]);
  void *blocks[] = {net->layers, net->places,      net->stages,     net->values, net->grads,   net->uses, net->trained,
                    net->arena,  net->gradient[0], net->part_grads, net->links,  net->squares, net};
  for (size_t i = 0; i < MOONI_COUNT(blocks); i++) mooni_free(ctx, blocks[i]);
  moon_ctx_release(ctx);
}

moon_ctx *moon_net_ctx(const moon_net *net) { return net->ctx; }
size_t moon_net_count(const moon_net *net) { return net->count; }
moon_layer *moon_net_layer(const moon_net *net, size_t i) { return i < net->count ? net->layers[i] : NULL; }
size_t moon_net_inputs(const moon_net *net) { return net->inputs; }
size_t moon_net_outputs(const moon_net *net) { return net->outputs; }
size_t moon_net_encoder(const moon_net *net) { return net->encoder; }
double moon_net_penalty(const moon_net *net) { return net->penalty; }

moon_status moon_net_set_encoder(moon_net *net, size_t layers) {
  if (layers >= net->count)
    return mooni_fail(net->ctx, MOON_ERANGE, "the encoder has %zu layers, expected fewer than the net's %zu", layers,
                      net->count);
  if (layers != net->encoder) drop_halves(net);
  net->encoder = layers;
  return MOON_OK;
}

size_t moon_net_code(const moon_net *net) {
  return net->encoder && net->inputs ? net->places[net->encoder - 1].out : 0;
}

void moon_net_seed(moon_net *net, uint64_t seed) {
  mooni_rng rng;
  mooni_rng_seed(&rng, seed, 0);
  for (size_t i = 0; i < net->count; i++) net->layers[i]->seed = net->places[i].seed = mooni_rng_u64(&rng);
  for (size_t i = 0; i < net->count; i++)
    net->places[i].seed -= net->layers[i]->seed; /* a later place may have set the layer's seed again */
  net->draw = 0;
}

/* ---- what a batch must be ---- */

moon_status mooni_check_input(const moon_net *net, const moon_tensor *x, const char *what) {
  char text[MOONI_SHAPE_TEXT];
  if (x->rank == 2 && x->shape[0] && x->shape[1] && (!net->inputs || x->shape[1] == net->inputs)) return MOON_OK;
  mooni_tensor_text(text, x);
  if (net->inputs)
    return mooni_fail(net->ctx, MOON_ESHAPE, "%s: input is %s, expected [rows x %zu]", what, text, net->inputs);
  return mooni_fail(net->ctx, MOON_ESHAPE, "%s: input is %s, expected [rows x width]", what, text);
}

moon_status mooni_check_output(const moon_net *net, const moon_tensor *y, size_t rows, size_t width, const char *what) {
  char text[MOONI_SHAPE_TEXT];
  if (y->rank == 2 && y->shape[0] == rows && y->shape[1] == width && y->dtype == MOON_FLOAT32) return MOON_OK;
  return mooni_fail(net->ctx, MOON_ESHAPE, "%s: output is %s, expected [%zu x %zu] float32", what,
                    mooni_tensor_text(text, y), rows, width);
}

moon_status mooni_net_width(const moon_net *net, size_t *out, size_t in) {
  if (net->links) return mooni_branches_width(net, out, in);
  *out = in;
  for (size_t i = 0; i < net->count; i++)
    MOONI_TRY(mooni_in_layer(net, i, moon_layer_width(net->layers[i], out, *out)));
  return MOON_OK;
}
