/* calls.c - fuzz target: the bytes are a program of calls of the C interface on a few live objects. The next bytes
** choose the operation, objects, names and numbers of each call; most numbers and shapes are edge cases. The program
** obeys the header's preconditions (no NULL, no overlap of inputs and outputs) and nothing more. It decides when memory
** runs out. At the end all objects are released, and every byte must be freed. */
#include <math.h>

#include "fuzz.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

enum { TENSORS = 10, LAYERS = 8, NETS = 5, FEW = 3, WRAPPED = 64, CALLS_MAX = 200 };

static struct {
  const uint8_t *at, *end;
  moon_ctx *ctx;
  moon_tensor *tensor[TENSORS];
  moon_layer *layer[LAYERS];
  moon_net *net[NETS];
  moon_loss *loss[FEW];
  moon_optim *optim[FEW];
  moon_dataset *data[FEW];
  moon_archive *archive[FEW];
  moon_source *source[FEW];
  moon_detector *detector[FEW];
  unsigned reading;     /* readers that run */
  bool unread;          /* a reader has failed with MOON_EIO */
  size_t held, allowed; /* bytes of the context; allocations until memory runs out */
} s;

/* ---- memory ---- */

static void *take(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud;
  if (!ptr) osize = 0;
  if (nsize > osize && s.allowed == 0) return NULL;
  void *p = nsize ? realloc(ptr, nsize) : NULL;
  if (!nsize) free(ptr);
  if (nsize > osize && p) s.allowed--;
  if (p || !nsize) s.held = s.held - osize + nsize;
  return p;
}

/* ---- the next choice of the program ---- */

static unsigned byte(void) { return s.at < s.end ? *s.at++ : 0; }
static size_t below(size_t n) { return byte() % n; }

static double number(void) {
  static const double numbers[] = {0,    1,    2,     3,   0.5,      0.25,      1e-3,     -1,          -0.5, 4,
                                   8,    16,   255,   256, 1e-7,     0x1p31,    1e18,     -0x1p63,     1e39, 1.5,
                                   1e-9, 5e-1, 1e300, NAN, INFINITY, -INFINITY, 16777217, 2147483648.0};
  return numbers[below(COUNT(numbers))];
}

static size_t dimension(void) {
  static const size_t edges[] = {
      0, 1, 2, 3, 4, 4, 4, 2, 3, 8, 16, 7, (size_t)1 << 31, SIZE_MAX, SIZE_MAX / 4, (size_t)1 << 62};
  return edges[below(COUNT(edges))];
}

/* Most often a small matrix, so that shapes match. */
static int shape(size_t *dims) {
  unsigned kind = byte();
  for (int i = 0; i < 6; i++) dims[i] = kind < 192 ? (kind & 1 ? 4 : 2 + (kind >> i & 1)) : dimension();
  return kind < 160 ? 2 : (int)(kind % 7) - 1;
}

static const char *name_of(moon_family family) {
  size_t n = 0, wanted = byte();
  if (wanted == 255) return "no such";
  while (moon_registered(s.ctx, family, n)) n++;
  return moon_registered(s.ctx, family, wanted % n);
}

static const char *word(void) {
  static const char *const words[] = {"sum",
                                      "mean",
                                      "min",
                                      "max",
                                      "var",
                                      "std",
                                      "norm",
                                      "argmax",
                                      "nanmean",
                                      "nanstd",
                                      "nanmin",
                                      "nanmax",
                                      "isnan",
                                      "fill_nan",
                                      "neg",
                                      "exp",
                                      "log",
                                      "sqrt",
                                      "abs",
                                      "sign",
                                      "relu",
                                      "clamp",
                                      "pow",
                                      "softmax",
                                      "add",
                                      "sub",
                                      "mul",
                                      "div",
                                      "eq",
                                      "lt",
                                      "ge",
                                      "",
                                      "gelu",
                                      "batchmean",
                                      "glorot_uniform",
                                      "0.weight",
                                      "0.bias",
                                      "__metadata__",
                                      "\xff",
                                      "moonglass",
                                      "{\"version\":1}",
                                      "square",
                                      "floor",
                                      "sigmoid",
                                      "he_normal"};
  return words[below(COUNT(words))];
}

static moon_tensor *tensor(void) { return s.tensor[below(TENSORS)]; }
static moon_layer *layer(void) { return s.layer[below(LAYERS)]; }
static moon_net *net(void) { return s.net[below(NETS)]; }

