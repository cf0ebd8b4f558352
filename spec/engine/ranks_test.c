/* ranks_test.c - a net that several ranks train is that of one process. Each rank is a thread with a context of its
** own; the reducer sums in the order of the ranks, at a barrier. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/moonglass.h"
#include "check.h"

enum { MAX_RANKS = 8, WIDTH = 40, ROWS = 1203 };

/* ---- the reducer ---- */

typedef struct team {
  size_t ranks;
  pthread_barrier_t barrier;
  float *values[MAX_RANKS], *sum;
  size_t n[MAX_RANKS], room, calls;
  bool differ; /* in some call the ranks had different numbers of values */
} team;

typedef struct member {
  team *team;
  size_t rank;
  moon_status fails_with; /* MOON_OK: the reducer does not fail */
} member;

static void add_up(team *t) {
  if (t->n[0] > t->room) t->sum = realloc(t->sum, (t->room = t->n[0]) * sizeof *t->sum);
  memset(t->sum, 0, t->n[0] * sizeof *t->sum);
  for (size_t r = 0; r < t->ranks; r++) {
    t->differ |= t->n[r] != t->n[0];
    for (size_t i = 0; i < t->n[0] && i < t->n[r]; i++) t->sum[i] = r ? t->sum[i] + t->values[r][i] : t->values[r][i];
  }
  t->calls++;
}

static moon_status reduce(void *ud, float *values, size_t n) {
  member *m = ud;
  team *t = m->team;
  t->values[m->rank] = values;
  t->n[m->rank] = n;
  pthread_barrier_wait(&t->barrier);
  if (m->rank == 0) add_up(t);
  pthread_barrier_wait(&t->barrier);
  if (!t->differ) memcpy(values, t->sum, n * sizeof *values);
  pthread_barrier_wait(&t->barrier);
  return t->differ ? MOON_ESTATE : m->fails_with;
}

/* ---- one net, in one process or in several ---- */

typedef struct training {
  const char *name;
  void (*layers)(moon_ctx *ctx, moon_layer **layers, size_t *n);
  const char *loss;
} training;

typedef struct run {
  const training *t;
  member m;
  size_t threads, batch, steps;
  bool alone; /* without a reducer */
  double objective, evaluated;
  float *weights;
  size_t count;
} run;

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

static moon_layer *dense(moon_ctx *ctx, size_t in, size_t out, const char *activation) {
  moon_option options[] = {number("in", (double)in), number("out", (double)out), text("activation", activation)};
  moon_layer *layer = NULL;
  CHECK(moon_layer_new(ctx, &layer, "dense", options, 3) == MOON_OK);
  return layer;
}

static void plain(moon_ctx *ctx, moon_layer **layers, size_t *n) {
  layers[(*n)++] = dense(ctx, WIDTH, 24, "relu");
  layers[(*n)++] = dense(ctx, 24, WIDTH, "sigmoid");
}

static const training trainings[] = {{"plain", plain, "bce"}};

static void *train(void *arg) {
  run *r = arg;
  moon_ctx *ctx;
  moon_layer *layers[8];
  moon_net *net;
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x;
  moon_dataset *data;
  moon_parameter p;
  size_t n = 0;
  CHECK(moon_ctx_new(&ctx, &(moon_config){.threads = (int)r->threads, .seed = 1}) == MOON_OK);
  r->t->layers(ctx, layers, &n);
  CHECK(moon_net_new(ctx, &net, layers, n) == MOON_OK);
  CHECK(moon_loss_new(ctx, &loss, r->t->loss, NULL, 0) == MOON_OK);
  CHECK(moon_optim_new(ctx, &opt, "adam", NULL, 0) == MOON_OK);
  CHECK(moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH}) == MOON_OK);
  CHECK(moon_tensor_uniform(x, 0, 1) == MOON_OK);
  CHECK(moon_dataset_new(ctx, &data, x, NULL) == MOON_OK);
  moon_reducer reducer = {sizeof reducer, r->m.rank, r->m.team->ranks, reduce, &r->m};
  if (!r->alone) CHECK(moon_net_set_reducer(net, &reducer) == MOON_OK);
  for (size_t i = 0, first = 0; i < r->steps; i++, first += r->batch) {
    if (first >= ROWS) first = 0;
    size_t count = ROWS - first < r->batch ? ROWS - first : r->batch;
    CHECK(moon_net_step_rows(net, &r->objective, data, first, count, loss, opt) == MOON_OK);
  }
  CHECK(moon_net_evaluate(net, &r->evaluated, data, loss, r->batch) == MOON_OK);
  r->weights = malloc(100000 * sizeof *r->weights);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; moon_layer_parameter(layers[i], j, &p); j++) {
      memcpy(r->weights + r->count, moon_tensor_float(p.value), moon_tensor_bytes(p.value));
      r->count += moon_tensor_numel(p.value);
    }
  moon_dataset_release(data);
  moon_tensor_release(x);
  moon_optim_release(opt);
  moon_loss_release(loss);
  moon_net_release(net);
  while (n) moon_layer_release(layers[--n]);
  moon_ctx_release(ctx);
  return NULL;
}

static double largest_error(const run *a, const run *b) {
  double worst = 0, largest = 0;
  for (size_t i = 0; i < a->count; i++) {
    worst = fmax(worst, fabs((double)a->weights[i] - (double)b->weights[i]));
    largest = fmax(largest, fabs((double)b->weights[i]));
  }
  return worst / largest;
}

static void compare(const training *t, size_t ranks, size_t threads, size_t batch, size_t steps, double tolerance) {
  team all = {.ranks = ranks};
  run one = {.t = t, .m = {&all, 0, MOON_OK}, .threads = threads, .batch = batch, .steps = steps, .alone = true};
  run each[MAX_RANKS];
  pthread_t thread[MAX_RANKS];
  pthread_barrier_init(&all.barrier, NULL, (unsigned)ranks);
  train(&one);
  for (size_t r = 0; r < ranks; r++) {
    each[r] = one;
    each[r].m.rank = r;
    each[r].alone = false;
    each[r].count = 0;
    CHECK(pthread_create(&thread[r], NULL, train, &each[r]) == 0);
  }
  for (size_t r = 0; r < ranks; r++) pthread_join(thread[r], NULL);
  double error = largest_error(&each[0], &one);
  printf("%s %zu ranks, %zu threads, batch %zu, %zu steps: %g %g %g\n", t->name, ranks, threads, batch, steps, error,
         each[0].objective - one.objective, each[0].evaluated - one.evaluated);
  CHECK(error <= (ranks == 1 ? 0 : tolerance));
  for (size_t r = 0; r < ranks; r++) {
    CHECK(memcmp(each[r].weights, each[0].weights, one.count * sizeof *one.weights) == 0);
    CHECK(each[r].objective == each[0].objective && each[r].evaluated == each[0].evaluated);
    free(each[r].weights);
  }
  free(one.weights);
  free(all.sum);
  pthread_barrier_destroy(&all.barrier);
}

int main(void) {
  for (size_t i = 0; i < sizeof trainings / sizeof *trainings; i++)
    for (size_t ranks = 1; ranks <= MAX_RANKS; ranks = ranks < 4 ? ranks + 1 : 2 * ranks)
      for (size_t threads = 1; threads <= 2; threads++) {
        compare(&trainings[i], ranks, threads, 33, 1, 1e-6);
        compare(&trainings[i], ranks, threads, 5, 1, 1e-6);
        compare(&trainings[i], ranks, threads, 600, 100, 1e-5);
      }
  return check_report();
}
