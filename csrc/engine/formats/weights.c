/* weights.c - nets to archives and back.
**
** The tensors are those of the same stack in torch.nn.Sequential, so that load_state_dict takes the file: "0.weight"
** [out x in], "0.bias", "2.weight" ... The architecture is JSON in the text entry "moonglass":
**   {"version": 1, "encoder": 2, "layers": [{"kind": "dense", "options": {"in": 784, "out": 32, ...}}, ...]}
** with every option that the layer's class lists, so a new layer is saved and loaded without a change here; but one
** that was added later (MOONI_ADDED) only if it is not at its default, so that earlier versions read the file. The
** options are a separate object, so a class may name them freely. A layer that an option names (tied) is its index from
** 0; {"kind": "repeat", "of": 0} is layer 0 once more.
**
** A matrix parameter [in x out] is written transposed. A borrowed one (tied weights) belongs to a layer that runs the
** other way, and is [out x in] for this layer already. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/registry.h"
#include "../core/tensor.h"
#include "../layers/layer.h"
#include "archive.h"
#include "file.h"
#include "json.h"

enum {
  VERSION = 1,
  LAYERS_MAX = 10000, /* limits how long a hostile file can keep the loader busy */
  NAME_MAX_BYTES = 128
};
static const char ENTRY[] = "moonglass";
static const char IN_LUA[] = "mixed"; /* lua/moonglass/net/mixed_files.lua writes such files */
static const char REPEAT[] = "repeat";

/* How many modules a layer is in torch.nn.Sequential. */
static size_t torch_modules(const mooni_layer_class *class, const char *activation) {
  if (class->torch_modules >= 0) return (size_t) class->torch_modules;
  return activation && *activation && strcmp(activation, "linear") != 0 ? 2 : 1;
}

static const mooni_option_spec *find_option(const mooni_layer_class *class, const char *name) {
  for (const mooni_option_spec *o = class->options; o && o->name; o++)
    if (strcmp(o->name, name) == 0) return o;
  return NULL;
}

size_t moon_layer_modules(const moon_layer *layer) {
  moon_option v = {0};
  if (find_option(layer->class, "activation")) moon_layer_get(layer, "activation", &v); /* it has it: cannot fail */
  return torch_modules(layer->class, v.text);
}

/* Is the parameter the transpose of its tensor in the file? */
static bool is_transposed(const moon_parameter *p) { return moon_tensor_rank(p->value) == 2 && !p->shared; }

static void tensor_name(char name[NAME_MAX_BYTES], size_t place, const char *parameter) {
  snprintf(name, NAME_MAX_BYTES, "%zu.%s", place, parameter);
}

/* ---- saving: the architecture ---- */

static bool find_layer(const moon_net *net, const moon_layer *layer, size_t before, size_t *index) {
  for (*index = 0; *index < before; ++*index)
    if (moon_net_layer(net, *index) == layer) return true;
  return false;
}

/* Is there anything to write? A layer outside the net cannot be named: a layer tied to one is saved with the weights
** that it sees, as if they were its own. */
static bool is_given(const moon_net *net, const moon_option *v) {
  size_t index;
  switch (v->kind) {
    case MOON_TEXT: return v->text && *v->text;
    case MOON_RANGE: return !isnan(v->number) && !isnan(v->upper);
    case MOON_LAYER: return v->layer && find_layer(net, v->layer, moon_net_count(net), &index);
    default: return true; /* every number has a default */
  }
}

static void write_option(mooni_json_writer *w, const moon_net *net, const moon_option *v) {
  size_t index = 0;
  switch (v->kind) {
    case MOON_NUMBER: mooni_json_real(w, v->number); break;
    case MOON_COUNT: mooni_json_integer(w, (int64_t)v->number); break;
    case MOON_FLAG: mooni_json_flag(w, v->number != 0); break;
    case MOON_TEXT: mooni_json_text(w, v->text); break;
    case MOON_RANGE:
      mooni_json_open(w, '[');
      mooni_json_real(w, v->number);
      mooni_json_real(w, v->upper);
      mooni_json_close(w, ']');
      break;
    case MOON_LAYER:
      find_layer(net, v->layer, moon_net_count(net), &index);
      mooni_json_integer(w, (int64_t)index);
      break;
  }
}

