/* frozen_test.c - options that a host sets after construction, and frozen layers: their moments, memory, errors. */
#include <math.h>

#include "rig.h"

static moon_option flag(bool v) { return (moon_option){"trainable", MOON_FLAG, v, 0, NULL, NULL}; }

static void freeze(rig *r, size_t layer, bool frozen) {
  moon_option v = flag(!frozen);
  CHECK(moon_layer_set(r->layers[layer], &v) == MOON_OK);
}

static moon_tensor *tensor_of(const rig *r, size_t layer, size_t i) {
  moon_parameter p = {0};
  CHECK(moon_layer_parameter(r->layers[layer], i, &p));
  return p.value;
}

static bool has_moments(const rig *r, size_t layer) { return moon_optim_has(r->opt, tensor_of(r, layer, 0)); }

static void options_are_set(void) {
  rig r = make_rig(NULL);
  moon_option v, p = number("p", 0.5), bad = number("p", 2), in = number("in", 3), none = number("pp", 1);
  CHECK(moon_layer_set(r.layers[0], &p) == MOON_OK);
  CHECK(moon_layer_get(r.layers[0], "p", &v) == MOON_OK && v.number == 0.5);
  CHECK(moon_layer_set(r.layers[0], &bad) == MOON_ERANGE);
  CHECK(strcmp(moon_error(r.ctx), "masking_noise: p is 2, expected a number of at least 0 and at most 1") == 0);
  CHECK(moon_layer_set(r.layers[0], &none) == MOON_ERANGE);
  CHECK(strcmp(moon_error(r.ctx), "masking_noise: unknown option 'pp'; did you mean 'p'? (known: p)") == 0);
  CHECK(moon_layer_set(r.layers[1], &in) == MOON_ESTATE);
  CHECK(strcmp(moon_error(r.ctx), "dense: option 'in' is fixed at construction") == 0);
  moon_option wrong = text("trainable", "no");
  CHECK(moon_layer_set(r.layers[1], &wrong) == MOON_ETYPE);
  CHECK(moon_layer_get(r.layers[0], "p", &v) == MOON_OK && v.number == 0.5);
  free_rig(&r);
}

/* A pair can be set, and taken away as get gives it. */
static void a_pair_is_taken_away(void) {
  moon_ctx *ctx;
  moon_layer *layer;
  moon_option sigma = number("sigma", 1), v, clip = {"clip", MOON_RANGE, 0, 1, NULL, NULL};
  CHECK(moon_ctx_new(&ctx, NULL) == MOON_OK);
  CHECK(moon_layer_new(ctx, &layer, "gaussian_noise", &sigma, 1) == MOON_OK);
  CHECK(moon_layer_get(layer, "clip", &v) == MOON_OK && isnan(v.number));
  CHECK(moon_layer_set(layer, &clip) == MOON_OK && moon_layer_set(layer, &v) == MOON_OK);
  CHECK(moon_layer_get(layer, "clip", &v) == MOON_OK && isnan(v.number) && isnan(v.upper));
  clip.upper = (double)NAN;
  CHECK(moon_layer_set(layer, &clip) == MOON_ERANGE);
  moon_layer_release(layer);
  moon_ctx_release(ctx);
}

/* Layer 3 is tied to layer 2, which owns the weight. */
static void owners_decide(void) {
  rig r = make_rig(NULL);
  CHECK(moon_layer_trains(r.layers[3], 0) && moon_layer_trains(r.layers[3], 1) && !moon_layer_trains(r.layers[3], 2));
  CHECK(!moon_layer_trains(r.layers[0], 0));
  freeze(&r, 2, true);
  CHECK(!moon_layer_trains(r.layers[2], 0) && !moon_layer_trains(r.layers[2], 1));
  CHECK(!moon_layer_trains(r.layers[3], 0) && moon_layer_trains(r.layers[3], 1));
  CHECK(step(&r) == MOON_OK && !has_moments(&r, 2) && has_moments(&r, 1));
  CHECK(moon_optim_has(r.opt, tensor_of(&r, 3, 1)));
  moon_net *clone = NULL;
  CHECK(moon_net_clone(r.net, &clone) == MOON_OK && share(&r) == MOON_OK);
  CHECK(!moon_layer_trains(moon_net_layer(clone, 2), 0) && !moon_layer_trains(moon_net_layer(clone, 3), 0));
  CHECK(moon_layer_trains(moon_net_layer(clone, 1), 0) && !moon_layer_trains(moon_net_layer(r.share, 2), 0));
  moon_net_release(clone);
  free_rig(&r);
}

