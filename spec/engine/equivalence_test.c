/* equivalence_test.c - optimisations change no result by more than 1e-6. The reference uses kernels without vector
** instructions, products of three loops, one thread, and a loss that is not fused with the activation. Each
** optimisation, separately and combined, is compared with it: predictions, objective, gradients, and weights after a
** step of each optimiser. Errors are relative to the largest number of their kind; with an argument they are printed.
** Each is also compared with a dense layer of plain loops (mooni_dense_naive_forward, _backward). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/engine/core/ctx.h"
#include "../../csrc/engine/core/error.h"
#include "../../csrc/engine/core/memory.h"
#include "../../csrc/engine/core/tensor.h"
#include "../../csrc/engine/kernels/table.h"
#include "../../csrc/engine/layers/dense.h"
#include "../../csrc/engine/net/plan.h"
#include "check.h"

enum { ROWS = 200, WIDTH = 64, HIDDEN = 32, PARAMS = WIDTH * HIDDEN + HIDDEN + HIDDEN * WIDTH + WIDTH };
static const double TOLERANCE = 1e-6;

/* ---- the variants ---- */

static size_t naive_calls;

static void naive_product(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta,
                          mooni_mat c) {
  __atomic_fetch_add(&naive_calls, 1, __ATOMIC_RELAXED);
  mooni_gemm_naive(m, n, k, alpha, a, b, beta, c);
}

typedef enum product { NAIVE, BLIS, OURS } product;

typedef struct way {
  const char *name;
  const mooni_kernels *kernels;
  product product;
  int threads;
  bool fused;
} way;

static bool has_avx2(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#else
  return false;
#endif
}

static bool has_avx512(void) {
#if defined(__x86_64__)
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd");
#else
  return false;
#endif
}

/* Two workers divide this batch by rows. For thirteen there are too few rows, so they divide it by columns. */
enum { BY_ROWS = 2, BY_COLUMNS = 13 };

static size_t all_ways(way *list) {
  size_t n = 0;
  const mooni_kernels *base = &mooni_kernels_base, *best = base;
  list[n++] = (way){"products by BLIS", base, BLIS, 1, false};
  list[n++] = (way){"by rows", base, NAIVE, BY_ROWS, false};
  list[n++] = (way){"by columns", base, NAIVE, BY_COLUMNS, false};
  list[n++] = (way){"fused", base, NAIVE, 1, true};
  list[n++] = (way){"fused, by rows", base, NAIVE, BY_ROWS, true};
  list[n++] = (way){"fused, by columns", base, NAIVE, BY_COLUMNS, true};
#if defined(__x86_64__)
  if (has_avx2()) {
    best = &mooni_kernels_avx2;
    list[n++] = (way){"avx2", best, NAIVE, 1, false};
    list[n++] = (way){"avx2, BLIS, fused", best, BLIS, 1, true};
  }
  if (has_avx512()) {
    best = &mooni_kernels_avx512;
    list[n++] = (way){"avx512", best, NAIVE, 1, false};
    list[n++] = (way){"avx512, BLIS", best, BLIS, 1, false};
    list[n++] = (way){"products of our own", best, OURS, 1, false};
  }
#endif
  product fast = best->product ? OURS : BLIS;
  list[n++] = (way){"all, by rows", best, fast, BY_ROWS, true};
  list[n++] = (way){"all, by columns", best, fast, BY_COLUMNS, true};
  return n;
}

static const way plainest = {"plainest", &mooni_kernels_base, NAIVE, 1, false};

/* ---- the results compared ---- */

typedef struct question {
  const char *activation, *end, *loss, *optim, *with;
} question;

typedef struct answer {
  size_t outputs;
  float predicted[ROWS * WIDTH], grads[PARAMS], weights[PARAMS];
  double objective, evaluated;
} answer;

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

/* The test makes its random numbers: the context's may differ in the last digit between kernels. */
static void fill(moon_tensor *t, double low, double high, uint32_t seed) {
  float *p = moon_tensor_float(t);
  for (size_t i = 0; i < moon_tensor_numel(t); i++) {
    seed = seed * 1664525 + 1013904223;
    p[i] = (float)(low + (high - low) * (double)(seed >> 8) / (1 << 24));
  }
}

