/* refusal_test.c - out of memory at every point of the C API. In each scenario the k-th allocation is refused, for
** k = 1, 2, 3 ... until the call passes: once only that allocation, once with all that follow; in the context's
** allocator, and in malloc, which zlib, libpng, BLIS and the C library use. After each refusal the status says
** so, every object and file is bit for bit as before, the same call then works, and every block is freed. An argument
** prints what was refused where; a second one names the only scenario to run. */
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "../../csrc/engine/core/ctx.h"
#include "../../csrc/engine/core/error.h"
#include "../../csrc/engine/core/memory.h"
#include "../../csrc/engine/core/registry.h"
#include "../../csrc/engine/core/tensor.h"
#include "../../csrc/engine/kernels/table.h"
#include "../../csrc/engine/net/dataset.h"
#include "../../csrc/engine/net/loss.h"
#include "../../csrc/engine/net/net.h"
#include "../../csrc/engine/net/optim.h"
#include "check.h"
#include "folder.h"
#include "refuse.h"

#define TRY(call) MOONI_TRY(call)
enum { MAX_PARTS = 8, FOREVER = 0 };

static bool full;
static const char *only; /* NULL: all scenarios */

/* ---- the two doors ---- */

typedef enum door { HOOK, MALLOC } door;

static struct {
  bool armed;
  size_t calls, first, last, count;
  long live;
} hook;

static void *hooked(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud, (void)osize;
  if (!nsize) {
    hook.live -= ptr != NULL;
    free(ptr);
    return NULL;
  }
  if (hook.armed && ++hook.calls >= hook.first && hook.calls <= hook.last) return hook.count++, NULL;
  hook.live += ptr == NULL;
  return realloc(ptr, nsize);
}

static void arm(door d, size_t first, size_t width) {
  size_t last = width == FOREVER ? SIZE_MAX : first + width - 1;
  if (d == MALLOC) {
    refuse_arm((refusal){first, last});
    return;
  }
  hook.calls = hook.count = 0;
  hook.first = first;
  hook.last = last;
  hook.armed = true;
}

/* The number of refused calls. */
static size_t disarm(door d) {
  hook.armed = false;
  refuse_disarm();
  return d == MALLOC ? atomic_load(&refuse_count) : hook.count;
}

static long live(door d) { return d == MALLOC ? atomic_load(&refuse_live) : hook.live; }

/* ---- the objects of a scenario ---- */

typedef struct stage {
  door door;
  moon_ctx *ctx;
  moon_net *net;
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x;
  moon_dataset *data;
  moon_archive *archive;
  const char *path; /* a file that exists */
  uint64_t result;  /* digest of the last part's result */
} stage;

typedef struct scenario {
  const char *name;
  moon_status (*act)(stage *s, int part); /* one part: done, or a status and nothing has changed */
  int parts;
  int threads;
  size_t rows, width;
  bool blis; /* kernels that leave all products to BLIS */
} scenario;

static uint64_t mix(uint64_t h, const void *bytes, size_t n) {
  const unsigned char *p = bytes;
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
  return h;
}

static uint64_t mix_tensor(uint64_t h, const moon_tensor *t) {
  h = mix(h, &t->dtype, sizeof t->dtype);
  h = mix(h, t->shape, (size_t)t->rank * sizeof *t->shape);
  return mix(h, moon_tensor_data(t), moon_tensor_bytes(t));
}

static uint64_t mix_file(uint64_t h, const char *path) {
  char bytes[4096];
  FILE *f = fopen(path, "rb");
  for (size_t n; f && (n = fread(bytes, 1, sizeof bytes, f)) > 0;) h = mix(h, bytes, n);
  if (f) fclose(f);
  return h;
}

static uint64_t mix_moments(uint64_t h, const moon_optim *opt, const moon_tensor *value) {
  const mooni_segment *s = mooni_optim_segment(opt, value, 0);
  for (size_t i = 0; i < opt->class->slots(opt); i++)
    for (size_t j = 0; j < value->numel; j++) { /* moments that do not exist yet count with their first values */
      float start = opt->class->slot_start ? (float)opt->class->slot_start(opt, i) : 0;
      h = mix(h, s ? moon_tensor_float(s->slot[i]) + j : &start, sizeof start);
    }
  return h;
}

/* A digest of everything visible: weights, gradients, moments, orders, random streams, texts, the file. */
static uint64_t digest(const stage *s) {
  uint64_t h = mix(0xcbf29ce484222325u, &s->ctx->rng, sizeof s->ctx->rng);
  const char *name, *text;
  moon_tensor *t;
  h = mix_tensor(h, s->x);
  h = mix(h, &s->opt->steps, sizeof s->opt->steps);
  for (size_t i = 0; i < s->net->param_count; i++) {
    h = mix_tensor(mix_tensor(h, s->net->values[i]), s->net->grads[i]);
    h = mix_moments(h, s->opt, s->net->values[i]);
  }
  h = mix(h, &s->net->encoder, sizeof s->net->encoder);
  for (size_t i = 0; i < s->net->count; i++) h = mix(h, &s->net->layers[i]->seed, sizeof(uint64_t));
  h = mix(h, &s->net->draw, sizeof s->net->draw);
  if (s->data->order) h = mix(h, s->data->order, s->data->rows * sizeof *s->data->order);
  for (size_t i = 0; moon_archive_tensor(s->archive, i, &name, &t); i++) h = mix_tensor(mix(h, name, strlen(name)), t);
  for (size_t i = 0; moon_archive_entry(s->archive, i, &name, &text); i++)
    h = mix(mix(h, name, strlen(name)), text, strlen(text));
  return mix_file(h, s->path);
}

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

/* The option that the class requires: a width, a probability, a number of elements, or relu. */
static size_t required(moon_ctx *ctx, moon_family family, const char *kind, size_t width, moon_option *options) {
  moon_option_info info;
  size_t n = 0;
  for (size_t i = 0; moon_option_describe(ctx, family, kind, i, &info); i++) {
    if (!info.required) continue;
    double v = info.kind != MOON_COUNT ? 0.25 : info.name[0] == 'k' ? 3 : (double)width;
    if (!strcmp(kind, "gaussian_code")) v = (double)(width / 2);
    options[n++] = (moon_option){info.name, info.kind, v, 0, "relu", NULL};
  }
  return n;
}

static moon_status new_layer(moon_ctx *ctx, moon_layer **out, const char *kind, size_t width) {
  moon_option options[8];
  return moon_layer_new(ctx, out, kind, options, required(ctx, MOON_LAYERS, kind, width, options));
}