/* Do these tensors share no byte? */
static bool apart(const moon_tensor *a, const moon_tensor *b) {
  const uint8_t *p = moon_tensor_data(a), *q = moon_tensor_data(b);
  return p + moon_tensor_bytes(a) <= q || q + moon_tensor_bytes(b) <= p;
}

/* Up to 6 options, most of them options of this class, with valid and invalid values. */
static size_t options(moon_option *v, moon_family family, const char *kind) {
  moon_option_info info;
  size_t n = below(7);
  for (size_t i = 0; i < n; i++) {
    bool known = moon_option_describe(s.ctx, family, kind, below(16), &info);
    v[i] = (moon_option){known ? info.name : word(), known ? info.kind : (moon_option_kind)below(6), 0, 0, NULL, NULL};
    v[i].number = v[i].kind == MOON_COUNT && byte() < 200 ? (double)(2 + below(3)) : number();
    v[i].upper = number();
    v[i].text = byte() < 200 ? name_of(byte() & 1 ? MOON_ACTIVATIONS : MOON_INITS) : word();
    v[i].layer = layer();
    if (byte() == 255) v[i].kind = (moon_option_kind)below(6);
  }
  return n;
}

#define KEEPER(noun, type, list)          \
  static void keep_##noun(type *object) { \
    size_t i = below(COUNT(list));        \
    moon_##noun##_release(list[i]);       \
    list[i] = object;                     \
  }
KEEPER(tensor, moon_tensor, s.tensor)
KEEPER(layer, moon_layer, s.layer)
KEEPER(net, moon_net, s.net)
KEEPER(loss, moon_loss, s.loss)
KEEPER(optim, moon_optim, s.optim)
KEEPER(dataset, moon_dataset, s.data)
KEEPER(archive, moon_archive, s.archive)
KEEPER(source, moon_source, s.source)
KEEPER(detector, moon_detector, s.detector)

/* ---- calls: each also returns MOON_OK if there are no objects for it ---- */

static moon_status make_tensor(void) {
  size_t dims[6];
  int rank = shape(dims);
  moon_tensor *t = NULL;
  moon_status status = moon_tensor_new(s.ctx, &t, byte() & 3 ? MOON_FLOAT32 : MOON_UINT8, rank, dims);
  if (status == MOON_OK) keep_tensor(t);
  return status;
}

static moon_status wrap_tensor(void) {
  static float buffer[WRAPPED];
  size_t dims[6];
  int rank = shape(dims);
  uint64_t numel = 1;
  for (int i = 0; i < rank; i++)
    numel = dims[i] > WRAPPED ? WRAPPED + 1 : numel * dims[i] > WRAPPED ? WRAPPED + 1 : numel * dims[i];
  if (numel > WRAPPED) return MOON_OK; /* the buffer must be as large as the caller says */
  moon_tensor *t = NULL;
  moon_status status = moon_tensor_wrap(s.ctx, &t, byte() & 1, rank, dims, byte() & 7 ? buffer : NULL, NULL, NULL);
  if (status == MOON_OK) keep_tensor(t);
  return status;
}

static moon_status view_tensor(void) {
  size_t dims[6], first = byte() & 1 ? below(8) : dimension();
  int rank = shape(dims);
  moon_tensor *t = NULL;
  if (!(t = tensor())) return MOON_OK;
  moon_status status = moon_tensor_view(&t, t, first, rank, dims);
  if (status == MOON_OK) keep_tensor(t);
  return status;
}

static moon_status look_at_tensor(void) {
  moon_tensor *t = tensor(), *u = tensor();
  if (!t || !u) return MOON_OK;
  size_t i = byte();
  if (i < moon_tensor_numel(t)) moon_tensor_set(t, i, number());
  if (i < moon_tensor_numel(t)) (void)moon_tensor_get(t, i);
  if (byte() & 1) moon_tensor_fill(t, number());
  moon_tensor_allclose(t, u, number(), number());
  moon_tensor_frozen(t);
  fuzz_touch(u);
  return MOON_OK;
}

static moon_status copy(void) {
  moon_tensor *t = tensor(), *u = tensor();
  return t && u ? moon_tensor_copy(t, u) : MOON_OK;
}

static moon_status draw(void) {
  moon_tensor *t = tensor();
  if (!t) return MOON_OK;
  switch (below(3)) {
    case 0: return moon_tensor_uniform(t, number(), number());
    case 1: return moon_tensor_normal(t, number(), number());
    default: return moon_tensor_permutation(t, number());
  }
}

static moon_status unary(void) {
  moon_tensor *t = tensor(), *a = tensor();
  const char *name = byte() & 1 ? word() : name_of(MOON_ACTIVATIONS);
  return t && a && (t == a || apart(t, a)) ? moon_tensor_unary(t, name, a, number(), number()) : MOON_OK;
}