/* An option that was added later has its default. */
static bool is_default(const mooni_option_spec *o, const moon_option *v) {
  if (!(o->flags & MOONI_ADDED)) return false;
  return o->kind == MOON_TEXT ? strcmp(v->text, o->text) == 0 : v->number == o->number;
}

static moon_status write_options(mooni_json_writer *w, const moon_net *net, const moon_layer *layer) {
  for (const mooni_option_spec *o = layer->class->options; o && o->name; o++) {
    moon_option v;
    MOONI_TRY(moon_layer_get(layer, o->name, &v));
    if (is_default(o, &v) || !is_given(net, &v)) continue;
    if (v.kind == MOON_TEXT && !mooni_is_utf8(v.text))
      return mooni_fail(w->ctx, MOON_ERANGE, "%s: the text of %s is not UTF-8 and cannot be saved", layer->class->name,
                        o->name);
    mooni_json_key(w, o->name);
    write_option(w, net, &v);
  }
  return MOON_OK;
}

static moon_status write_layer(mooni_json_writer *w, const moon_net *net, size_t i) {
  const moon_layer *layer = moon_net_layer(net, i);
  size_t first;
  bool again = find_layer(net, layer, i, &first);
  moon_status status = MOON_OK;
  mooni_json_open(w, '{');
  mooni_json_key(w, "kind");
  mooni_json_text(w, again ? REPEAT : moon_layer_kind(layer));
  mooni_json_key(w, again ? "of" : "options");
  if (again) {
    mooni_json_integer(w, (int64_t)first);
  } else {
    mooni_json_open(w, '{');
    status = write_options(w, net, layer);
    mooni_json_close(w, '}');
  }
  mooni_json_close(w, '}');
  return status;
}

static moon_status describe_net(const moon_net *net, char **text) {
  mooni_json_writer w = {.ctx = moon_net_ctx(net)};
  moon_status status = MOON_OK;
  mooni_json_open(&w, '{');
  mooni_json_key(&w, "version");
  mooni_json_integer(&w, VERSION);
  mooni_json_key(&w, "encoder");
  mooni_json_integer(&w, (int64_t)moon_net_encoder(net));
  mooni_json_key(&w, "layers");
  mooni_json_open(&w, '[');
  for (size_t i = 0; i < moon_net_count(net) && status == MOON_OK; i++) status = write_layer(&w, net, i);
  mooni_json_close(&w, ']');
  mooni_json_close(&w, '}');
  if (status == MOON_OK) return mooni_json_finish(&w, text);
  mooni_json_drop(&w);
  return status;
}

/* ---- saving: the tensors ---- */

/* A copy of a parameter in the layout of PyTorch. A copy, so that further training does not change the archive. */
static moon_status torch_tensor(moon_tensor **out, const moon_parameter *p) {
  moon_ctx *ctx = moon_tensor_ctx(p->value);
  const size_t *shape = moon_tensor_shape(p->value);
  moon_tensor *t;
  bool turn = is_transposed(p);
  if (turn)
    MOONI_TRY(moon_tensor_new(ctx, &t, MOON_FLOAT32, 2, (size_t[]){shape[1], shape[0]}));
  else
    MOONI_TRY(moon_tensor_new(ctx, &t, MOON_FLOAT32, moon_tensor_rank(p->value), shape));
  moon_status status = turn ? moon_tensor_transpose(t, p->value) : moon_tensor_copy(t, p->value);
  if (status == MOON_OK)
    *out = t;
  else
    moon_tensor_release(t); /* never reached: the shapes fit, and nothing is allocated */
  return status;
}

static moon_status add_layer(moon_archive *archive, const moon_layer *layer, size_t place) {
  moon_parameter p;
  for (size_t i = 0; moon_layer_parameter(layer, i, &p); i++) {
    char name[NAME_MAX_BYTES];
    moon_tensor *t;
    tensor_name(name, place, p.name);
    MOONI_TRY(torch_tensor(&t, &p));
    moon_status status = moon_archive_add(archive, name, t);
    moon_tensor_release(t);
    if (status != MOON_OK) return status;
  }
  return MOON_OK;
}

