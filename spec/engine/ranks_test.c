/* ranks_test.c - a net that several ranks train is that of one process: every kind of layer, penalty and loss, every
** division among workers; any batch, also one that is smaller than the ranks; rows of each rank's own (shards). The
** reference is a context without a reducer. With an argument the errors are printed. */
#include <math.h>

#include "../../csrc/engine/net/plan.h"
#include "team.h"

enum { WIDTH = 128, HIDDEN = 96, CLASSES = 10, ROWS = 1203, MAX_LAYERS = 8, MAX_WEIGHTS = 80000 };

/* ---- the nets ---- */

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

typedef struct stack {
  moon_ctx *ctx;
  moon_layer *layers[MAX_LAYERS];
  size_t n;
} stack;

static void add(stack *s, const char *kind, const moon_option *options, size_t count) {
  TEAM_CHECK(moon_layer_new(s->ctx, &s->layers[s->n], kind, options, count) == MOON_OK);
  s->n++;
}

/* A dense layer, with up to two more options. */
static void dense(stack *s, size_t in, size_t out, const char *activation, moon_option first, moon_option second) {
  moon_option options[] = {number("in", (double)in), number("out", (double)out), text("activation", activation), first,
                           second};
  add(s, "dense", options, second.name ? 5 : first.name ? 4 : 3);
}

static const moon_option no_option;

static void ending(stack *s) { dense(s, HIDDEN, WIDTH, "sigmoid", no_option, no_option); }

static void coded(stack *s, const char *activation, moon_option first, moon_option second) {
  dense(s, WIDTH, HIDDEN, activation, first, second);
  ending(s);
}

static void plain(stack *s) { coded(s, "relu", no_option, no_option); }

static void deep(stack *s) {
  dense(s, WIDTH, HIDDEN, "relu", no_option, no_option);
  dense(s, HIDDEN, 32, "tanh", no_option, no_option);
  dense(s, 32, HIDDEN, "gelu", no_option, no_option);
  ending(s);
}

static void noisy(stack *s, const char *kind, const char *option) {
  moon_option amount = number(option, 0.2);
  add(s, kind, &amount, 1);
  plain(s);
}

static void masking(stack *s) { noisy(s, "masking_noise", "p"); }
static void gaussian(stack *s) { noisy(s, "gaussian_noise", "sigma"); }
static void salt_pepper(stack *s) { noisy(s, "salt_pepper_noise", "p"); }

static void dropout(stack *s) {
  moon_option p = number("p", 0.3);
  dense(s, WIDTH, HIDDEN, "relu", no_option, no_option);
  add(s, "dropout", &p, 1);
  ending(s);
}

static void activity_mean(stack *s) { coded(s, "relu", number("activity_l1", 1e-3), no_option); }
static void activity_sum(stack *s) { coded(s, "relu", number("activity_l1", 1e-5), text("activity_reduction", "sum")); }
static void divergence(stack *s) { coded(s, "sigmoid", number("kl_weight", 0.1), number("kl_target", 0.1)); }
static void softmax_divergence(stack *s) { coded(s, "softmax", number("kl_weight", 0.1), no_option); }
static void contractive(stack *s) { coded(s, "sigmoid", number("contractive", 0.01), no_option); }
static void decayed(stack *s) { coded(s, "relu", number("weight_l1", 1e-5), number("weight_l2", 1e-3)); }

static void two_divergences(stack *s) {
  dense(s, WIDTH, HIDDEN, "sigmoid", number("kl_weight", 0.1), number("contractive", 0.01));
  dense(s, HIDDEN, HIDDEN, "sigmoid", number("kl_weight", 0.2), number("activity_l1", 1e-3));
  ending(s);
}

static void k_sparse(stack *s) {
  moon_option k = number("k", 20);
  dense(s, WIDTH, HIDDEN, "linear", no_option, no_option);
  add(s, "k_sparse", &k, 1);
  ending(s);
}

/* Means and log variances of HIDDEN / 2 elements. */
static void gaussian_code(stack *s) {
  moon_option options[] = {number("k", HIDDEN / 2), number("beta", 0.5)};
  dense(s, WIDTH, HIDDEN, "linear", no_option, no_option);
  add(s, "gaussian_code", options, 2);
  dense(s, HIDDEN / 2, WIDTH, "sigmoid", no_option, no_option);
}