static moon_status binary(void) {
  moon_tensor *t = tensor(), *a = tensor(), *b = tensor();
  if (!t || !a || !b || (t != a && !apart(t, a)) || (t != b && !apart(t, b))) return MOON_OK;
  return moon_tensor_binary(t, word(), a, b, number());
}

static moon_status reduce(void) {
  moon_tensor *t = tensor(), *a = tensor();
  double value;
  if (!t || !a || !apart(t, a)) return MOON_OK;
  if (byte() & 1) return moon_tensor_reduce(&value, word(), a);
  return moon_tensor_reduce_dim(t, word(), a, (int)below(6) - 1);
}

static moon_status topk(void) {
  moon_tensor *t = tensor(), *i = tensor(), *a = tensor();
  if (!t || !i || !a || !apart(t, a) || !apart(i, a) || !apart(t, i)) return MOON_OK;
  return moon_tensor_topk(t, i, a, dimension(), (int)below(6) - 1, byte() & 1);
}

static moon_status matmul(void) {
  moon_tensor *t = tensor(), *a = tensor(), *b = tensor();
  if (!t || !a || !b || !apart(t, a) || !apart(t, b)) return MOON_OK;
  unsigned turn = byte();
  return moon_tensor_matmul(t, a, turn & 1, b, turn & 2, number(), number());
}

static moon_status transpose(void) {
  moon_tensor *t = tensor(), *a = tensor();
  return t && a && apart(t, a) ? moon_tensor_transpose(t, a) : MOON_OK;
}

static moon_status eigh(void) {
  moon_tensor *t = tensor(), *v = tensor(), *a = tensor();
  if (!t || !v || !a || !apart(t, v) || !apart(t, a) || (v != a && !apart(v, a))) return MOON_OK;
  return moon_tensor_eigh(t, v, a);
}

static moon_status gather(void) {
  moon_tensor *t = tensor(), *a = tensor();
  size_t index[8], n = below(8);
  for (size_t i = 0; i < n; i++) index[i] = byte() < 250 ? below(4) : dimension();
  return t && a && apart(t, a) ? moon_tensor_gather(t, a, index, n) : MOON_OK;
}

static moon_status cat(void) {
  moon_tensor *t = tensor();
  const moon_tensor *parts[4];
  size_t n = below(5);
  for (size_t i = 0; i < n; i++)
    if (!(parts[i] = tensor()) || !t || !apart(t, parts[i])) return MOON_OK;
  return t ? moon_tensor_cat(t, parts, n, (int)below(6) - 1) : MOON_OK;
}

static moon_status columns(void) {
  moon_tensor *t = tensor(), *a = tensor();
  size_t index[8], n = below(8);
  for (size_t i = 0; i < n; i++) index[i] = byte() < 250 ? below(4) : dimension();
  return t && a && apart(t, a) ? moon_tensor_columns(t, a, index, n) : MOON_OK;
}

static moon_status split(void) {
  moon_tensor *a = tensor(), *parts[4];
  size_t n = below(5);
  for (size_t i = 0; i < n; i++)
    if (!(parts[i] = tensor()) || !a || !apart(parts[i], a)) return MOON_OK;
  return a ? moon_tensor_split(parts, n, a, (int)below(6) - 1) : MOON_OK;
}

static moon_status where(void) {
  moon_tensor *t = tensor(), *c = tensor(), *a = tensor(), *b = tensor();
  if (!t || !c || !a || !b || (t != c && !apart(t, c)) || (t != a && !apart(t, a)) || (t != b && !apart(t, b)))
    return MOON_OK;
  return moon_tensor_where(t, c, a, b);
}

static moon_status make_layer(void) {
  moon_option v[8];
  size_t which = byte(), n = 0;
  const char *kind = which < 128 ? "dense" : which < 150 ? "branch" : which < 165 ? "join" : name_of(MOON_LAYERS);
  moon_layer *l = NULL;
  if (!strcmp(kind, "dense") && byte() < 240) { /* most of the time a layer that fits others */
    v[n++] = (moon_option){.name = "in", .kind = MOON_COUNT, .number = (double)(2 + below(3))};
    v[n++] = (moon_option){.name = "out", .kind = MOON_COUNT, .number = (double)(2 + below(3))};
    if (byte() & 1) v[n++] = (moon_option){.name = "activation", .kind = MOON_TEXT, .text = name_of(MOON_ACTIVATIONS)};
    if (byte() > 200) v[n++] = (moon_option){.name = "tied", .kind = MOON_LAYER, .layer = layer()};
  } else if (which >= 128 && which < 165) {
    bool joins = !strcmp(kind, "join");
    v[n++] = (moon_option){joins ? "heads" : "back", MOON_COUNT, (double)(below(4) + joins), 0, NULL, NULL};
  } else {
    n = options(v, MOON_LAYERS, kind);
  }
  moon_status status = moon_layer_new(s.ctx, &l, kind, v, n);
  if (status == MOON_OK) keep_layer(l);
  return status;
}