static moon_status add_tensors(moon_archive *archive, const moon_net *net) {
  size_t place = 0;
  for (size_t i = 0; i < moon_net_count(net); i++) {
    const moon_layer *layer = moon_net_layer(net, i);
    MOONI_TRY(add_layer(archive, layer, place));
    place += moon_layer_modules(layer);
  }
  return MOON_OK;
}

/* The last addition replaces an entry, completely or not at all: so a failure can be undone. */
static moon_status add_all(moon_archive *archive, const moon_net *net, const char *text) {
  MOONI_TRY(add_tensors(archive, net));
  if (!moon_archive_text(archive, "format")) MOONI_TRY(moon_archive_set(archive, "format", "pt"));
  return moon_archive_set(archive, ENTRY, text);
}

moon_status moon_net_to_archive(const moon_net *net, moon_archive *archive) {
  MOONI_IEEE;
  char *text;
  size_t items = archive->item_count, entries = archive->entry_count;
  if (moon_net_count(net) > LAYERS_MAX)
    return mooni_fail(archive->ctx, MOON_ERANGE, "a net of %zu layers cannot be saved, at most %d", moon_net_count(net),
                      LAYERS_MAX);
  MOONI_TRY(describe_net(net, &text));
  moon_status status = add_all(archive, net, text);
  if (status != MOON_OK) mooni_archive_cut(archive, items, entries);
  mooni_free(moon_net_ctx(net), text);
  return status;
}

static moon_status archive_of(const moon_net *net, moon_archive **archive) {
  MOONI_TRY(moon_archive_new(moon_net_ctx(net), archive));
  moon_status status = moon_net_to_archive(net, *archive);
  if (status != MOON_OK) moon_archive_release(*archive);
  return status;
}

moon_status moon_net_save(const moon_net *net, const char *path) {
  moon_archive *archive;
  MOONI_TRY(archive_of(net, &archive));
  moon_status status = moon_archive_save(archive, path);
  moon_archive_release(archive);
  return status;
}

moon_status moon_net_to_bytes(const moon_net *net, moon_tensor **bytes) {
  moon_archive *archive;
  MOONI_TRY(archive_of(net, &archive));
  moon_status status = moon_archive_encode(archive, bytes);
  moon_archive_release(archive);
  return status;
}

/* ---- loading ---- */

/* A layer of the file: its JSON, and the layer made from it. */
typedef struct draft {
  const mooni_json *options;
  const mooni_layer_class *class;
  size_t place;    /* index of its first module in torch.nn.Sequential */
  size_t original; /* its own index, or that of the layer that it repeats */
  moon_layer *layer;
} draft;

typedef struct loader {
  moon_ctx *ctx;
  const moon_archive *archive;
  draft *drafts;
  size_t count, encoder;
} loader;

/* A wrong name, number or shape in a file is a format error, whatever status the constructor gives. */
static moon_status in_layer(const loader *l, size_t i, moon_status status) {
  if (status == MOON_OK || status == MOON_ENOMEM) return status;
  const mooni_layer_class *class = l->drafts[i].class;
  if (!class) return mooni_prepend(l->ctx, MOON_EFORMAT, "layer %zu: ", i + 1);
  return mooni_prepend(l->ctx, MOON_EFORMAT, "layer %zu (%s): ", i + 1, class->name);
}

static moon_status bad(moon_ctx *ctx, const char *name, const char *expected, const mooni_json *got) {
  return mooni_fail(ctx, MOON_EFORMAT, "%.60s: expected %s, got %s", name, expected, mooni_json_kind(got));
}

/* *out = an index from 0 up to, but without, `below`. */
static moon_status get_index(moon_ctx *ctx, size_t *out, const char *name, const mooni_json *value, size_t below) {
  if (!value || value->type != MOONI_JSON_INTEGER) return bad(ctx, name, "a whole number", value);
  int64_t n = value->integer;
  if (n < 0 || (uintmax_t)n >= below)
    return mooni_fail(ctx, MOON_EFORMAT, "%s: %lld, expected 0 to %lld", name, (long long)n, (long long)below - 1);
  *out = (size_t)n;
  return MOON_OK;
}

