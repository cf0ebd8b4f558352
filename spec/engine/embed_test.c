/* embed_test.c - what a host program may rely on, with moonglass.h only: several contexts at once, shared weights,
** fork, interrupts, out of memory at any point, the host's buffers, closed descriptors, no output, the environment. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "rig.h"

/* ---- several contexts at once ---- */

typedef struct trainer {
  pthread_t thread;
  bool good;
  size_t count;
  float weights[MAX_WEIGHTS];
} trainer;

static void *train(void *arg) {
  enum { STEPS = 1000, BATCH = 16 };
  trainer *t = arg;
  rig r = {0};
  t->good = moon_ctx_new(&r.ctx, &(moon_config){.seed = 11}) == MOON_OK;
  for (size_t i = 0; t->good && i < MADE; i++) t->good = stages[i](&r) == MOON_OK;
  for (size_t s = 0; t->good && s < STEPS; s++) {
    if (s * BATCH % ROWS == 0) moon_dataset_shuffle(r.data, 5, s);
    t->good = moon_net_step_rows(r.net, NULL, r.data, s * BATCH % ROWS, BATCH, r.loss, r.opt) == MOON_OK;
  }
  if (t->good) t->count = weights_of(t->weights, r.net);
  free_rig(&r);
  return NULL;
}

static void contexts_in_threads(void) {
  static trainer serial, many[THREADS];
  train(&serial);
  CHECK(serial.good && serial.count > 1000);
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&many[i].thread, NULL, train, &many[i]) == 0);
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(pthread_join(many[i].thread, NULL) == 0);
    CHECK(many[i].good && many[i].count == serial.count);
    CHECK(memcmp(many[i].weights, serial.weights, serial.count * sizeof(float)) == 0);
  }
}

/* ---- one net, served by several contexts ---- */

typedef struct server {
  pthread_t thread;
  const moon_net *source; /* made by the main thread; the server shares it again into its context */
  const rig *expected;
  bool good;
} server;

/* Predict row by row and all rows at once. Both equal the original's results. */
static bool serve(moon_ctx *ctx, moon_net *net, const rig *expected) {
  rig r = {.ctx = moon_ctx_retain(ctx), .net = moon_net_retain(net)};
  bool good = make_output(&r) == MOON_OK && make_code(&r) == MOON_OK && make_decoded(&r) == MOON_OK &&
              make_errors(&r) == MOON_OK;
  good = good && moon_tensor_wrap(ctx, &r.x, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH}, moon_tensor_data(expected->x),
                                  NULL, NULL) == MOON_OK;
  for (size_t i = 0; good && i < ROWS; i++) {
    moon_tensor *x, *y;
    good = moon_tensor_view(&x, r.x, i * WIDTH, 2, (size_t[]){1, WIDTH}) == MOON_OK;
    if (!good || !(good = moon_tensor_view(&y, r.y, i * WIDTH, 2, (size_t[]){1, WIDTH}) == MOON_OK)) break;
    good = moon_net_predict(net, y, x, 0) == MOON_OK;
    moon_tensor_release(x);
    moon_tensor_release(y);
  }
  good = good && same_bits(r.y, expected->y); /* the original predicted row by row too */
  good = good && encode(&r) == MOON_OK && same_bits(r.code, expected->code);
  good = good && decode(&r) == MOON_OK && same_bits(r.decoded, expected->decoded);
  good = good && errors(&r) == MOON_OK && same_bits(r.errors, expected->errors);
  free_rig(&r);
  return good;
}

static void *serve_in_thread(void *arg) {
  server *s = arg;
  moon_ctx *ctx = NULL;
  moon_net *net = NULL;
  s->good = moon_ctx_new(&ctx, NULL) == MOON_OK && moon_net_share(s->source, ctx, &net) == MOON_OK;
  for (size_t i = 0; s->good && i < 20; i++) s->good = serve(ctx, net, s->expected);
  moon_net_release(net);
  moon_ctx_release(ctx);
  return NULL;
}

