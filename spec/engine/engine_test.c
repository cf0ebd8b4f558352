/* engine_test.c - tests of the engine in C: what a Lua script cannot see. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/engine/core/ctx.h"
#include "../../csrc/engine/core/gemm.h"
#include "../../csrc/engine/core/memory.h"
#include "../../csrc/engine/kernels/act.h"
#include "../../csrc/engine/kernels/table.h"
#include "../../csrc/engine/net/loss.h"
#include "../../csrc/engine/net/optim.h"
#include "check.h"
#include "instruction_sets.h"

/* ---- counting allocations: the context's and malloc's ---- */

static size_t calls, malloc_calls;

static void *counting(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud, (void)osize;
  calls++;
  if (nsize) return realloc(ptr, nsize);
  free(ptr);
  return NULL;
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t);
void *malloc(size_t size) {
  malloc_calls++;
  return __libc_malloc(size);
}
#endif

/* ---- a small net ---- */

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

static moon_layer *dense(moon_ctx *ctx, size_t in, size_t out, const char *activation) {
  moon_option options[] = {number("in", (double)in), number("out", (double)out), text("activation", activation)};
  moon_layer *layer = NULL;
  moon_layer_new(ctx, &layer, "dense", options, 3);
  return layer;
}

typedef struct rig {
  moon_ctx *ctx;
  moon_net *net;
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x;
  moon_dataset *data;
} rig;

enum { ROWS = 100, WIDTH = 20 };

static rig make_rig(const moon_config *config) {
  rig r = {0};
  moon_ctx_new(&r.ctx, config);
  moon_option sigma = number("sigma", 0.1);
  moon_layer *layers[3] = {NULL, dense(r.ctx, WIDTH, 7, "relu"), dense(r.ctx, 7, WIDTH, "sigmoid")};
  moon_layer_new(r.ctx, &layers[0], "gaussian_noise", &sigma, 1);
  moon_net_new(r.ctx, &r.net, layers, 3);
  for (size_t i = 0; i < 3; i++) moon_layer_release(layers[i]);
  moon_loss_new(r.ctx, &r.loss, "bce", NULL, 0);
  moon_optim_new(r.ctx, &r.opt, "adam", NULL, 0);
  moon_tensor_new(r.ctx, &r.x, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH});
  moon_tensor_uniform(r.x, 0, 1);
  moon_dataset_new(r.ctx, &r.data, r.x, NULL);
  return r;
}

static void free_rig(rig *r) {
  moon_ctx_release(r->ctx); /* first: objects keep the context alive */
  moon_tensor_release(r->x);
  moon_net_release(r->net);
  moon_dataset_release(r->data);
  moon_optim_release(r->opt);
  moon_loss_release(r->loss);
}

static void epoch(rig *r, size_t batch) {
  for (size_t i = 0; i < ROWS; i += batch)
    CHECK(moon_net_step_rows(r->net, NULL, r->data, i, ROWS - i < batch ? ROWS - i : batch, r->loss, r->opt) ==
          MOON_OK);
}

static void step_allocates_nothing(void) {
  rig r = make_rig(&(moon_config){.alloc = counting});
  epoch(&r, 32); /* makes the plans of the full batch and of the last, smaller one */
  size_t before = calls, mallocs = malloc_calls;
  for (uint64_t e = 0; e < 5; e++) {
    moon_dataset_shuffle(r.data, 1, e);
    epoch(&r, 32);
  }
  CHECK(calls == before);
  CHECK(malloc_calls == mallocs);

  moon_tensor *y;
  CHECK(moon_tensor_new(r.ctx, &y, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH}) == MOON_OK);
  CHECK(moon_net_predict(r.net, y, r.x, 0) == MOON_OK);
  before = calls;
  CHECK(moon_net_predict(r.net, y, r.x, 0) == MOON_OK);
  CHECK(calls == before);
  moon_tensor_release(y);
  free_rig(&r);
}

/* Every byte is freed, in any order of release. */
static void accounting(void) {
  moon_ctx *ctx;
  CHECK(moon_ctx_new(&ctx, NULL) == MOON_OK);
  size_t empty = moon_memory_used(ctx);
  moon_tensor *t, *row;
  CHECK(moon_tensor_new(ctx, &t, MOON_FLOAT32, 2, (size_t[]){3, 4}) == MOON_OK);
  CHECK(moon_tensor_view(&row, t, 4, 1, (size_t[]){4}) == MOON_OK);
  moon_tensor_release(t);
  moon_tensor_set(row, 0, 2.5);
  CHECK(moon_tensor_get(row, 0) == 2.5);
  moon_tensor_release(row);
  CHECK(moon_memory_used(ctx) == empty);
  CHECK(moon_memory_peak(ctx) > empty);
  moon_ctx_release(ctx);
}

/* Refuse the n-th allocation, for n = 1, 2, 3 ... until the call passes. Each failure returns a status and leaks
** nothing, and the next try works. */
static size_t left;
static void *failing(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud, (void)osize;
  if (!nsize) {
    free(ptr);
    return NULL;
  }
  if (left == 0) return NULL;
  left--;
  return realloc(ptr, nsize);
}

