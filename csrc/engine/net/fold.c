/* fold.c - a net for inference without batch normalisation. There batch_norm is y = scale x + shift, for each column. A
** dense layer beside it can do that: before it, if that layer is linear, by its columns and its bias; behind it by its
** rows, whose sums with the shift go into its bias.
**
** Dropout and noise may stand between the two: inference knows neither. Nothing else may see what is between them: no
** branch, and not the end of the encoder. */
#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "../layers/dense.h"
#include "../layers/norm.h"
#include "branches.h"

enum { WEIGHT, BIAS }; /* a dense layer's parameters */

/* Layers first..first + count - 1, a batch_norm and perhaps an activation, go into the dense layer at place `into`. */
typedef struct folding {
  size_t into, first, count;
} folding;

static bool is_kind(const moon_net *net, size_t i, const char *kind) {
  return i < net->count && strcmp(net->layers[i]->class->name, kind) == 0;
}

/* Is place i the only one that uses the layer's parameters? */
static bool is_alone(const moon_net *net, size_t i) {
  const moon_layer *l = net->layers[i];
  bool alone = true;
  for (size_t j = 0; j < l->param_count; j++) alone &= !l->borrowed[j] && net->uses[net->places[i].param[j]] == 1;
  return alone;
}

/* Does only place i see what comes into it, and is it in the same half as the place before it? */
static bool is_inner(const moon_net *net, size_t i) { return i != net->encoder && !mooni_forks(net, i); }

static bool is_linear_dense(const moon_net *net, size_t i) {
  moon_option activation;
  return is_kind(net, i, "dense") && is_alone(net, i) &&
         moon_layer_get(net->layers[i], "activation", &activation) == MOON_OK && strcmp(activation.text, "linear") == 0;
}

/* Into the dense layer before batch_norm i? Then with the activation behind it, which may not see its input alone. */
static bool fits_before(const moon_net *net, size_t i, folding *f) {
  size_t d = i;
  while (d && is_inner(net, d) && net->layers[d - 1]->class->training_only) d--;
  if (!d || !is_inner(net, d) || !is_linear_dense(net, d - 1)) return false;
  bool activation = is_kind(net, i + 1, "activation") && is_inner(net, i + 1);
  *f = (folding){d - 1, i, activation ? 2 : 1};
  return true;
}

static bool fits_behind(const moon_net *net, size_t i, folding *f) {
  size_t d = i + 1;
  while (d < net->count && is_inner(net, d) && net->layers[d]->class->training_only) d++;
  if (!is_kind(net, d, "dense") || !is_inner(net, d) || !is_alone(net, d)) return false;
  *f = (folding){d, i, 1};
  return true;
}

static bool find_folding(const moon_net *net, folding *f) {
  for (size_t i = 0; i < net->count; i++)
    if (is_kind(net, i, "batch_norm") && is_alone(net, i) && (fits_before(net, i, f) || fits_behind(net, i, f)))
      return true;
  return false;
}

/* ---- the dense layer ---- */

static bool is_of_activation(const char *option) {
  return strcmp(option, "activation") == 0 || strcmp(option, "negative_slope") == 0 || strcmp(option, "alpha") == 0;
}

/* A dense layer with a bias and the options of `from`, and the activation of `act`. Its values begin as zeros: to draw
** them would change what the context draws next. */
static moon_status new_dense(moon_layer **out, const moon_layer *from, const moon_layer *act) {
  enum { MOST = 32 };
  moon_option list[MOST];
  size_t count = 0;
  for (const mooni_option_spec *o = from->class->options; o->name && count < MOST; o++) {
    if (o->kind == MOON_LAYER) continue; /* tied: it is not */
    moon_option *v = &list[count++];
    MOONI_TRY(moon_layer_get(is_of_activation(o->name) ? act : from, o->name, v));
    if (strcmp(o->name, "bias") == 0) v->number = 1;
    if (strcmp(o->name, "init") == 0) v->text = "zeros";
  }
  MOONI_TRY(moon_layer_new(from->ctx, out, from->class->name, list, count));
  memcpy(((dense *)*out)->init, ((const dense *)from)->init, MOONI_TEXT);
  return MOON_OK;
}

static float *values(const moon_layer *layer, size_t i) { return moon_tensor_float(layer->params[i]->value); }