/* ---- loading: the architecture ---- */

static moon_status draft_repeat(loader *l, size_t i, const mooni_json *json) {
  draft *d = &l->drafts[i];
  MOONI_TRY(get_index(l->ctx, &d->original, "of", mooni_json_get(json, "of"), i));
  if (l->drafts[d->original].original != d->original)
    return mooni_fail(l->ctx, MOON_EFORMAT, "of: layer %zu is a repetition itself", d->original);
  d->class = l->drafts[d->original].class;
  return MOON_OK;
}

static moon_status draft_layer(loader *l, size_t i, const mooni_json *json) {
  draft *d = &l->drafts[i];
  *d = (draft){.original = i};
  if (json->type != MOONI_JSON_OBJECT || json->count != 2)
    return mooni_fail(l->ctx, MOON_EFORMAT, "expected an object of 'kind' and 'options' (or 'of')");
  const char *kind = mooni_json_text_of(mooni_json_get(json, "kind"));
  if (!kind) return bad(l->ctx, "kind", "a text", mooni_json_get(json, "kind"));
  if (strcmp(kind, REPEAT) == 0) return draft_repeat(l, i, json);
  d->class = mooni_find_layer(kind);
  if (!d->class) return mooni_unregistered(l->ctx, MOON_LAYERS, kind);
  d->options = mooni_json_get(json, "options");
  return d->options && d->options->type == MOONI_JSON_OBJECT ? MOON_OK
                                                             : bad(l->ctx, "options", "an object", d->options);
}

/* The activation that the layer will have. */
static const char *draft_activation(const draft *d) {
  const mooni_option_spec *o = find_option(d->class, "activation");
  const mooni_json *given = mooni_json_get(d->options, "activation");
  return given ? mooni_json_text_of(given) : o ? o->text : NULL;
}

static moon_status draft_layers(loader *l, const mooni_json *layers) {
  size_t place = 0, i = 0;
  for (const mooni_json *json = layers->first; json; json = json->next, i++) {
    draft *d = &l->drafts[i];
    MOONI_TRY(in_layer(l, i, draft_layer(l, i, json)));
    d->place = place;
    place += torch_modules(d->class, draft_activation(&l->drafts[d->original]));
  }
  return MOON_OK;
}

/* ---- loading: one layer ---- */

static moon_status bad_tensor(const loader *l, const char *name, const moon_tensor *t, int rank, const size_t *shape) {
  char want[MOONI_SHAPE_TEXT], got[MOONI_SHAPE_TEXT];
  mooni_shape_text(want, rank, shape);
  if (!t) return mooni_fail(l->ctx, MOON_EFORMAT, "tensor '%s' %s is missing", name, want);
  return mooni_fail(l->ctx, MOON_EFORMAT, "tensor '%s' is %s, expected %s float32", name, mooni_tensor_text(got, t),
                    want);
}

/* The float tensor of this name and shape; MOON_EFORMAT if there is none. */
static moon_status want_tensor(const loader *l, moon_tensor **out, const char *name, int rank, const size_t *shape) {
  moon_tensor *t = moon_archive_find(l->archive, name);
  bool fits = t && moon_tensor_dtype(t) == MOON_FLOAT32 && moon_tensor_rank(t) == rank;
  for (int i = 0; fits && i < rank; i++) fits = moon_tensor_shape(t)[i] == shape[i];
  if (!fits) return bad_tensor(l, name, t, rank, shape);
  *out = t;
  return MOON_OK;
}

/* A layer with options in and out allocates in x out weights: check first that the file has that many. */
static moon_status check_weight(const loader *l, const draft *d) {
  char name[NAME_MAX_BYTES];
  size_t in, out;
  moon_tensor *t;
  if (!find_option(d->class, "in") || !find_option(d->class, "out")) return MOON_OK;
  MOONI_TRY(get_index(l->ctx, &in, "in", mooni_json_get(d->options, "in"), PTRDIFF_MAX));
  MOONI_TRY(get_index(l->ctx, &out, "out", mooni_json_get(d->options, "out"), PTRDIFF_MAX));
  tensor_name(name, d->place, "weight");
  return want_tensor(l, &t, name, 2, (size_t[]){out, in});
}

