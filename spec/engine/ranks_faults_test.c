/* ranks_faults_test.c - what goes wrong in one rank ends the step in all, and changes nothing: a wrong shape, refused
** memory, a bad class number, an interrupt, a NaN, ranks that are out of step, a reducer that fails. Between two good
** steps stands the fault; afterwards weights, moments and noise are those of two good steps. */
#include <math.h>

#include "team.h"

enum { WIDTH = 24, CLASSES = 5, ROWS = 100, BATCH = 40, MAX_WEIGHTS = 2000, BAD = 1 };

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

/* ---- a rank: a net with noise and a penalty that sums over the batch, so a step has two sums ---- */

typedef struct rank {
  team_rank own;
  struct fault const *fault;
  moon_ctx *ctx;
  moon_net *net;
  moon_loss *loss;
  moon_optim *opt;
  moon_tensor *x, *y;
  moon_dataset *data;
  moon_reducer reducer;
  /* allocations: first..last are refused while armed */
  bool armed;
  size_t allocations, first, last, refused;
  long live;
  /* the results */
  moon_status status;
  char message[256];
  double objective;
  float weights[MAX_WEIGHTS];
  uint64_t steps;
} rank;

typedef struct fault {
  const char *name;
  /* In every rank; bad: this is the one with the fault. */
  moon_status (*happens)(rank *r, bool bad);
  moon_status bad_status, status;
  const char *bad_message, *message;
  size_t reducer_fails_at; /* in this sum after the first step */
  bool counts;             /* the noise goes on, as after any step that ended well */
} fault;

static moon_layer *layer(moon_ctx *ctx, const char *kind, const moon_option *options, size_t count) {
  moon_layer *l = NULL;
  TEAM_CHECK(moon_layer_new(ctx, &l, kind, options, count) == MOON_OK);
  return l;
}

static void make_net(rank *r) {
  moon_option p = number("p", 0.3);
  moon_option first[] = {number("in", WIDTH), number("out", 16), text("activation", "sigmoid"),
                         number("kl_weight", 0.1)};
  moon_option last[] = {number("in", 16), number("out", CLASSES), text("activation", "softmax")};
  moon_layer *layers[] = {layer(r->ctx, "masking_noise", &p, 1), layer(r->ctx, "dense", first, 4),
                          layer(r->ctx, "dense", last, 3)};
  TEAM_CHECK(moon_net_new(r->ctx, &r->net, layers, 3) == MOON_OK);
  for (size_t i = 0; i < 3; i++) moon_layer_release(layers[i]);
}

static void *allocate(void *ud, void *ptr, size_t osize, size_t nsize) {
  rank *r = ud;
  (void)osize;
  if (!nsize) {
    r->live -= ptr != NULL;
    free(ptr);
    return NULL;
  }
  if (r->armed && ++r->allocations >= r->first && r->allocations <= r->last) return r->refused++, NULL;
  r->live += ptr == NULL;
  return realloc(ptr, nsize);
}

static void make_rank(rank *r) {
  TEAM_CHECK(moon_ctx_new(&r->ctx, &(moon_config){.seed = 5, .alloc = allocate, .alloc_ud = r}) == MOON_OK);
  make_net(r);
  TEAM_CHECK(moon_loss_new(r->ctx, &r->loss, "cross_entropy", NULL, 0) == MOON_OK);
  TEAM_CHECK(moon_optim_new(r->ctx, &r->opt, "adam", NULL, 0) == MOON_OK);
  TEAM_CHECK(moon_tensor_new(r->ctx, &r->x, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH}) == MOON_OK);
  TEAM_CHECK(moon_tensor_uniform(r->x, 0, 1) == MOON_OK);
  TEAM_CHECK(moon_tensor_new(r->ctx, &r->y, MOON_FLOAT32, 1, (size_t[]){ROWS}) == MOON_OK);
  for (size_t i = 0; i < ROWS; i++) moon_tensor_set(r->y, i, (double)(i % CLASSES));
  TEAM_CHECK(moon_dataset_new(r->ctx, &r->data, r->x, r->y) == MOON_OK);
  r->reducer = team_reducer(&r->own);
  TEAM_CHECK(moon_net_set_reducer(r->net, &r->reducer) == MOON_OK);
}