static void expect(rig *r) {
  CHECK(moon_net_predict(r->net, r->y, r->x, 1) == MOON_OK);
  CHECK(encode(r) == MOON_OK && decode(r) == MOON_OK && errors(r) == MOON_OK);
}

/* Eight servers share one net and give its numbers, while the main thread trains the original, then releases it. */
static void servers(void) {
  static server all[THREADS];
  rig r = make_rig(&(moon_config){.seed = 4});
  moon_net *first;
  for (size_t i = 0; i < 50; i++) CHECK(step(&r) == MOON_OK);
  expect(&r);
  CHECK(moon_net_share(r.net, r.ctx, &first) == MOON_OK);
  for (size_t i = 0; i < THREADS; i++) {
    all[i] = (server){.source = first, .expected = &r};
    CHECK(pthread_create(&all[i].thread, NULL, serve_in_thread, &all[i]) == 0);
  }
  for (size_t i = 0; i < 50; i++) CHECK(step(&r) == MOON_OK);
  CHECK(!same_weights(r.net, first));
  moon_net_release(r.net);
  r.net = NULL;
  CHECK(serve(r.ctx, first, &r));
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(pthread_join(all[i].thread, NULL) == 0);
    CHECK(all[i].good);
  }
  moon_net_release(first);
  free_rig(&r);
}

/* The context of a net and all its other shares are gone. Another thread releases the last share. */
typedef struct heir {
  moon_ctx *ctx;
  moon_net *net;
  bool good;
} heir;

static void *inherit(void *arg) {
  heir *h = arg;
  moon_parameter p;
  h->good = moon_layer_parameter(moon_net_layer(h->net, 1), 0, &p) && moon_tensor_get(p.value, 0) == 0.5;
  moon_net_release(h->net);
  moon_ctx_release(h->ctx);
  return NULL;
}

static void last_one_frees(void) {
  static heir heirs[THREADS];
  pthread_t threads[THREADS];
  moon_parameter p;
  rig r = make_rig(NULL);
  CHECK(moon_layer_parameter(r.layers[1], 0, &p));
  moon_tensor_fill(p.value, 0.5);
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(moon_ctx_new(&heirs[i].ctx, NULL) == MOON_OK);
    CHECK(moon_net_share(i ? heirs[i - 1].net : r.net, heirs[i].ctx, &heirs[i].net) == MOON_OK);
  }
  free_rig(&r);
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, inherit, &heirs[i]) == 0);
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0 && heirs[i].good);
}

static const float *weight(const moon_net *net, size_t layer) {
  moon_parameter p;
  return moon_layer_parameter(moon_net_layer(net, layer), 0, &p) ? moon_tensor_float(p.value) : NULL;
}

/* All shares use one copy until the weights change. Tied weights stay tied. A share takes almost no memory. */
static void one_copy(void) {
  rig r = make_rig(NULL);
  moon_ctx *ctx;
  moon_net *shares[4], *half;
  CHECK(moon_ctx_new(&ctx, NULL) == MOON_OK);
  for (size_t i = 0; i < 3; i++)
    CHECK(moon_net_share(i == 2 ? shares[1] : r.net, ctx, &shares[i]) == MOON_OK && same_weights(shares[i], r.net));
  CHECK(weight(shares[0], 1) == weight(shares[1], 1) && weight(shares[0], 4) == weight(shares[2], 4));
  CHECK(weight(shares[0], 1) != weight(r.net, 1) && weight(shares[0], 2) == weight(shares[0], 3));
  CHECK(step(&r) == MOON_OK);
  CHECK(moon_net_share(r.net, ctx, &shares[3]) == MOON_OK);
  CHECK(weight(shares[3], 1) != weight(shares[0], 1) && same_weights(shares[3], r.net));
  CHECK(!same_weights(shares[0], r.net) && moon_net_encoder(shares[3]) == 3 && moon_net_code(shares[3]) == CODE);
  /* the decoder: its first layer is tied to a layer outside */
  CHECK(moon_net_slice(r.net, &half, 3, 2) == MOON_OK);
  moon_net_release(shares[0]);
  CHECK(moon_net_share(half, ctx, &shares[0]) == MOON_OK);
  CHECK(weight(shares[0], 0) == weight(shares[3], 3) && moon_net_inputs(shares[0]) == CODE);
  moon_net_release(half);
  for (size_t i = 0; i < 4; i++) moon_net_release(shares[i]);

  moon_layer *large;
  moon_net *net;
  CHECK(make_dense(r.ctx, &large, 500, 500, "relu", NULL) == MOON_OK);
  CHECK(moon_net_new(r.ctx, &net, &large, 1) == MOON_OK);
  size_t used = moon_memory_used(ctx);
  CHECK(moon_net_share(net, ctx, &half) == MOON_OK && moon_memory_used(ctx) - used < 10000);
  moon_net_release(half);
  CHECK(moon_memory_used(ctx) == used);
  moon_layer_release(large);
  moon_net_release(net);
  moon_ctx_release(ctx);
  free_rig(&r);
}