/* One layer of every registered kind, noise first. Wide nets, divided among workers, have dense layers only. */
static moon_status make_layers(moon_ctx *ctx, moon_layer **layers, size_t *count, size_t width, bool plain) {
  const char *kind;
  moon_option penalties[] = {number("in", (double)width), number("out", (double)width), text("activation", "gelu"),
                             number("activity_l1", 1e-3), number("weight_l2", 1e-3),    number("weight_l1", 1e-3),
                             number("contractive", 1e-3)};
  *count = 0;
  for (size_t i = 0; !plain && (kind = moon_registered(ctx, MOON_LAYERS, i)) != NULL; i++) {
    TRY(new_layer(ctx, &layers[*count], kind, width));
    ++*count;
    if (strcmp(kind, "gaussian_code") != 0) continue;
    moon_option wider[] = {number("in", (double)(width / 2)), number("out", (double)width)};
    TRY(moon_layer_new(ctx, &layers[*count], "dense", wider, 2));
    ++*count;
  }
  TRY(moon_layer_new(ctx, &layers[*count], "dense", penalties, plain ? 3 : MOONI_COUNT(penalties)));
  moon_option tied = {"tied", MOON_LAYER, 0, 0, NULL, layers[*count]};
  moon_option last[] = {penalties[0], penalties[1], text("activation", "sigmoid"), tied, number("kl_weight", 1e-3)};
  ++*count;
  TRY(moon_layer_new(ctx, &layers[*count], "dense", last, plain ? 3 : MOONI_COUNT(last)));
  ++*count;
  return MOON_OK;
}

static moon_status make_net(moon_ctx *ctx, moon_net **out, size_t width, bool plain) {
  moon_layer *layers[32];
  size_t n;
  moon_status status = make_layers(ctx, layers, &n, width, plain);
  if (status == MOON_OK) status = moon_net_new(ctx, out, layers, n);
  while (n) moon_layer_release(layers[--n]);
  return status;
}

static moon_status fill_stage(stage *s, const scenario *of) {
  moon_ctx *ctx = s->ctx;
  TRY(make_net(ctx, &s->net, of->width, of->threads > 1 || of->blis));
  TRY(moon_net_set_encoder(s->net, 1));
  TRY(moon_loss_new(ctx, &s->loss, "bce", NULL, 0));
  TRY(moon_optim_new(ctx, &s->opt, "adam", &(moon_option){"global_clip_norm", MOON_NUMBER, 1, 0, NULL, NULL}, 1));
  TRY(moon_tensor_new(ctx, &s->x, MOON_FLOAT32, 2, (size_t[]){of->rows, of->width}));
  TRY(moon_tensor_uniform(s->x, 0, 1));
  TRY(moon_dataset_new(ctx, &s->data, s->x, NULL));
  moon_dataset_shuffle(s->data, 5, 1);
  TRY(moon_archive_new(ctx, &s->archive));
  TRY(moon_archive_add(s->archive, "first", s->x));
  return moon_archive_set(s->archive, "key", "text");
}

static const char *write_file(const char *name, const void *bytes, size_t n) {
  const char *p = path_of(name);
  FILE *f = fopen(p, "wb");
  CHECK(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
  return p;
}

static bool make_stage(stage *s, const scenario *of, door d) {
  static char target[128];
  snprintf(target, sizeof target, "%s", write_file("target", "what was there", 14));
  moon_config config = {.alloc = d == HOOK ? hooked : NULL, .threads = of->threads, .seed = 3};
  *s = (stage){.door = d, .path = target};
  if (moon_ctx_new(&s->ctx, &config) != MOON_OK) return false;
  if (of->blis) s->ctx->k = &mooni_kernels_base;
  if (fill_stage(s, of) == MOON_OK) return true;
  fprintf(stderr, "%s: %s\n", of->name, moon_error(s->ctx));
  return false;
}

static void free_stage(stage *s) {
  moon_ctx_release(s->ctx);
  moon_archive_release(s->archive);
  moon_net_release(s->net);
  moon_dataset_release(s->data);
  moon_tensor_release(s->x);
  moon_loss_release(s->loss);
  moon_optim_release(s->opt);
}

/* ---- tensors ---- */

/* End a part: on success digest its result, then release it. */
static moon_status gave(stage *s, moon_status status, moon_tensor *t) {
  if (status == MOON_OK) s->result = mix_tensor(s->result, t);
  moon_tensor_release(t);
  return status;
}

static moon_status new_like(stage *s, moon_tensor **out, const moon_tensor *t) {
  return moon_tensor_new(s->ctx, out, MOON_FLOAT32, moon_tensor_rank(t), moon_tensor_shape(t));
}

static void count_release(void *ud) { ++*(int *)ud; }

static moon_status act_tensors(stage *s, int part) {
  float buffer[6] = {1, 2, 3, 4, 5, 6};
  size_t shape[] = {2, 3, 1, 1};
  int released = 0, wrapped = 0;
  (void)part;
  moon_status status = MOON_OK;
  for (int rank = 0; status == MOON_OK && rank <= MOON_MAX_RANK; rank++) {
    moon_tensor *t = NULL, *w = NULL, *v = NULL;
    status = moon_tensor_new(s->ctx, &t, MOON_UINT8, rank, shape);
    if (status == MOON_OK)
      status = moon_tensor_wrap(s->ctx, &w, MOON_FLOAT32, rank, shape, buffer, count_release, &released);
    wrapped += w != NULL;
    if (status == MOON_OK) status = moon_tensor_view(&v, w, 0, rank, shape);
    if (status == MOON_OK) s->result = mix_tensor(mix_tensor(s->result, t), v);
    moon_tensor_release(t);
    moon_tensor_release(w);
    moon_tensor_release(v);
  }
  CHECK(released == wrapped); /* a buffer that was not wrapped still belongs to the caller */
  return status;
}

static moon_status one_unary(stage *s, const char *name) {
  moon_tensor *t = NULL;
  moon_status status = new_like(s, &t, s->x);
  if (status == MOON_OK) status = moon_tensor_unary(t, name, s->x, 0.25, 0.75);
  return gave(s, status, t);
}

static moon_status act_unary(stage *s, int part) {
  const char *name;
  (void)part;
  for (const mooni_unary *u = s->ctx->k->unary; u->name; u++) TRY(one_unary(s, u->name));
  for (size_t i = 0; (name = moon_registered(s->ctx, MOON_ACTIVATIONS, i)) != NULL; i++) TRY(one_unary(s, name));
  return MOON_OK;
}

static moon_status act_binary(stage *s, int part) {
  (void)part;
  for (const mooni_binary *b = s->ctx->k->binary; b->name; b++) {
    moon_tensor *out = NULL, *row = NULL;
    moon_status status = new_like(s, &out, s->x);
    if (status == MOON_OK) status = moon_tensor_binary(out, b->name, s->x, s->x, 0.5);
    if (status == MOON_OK) status = moon_tensor_view(&row, s->x, 0, 1, (size_t[]){s->x->shape[1]});
    if (status == MOON_OK) status = moon_tensor_binary(out, b->name, s->x, row, 0.5);
    moon_tensor_release(row);
    TRY(gave(s, status, out));
  }
  return MOON_OK;
}

static moon_status act_reductions(stage *s, int part) {
  static const char *const names[] = {"sum", "mean", "min", "max", "var", "std", "norm", "argmax"};
  (void)part;
  for (size_t i = 0; i < MOONI_COUNT(names); i++)
    for (int dim = 0; dim < 2; dim++) {
      double value;
      moon_tensor *out = NULL;
      TRY(moon_tensor_reduce(&value, names[i], s->x));
      s->result = mix(s->result, &value, sizeof value);
      moon_status status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 1, &s->x->shape[1 - dim]);
      if (status == MOON_OK) status = moon_tensor_reduce_dim(out, names[i], s->x, dim);
      TRY(gave(s, status, out));
    }
  return MOON_OK;
}