static void free_rank(rank *r) {
  moon_dataset_release(r->data);
  moon_tensor_release(r->x);
  moon_tensor_release(r->y);
  moon_optim_release(r->opt);
  moon_loss_release(r->loss);
  moon_net_release(r->net);
  moon_ctx_release(r->ctx);
}

static moon_status step_rows(rank *r, size_t first, size_t count) {
  return moon_net_step_rows(r->net, &r->objective, r->data, first, count, r->loss, r->opt);
}

static void take_weights(float *to, const moon_net *net) {
  moon_parameter p;
  for (size_t i = 0; i < moon_net_count(net); i++)
    for (size_t j = 0; moon_layer_parameter(moon_net_layer(net, i), j, &p); j++) {
      memcpy(to, moon_tensor_float(p.value), moon_tensor_bytes(p.value));
      to += moon_tensor_numel(p.value);
    }
}

static bool unchanged(const rank *r, const float *weights) {
  static const size_t count = WIDTH * 16 + 16 + 16 * CLASSES + CLASSES;
  float now[MAX_WEIGHTS];
  take_weights(now, r->net);
  return memcmp(now, weights, count * sizeof *now) == 0;
}

/* ---- faults ---- */

static moon_status wrong_shape(rank *r, bool bad) {
  moon_tensor *x, *y;
  TEAM_CHECK(moon_tensor_view(&x, r->x, 0, 2, (size_t[]){bad ? WIDTH : BATCH, bad ? BATCH : WIDTH}) == MOON_OK);
  TEAM_CHECK(moon_tensor_view(&y, r->y, 0, 1, (size_t[]){BATCH}) == MOON_OK);
  moon_status status = moon_net_step(r->net, NULL, x, y, r->loss, r->opt);
  moon_tensor_release(x);
  moon_tensor_release(y);
  return status;
}

/* The batch is larger than any before, and this rank has no memory for it. */
static moon_status no_memory(rank *r, bool bad) {
  if (bad) moon_set_memory_limit(r->ctx, 1);
  moon_status status = step_rows(r, 0, ROWS);
  moon_set_memory_limit(r->ctx, 0);
  return status;
}

static moon_status bad_class(rank *r, bool bad) {
  double before = moon_tensor_get(r->y, 17);
  if (bad) moon_tensor_set(r->y, 17, CLASSES);
  moon_status status = step_rows(r, 0, BATCH);
  moon_tensor_set(r->y, 17, before);
  return status;
}

static moon_status interrupt(rank *r, bool bad) {
  if (bad) moon_interrupt(r->ctx);
  return step_rows(r, 0, BATCH);
}

static moon_status past_the_end(rank *r, bool bad) { return step_rows(r, bad ? ROWS : 0, BATCH); }

/* Fewer rows in the batch of one rank than in the others'. */
static moon_status out_of_step(rank *r, bool bad) { return step_rows(r, 0, bad ? 1 : BATCH); }

static moon_status nan_in_rows(rank *r, bool bad) {
  const size_t at = 17 * WIDTH; /* of a row that rank BAD computes */
  double before = moon_tensor_get(r->x, at);
  if (bad) moon_tensor_set(r->x, at, (double)NAN);
  moon_status status = step_rows(r, 0, BATCH);
  moon_tensor_set(r->x, at, before);
  TEAM_CHECK(r->own.team->ranks < 2 || isnan(r->objective));
  return status;
}

static moon_status good_step(rank *r, bool bad) {
  (void)bad;
  return step_rows(r, 0, BATCH);
}

static moon_status evaluate(rank *r) {
  double before = -1, value = before;
  moon_status status = moon_net_evaluate(r->net, &value, r->data, r->loss, BATCH);
  TEAM_CHECK(status == MOON_OK || value == before);
  return status;
}

static moon_status good_evaluation(rank *r, bool bad) {
  (void)bad;
  return evaluate(r);
}

static moon_status interrupted_evaluation(rank *r, bool bad) {
  if (bad) moon_interrupt(r->ctx);
  return evaluate(r);
}

/* In the last of three batches. */
static moon_status bad_class_in_evaluation(rank *r, bool bad) {
  double before = moon_tensor_get(r->y, 97);
  for (size_t i = 80; bad && i < ROWS; i++) moon_tensor_set(r->y, i, -1);
  moon_status status = evaluate(r);
  for (size_t i = 80; bad && i < ROWS; i++) moon_tensor_set(r->y, i, (double)(i % CLASSES));
  TEAM_CHECK(moon_tensor_get(r->y, 97) == before);
  return status;
}

