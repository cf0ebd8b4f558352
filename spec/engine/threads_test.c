/* threads_test.c - the worker pool: results do not depend on which thread computes, and threads start and end. */
#define _GNU_SOURCE
#include <dirent.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/engine/core/memory.h"
#include "../../csrc/engine/core/pool.h"
#include "../../csrc/engine/kernels/act.h"
#include "../../csrc/engine/kernels/table.h"
#include "../../csrc/engine/net/plan.h"
#include "check.h"
#include "instruction_sets.h"

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

/* A net of `sizes`, ended by 0. `noise` is a layer before it, or NULL. Every layer has the same activation, the last
** one has `end`. `with` may name: "again", the last layer once more; "l1" (and l2), "kl", "contractive", penalties in
** every layer; "tied", weights of the last layer; "k_sparse", "gaussian_code", "batch_norm" or "layer_norm", a layer
** after the first; "frozen", the first and third layer. */
typedef struct design {
  size_t sizes[6];
  const char *activation, *end, *loss, *noise, *with;
} design;

static bool has(const design *d, const char *what) { return strstr(d->with, what) != NULL; }

static moon_layer *dense(moon_ctx *ctx, const design *d, size_t i, bool last, moon_layer *tied) {
  size_t in = i == 1 && has(d, "gaussian_code") ? d->sizes[1] / 2 : d->sizes[i];
  moon_option options[10] = {number("in", (double)in), number("out", (double)d->sizes[i + 1]),
                             text("activation", last ? d->end : d->activation)};
  size_t n = 3;
  if (has(d, "l1")) {
    options[n++] = number("activity_l1", 1e-3);
    options[n++] = number("weight_l1", 1e-3);
    options[n++] = number("weight_l2", 1e-3);
  }
  if (has(d, "frozen") && i % 2 == 0) options[n++] = (moon_option){"trainable", MOON_FLAG, 0, 0, NULL, NULL};
  if (has(d, "kl")) options[n++] = number("kl_weight", 0.1);
  if (has(d, "contractive")) options[n++] = number("contractive", 1e-2);
  if (tied) options[n++] = (moon_option){"tied", MOON_LAYER, 0, 0, NULL, tied};
  moon_layer *layer = NULL;
  CHECK(moon_layer_new(ctx, &layer, "dense", options, n) == MOON_OK);
  return layer;
}

/* A layer of this kind, if the design has it: their number, 0 or 1. */
static size_t add(moon_ctx *ctx, const design *d, moon_layer **layer, const char *kind, const moon_option *option) {
  if (!has(d, kind)) return 0;
  CHECK(moon_layer_new(ctx, layer, kind, option, 1) == MOON_OK);
  return 1;
}

static moon_net *build(moon_ctx *ctx, const design *d) {
  moon_layer *layers[8];
  moon_net *net = NULL;
  size_t n = 0;
  if (d->noise) {
    moon_option p = number(strcmp(d->noise, "gaussian_noise") == 0 ? "sigma" : "p", 0.3);
    CHECK(moon_layer_new(ctx, &layers[n++], d->noise, &p, 1) == MOON_OK);
    if (has(d, "again")) layers[n] = moon_layer_retain(layers[n - 1]), n++;
  }
  for (size_t i = 0; d->sizes[i + 1]; i++) {
    bool last = !d->sizes[i + 2];
    moon_layer *layer = dense(ctx, d, i, last, has(d, "tied") && last ? layers[n - 1] : NULL);
    moon_option k = number("k", 5);
    moon_option half = number("k", (double)(d->sizes[1] / 2)), width = number("n", (double)d->sizes[1]);
    layers[n++] = layer;
    if (i > 0) continue;
    n += add(ctx, d, &layers[n], "gaussian_code", &half);
    n += add(ctx, d, &layers[n], "k_sparse", &k);
    n += add(ctx, d, &layers[n], "batch_norm", &width);
    n += add(ctx, d, &layers[n], "layer_norm", &width);
  }
  CHECK(moon_net_new(ctx, &net, layers, n) == MOON_OK);
  while (n) moon_layer_release(layers[--n]);
  return net;
}

/* Weights, gradients and objectives after some steps with a number of threads. */
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
      memset(r->grads + r->count, 0, n * sizeof(float));
      if (p.grad) memcpy(r->grads + r->count, moon_tensor_float(p.grad), n * sizeof(float)); /* a buffer has none */
      r->count += n;
    }
}