static moon_status train_two_batches(moon_ctx *ctx) {
  moon_layer *layers[2] = {NULL, NULL};
  moon_net *net = NULL;
  moon_loss *loss = NULL;
  moon_optim *opt = NULL;
  moon_tensor *x = NULL;
  moon_option first[] = {number("in", 6), number("out", 3), text("activation", "gelu")};
  moon_option last[] = {number("in", 3), number("out", 6), text("activation", "sigmoid")};
  moon_status status = moon_layer_new(ctx, &layers[0], "dense", first, 3);
  if (!status) status = moon_layer_new(ctx, &layers[1], "dense", last, 3);
  if (!status) status = moon_net_new(ctx, &net, layers, 2);
  if (!status) status = moon_loss_new(ctx, &loss, "bce", NULL, 0);
  if (!status) status = moon_optim_new(ctx, &opt, "rmsprop", NULL, 0);
  if (!status) status = moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){5, 6});
  if (!status) status = moon_net_step(net, NULL, x, NULL, loss, opt);
  if (!status) status = moon_net_step(net, NULL, x, NULL, loss, opt);
  moon_tensor_release(x);
  moon_optim_release(opt);
  moon_loss_release(loss);
  moon_net_release(net);
  moon_layer_release(layers[1]);
  moon_layer_release(layers[0]);
  return status;
}

static void out_of_memory(void) {
  moon_ctx *ctx = NULL;
  size_t n = 0;
  left = 0;
  CHECK(moon_ctx_new(&ctx, &(moon_config){.alloc = failing}) == MOON_ENOMEM);
  left = 1;
  CHECK(moon_ctx_new(&ctx, &(moon_config){.alloc = failing}) == MOON_OK);
  size_t empty = moon_memory_used(ctx);
  moon_status status;
  do {
    left = n++;
    status = train_two_batches(ctx);
    CHECK(status == MOON_OK || (status == MOON_ENOMEM && strstr(moon_error(ctx), "out of memory")));
    mooni_gemm_forget(ctx); /* else warm shapes would allocate less the next time */
    CHECK(moon_memory_used(ctx) == empty);
  } while (status != MOON_OK && n < 1000);
  CHECK(status == MOON_OK && n > 20);
  moon_ctx_release(ctx);
}

/* ---- matrix products against the definition ---- */

static double reference(const mooni_mat *a, const mooni_mat *b, size_t i, size_t j, size_t k) {
  double sum = 0;
  for (size_t l = 0; l < k; l++) sum += (double)a->p[i * a->rs + l * a->cs] * (double)b->p[l * b->rs + j * b->cs];
  return sum;
}

/* The matrix is every second row or column of a larger tensor, so that a stray write shows. */
static mooni_mat matrix(moon_tensor **owner, moon_ctx *ctx, size_t rows, size_t columns, bool by_row) {
  moon_tensor_new(ctx, owner, MOON_FLOAT32, 2, (size_t[]){2 * rows, columns});
  moon_tensor_uniform(*owner, -1, 1);
  return (mooni_mat){.p = moon_tensor_float(*owner), .rs = by_row ? 2 * columns : 1, .cs = by_row ? 1 : 2 * rows};
}

static bool inside(const mooni_mat *c, size_t m, size_t n, size_t at) {
  size_t i = c->cs == 1 ? at / c->rs : at % c->cs, j = c->cs == 1 ? at % c->rs : at / c->cs;
  return i < m && j < n;
}

/* Most elements of a are 0: in runs of rows, of columns, or each by chance. */
static void put_zeros(mooni_mat a, size_t m, size_t k, unsigned how) {
  for (size_t i = 0; i < m; i++)
    for (size_t l = 0; l < k; l++) {
      float *x = &a.p[i * a.rs + l * a.cs];
      bool kept = how == 0 ? i % 29 / 10 == 1 : how == 1 ? l % 29 / 10 == 1 : (i * 31 + l * 17 + i * l) % 5 == 0;
      if (!kept) *x = l % 2 ? -0.0f : 0;
    }
}

/* zeros: -1: none, and no hint that there may be some; else as put_zeros has them. */
static void check_product(moon_ctx *ctx, size_t m, size_t n, size_t k, unsigned layout, int zeros, float beta) {
  moon_tensor *ta, *tb, *tc, *before;
  mooni_mat a = matrix(&ta, ctx, m, k, layout & 1), b = matrix(&tb, ctx, k, n, layout & 2);
  mooni_mat c = matrix(&tc, ctx, m, n, layout & 4);
  if (zeros >= 0) put_zeros(a, m, k, (unsigned)zeros);
  a.sparse = zeros >= 0;
  if (beta == 0) moon_tensor_fill(tc, NAN); /* beta 0: c must not be read */
  moon_tensor_new(ctx, &before, MOON_FLOAT32, 2, (size_t[]){2 * m, n});
  moon_tensor_copy(before, tc);
  const float *old = moon_tensor_float(before);
  CHECK(mooni_gemm_plan(ctx, 1, m, n, k, a, b, c) == MOON_OK);
  mooni_gemm(ctx, m, n, k, 0.5f, a, b, beta, c);
  double worst = 0;
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++) {
      size_t at = i * c.rs + j * c.cs;
      double expected = 0.5 * reference(&a, &b, i, j, k) + (beta != 0 ? (double)(beta * old[at]) : 0);
      double error = fabs(expected - (double)c.p[at]);
      worst = error > worst || error != error ? error : worst;
    }
  CHECK(worst < 1e-6 * (double)(k + 8));
  size_t stray = 0;
  for (size_t at = 0; at < 2 * m * n; at++) stray += !inside(&c, m, n, at) && memcmp(&c.p[at], &old[at], sizeof *old);
  CHECK(stray == 0);
  moon_tensor *all[] = {ta, tb, tc, before};
  for (size_t i = 0; i < 4; i++) moon_tensor_release(all[i]);
}

