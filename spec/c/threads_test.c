/* threads_test.c - the worker pool: the same numbers whoever computes them, and the life of the threads. */
#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/engine/net.h"
#include "check.h"

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

/* A net of `sizes`, ended by 0; noise or not before it; every layer with the same activation, the last with `end`. */
typedef struct design {
  size_t sizes[6];
  const char *activation, *end, *loss, *noise;
  bool penalties, tied;
} design;

static moon_layer *dense(moon_ctx *ctx, const design *d, size_t i, bool last, moon_layer *tied) {
  moon_option options[8] = {number("in", (double)d->sizes[i]), number("out", (double)d->sizes[i + 1]),
                            text("activation", last ? d->end : d->activation)};
  size_t n = 3;
  if (d->penalties) {
    options[n++] = number("activity_l1", 1e-3);
    options[n++] = number("weight_l2", 1e-3);
  }
  if (tied) options[n++] = (moon_option){"tied", MOON_LAYER, 0, 0, NULL, tied};
  moon_layer *layer = NULL;
  CHECK(moon_layer_new(ctx, &layer, "dense", options, n) == MOON_OK);
  return layer;
}

static moon_net *build(moon_ctx *ctx, const design *d) {
  moon_layer *layers[8];
  moon_net *net = NULL;
  size_t n = 0;
  if (d->noise) {
    moon_option p = number(strcmp(d->noise, "gaussian_noise") == 0 ? "sigma" : "p", 0.3);
    CHECK(moon_layer_new(ctx, &layers[n++], d->noise, &p, 1) == MOON_OK);
  }
  for (size_t i = 0; d->sizes[i + 1]; i++, n++)
    layers[n] = dense(ctx, d, i, !d->sizes[i + 2], d->tied && !d->sizes[i + 2] ? layers[n - 1] : NULL);
  CHECK(moon_net_new(ctx, &net, layers, n) == MOON_OK);
  while (n) moon_layer_release(layers[--n]);
  return net;
}

/* The weights, gradients and objectives of some steps with so many threads. */
typedef struct result {
  float weights[200000], grads[200000];
  size_t count;
  double objective[4], evaluated, predicted;
} result;

static void collect(result *r, moon_net *net) {
  moon_parameter p;
  r->count = 0;
  for (size_t i = 0; i < moon_net_count(net); i++)
    for (size_t j = 0; moon_layer_parameter(moon_net_layer(net, i), j, &p); j++) {
      size_t n = moon_tensor_numel(p.value);
      memcpy(r->weights + r->count, moon_tensor_float(p.value), n * sizeof(float));
      memcpy(r->grads + r->count, moon_tensor_float(p.grad), n * sizeof(float));
      r->count += n;
    }
}

static void train(result *out, const design *d, size_t rows, int threads, size_t steps) {
  moon_ctx *ctx;
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x, *y = NULL, *prediction;
  moon_dataset *data;
  CHECK(moon_ctx_new(&ctx, &(moon_config){.seed = 3, .threads = threads}) == MOON_OK);
  moon_net *net = build(ctx, d);
  moon_loss_new(ctx, &loss, d->loss, NULL, 0);
  moon_optim_new(ctx, &opt, "adam", NULL, 0);
  moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){rows, d->sizes[0]});
  moon_tensor_uniform(x, 0, 1);
  if (strcmp(d->loss, "cross_entropy") == 0) {
    moon_tensor_new(ctx, &y, MOON_UINT8, 1, &rows);
    for (size_t i = 0; i < rows; i++) moon_tensor_set(y, i, (double)(i * 7 % moon_net_outputs(net)));
  }
  for (size_t s = 0; s < steps; s++) CHECK(moon_net_step(net, &out->objective[s], x, y, loss, opt) == MOON_OK);
  collect(out, net);
  CHECK(moon_dataset_new(ctx, &data, x, y) == MOON_OK);
  CHECK(moon_net_evaluate(net, &out->evaluated, data, loss, 64) == MOON_OK);
  moon_tensor_new(ctx, &prediction, MOON_FLOAT32, 2, (size_t[]){rows, moon_net_outputs(net)});
  CHECK(moon_net_predict(net, prediction, x, 0) == MOON_OK);
  moon_tensor_reduce(&out->predicted, "sum", prediction);
  moon_tensor *tensors[] = {x, y, prediction};
  for (size_t i = 0; i < 3; i++) moon_tensor_release(tensors[i]);
  moon_dataset_release(data);
  moon_optim_release(opt);
  moon_loss_release(loss);
  moon_net_release(net);
  moon_ctx_release(ctx);
}