static moon_status look_at_layer(void) {
  moon_layer *l = layer();
  moon_parameter p;
  moon_option v;
  size_t width;
  if (!l) return MOON_OK;
  if (moon_layer_parameter(l, below(4), &p)) keep_tensor(moon_tensor_retain(byte() & 1 ? p.value : p.grad));
  if (byte() & 1) return moon_layer_width(l, &width, dimension());
  return moon_layer_get(l, byte() & 1 ? "activation" : word(), &v);
}

static moon_status make_heads(void) {
  static const char *const names[] = {"a", "b", "c", "a", "", NULL};
  moon_head heads[4], head;
  size_t n = below(4);
  moon_loss *l = NULL;
  for (size_t i = 0; i < n; i++)
    heads[i] = (moon_head){names[byte() < 240 ? i : below(COUNT(names))], s.loss[below(FEW)], 1 + below(3),
                           byte() < 240 ? 0.5 : -1};
  moon_status status = moon_loss_heads(s.ctx, &l, heads, n);
  if (status != MOON_OK) return status;
  keep_loss(l);
  EXPECT(moon_loss_head(l, n - 1, &head) && !moon_loss_head(l, n, &head));
  return MOON_OK;
}

static moon_status make_loss(void) {
  moon_option v[8];
  if (byte() > 180) return make_heads();
  const char *kind = name_of(MOON_LOSSES);
  moon_loss *l = NULL;
  moon_status status = moon_loss_new(s.ctx, &l, kind, v, byte() & 1 ? options(v, MOON_LOSSES, kind) : 0);
  if (status == MOON_OK) keep_loss(l);
  return status;
}

static moon_status apply_loss(void) {
  const moon_loss *l = s.loss[below(FEW)];
  moon_tensor *grad = tensor(), *a = tensor(), *b = tensor();
  double value;
  if (!l || !a || !b || (grad && (!apart(grad, a) || !apart(grad, b)))) return MOON_OK;
  const moon_tensor *w = byte() < 64 ? tensor() : NULL;
  if (w && grad && !apart(grad, w)) return MOON_OK;
  return moon_loss_apply_rows(l, byte() & 1 ? &value : NULL, grad, a, b, w);
}

static moon_status make_optim(void) {
  moon_option v[8];
  const char *kind = name_of(MOON_OPTIMS);
  moon_optim *o = NULL;
  moon_status status = moon_optim_new(s.ctx, &o, kind, v, byte() & 1 ? options(v, MOON_OPTIMS, kind) : 0);
  if (status == MOON_OK) keep_optim(o);
  return status;
}

static moon_status use_optim(void) {
  moon_optim *o = s.optim[below(FEW)];
  moon_tensor *value[2] = {tensor(), tensor()}, *grad[2] = {tensor(), tensor()}, *moment;
  const char *name;
  moon_option v[8];
  if (!o || !value[0] || !grad[0] || !value[1] || !grad[1]) return MOON_OK;
  switch (below(4)) {
    case 0: return options(v, MOON_OPTIMS, moon_optim_kind(o)) ? moon_optim_set(o, v) : MOON_OK;
    case 1: return moon_optim_get(o, word(), v);
    case 2: {
      moon_status status = moon_optim_moment(o, value[0], below(4), &name, &moment);
      if (status == MOON_OK) EXPECT(moon_tensor_same_shape(moment, value[0]));
      return status;
    }
    default:
      moon_optim_set_steps(o, byte() < 250 ? byte() : UINT64_MAX);
      for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++)
          if (!apart(value[i], grad[k]) || !apart(value[0], value[1])) return MOON_OK;
      return moon_optim_step(o, value, grad, 1 + below(2));
  }
}

static moon_status make_net(void) {
  moon_layer *layers[6];
  size_t n = below(6);
  moon_net *made = NULL;
  for (size_t i = 0; i < n; i++)
    if (!(layers[i] = layer())) return MOON_OK;
  moon_status status = moon_net_new(s.ctx, &made, layers, n);
  if (status == MOON_OK) keep_net(made);
  return status;
}