static void train_in(moon_ctx *ctx, result *out, const design *d, size_t rows, size_t steps) {
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x, *y = NULL, *prediction;
  moon_dataset *data;
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
}

static moon_ctx *make_context(int threads) {
  moon_ctx *ctx = NULL;
  CHECK(moon_ctx_new(&ctx, &(moon_config){.seed = 3, .threads = threads}) == MOON_OK);
  return ctx;
}

static void train(result *out, const design *d, size_t rows, int threads, size_t steps) {
  moon_ctx *ctx = make_context(threads);
  train_in(ctx, out, d, rows, steps);
  moon_ctx_release(ctx);
}

static double worst(const float *a, const float *b, size_t n) {
  double off = 0;
  for (size_t i = 0; i < n; i++) off = fmax(off, fabs((double)a[i] - (double)b[i]));
  return off;
}

static double greatest(const float *a, size_t n) {
  double most = 1;
  for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)a[i]));
  return most;
}

static const design designs[] = {
    {{200, 64, 16, 64, 200}, "relu", "sigmoid", "bce", NULL, ""},
    {{200, 64, 16, 64, 200}, "gelu", "linear", "mse", "gaussian_noise", ""},
    {{150, 50, 10}, "tanh", "softmax", "cross_entropy", "dropout", ""},
    {{150, 50, 150}, "relu", "softmax", "mse", NULL, "l1"}, /* softmax that is not fused with the loss, and penalties */
    {{100, 2, 100}, "silu", "sigmoid", "bce", "masking_noise", "l1"},
    {{120, 40, 120}, "relu", "sigmoid", "bce", NULL, "tied"}, /* one weight in two layers */
    {{20, 300, 20}, "elu", "linear", "huber", "salt_pepper_noise", ""},
    {{150, 300, 50, 150}, "sigmoid", "softmax", "mse", NULL, "kl"}, /* means over rows that other threads compute */
    {{120, 70, 120}, "sigmoid", "sigmoid", "bce", NULL, "kl contractive l1 tied"},
    {{150, 300, 30, 150}, "gelu", "tanh", "mse", "masking_noise", "contractive"},
    {{200, 80, 16, 200}, "linear", "sigmoid", "bce", NULL, "k_sparse"},
    {{150, 60, 150}, "relu", "sigmoid", "bce", "dropout", "again"},
    {{200, 80, 200}, "linear", "sigmoid", "bce", NULL, "gaussian_code"},
    {{200, 64, 16, 64, 200}, "relu", "sigmoid", "bce", "dropout", "frozen contractive l1"},
    {{150, 300, 50, 150, 40}, "sigmoid", "softmax", "cross_entropy", NULL, "frozen kl"},
    {{200, 300, 200}, "linear", "sigmoid", "bce", NULL, "batch_norm"}, /* statistics of rows that others compute */
    {{150, 70, 150}, "tanh", "linear", "mse", "dropout", "batch_norm l1"},
    {{200, 64, 200}, "sigmoid", "sigmoid", "bce", NULL, "layer_norm"},
    {{150, 60, 150}, "tanh", "linear", "mse", "gaussian_noise", "batch_norm layer_norm frozen"},
};