static void products_of(const mooni_kernels *kernels) {
  static const size_t shapes[][3] = {{1, 1, 1},       {1, 784, 32}, {3, 5, 7},     {17, 33, 65},   {32, 784, 128},
                                     {31, 127, 33},   {7, 1, 129},  {128, 32, 31}, {64, 100, 31},  {785, 129, 1},
                                     {201, 203, 205}, {5, 300, 2},  {6, 64, 300},  {3000, 3, 300}, {32, 128, 5000}};
  moon_ctx *ctx;
  moon_ctx_new(&ctx, NULL);
  ctx->k = kernels;
  for (size_t s = 0; s < MOONI_COUNT(shapes); s++)
    for (unsigned layout = 0; layout < 8; layout++)
      for (int zeros = -1; zeros < 3; zeros++)
        for (float beta = 0; beta < 3; beta++)
          check_product(ctx, shapes[s][0], shapes[s][1], shapes[s][2], layout, zeros, beta);
  moon_ctx_release(ctx);
}

/* c is within rounding of the definition, and has the bits of BLIS if that uses kernels for AVX2 too. */
static void check_small_product(moon_ctx *ctx, bool same, size_t m, size_t n, size_t k, unsigned layout) {
  moon_tensor *ta, *tb, *tc, *td;
  mooni_mat a = matrix(&ta, ctx, m, k, layout & 1), b = matrix(&tb, ctx, k, n, layout & 2);
  mooni_mat c = matrix(&tc, ctx, m, n, layout & 4), d = matrix(&td, ctx, m, n, layout & 4);
  double worst = 0;
  if (n == 1) b.rs = b.cs = c.rs = c.cs = d.rs = d.cs = 1; /* a vector, as in a net */
  moon_tensor_fill(tc, NAN);
  moon_tensor_copy(td, tc);
  CHECK(mooni_gemm_plan(ctx, 1, m, n, k, a, b, c) == MOON_OK);
  mooni_gemm(ctx, m, n, k, 1, a, b, 0, c);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++) {
      double error = fabs(reference(&a, &b, i, j, k) - (double)c.p[i * c.rs + j * c.cs]);
      worst = error > worst || error != error ? error : worst;
    }
  CHECK(worst < 1e-6 * (double)(k + 8));
  mooni_gemm_blis(m, n, k, 1, a, b, 0, d);
  CHECK(!same || memcmp(c.p, d.p, moon_tensor_bytes(tc)) == 0);
  moon_tensor *all[] = {ta, tb, tc, td};
  for (size_t i = 0; i < 4; i++) moon_tensor_release(all[i]);
}

static void small_products_of(const mooni_kernels *kernels) {
  static const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 10, 14, 16, 17, 25, 32};
  enum { COUNT = MOONI_COUNT(sizes) };
  moon_ctx *ctx;
  moon_ctx_new(&ctx, NULL);
  ctx->k = kernels;
  bool same = !strncmp(mooni_blis_config(), "zen", 3) || !strcmp(mooni_blis_config(), "haswell");
  for (size_t s = 0; kernels->small && s < COUNT * COUNT * COUNT; s++)
    for (unsigned layout = 0; layout < 8; layout++)
      check_small_product(ctx, same, sizes[s % COUNT], sizes[s / COUNT % COUNT], sizes[s / COUNT / COUNT], layout);
  moon_ctx_release(ctx);
}

static void products(void) {
  each_instruction_set(products_of);
  each_instruction_set(small_products_of);
}

/* ---- elementary functions against libm, on every instruction set of this CPU ---- */