static moon_status derive_net(void) {
  moon_net *n = net(), *made = NULL;
  if (!n) return MOON_OK;
  size_t how = below(4);
  moon_status status = how == 0   ? moon_net_slice(n, &made, below(4), byte() < 240 ? below(5) : dimension())
                         : how == 1 ? moon_net_clone(n, &made)
                       : how == 2 ? moon_net_fold(n, &made)
                                  : moon_net_share(n, s.ctx, &made);
  if (status == MOON_OK) keep_net(made);
  return status;
}

static moon_status look_at_net(void) {
  moon_net *n = net();
  if (!n) return MOON_OK;
  moon_layer *l = moon_net_layer(n, below(6));
  if (l) keep_layer(moon_layer_retain(l));
  moon_net_seed(n, byte());
  moon_net_penalty(n);
  moon_net_code(n);
  if (byte() < 20) moon_net_drop_measures(n);
  return moon_net_set_encoder(n, byte() < 240 ? below(4) : dimension());
}

static moon_status run_net(void) {
  moon_net *n = net();
  moon_tensor *x = tensor(), *y = tensor();
  size_t batch = byte() < 240 ? below(5) : dimension();
  if (!n || !x || !y || !apart(x, y)) return MOON_OK;
  switch (below(6)) {
    case 0: return moon_net_forward(n, y, x, byte() & 1);
    case 1: return moon_net_backward(n, byte() & 1 ? y : NULL, x);
    case 2: return moon_net_predict(n, y, x, batch);
    case 3: return moon_net_encode(n, y, x, batch);
    case 4: return moon_net_decode(n, y, x, batch);
    default: return moon_net_errors(n, y, x, batch);
  }
}

static moon_status train_net(void) {
  moon_net *n = net();
  moon_tensor *x = tensor(), *y = tensor();
  const moon_loss *l = s.loss[below(FEW)];
  moon_optim *o = s.optim[below(FEW)];
  const moon_dataset *d = s.data[below(FEW)];
  double value;
  if (!n || !l || !o) return MOON_OK;
  static const char *const kinds[] = {"accuracy", "binary_accuracy", "data",   "penalty",
                                      "loss",     "head 0",          "head 1", "head_accuracy 1"};
  size_t kind = below(16);
  if (kind < COUNT(kinds)) moon_net_add_measure(n, kinds[kind], kind == 4 ? s.loss[below(FEW)] : NULL);
  moon_net_measured(n, kind, &value, &value);
  switch (below(4)) {
    case 0:
      return moon_net_plan(n, byte() < 250 ? below(6) : dimension(), dimension(), byte() & 1 ? l : NULL,
                           byte() & 1 ? o : NULL);
    case 1: return x ? moon_net_step(n, &value, x, y, l, o) : MOON_OK;
    case 2: return d ? moon_net_step_rows(n, NULL, d, below(4), byte() < 240 ? below(5) : dimension(), l, o) : MOON_OK;
    default: return d ? moon_net_evaluate(n, &value, d, l, below(5)) : MOON_OK;
  }
}

static moon_status use_dataset(void);

static moon_status make_dataset(void) {
  moon_tensor *x = tensor(), *y = tensor();
  moon_dataset *d = NULL;
  if (!x) return MOON_OK;
  moon_status status = moon_dataset_new(s.ctx, &d, x, byte() & 1 ? y : NULL);
  if (status == MOON_OK) keep_dataset(d);
  return status;
}

/* Rows that a reader gives; it may fail, train, and ask for rows of any dataset. */
static moon_status read_rows(void *ud, moon_tensor *rows, size_t first) {
  moon_status status = MOON_OK;
  (void)ud;
  moon_tensor_fill(rows, (double)first);
  if (byte() < 8) {
    status = (moon_status)(1 + below(8));
    s.unread = s.unread || status == MOON_EIO;
    return status;
  }
  if (s.reading++ < 3 && byte() < 32) status = byte() & 1 ? train_net() : use_dataset();
  s.reading--;
  return status;
}

static moon_status make_source(void) {
  moon_tensor *t = tensor();
  moon_source *from = s.source[below(FEW)], *new = NULL;
  moon_source_config c = {.size = sizeof c, .rows = 1 + below(9), .width = 4, .block = below(5), .read = read_rows};
  moon_status status = MOON_OK;
  if (byte() > 250) c.rows = dimension(), c.width = dimension(), c.block = dimension();
  switch (below(4)) {
    case 0: status = moon_source_new(s.ctx, &new, &c); break;
    case 1: status = t ? moon_source_windows(&new, t, byte() < 240 ? below(4) : dimension(), below(3)) : MOON_OK; break;
    case 2: status = t ? moon_source_tensor(&new, t) : MOON_OK; break;
    default: status = from ? moon_source_part(&new, from, below(3), byte() < 240 ? below(4) : dimension()) : MOON_OK;
  }
  if (new) keep_source(new);
  return status;
}