static moon_status act_topk(stage *s, int part) {
  moon_tensor *values = NULL, *index = NULL;
  size_t shape[] = {s->x->shape[0], 3};
  moon_status status = moon_tensor_new(s->ctx, &values, MOON_FLOAT32, 2, shape);
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &index, MOON_FLOAT32, 2, shape);
  if (status == MOON_OK) status = moon_tensor_topk(values, index, s->x, 3, 1, part == 0);
  status = gave(s, status, index);
  return gave(s, status, values);
}

static moon_status act_products(stage *s, int part) {
  bool ta = part & 1;
  size_t n = s->x->shape[ta ? 1 : 0];
  moon_tensor *out = NULL;
  moon_status status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 2, (size_t[]){n, n});
  if (status == MOON_OK) status = moon_tensor_matmul(out, s->x, ta, s->x, !ta, 1, 0);
  return gave(s, status, out);
}

static moon_status act_arrange(stage *s, int part) {
  const moon_tensor *both[] = {s->x, s->x};
  const size_t *shape = s->x->shape, index[] = {3, 0, 3};
  moon_tensor *out = NULL;
  moon_status status;
  if (part == 0) {
    status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 2, (size_t[]){shape[1], shape[0]});
    if (status == MOON_OK) status = moon_tensor_transpose(out, s->x);
  } else if (part == 1) {
    status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 2, (size_t[]){3, shape[1]});
    if (status == MOON_OK) status = moon_tensor_gather(out, s->x, index, 3);
  } else if (part == 2) {
    status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 2, (size_t[]){shape[0], 2 * shape[1]});
    if (status == MOON_OK) status = moon_tensor_cat(out, both, 2, 1);
  } else if (part == 3) {
    status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 2, (size_t[]){shape[0], 3});
    if (status == MOON_OK) status = moon_tensor_columns(out, s->x, index, 3);
  } else if (part == 4) {
    status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 2, shape);
    if (status == MOON_OK) status = moon_tensor_split(&out, 1, s->x, 1);
  } else {
    status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 2, shape);
    if (status == MOON_OK) status = moon_tensor_where(out, s->x, s->x, s->x);
  }
  return gave(s, status, out);
}

static moon_status act_random(stage *s, int part) {
  moon_tensor *out = NULL;
  moon_status status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 1, (size_t[]){37});
  if (status == MOON_OK)
    status = part == 0   ? moon_tensor_uniform(out, -1, 1)
             : part == 1 ? moon_tensor_normal(out, 0, 1)
                         : moon_tensor_permutation(out, 1);
  return gave(s, status, out);
}

static moon_status act_copies(stage *s, int part) {
  moon_tensor *bytes = NULL;
  (void)part;
  moon_status status = moon_tensor_new(s->ctx, &bytes, MOON_UINT8, 2, s->x->shape);
  if (status == MOON_OK) status = moon_tensor_copy(bytes, s->x);
  return gave(s, status, bytes);
}

static moon_status act_eigh(stage *s, int part) {
  size_t n = s->x->shape[1];
  moon_tensor *values = NULL, *square = NULL;
  (void)part;
  moon_status status = moon_tensor_new(s->ctx, &values, MOON_FLOAT32, 1, &n);
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &square, MOON_FLOAT32, 2, (size_t[]){n, n});
  if (status == MOON_OK) status = moon_tensor_matmul(square, s->x, true, s->x, false, 1, 0);
  if (status == MOON_OK) status = moon_tensor_eigh(values, square, square);
  status = gave(s, status, square);
  return gave(s, status, values);
}

static moon_status act_neighbours(stage *s, int part) {
  const size_t shape[] = {s->x->shape[0], 2};
  moon_tensor *index = NULL, *distance = NULL;
  (void)part;
  moon_status status = moon_tensor_new(s->ctx, &index, MOON_FLOAT32, 2, shape);
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &distance, MOON_FLOAT32, 2, shape);
  if (status == MOON_OK) status = moon_tensor_neighbours(index, distance, s->x, s->x, 2);
  status = gave(s, status, index);
  return gave(s, status, distance);
}

/* ---- registered classes ---- */

static moon_status act_layers(stage *s, int part) {
  const char *kind;
  (void)part;
  for (size_t i = 0; (kind = moon_registered(s->ctx, MOON_LAYERS, i)) != NULL; i++) {
    mooni_rng before = s->ctx->rng;
    moon_layer *layer = NULL;
    moon_status status = new_layer(s->ctx, &layer, kind, 12);
    CHECK(status == MOON_OK || !memcmp(&before, &s->ctx->rng, sizeof before)); /* else a second try would differ */
    s->ctx->rng = before;
    TRY(status);
    moon_layer_release(layer);
  }
  return MOON_OK;
}

static moon_status act_dense(stage *s, int part) {
  const char *act, *init;
  (void)part;
  mooni_rng before = s->ctx->rng;
  for (size_t i = 0; (act = moon_registered(s->ctx, MOON_ACTIVATIONS, i)) != NULL; i++)
    for (size_t j = 0; (init = moon_registered(s->ctx, MOON_INITS, j)) != NULL; j += i ? 100 : 1) {
      moon_option options[] = {number("in", 7), number("out", 5), text("activation", act), text("init", init)};
      moon_layer *layer = NULL;
      moon_parameter p;
      moon_status status = moon_layer_new(s->ctx, &layer, "dense", options, MOONI_COUNT(options));
      for (size_t k = 0; layer && moon_layer_parameter(layer, k, &p); k++) s->result = mix_tensor(s->result, p.value);
      moon_layer_release(layer);
      s->ctx->rng = before;
      TRY(status);
    }
  return MOON_OK;
}

static moon_status apply_loss(stage *s, const char *kind, moon_dtype dtype, bool classes) {
  moon_loss *loss = NULL;
  moon_tensor *target = NULL, *grad = NULL;
  double value = 0;
  moon_status status = moon_loss_new(s->ctx, &loss, kind, NULL, 0);
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &target, dtype, classes ? 1 : 2, s->x->shape);
  if (status == MOON_OK) status = new_like(s, &grad, s->x);
  if (status == MOON_OK) moon_tensor_fill(target, 1);
  if (status == MOON_OK) status = moon_loss_apply_rows(loss, &value, grad, s->x, target, NULL);
  s->result = mix(s->result, &value, sizeof value);
  moon_tensor_release(target);
  moon_loss_release(loss);
  return gave(s, status, grad);
}