/* After one step, different numbers of threads agree to 1e-6. The same number agrees bit for bit. */
static void same_numbers(void) {
  static const size_t rows[] = {1, 7, 32, 130, 512};
  static result one, many, again;
  for (size_t d = 0; d < MOONI_COUNT(designs); d++)
    for (size_t r = 0; r < MOONI_COUNT(rows); r++) {
      train(&one, &designs[d], rows[r], 1, 1);
      for (int threads = 2; threads <= 5; threads++) {
        train(&many, &designs[d], rows[r], threads, 1);
        double w = worst(one.weights, many.weights, one.count), g = worst(one.grads, many.grads, one.count);
        /* These gradients are above 1: by their digits. */
        if (has(&designs[d], "gaussian_code")) g /= greatest(one.grads, one.count);
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

/* With a penalty on means over the batch, rows are never divided, and the value is that of the whole batch. After the
** first batch nothing is allocated. */
static void whole_batches(void) {
  enum { ROWS = 600 };
  static const design plain = {{120, 70, 120}, "sigmoid", "sigmoid", "mse", NULL, ""};
  static const design sparse = {{120, 70, 120}, "sigmoid", "sigmoid", "mse", NULL, "kl"};
  static result with, without;
  for (int threads = 1; threads <= 4; threads += 3) {
    train(&without, &plain, ROWS, threads, 1);
    train(&with, &sparse, ROWS, threads, 1);
    double penalty = with.objective[0] - without.objective[0];
    CHECK(penalty > 1); /* outputs are near 1/2, the target is 0.05: 0.1 (70 + 120) times 0.49 */
    CHECK(fabs(penalty - 0.1 * 190 * 0.4946) < 0.5);
  }
  moon_ctx *ctx;
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x;
  static const design all = {{120, 70, 30, 120}, "sigmoid", "sigmoid", "mse", NULL, "kl contractive k_sparse"};
  CHECK(moon_ctx_new(&ctx, &(moon_config){.threads = 3}) == MOON_OK);
  moon_net *net = build(ctx, &all);
  moon_loss_new(ctx, &loss, "mse", NULL, 0);
  moon_optim_new(ctx, &opt, "adam", NULL, 0);
  moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){ROWS, 120});
  moon_tensor_uniform(x, 0, 1);
  CHECK(moon_net_step(net, NULL, x, NULL, loss, opt) == MOON_OK);
  size_t used = moon_memory_used(ctx);
  CHECK(moon_net_step(net, NULL, x, NULL, loss, opt) == MOON_OK);
  CHECK(moon_memory_used(ctx) == used && moon_memory_peak(ctx) == used);
  moon_tensor_release(x);
  moon_optim_release(opt);
  moon_loss_release(loss);
  moon_net_release(net);
  moon_ctx_release(ctx);
}

/* ---- the kernels of penalties and codes give the same numbers on every instruction set ---- */

static bool is_before(const float *x, size_t i, size_t j) { return x[i] == x[j] ? i < j : !(x[i] < x[j]); }

/* keep_largest against a count, for each element, of those that come before it. NaN comes before all numbers. */
static void largest_of(const mooni_kernels *k, const float *x, size_t n, size_t keep) {
  static float y[100], mask[100];
  k->keep_largest(y, mask, x, n, keep);
  for (size_t i = 0; i < n; i++) {
    size_t before = 0;
    for (size_t j = 0; j < n; j++) before += j != i && !isnan(x[i]) && (isnan(x[j]) || is_before(x, j, i));
    float expected = before < keep ? x[i] : 0;
    CHECK(mask[i] == (before < keep ? 1.f : 0.f));
    CHECK(memcmp(&y[i], &expected, sizeof expected) == 0 || (isnan(x[i]) && isnan(y[i])));
  }
}

static void largest(const mooni_kernels *k) {
  static const float special[] = {0.f, -0.f, 3e38f, -3e38f, INFINITY, -INFINITY, 1e-38f, -1e-38f, 1, 1, -1, -NAN};
  static float x[100];
  for (size_t keep = 1; keep <= MOONI_COUNT(special); keep++) largest_of(k, special, MOONI_COUNT(special), keep);
  for (size_t i = 0; i < 100; i++) x[i] = (float)((i * 37 + i * i * 11) % 29) - 14; /* with equal values */
  for (size_t n = 1; n <= 100; n += 9)
    for (size_t keep = 1; keep <= n; keep++) largest_of(k, x, n, keep);
}

/* slopes: act' equals backward's, act'' equals its difference quotient. */
static void slopes_of(const mooni_act *act) {
  enum { N = 99 };
  const float h = 0.01f;
  float z[3][N], y[3][N], first[3][N], second[3][N], dy[N], kept[N];
  for (size_t s = 0; s < 3; s++) {
    for (size_t i = 0; i < N; i++) y[s][i] = 0.08f * ((float)i - 49.5f) + h * ((float)s - 1);
    memcpy(z[s], y[s], sizeof kept);
    act->forward(y[s], act->needs_z ? kept : NULL, NULL, 1, N, N, act->p);
    act->slopes(first[s], second[s], y[s], act->needs_z ? z[s] : NULL, N, act->p);
  }
  for (size_t i = 0; i < N; i++) dy[i] = 1;
  act->backward(dy, y[1], act->needs_z ? z[1] : NULL, 1, N, N, act->p);
  for (size_t i = 0; i < N; i++) {
    double numeric = ((double)first[2][i] - (double)first[0][i]) / (double)(z[2][i] - z[0][i]);
    CHECK(fabsf(dy[i] - first[1][i]) <= 1e-6f);
    if (fabs(numeric - (double)second[1][i]) > 1e-3)
      fprintf(stderr, "%s at %g: act'' is %g, numerically %g\n", act->name, z[1][i], second[1][i], numeric);
    CHECK(fabs(numeric - (double)second[1][i]) <= 1e-3);
    CHECK(!act->unit || (y[1][i] >= 0 && y[1][i] <= 1));
  }
}

/* A code's kernels against libm in double, for n elements. */
static void gaussian_code_of(const mooni_kernels *k, size_t n) {
  enum { MOST = 40 };
  float x[2 * MOST], y[MOST], draws[MOST], slope[MOST], dy[MOST], dx[2 * MOST];
  double divergence = 0;
  for (size_t i = 0; i < n; i++) {
    x[i] = 0.3f * (float)i - 4;
    x[n + i] = 0.21f * (float)(i * 7 % 31) - 3;
    draws[i] = slope[i] = 1.5f - 0.11f * (float)i;
    dy[i] = 0.2f * (float)i - 1;
  }
  k->code_sample(y, slope, x, n);
  k->code_backward(dx, dy, slope, x, n, 0.25f);
  for (size_t i = 0; i < n; i++) {
    double mean = (double)x[i], l = (double)x[n + i], shift = exp(l / 2) * (double)draws[i], d = (double)dy[i];
    divergence += (mean * mean + exp(l) - 1 - l) / 2;
    CHECK(fabs((double)y[i] - (mean + shift)) <= 1e-6 * (fabs(mean) + fabs(shift)));
    CHECK(fabs((double)slope[i] - shift / 2) <= 1e-6 * fabs(shift));
    CHECK(fabs((double)dx[i] - (d + 0.25 * mean)) <= 1e-6);
    CHECK(fabs((double)dx[n + i] - (d * shift / 2 + 0.125 * expm1(l))) <= 1e-6 * (1 + exp(l) + fabs(d * shift)));
  }
  CHECK(fabs(k->code_divergence(x, n) - divergence) <= 1e-6 * divergence);
}

/* The kernels of batch_norm against sums in double, for rows [ROWS x n] that are far from 0. */
static void columns_of(const mooni_kernels *k, size_t n) {
  enum { ROWS = 9, MOST = 40 };
  float x[ROWS * MOST], dy[ROWS * MOST], y[ROWS * MOST], dx[ROWS * MOST], centre[MOST], sum[MOST], squares[MOST];
  float total[MOST], products[MOST];
  double scale[MOST], slope[MOST], shift[MOST];
  for (size_t i = 0; i < ROWS * n; i++) x[i] = 5000 + 0.25f * (float)(i * 7 % 31), dy[i] = 0.2f * (float)(i % 13) - 1;
  for (size_t j = 0; j < n; j++) centre[j] = 5003, scale[j] = 0.3, slope[j] = 0.1 * (double)j, shift[j] = -0.7;
  k->column_deviations(sum, squares, x, centre, ROWS, n, n);
  k->column_products(total, products, dy, n, x, n, centre, ROWS, n);
  k->normalise(y, n, x, n, centre, scale, shift, ROWS, n);
  k->normalise_back(dx, n, dy, n, x, centre, scale, slope, shift, ROWS, n);
  for (size_t j = 0; j < n; j++) {
    double sums[4] = {0};
    for (size_t i = j; i < ROWS * n; i += n) {
      double d = (double)x[i] - 5003, g = (double)dy[i];
      sums[0] += d, sums[1] += d * d, sums[2] += g, sums[3] += g * d;
      CHECK(fabs((double)y[i] - (d * scale[j] + shift[j])) <= 1e-6);
      CHECK(fabs((double)dx[i] - (g * scale[j] + d * slope[j] + shift[j])) <= 1e-6 * (1 + fabs(d * slope[j])));
    }
    CHECK(fabs((double)sum[j] - sums[0]) <= 1e-5 && fabs((double)squares[j] - sums[1]) <= 1e-6 * sums[1]);
    CHECK(fabs((double)total[j] - sums[2]) <= 1e-6 && fabs((double)products[j] - sums[3]) <= 1e-5);
  }
}

/* The kernels of layer_norm against the formulas in double, for two rows of n. */
static void rows_of(const mooni_kernels *k, size_t n) {
  enum { MOST = 40 };
  float x[2 * MOST], dy[2 * MOST], y[2 * MOST], dx[2 * MOST], stats[6], weight[MOST], bias[MOST];
  for (size_t i = 0; i < 2 * n; i++) x[i] = 700 + 0.25f * (float)(i * 7 % 31), dy[i] = 0.2f * (float)(i % 13) - 1;
  for (size_t j = 0; j < n; j++) weight[j] = 0.5f + 0.1f * (float)j, bias[j] = 0.3f - 0.05f * (float)j;
  k->normalise_rows(y, stats, x, weight, bias, 2, n, 1e-3);
  k->normalise_rows_back(dx, dy, x, stats, weight, 2, n);
  for (size_t r = 0; r < 2; r++) {
    const float *in = x + r * n, *slope = dy + r * n;
    double mean = 0, variance = 1e-3, sum = 0, along = 0;
    for (size_t j = 0; j < n; j++) mean += (double)in[j] / (double)n;
    for (size_t j = 0; j < n; j++) variance += ((double)in[j] - mean) * ((double)in[j] - mean) / (double)n;
    double inverse = 1 / sqrt(variance);
    for (size_t j = 0; j < n; j++) {
      double g = (double)slope[j] * (double)weight[j] / (double)n;
      sum += g, along += g * ((double)in[j] - mean) * inverse;
    }
    for (size_t j = 0; j < n; j++) {
      double z = ((double)in[j] - mean) * inverse, g = (double)slope[j] * (double)weight[j];
      CHECK(fabs((double)y[r * n + j] - (z * (double)weight[j] + (double)bias[j])) <= 1e-5);
      CHECK(fabs((double)dx[r * n + j] - inverse * (g - sum - z * along)) <= 1e-5 * inverse);
    }
  }
}

static void kernels(const mooni_kernels *k) {
  largest(k);
  for (size_t n = 1; n <= 40; n++) gaussian_code_of(k, n), columns_of(k, n), rows_of(k, n);
  for (const mooni_act *act = k->activations; act->name; act++) {
    CHECK(act->rowwise == !act->slopes);
    if (act->slopes) slopes_of(act);
  }
}

/* The rule that divides a batch. Its results are written down here, so that a change is noticed. */
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

static void spans(void) {
  for (size_t n = 0; n < 100; n++)
    for (size_t parts = 1; parts < 9; parts++) {
      size_t next = 0;
      for (size_t p = 0; p < parts; p++) {
        mooni_span own = mooni_span_of(n, 16, p, parts);
        CHECK(own.from == next && own.to >= own.from && (own.from % 16 == 0 || own.from == n));
        next = own.to;
      }
      CHECK(next == n);
    }
}

#if !defined(__SANITIZE_THREAD__)
/* Threads start and end when their number changes. A forked child has none of its parent's and starts new ones. */
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
#endif

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

#if !defined(__SANITIZE_THREAD__)
/* Fork while the pool runs: the child trains, and the parent trains afterwards. */
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
#endif

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

/* ---- which thread computes a part ---- */

enum { PARTS = 4, PHASES = 40 };

typedef struct record {
  atomic_uint computed[PHASES][PARTS];
  atomic_bool early;
} record;

static void note(void *arg, size_t phase, size_t part) {
  record *r = arg;
  for (size_t p = 0; phase && p < PARTS; p++)
    if (atomic_load(&r->computed[phase - 1][p]) != 1) atomic_store(&r->early, true);
  atomic_fetch_add(&r->computed[phase][part], 1);
}

/* Every part of a phase runs once, after all parts of the phase before it. */
static void every_part_once(void) {
  static record r;
  moon_ctx *ctx = make_context(PARTS);
  CHECK(mooni_pool_plan(ctx, PARTS) == MOON_OK);
  for (size_t job = 0; job < 500; job++) {
    size_t phases = job % PHASES, computed = 0;
    memset(&r, 0, sizeof r);
    mooni_pool_run(ctx, PARTS, phases, note, &r);
    for (size_t i = 0; i < PHASES; i++)
      for (size_t part = 0; part < PARTS; part++) computed += atomic_load(&r.computed[i][part]) == (i < phases);
    CHECK(computed == PHASES * PARTS && !atomic_load(&r.early));
  }
  moon_ctx_release(ctx);
}

#if !defined(__SANITIZE_THREAD__)
/* The threads of a process without the first, in the order in which they started. */
static size_t workers_of(pid_t process, pid_t *tids, size_t most) {
  char path[64];
  size_t n = 0;
  snprintf(path, sizeof path, "/proc/%d/task", (int)process);
  DIR *folder = opendir(path);
  for (const struct dirent *e; folder && (e = readdir(folder));) {
    pid_t tid = (pid_t)atoi(e->d_name);
    if (tid > 0 && tid != process && n < most) tids[n++] = tid;
  }
  if (folder) closedir(folder);
  return n;
}

static bool sleeps(pid_t process, pid_t tid) {
  char path[64], state = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)process, (int)tid);
  FILE *file = fopen(path, "r");
  bool read = file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
  if (file) fclose(file);
  return read && state == 'S';
}