static moon_status use_source(void) {
  moon_source *x = s.source[below(FEW)], *y = s.source[below(FEW)];
  moon_tensor *t = tensor();
  moon_dataset *d = NULL;
  if (!x) return MOON_OK;
  if (byte() & 1) return t ? moon_source_read(x, t, below(4)) : MOON_OK;
  moon_status status = moon_dataset_of(s.ctx, &d, x, byte() & 1 ? y : NULL);
  if (status == MOON_OK) keep_dataset(d);
  return status;
}

static moon_status use_dataset(void) {
  moon_dataset *d = s.data[below(FEW)];
  moon_tensor *x = tensor(), *y = tensor();
  if (!d || !x || (y && !apart(x, y))) return MOON_OK;
  if (byte() & 1) moon_dataset_shuffle(d, byte(), byte());
  if (byte() & 1) moon_dataset_unshuffle(d);
  moon_dataset_set_mask(d, byte() < 64);
  if (byte() < 32) (void)moon_dataset_set_weights(d, byte() & 1 ? tensor() : NULL);
  if (y && byte() < 32) return moon_dataset_weights(d, y, below(4), below(5));
  return moon_dataset_batch(d, x, y, below(4), byte() < 240 ? below(5) : dimension());
}

/* A scaler of one or two passes over tensors that may differ. */
static moon_status scale(void) {
  static const char *const methods[] = {"standard", "minmax", "robust", "robust", "none"};
  const moon_tensor *x = tensor(), *again = byte() & 7 ? x : tensor();
  moon_tensor *out = tensor();
  moon_scaler *scaler = NULL;
  bool more = false;
  if (!x || !again || !out || (out != x && !apart(out, x))) return MOON_OK;
  moon_status status = moon_scaler_new(s.ctx, &scaler, methods[below(COUNT(methods))],
                                       byte() < 240 && moon_tensor_rank(x) == 2 ? moon_tensor_shape(x)[1]
                                                                                : dimension());
  if (status == MOON_OK) moon_scaler_release(moon_scaler_retain(scaler));
  if (status == MOON_OK) status = moon_scaler_add(scaler, x);
  if (status == MOON_OK) status = moon_scaler_finish(scaler, &more);
  if (status == MOON_OK && more) status = moon_scaler_add(scaler, again);
  if (status == MOON_OK && more) status = moon_scaler_finish(scaler, &more);
  if (status == MOON_OK || byte() & 1)
    status = scaler ? (byte() & 1 ? moon_scaler_apply : moon_scaler_invert)(scaler, out, x) : status;
  moon_scaler_release(scaler);
  return status;
}

/* ---- detectors ---- */

enum { WIDE = 16, LISTS = 5 }; /* columns of which something is known; lists of numbers */

/* Numbers of columns that are most often valid, or NULL. */
static const double *numbers(double *list) {
  const unsigned kind = byte();
  for (size_t i = 0; i < WIDE; i++) list[i] = kind < 240 ? (double)(1 + (kind >> i % 8 & 3)) : number();
  return kind & 1 ? list : NULL;
}