/* Layers 1 and 3 are frozen, with their penalties. */
static void frozen(stack *s) {
  moon_option trainable = {"trainable", MOON_FLAG, 0, 0, NULL, NULL};
  dense(s, WIDTH, HIDDEN, "relu", trainable, number("weight_l2", 1e-3));
  dense(s, HIDDEN, 32, "tanh", number("weight_l2", 1e-3), no_option);
  dense(s, 32, HIDDEN, "sigmoid", trainable, number("kl_weight", 0.1));
  ending(s);
}

static void tied(stack *s) {
  dense(s, WIDTH, HIDDEN, "tanh", no_option, no_option);
  dense(s, HIDDEN, WIDTH, "sigmoid", (moon_option){"tied", MOON_LAYER, 0, 0, NULL, s->layers[s->n - 1]}, no_option);
}

/* The layer in the middle is used twice, with its penalties. */
static void again(stack *s) {
  dense(s, WIDTH, HIDDEN, "sigmoid", no_option, no_option);
  dense(s, HIDDEN, HIDDEN, "sigmoid", number("kl_weight", 0.1), number("weight_l2", 1e-3));
  s->layers[s->n] = moon_layer_retain(s->layers[s->n - 1]);
  s->n++;
  ending(s);
}

/* HIDDEN, then 100 and 28 columns side by side, which is WIDTH. */
static void branches(stack *s) {
  moon_option back = number("back", 2), heads = number("heads", 2);
  dense(s, WIDTH, HIDDEN, "tanh", no_option, no_option);
  dense(s, HIDDEN, 32, "tanh", no_option, no_option);
  dense(s, 32, 100, "sigmoid", no_option, no_option);
  add(s, "branch", &back, 1);
  dense(s, HIDDEN, 28, "sigmoid", number("kl_weight", 0.1), no_option);
  add(s, "join", &heads, 1);
}

static void classifier(stack *s) {
  dense(s, WIDTH, HIDDEN, "relu", no_option, no_option);
  dense(s, HIDDEN, CLASSES, "softmax", no_option, no_option);
}

static void norm(stack *s, const char *kind, size_t n) {
  moon_option width = number("n", (double)n);
  add(s, kind, &width, 1);
}

/* Behind and before a layer, twice in a row, and before a layer that takes rows. */
static void batch_norm(stack *s) {
  norm(s, "batch_norm", WIDTH);
  dense(s, WIDTH, HIDDEN, "linear", no_option, no_option);
  norm(s, "batch_norm", HIDDEN);
  norm(s, "batch_norm", HIDDEN);
  moon_option relu = text("activation", "relu");
  add(s, "activation", &relu, 1);
  ending(s);
}

static void batch_norm_again(stack *s) {
  dense(s, WIDTH, HIDDEN, "sigmoid", number("kl_weight", 0.1), no_option);
  norm(s, "batch_norm", HIDDEN);
  dense(s, HIDDEN, HIDDEN, "tanh", no_option, no_option);
  s->layers[s->n] = moon_layer_retain(s->layers[1]);
  s->n++;
  ending(s);
}

static void batch_norm_softmax(stack *s) {
  moon_option softmax = text("activation", "softmax");
  dense(s, WIDTH, CLASSES, "linear", no_option, no_option);
  norm(s, "batch_norm", CLASSES);
  add(s, "activation", &softmax, 1);
}

/* 100 and 28 columns side by side, from one input. */
static void batch_norm_branches(stack *s) {
  moon_option back = number("back", 2), heads = number("heads", 2);
  dense(s, WIDTH, HIDDEN, "tanh", no_option, no_option);
  dense(s, HIDDEN, 100, "linear", no_option, no_option);
  norm(s, "batch_norm", 100);
  add(s, "branch", &back, 1);
  norm(s, "batch_norm", HIDDEN);
  dense(s, HIDDEN, 28, "sigmoid", no_option, no_option);
  add(s, "join", &heads, 1);
}