/* Stop one thread, as a debugger does, while it waits for work. */
static bool stop_thread(pid_t process, pid_t tid) {
  int status;
  while (!sleeps(process, tid)) usleep(1000);
  return ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0 && ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0 &&
         waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status);
}

typedef struct trial {
  const design *d;
  size_t rows;
  int threads;
  size_t first, last; /* the stopped workers, counted from 0 */
} trial;

/* Start the workers, so that they wait for work. */
static void start_workers(moon_ctx *ctx, result *out) {
  train_in(ctx, out, &designs[0], 64, 1);
  memset(out, 0, sizeof *out);
}

/* The child trains when it is told to, after its workers have been stopped. They can no longer end. */
static void train_without(const trial *t, const result *expected, int ready, int go) {
  static result got;
  char c = 0;
  moon_ctx *ctx = make_context(t->threads);
  alarm(300); /* ends the child if it waits for its workers */
  start_workers(ctx, &got);
  if (write(ready, &c, 1) != 1 || read(go, &c, 1) != 1) _exit(2);
  train_in(ctx, &got, t->d, t->rows, 2);
  _exit(memcmp(&got, expected, sizeof got) != 0);
}

static int end_of(pid_t child) {
  int status = -1;
  for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) /* its stopped threads end too */
    if (pid == child && !WIFSTOPPED(status)) return status;
  return -1;
}