static const char *const *names(const char **list) {
  static const char *const letters[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"};
  const unsigned kind = byte();
  for (size_t i = 0; i < WIDE; i++) list[i] = kind < 240 ? letters[i] : word();
  return kind & 1 ? list : NULL;
}

static void describe(moon_detector_config *c, double (*lists)[WIDE], const char **columns) {
  static const char *const scores[] = {NULL, "mean", "max", "scaled", "scaled", "median"};
  static const char *const missing[] = {NULL, "skip", "fill", "refuse", ""};
  c->offset = numbers(lists[0]);
  c->scale = numbers(lists[1]);
  c->spread = numbers(lists[2]);
  c->low = numbers(lists[3]);
  c->high = byte() < 240 ? c->low : numbers(lists[4]);
  c->margin = byte() < 240 ? 0 : number();
  c->score = scores[below(COUNT(scores))];
  c->missing = missing[below(COUNT(missing))];
  c->columns = names(columns);
  c->quantile = byte() < 240 ? 0 : number();
  c->rows = byte();
  c->alarms = below(4);
}

/* One to three nets, with all that a detector knows of its columns if they are few. */
static moon_status make_detector(void) {
  double lists[LISTS][WIDE];
  const char *columns[WIDE], *values[2] = {"x", word()};
  moon_net *nets[3] = {net(), net(), net()};
  const moon_csv_category category = {"a", values, below(3)};
  moon_detector_config c = {.size = sizeof c, .nets = nets, .net_count = 1 + (byte() > 128 ? below(3) : 0)};
  moon_detector *d = NULL;
  if (!nets[0]) return MOON_OK;
  if (c.net_count == 2) nets[1] = nets[0];
  if (moon_net_inputs(nets[0]) <= WIDE) describe(&c, lists, columns);
  if (byte() > 200) c.categories = &category, c.category_count = 1;
  moon_status status = moon_detector_new(s.ctx, &d, &c);
  if (status == MOON_OK) keep_detector(d);
  return status;
}

static moon_status change_detector(moon_detector *d) {
  double low[WIDE], high[WIDE];
  switch (below(6)) {
    case 0: return moon_detector_set_threshold(d, number());
    case 1: return moon_detector_set_calibration(d, number(), byte(), byte());
    case 2: return moon_detector_columns(d) <= WIDE ? moon_detector_set_spread(d, numbers(low)) : MOON_OK;
    case 3: {
      const double *from = numbers(low), *to = byte() < 240 ? from : numbers(high);
      return moon_detector_columns(d) <= WIDE ? moon_detector_set_range(d, from, to, number()) : MOON_OK;
    }
    case 4: return moon_detector_set_text(d, word(), word());
    default: moon_detector_text(d, word()); return MOON_OK;
  }
}

static moon_status explain(moon_detector *d, const moon_tensor *x) {
  moon_reason reasons[WIDE];
  const size_t width = moon_detector_columns(d), count = byte() < 240 ? below(WIDE + 1) : dimension();
  if (width > WIDE && count > WIDE && count <= width) return MOON_OK; /* there is no room for so many */
  moon_status status = moon_detector_explain(d, reasons, count, x);
  for (size_t i = 0; status == MOON_OK && i < count; i++)
    EXPECT(reasons[i].column == moon_detector_column(d, reasons[i].index));
  return status;
}

static moon_status judge(moon_detector *d) {
  moon_tensor *x = tensor(), *y = tensor();
  const size_t batch = byte() < 240 ? below(5) : dimension();
  if (!x || !y || !apart(x, y)) return MOON_OK;
  switch (below(5)) {
    case 0: return moon_detector_score(d, y, x, batch);
    case 1: return moon_detector_features(d, y, x, batch);
    case 2: return moon_detector_outside(d, y, x);
    case 3: return moon_detector_alarms(d, y, x);
    default: return explain(d, x);
  }
}

/* Through an archive of its own, one of ours, or bytes. */
static moon_status pass_on(moon_detector *d) {
  moon_archive *a = s.archive[below(FEW)];
  moon_detector *made = NULL;
  moon_tensor *bytes = NULL;
  moon_status status = MOON_OK;
  switch (below(4)) {
    case 0: status = a ? moon_detector_to_archive(d, a) : MOON_OK; break;
    case 1:
      if (a && moon_archive_has_detector(a)) status = moon_detector_from_archive(s.ctx, &made, a);
      break;
    case 2: status = moon_detector_share(d, s.ctx, &made); break;
    default:
      status = moon_detector_to_bytes(d, &bytes);
      if (status == MOON_OK)
        status = moon_detector_from_bytes(s.ctx, &made, moon_tensor_data(bytes), moon_tensor_bytes(bytes));
      moon_tensor_release(bytes);
  }
  EXPECT(!made || status == MOON_OK);
  if (made) keep_detector(made);
  return status;
}

static moon_status use_detector(void) {
  moon_detector *d = s.detector[below(FEW)];
  moon_detector_config c = {.size = sizeof c};
  if (!d) return MOON_OK;
  moon_detector_describe(d, &c);
  EXPECT(c.net_count && moon_net_inputs(c.nets[0]) == moon_detector_columns(d));
  switch (below(5)) {
    case 0: return change_detector(d);
    case 1: return pass_on(d);
    default: return judge(d);
  }
}

/* ---- files ---- */

static moon_status through_bytes(const moon_archive *a) {
  moon_tensor *bytes = NULL;
  moon_archive *again = NULL;
  moon_status status = moon_archive_encode(a, &bytes);
  if (status == MOON_OK) status = moon_archive_decode(s.ctx, &again, moon_tensor_data(bytes), moon_tensor_bytes(bytes));
  moon_tensor_release(bytes);
  moon_archive_release(again);
  return status;
}

static moon_status use_archive(void) {
  moon_archive *a = s.archive[below(FEW)], *made = NULL;
  moon_tensor *t = tensor();
  moon_net *n = net(), *loaded = NULL;
  moon_status status;
  const char *name;
  if (!a || byte() < 32) {
    status = moon_archive_new(s.ctx, &made);
    if (status == MOON_OK) keep_archive(made);
    return status;
  }
  switch (below(5)) {
    case 0: return moon_archive_add(a, word(), t);
    case 1: return moon_archive_set(a, word(), word());
    case 2: return n ? moon_net_to_archive(n, a) : MOON_OK;
    case 3:
      if (moon_archive_tensor(a, below(8), &name, &t)) keep_tensor(moon_tensor_retain(t));
      moon_archive_text(a, word());
      moon_archive_find(a, word());
      return through_bytes(a);
    default:
      status = moon_net_from_archive(s.ctx, &loaded, a);
      if (status == MOON_OK) keep_net(loaded);
      return status;
  }
}

static moon_status png(void) {
  moon_tensor *t = tensor(), *made = NULL;
  if (!t) return MOON_OK;
  moon_status status = byte() & 1 ? moon_png_encode(t, &made)
                                  : moon_png_decode(s.ctx, &made, moon_tensor_data(t), moon_tensor_bytes(t));
  if (status == MOON_OK) keep_tensor(made);
  return status;
}

/* Memory that runs out after some allocations, or is available again; a limit; an interrupt; threads. */
static moon_status disturb(void) {
  switch (below(6)) {
    case 0: s.allowed = below(24); break;
    case 1: s.allowed = SIZE_MAX; break;
    case 2: moon_set_memory_limit(s.ctx, byte() & 1 ? moon_memory_used(s.ctx) + 64 * below(256) : 4 << 20); break;
    case 3: moon_interrupt(s.ctx); break;
    case 4: moon_seed(s.ctx, moon_random(s.ctx)); break;
    default: return moon_set_threads(s.ctx, (int)below(4) - 1);
  }
  return MOON_OK;
}

static moon_status forget(void) {
  switch (below(7)) {
    case 0: keep_tensor(NULL); break;
    case 1: keep_layer(NULL); break;
    case 2: keep_net(NULL); break;
    case 3: keep_dataset(NULL); break;
    case 4: keep_source(NULL); break;
    case 5: keep_detector(NULL); break;
    default: keep_archive(NULL); break;
  }
  return MOON_OK;
}

static moon_status (*const calls[])(void) = {
    make_tensor, make_tensor, make_tensor, wrap_tensor, view_tensor,   look_at_tensor, copy,
    draw,        unary,       binary,      reduce,      topk,          matmul,         transpose,
    eigh,        gather,      cat,         make_layer,  make_layer,    look_at_layer,  make_loss,
    apply_loss,  make_optim,  use_optim,   make_net,    make_net,      derive_net,     look_at_net,
    run_net,     run_net,     train_net,   train_net,   train_net,     make_dataset,   use_dataset,
    use_archive, use_archive, png,         disturb,     forget,        scale,          make_source,
    use_source,  columns,     split,       where,       make_detector, use_detector,   use_detector,
};

/* ---- a whole program ---- */

static void release_all(void) {
  for (size_t i = 0; i < TENSORS; i++) moon_tensor_release(s.tensor[i]);
  for (size_t i = 0; i < LAYERS; i++) moon_layer_release(s.layer[i]);
  for (size_t i = 0; i < NETS; i++) moon_net_release(s.net[i]);
  for (size_t i = 0; i < FEW; i++) {
    moon_loss_release(s.loss[i]);
    moon_optim_release(s.optim[i]);
    moon_dataset_release(s.data[i]);
    moon_archive_release(s.archive[i]);
    moon_source_release(s.source[i]);
    moon_detector_release(s.detector[i]);
  }
  moon_ctx_release(s.ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  memset(&s, 0, sizeof s);
  s.at = data;
  s.end = data + size;
  s.allowed = SIZE_MAX;
  moon_config config = {.alloc = take, .memory_limit = 4 << 20};
  EXPECT(moon_ctx_new(&s.ctx, &config) == MOON_OK);
  for (int i = 0; i < CALLS_MAX && s.at < s.end; i++) {
    moon_status status = calls[below(COUNT(calls))]();
    EXPECT(status >= MOON_OK && status <= MOON_EINTERRUPT && (status != MOON_EIO || s.unread));
    EXPECT(status == MOON_OK || *moon_error(s.ctx));
  }
  release_all();
  EXPECT(s.held == 0);
  return 0;
}