/* No call writes into shared weights. */
static void frozen_tensors_are_read_only(void) {
  rig r = make_rig(NULL);
  moon_tensor *t, *row, *other;
  float data[6] = {1, 2, 3, 4, 5, 6};
  CHECK(moon_tensor_wrap(r.ctx, &t, MOON_FLOAT32, 2, (size_t[]){2, 3}, data, NULL, NULL) == MOON_OK);
  CHECK(moon_tensor_view(&row, t, 3, 1, (size_t[]){3}) == MOON_OK && !moon_tensor_frozen(row));
  CHECK(moon_tensor_new(r.ctx, &other, MOON_FLOAT32, 2, (size_t[]){2, 3}) == MOON_OK);
  moon_tensor_freeze(t);
  CHECK(moon_tensor_frozen(t) && moon_tensor_frozen(row) && !moon_tensor_frozen(other));
  moon_tensor_set(row, 0, 9);
  moon_tensor_fill(t, 9);
  CHECK(moon_tensor_copy(t, other) == MOON_ESTATE && moon_tensor_uniform(row, 0, 1) == MOON_ESTATE);
  CHECK(strcmp(moon_error(r.ctx), "uniform: the result is a tensor that its host has made read-only "
                                  "(moon_tensor_freeze)") == 0);
  CHECK(moon_tensor_copy(other, t) == MOON_OK && moon_tensor_get(other, 5) == 6 && data[0] == 1 && data[3] == 4);
  moon_tensor_release(row);
  moon_tensor_release(t);
  moon_tensor_release(other);
  free_rig(&r);
}

static void shares_are_read_only(void) {
  rig r = make_rig(NULL), other = make_rig(NULL);
  moon_net *net;
  moon_parameter p;
  moon_tensor *row, *square;
  CHECK(moon_net_share(r.net, other.ctx, &net) == MOON_OK);
  moon_net_release(other.net);
  other.net = net;
  CHECK(step(&other) == MOON_ESTATE && step_rows(&other) == MOON_ESTATE && backward(&other) == MOON_ESTATE);
  CHECK(step(&other) == MOON_ESTATE &&
        strcmp(moon_error(other.ctx), "step: the net shares its weights with other contexts (moon_net_share) and cannot"
                                      " be trained") == 0);
  CHECK(moon_net_plan(net, 8, 0, other.loss, other.opt) == MOON_ESTATE && moon_optim_steps(other.opt) == 0);
  CHECK(moon_net_plan(net, 8, 0, NULL, NULL) == MOON_OK && evaluate(&other) == MOON_OK);
  CHECK(moon_layer_parameter(moon_net_layer(net, 1), 0, &p) && moon_tensor_frozen(p.value));
  CHECK(moon_tensor_frozen(p.grad) && !moon_tensor_frozen(other.x));
  CHECK(moon_optim_step(other.opt, &p.value, &p.value, 1) == MOON_ESTATE && moon_optim_steps(other.opt) == 0);
  moon_tensor_set(p.value, 0, 7);
  moon_tensor_fill(p.value, 7);
  CHECK(moon_tensor_view(&row, p.value, 0, 2, (size_t[]){24, WIDTH}) == MOON_OK && moon_tensor_frozen(row));
  CHECK(moon_tensor_new(other.ctx, &square, MOON_FLOAT32, 2, (size_t[]){WIDTH, 24}) == MOON_OK);
  CHECK(moon_tensor_copy(p.value, square) == MOON_ESTATE && moon_tensor_uniform(row, 0, 1) == MOON_ESTATE);
  CHECK(moon_tensor_normal(row, 0, 1) == MOON_ESTATE &&
        moon_tensor_unary(p.value, "neg", p.value, 0, 0) == MOON_ESTATE);
  CHECK(moon_tensor_binary(p.value, "add", square, square, 1) == MOON_ESTATE);
  CHECK(moon_tensor_transpose(row, square) == MOON_ESTATE && moon_tensor_copy(square, p.value) == MOON_OK);
  CHECK(strstr(moon_error(other.ctx), "transpose: the result is a parameter that other contexts share") != NULL);
  CHECK(same_weights(net, r.net));
  moon_tensor_release(row);
  moon_tensor_release(square);
  free_rig(&r);
  free_rig(&other);
}