static double worst_error(const mooni_act *act, float low, float high, double (*f)(double)) {
  enum { N = 4001 };
  static float y[N];
  static float z[N];
  double worst = 0;
  for (size_t i = 0; i < N; i++) y[i] = low + (high - low) * (float)i / (N - 1);
  static float x[N];
  memcpy(x, y, sizeof x);
  act->forward(y, z, NULL, 1, N, N, act->p);
  for (size_t i = 0; i < N; i++) {
    double expected = f((double)x[i]);
    worst = fmax(worst, fabs((double)y[i] - expected) / fmax(fabs(expected), 1e-30));
  }
  return worst;
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double elu(double x) { return x > 0 ? x : expm1(x); }
static double gelu(double x) { return x * 0.5 * erfc(-x / sqrt(2)); }
static double silu(double x) { return x * sigmoid(x); }

static void functions_of(const mooni_kernels *k) {
  static const struct {
    const char *name;
    float low, high;
    double (*f)(double);
    double ulps;
  } table[] = {{"sigmoid", -80, 80, sigmoid, 4}, {"tanh", -12, 12, tanh, 5}, {"softplus", -80, 80, softplus, 5},
               {"elu", -80, 5, elu, 4},          {"gelu", -6, 6, gelu, 24},  {"silu", -60, 60, silu, 5}};
  for (size_t i = 0; i < MOONI_COUNT(table); i++) {
    const mooni_act *act = k->activations;
    while (strcmp(act->name, table[i].name) != 0) act++;
    double worst = worst_error(act, table[i].low, table[i].high, table[i].f) / 1.1920929e-7;
    if (worst > table[i].ulps) fprintf(stderr, "%s, %s: %.1f ulp\n", k->isa, table[i].name, worst);
    CHECK(worst <= table[i].ulps);
  }
}

static double reference_exp(double x) { return exp(x); }
static double reference_log(double x) { return log(x); }

static double unary_error(const mooni_kernels *k, const char *name, const float *x, size_t n, double (*f)(double)) {
  const mooni_unary *u = k->unary;
  float y[512];
  double worst = 0;
  while (strcmp(u->name, name) != 0) u++;
  u->apply(y, x, n, 0, 0);
  for (size_t i = 0; i < n; i++) worst = fmax(worst, fabs((double)y[i] / f((double)x[i]) - 1));
  return worst / 1.1920929e-7;
}

static void exp_and_log(const mooni_kernels *k) {
  float x[512], special[] = {0, -1, INFINITY, NAN, -INFINITY, 1e-40f}, y[6];
  for (size_t i = 0; i < 512; i++) x[i] = -87 + 175.f * (float)i / 512;
  CHECK(unary_error(k, "exp", x, 512, reference_exp) <= 1.5);
  for (size_t i = 0; i < 512; i++) x[i] = expf(-85 + 170.f * (float)i / 511) * 1.01f;
  CHECK(unary_error(k, "log", x, 512, reference_log) <= 1.5);
  for (size_t i = 0; i < 512; i++) x[i] = 0.9f + 0.2f * (float)i / 1000 + 1e-4f;
  CHECK(unary_error(k, "log", x, 512, reference_log) <= 2);

  const mooni_unary *u = k->unary;
  while (strcmp(u->name, "log") != 0) u++;
  u->apply(y, special, 6, 0, 0);
  CHECK(y[0] == -INFINITY && isnan(y[1]) && y[2] == INFINITY && isnan(y[3]) && isnan(y[4]));
  CHECK(fabsf(y[5] - logf(1e-40f)) < 1e-5f);
  u = k->unary;
  while (strcmp(u->name, "exp") != 0) u++;
  u->apply(y, special, 6, 0, 0);
  CHECK(y[0] == 1 && y[2] == INFINITY && isnan(y[3]) && y[4] == 0);
}

/* Value and gradient of the cross-entropy of logits z against targets t. */
static void logits(const mooni_kernels *k) {
  enum { N = 2001 };
  static float z[N], t[N], g[N];
  double sum = 0, worst = 0;
  moon_ctx *ctx;
  moon_loss *loss;
  for (size_t i = 0; i < N; i++) z[i] = -87 + 174 * (float)i / (N - 1), t[i] = (float)(i % 256) / 255;
  moon_ctx_new(&ctx, NULL);
  moon_loss_new(ctx, &loss, "bce", NULL, 0);
  const mooni_loss_class *const *class = k->losses;
  while (strcmp((*class)->name, "bce") != 0) class ++;
  double value = (*class)->apply(loss, g, z, (mooni_target){.values = t, .stride = N}, 1, N, N, 1, true);
  for (size_t i = 0; i < N; i++) {
    double x = (double)z[i], p = 1 / (1 + exp(-x));
    sum += (x > 0 ? x : 0) - x * (double)t[i] + log1p(exp(-fabs(x)));
    worst = fmax(worst, fabs((double)g[i] - (p - (double)t[i])) / fmax(p, (double)t[i]));
  }
  if (worst > 4e-7) fprintf(stderr, "%s: gradient of logits %g off\n", k->isa, worst);
  CHECK(worst <= 4e-7);
  CHECK(fabs(value / sum - 1) < 1e-6);
  z[7] = NAN;
  CHECK(isnan((*class)->apply(loss, g, z, (mooni_target){.values = t, .stride = N}, 1, N, N, 1, true)));
  moon_loss_release(loss);
  moon_ctx_release(ctx);
}

/* Adam's step uses a special square root. Test it over all magnitudes of the mean square, with 0, and with a gradient
** whose square is infinite. */
static void roots(const mooni_kernels *k) {
  enum { N = 2003 };
  static float w[N], m[N], v[N], g[N], before[N];
  float *slots[] = {m, v};
  double worst = 0;
  moon_ctx *ctx;
  moon_optim *adam;
  for (size_t i = 0; i < N; i++) before[i] = v[i] = ldexpf(1 + (float)(i % 97) / 97, (int)(i % 250) - 123), m[i] = 1;
  before[0] = v[0] = 0;
  memset(w, 0, sizeof w);
  before[1] = v[1] = 1, g[1] = 1e30f; /* its square is infinite */
  moon_ctx_new(&ctx, NULL);
  moon_optim_new(ctx, &adam, "adam", (moon_option[]){{.name = "eps", .kind = MOON_NUMBER, .number = 1e-7}}, 1);
  const mooni_optim_class *const *class = k->optims;
  while (strcmp((*class)->name, "adam") != 0) class ++;
  adam->rate[0] = 1;
  (*class)->update(adam, w, slots, g, 1, N, N);
  for (size_t i = 0; i < N; i++) {
    double expected = -(double)m[i] / (sqrt((double)v[i]) + 1e-7);
    worst = fmax(worst, expected == 0 ? fabs((double)w[i]) : fabs((double)w[i] / expected - 1));
  }
  if (worst > 4e-7) fprintf(stderr, "%s: step of adam %g off\n", k->isa, worst);
  CHECK(worst <= 4e-7 && v[0] == 0 && v[1] > 1e35F && v[1] < INFINITY && v[7] < before[7]);
  moon_optim_release(adam);
  moon_ctx_release(ctx);
}

/* Every byte divided by every scale equals a float division. */
static void widening(const mooni_kernels *k) {
  uint8_t bytes[256];
  float y[256];
  bool same = true;
  for (size_t i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
  for (float scale = 1; scale <= 255; scale++) {
    k->from_bytes(y, bytes, 256, scale);
    for (size_t i = 0; i < 256; i++) same = same && y[i] == (float)i / scale;
  }
  CHECK(same);
}

/* Column sums of any shape, stored and accumulated, against sums in double. */
static void column_sums(const mooni_kernels *k) {
  enum { MOST = 700, DEEP = 1000 };
  static float x[DEEP * (MOST + 3)], y[MOST];
  double worst = 0;
  for (size_t i = 0; i < MOONI_COUNT(x); i++) x[i] = 1 + (float)(i * 2654435761u % 1000) / 1000;
  for (size_t width = 1; width <= MOST; width += width < 20 ? 1 : 97)
    for (size_t rows = 1; rows <= DEEP; rows = rows * 2 + 1)
      for (int accumulate = 0; accumulate < 2; accumulate++) {
        for (size_t j = 0; j < width; j++) y[j] = 5;
        k->column_sums(y, x, rows, width, width + 3, accumulate);
        for (size_t j = 0; j < width; j++) {
          double sum = accumulate ? 5 : 0;
          for (size_t r = 0; r < rows; r++) sum += (double)x[r * (width + 3) + j];
          worst = fmax(worst, fabs((double)y[j] / sum - 1));
        }
      }
  CHECK(worst < 2e-6);
}

/* Every candidate within reach is found, at every position. A NaN bound excludes nothing. */
static void searches(const mooni_kernels *k) {
  enum { N = 100 };
  float product[N];
  double half[N], root[N], sum = 0;
  bool right = true;
  for (size_t n = 0; n <= N; n++)
    for (size_t near = 0; near <= n; near++) {
      for (size_t j = 0; j < N; j++) product[j] = j == near ? 1.5f : 1.f, half[j] = 1.25, root[j] = 0.5;
      mooni_reach r = {.offset = 0.5, .slope = 0.25, .half = half, .root = root}; /* 1.625 */
      right = right && k->next_near(product, &r, 0, n) == n;
      r.slope = 0.5; /* 1.5 */
      right = right && k->next_near(product, &r, 0, n) == near && k->next_near(product, &r, near, n) == near;
      if (near < n) half[near] = (double)NAN, product[near] = 0;
      right = right && k->next_near(product, &r, 0, n) == near;
    }
  CHECK(right);
  float x[N], y[N];
  for (size_t i = 0; i < N; i++) {
    x[i] = 1e7f + (float)i, y[i] = 1e7f - (float)(i % 7), sum += (double)((x[i] - y[i]) * (x[i] - y[i]));
    right = right && k->squared_distance(x, y, i + 1) == sum; /* exact, because all are whole numbers */
  }
  CHECK(right);
}

/* The eigenvalues of the matrix of second differences are 2 - 2 cos(pi i / (n + 1)). */
static void eigenvalues(const mooni_kernels *k) {
  enum { N = 150 };
  const size_t shape[] = {N, N};
  const double pi = 3.14159265358979323846;
  moon_ctx *ctx;
  moon_tensor *a, *values, *vectors;
  double worst = 0, skew = 0;
  moon_ctx_new(&ctx, NULL);
  ctx->k = k;
  moon_tensor_new(ctx, &a, MOON_FLOAT32, 2, shape);
  moon_tensor_new(ctx, &vectors, MOON_FLOAT32, 2, shape);
  moon_tensor_new(ctx, &values, MOON_FLOAT32, 1, shape);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) moon_tensor_set(a, i * N + j, i == j ? 2 : i + 1 == j || j + 1 == i ? -1 : 0);
  CHECK(moon_tensor_eigh(values, vectors, a) == MOON_OK);
  for (size_t i = 0; i < N; i++)
    worst = fmax(worst, fabs(moon_tensor_get(values, i) - (2 - 2 * cos(pi * (double)(i + 1) / (N + 1)))));
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      double dot = i == j ? -1 : 0;
      for (size_t l = 0; l < N; l++) dot += moon_tensor_get(vectors, i * N + l) * moon_tensor_get(vectors, j * N + l);
      skew = fmax(skew, fabs(dot));
    }
  CHECK(worst < 2.5e-7 && skew < 3e-7);
  moon_tensor_release(a);
  moon_tensor_release(vectors);
  moon_tensor_release(values);
  moon_ctx_release(ctx);
}