static bool is_number(const mooni_json *json) {
  return json->type == MOONI_JSON_INTEGER || json->type == MOONI_JSON_REAL;
}

/* Read one option from its JSON. A name that the class does not have is left for the constructor to refuse. A layer
** that is not made yet is NULL. */
static moon_status read_option(const loader *l, moon_option *v, const mooni_option_spec *o, const char *name,
                               const mooni_json *json) {
  size_t index;
  *v = (moon_option){.name = name, .kind = o ? o->kind : MOON_NUMBER};
  if (!o) return MOON_OK;
  switch (o->kind) {
    case MOON_NUMBER:
    case MOON_COUNT:
      if (!is_number(json)) return bad(l->ctx, name, "a number", json);
      v->number = json->number;
      return MOON_OK;
    case MOON_FLAG:
      if (json->type != MOONI_JSON_TRUE && json->type != MOONI_JSON_FALSE)
        return bad(l->ctx, name, "true or false", json);
      v->number = json->type == MOONI_JSON_TRUE;
      return MOON_OK;
    case MOON_TEXT:
      v->text = mooni_json_text_of(json);
      if (!v->text) return bad(l->ctx, name, "a text", json);
      return MOON_OK;
    case MOON_RANGE:
      if (json->type != MOONI_JSON_ARRAY || json->count != 2 || !is_number(json->first) ||
          !is_number(json->first->next))
        return bad(l->ctx, name, "an array of two numbers", json);
      v->number = json->first->number;
      v->upper = json->first->next->number;
      return MOON_OK;
    case MOON_LAYER:
      MOONI_TRY(get_index(l->ctx, &index, name, json, l->count));
      v->layer = l->drafts[l->drafts[index].original].layer;
      return MOON_OK;
  }
  return MOON_OK; /* never reached: every kind has returned */
}

/* Read all options into v. *ready is false if one of them is a layer that must be made first. */
static moon_status read_options(const loader *l, const draft *d, moon_option *v, size_t *count, bool *ready) {
  *count = 0;
  *ready = true;
  for (const mooni_json *json = d->options->first; json; json = json->next) {
    const mooni_option_spec *o = find_option(d->class, json->key);
    MOONI_TRY(read_option(l, &v[*count], o, json->key, json));
    if (v[*count].kind == MOON_LAYER && !v[*count].layer) *ready = false;
    ++*count;
  }
  return MOON_OK;
}

/* Make the layer, unless it needs one that is not made yet: then it stays NULL. */
static moon_status make_layer(loader *l, size_t i) {
  draft *d = &l->drafts[i];
  size_t count;
  bool ready;
  moon_option *v = mooni_calloc(l->ctx, d->options->count, sizeof *v);
  if (!v) return mooni_nomem(l->ctx, d->options->count * sizeof *v);
  moon_status status = read_options(l, d, v, &count, &ready);
  if (status == MOON_OK && ready) status = check_weight(l, d);
  if (status == MOON_OK && ready) status = moon_layer_new(l->ctx, &d->layer, d->class->name, v, count);
  mooni_free(l->ctx, v);
  return in_layer(l, i, status);
}

/* Go over the layers until all are made: a tied layer may stand before the owner of its weight. */
static moon_status make_layers(loader *l) {
  for (size_t left = l->count, before = left + 1; left;) {
    if (left == before) return mooni_fail(l->ctx, MOON_EFORMAT, "layers are tied to one another in a circle");
    before = left;
    left = 0;
    for (size_t i = 0; i < l->count; i++) {
      if (l->drafts[i].original != i || l->drafts[i].layer) continue;
      MOONI_TRY(make_layer(l, i));
      left += l->drafts[i].layer == NULL;
    }
  }
  return MOON_OK;
}

/* ---- loading: the tensors ---- */