static void layer_norm(stack *s) {
  norm(s, "layer_norm", WIDTH);
  dense(s, WIDTH, HIDDEN, "relu", no_option, no_option);
  norm(s, "layer_norm", HIDDEN);
  ending(s);
}

typedef struct training {
  const char *name;
  void (*layers)(stack *s);
  const char *loss, *reduction;
  const char *optim; /* its kind, or kind, option and value */
  bool mask;         /* some cells are missing */
} training;

static const training trainings[] = {
    {"plain", plain, "bce", NULL, "adam", false},
    {"plain, mean", plain, "mse", "mean", "adam", false},
    {"plain, sum", plain, "mse", "sum", "sgd", false},
    {"deep", deep, "bce", NULL, "adam", false},
    {"masking noise", masking, "bce", NULL, "adam", false},
    {"gaussian noise", gaussian, "mse", NULL, "rmsprop", false},
    {"salt and pepper", salt_pepper, "bce", NULL, "adam", false},
    {"dropout", dropout, "huber", NULL, "adagrad", false},
    /* The smaller eps, the more a rounding error in a small gradient changes the first step. */
    {"adamax", plain, "bce", NULL, "adamax eps 1e-5", false},
    {"nadam", plain, "bce", NULL, "nadam eps 1e-5", false},
    {"adadelta", plain, "bce", NULL, "adadelta", false},
    {"clip_value", tied, "bce", NULL, "sgd clip_value 1e-4", false},
    {"clip_norm", deep, "mse", "sum", "sgd clip_norm 0.01", false},
    {"clip_norm, tied", tied, "bce", NULL, "adam clip_norm 1e-3", false},
    {"global_clip_norm", masking, "mse", "sum", "sgd global_clip_norm 0.01", false},
    {"global_clip_norm, a layer used twice", again, "bce", NULL, "adam global_clip_norm 1e-3", false},
    {"global_clip_norm, masked", deep, "bce", NULL, "sgd global_clip_norm 1e-3", true},
    {"activity, batchmean", activity_mean, "bce", NULL, "adam", false},
    {"activity, sum", activity_sum, "bce", NULL, "adam", false},
    {"divergence", divergence, "bce", NULL, "adam", false},
    {"divergence of a softmax", softmax_divergence, "mse", NULL, "adam", false},
    {"two divergences and more", two_divergences, "bce", NULL, "adam", false},
    {"contractive", contractive, "bce", NULL, "adam", false},
    {"weight_l1 and weight_l2", decayed, "bce", NULL, "adam", false},
    /* Where two outputs are equal to the last digit, another one of them passes: adam would make a whole step of it. */
    {"k_sparse", k_sparse, "bce", NULL, "sgd", false},
    {"gaussian_code", gaussian_code, "bce", NULL, "sgd", false},
    {"gaussian_code, masked", gaussian_code, "bce", "batchmean", "sgd", true},
    {"tied", tied, "bce", NULL, "adam", false},
    {"frozen", frozen, "bce", NULL, "sgd", false}, /* adam would make whole steps of the last digits */
    {"frozen by turns", deep, "bce", NULL, "adam", false},
    {"frozen by turns, tied", tied, "bce", NULL, "adam", false},
    {"a layer used twice", again, "bce", NULL, "adam", false},
    {"classifier", classifier, "cross_entropy", NULL, "adam", false},
    {"branches", branches, "bce", NULL, "sgd", false},
    {"frozen by turns, branches", branches, "bce", NULL, "sgd", false},
    {"branches, masked", branches, "mse", "mean", "sgd", true},
    {"heads", branches, "heads", NULL, "sgd", false},
    {"heads, masked", branches, "heads", "batchmean", "sgd", true},
    {"weighted heads", branches, "heads", "batchmean", "sgd", false},
    {"batch_norm", batch_norm, "bce", NULL, "adam", false},
    {"batch_norm twice", batch_norm_again, "mse", NULL, "sgd", false},
    {"batch_norm, then softmax", batch_norm_softmax, "cross_entropy", NULL, "adam", false},
    {"batch_norm, masked", batch_norm, "mse", "batchmean", "sgd", true},
    {"batch_norm in branches", batch_norm_branches, "mse", NULL, "sgd", false},
    {"layer_norm", layer_norm, "bce", NULL, "adam", false},
    {"masked, mean", deep, "bce", NULL, "adam", true},
    {"masked, batchmean", divergence, "mse", "batchmean", "adam", true},
    {"weighted", deep, "bce", NULL, "adam", false},
    {"weighted, batchmean", activity_mean, "mse", "batchmean", "sgd", false},
    {"weighted and masked", divergence, "huber", NULL, "adam", true},
    {"weighted classifier", classifier, "cross_entropy", NULL, "sgd", false}, /* adam: as above */
};

