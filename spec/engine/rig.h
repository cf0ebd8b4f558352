/* rig.h - shared by the tests of hosts: a small autoencoder, and everything that a host does with one. */
#ifndef RIG_H
#define RIG_H

#include <string.h>

#include "../../csrc/moonglass.h"
#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#if defined(__SANITIZE_THREAD__)
enum { FOLLOWS_FORKS = 0 };
#else
enum { FOLLOWS_FORKS = 1 };
#endif

enum { WIDTH = 40, CODE = 6, ROWS = 96, MAX_WEIGHTS = 4096, THREADS = 8 };

/* ---- an autoencoder with input noise and tied weights, and its training ---- */

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

static moon_status make_dense(moon_ctx *ctx, moon_layer **out, size_t in, size_t width, const char *activation,
                              moon_layer *tied) {
  moon_option options[] = {number("in", (double)in),
                           number("out", (double)width),
                           text("activation", activation),
                           {"tied", MOON_LAYER, 0, 0, NULL, tied}};
  return moon_layer_new(ctx, out, "dense", options, tied ? 4 : 3);
}

/* Every object starts as NULL, so a rig can be released at any point of its construction. */
typedef struct rig {
  moon_ctx *ctx;
  moon_layer *layers[5];
  moon_net *net, *share;
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x, *y, *code, *decoded, *errors;
  moon_dataset *data;
  moon_archive *archive;
  double objective[2], evaluated;
} rig;

static void free_rig(rig *r) {
  for (size_t i = 0; i < COUNT(r->layers); i++) moon_layer_release(r->layers[i]);
  moon_net_release(r->net);
  moon_net_release(r->share);
  moon_loss_release(r->loss);
  moon_optim_release(r->opt);
  moon_tensor *tensors[] = {r->x, r->y, r->code, r->decoded, r->errors};
  for (size_t i = 0; i < COUNT(tensors); i++) moon_tensor_release(tensors[i]);
  moon_dataset_release(r->data);
  moon_archive_release(r->archive);
  moon_ctx_release(r->ctx);
}

static moon_status make_noise(rig *r) {
  moon_option p = number("p", 0.2);
  return moon_layer_new(r->ctx, &r->layers[0], "masking_noise", &p, 1);
}
static moon_status make_first(rig *r) { return make_dense(r->ctx, &r->layers[1], WIDTH, 24, "relu", NULL); }
static moon_status make_second(rig *r) { return make_dense(r->ctx, &r->layers[2], 24, CODE, "tanh", NULL); }
static moon_status make_third(rig *r) { return make_dense(r->ctx, &r->layers[3], CODE, 24, "gelu", r->layers[2]); }
static moon_status make_last(rig *r) { return make_dense(r->ctx, &r->layers[4], 24, WIDTH, "sigmoid", NULL); }

static moon_status make_net(rig *r) {
  moon_status status = moon_net_new(r->ctx, &r->net, r->layers, COUNT(r->layers));
  return status == MOON_OK ? moon_net_set_encoder(r->net, 3) : status;
}
static moon_status make_loss(rig *r) { return moon_loss_new(r->ctx, &r->loss, "bce", NULL, 0); }
static moon_status make_optim(rig *r) { return moon_optim_new(r->ctx, &r->opt, "adam", NULL, 0); }

static moon_status make_rows(rig *r) {
  moon_status status = moon_tensor_new(r->ctx, &r->x, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH});
  return status == MOON_OK ? moon_tensor_uniform(r->x, 0, 1) : status;
}
static moon_status make_output(rig *r) {
  return moon_tensor_new(r->ctx, &r->y, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH});
}
static moon_status make_decoded(rig *r) {
  return moon_tensor_new(r->ctx, &r->decoded, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH});
}
static moon_status make_code(rig *r) {
  return moon_tensor_new(r->ctx, &r->code, MOON_FLOAT32, 2, (size_t[]){ROWS, CODE});
}
static moon_status make_errors(rig *r) {
  return moon_tensor_new(r->ctx, &r->errors, MOON_FLOAT32, 1, (size_t[]){ROWS});
}
static moon_status make_data(rig *r) { return moon_dataset_new(r->ctx, &r->data, r->x, NULL); }