static moon_layer *dense_layer(moon_ctx *ctx, size_t in, size_t out, const char *activation, bool penalties) {
  moon_option options[] = {number("in", (double)in),    number("out", (double)out), text("activation", activation),
                           number("activity_l1", 1e-3), number("weight_l1", 1e-3),  number("weight_l2", 1e-3),
                           number("kl_weight", 1e-2),   number("contractive", 1e-3)};
  bool unit = !strcmp(activation, "sigmoid"); /* the Kullback-Leibler penalty needs means from 0 to 1 */
  moon_layer *layer = NULL;
  CHECK(moon_layer_new(ctx, &layer, "dense", options, !penalties ? 3 : unit ? 8 : 6) == MOON_OK);
  return layer;
}

static moon_net *build(moon_ctx *ctx, const question *q) {
  moon_layer *layers[3];
  moon_net *net = NULL;
  moon_option k = number("k", 9);
  size_t n = 0;
  layers[n++] = dense_layer(ctx, WIDTH, HIDDEN, q->activation, strstr(q->with, "penalties") != NULL);
  if (strstr(q->with, "k_sparse")) CHECK(moon_layer_new(ctx, &layers[n++], "k_sparse", &k, 1) == MOON_OK);
  layers[n++] = dense_layer(ctx, HIDDEN, WIDTH, q->end, false);
  CHECK(moon_net_new(ctx, &net, layers, n) == MOON_OK);
  while (n) moon_layer_release(layers[--n]);
  for (size_t i = 0; i < net->param_count; i++) fill(net->values[i], -0.3, 0.3, 7 * (uint32_t)i + 1);
  return net;
}

static void collect(float *to, moon_tensor *const *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    memcpy(to, moon_tensor_data(list[i]), moon_tensor_bytes(list[i]));
    to += moon_tensor_numel(list[i]);
  }
}

/* A step by hand: the loss gets probabilities. */
static moon_status step_apart(moon_net *net, double *objective, moon_tensor *x, moon_tensor *t, const moon_loss *loss,
                              moon_optim *opt) {
  moon_tensor *y, *dy;
  MOONI_TRY(moon_tensor_new(net->ctx, &y, MOON_FLOAT32, 2, x->shape));
  MOONI_TRY(moon_tensor_new(net->ctx, &dy, MOON_FLOAT32, 2, x->shape));
  moon_status status = moon_net_forward(net, y, x, true);
  if (status == MOON_OK) status = moon_loss_apply(loss, objective, dy, y, t);
  if (status == MOON_OK) *objective += moon_net_penalty(net);
  if (status == MOON_OK) status = moon_net_backward(net, NULL, dy);
  if (status == MOON_OK) status = moon_optim_step(opt, net->values, net->grads, net->param_count);
  moon_tensor_release(y);
  moon_tensor_release(dy);
  return status;
}

/* Was the batch computed in the requested variant? */
static void check_way(const way *w, const moon_ctx *ctx, const moon_net *net, size_t naive_before) {
  mooni_split split = mooni_choose_split(ROWS, net->param_floats, 2 * (WIDTH + HIDDEN), (size_t)w->threads, true);
  CHECK(split == (w->threads == 1 ? MOONI_SERIAL : w->threads == BY_ROWS ? MOONI_BY_ROWS : MOONI_BY_COLUMNS));
  CHECK((ctx->warm != NULL) == (w->product == BLIS));
  CHECK((naive_calls > naive_before) == (w->product == NAIVE));
}