static moon_status act_losses(stage *s, int part) {
  const char *kind;
  (void)part;
  for (size_t i = 0; (kind = moon_registered(s->ctx, MOON_LOSSES, i)) != NULL; i++) {
    TRY(apply_loss(s, kind, MOON_FLOAT32, false));
    TRY(apply_loss(s, kind, MOON_UINT8, false));
    if (mooni_find_loss(s->ctx, kind)->takes_labels) TRY(apply_loss(s, kind, MOON_UINT8, true));
  }
  return MOON_OK;
}

static moon_status use_optim(stage *s, moon_optim *opt) {
  moon_tensor *w = NULL, *moment;
  const char *name;
  moon_status status = new_like(s, &w, s->x);
  if (status == MOON_OK) status = moon_optim_step(opt, &w, &s->x, 1);
  if (status == MOON_OK) status = moon_optim_step(opt, &w, &s->x, 1);
  if (status == MOON_OK && opt->class->slots(opt)) status = moon_optim_moment(opt, w, 0, &name, &moment);
  return gave(s, status, w);
}

static moon_status act_optims(stage *s, int part) {
  const char *kind;
  (void)part;
  for (size_t i = 0; (kind = moon_registered(s->ctx, MOON_OPTIMS, i)) != NULL; i++) {
    moon_optim *opt = NULL;
    moon_status status = moon_optim_new(s->ctx, &opt, kind, NULL, 0);
    if (status == MOON_OK) status = use_optim(s, opt);
    moon_optim_release(opt);
    TRY(status);
  }
  return MOON_OK;
}

/* ---- nets ---- */

static moon_status act_build(stage *s, int part) {
  mooni_rng before = s->ctx->rng;
  moon_net *net = NULL, *slice = NULL;
  (void)part;
  moon_status status = make_net(s->ctx, &net, 12, false);
  if (status == MOON_OK) status = moon_net_slice(net, &slice, 1, net->count - 1);
  for (size_t i = 0; status == MOON_OK && i < slice->param_count; i++)
    s->result = mix_tensor(s->result, slice->values[i]);
  moon_net_release(slice);
  moon_net_release(net);
  s->ctx->rng = before;
  return status;
}

static moon_status act_forward_backward(stage *s, int part) {
  moon_tensor *out = NULL;
  moon_status status = new_like(s, &out, s->x);
  if (status == MOON_OK)
    status = part == 0 ? moon_net_forward(s->net, out, s->x, true) : moon_net_backward(s->net, out, s->x);
  return gave(s, status, out);
}

/* A batch, then a smaller one, then one larger than both. */
static moon_status act_steps(stage *s, int part) {
  size_t n = s->data->rows, count = part == 0 ? n - n / 4 : part == 1 ? n / 4 : n;
  double objective;
  TRY(moon_net_step_rows(s->net, &objective, s->data, part == 1 ? n - n / 4 : 0, count, s->loss, s->opt));
  s->result = mix(s->result, &objective, sizeof objective);
  return MOON_OK;
}

static moon_status act_plan(stage *s, int part) {
  return moon_net_plan(s->net, s->data->rows + (size_t)part, 0, s->loss, part ? s->opt : NULL);
}

static moon_status act_evaluate(stage *s, int part) {
  double objective;
  (void)part;
  TRY(moon_net_evaluate(s->net, &objective, s->data, s->loss, 7));
  s->result = mix(s->result, &objective, sizeof objective);
  return MOON_OK;
}

static moon_status act_measure(stage *s, int part) {
  double objective, sums[2] = {0, 0}, weight;
  moon_status status = moon_net_add_measure(s->net, "accuracy", NULL);
  (void)part;
  if (status == MOON_OK) status = moon_net_add_measure(s->net, "loss", s->loss);
  if (status == MOON_OK) status = moon_net_evaluate(s->net, &objective, s->data, s->loss, 7);
  for (size_t i = 0; status == MOON_OK && i < 2; i++) status = moon_net_measured(s->net, i, &sums[i], &weight);
  moon_net_drop_measures(s->net);
  if (status == MOON_OK) s->result = mix(s->result, sums, sizeof sums);
  return status;
}

/* width -> width / 2 twice, side by side: branches. */
static moon_status new_branches(stage *s, moon_net **net) {
  size_t width = s->x->shape[1];
  moon_layer *layers[4] = {NULL};
  moon_option half[] = {number("in", (double)width), number("out", (double)(width / 2))};
  moon_option back = number("back", 1), heads = number("heads", 2);
  moon_status status = moon_layer_new(s->ctx, &layers[0], "dense", half, 2);
  if (status == MOON_OK) status = moon_layer_new(s->ctx, &layers[1], "branch", &back, 1);
  if (status == MOON_OK) status = moon_layer_new(s->ctx, &layers[2], "dense", half, 2);
  if (status == MOON_OK) status = moon_layer_new(s->ctx, &layers[3], "join", &heads, 1);
  if (status == MOON_OK) status = moon_net_new(s->ctx, net, layers, 4);
  for (size_t i = 0; i < 4; i++) moon_layer_release(layers[i]);
  return status;
}

static moon_status act_heads(stage *s, int part) {
  mooni_rng before = s->ctx->rng;
  size_t half = s->x->shape[1] / 2;
  moon_net *net = NULL;
  moon_loss *heads = NULL;
  double value = 0, figure, weight;
  const moon_head list[] = {{"a", s->loss, half, 1}, {"b", s->loss, half, 0.5}};
  moon_optim *opt = NULL;
  moon_status status = new_branches(s, &net);
  if (status == MOON_OK) status = moon_loss_heads(s->ctx, &heads, list, 2);
  if (status == MOON_OK) status = moon_net_add_measure(net, "head 1", NULL);
  if (status == MOON_OK) status = moon_optim_new(s->ctx, &opt, "sgd", NULL, 0);
  if (status == MOON_OK && part) status = moon_net_step(net, &value, s->x, NULL, heads, opt);
  if (status == MOON_OK) status = moon_loss_apply(heads, &figure, NULL, s->x, s->x);
  if (status == MOON_OK) s->result = mix(s->result, &figure, sizeof figure);
  if (status == MOON_OK) status = moon_net_measured(net, 0, &figure, &weight);
  s->result = mix(s->result, &value, sizeof value);
  moon_optim_release(opt);
  moon_loss_release(heads);
  moon_net_release(net);
  s->ctx->rng = before;
  return status;
}

static moon_status act_predict(stage *s, int part) {
  moon_tensor *out = NULL;
  moon_status status = new_like(s, &out, s->x);
  if (status == MOON_OK)
    status = part == 0   ? moon_net_predict(s->net, out, s->x, 0)
             : part == 1 ? moon_net_encode(s->net, out, s->x, 9)
                         : moon_net_decode(s->net, out, s->x, 9);
  return gave(s, status, out);
}