static moon_status step(rig *r) { return moon_net_step(r->net, &r->objective[0], r->x, NULL, r->loss, r->opt); }
static moon_status step_rows(rig *r) {
  return moon_net_step_rows(r->net, &r->objective[1], r->data, 3, 33, r->loss, r->opt);
}
static moon_status evaluate(rig *r) { return moon_net_evaluate(r->net, &r->evaluated, r->data, r->loss, 40); }
static moon_status backward(rig *r) {
  moon_status status = moon_net_forward(r->net, r->y, r->x, true);
  return status == MOON_OK ? moon_net_backward(r->net, NULL, r->y) : status;
}
static moon_status predict(rig *r) { return moon_net_predict(r->net, r->y, r->x, 0); }
static moon_status encode(rig *r) { return moon_net_encode(r->net, r->code, r->x, 0); }
static moon_status decode(rig *r) { return moon_net_decode(r->net, r->decoded, r->code, 10); }
static moon_status errors(rig *r) { return moon_net_errors(r->net, r->errors, r->x, 7); }
static moon_status share(rig *r) { return moon_net_share(r->net, r->ctx, &r->share); }
static moon_status use_share(rig *r) { return moon_net_predict(r->share, r->decoded, r->x, 0); }
static moon_status make_archive(rig *r) { return moon_archive_new(r->ctx, &r->archive); }
static moon_status fill_archive(rig *r) { return moon_net_to_archive(r->net, r->archive); }

typedef moon_status stage(rig *r);
static stage *const stages[] = {make_noise, make_first,   make_second, make_third, make_last, make_net,     make_loss,
                                make_optim, make_rows,    make_output, make_code,  make_data, make_decoded, make_errors,
                                step,       step_rows,    evaluate,    backward,   step,      predict,      encode,
                                decode,     make_archive, errors,      share,      use_share, fill_archive};
enum { MADE = 14 }; /* the first 14 make objects that later ones use */

static rig make_rig(const moon_config *config) {
  rig r = {0};
  CHECK(moon_ctx_new(&r.ctx, config) == MOON_OK);
  for (size_t i = 0; i < MADE; i++) CHECK(stages[i](&r) == MOON_OK);
  return r;
}

/* Copy all parameters of a net, concatenated. Return their number. */
static size_t weights_of(float *out, const moon_net *net) {
  moon_parameter p;
  size_t n = 0;
  for (size_t i = 0; i < moon_net_count(net); i++)
    for (size_t j = 0; moon_layer_parameter(moon_net_layer(net, i), j, &p); j++) {
      memcpy(out + n, moon_tensor_float(p.value), moon_tensor_bytes(p.value));
      n += moon_tensor_numel(p.value);
    }
  return n;
}

static inline bool same_weights(const moon_net *a, const moon_net *b) {
  static float x[MAX_WEIGHTS], y[MAX_WEIGHTS];
  size_t n = weights_of(x, a);
  return n > 0 && n == weights_of(y, b) && memcmp(x, y, n * sizeof *x) == 0;
}

static inline bool same_bits(const moon_tensor *a, const moon_tensor *b) {
  return moon_tensor_same_shape(a, b) && memcmp(moon_tensor_data(a), moon_tensor_data(b), moon_tensor_bytes(a)) == 0;
}

/* Run every stage under a memory limit. Where a stage fails, lift the limit and call it again. */
static inline bool run_limited(rig *r, size_t limit, size_t *refused) {
  *refused = 0;
  moon_set_memory_limit(r->ctx, limit);
  for (size_t i = 0; i < COUNT(stages); i++) {
    moon_status status = stages[i](r);
    if (status == MOON_OK) continue;
    if (status != MOON_ENOMEM || !strstr(moon_error(r->ctx), "out of memory") || (*refused)++) return false;
    moon_set_memory_limit(r->ctx, 0);
    i--;
  }
  return true;
}

/* A product with enough rows that BLIS computes it on every CPU. */
static inline moon_status product(moon_ctx *ctx, moon_tensor **out) {
  moon_tensor *a = NULL, *b = NULL;
  moon_status status = moon_tensor_new(ctx, &a, MOON_FLOAT32, 2, (size_t[]){4000, 300});
  if (status == MOON_OK) status = moon_tensor_new(ctx, &b, MOON_FLOAT32, 2, (size_t[]){300, 20});
  if (status == MOON_OK) status = moon_tensor_new(ctx, out, MOON_FLOAT32, 2, (size_t[]){4000, 20});
  if (status == MOON_OK) status = moon_tensor_uniform(a, -1, 1);
  if (status == MOON_OK) status = moon_tensor_uniform(b, -1, 1);
  if (status == MOON_OK) status = moon_tensor_matmul(*out, a, false, b, false, 1, 0);
  moon_tensor_release(a);
  moon_tensor_release(b);
  return status;
}

#endif