/* scale and shift [out] of what the layer gives. */
static void scale_outputs(moon_layer *to, const moon_layer *from, const double *scale, const double *shift) {
  size_t in = from->class->inputs(from), out = from->class->outputs(from);
  for (size_t i = 0; i < in; i++)
    for (size_t j = 0; j < out; j++)
      values(to, WEIGHT)[i * out + j] = (float)((double)values(from, WEIGHT)[i * out + j] * scale[j]);
  for (size_t j = 0; j < out; j++) {
    double bias = from->param_count > BIAS ? (double)values(from, BIAS)[j] : 0;
    values(to, BIAS)[j] = (float)(bias * scale[j] + shift[j]);
  }
}

/* scale and shift [in] of what the layer takes. */
static void scale_inputs(moon_layer *to, const moon_layer *from, const double *scale, const double *shift) {
  size_t in = from->class->inputs(from), out = from->class->outputs(from);
  for (size_t j = 0; j < out; j++) {
    double bias = from->param_count > BIAS ? (double)values(from, BIAS)[j] : 0;
    for (size_t i = 0; i < in; i++) {
      double w = (double)values(from, WEIGHT)[i * out + j];
      values(to, WEIGHT)[i * out + j] = (float)(w * scale[i]);
      bias += w * shift[i];
    }
    values(to, BIAS)[j] = (float)bias;
  }
}

static moon_status make_dense(const moon_net *net, folding f, moon_layer **out) {
  const moon_layer *from = net->layers[f.into], *norm = net->layers[f.first];
  size_t n = norm->class->outputs(norm);
  double *scale = mooni_calloc(net->ctx, 2 * n, sizeof *scale);
  if (!scale) return mooni_nomem(net->ctx, 2 * n * sizeof *scale);
  mooni_batch_norm_factors(norm, scale, scale + n);
  moon_status status = new_dense(out, from, f.count > 1 ? net->layers[f.first + 1] : from);
  if (status == MOON_OK) (f.into < f.first ? scale_outputs : scale_inputs)(*out, from, scale, scale + n);
  mooni_free(net->ctx, scale);
  return status;
}

/* ---- the net ---- */

/* The layer for place i of the new net. A branch goes back over fewer layers, if those that go stand on its way. */
static moon_status make_layer(const moon_net *net, folding f, size_t i, moon_layer **out) {
  moon_layer *l = net->layers[i];
  if (i == f.into) return make_dense(net, f, out);
  if (l->class->role == MOONI_BRANCH && i > f.first && net->links[i].fork <= f.first + 1) {
    moon_option back = {"back", MOON_COUNT, (double)(mooni_structure_count(l) - f.count), 0, NULL, NULL};
    return moon_layer_new(net->ctx, out, l->class->name, &back, 1);
  }
  *out = moon_layer_retain(l);
  return MOON_OK;
}

/* layers: room for those of the new net. */
static moon_status fold_into(const moon_net *net, folding f, moon_layer **layers, moon_net **out) {
  size_t n = 0;
  moon_status status = MOON_OK;
  for (size_t i = 0; status == MOON_OK && i < net->count; i++) {
    if (i >= f.first && i < f.first + f.count) continue;
    status = make_layer(net, f, i, &layers[n]);
    if (status == MOON_OK) n++;
  }
  if (status == MOON_OK) status = moon_net_new(net->ctx, out, layers, n);
  for (size_t i = 0; status == MOON_OK && i < n; i++)
    (*out)->places[i].seed = net->places[i < f.first ? i : i + f.count].seed;
  if (status == MOON_OK) (*out)->encoder = net->encoder - (f.first < net->encoder ? f.count : 0);
  while (n) moon_layer_release(layers[--n]);
  return status;
}

moon_status moon_net_fold(const moon_net *net, moon_net **out) {
  folding f;
  MOONI_TRY(moon_net_clone(net, out));
  moon_layer **layers = mooni_calloc(net->ctx, net->count, sizeof *layers);
  moon_status status = layers ? MOON_OK : mooni_nomem(net->ctx, net->count * sizeof *layers);
  while (status == MOON_OK && find_folding(*out, &f)) {
    moon_net *folded;
    status = fold_into(*out, f, layers, &folded);
    if (status != MOON_OK) break;
    folded->draw = (*out)->draw;
    moon_net_release(*out);
    *out = folded;
  }
  mooni_free(net->ctx, layers);
  if (status == MOON_OK) return MOON_OK;
  moon_net_release(*out);
  *out = NULL;
  return status;
}