/* Fill the layer's parameters, except those of a repetition and borrowed ones, which another layer fills. */
static moon_status fill_layer(const loader *l, size_t i, size_t *used) {
  const draft *d = &l->drafts[i], *original = &l->drafts[d->original];
  moon_parameter p;
  for (size_t k = 0; moon_layer_parameter(original->layer, k, &p); k++) {
    char name[NAME_MAX_BYTES];
    moon_tensor *t;
    int rank = moon_tensor_rank(p.value);
    const size_t *shape = moon_tensor_shape(p.value);
    bool turn = is_transposed(&p);
    tensor_name(name, d->place, p.name);
    MOONI_TRY(want_tensor(l, &t, name, rank, turn ? (size_t[]){shape[1], shape[0]} : shape));
    ++*used;
    if (d == original && !p.shared) MOONI_TRY(turn ? moon_tensor_transpose(p.value, t) : moon_tensor_copy(p.value, t));
  }
  return MOON_OK;
}

/* Do a and b have the same numbers, NaN included? turn: b is the transpose of the matrix a. */
static bool same_numbers(const moon_tensor *a, const moon_tensor *b, bool turn) {
  const float *x = moon_tensor_float(a), *y = moon_tensor_float(b);
  size_t columns = turn ? moon_tensor_shape(a)[1] : 1, rows = moon_tensor_numel(a) / columns;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) {
      float v = x[i * columns + j], w = y[j * rows + i];
      if (v != w && !(isnan(v) && isnan(w))) return false;
    }
  return true;
}

/* A parameter that two layers use is in the file twice: both must be equal. */
static moon_status check_repeated(const loader *l, size_t i) {
  const draft *d = &l->drafts[i], *original = &l->drafts[d->original];
  moon_parameter p;
  for (size_t k = 0; moon_layer_parameter(original->layer, k, &p); k++) {
    char name[NAME_MAX_BYTES];
    if (d == original && !p.shared) continue;
    tensor_name(name, d->place, p.name);
    if (!same_numbers(p.value, moon_archive_find(l->archive, name), is_transposed(&p)))
      return mooni_fail(l->ctx, MOON_EFORMAT, "tensor '%s' differs from the other copy of the same weights in this net",
                        name);
  }
  return MOON_OK;
}

/* Names from PyTorch begin with a number. Tensors under another word ("optimizer.m.0") belong to somebody else, such as
** a checkpoint. */
static bool is_ours(const char *name) { return isdigit((unsigned char)*name) || *name == '.' || !strchr(name, '.'); }

static bool is_expected(const loader *l, const char *name) {
  char expected[NAME_MAX_BYTES];
  moon_parameter p;
  for (size_t i = 0; i < l->count; i++)
    for (size_t k = 0; moon_layer_parameter(l->drafts[l->drafts[i].original].layer, k, &p); k++) {
      tensor_name(expected, l->drafts[i].place, p.name);
      if (strcmp(expected, name) == 0) return true;
    }
  return false;
}

static moon_status check_strays(const loader *l, size_t used) {
  const char *name;
  size_t ours = 0;
  for (size_t i = 0; moon_archive_tensor(l->archive, i, &name, NULL); i++) ours += is_ours(name);
  if (ours == used) return MOON_OK;
  for (size_t i = 0; moon_archive_tensor(l->archive, i, &name, NULL); i++)
    if (is_ours(name) && !is_expected(l, name))
      return mooni_fail(l->ctx, MOON_EFORMAT, "tensor '%.100s' belongs to no layer of this net", name);
  return MOON_OK; /* never reached: an unused tensor of ours is not an expected one */
}

static moon_status fill_layers(const loader *l) {
  size_t used = 0;
  for (size_t i = 0; i < l->count; i++) MOONI_TRY(in_layer(l, i, fill_layer(l, i, &used)));
  for (size_t i = 0; i < l->count; i++) MOONI_TRY(in_layer(l, i, check_repeated(l, i)));
  return check_strays(l, used);
}

/* ---- loading: the whole ---- */