static double worst(const float *a, const float *b, size_t n) {
  double off = 0;
  for (size_t i = 0; i < n; i++) off = fmax(off, fabs((double)a[i] - (double)b[i]));
  return off;
}

static const design designs[] = {
    {{200, 64, 16, 64, 200}, "relu", "sigmoid", "bce", NULL, false, false},
    {{200, 64, 16, 64, 200}, "gelu", "linear", "mse", "gaussian_noise", false, false},
    {{150, 50, 10}, "tanh", "softmax", "cross_entropy", "dropout", false, false},
    {{150, 50, 150}, "relu", "softmax", "mse", NULL, true, false}, /* softmax on its own, and penalties */
    {{100, 2, 100}, "silu", "sigmoid", "bce", "masking_noise", true, false},
    {{120, 40, 120}, "relu", "sigmoid", "bce", NULL, false, true}, /* tied: one weight, used twice */
    {{20, 300, 20}, "elu", "linear", "huber", "salt_pepper_noise", false, false},
};

/* After one step, all numbers of threads agree to 1e-6; the same number, bit for bit. */
static void same_numbers(void) {
  static const size_t rows[] = {1, 7, 32, 130, 512};
  static result one, many, again;
  for (size_t d = 0; d < MOONI_COUNT(designs); d++)
    for (size_t r = 0; r < MOONI_COUNT(rows); r++) {
      train(&one, &designs[d], rows[r], 1, 1);
      for (int threads = 2; threads <= 5; threads++) {
        train(&many, &designs[d], rows[r], threads, 1);
        double w = worst(one.weights, many.weights, one.count), g = worst(one.grads, many.grads, one.count);
        if (w > 1e-6 || g > 1e-6)
          fprintf(stderr, "design %zu, %zu rows, %d threads: weights off by %g, gradients by %g\n", d, rows[r], threads,
                  w, g);
        CHECK(w <= 1e-6);
        CHECK(g <= 1e-6);
        CHECK(fabs(one.objective[0] - many.objective[0]) <= 1e-6 * fabs(one.objective[0]));
        CHECK(fabs(one.evaluated - many.evaluated) <= 1e-5 * fabs(one.evaluated));
        CHECK(fabs(one.predicted - many.predicted) <= 1e-5 * fabs(one.predicted) + 1e-3);
      }
      train(&many, &designs[d], rows[r], 3, 4);
      train(&again, &designs[d], rows[r], 3, 4);
      CHECK(memcmp(many.weights, again.weights, many.count * sizeof(float)) == 0);
      CHECK(memcmp(many.objective, again.objective, sizeof many.objective) == 0);
    }
}