/* ---- the host's buffers ---- */

/* Results go into the host's buffers, and nothing of the size of its rows is allocated. */
static void buffers_of_the_host(void) {
  enum { MANY = 20000 };
  static float x[MANY * WIDTH], y[MANY * WIDTH], code[MANY * CODE], back[MANY * WIDTH], error[MANY];
  moon_tensor *tx, *ty, *tc, *tb, *te;
  rig r = make_rig(NULL);
  for (size_t i = 0; i < MANY * WIDTH; i++) x[i] = (float)(i * 7 % 64) / 64;
  size_t used = moon_memory_used(r.ctx);
  CHECK(moon_tensor_wrap(r.ctx, &tx, MOON_FLOAT32, 2, (size_t[]){MANY, WIDTH}, x, NULL, NULL) == MOON_OK);
  CHECK(moon_tensor_wrap(r.ctx, &ty, MOON_FLOAT32, 2, (size_t[]){MANY, WIDTH}, y, NULL, NULL) == MOON_OK);
  CHECK(moon_tensor_wrap(r.ctx, &tc, MOON_FLOAT32, 2, (size_t[]){MANY, CODE}, code, NULL, NULL) == MOON_OK);
  CHECK(moon_tensor_wrap(r.ctx, &tb, MOON_FLOAT32, 2, (size_t[]){MANY, WIDTH}, back, NULL, NULL) == MOON_OK);
  CHECK(moon_tensor_wrap(r.ctx, &te, MOON_FLOAT32, 1, (size_t[]){MANY}, error, NULL, NULL) == MOON_OK);
  CHECK(moon_net_predict(r.net, ty, tx, 8) == MOON_OK && moon_net_encode(r.net, tc, tx, 8) == MOON_OK);
  CHECK(moon_net_decode(r.net, tb, tc, 8) == MOON_OK && moon_net_errors(r.net, te, tx, 8) == MOON_OK);
  CHECK(moon_memory_peak(r.ctx) - used < sizeof x / 20);
  CHECK(memcmp(y, back, sizeof y) == 0);
  for (size_t i = 0; i < MANY; i += 999) {
    double sum = 0;
    for (size_t j = 0; j < WIDTH; j++) sum += pow((double)y[i * WIDTH + j] - (double)x[i * WIDTH + j], 2);
    CHECK(fabs(sum / WIDTH - (double)error[i]) < 1e-6 && error[i] > 0);
  }
  CHECK(moon_net_encode(r.net, ty, tx, 0) == MOON_ESHAPE);
  CHECK(strcmp(moon_error(r.ctx), "encode: output is [20000 x 40], expected [20000 x 6] float32") == 0);
  CHECK(moon_net_set_encoder(r.net, 2) == MOON_OK && moon_net_code(r.net) == 24);
  CHECK(moon_net_encode(r.net, tc, tx, 0) == MOON_ESHAPE);
  CHECK(moon_net_set_encoder(r.net, 0) == MOON_OK && moon_net_code(r.net) == 0);
  CHECK(moon_net_decode(r.net, tb, tc, 0) == MOON_ESTATE);
  CHECK(strcmp(moon_error(r.ctx), "decode: the net is not an autoencoder (moon_net_set_encoder)") == 0);
  moon_tensor *all[] = {tx, ty, tc, tb, te};
  for (size_t i = 0; i < COUNT(all); i++) moon_tensor_release(all[i]);
  free_rig(&r);
}