/* Workers that get no CPU time are not waited for, and the results are the same without them. */
static void stopped_workers(const trial *t) {
  static result expected;
  int ready[2], go[2];
  char c = 0;
  pid_t tids[PARTS];
  moon_ctx *ctx = make_context(t->threads);
  start_workers(ctx, &expected);
  train_in(ctx, &expected, t->d, t->rows, 2);
  moon_ctx_release(ctx);
  CHECK(pipe(ready) == 0 && pipe(go) == 0);
  pid_t child = fork();
  if (child == 0) train_without(t, &expected, ready[1], go[0]);
  CHECK(read(ready[0], &c, 1) == 1);
  CHECK(workers_of(child, tids, PARTS) == (size_t)t->threads - 1);
  for (size_t i = t->first; i <= t->last; i++) CHECK(stop_thread(child, tids[i]));
  CHECK(write(go[1], &c, 1) == 1);
  CHECK(end_of(child) == 0);
  int ends[] = {ready[0], ready[1], go[0], go[1]};
  for (size_t i = 0; i < MOONI_COUNT(ends); i++) close(ends[i]);
}

static void any_thread_computes(void) {
  static const size_t rows[] = {7, 64, 512}; /* divided by columns or not at all, by columns, by rows */
  for (size_t d = 0; d < MOONI_COUNT(designs); d++)
    for (size_t r = 0; r < MOONI_COUNT(rows); r++) {
      stopped_workers(&(trial){&designs[d], rows[r], 2, 0, 0});
      stopped_workers(&(trial){&designs[d], rows[r], 4, 1, 1});
      stopped_workers(&(trial){&designs[d], rows[r], 4, 0, 2});
    }
}
#endif

int main(void) {
  spans();
  cost_rule();
  same_numbers();
  whole_batches();
  each_instruction_set(kernels);
  changing_the_number();
  every_part_once();
#if defined(__SANITIZE_THREAD__)
  puts("skipped: the tests that fork (the thread sanitizer does not follow threads into a child)");
#else
  any_thread_computes();
  lives();
  fork_with_a_pool();
#endif
  return check_report();
}