static moon_status act_errors(stage *s, int part) {
  moon_tensor *out = NULL;
  (void)part;
  moon_status status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 1, s->x->shape);
  if (status == MOON_OK) status = moon_net_errors(s->net, out, s->x, 0);
  return gave(s, status, out);
}

static moon_status act_share(stage *s, int part) {
  moon_net *shared = NULL;
  moon_tensor *out = NULL;
  moon_status status = part == 0   ? moon_net_share(s->net, s->ctx, &shared)
                       : part == 1 ? moon_net_clone(s->net, &shared)
                                   : moon_net_fold(s->net, &shared);
  if (status == MOON_OK) status = new_like(s, &out, s->x);
  if (status == MOON_OK) status = moon_net_predict(shared, out, s->x, 0);
  moon_net_release(shared);
  return gave(s, status, out);
}

static moon_status read_from(void *ud, moon_tensor *rows, size_t first) {
  moon_tensor *view, *x = ud;
  moon_status status = moon_tensor_view(&view, x, first * moon_tensor_shape(x)[1], 2, moon_tensor_shape(rows));
  if (status == MOON_OK) status = moon_tensor_copy(rows, view);
  if (status == MOON_OK) moon_tensor_release(view);
  return status;
}

/* Of tensors; of read rows with a tensor's beside them; of windows. */
static moon_status make_data(stage *s, moon_dataset **data, int part) {
  const size_t *shape = moon_tensor_shape(s->x);
  moon_source_config config = {
      .size = sizeof config, .rows = shape[0], .width = shape[1], .block = 3, .read = read_from, .ud = s->x};
  moon_source *whole = NULL, *x = NULL, *y = NULL;
  if (part == 0) return moon_dataset_new(s->ctx, data, s->x, s->x);
  moon_status status = part == 1 ? moon_source_new(s->ctx, &whole, &config) : moon_source_windows(&whole, s->x, 1, 1);
  if (status == MOON_OK) status = moon_source_part(&x, whole, 0, shape[0]);
  if (status == MOON_OK) status = moon_source_tensor(&y, s->x);
  if (status == MOON_OK) status = moon_dataset_of(s->ctx, data, x, y);
  if (x) moon_source_release(moon_source_retain(x));
  moon_source_release(whole);
  moon_source_release(x);
  moon_source_release(y);
  return status;
}

static moon_status act_dataset(stage *s, int part) {
  moon_dataset *data = NULL;
  moon_tensor *out = NULL, *weights = NULL;
  moon_status status = make_data(s, &data, part);
  if (status == MOON_OK) moon_dataset_shuffle(data, 1, 2);
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 2, (size_t[]){5, s->x->shape[1]});
  if (status == MOON_OK) status = moon_dataset_batch(data, out, NULL, 3, 5);
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &weights, MOON_FLOAT32, 1, s->x->shape);
  if (status == MOON_OK) moon_tensor_fill(weights, 2);
  if (status == MOON_OK) status = moon_dataset_set_weights(data, weights);
  if (status == MOON_OK && part) status = moon_net_evaluate(s->net, &(double){0}, data, s->loss, 4);
  moon_tensor_release(weights);
  moon_dataset_release(data);
  return gave(s, status, out);
}

static moon_status act_scaler(stage *s, int part) {
  static const char *const methods[] = {"standard", "minmax", "robust"};
  moon_scaler *scaler = NULL;
  moon_tensor *out = NULL;
  bool again = true;
  moon_status status = moon_scaler_new(s->ctx, &scaler, methods[part], s->x->shape[1]);
  while (status == MOON_OK && again) {
    status = moon_scaler_add(scaler, s->x);
    if (status == MOON_OK) status = moon_scaler_finish(scaler, &again);
  }
  if (status == MOON_OK) status = new_like(s, &out, s->x);
  if (status == MOON_OK) status = moon_scaler_apply(scaler, out, s->x);
  moon_scaler_release(scaler);
  return gave(s, status, out);
}

static moon_status act_detector(stage *s, int part) {
  size_t rows = s->x->shape[0], width = s->x->shape[1];
  moon_detector_config c = {.size = sizeof c, .nets = &s->net, .net_count = 1};
  moon_detector *d = NULL;
  moon_tensor *out = NULL;
  moon_reason reason;
  moon_status status = moon_detector_new(s->ctx, &d, &c);
  if (status == MOON_OK) moon_detector_release(moon_detector_retain(d));
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &out, MOON_FLOAT32, 1, &rows);
  if (status == MOON_OK && !part) status = moon_detector_score(d, out, s->x, 0);
  if (status == MOON_OK && part) status = moon_detector_outside(d, out, s->x);
  moon_tensor *row = NULL;
  if (status == MOON_OK) status = moon_tensor_view(&row, s->x, 0, 1, &width);
  if (status == MOON_OK && part) status = moon_detector_explain(d, &reason, 1, row);
  moon_tensor_release(row);
  moon_detector_release(d);
  return gave(s, status, out);
}

/* ---- files ---- */

static moon_status act_idx(stage *s, int part) {
  static const char *const names[] = {"bytes.idx", "doubles.idx.gz", "mapped.idx"};
  moon_tensor *t = NULL;
  moon_status status = moon_idx_load(s->ctx, &t, path_of(names[part]));
  return gave(s, status, t);
}

/* Plain, with labels and one-hot columns; gzipped; a line that the buffer has to grow for. */
static moon_status act_csv(stage *s, int part) {
  static const char *const names[] = {"rows.csv", "rows.csv.gz", "long.csv"};
  const moon_csv_category category = {"b", NULL, 0};
  const moon_csv_config config = {
      .size = sizeof config, .label = "c", .categories = &category, .category_count = part < 2};
  moon_csv *csv = NULL;
  moon_tensor *x = NULL, *labels = NULL;
  size_t n = 1;
  moon_status status = moon_csv_open(s->ctx, &csv, path_of(names[part]), part < 2 ? &config : NULL);
  if (status == MOON_OK) status = moon_csv_most_rows(csv, &n);
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &x, MOON_FLOAT32, 2, (size_t[]){1, moon_csv_width(csv)});
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &labels, MOON_FLOAT32, 1, (size_t[]){1});
  while (status == MOON_OK && n) status = moon_csv_read(csv, x, part < 2 ? labels : NULL, &n);
  moon_tensor_release(labels);
  moon_csv_close(csv);
  return gave(s, status, x);
}

static moon_status act_npy_load(stage *s, int part) {
  static const char *const names[] = {"floats.npy", "columns.npy", "mapped.npy"};
  moon_tensor *t = NULL;
  moon_status status = moon_npy_load(s->ctx, &t, path_of(names[part]));
  return gave(s, status, t);
}