static moon_status make_net(const loader *l, moon_net **out) {
  moon_net *net;
  moon_layer **layers = mooni_calloc(l->ctx, l->count, sizeof *layers);
  if (!layers) return mooni_nomem(l->ctx, l->count * sizeof *layers);
  for (size_t i = 0; i < l->count; i++) layers[i] = l->drafts[l->drafts[i].original].layer;
  moon_status status = moon_net_new(l->ctx, &net, layers, l->count);
  mooni_free(l->ctx, layers);
  if (status != MOON_OK) return status == MOON_ENOMEM ? status : MOON_EFORMAT;
  *out = net;
  return moon_net_set_encoder(net, l->encoder); /* which was read as at most their number */
}

static moon_status build(loader *l, const mooni_json *layers, moon_net **out) {
  MOONI_TRY(draft_layers(l, layers));
  MOONI_TRY(make_layers(l));
  MOONI_TRY(fill_layers(l));
  return make_net(l, out);
}

/* Read the head of the architecture; the layers are only counted. */
static moon_status read_head(loader *l, const mooni_json *root, const mooni_json **layers) {
  const mooni_json *version = mooni_json_get(root, "version");
  if (root->type != MOONI_JSON_OBJECT) return bad(l->ctx, ENTRY, "an object", root);
  if (!version || version->type != MOONI_JSON_INTEGER) return bad(l->ctx, "version", "a whole number", version);
  if (version->integer != VERSION)
    return mooni_fail(l->ctx, MOON_EFORMAT, "a net of version %lld, expected %d", (long long)version->integer, VERSION);
  *layers = mooni_json_get(root, "layers");
  if (!*layers || (*layers)->type != MOONI_JSON_ARRAY) return bad(l->ctx, "layers", "an array", *layers);
  l->count = (*layers)->count;
  if (l->count < 1 || l->count > LAYERS_MAX)
    return mooni_fail(l->ctx, MOON_EFORMAT, "a net of %zu layers, expected 1 to %d", l->count, LAYERS_MAX);
  return get_index(l->ctx, &l->encoder, "encoder", mooni_json_get(root, "encoder"), l->count);
}

static moon_status load_root(loader *l, const mooni_json *root, moon_net **out) {
  const mooni_json *layers = NULL;
  MOONI_TRY(read_head(l, root, &layers));
  l->drafts = mooni_calloc(l->ctx, l->count, sizeof *l->drafts);
  if (!l->drafts) return mooni_nomem(l->ctx, l->count * sizeof *l->drafts);
  moon_status status = build(l, layers, out);
  for (size_t i = 0; i < l->count; i++) moon_layer_release(l->drafts[i].layer);
  mooni_free(l->ctx, l->drafts);
  return status;
}

moon_status moon_net_from_archive(moon_ctx *ctx, moon_net **out, const moon_archive *archive) {
  MOONI_IEEE;
  mooni_json *root;
  loader l = {.ctx = ctx, .archive = archive};
  const char *text = moon_archive_text(archive, ENTRY);
  if (!text && moon_archive_text(archive, IN_LUA))
    return mooni_fail(ctx, MOON_EFORMAT,
                      "a net with layers written in Lua: make it by the same code, then fill it by net:load");
  if (!text) return mooni_fail(ctx, MOON_EFORMAT, "no text entry '%s': not a net of Moonglass", ENTRY);
  MOONI_TRY(mooni_json_parse(ctx, &root, text, strlen(text), "the text entry 'moonglass'"));
  mooni_rng rng = ctx->rng; /* the initial weights are overwritten: their random numbers must not be missing later */
  moon_status status = load_root(&l, root, out);
  ctx->rng = rng;
  mooni_free(ctx, root);
  return status;
}

moon_status moon_net_load(moon_ctx *ctx, moon_net **out, const char *path) {
  moon_archive *archive;
  MOONI_TRY(moon_archive_load(ctx, &archive, path));
  moon_status status = moon_net_from_archive(ctx, out, archive);
  moon_archive_release(archive);
  return mooni_in_file(ctx, status, path);
}

moon_status moon_net_from_bytes(moon_ctx *ctx, moon_net **out, const void *bytes, size_t size) {
  moon_archive *archive;
  MOONI_TRY(moon_archive_decode(ctx, &archive, bytes, size));
  moon_status status = moon_net_from_archive(ctx, out, archive);
  moon_archive_release(archive);
  return status;
}