/* The kernels of all instruction sets agree up to rounding. */
static void all_of(const mooni_kernels *k) {
  functions_of(k);
  exp_and_log(k);
  logits(k);
  roots(k);
  widening(k);
  column_sums(k);
  searches(k);
  eigenvalues(k);
}

/* ---- random numbers ---- */

static void random_moments(void) {
  moon_ctx *ctx;
  moon_tensor *t;
  double mean, deviation, low, high;
  moon_ctx_new(&ctx, NULL);
  moon_tensor_new(ctx, &t, MOON_FLOAT32, 1, (size_t[]){1000003});
  CHECK(moon_tensor_normal(t, 1, 2) == MOON_OK);
  moon_tensor_reduce(&mean, "mean", t);
  moon_tensor_reduce(&deviation, "std", t);
  CHECK(fabs(mean - 1) < 0.01 && fabs(deviation - 2) < 0.01);
  CHECK(moon_tensor_uniform(t, -1, 3) == MOON_OK);
  moon_tensor_reduce(&mean, "mean", t);
  moon_tensor_reduce(&deviation, "std", t);
  moon_tensor_reduce(&low, "min", t);
  moon_tensor_reduce(&high, "max", t);
  CHECK(fabs(mean - 1) < 0.01 && fabs(deviation - 4 / sqrt(12)) < 0.01 && low >= -1 && low < -0.99 && high < 3 &&
        high > 2.99);
  moon_tensor_release(t);
  moon_ctx_release(ctx);
}

static bool same_weights(rig *a, rig *b) {
  bool same = true;
  for (size_t i = 0; i < moon_net_count(a->net); i++) {
    moon_parameter p, q;
    for (size_t j = 0; moon_layer_parameter(moon_net_layer(a->net, i), j, &p); j++) {
      moon_layer_parameter(moon_net_layer(b->net, i), j, &q);
      same = same && memcmp(moon_tensor_data(p.value), moon_tensor_data(q.value), moon_tensor_bytes(p.value)) == 0;
    }
  }
  return same;
}

static void same_seed_same_bits(void) {
  rig a = make_rig(&(moon_config){.seed = 7}), b = make_rig(&(moon_config){.seed = 7}),
      c = make_rig(&(moon_config){.seed = 8});
  CHECK(same_weights(&a, &b) && !same_weights(&a, &c));
  rig *both[] = {&a, &b};
  for (size_t i = 0; i < 2; i++) {
    moon_net_seed(both[i]->net, 3);
    moon_dataset_shuffle(both[i]->data, 5, 1);
    epoch(both[i], 32);
  }
  CHECK(same_weights(&a, &b));
  free_rig(&a);
  free_rig(&b);
  free_rig(&c);
}