static moon_status wrong_shards(rank *r, bool bad) {
  const size_t one[] = {ROWS}, three[] = {ROWS, ROWS, ROWS};
  TEAM_CHECK(moon_dataset_set_shards(r->data, bad ? one : three, bad ? 1 : 3) == MOON_OK);
  moon_status status = step_rows(r, 0, BATCH);
  TEAM_CHECK(moon_dataset_set_shards(r->data, NULL, 0) == MOON_OK);
  return status;
}

static moon_status other_shard(rank *r, bool bad) {
  const size_t right[] = {ROWS, ROWS, ROWS}, wrong[] = {ROWS, 7, ROWS};
  TEAM_CHECK(moon_dataset_set_shards(r->data, bad ? wrong : right, 3) == MOON_OK);
  moon_status status = step_rows(r, 0, BATCH);
  TEAM_CHECK(moon_dataset_set_shards(r->data, NULL, 0) == MOON_OK);
  return status;
}

#define FAILED "step: rank 1 failed, see its message"

static const fault faults[] = {
    {"nothing", good_evaluation, MOON_OK, MOON_OK, "", "", 0, false},
    {"shape", wrong_shape, MOON_ESHAPE, MOON_ESTATE, "step: input is [24 x 40], expected [rows x 24]", FAILED, 0,
     false},
    {"memory", no_memory, MOON_ENOMEM, MOON_ESTATE, "step: out of memory", FAILED, 0, false},
    {"class number", bad_class, MOON_ERANGE, MOON_ESTATE,
     "step: target of row 18 is class 5, expected a whole number of 0 to 4", FAILED, 0, false},
    {"range", past_the_end, MOON_ERANGE, MOON_ESTATE, "step: rows 101 to 140, but the dataset has 100", FAILED, 0,
     false},
    {"interrupt", interrupt, MOON_EINTERRUPT, MOON_EINTERRUPT, "interrupted", "step: rank 1 was interrupted", 0, false},
    {"out of step", out_of_step, MOON_ESTATE, MOON_ESTATE,
     "step: the ranks are out of step: they have 24 rows together, but this rank's batch has 1",
     "step: the ranks are out of step: they have 24 rows together, but this rank's batch has 40", 0, false},
    {"NaN", nan_in_rows, MOON_OK, MOON_OK, "", "", 0, true},
    {"reducer, first sum", good_step, MOON_ENOMEM, MOON_ENOMEM, "step: the reducer failed (out of memory)",
     "step: the reducer failed (out of memory)", 1, false},
    {"reducer, second sum", good_step, MOON_ENOMEM, MOON_ENOMEM, "step: the reducer failed (out of memory)",
     "step: the reducer failed (out of memory)", 2, false},
    {"reducer and class number", bad_class, MOON_ERANGE, MOON_ENOMEM,
     "step: target of row 18 is class 5, expected a whole number of 0 to 4", "step: the reducer failed (out of memory)",
     1, false},
    {"reducer, evaluation", good_evaluation, MOON_ENOMEM, MOON_ENOMEM, "evaluate: the reducer failed (out of memory)",
     "evaluate: the reducer failed (out of memory)", 2, false},
    {"reducer, end of evaluation", good_evaluation, MOON_ENOMEM, MOON_ENOMEM,
     "evaluate: the reducer failed (out of memory)", "evaluate: the reducer failed (out of memory)", 4, false},
    {"interrupt, evaluation", interrupted_evaluation, MOON_EINTERRUPT, MOON_EINTERRUPT, "interrupted",
     "evaluate: rank 1 was interrupted", 0, false},
    {"class number, evaluation", bad_class_in_evaluation, MOON_ERANGE, MOON_ESTATE,
     "evaluate: target of row 89 is class -1, expected a whole number of 0 to 4",
     "evaluate: rank 1 failed, see its message", 0, false},
    {"shards of other ranks", wrong_shards, MOON_ESTATE, MOON_ESTATE,
     "step: the dataset has shards of 1 ranks, but the reducer has 3", FAILED, 0, false},
    {"another shard", other_shard, MOON_ESTATE, MOON_ESTATE,
     "step: the shard of rank 1 has 7 rows, but its dataset 100", FAILED, 0, false},
};

/* ---- a good step, the fault, a good step ---- */