/* ---- one run, as a rank or alone ---- */

typedef struct run {
  team_rank own; /* without a team: alone */
  const training *t;
  size_t threads, batch, steps;
  const size_t *shards; /* of how many ranks; NULL: every rank has all rows */
  size_t ranks;
  double objective, penalty, evaluated;
  uint64_t optim_steps;
  float weights[MAX_WEIGHTS], grads[MAX_WEIGHTS];
  size_t count;
} run;

static void fill(moon_tensor *t, uint32_t seed, double low, double high) {
  float *p = moon_tensor_float(t);
  for (size_t i = 0; i < moon_tensor_numel(t); i++) {
    seed = seed * 1664525 + 1013904223;
    p[i] = (float)(low + (high - low) * (double)(seed >> 8) / (1 << 24));
  }
}

/* Have the rows weights? */
static bool weighted(const training *t) { return strncmp(t->name, "weighted", strlen("weighted")) == 0; }

/* Weights of 0 to 1.5, some of them alike. */
static void weigh(moon_dataset *data, moon_ctx *ctx, const size_t *rows, size_t count) {
  moon_tensor *w;
  TEAM_CHECK(moon_tensor_new(ctx, &w, MOON_FLOAT32, 1, &count) == MOON_OK);
  for (size_t i = 0; i < count; i++) moon_tensor_set(w, i, (double)(rows[i] / 2 * 13 % 7) / 4);
  TEAM_CHECK(moon_dataset_set_weights(data, w) == MOON_OK);
  moon_tensor_release(w);
}

/* Some rows of a set that is the same in every rank: values in [0, 1), with class numbers. */
static moon_dataset *make_rows(moon_ctx *ctx, const size_t *rows, size_t count, bool labels, const training *t) {
  bool mask = t->mask;
  moon_tensor *all, *x, *y = NULL;
  moon_dataset *data;
  TEAM_CHECK(moon_tensor_new(ctx, &all, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH}) == MOON_OK);
  TEAM_CHECK(moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){count, WIDTH}) == MOON_OK);
  if (labels) TEAM_CHECK(moon_tensor_new(ctx, &y, MOON_FLOAT32, 1, &count) == MOON_OK);
  fill(all, 5, 0, 1);
  for (size_t i = 0; i < count; i++) {
    memcpy(moon_tensor_float(x) + i * WIDTH, moon_tensor_float(all) + rows[i] * WIDTH, WIDTH * sizeof(float));
    /* Rows lack different numbers of cells, and some have none. */
    for (size_t j = 0; mask && j < WIDTH; j++)
      if (rows[i] % 9 == 0 || (rows[i] * 31 + j * 17) % (2 + rows[i] % 5) == 0)
        moon_tensor_set(x, i * WIDTH + j, (double)NAN);
    if (labels) moon_tensor_set(y, i, (double)(rows[i] * 7 % CLASSES));
  }
  TEAM_CHECK(moon_dataset_new(ctx, &data, x, y) == MOON_OK);
  moon_dataset_set_mask(data, mask);
  if (weighted(t)) weigh(data, ctx, rows, count);
  moon_tensor_release(all);
  moon_tensor_release(x);
  moon_tensor_release(y);
  return data;
}