static moon_status act_npy_save(stage *s, int part) {
  (void)part;
  return moon_npy_save(s->x, s->path);
}

static moon_status act_png_read(stage *s, int part) {
  moon_tensor *t = NULL;
  moon_status status = moon_png_read(s->ctx, &t, path_of(part ? "colour.png" : "grey.png"));
  return gave(s, status, t);
}

static moon_status act_png_write(stage *s, int part) {
  moon_tensor *t = NULL;
  if (part == 0) return moon_png_write(s->x, s->path);
  moon_status status = moon_png_encode(s->x, &t);
  return gave(s, status, t);
}

static moon_status act_resize(stage *s, int part) {
  moon_tensor *t = NULL, *picture = NULL;
  const char *kind = NULL;
  (void)part;
  moon_status status = moon_folder_list(s->ctx, &picture, folder);
  moon_tensor_release(picture);
  picture = NULL;
  if (status == MOON_OK) status = moon_png_read(s->ctx, &picture, path_of("colour.png"));
  if (status == MOON_OK) status = moon_picture_kind(s->ctx, &kind, path_of("colour.png"));
  if (status == MOON_OK) status = moon_tensor_new(s->ctx, &t, MOON_UINT8, 2, (size_t[]){3, 9});
  if (status == MOON_OK) status = moon_picture_resize(t, picture, false);
  moon_tensor_release(picture);
  return gave(s, status, t);
}

static moon_status act_archive(stage *s, int part) {
  if (part == 0) return moon_archive_add(s->archive, "second", s->x);
  if (part == 1) return moon_archive_set(s->archive, "key", "another text, and a longer one");
  if (part == 2) return moon_archive_save(s->archive, s->path);
  moon_tensor *t = NULL;
  moon_status status = moon_archive_encode(s->archive, &t);
  return gave(s, status, t);
}

/* Long enough for its lists to grow. */
static moon_status act_archive_grow(stage *s, int part) {
  moon_archive *a = NULL;
  char name[16];
  moon_status status = moon_archive_new(s->ctx, &a);
  (void)part;
  for (int i = 0; status == MOON_OK && i < 20; i++) {
    snprintf(name, sizeof name, "x.%d", i);
    status = moon_archive_add(a, name, s->x);
    if (status == MOON_OK) status = moon_archive_set(a, name, "text");
  }
  if (status == MOON_OK) status = moon_net_to_archive(s->net, a);
  CHECK(status == MOON_OK || !a || !moon_archive_text(a, "moonglass")); /* the whole net or nothing */
  moon_archive_release(a);
  return status;
}

static moon_status act_archive_load(stage *s, int part) {
  moon_archive *a = NULL;
  const char *name, *text;
  moon_tensor *t;
  TRY(moon_archive_load(s->ctx, &a, path_of(part ? "doubles.safetensors" : "net.safetensors")));
  for (size_t i = 0; moon_archive_tensor(a, i, &name, &t); i++) s->result = mix_tensor(s->result, t);
  for (size_t i = 0; moon_archive_entry(a, i, &name, &text); i++) s->result = mix(s->result, text, strlen(text));
  moon_archive_release(a);
  return MOON_OK;
}

static moon_status act_save(stage *s, int part) {
  if (part == 0) return moon_net_save(s->net, s->path);
  moon_tensor *t = NULL;
  moon_status status = moon_net_to_bytes(s->net, &t);
  return gave(s, status, t);
}

static moon_status load_bytes(stage *s, moon_net **net) {
  moon_tensor *t;
  TRY(moon_net_to_bytes(s->net, &t));
  moon_status status = moon_net_from_bytes(s->ctx, net, moon_tensor_data(t), moon_tensor_bytes(t));
  moon_tensor_release(t);
  return status;
}

static moon_status act_load(stage *s, int part) {
  moon_net *net = NULL;
  TRY(part == 0 ? moon_net_load(s->ctx, &net, path_of("net.safetensors")) : load_bytes(s, &net));
  for (size_t i = 0; i < net->param_count; i++) s->result = mix_tensor(s->result, net->values[i]);
  moon_net_release(net);
  return MOON_OK;
}

/* Make another context, and train a step in it. */
static moon_status act_open(stage *s, int part) {
  stage other = {.door = s->door};
  scenario of = {.rows = 6, .width = 6};
  (void)part;
  moon_config config = {.alloc = s->door == HOOK ? hooked : NULL};
  moon_status status = moon_ctx_new(&other.ctx, &config);
  if (status == MOON_OK) status = fill_stage(&other, &of);
  if (status == MOON_OK) status = moon_net_step(other.net, NULL, other.x, NULL, other.loss, other.opt);
  if (other.ctx && status != MOON_OK) mooni_fail(s->ctx, status, "%s", moon_error(other.ctx));
  if (!other.ctx) mooni_nomem(s->ctx, sizeof *s->ctx); /* the only failure without a message */
  if (other.ctx) free_stage(&other);
  return status;
}

static void put_big(uint8_t **p, uint32_t v) {
  for (int i = 24; i >= 0; i -= 8) *(*p)++ = (uint8_t)(v >> i);
}

static size_t idx_bytes(uint8_t *to, uint8_t type, uint32_t rows, uint32_t columns, size_t element) {
  uint8_t *p = to;
  put_big(&p, (uint32_t)type << 8 | 2);
  put_big(&p, rows);
  put_big(&p, columns);
  for (size_t i = 0; i < rows * columns * element; i++) *p++ = (uint8_t)(i * 7);
  return (size_t)(p - to);
}

static void write_idx_files(void) {
  static uint8_t bytes[(1 << 20) + 64];
  write_file("bytes.idx", bytes, idx_bytes(bytes, 8, 4, 6, 1));
  write_file("mapped.idx", bytes, idx_bytes(bytes, 8, 1024, 1024, 1));
  size_t n = idx_bytes(bytes, 0x0e, 4, 6, 8);
  gzFile gz = gzopen(path_of("doubles.idx.gz"), "wb");
  CHECK(gz && gzwrite(gz, bytes, (unsigned)n) == (int)n && gzclose(gz) == Z_OK);
}

/* A large array is mapped. Doubles in Fortran's order are converted, and transposed. */
static void write_csv_files(void) {
  static const char text[] = "a,b,c\n1,u,\"x\"\"y\"\n2,v,z\n3,u,z\n4,v,z\n";
  static uint8_t longer[300000];
  write_file("rows.csv", (const uint8_t *)text, sizeof text - 1);
  gzFile gz = gzopen(path_of("rows.csv.gz"), "wb");
  CHECK(gz && gzputs(gz, text) > 0 && gzclose(gz) == Z_OK);
  memset(longer, ' ', sizeof longer);
  memcpy(longer, "a,b\n1,2\n3,", 10);
  longer[sizeof longer - 1] = '4';
  write_file("long.csv", longer, sizeof longer);
}