static void *run_rank(void *arg) {
  rank *r = arg;
  const fault *f = r->fault;
  float before[MAX_WEIGHTS] = {0};
  make_rank(r);
  TEAM_CHECK(step_rows(r, 0, BATCH) == MOON_OK);
  take_weights(before, r->net);
  if (f->reducer_fails_at) {
    team_meet(r->own.team);
    r->own.team->fail_at = r->own.team->calls + f->reducer_fails_at;
    team_meet(r->own.team);
  }
  r->status = f->happens(r, r->own.rank == BAD);
  if (r->status != MOON_OK) snprintf(r->message, sizeof r->message, "%s", moon_error(r->ctx));
  TEAM_CHECK(unchanged(r, before));
  TEAM_CHECK(moon_optim_steps(r->opt) == 1);
  TEAM_CHECK(step_rows(r, BATCH, BATCH) == MOON_OK);
  take_weights(r->weights, r->net);
  r->steps = moon_optim_steps(r->opt);
  free_rank(r);
  return NULL;
}

static void try_fault(const fault *f, size_t ranks, const float *good) {
  static rank each[MAX_RANKS];
  team all = {.ranks = ranks, .fail_with = MOON_ENOMEM};
  memset(each, 0, sizeof each);
  for (size_t r = 0; r < ranks; r++) each[r].fault = f;
  team_run(&all, run_rank, each, sizeof *each);
  for (size_t r = 0; r < ranks; r++) {
    const char *message = r == BAD ? f->bad_message : f->message;
    bool right = each[r].status == (r == BAD ? f->bad_status : f->status) &&
                 strncmp(each[r].message, message, strlen(message)) == 0;
    CHECK(right);
    if (!right) printf("%s, rank %zu: %s: '%s'\n", f->name, r, moon_status_name(each[r].status), each[r].message);
    CHECK(memcmp(each[r].weights, each[0].weights, sizeof each->weights) == 0);
    CHECK(f->counts || memcmp(each[r].weights, good, sizeof each->weights) == 0);
    CHECK(each[r].steps == 2);
  }
}

/* Good steps of so many ranks. */
static void two_steps(float *weights, size_t ranks) {
  static rank each[MAX_RANKS];
  team all = {.ranks = ranks};
  memset(each, 0, sizeof each);
  for (size_t r = 0; r < ranks; r++) each[r].fault = &faults[0];
  team_run(&all, run_rank, each, sizeof *each);
  memcpy(weights, each[0].weights, sizeof each->weights);
}

/* ---- memory that is refused to one rank, at each point of a first step or evaluation ---- */

static void *run_refused(void *arg) {
  rank *r = arg;
  float before[MAX_WEIGHTS] = {0};
  make_rank(r);
  take_weights(before, r->net);
  r->armed = r->own.rank == BAD;
  r->status = r->fault->happens(r, false);
  r->armed = false;
  if (r->status != MOON_OK) {
    snprintf(r->message, sizeof r->message, "%s", moon_error(r->ctx));
    TEAM_CHECK(unchanged(r, before));
    TEAM_CHECK(moon_optim_steps(r->opt) == 0);
    TEAM_CHECK(r->fault->happens(r, false) == MOON_OK);
  }
  take_weights(r->weights, r->net);
  free_rank(r);
  TEAM_CHECK(r->live == 0);
  return NULL;
}

static void check_refused(const rank *r, bool bad, const fault *f) {
  const char *message = bad ? f->bad_message : f->message;
  CHECK(r->status == (bad ? MOON_ENOMEM : MOON_ESTATE));
  CHECK(strncmp(r->message, message, strlen(message)) == 0);
}

/* The first-th allocation of rank BAD is refused, up to the last-th. Was there one? */
static bool try_refusal(const fault *f, size_t first, size_t last, float *good) {
  static rank each[MAX_RANKS];
  team all = {.ranks = 3};
  memset(each, 0, sizeof each);
  for (size_t r = 0; r < all.ranks; r++) each[r] = (rank){.fault = f, .first = first, .last = last};
  team_run(&all, run_refused, each, sizeof *each);
  if (!first) memcpy(good, each[0].weights, sizeof each->weights);
  for (size_t r = 0; r < all.ranks; r++) {
    if (each[BAD].refused) check_refused(&each[r], r == BAD, f);
    CHECK(memcmp(each[r].weights, good, sizeof each->weights) == 0);
  }
  return each[BAD].refused > 0;
}