/* ---- memory ---- */

static void number_of_threads(void) {
  moon_ctx *ctx = NULL;
  CHECK(moon_ctx_new(&ctx, &(moon_config){.threads = 257}) == MOON_ERANGE && !ctx);
  CHECK(moon_ctx_new(&ctx, &(moon_config){.threads = -1}) == MOON_ERANGE && !ctx);
  CHECK(moon_ctx_new(&ctx, &(moon_config){.threads = 256}) == MOON_OK && moon_threads(ctx) == 256);
  moon_ctx_release(ctx);
}

/* Wherever memory runs out, nothing has changed: the next try gives the bits of an undisturbed run. */
static void out_of_memory(void) {
#ifdef __SANITIZE_THREAD__
  enum { GRAIN = 1600 }; /* it takes milliseconds for each of the large blocks that are tried */
#else
  enum { GRAIN = 160 };
#endif
  rig free_run = {0};
  size_t refused = 1, limits = 0;
  CHECK(moon_ctx_new(&free_run.ctx, &(moon_config){.seed = 2}) == MOON_OK);
  CHECK(run_limited(&free_run, 0, &refused) && !refused);
  refused = 1;
  for (size_t limit = GRAIN; refused; limit += GRAIN, limits++) {
    rig r = {0};
    moon_ctx_new(&r.ctx, &(moon_config){.seed = 2});
    bool good = run_limited(&r, limit, &refused);
    if (!good) fprintf(stderr, "with %zu bytes: %s\n", limit, moon_error(r.ctx));
    CHECK(good);
    CHECK(good && same_weights(r.net, free_run.net) && same_bits(r.decoded, free_run.decoded));
    CHECK(good && same_bits(r.errors, free_run.errors) && same_bits(r.code, free_run.code));
    CHECK(good && memcmp(r.objective, free_run.objective, sizeof r.objective) == 0);
    CHECK(good && memcmp(&r.evaluated, &free_run.evaluated, sizeof r.evaluated) == 0);
    free_rig(&r);
    if (!good) break;
  }
  CHECK(limits * GRAIN > 32000);
  free_rig(&free_run);
}