/* The set's rows as shards give them to a step, one after the other: always from the shard of which the smallest part
** has been given. Rank r's first comes after the part (r + 1/2) / ranks of a row. */
static void order_of_shards(size_t *order, const size_t *shards, size_t ranks) {
  size_t taken[MAX_RANKS] = {0}, before[MAX_RANKS] = {0};
  for (size_t r = 1; r < ranks; r++) before[r] = before[r - 1] + shards[r - 1];
  for (size_t i = 0; i < ROWS; i++) {
    double least = 2;
    size_t best = 0;
    for (size_t r = 0; r < ranks; r++) {
      double part = ((double)taken[r] + ((double)r + 0.5) / (double)ranks) / (double)shards[r];
      if (taken[r] == shards[r] || part >= least) continue;
      least = part;
      best = r;
    }
    order[i] = before[best] + taken[best]++;
  }
}

static moon_dataset *make_data(const run *r, moon_ctx *ctx) {
  bool labels = strcmp(r->t->loss, "cross_entropy") == 0, shard = r->shards && r->own.team;
  size_t order[ROWS], first = 0;
  for (size_t i = 0; i < ROWS; i++) order[i] = i;
  if (r->shards && !shard) order_of_shards(order, r->shards, r->ranks);
  for (size_t i = 0; shard && i < r->own.rank; i++) first += r->shards[i];
  moon_dataset *data = make_rows(ctx, order + first, shard ? r->shards[r->own.rank] : ROWS, labels, r->t);
  if (shard) TEAM_CHECK(moon_dataset_set_shards(data, r->shards, r->ranks) == MOON_OK);
  TEAM_CHECK(moon_dataset_rows(data) == ROWS);
  return data;
}

static moon_net *make_net(const run *r, moon_ctx *ctx) {
  stack s = {.ctx = ctx};
  moon_net *net = NULL;
  moon_parameter p;
  r->t->layers(&s);
  TEAM_CHECK(moon_net_new(ctx, &net, s.layers, s.n) == MOON_OK);
  for (size_t i = 0; i < s.n; i++) {
    for (size_t j = 0; moon_layer_parameter(s.layers[i], j, &p); j++)
      fill(p.value, (uint32_t)(9 * i + j + 1), p.grad ? -0.15 : 0.5, p.grad ? 0.15 : 1.5); /* variances are above 0 */
    moon_layer_release(s.layers[i]);
  }
  moon_net_seed(net, 3);
  return net;
}

static void take_weights(run *r, const moon_net *net) {
  moon_parameter p;
  r->count = 0;
  for (size_t i = 0; i < moon_net_count(net); i++)
    for (size_t j = 0; moon_layer_parameter(moon_net_layer(net, i), j, &p); j++) {
      memcpy(r->weights + r->count, moon_tensor_float(p.value), moon_tensor_bytes(p.value));
      if (p.grad) memcpy(r->grads + r->count, moon_tensor_float(p.grad), moon_tensor_bytes(p.grad));
      r->count += moon_tensor_numel(p.value);
    }
}

/* Before step i, of nets whose layers take turns: one of the layers is frozen. */
static void take_turns(const run *r, moon_net *net, size_t i) {
  if (strncmp(r->t->name, "frozen by turns", strlen("frozen by turns")) != 0) return;
  for (size_t l = 0; l < moon_net_count(net); l++) {
    moon_parameter p;
    moon_layer *layer = moon_net_layer(net, l);
    bool trains = l != (i + 1) % moon_net_count(net);
    if (moon_layer_parameter(layer, 0, &p))
      TEAM_CHECK(moon_layer_set(layer, &(moon_option){"trainable", MOON_FLAG, trains, 0, NULL, NULL}) == MOON_OK);
  }
}

static void take_steps(run *r, moon_net *net, moon_dataset *data, moon_loss *loss, moon_optim *opt) {
  for (size_t i = 0, first = 0; i < r->steps; i++) {
    size_t count = ROWS - first < r->batch ? ROWS - first : r->batch;
    if (!first && !r->shards) moon_dataset_shuffle(data, 11, i);
    take_turns(r, net, i);
    TEAM_CHECK(moon_net_step_rows(net, &r->objective, data, first, count, loss, opt) == MOON_OK);
    first = first + count < ROWS ? first + count : 0;
  }
  r->penalty = moon_net_penalty(net);
  TEAM_CHECK(moon_net_evaluate(net, &r->evaluated, data, loss, r->batch) == MOON_OK);
  r->optim_steps = moon_optim_steps(opt);
}