static void write_npy_files(void) {
  static const char header[] = "{'descr':'<f8','fortran_order':True,'shape':(2,3)}";
  uint8_t file[10 + sizeof header - 1 + 48] = "\x93NUMPY\1";
  moon_tensor *t;
  stage s;
  file[8] = sizeof header - 1;
  memcpy(file + 10, header, sizeof header - 1);
  write_file("columns.npy", file, sizeof file);
  CHECK(make_stage(&s, &(scenario){.rows = 10, .width = 12}, HOOK));
  CHECK(moon_npy_save(s.x, path_of("floats.npy")) == MOON_OK);
  CHECK(moon_tensor_new(s.ctx, &t, MOON_FLOAT32, 1, (size_t[]){1 << 18}) == MOON_OK);
  CHECK(moon_npy_save(t, path_of("mapped.npy")) == MOON_OK);
  moon_tensor_release(t);
  free_stage(&s);
}

/* A file of another program, whose elements must be narrowed. */
static void write_doubles(void) {
  static const char header[] = "{\"__metadata__\":{\"a\":\"\\u00e9\\n\",\"b\":\"c\"},"
                               "\"w\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}";
  uint8_t file[8 + sizeof header - 1 + 16] = {sizeof header - 1};
  memcpy(file + 8, header, sizeof header - 1);
  write_file("doubles.safetensors", file, sizeof file);
}

/* The files for the loaders. */
static void write_files(void) {
  stage s;
  moon_tensor *t;
  write_idx_files();
  write_csv_files();
  write_npy_files();
  write_doubles();
  CHECK(make_stage(&s, &(scenario){.rows = 10, .width = 12}, HOOK));
  CHECK(moon_net_save(s.net, path_of("net.safetensors")) == MOON_OK);
  CHECK(moon_png_write(s.x, path_of("grey.png")) == MOON_OK);
  CHECK(moon_tensor_view(&t, s.x, 0, 3, (size_t[]){10, 3, 4}) == MOON_OK);
  CHECK(moon_png_write(t, path_of("colour.png")) == MOON_OK);
  moon_tensor_release(t);
  free_stage(&s);
}

/* ---- the sweep ---- */

/* Wide enough to divide among two workers: few rows by columns, many by rows. */
#define SMALL .rows = 10, .width = 12
#define COLUMNS .threads = 2, .rows = 44, .width = 100
#define ROWS .threads = 2, .rows = 160, .width = 100

static const scenario scenarios[] = {
    {"open", act_open, 1, SMALL},
    {"tensors", act_tensors, 1, SMALL},
    {"unary", act_unary, 1, SMALL},
    {"binary", act_binary, 1, SMALL},
    {"reductions", act_reductions, 1, SMALL},
    {"topk", act_topk, 2, SMALL},
    {"products", act_products, 2, SMALL},
    {"products by BLIS", act_products, 2, SMALL, .blis = true},
    {"transpose, gather, cat", act_arrange, 6, SMALL},
    {"random", act_random, 3, SMALL},
    {"copies", act_copies, 1, SMALL},
    {"eigh", act_eigh, 1, SMALL},
    {"neighbours", act_neighbours, 1, SMALL},
    {"layers", act_layers, 1, SMALL},
    {"dense", act_dense, 1, SMALL},
    {"losses", act_losses, 1, SMALL},
    {"optimisers", act_optims, 1, SMALL},
    {"build", act_build, 1, SMALL},
    {"forward, backward", act_forward_backward, 2, SMALL},
    {"fit", act_steps, 3, SMALL},
    {"fit by columns", act_steps, 3, COLUMNS},
    {"fit by rows", act_steps, 3, ROWS},
    {"fit by BLIS", act_steps, 3, SMALL, .blis = true},
    {"fit by columns and BLIS", act_steps, 3, COLUMNS, .blis = true},
    {"fit by rows and BLIS", act_steps, 3, ROWS, .blis = true},
    {"plan", act_plan, 2, COLUMNS},
    {"evaluate", act_evaluate, 1, SMALL},
    {"evaluate with measures", act_measure, 1, SMALL},
    {"heads", act_heads, 2, SMALL},
    {"heads by columns", act_heads, 2, COLUMNS},
    {"predict, encode, decode", act_predict, 3, SMALL},
    {"predict by rows", act_predict, 3, ROWS},
    {"errors", act_errors, 1, SMALL},
    {"share, clone, fold", act_share, 3, SMALL},
    {"dataset", act_dataset, 3, SMALL},
    {"scaler", act_scaler, 3, SMALL},
    {"detector", act_detector, 2, SMALL},
    {"IDX", act_idx, 3, SMALL},
    {"CSV", act_csv, 3, SMALL},
    {"NPY load", act_npy_load, 3, SMALL},
    {"NPY save", act_npy_save, 1, SMALL},
    {"PNG read", act_png_read, 2, SMALL},
    {"PNG write", act_png_write, 2, SMALL},
    {"folder, resize", act_resize, 1, SMALL},
    {"archive", act_archive, 4, SMALL},
    {"archive of a net", act_archive_grow, 1, SMALL},
    {"safetensors", act_archive_load, 2, SMALL},
    {"save", act_save, 2, SMALL},
    {"load", act_load, 2, SMALL},
};

/* Does the message say that memory ran out? If a thread could not start, the system's message does. */
static bool says_so(const stage *s, moon_status status) {
  const char *message = moon_error(s->ctx);
  if (status == MOON_ENOMEM) return strstr(message, "out of memory") != NULL;
  return s->door == MALLOC && status == MOON_ESTATE && strstr(message, "cannot start");
}

typedef struct outcome {
  uint64_t states[MAX_PARTS + 1], result; /* digests before each part and after the last */
} outcome;

static bool plays(stage *s, const scenario *of, int *done, moon_status *status) {
  for (*status = MOON_OK; *done < of->parts; ++*done) {
    uint64_t before = s->result;
    *status = of->act(s, *done);
    if (*status != MOON_OK) s->result = before;
    if (*status != MOON_OK) return false;
  }
  return true;
}

/* Run without refusals. */
static outcome rehearse(const scenario *of, door d) {
  outcome o = {{0}, 0};
  stage s;
  CHECK(make_stage(&s, of, d));
  for (int i = 0; i < of->parts; i++) {
    o.states[i] = digest(&s);
    moon_status status = of->act(&s, i);
    if (status != MOON_OK) fprintf(stderr, "%s, part %d: %s\n", of->name, i, moon_error(s.ctx));
    CHECK(status == MOON_OK);
  }
  o.states[of->parts] = digest(&s);
  o.result = s.result;
  free_stage(&s);
  return o;
}