static size_t resident(void) {
  unsigned long long size = 0, pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%llu %llu", &size, &pages) != 2) pages = 0;
  if (f) fclose(f);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A context from start to end, with enough rows for the worker pool. */
static bool live(int threads) {
  rig r = {0};
  moon_tensor *x = NULL;
  bool good = moon_ctx_new(&r.ctx, &(moon_config){.threads = threads}) == MOON_OK;
  for (size_t i = 0; good && i < MADE; i++) good = stages[i](&r) == MOON_OK;
  good = good && moon_tensor_new(r.ctx, &x, MOON_FLOAT32, 2, (size_t[]){threads > 1 ? 600 : 32, WIDTH}) == MOON_OK;
  good = good && moon_net_step(r.net, NULL, x, NULL, r.loss, r.opt) == MOON_OK;
  good = good && share(&r) == MOON_OK && encode(&r) == MOON_OK && use_share(&r) == MOON_OK;
  moon_tensor_release(x);
  free_rig(&r);
  return good;
}

/* Sanitizers are slow and keep freed memory. With them this test looks for leaks and races only. */
static void a_thousand_lives(void) {
  enum { LIVES = SANITIZED ? 50 : 1000, SETTLED = LIVES * 3 / 10, SLACK = 256 << 10 };
  size_t before = 0;
  bool good = true;
  for (int i = 0; i < LIVES; i++) {
    if (i == SETTLED) before = resident();
    good = good && live(i % 5 ? 1 : 2);
  }
  size_t after = resident();
  CHECK(good && before > 0);
  if (!SANITIZED && after > before + SLACK) fprintf(stderr, "resident: %zu bytes, then %zu\n", before, after);
  CHECK(SANITIZED || after <= before + SLACK);
}

/* ---- fork ---- */

static void forks(void) {
  rig r = make_rig(&(moon_config){.threads = 2});
  moon_tensor *x;
  size_t good = 0;
  CHECK(moon_tensor_new(r.ctx, &x, MOON_FLOAT32, 2, (size_t[]){600, WIDTH}) == MOON_OK);
  CHECK(moon_net_step(r.net, NULL, x, NULL, r.loss, r.opt) == MOON_OK);
  for (size_t i = 0; i < 100 && good == i; i++) {
    pid_t child = fork();
    int status = -1;
    if (child == 0) {
      alarm(20);
      bool trained = moon_net_step(r.net, NULL, x, NULL, r.loss, r.opt) == MOON_OK;
      trained = moon_net_step(r.net, NULL, x, NULL, r.loss, r.opt) == MOON_OK && trained;
      moon_tensor_release(x);
      free_rig(&r);
      _exit(!(trained && live(2)));
    }
    bool trained = moon_net_step(r.net, NULL, x, NULL, r.loss, r.opt) == MOON_OK;
    good += waitpid(child, &status, 0) == child && status == 0 && trained;
  }
  CHECK(good == 100);
  moon_tensor_release(x);
  free_rig(&r);
}

/* ---- interrupts ---- */

static moon_ctx *to_interrupt; /* set before the handler is installed */

static void on_alarm(int signal) {
  (void)signal;
  moon_interrupt(to_interrupt);
}

static void *interrupt_soon(void *ctx) {
  usleep(5000);
  moon_interrupt(ctx);
  return NULL;
}

static void alarm_soon(void) { setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {.tv_usec = 5000}}, NULL); }

/* A long call, one row at a time, that is interrupted. True if it stopped in the middle. */
static bool broken_off(rig *r, moon_tensor *y, const moon_tensor *x, bool by_signal) {
  pthread_t thread;
  size_t last = moon_tensor_numel(y) - 1;
  moon_tensor_fill(y, -1);
  moon_clear_interrupt(r->ctx);
  if (by_signal)
    alarm_soon();
  else if (pthread_create(&thread, NULL, interrupt_soon, r->ctx) != 0)
    return false;
  moon_status status = moon_net_predict(r->net, y, x, 1);
  if (!by_signal) pthread_join(thread, NULL);
  return status == MOON_EINTERRUPT && moon_tensor_get(y, 0) >= 0 && moon_tensor_get(y, last) == -1;
}

static void interrupts_in_a_call(void) {
  enum { MANY = 150000, TRIES = 10 };
  rig r = make_rig(NULL);
  moon_tensor *x, *y;
  CHECK(moon_tensor_new(r.ctx, &x, MOON_FLOAT32, 2, (size_t[]){MANY, WIDTH}) == MOON_OK);
  CHECK(moon_tensor_new(r.ctx, &y, MOON_FLOAT32, 2, (size_t[]){MANY, WIDTH}) == MOON_OK);
  to_interrupt = r.ctx;
  signal(SIGALRM, on_alarm);
  for (int by_signal = 0; by_signal < 2; by_signal++) {
    bool broken = false;
    for (int i = 0; i < TRIES && !broken; i++) broken = broken_off(&r, y, x, by_signal);
    CHECK(broken);
  }
  moon_tensor_release(x);
  moon_tensor_release(y);
  free_rig(&r);
}