static moon_optim *make_optim(moon_ctx *ctx, const char *text) {
  moon_optim *opt;
  char kind[16], name[32];
  double value = 0;
  int given = sscanf(text, "%15s %31s %lf", kind, name, &value);
  moon_option option = number(name, value);
  TEAM_CHECK(moon_optim_new(ctx, &opt, kind, &option, given == 3) == MOON_OK);
  return opt;
}

/* Of branches: 100 columns, and 28. */
static moon_loss *make_loss(moon_ctx *ctx, const training *t) {
  moon_loss *loss, *first, *second;
  moon_option reduction = text("reduction", t->reduction);
  size_t options = t->reduction ? 1 : 0;
  if (strcmp(t->loss, "heads") != 0) {
    TEAM_CHECK(moon_loss_new(ctx, &loss, t->loss, &reduction, options) == MOON_OK);
    return loss;
  }
  TEAM_CHECK(moon_loss_new(ctx, &first, "bce", &reduction, options) == MOON_OK);
  TEAM_CHECK(moon_loss_new(ctx, &second, "mse", &reduction, options) == MOON_OK);
  const moon_head heads[] = {{"first", first, 100, 1}, {"second", second, 28, 0.5}};
  TEAM_CHECK(moon_loss_heads(ctx, &loss, heads, 2) == MOON_OK);
  moon_loss_release(first);
  moon_loss_release(second);
  return loss;
}

static void *train(void *arg) {
  run *r = arg;
  moon_ctx *ctx;
  moon_optim *opt;
  TEAM_CHECK(moon_ctx_new(&ctx, &(moon_config){.threads = (int)r->threads, .seed = 1}) == MOON_OK);
  moon_net *net = make_net(r, ctx);
  moon_dataset *data = make_data(r, ctx);
  moon_loss *loss = make_loss(ctx, r->t);
  opt = make_optim(ctx, r->t->optim);
  moon_reducer reducer = r->own.team ? team_reducer(&r->own) : (moon_reducer){0};
  TEAM_CHECK(moon_net_set_reducer(net, r->own.team ? &reducer : NULL) == MOON_OK);
  take_steps(r, net, data, loss, opt);
  take_weights(r, net);
  moon_dataset_release(data);
  moon_optim_release(opt);
  moon_loss_release(loss);
  moon_net_release(net);
  moon_ctx_release(ctx);
  return NULL;
}

/* ---- comparing ---- */

static double error_of(const float *a, const float *b, size_t n) {
  double worst = 0, largest = 0;
  for (size_t i = 0; i < n; i++) {
    double error = fabs((double)a[i] - (double)b[i]);
    worst = error > worst || error != error ? error : worst;
    largest = fmax(largest, fabs((double)b[i]));
  }
  return worst / largest;
}

static bool same(const run *a, const run *b) {
  size_t bytes = a->count * sizeof *a->weights;
  return a->count == b->count && !memcmp(a->weights, b->weights, bytes) && !memcmp(a->grads, b->grads, bytes) &&
         a->objective == b->objective && a->penalty == b->penalty && a->evaluated == b->evaluated &&
         a->optim_steps == b->optim_steps;
}

static bool print;

/* Gradients may be off by more, since a divergence's is a difference of large numbers. They are compared after one or
** two steps. */
static void compare(const run *one, size_t ranks, double tolerance) {
  static run each[MAX_RANKS];
  team all = {.ranks = ranks};
  for (size_t r = 0; r < ranks; r++) each[r] = *one;
  team_run(&all, train, each, sizeof *each);
  double errors[] = {error_of(each[0].weights, one->weights, one->count),
                     one->steps > 2 ? 0 : error_of(each[0].grads, one->grads, one->count) / 4,
                     fabs(each[0].objective / one->objective - 1),
                     fabs(each[0].penalty - one->penalty) / one->objective,
                     fabs(each[0].evaluated / one->evaluated - 1)};
  bool good = true;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) good = good && errors[i] <= (ranks > 1 ? tolerance : 0);
  CHECK(good);
  CHECK(ranks > 1 || same(&each[0], one));
  for (size_t r = 1; r < ranks; r++) CHECK(same(&each[r], &each[0]));
  if (print || !good)
    printf("%s%-26s %zu ranks of %zu threads, batch %4zu, steps %3zu: weights %.1e, gradients %.1e, objective %.1e, "
           "penalty %.1e, evaluated %.1e\n",
           good ? "" : "FAILED ", one->t->name, ranks, one->threads, one->batch, one->steps, errors[0], errors[1],
           errors[2], errors[3], errors[4]);
}