/* The rule by which a batch is divided: pinned, so that nobody changes it without knowing. */
static void cost_rule(void) {
  enum { PARAMS = 209968, WIDTHS = 2144 }; /* 784-128-32-128-784 */
  CHECK(mooni_choose_split(32, PARAMS, WIDTHS, 1, true) == MOONI_SERIAL);
  CHECK(mooni_choose_split(1, PARAMS, WIDTHS, 2, true) == MOONI_SERIAL);
  CHECK(mooni_choose_split(32, PARAMS, WIDTHS, 2, true) == MOONI_BY_COLUMNS);
  CHECK(mooni_choose_split(128, PARAMS, WIDTHS, 2, true) == MOONI_BY_COLUMNS);
  CHECK(mooni_choose_split(195, PARAMS, WIDTHS, 2, true) == MOONI_BY_COLUMNS);
  CHECK(mooni_choose_split(196, PARAMS, WIDTHS, 2, true) == MOONI_BY_ROWS);
  CHECK(mooni_choose_split(1024, PARAMS, WIDTHS, 2, true) == MOONI_BY_ROWS);
  CHECK(mooni_choose_split(1024, 50, 12, 2, true) == MOONI_SERIAL);
  CHECK(mooni_choose_split(1, PARAMS, WIDTHS, 2, false) == MOONI_SERIAL);
  CHECK(mooni_choose_split(512, PARAMS, WIDTHS, 2, false) == MOONI_BY_ROWS);
}

static void shares(void) {
  for (size_t n = 0; n < 100; n++)
    for (size_t parts = 1; parts < 9; parts++) {
      size_t next = 0, from, to;
      for (size_t p = 0; p < parts; p++) {
        mooni_share(n, 16, p, parts, &from, &to);
        CHECK(from == next && to >= from && (from % 16 == 0 || from == n));
        next = to;
      }
      CHECK(next == n);
    }
}

/* Threads come and go with their number; a fork's child has none of its parent's and starts its own. */
static void lives(void) {
  static result before, after;
  train(&before, &designs[0], 64, 4, 2);
  pid_t child = fork();
  if (child == 0) {
    train(&after, &designs[0], 64, 4, 2);
    _exit(memcmp(before.weights, after.weights, before.count * sizeof(float)) != 0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

typedef struct rig {
  moon_ctx *ctx;
  moon_net *net;
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x;
} rig;

static rig make_rig(int threads) {
  rig r;
  moon_ctx_new(&r.ctx, &(moon_config){.threads = threads});
  r.net = build(r.ctx, &designs[0]);
  moon_loss_new(r.ctx, &r.loss, "bce", NULL, 0);
  moon_optim_new(r.ctx, &r.opt, "adam", NULL, 0);
  moon_tensor_new(r.ctx, &r.x, MOON_FLOAT32, 2, (size_t[]){64, 200});
  return r;
}

static void free_rig(rig *r) {
  moon_tensor_release(r->x);
  moon_optim_release(r->opt);
  moon_loss_release(r->loss);
  moon_net_release(r->net);
  moon_ctx_release(r->ctx);
}

/* With a living pool: the child of a fork trains, and so does the parent after it. */
static void fork_with_a_pool(void) {
  rig r = make_rig(3);
  CHECK(moon_net_step(r.net, NULL, r.x, NULL, r.loss, r.opt) == MOON_OK);
  pid_t child = fork();
  if (child == 0) {
    bool good = moon_net_step(r.net, NULL, r.x, NULL, r.loss, r.opt) == MOON_OK;
    free_rig(&r);
    _exit(!good);
  }
  CHECK(moon_net_step(r.net, NULL, r.x, NULL, r.loss, r.opt) == MOON_OK);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  free_rig(&r);
}

static void changing_the_number(void) {
  rig r = make_rig(1);
  static const int numbers[] = {1, 4, 2, 2, 7, 1, 3};
  for (size_t i = 0; i < MOONI_COUNT(numbers); i++) {
    CHECK(moon_set_threads(r.ctx, numbers[i]) == MOON_OK);
    CHECK(moon_net_step(r.net, NULL, r.x, NULL, r.loss, r.opt) == MOON_OK);
  }
  CHECK(moon_set_threads(r.ctx, 0) == MOON_ERANGE && moon_set_threads(r.ctx, 257) == MOON_ERANGE);
  free_rig(&r);
}

int main(void) {
  shares();
  cost_rule();
  same_numbers();
  changing_the_number();
#if defined(__SANITIZE_THREAD__)
  puts("the two tests of fork are left out: the thread sanitizer does not follow threads into a child");
#else
  lives();
  fork_with_a_pool();
#endif
  return check_report();
}