/* ---- interrupt, floating-point mode ---- */

static void interrupt(void) {
  rig r = make_rig(NULL);
  moon_interrupt(r.ctx);
  CHECK(moon_net_step(r.net, NULL, r.x, NULL, r.loss, r.opt) == MOON_EINTERRUPT);
  CHECK(moon_optim_steps(r.opt) == 0);
  CHECK(moon_net_step(r.net, NULL, r.x, NULL, r.loss, r.opt) == MOON_OK);
  moon_interrupt(r.ctx);
  moon_clear_interrupt(r.ctx);
  CHECK(moon_net_step(r.net, NULL, r.x, NULL, r.loss, r.opt) == MOON_OK);
  free_rig(&r);
}

static void floating_point_mode_is_the_hosts(void) {
  rig r = make_rig(NULL);
  volatile float tiny = 1e-38f;
  epoch(&r, 32);
  CHECK(tiny / 16 > 0);
  free_rig(&r);
}

/* ---- statuses of misuse ---- */

static void misuse(void) {
  rig r = make_rig(NULL);
  moon_tensor *t, *other;
  moon_layer *layer;
  moon_optim *opt;
  CHECK(moon_tensor_new(r.ctx, &t, MOON_FLOAT32, 5, (size_t[]){1, 1, 1, 1, 1}) == MOON_ESHAPE);
  CHECK(moon_tensor_new(r.ctx, &t, MOON_FLOAT32, 2, (size_t[]){SIZE_MAX, 2}) == MOON_ESHAPE);
  CHECK(moon_tensor_new(r.ctx, &t, MOON_FLOAT32, 3, (size_t[]){SIZE_MAX, 0, 2}) == MOON_ESHAPE);
  CHECK(moon_tensor_new(r.ctx, &t, MOON_FLOAT32, 1, (size_t[]){(size_t)1 << 50}) == MOON_ENOMEM);
  CHECK(moon_tensor_new(r.ctx, &t, MOON_FLOAT32, 2, (size_t[]){3, WIDTH + 1}) == MOON_OK);
  CHECK(moon_tensor_view(&other, t, 60, 1, (size_t[]){4}) == MOON_ESHAPE);
  CHECK(moon_net_step(r.net, NULL, t, NULL, r.loss, r.opt) == MOON_ESHAPE);
  CHECK(strcmp(moon_error(r.ctx), "step: input is [3 x 21], expected [rows x 20]") == 0);
  CHECK(moon_net_backward(r.net, NULL, t) == MOON_ESTATE);
  CHECK(moon_net_step_rows(r.net, NULL, r.data, 90, 11, r.loss, r.opt) == MOON_ERANGE);
  CHECK(moon_layer_new(r.ctx, &layer, "convolution", NULL, 0) == MOON_ERANGE);
  CHECK(strstr(moon_error(r.ctx), "unknown layer 'convolution' (known: dense, ") != NULL);
  moon_option nan_lr = number("lr", NAN), typo = number("leraning_rate", 1);
  CHECK(moon_optim_new(r.ctx, &opt, "adam", &nan_lr, 1) == MOON_ERANGE);
  CHECK(strcmp(moon_error(r.ctx), "adam: lr is nan, expected a number of at least 0") == 0);
  CHECK(moon_optim_new(r.ctx, &opt, "adam", &typo, 1) == MOON_ERANGE);
  CHECK(
      strcmp(moon_error(r.ctx),
             "adam: unknown option 'leraning_rate' (known: lr, beta1, beta2, eps, weight_decay, clip_value, clip_norm, "
             "global_clip_norm)") == 0);
  moon_tensor_release(t);
  free_rig(&r);
}