/* Refuse from call `first` on. *end: there were fewer calls. Return what is wrong, or NULL. */
static const char *refuse_at(const scenario *of, door d, const outcome *want, size_t first, size_t width, bool *end) {
  int done = 0;
  moon_status status;
  stage s;
  const char *wrong = NULL;
  long before = live(d);
  if (!make_stage(&s, of, d)) return "the stage";
  arm(d, first, width);
  bool passed = plays(&s, of, &done, &status);
  size_t refused_calls = disarm(d);
  *end = passed && !refused_calls;
  if (!passed && !says_so(&s, status)) wrong = moon_error(s.ctx);
  if (!passed && !refused_calls) wrong = "failed without a refusal";
  if (!wrong && digest(&s) != want->states[done]) wrong = "an object has changed";
  if (!wrong && left_over()) wrong = "a temporary file was left";
  if (!wrong && !plays(&s, of, &done, &status)) wrong = moon_error(s.ctx);
  if (!wrong && (digest(&s) != want->states[of->parts] || s.result != want->result)) wrong = "the next try differs";
  if (wrong) fprintf(stderr, "%s, call %zu: %s\n", of->name, first, wrong);
  free_stage(&s);
  if (live(d) == before) return wrong;
  fprintf(stderr, "%s, call %zu: %ld blocks were lost\n", of->name, first, live(d) - before);
  return "lost";
}

static size_t points;

/* BLIS 2.x allocates in its first call in each thread, not only in each process, and aborts if refused. */
static bool is_beyond_blis(const scenario *of, door d) {
  return d == MALLOC && of->blis && of->threads > 1 && mooni_blis_version()[0] >= '2';
}

static void sweep(const scenario *of, door d, size_t width) {
  size_t good = 0, k = 0;
  bool end = false;
  if (is_beyond_blis(of, d)) {
    printf("  %s: skipped (BLIS %s allocates in each new thread)\n", of->name, mooni_blis_version());
    return;
  }
  rehearse(of, d); /* once per process: BLIS's pool, buffers */
  outcome want = rehearse(of, d);
  while (!end && k < 100000) good += refuse_at(of, d, &want, ++k, width, &end) == NULL;
  CHECK(end && good == k);
  points += k - 1;
  if (full)
    printf("  %-24s %-6s %-7s %6zu points\n", of->name, d == HOOK ? "hook" : "malloc", width ? "once" : "forever",
           k - 1);
}

static void sweep_all(door d) {
  for (size_t i = 0; i < MOONI_COUNT(scenarios); i++) {
    if (only && strcmp(only, scenarios[i].name) != 0) continue;
    sweep(&scenarios[i], d, 1);
    sweep(&scenarios[i], d, FOREVER);
  }
}

/* ---- closing needs no memory ---- */

static void closing(door d) {
  long before = live(d);
  for (size_t i = 0; i < MOONI_COUNT(scenarios); i++) {
    int done = 0;
    moon_status status;
    stage s;
    CHECK(make_stage(&s, &scenarios[i], d) && plays(&s, &scenarios[i], &done, &status));
    arm(d, 1, FOREVER);
    free_stage(&s);
    CHECK(disarm(d) == 0);
  }
  CHECK(live(d) == before);
}

/* ---- BLIS aborts when malloc fails in it ----
** Each test runs in a child process that has not called BLIS yet. */

#if REFUSE_MALLOC
typedef int child_fn(size_t argument);

/* The child's exit status; -1 if a signal ended it. */
static int in_child(child_fn *f, size_t argument) {
  int status = -1;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    fclose(stderr); /* hide BLIS's message */
    _exit(f(argument));
  }
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const scenario first_use = {"", act_steps, 3, COLUMNS, .blis = true};

/* After planning, steps of three batch sizes call malloc not once: each call would be refused. */
static int train_refused(size_t threads) {
  scenario of = first_use;
  stage s;
  of.threads = (int)threads;
  if (!make_stage(&s, &of, HOOK)) return 2;
  for (int part = 0; part < 3; part++)
    if (of.act(&s, part) != MOON_OK) return 3;
  arm(MALLOC, 1, FOREVER);
  for (int i = 0; i < (full ? 100 : 5); i++)
    for (int part = 0; part < 3; part++)
      if (of.act(&s, part) != MOON_OK) return 4;
  int calls = (int)atomic_load(&refuse_calls);
  disarm(MALLOC);
  return calls ? 5 : 0;
}

/* The first plan of the process, with malloc refused from call k on. 0: it passed; 1: it returned a status. */
static int plan_refused(size_t k) {
  int done = 0;
  moon_status status;
  stage s;
  if (!make_stage(&s, &first_use, HOOK)) return 2;
  arm(MALLOC, k, FOREVER);
  bool passed = plays(&s, &first_use, &done, &status);
  size_t count = disarm(MALLOC);
  if (!passed) return count && says_so(&(stage){.door = MALLOC, .ctx = s.ctx}, status) ? 1 : 3;
  return count ? 4 : 0;
}

static int info_refused(size_t k) {
  moon_ctx *ctx;
  moon_build build;
  if (moon_ctx_new(&ctx, &(moon_config){.alloc = hooked}) != MOON_OK) return 2;
  arm(MALLOC, k, FOREVER);
  moon_build_info(ctx, &build);
  size_t count = disarm(MALLOC);
  return count ? strcmp(build.blis_config, "unknown") == 0 ? 1 : 3 : 0;
}

/* Refuse from point 1, 2, ... on until the call passes, and count how each ends. */
static void tally(const char *what, child_fn *f) {
  size_t told = 0, ended = 0, other = 0, k = 1;
  int status;
  while ((status = in_child(f, k)) != 0 && k++ < 1000) {
    told += status == 1;
    ended += status == -1;
    other += status > 1;
  }
  CHECK(told > 0 && other == 0 && status == 0);
  points += told;
  printf("  %s: %zu points returned a status, at %zu BLIS aborted in its first call\n", what, told, ended);
}

static void blis(void) {
  size_t trainings = full ? 200 : 4, whole = 0;
  for (size_t i = 0; i < trainings; i++) {
    int status = in_child(train_refused, 1 + i % 4);
    whole += status == 0;
    if (status) fprintf(stderr, "%zu workers: a malloc after the plan (%d)\n", 1 + i % 4, status);
  }
  CHECK(whole == trainings);
  if (full) printf("  after the plan: %zu trainings by BLIS, 300 steps each, without a malloc\n", whole);
  CHECK(in_child(plan_refused, 1) == 1);
  CHECK(in_child(info_refused, 1) == 1);
  if (!full) return;
  tally("a process's first plan", plan_refused);
  tally("moon_build_info", info_refused);
}
#endif

int main(int argc, char **argv) {
  full = argc > 1;
  only = argc > 2 ? argv[2] : NULL;
  if (!mkdtemp(folder)) return 2;
#if REFUSE_MALLOC
  if (!only) blis(); /* first: BLIS has not been called yet */
#endif
  write_files();
  sweep_all(HOOK);
  closing(HOOK);
#if REFUSE_MALLOC
  sweep_all(MALLOC);
  closing(MALLOC);
#endif
  CHECK(left_over() == 0);
  remove_folder();
  if (full) printf("%zu points refused\n", points);
  return check_report();
}