static void answer_for(answer *a, const question *q, const way *w) {
  moon_ctx *ctx;
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x, *t, *y;
  moon_dataset *data;
  size_t naive_before = naive_calls;
  mooni_kernels kernels = *w->kernels;
  if (w->product != OURS) kernels.product = w->product == NAIVE ? naive_product : NULL;
  CHECK(moon_ctx_new(&ctx, &(moon_config){.threads = w->threads}) == MOON_OK);
  ctx->k = &kernels;
  moon_net *net = build(ctx, q);
  CHECK(moon_loss_new(ctx, &loss, q->loss, NULL, 0) == MOON_OK);
  CHECK(moon_optim_new(ctx, &opt, q->optim, NULL, 0) == MOON_OK);
  CHECK(moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH}) == MOON_OK);
  CHECK(moon_tensor_new(ctx, &t, MOON_FLOAT32, 2, x->shape) == MOON_OK);
  CHECK(moon_tensor_new(ctx, &y, MOON_FLOAT32, 2, x->shape) == MOON_OK);
  fill(x, 0, 1, 99);
  fill(t, 0, 1, 101);
  CHECK(moon_dataset_new(ctx, &data, x, t) == MOON_OK);
  CHECK(moon_net_predict(net, y, x, 0) == MOON_OK);
  memcpy(a->predicted, moon_tensor_float(y), sizeof a->predicted);
  CHECK(moon_net_evaluate(net, &a->evaluated, data, loss, ROWS) == MOON_OK);
  moon_status status = w->fused ? moon_net_step_rows(net, &a->objective, data, 0, ROWS, loss, opt)
                                : step_apart(net, &a->objective, x, t, loss, opt);
  CHECK(status == MOON_OK);
  if (w->threads > 1 && !w->fused) { /* moon_net_backward uses one thread: test a divided step too */
    moon_net_release(net);
    moon_optim_release(opt);
    net = build(ctx, q);
    CHECK(moon_optim_new(ctx, &opt, q->optim, NULL, 0) == MOON_OK);
    CHECK(moon_net_step_rows(net, &a->objective, data, 0, ROWS, loss, opt) == MOON_OK);
  }
  collect(a->grads, net->grads, net->param_count);
  collect(a->weights, net->values, net->param_count);
  check_way(w, ctx, net, naive_before);
  moon_dataset_release(data);
  moon_tensor_release(x);
  moon_tensor_release(t);
  moon_tensor_release(y);
  moon_net_release(net);
  moon_optim_release(opt);
  moon_loss_release(loss);
  moon_ctx_release(ctx);
}

/* ---- comparing ---- */

static double largest_error(const float *a, const float *b, size_t n) {
  double worst = 0, largest = 0;
  for (size_t i = 0; i < n; i++) {
    double error = fabs((double)a[i] - (double)b[i]);
    worst = error > worst || error != error ? error : worst;
    largest = fmax(largest, fabs((double)b[i]));
  }
  return worst / largest;
}

static void compare(const question *q, const way *w, const answer *a, const answer *want, bool print) {
  double errors[] = {largest_error(a->predicted, want->predicted, ROWS * WIDTH),
                     largest_error(a->grads, want->grads, PARAMS), largest_error(a->weights, want->weights, PARAMS),
                     fabs(a->objective / want->objective - 1), fabs(a->evaluated / want->evaluated - 1)};
  bool good = true;
  for (size_t i = 0; i < MOONI_COUNT(errors); i++) good = good && errors[i] <= TOLERANCE;
  CHECK(good);
  if (!good || print)
    printf("%s%-10s %-8s %-13s %-8s %-10s %-20s predicted %.1e  gradients %.1e  weights %.1e  objective %.1e %.1e\n",
           good ? "" : "FAILED ", q->activation, q->end, q->loss, q->optim, q->with, w->name, errors[0], errors[1],
           errors[2], errors[3], errors[4]);
}

static void ask(const question *q, bool print) {
  static answer want, a;
  way ways[20];
  size_t n = all_ways(ways);
  answer_for(&want, q, &plainest);
  for (size_t i = 0; i < n; i++) {
    answer_for(&a, q, &ways[i]);
    compare(q, &ways[i], &a, &want, print);
  }
}

/* ---- a dense layer and plain loops ---- */

static double error_of(const moon_tensor *t, const float *want) {
  return largest_error(moon_tensor_float(t), want, moon_tensor_numel(t));
}