/* Misuse that is possible only in C: the binding makes results of the right shape and checks dimensions. */
static void misuse_from_c(void) {
  rig r = make_rig(NULL);
  moon_tensor *t = NULL, *wrong = NULL, *bytes = NULL;
  moon_loss *loss = NULL;
  moon_option size = number("size", 1);
  double value;
  CHECK(moon_tensor_new(r.ctx, &t, MOON_FLOAT32, 3, (size_t[]){2, 3, 4}) == MOON_OK);
  CHECK(moon_tensor_new(r.ctx, &wrong, MOON_FLOAT32, 2, (size_t[]){2, 3}) == MOON_OK);
  CHECK(moon_tensor_new(r.ctx, &bytes, MOON_UINT8, 2, (size_t[]){2, 3}) == MOON_OK);
  CHECK(moon_loss_new(r.ctx, &loss, "mse", &size, 1) == MOON_ERANGE && !loss);
  CHECK(strcmp(moon_error(r.ctx), "mse: unknown option 'size' (known: reduction)") == 0);
  CHECK(moon_loss_apply(r.loss, &value, t, wrong, wrong) == MOON_ESHAPE);
  CHECK(moon_loss_apply(r.loss, &value, bytes, wrong, wrong) == MOON_ESHAPE);
  CHECK(moon_tensor_transpose(wrong, t) == MOON_ESHAPE);
  CHECK(strcmp(moon_error(r.ctx), "transpose: [2 x 3 x 4] is not a matrix") == 0);
  CHECK(moon_tensor_cat(wrong, (const moon_tensor *[]){t}, 0, 0) == MOON_ESHAPE);
  CHECK(moon_tensor_cat(wrong, (const moon_tensor *[]){t}, 1, 3) == MOON_ERANGE);
  CHECK(strcmp(moon_error(r.ctx), "cat: dimension 3 does not exist in [2 x 3 x 4]") == 0);
  CHECK(moon_tensor_columns(wrong, wrong, (const size_t[]){0, 3, 1}, 3) == MOON_ESHAPE);
  CHECK(strcmp(moon_error(r.ctx), "columns: the result overlaps an operand; clone that first") == 0);
  CHECK(moon_tensor_columns(wrong, t, NULL, 0) == MOON_ESHAPE);
  CHECK(strcmp(moon_error(r.ctx), "columns: [2 x 3 x 4] is not a matrix") == 0);
  CHECK(moon_tensor_columns(bytes, r.x, (const size_t[]){0, 1, 2}, 3) == MOON_ETYPE);
  CHECK(moon_tensor_split(&wrong, 1, t, 3) == MOON_ERANGE);
  CHECK(strcmp(moon_error(r.ctx), "split: dimension 3 does not exist in [2 x 3 x 4]") == 0);
  CHECK(moon_tensor_split(&wrong, 1, bytes, 0) == MOON_ETYPE);
  CHECK(moon_tensor_split(NULL, 0, bytes, 1) == MOON_ESHAPE);
  CHECK(strcmp(moon_error(r.ctx), "split: the parts have 0 in dimension 2 together, expected 3 as [2 x 3]") == 0);
  CHECK(moon_tensor_where(bytes, wrong, wrong, wrong) == MOON_ETYPE);
  CHECK(moon_tensor_where(wrong, t, wrong, wrong) == MOON_ESHAPE);
  CHECK(moon_tensor_reduce_dim(wrong, "sum", t, 3) == MOON_ERANGE);
  CHECK(strcmp(moon_error(r.ctx), "sum: dimension 3 does not exist in a tensor of rank 3") == 0);
  CHECK(moon_tensor_topk(t, t, t, 1, -1, true) == MOON_ERANGE);
  CHECK(moon_tensor_unary(wrong, "expo", wrong, 0, 0) == MOON_ERANGE);
  CHECK(strstr(moon_error(r.ctx), "unknown function 'expo'; did you mean 'exp'? (known: ") != NULL);
  CHECK(strstr(moon_error(r.ctx), "relu") != NULL);
  CHECK(moon_tensor_binary(wrong, "plus", wrong, wrong, 1) == MOON_ERANGE);
  CHECK(strstr(moon_error(r.ctx), "unknown function 'plus' (known: add, ") != NULL);
  CHECK(moon_tensor_reduce(&value, "average", wrong) == MOON_ERANGE);
  CHECK(strstr(moon_error(r.ctx), "unknown reduction 'average' (known: ") != NULL);
  CHECK(moon_dataset_batch(r.data, t, NULL, 0, 2) == MOON_ESHAPE);
  CHECK(moon_dataset_batch(r.data, wrong, NULL, 99, 2) == MOON_ERANGE);
  CHECK(moon_loss_ctx(r.loss) == r.ctx && moon_optim_ctx(r.opt) == r.ctx);
  moon_loss_release(moon_loss_retain(r.loss));
  moon_optim_release(moon_optim_retain(r.opt));
  moon_dataset_release(moon_dataset_retain(r.data));
  moon_tensor_release(t);
  moon_tensor_release(wrong);
  moon_tensor_release(bytes);
  free_rig(&r);
}