/* A signal ends a training: the net is as after the last whole step. */
static void interrupted_training(void) {
  rig r = make_rig(&(moon_config){.seed = 8}), again = make_rig(&(moon_config){.seed = 8});
  size_t steps = 0;
  moon_status status;
  to_interrupt = r.ctx;
  signal(SIGALRM, on_alarm);
  alarm_soon();
  while ((status = step(&r)) == MOON_OK) steps++;
  signal(SIGALRM, SIG_DFL);
  CHECK(status == MOON_EINTERRUPT && strcmp(moon_status_name(status), "interrupted") == 0);
  CHECK(moon_optim_steps(r.opt) == steps);
  for (size_t i = 0; i < steps; i++) CHECK(step(&again) == MOON_OK);
  CHECK(same_weights(r.net, again.net));
  CHECK(step(&r) == MOON_OK && step(&again) == MOON_OK && same_weights(r.net, again.net));
  free_rig(&r);
  free_rig(&again);
}

/* ---- separate processes: this program with an argument ---- */

/* Write the numbers of a run to a file. */
static moon_status save_numbers(const rig *r, moon_tensor *made, const char *path) {
  moon_archive *archive;
  moon_parameter p;
  moon_status status = moon_archive_new(r->ctx, &archive);
  if (status != MOON_OK) return status;
  moon_layer_parameter(r->layers[1], 0, &p);
  status = moon_archive_add(archive, "weight", p.value);
  if (status == MOON_OK) status = moon_archive_add(archive, "output", r->y);
  if (status == MOON_OK) status = moon_archive_add(archive, "product", made);
  if (status == MOON_OK) status = moon_archive_save(archive, path);
  moon_archive_release(archive);
  return status;
}

static bool eigenvalues(const rig *r) {
  moon_tensor *square, *values;
  if (moon_tensor_new(r->ctx, &square, MOON_FLOAT32, 2, (size_t[]){9, 9}) != MOON_OK) return false;
  if (moon_tensor_new(r->ctx, &values, MOON_FLOAT32, 1, (size_t[]){9}) != MOON_OK) return false;
  moon_tensor_fill(square, 1);
  moon_status status = moon_tensor_eigh(values, square, square);
  bool largest = status == MOON_OK && fabs(moon_tensor_get(values, 8) - 9) < 1e-5;
  moon_tensor_release(square);
  moon_tensor_release(values);
  return largest;
}

/* A context's life with misuse in it. A shared BLIS could abort because of BLIS_ARCH_TYPE: then products fail. */
enum { REFUSED = 20 };
static int program(const char *path) {
  rig r = {0};
  size_t refused;
  moon_tensor *t = NULL;
  moon_net *loaded = NULL;
  moon_build info;
  if (moon_ctx_new(&r.ctx, &(moon_config){.seed = 6, .threads = 2}) != MOON_OK) return 10;
  moon_build_info(r.ctx, &info);
  if (!strcmp(info.blis_config, "unknown")) return product(r.ctx, &t) == MOON_ESTATE ? REFUSED : 10;
  if (!run_limited(&r, 0, &refused)) return 11;
  if (product(r.ctx, &t) != MOON_OK) return 12;
  if (moon_net_step(r.net, NULL, t, NULL, r.loss, r.opt) != MOON_ESHAPE) return 13;
  if (moon_net_load(r.ctx, &loaded, "/nonexistent/net") != MOON_EIO) return 14;
  if (moon_idx_load(r.ctx, &r.y, "/proc/self/exe") != MOON_EFORMAT) return 15;
  if (moon_archive_save(r.archive, path) != MOON_OK || moon_net_load(r.ctx, &loaded, path) != MOON_OK) return 16;
  if (!same_weights(loaded, r.net)) return 17;
  if (save_numbers(&r, t, path) != MOON_OK) return 18;
  if (!eigenvalues(&r)) return 19;
  moon_net_release(loaded);
  moon_tensor_release(t);
  free_rig(&r);
  return 0;
}

typedef struct surroundings {
  const char *name, *value; /* of a variable */
  bool closed;              /* run with descriptors 0 to 2 closed */
} surroundings;