static void test_refusals(void) {
  static const fault calls[] = {
      {.happens = good_step, .bad_message = "step: out of memory", .message = FAILED},
      {.happens = good_evaluation,
       .bad_message = "evaluate: out of memory",
       .message = "evaluate: rank 1 failed, see its message"},
  };
  float good[MAX_WEIGHTS];
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    size_t once = 1, from = 1;
    CHECK(!try_refusal(&calls[i], 0, 0, good));
    while (try_refusal(&calls[i], once, once, good)) once++;
    while (try_refusal(&calls[i], from, SIZE_MAX, good)) from++;
    CHECK(once > 2 && once == from);
  }
}

/* ---- reducers that are refused ---- */

static void refuse(rank *r, moon_reducer reducer, const char *message) {
  CHECK(moon_net_set_reducer(r->net, &reducer) == MOON_ERANGE);
  CHECK(strcmp(moon_error(r->ctx), message) == 0);
}

/* The memory stays for the next reducer of as many ranks, and no longer. */
static void check_kept_memory(rank *r, const moon_reducer *of_three) {
  const team *all = r->own.team;
  size_t held = moon_memory_used(r->ctx), calls = all->calls;
  CHECK(moon_net_set_reducer(r->net, NULL) == MOON_OK);
  CHECK(moon_memory_used(r->ctx) == held);
  CHECK(step_rows(r, 0, BATCH) == MOON_OK && all->calls == calls);
  moon_set_memory_limit(r->ctx, moon_memory_used(r->ctx));
  CHECK(moon_net_set_reducer(r->net, NULL) == MOON_OK);
  CHECK(moon_net_set_reducer(r->net, &r->reducer) == MOON_OK);
  CHECK(step_rows(r, 0, BATCH) == MOON_OK && all->calls > calls);
  moon_set_memory_limit(r->ctx, 0);
  held = moon_memory_used(r->ctx);
  CHECK(moon_net_set_reducer(r->net, of_three) == MOON_OK);
  CHECK(moon_memory_used(r->ctx) > held);
  CHECK(moon_net_set_reducer(r->net, NULL) == MOON_OK);
  CHECK(moon_net_set_reducer(r->net, &r->reducer) == MOON_OK);
  CHECK(moon_memory_used(r->ctx) == held);
}

static void test_reducers(void) {
  struct later {
    moon_reducer now;
    void *more;
  } later = {.more = &later};
  team one = {.ranks = 1};
  static rank r;
  r.own = (team_rank){&one, 0};
  pthread_barrier_init(&one.barrier, NULL, 1);
  make_rank(&r);
  refuse(&r, (moon_reducer){.size = 8}, "reducer: size is 8, expected sizeof(moon_reducer)");
  refuse(&r, (moon_reducer){sizeof(moon_reducer), 2, 2, team_reduce, NULL},
         "reducer: rank is 2 of 2 ranks, expected one from 0 to ranks - 1");
  refuse(&r, (moon_reducer){sizeof(moon_reducer), 0, 0, team_reduce, NULL},
         "reducer: rank is 0 of 0 ranks, expected one from 0 to ranks - 1");
  refuse(&r, (moon_reducer){sizeof(moon_reducer), 0, 1, NULL, NULL}, "reducer: reduce is NULL, expected a function");
  later.now = r.reducer;
  later.now.size = sizeof later;
  CHECK(moon_net_set_reducer(r.net, &later.now) == MOON_ERANGE);
  later.more = NULL;
  size_t held = moon_memory_used(r.ctx);
  CHECK(moon_net_set_reducer(r.net, &later.now) == MOON_OK);
  CHECK(moon_memory_used(r.ctx) == held);
  moon_set_memory_limit(r.ctx, held);
  moon_reducer of_three = {sizeof of_three, 0, 3, team_reduce, r.reducer.ud};
  CHECK(moon_net_set_reducer(r.net, &of_three) == MOON_ENOMEM);
  moon_set_memory_limit(r.ctx, 0);
  CHECK(step_rows(&r, 0, BATCH) == MOON_OK && one.calls == 2);
  check_kept_memory(&r, &of_three);
  free_rank(&r);
  free(one.sum);
  pthread_barrier_destroy(&one.barrier);
}

int main(void) {
  float good[MAX_WEIGHTS];
  test_reducers();
  test_refusals();
  two_steps(good, 3);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) try_fault(&faults[i], 3, good);
  return check_report();
}