/* "did you mean" accepts one edit in a short name, a third of the letters in a long one, other case, and prefixes. */
static void near_names(void) {
  const struct {
    const char *name, *known;
    size_t distance;
  } cases[] = {
      {"relu", "relu", 0},
      {"ReLU", "relu", 0},
      {"rleu", "relu", 1},
      {"wieght", "weight", 1},
      {"ephocs", "epochs", 2},
      {"optimiser", "optimizer", 1},
      {"fti", "fit", 1},
      {"lx", "lr", 1},
      {"x", "y", SIZE_MAX},
      {"", "x", SIZE_MAX},
      {"", "", SIZE_MAX},
      {"mena", "std", SIZE_MAX},
      {"leraning_rate", "lr", SIZE_MAX},
      {"learning_rate", "lr", 0},
      {"LearningRate", "lr", 0},
      {"learning_rate", "eps", SIZE_MAX},
      {"swish", "silu", 0},
      {"silu", "swish", SIZE_MAX},
      {"restore_best_weights", "restore_best", 0},
      {"CrossEntropyLoss", "cross_entropy", 0},
      {"he-uniform", "he_uniform", 0},
      {"_", "x", SIZE_MAX},
      {"binary_crossentropi", "binary_crossentropy", 1},
      {"va", "validation", SIZE_MAX},
      {"validation", "val", SIZE_MAX},
      {"a_name_that_is_longer_than_any_name_that_there_isx", "a_name_that_is_longer_than_any_name_that_there_is",
       SIZE_MAX},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    CHECK(moon_name_distance(cases[i].name, cases[i].known) == cases[i].distance);
  CHECK(strcmp(moon_version(), MOON_VERSION) == 0);
  size_t begins = moon_name_distance("batch", "batch_size");
  CHECK(begins != SIZE_MAX && begins > moon_name_distance("bacth_zise", "batch_size"));
}

/* ---- queries of objects ---- */

static void getters(void) {
  rig r = make_rig(NULL);
  moon_option value, delta = number("delta", 0.5);
  moon_loss *loss = NULL;
  moon_tensor *bytes = NULL;
  CHECK(moon_dataset_rows(r.data) == ROWS);
  CHECK(moon_net_ctx(r.net) == r.ctx && moon_layer_ctx(moon_net_layer(r.net, 1)) == r.ctx);
  CHECK(strcmp(moon_loss_kind(r.loss), "bce") == 0 && moon_loss_ctx(r.loss) == r.ctx);
  CHECK(moon_loss_get(r.loss, "reduction", &value) == MOON_OK && value.kind == MOON_TEXT);
  CHECK(strcmp(value.text, "mean") == 0);
  CHECK(moon_loss_new(r.ctx, &loss, "huber", &delta, 1) == MOON_OK);
  CHECK(moon_loss_get(loss, "delta", &value) == MOON_OK && value.kind == MOON_NUMBER && value.number == 0.5);
  CHECK(moon_loss_get(loss, "dleta", &value) == MOON_ERANGE);
  CHECK(strcmp(moon_error(r.ctx), "huber: unknown option 'dleta'; did you mean 'delta'? (known: reduction, delta)") ==
        0);
  CHECK(moon_tensor_new(r.ctx, &bytes, MOON_UINT8, 1, (size_t[]){3}) == MOON_OK);
  moon_tensor_set(bytes, 1, 7);
  CHECK(moon_tensor_byte(bytes) == moon_tensor_data(bytes) && moon_tensor_byte(bytes)[1] == 7);
  CHECK(!moon_tensor_float(bytes) && !moon_tensor_byte(r.x) && moon_tensor_float(r.x) == moon_tensor_data(r.x));
  moon_tensor_release(bytes);
  moon_loss_release(loss);
  free_rig(&r);
}

/* ---- queries of options ---- */

/* Find an option of a registered name: its type and the values that it takes. */
static bool find_option(const moon_ctx *ctx, moon_family family, const char *name, const char *option,
                        moon_option_info *info, moon_option_values *values) {
  values->size = sizeof *values;
  for (size_t i = 0; moon_option_describe(ctx, family, name, i, info); i++)
    if (strcmp(info->name, option) == 0) return moon_option_allows(ctx, family, name, i, values);
  return false;
}

/* At and beyond a bound, exactly the values that the bound allows are accepted. */
static void check_bound(moon_ctx *ctx, const char *option, double bound, double beyond, bool open) {
  const char *act = strcmp(option, "alpha") == 0            ? "elu"
                    : strcmp(option, "negative_slope") == 0 ? "leaky_relu"
                                                            : "sigmoid";
  moon_option options[] = {number("in", 2), number("out", 2), number(option, bound), text("activation", act)};
  moon_layer *layer = NULL;
  if (strcmp(option, "in") == 0 || strcmp(option, "out") == 0 || isinf(bound)) return;
  CHECK((moon_layer_new(ctx, &layer, "dense", options, 4) == MOON_OK) == !open);
  moon_layer_release(layer);
  layer = NULL;
  options[2].number = beyond;
  CHECK(moon_layer_new(ctx, &layer, "dense", options, 4) == MOON_ERANGE && !layer);
}

static void options_say_what_they_take(void) {
  moon_ctx *ctx = NULL;
  moon_option_info info;
  moon_option_values v = {.size = sizeof v};
  CHECK(moon_ctx_new(&ctx, NULL) == MOON_OK);
  CHECK(find_option(ctx, MOON_LAYERS, "dense", "in", &info, &v) && v.low == 1 && v.high == 1e9 && !v.open_low);
  CHECK(v.family == -1 && !v.choices && !v.settable);
  CHECK(find_option(ctx, MOON_LAYERS, "dense", "activity_l1", &info, &v) && v.low == 0 && v.high == INFINITY);
  CHECK(find_option(ctx, MOON_LAYERS, "dense", "activation", &info, &v) && v.family == MOON_ACTIVATIONS);
  CHECK(!v.choices && v.low == -INFINITY && v.high == INFINITY);
  CHECK(find_option(ctx, MOON_LAYERS, "dense", "init", &info, &v) && v.family == MOON_INITS);
  CHECK(find_option(ctx, MOON_LAYERS, "activation", "activation", &info, &v) && v.family == MOON_ACTIVATIONS);
  CHECK(find_option(ctx, MOON_LOSSES, "mse", "reduction", &info, &v) && v.family == -1 && v.choices);
  CHECK(strcmp(v.choices[0], "mean") == 0 && strcmp(v.choices[2], "sum") == 0 && !v.choices[3]);
  CHECK(find_option(ctx, MOON_OPTIMS, "adam", "beta1", &info, &v) && v.settable && !v.open_low && v.open_high);
  CHECK(find_option(ctx, MOON_OPTIMS, "sgd", "momentum", &info, &v) && !v.settable);
  for (size_t i = 0; moon_option_describe(ctx, MOON_LAYERS, "dense", i, &info); i++) {
    CHECK(moon_option_allows(ctx, MOON_LAYERS, "dense", i, &v));
    check_bound(ctx, info.name, v.low, v.low - 1, v.open_low);
    check_bound(ctx, info.name, v.high, v.high + 1, v.open_high);
  }
  CHECK(!moon_option_allows(ctx, MOON_LAYERS, "dense", 99, &v) && !moon_option_allows(ctx, MOON_LAYERS, "no", 0, &v));
  moon_option_values earlier = {.size = offsetof(moon_option_values, high), .high = -7, .family = -7};
  CHECK(moon_option_allows(ctx, MOON_LAYERS, "dense", 0, &earlier) && earlier.low == 1);
  CHECK(earlier.size == offsetof(moon_option_values, high) && earlier.high == -7 && earlier.family == -7);
  moon_ctx_release(ctx);
}

int main(void) {
  step_allocates_nothing();
  accounting();
  out_of_memory();
  products();
  each_instruction_set(all_of);
  random_moments();
  same_seed_same_bits();
  interrupt();
  floating_point_mode_is_the_hosts();
  misuse();
  misuse_from_c();
  near_names();
  getters();
  options_say_what_they_take();
  return check_report();
}