static void check_loops(const way *w, moon_net *net, moon_tensor *x, moon_tensor *y, moon_tensor *dx, moon_tensor *dy) {
  static float z[ROWS * HIDDEN], want_dx[ROWS * WIDTH], dw[WIDTH * HIDDEN], db[HIDDEN];
  const float *xs = moon_tensor_float(x), *weight = moon_tensor_float(net->values[0]);
  memset(want_dx, 0, sizeof want_dx);
  memset(dw, 0, sizeof dw);
  memset(db, 0, sizeof db);
  mooni_dense_naive_forward(z, xs, weight, moon_tensor_float(net->values[1]), ROWS, WIDTH, HIDDEN);
  mooni_dense_naive_backward(want_dx, dw, db, moon_tensor_float(dy), xs, weight, ROWS, WIDTH, HIDDEN);
  CHECK(moon_net_forward(net, y, x, true) == MOON_OK && moon_net_backward(net, dx, dy) == MOON_OK);
  double errors[] = {error_of(y, z), error_of(dx, want_dx), error_of(net->grads[0], dw), error_of(net->grads[1], db)};
  for (size_t i = 0; i < MOONI_COUNT(errors); i++) {
    CHECK(errors[i] <= TOLERANCE);
    if (!(errors[i] <= TOLERANCE)) printf("FAILED loops %-20s number %zu: %.1e\n", w->name, i, errors[i]);
  }
}

static void compare_with_loops(const way *w) {
  moon_ctx *ctx;
  moon_net *net;
  moon_tensor *x, *y, *dx, *dy;
  mooni_kernels kernels = *w->kernels;
  if (w->product != OURS) kernels.product = w->product == NAIVE ? naive_product : NULL;
  CHECK(moon_ctx_new(&ctx, &(moon_config){.threads = w->threads}) == MOON_OK);
  ctx->k = &kernels;
  moon_layer *layer = dense_layer(ctx, WIDTH, HIDDEN, "linear", false);
  CHECK(moon_net_new(ctx, &net, &layer, 1) == MOON_OK);
  CHECK(moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH}) == MOON_OK);
  CHECK(moon_tensor_new(ctx, &dx, MOON_FLOAT32, 2, x->shape) == MOON_OK);
  CHECK(moon_tensor_new(ctx, &y, MOON_FLOAT32, 2, (size_t[]){ROWS, HIDDEN}) == MOON_OK);
  CHECK(moon_tensor_new(ctx, &dy, MOON_FLOAT32, 2, y->shape) == MOON_OK);
  for (size_t i = 0; i < net->param_count; i++) fill(net->values[i], -0.3, 0.3, 7 * (uint32_t)i + 1);
  fill(x, 0, 1, 99);
  fill(dy, -1, 1, 101);
  check_loops(w, net, x, y, dx, dy);
  moon_tensor *all[] = {x, y, dx, dy};
  for (size_t i = 0; i < MOONI_COUNT(all); i++) moon_tensor_release(all[i]);
  moon_net_release(net);
  moon_layer_release(layer);
  moon_ctx_release(ctx);
}

int main(int argc, char **argv) {
  static const question questions[] = {
      {"relu", "sigmoid", "bce", "adam", ""},
      {"relu", "softmax", "cross_entropy", "sgd", ""},
      {"sigmoid", "sigmoid", "bce", "rmsprop", "penalties"},
      {"tanh", "linear", "mse", "adagrad", "penalties"},
      {"relu", "linear", "huber", "sgd", "k_sparse"},
      {"relu", "linear", "mse", "adamax", ""},
      {"tanh", "linear", "mse", "nadam", ""},
      {"relu", "sigmoid", "bce", "adadelta", ""},
      {"softmax", "sigmoid", "bce", "sgd", ""},
      {"tanh", "tanh", "mae", "sgd", ""},
      {"relu", "softmax", "mse", "adam", ""},
  };
  const char *activation;
  moon_ctx *ctx;
  way ways[20];
  (void)argv;
  for (size_t i = all_ways(ways); i--;) compare_with_loops(&ways[i]);
  for (size_t i = 0; i < MOONI_COUNT(questions); i++) ask(&questions[i], argc > 1);
  CHECK(moon_ctx_new(&ctx, NULL) == MOON_OK);
  for (size_t i = 0; (activation = moon_registered(ctx, MOON_ACTIVATIONS, i)) != NULL; i++)
    ask(&(question){activation, "sigmoid", "mse", "sgd", ""}, argc > 1);
  moon_ctx_release(ctx);
  return check_report();
}