/* Run the program with this environment. Return its exit status, or -1, and count the bytes that it printed. */
static int run_program(const surroundings *s, const char *path, size_t *printed) {
  char buffer[512];
  int ends[2], status = -1;
  ssize_t n;
  if (pipe(ends) != 0) return -1;
  pid_t child = fork();
  if (child == 0) {
    if (s->name) setenv(s->name, s->value, 1);
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    for (int fd = 0; s->closed && fd < 3; fd++) close(fd);
    execl("/proc/self/exe", "embed_test", path, (char *)NULL);
    _exit(126);
  }
  close(ends[1]);
  for (*printed = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0; *printed += (size_t)n)
    if (write(2, buffer, (size_t)n) < 0) break;
  close(ends[0]);
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *read_all(const char *path, size_t *size) {
  struct stat s;
  int fd = open(path, O_RDONLY);
  char *bytes = fd >= 0 && fstat(fd, &s) == 0 ? malloc((size_t)s.st_size + 1) : NULL;
  *size = bytes && read(fd, bytes, (size_t)s.st_size) == s.st_size ? (size_t)s.st_size : 0;
  if (fd >= 0) close(fd);
  return bytes;
}

static bool is_blis_shared(void) {
  char line[1024];
  bool found = false;
  FILE *f = fopen("/proc/self/maps", "r");
  while (f && fgets(line, sizeof line, f)) found |= strstr(line, "/libblis.so") != NULL;
  if (f) fclose(f);
  return found;
}

/* Whatever is set and closed, the file has the same bits and nothing is printed. */
static void anywhere(void) {
  static const surroundings all[] = {{NULL, NULL, false},
                                     {NULL, NULL, true},
                                     {"OMP_NUM_THREADS", "7", false},
                                     {"BLIS_NUM_THREADS", "7", false},
                                     {"BLIS_JC_NT", "3", false},
                                     {"BLIS_ARCH_TYPE", "99", false},
                                     {"BLIS_ARCH_TYPE", "-3", false},
                                     {"BLIS_ARCH_TYPE", "haswell", false},
                                     {"BLIS_ARCH_TYPE", "13", false},
                                     {"BLIS_ARCH_DEBUG", "1", false},
                                     {"BLIS_PACK_A", "1", false}};
  char folder[] = "/tmp/embed_testXXXXXX", path[64];
  size_t size = 0, first_size = 0, printed = 0;
  char *first = NULL;
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/life", folder);
  for (size_t i = 0; i < COUNT(all); i++) {
    if (is_blis_shared() && all[i].name && strncmp(all[i].name, "BLIS_ARCH", 9) == 0) {
      CHECK(run_program(&all[i], path, &printed) == (strcmp(all[i].name, "BLIS_ARCH_TYPE") == 0 ? REFUSED : 0));
      continue;
    }
    int status = run_program(&all[i], path, &printed);
    char *bytes = read_all(path, &size);
    bool same = !first || (size == first_size && memcmp(bytes, first, size) == 0);
    if (status || printed || !same)
      fprintf(stderr, "%s=%s, closed %d: status %d, %zu bytes printed, %s\n", all[i].name ? all[i].name : "",
              all[i].value ? all[i].value : "", all[i].closed, status, printed, same ? "same file" : "another file");
    CHECK(status == 0 && printed == 0 && size > 1000 && same);
    if (first) {
      free(bytes);
    } else {
      first = bytes;
      first_size = size;
    }
    unlink(path);
  }
  free(first);
  rmdir(folder);
}

int main(int argc, char **argv) {
  if (argc > 1) return program(argv[1]);
  contexts_in_threads();
  servers();
  last_one_frees();
  one_copy();
  frozen_tensors_are_read_only();
  shares_are_read_only();
  buffers_of_the_host();
  number_of_threads();
  out_of_memory();
  a_thousand_lives();
  interrupts_in_a_call();
  interrupted_training();
  anywhere();
  if (FOLLOWS_FORKS)
    forks();
  else
    puts("skipped: the test of fork (the thread sanitizer does not follow threads into a child)");
  return check_report();
}