static void compare_all(const training *t, size_t threads, size_t batch, size_t steps, double tolerance) {
  static run one;
  one = (run){.t = t, .threads = threads, .batch = batch, .steps = steps};
  train(&one);
  for (size_t ranks = 1; ranks <= (steps > 2 ? 3 : MAX_RANKS); ranks = ranks < 4 ? ranks + 1 : 2 * ranks)
    compare(&one, ranks, tolerance);
}

enum { FEW = 5, SOME = 120, MANY = 700 }; /* rows of a batch */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LONG = 5 }; /* steps */
#else
enum { LONG = 100 };
#endif

static void test_trainings(void) {
  for (size_t i = 0; i < sizeof trainings / sizeof *trainings; i++) {
    compare_all(&trainings[i], 1, 203, 1, 1e-6);
    compare_all(&trainings[i], 1, FEW, 1, 1e-6);
    compare_all(&trainings[i], 2, SOME, 1, 1e-6);
    compare_all(&trainings[i], 2, MANY, 2, 1e-6); /* the second batch has the remaining rows */
    compare_all(&trainings[i], 2, 250, LONG, 1e-5);
  }
  compare_all(&trainings[0], 3, SOME, 1, 1e-6);
  compare_all(&trainings[0], 3, MANY, 1, 1e-6);
}

/* These batches are divided among the workers of a rank in all three ways. */
static void test_splits(void) {
  run r = {.t = &trainings[0], .threads = 2};
  moon_ctx *ctx;
  size_t widths = 2 * (WIDTH + HIDDEN);
  CHECK(moon_ctx_new(&ctx, NULL) == MOON_OK);
  moon_net *net = make_net(&r, ctx);
  CHECK(mooni_choose_split(SOME / 2, net->param_floats, widths, 2, true) == MOONI_BY_COLUMNS);
  CHECK(mooni_choose_split(SOME / 4, net->param_floats, widths, 2, true) == MOONI_BY_COLUMNS);
  CHECK(mooni_choose_split(MANY / 2, net->param_floats, widths, 2, true) == MOONI_BY_ROWS);
  CHECK(mooni_choose_split(MANY / 4, net->param_floats, widths, 2, true) == MOONI_BY_ROWS);
  CHECK(mooni_choose_split(MANY / 8, net->param_floats, widths, 2, true) == MOONI_BY_COLUMNS);
  moon_net_release(net);
  moon_ctx_release(ctx);
}

static const training *find(const char *name) {
  size_t i = 0;
  while (strcmp(trainings[i].name, name) != 0) i++;
  return &trainings[i];
}

static void test_shards(void) {
  static run one;
  static const size_t shards[][MAX_RANKS] = {
      {ROWS}, {500, 703}, {1, 1200, 2}, {401, 401, 401}, {600, 1, 601, 1}, {150, 150, 150, 150, 150, 150, 150, 153}};
  static const size_t ranks[] = {1, 2, 3, 3, 4, 8}, batches[] = {FEW, 64, MANY};
  const training *kinds[] = {find("plain"), find("two divergences and more"), find("classifier"),
                             find("weighted and masked")};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
      for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        one = (run){.t = kinds[k], .threads = 1, .batch = batches[b], .steps = 3, .shards = shards[i]};
        one.ranks = ranks[i];
        train(&one);
        compare(&one, ranks[i], 1e-5);
      }
}

int main(int argc, char **argv) {
  (void)argv;
  print = argc > 1;
  test_splits();
  test_trainings();
  test_shards();
  return check_report();
}