/* A step that trains a layer for the first time makes its moments; if it cannot, nothing has changed. After it nothing
** is allocated, whatever is frozen. */
static void memory(void) {
  rig r = make_rig(NULL);
  static float before[MAX_WEIGHTS], after[MAX_WEIGHTS];
  freeze(&r, 1, true);
  freeze(&r, 2, true);
  CHECK(step(&r) == MOON_OK && step(&r) == MOON_OK);
  size_t n = weights_of(before, r.net), used = moon_memory_used(r.ctx);
  freeze(&r, 1, false);
  moon_set_memory_limit(r.ctx, used);
  CHECK(step(&r) == MOON_ENOMEM && strstr(moon_error(r.ctx), "out of memory"));
  CHECK(weights_of(after, r.net) == n && memcmp(before, after, n * sizeof *before) == 0);
  CHECK(moon_optim_steps(r.opt) == 2);
  moon_set_memory_limit(r.ctx, 0);
  CHECK(step(&r) == MOON_OK && moon_memory_used(r.ctx) > used && has_moments(&r, 1) && !has_moments(&r, 2));
  used = moon_memory_used(r.ctx);
  freeze(&r, 1, true);
  CHECK(step(&r) == MOON_OK && moon_memory_used(r.ctx) == used);
  freeze(&r, 1, false);
  CHECK(step(&r) == MOON_OK && moon_memory_used(r.ctx) == used && moon_memory_peak(r.ctx) == used);
  free_rig(&r);
}

static void nothing_to_train(void) {
  rig r = make_rig(NULL);
  for (size_t i = 1; i < COUNT(r.layers); i++) freeze(&r, i, true);
  CHECK(step(&r) == MOON_ESTATE && step_rows(&r) == MOON_ESTATE);
  CHECK(strcmp(moon_error(r.ctx),
               "step: all layers are frozen, expected one to train: set a layer's trainable to true") == 0);
  CHECK(moon_net_plan(r.net, ROWS, WIDTH, r.loss, r.opt) == MOON_ESTATE);
  CHECK(moon_optim_steps(r.opt) == 0 && !has_moments(&r, 1));
  CHECK(evaluate(&r) == MOON_OK && predict(&r) == MOON_OK && backward(&r) == MOON_OK);
  freeze(&r, 4, false);
  CHECK(step(&r) == MOON_OK && has_moments(&r, 4));
  free_rig(&r);
}

/* A reducer of one rank that freezes a layer, or trains it again, while the step runs. */
static moon_status turn(void *ud, float *values, size_t n) {
  rig *r = ud;
  moon_option v = flag(!moon_layer_trains(r->layers[1], 0));
  (void)values;
  r->objective[1] = (double)n;
  return moon_layer_set(r->layers[1], &v);
}

static void it_holds_for_the_next_step(void) {
  rig r = make_rig(NULL);
  moon_reducer reducer = {sizeof reducer, 0, 1, turn, &r};
  double sent[2];
  CHECK(moon_net_set_reducer(r.net, &reducer) == MOON_OK);
  freeze(&r, 1, true);
  for (size_t i = 0; i < 4; i++) {
    CHECK(moon_layer_trains(r.layers[1], 0) == (i % 2 == 1));
    CHECK(step(&r) == MOON_OK && has_moments(&r, 1) == (i > 0));
    sent[i % 2] = r.objective[1];
  }
  CHECK(sent[1] - sent[0] == 24 * WIDTH + 24); /* nothing of a frozen layer is sent */
  free_rig(&r);
}

int main(void) {
  options_are_set();
  a_pair_is_taken_away();
  owners_decide();
  memory();
  nothing_to_train();
  it_holds_for_the_next_step();
  return check_report();
}
