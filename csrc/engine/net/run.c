/* run.c - a batch through a net: gather, forward, loss, backward, update. README.md tells why it is laid out like this.
**
** A batch is one job of the worker pool. Its parts meet between the layers if they are columns, and before the update
** if they are rows. */
#include "run.h"

#include <math.h>
#include <string.h>

#include "../core/ctx.h"
#include "../core/fpmode.h"
#include "../core/pool.h"
#include "../core/tensor.h"
#include "../kernels/table.h"
#include "branches.h"
#include "clip.h"
#include "dataset.h"
#include "heads.h"
#include "mask.h"
#include "ranks.h"

/* Does layer i pass x through unchanged? */
static bool idle(const moon_net *net, size_t i) { return net->layers[i]->class->training_only && !net->training; }

float *mooni_connect(moon_net *net, const float *x, float *y, bool training) {
  size_t last = net->count;
  net->training = training;
  for (size_t i = 0; i < net->count; i++)
    if (!idle(net, i)) last = i;
  for (size_t i = 0; i < net->count; i++) {
    mooni_place *s = &net->places[i];
    s->x = x;
    if (idle(net, i)) continue;
    if (net->layers[i]->class->role == MOONI_BRANCH)
      s->y = (float *)(uintptr_t)net->places[net->links[i].fork - 1].x;
    else
      s->y = i == last && y ? y : s->made;
    x = s->y;
  }
  return (float *)(uintptr_t)x;
}

/* One part of a batch. */
typedef struct mooni_part {
  mooni_batch *b;
  size_t index;
  mooni_portion own;
  mooni_pass pass; /* through a layer, if made; back: towards the input */
  bool made, back;
} part;

typedef mooni_stage stage;
typedef void stage_fn(part *p, const stage *s);

/* May each part read its own columns only of layer i's input? */
static bool takes_columns(const moon_net *net, size_t i) {
  return net->layers[i]->class->takes_columns && !mooni_forks(net, i);
}

/* Are a part's columns of layer i's output all that it needs for the layer above, or for the loss? Only training is by
** columns, so no layer is idle. */
static bool same_columns(const mooni_batch *b, size_t i) {
  const moon_net *net = b->net;
  const moon_layer *l = net->layers[i];
  bool last = i == net->count - 1;
  if (!l->class->gives_columns || !((last && b->fused) || l->class->gives_columns(l))) return false;
  return last ? !b->loss->class->rowwise : takes_columns(net, i + 1);
}

/* Do each part's columns lie apart (mooni_columns_of) in the input of layer i, or (i = count) of the loss? If the input
** is the target too, its layout must suit both. */
bool mooni_apart(const mooni_batch *b, size_t i) {
  const moon_net *net = b->net;
  if (b->split != MOONI_BY_COLUMNS) return false;
  if (i) return same_columns(b, i - 1);
  bool both = b->target.values == net->input;
  return takes_columns(net, 0) && (!both || same_columns(b, net->count - 1));
}

/* All fields are named, and *pass is written in place: to clear it first, or to copy it, would take longer than a layer
** of a few units. */
static inline void make_pass(mooni_pass *pass, const part *p, size_t i) {
  const mooni_batch *b = p->b;
  const moon_net *net = b->net;
  const mooni_place *s = &net->places[i];
  size_t r = p->own.first;
  *pass = (mooni_pass){.rows = p->own.rows,
                       .in = s->in,
                       .out = s->out,
                       .batch = b->rows + b->elsewhere,
                       .first = b->place + r,
                       .part = p->own.part,
                       .parts = p->own.parts,
                       .follows = b->follows,
                       .sums = b->ranks ? s->sums : NULL,
                       .kept = s->kept,
                       .x = s->x + r * s->in,
                       .y = s->y + r * s->out,
                       .scratch = s->scratch ? s->scratch + r * s->scratch_width : NULL,
                       .accumulate = s->accumulate,
                       .weights = !s->again && !b->follows && (b->split != MOONI_BY_ROWS || p->index == 0),
                       .training = net->training,
                       .seed = net->layers[i]->seed + s->seed,
                       .draw = net->draw,
                       .logits = b->fused && (i == net->count - 1 || (net->links && net->links[i].fused)),
                       .job = b,
                       .layer = i,
                       .step = mooni_padded(net->rows * net->widest),
                       .x_apart = mooni_apart(b, i),
                       .y_apart = mooni_apart(b, i + 1),
                       .spare = net->gradient[s->spare],
                       .dy = NULL,
                       .dx = NULL,
                       .centred = false,
                       .grad = {NULL, NULL, NULL, NULL},
                       .ready = NULL};
}

/* Parameter i's gradient in a set of those of all that are trained, one behind the other. */
static float *in_set(const moon_net *net, float *set, size_t i) {
  for (size_t k = 0; k < i; k++)
    if (net->trained[k]) set += net->values[k]->numel;
  return set;
}

/* The gradients that the ranks add up: they end where the tail begins. */
static float *rank_gradients(const mooni_batch *b) { return b->ranks->tail - b->net->trained_floats; }

/* Where the gradient of parameter i goes: to its tensor, or where the ranks add it up. */
static float *whole_grad(const mooni_batch *b, size_t i) {
  return b->ranks ? in_set(b->net, rank_gradients(b), i) : moon_tensor_float(b->net->grads[i]);
}

/* Where the part puts it. Part 0, or the only one, writes it to its place itself. */
static float *grad_of(const part *p, size_t i) {
  const moon_net *net = p->b->net;
  if (p->b->split != MOONI_BY_ROWS || p->index == 0) return whole_grad(p->b, i);
  return in_set(net, net->part_grads + (p->index - 1) * net->param_floats, i);
}

static double sum_of(const mooni_batch *b, const double *of_parts) {
  double sum = 0;
  for (size_t i = 0; i < b->parts; i++) sum += of_parts[i];
  return sum;
}

static double objective(const mooni_batch *b) { return sum_of(b, b->value) + sum_of(b, b->penalty); }

/* Only a finite objective leads to an update: another one would spoil the weights for good. All parts have met since
** the loss, so each sees the same sum. */
static bool is_finite(const mooni_batch *b) { return isfinite(objective(b)); }

/* Not by rows, a part has the complete gradient and updates at once, while the weights are in its cache. */
static void ready(const mooni_pass *pass, size_t i, mooni_patch patch) {
  const mooni_batch *b = pass->job;
  const moon_net *net = b->net;
  size_t k = net->places[pass->layer].param[i];
  if (net->uses[k] > 1 || !is_finite(b)) return;
  mooni_optim_update(b->opt, mooni_optim_segment(b->opt, net->values[k], k), pass->grad[i], patch, 1);
}

/* Clipping by a norm: no parameter is updated before all gradients are complete. */
static bool by_norm(const mooni_batch *b) { return b->opt && mooni_clips_by_norm(b->opt); }

/* A sum that is 0 must be 0: of its rounding errors adam would make whole steps. */
static bool is_centred(const moon_net *net, size_t i) {
  const moon_layer *above = i + 1 < net->count && !mooni_forks(net, i + 1) ? net->layers[i + 1] : NULL;
  return above && above->class->centres && above->class->whole_batch(above, net->training);
}

/* What backward needs besides: from dy to dx. */
static inline void turn_back(mooni_pass *pass, const part *p, const stage *s) {
  const mooni_batch *b = p->b;
  const moon_net *net = b->net;
  size_t offset = b->split == MOONI_BY_ROWS ? p->own.first * net->widest : 0;
  pass->dy = net->gradient[s->gradient] + offset;
  pass->centred = is_centred(net, s->layer);
  if (b->dx || mooni_trains_below(net, s->layer)) pass->dx = net->gradient[1 - s->gradient] + offset;
  for (size_t i = 0; i < net->layers[s->layer]->param_count; i++)
    if (net->trained[net->places[s->layer].param[i]]) pass->grad[i] = grad_of(p, net->places[s->layer].param[i]);
  if (b->opt && !b->ranks && b->split != MOONI_BY_ROWS && !by_norm(b)) pass->ready = ready;
}

/* The stage's pass through its layer. It is there if the stage before was in the same layer and direction. */
static const mooni_pass *pass_of(part *p, const stage *s, bool back) {
  if (p->made && p->pass.layer == s->layer && p->back == back) return &p->pass;
  make_pass(&p->pass, p, s->layer);
  if (back) turn_back(&p->pass, p, s);
  p->made = true;
  p->back = back;
  return &p->pass;
}

/* ---- the stages ----
** A batch goes through these, one after the other. Each call does one part. Their list, and where the parts meet on the
** way, is made for each batch. What lies between two meetings is a phase of the pool's job. */

/* to [rows x width] = the part's rows, or columns, of t. Returns where these are. */
static mooni_columns fetch(const part *p, float *to, bool parted, const moon_tensor *t, float scale) {
  const mooni_selection *rows = p->b->gather;
  size_t width = mooni_width(t);
  mooni_columns own = mooni_columns_of(to + p->own.first * width, p->own.rows, width, parted, p->own.part,
                                       p->own.parts);
  mooni_gather(p->b->net->ctx, own, t, rows->order, rows->first + p->own.first, p->own.rows, scale);
  return own;
}

/* The targets, whose bytes count as the loss says. */
static mooni_columns fetch_target(const part *p, const moon_tensor *t) {
  const mooni_batch *b = p->b;
  const mooni_selection *rows = b->gather;
  const mooni_heads *heads = mooni_heads_of(b->loss);
  bool parted = mooni_apart(b, b->net->count);
  if (!heads) return fetch(p, b->net->target, parted, t, mooni_target_scale(b->loss));
  size_t width = mooni_width(t);
  mooni_columns own = mooni_columns_of(b->net->target + p->own.first * width, p->own.rows, width, parted, p->own.part,
                                       p->own.parts);
  mooni_heads_gather(heads, own, t, rows->order, rows->first + p->own.first, p->own.rows);
  return own;
}

static void gather(part *p, const stage *s) {
  const mooni_batch *b = p->b;
  const mooni_selection *rows = b->gather;
  const moon_net *net = b->net;
  (void)s;
  fetch(p, net->input, mooni_apart(b, 0), rows->x, 255);
  if (rows->y && b->target.values) fetch_target(p, rows->y);
}

/* The same with a mask. The target is apart from the input, also where both are x. */
static void gather_present(part *p, const stage *s) {
  const mooni_batch *b = p->b;
  const mooni_selection *rows = b->gather;
  const moon_net *net = b->net;
  (void)s;
  mooni_columns x = fetch(p, net->input, mooni_apart(b, 0), rows->x, 255);
  mooni_columns t = fetch_target(p, rows->y ? rows->y : rows->x);
  mooni_mask_fill(x, p->own.rows);
  b->present[p->index] = (double)mooni_mask_count(t, p->own.rows);
}

static void forward(part *p, const stage *s) {
  const moon_layer *l = p->b->net->layers[s->layer];
  const mooni_pass *pass = pass_of(p, s, false);
  if (pass->rows) l->class->forward(l, pass);
}

static void complete(part *p, const stage *s) {
  const moon_layer *l = p->b->net->layers[s->layer];
  const mooni_pass *pass = pass_of(p, s, false);
  if (pass->rows) l->class->complete(l, pass);
}

static void add_penalty(part *p, const stage *s) {
  const moon_layer *l = p->b->net->layers[s->layer];
  const mooni_pass *pass = pass_of(p, s, false);
  if (pass->rows) p->b->penalty[p->index] += l->class->penalty(l, pass);
}

/* The factor of the loss: with a mask a mean is over the cells that are present, in the whole batch. */
static double loss_scale(const mooni_batch *b) {
  return b->mask && mooni_loss_is_mean(b->loss) ? 1 / fmax(sum_of(b, b->present), 1) : b->scale;
}

/* The loss of the part's rows; or of its columns, if it has just computed these outputs of the last layer itself. */
static void apply_loss(part *p, const stage *s) {
  mooni_batch *b = p->b;
  const moon_net *net = b->net;
  const mooni_place *last = &net->places[net->count - 1];
  (void)s;
  bool columns = mooni_apart(b, net->count);
  mooni_span rows = {p->own.first, p->own.first + p->own.rows};
  size_t parts = columns ? p->own.parts : 1, own = columns ? p->own.part : 0;
  if (b->split == MOONI_BY_COLUMNS && !columns) rows = mooni_span_of(b->rows, 1, p->own.part, p->own.parts);
  bool target_apart = mooni_apart(b, b->target.values == net->input ? 0 : net->count);
  mooni_columns y = mooni_columns_of(last->y, b->rows, last->out, columns, own, parts), t = {0}, g = {0};
  if (b->target.values) t = mooni_columns_of(b->target.values, b->rows, b->target.stride, target_apart, own, parts);
  if (b->backward) g = mooni_columns_of(net->gradient[0], b->rows, last->out, columns, own, parts);
  if (b->backward && b->split == MOONI_BY_ROWS) g.p += rows.from * (net->widest - last->out); /* as backward expects */
  mooni_target target = {.values = t.p ? t.p + rows.from * t.stride + t.from : NULL,
                         .labels = b->target.labels ? b->target.labels + rows.from : NULL,
                         .stride = t.stride,
                         .weights = b->target.weights ? b->target.weights + rows.from : NULL,
                         .batch = b->rows + b->elsewhere,
                         .heads = b->heads ? b->heads + p->index * MOONI_MAX_HEADS : NULL};
  mooni_loss_fn *apply = b->mask ? mooni_mask_loss : b->loss->class->apply;
  if (mooni_length(rows) && y.to > y.from)
    b->value[p->index] = mooni_loss_of_rows(apply, b->loss, g.p ? g.p + rows.from * g.stride + g.from : NULL,
                                            y.p + rows.from * y.stride + y.from, target, mooni_length(rows),
                                            y.to - y.from, y.stride, loss_scale(b), b->fused | b->loss->from_logits);
}

static void derive(part *p, const stage *s) {
  const moon_layer *l = p->b->net->layers[s->layer];
  const mooni_pass *pass = pass_of(p, s, true);
  if (pass->rows) l->class->derive(l, pass);
}

static void backward(part *p, const stage *s) {
  moon_layer *l = p->b->net->layers[s->layer];
  const mooni_pass *pass = pass_of(p, s, true);
  if (pass->rows) l->class->backward(l, pass);
}

/* ---- branches (branches.c) ---- */

/* The part's rows, counted from the batch's first one: they go by rows. */
static mooni_span whole_rows(const part *p) {
  const mooni_batch *b = p->b;
  if (b->split != MOONI_BY_COLUMNS) return (mooni_span){p->own.first, p->own.first + p->own.rows};
  return mooni_span_of(b->rows, MOONI_ROW_GRAIN, p->own.part, p->own.parts);
}

/* The part's rows in a gradient buffer, of rows so wide. */
static float *gradient_rows(const part *p, size_t buffer, size_t width) {
  const moon_net *net = p->b->net;
  size_t begin = whole_rows(p).from, rows = p->b->split == MOONI_BY_ROWS;
  return net->gradient[buffer] + (rows ? begin * net->widest : begin * width);
}

static void join(part *p, const stage *s) { mooni_branches_join(p->b->net, s->layer, whole_rows(p)); }

/* Back through a join or a branch. */
static void divide(part *p, const stage *s) {
  const mooni_batch *b = p->b;
  const moon_net *net = b->net;
  const mooni_place *place = &net->places[s->layer];
  float *dy = gradient_rows(p, s->gradient, place->out), *dx = gradient_rows(p, 1 - s->gradient, place->in);
  if (!b->dx && !mooni_trains_below(net, s->layer)) dx = NULL;
  if (net->layers[s->layer]->class->role == MOONI_JOIN) {
    mooni_branches_divide(net, s->layer, whole_rows(p), dy, dx);
  } else {
    bool kept = b->dx || mooni_trains_below(net, net->links[s->layer].fork - 1);
    mooni_branches_turn(net, s->layer, whole_rows(p), kept ? dy : NULL, dx);
  }
}

static void add_branches(part *p, const stage *s) {
  const moon_net *net = p->b->net;
  mooni_branches_add(net, s->layer, whole_rows(p), gradient_rows(p, s->gradient, net->places[s->layer].in));
}

static bool used_twice(const moon_net *net) {
  bool twice = false;
  for (size_t i = 0; i < net->param_count; i++) twice |= net->uses[i] > 1 && net->trained[i];
  return twice;
}

/* The part's elements of a parameter of n. */
static mooni_span span_of(const part *p, size_t n) {
  const mooni_batch *b = p->b;
  return mooni_span_of(n, by_norm(b) ? MOONI_CLIP_BLOCK : MOONI_COLUMN_GRAIN, p->index, b->parts);
}

/* By rows, each part sums up the gradients of its span of every parameter, and updates that. Otherwise only parameters
** that are used more than once are still to be updated. Over ranks, or if a norm is needed, it only sums up: update_all
** follows. */
static void update(part *p, const stage *s) {
  const mooni_batch *b = p->b;
  const moon_net *net = b->net;
  const float *sets = net->part_grads;
  bool rows = b->split == MOONI_BY_ROWS, updates = b->opt && !b->ranks && !by_norm(b) && is_finite(b);
  (void)s;
  for (size_t i = 0; i < net->param_count; i++) {
    if (!net->trained[i]) continue;
    size_t n = net->values[i]->numel;
    float *grad = whole_grad(b, i);
    mooni_span own = span_of(p, n);
    size_t length = mooni_length(own);
    for (size_t set = 0; rows && set + 1 < b->parts; set++)
      net->ctx->k->add(grad + own.from, sets + set * net->param_floats + own.from, length);
    if (rows) sets += n; /* else there are no sets */
    if (length && updates && (rows || net->uses[i] > 1))
      mooni_optim_update(b->opt, mooni_optim_segment(b->opt, net->values[i], i), grad,
                         (mooni_patch){own.from, 1, length, length}, 1);
  }
}

/* ---- updates that wait until all gradients are complete: by a norm, or over ranks ---- */

/* For norms: in blocks, so that the bits do not depend on the parts, nor on the ranks. A frozen parameter has none. */
static void add_up_squares(part *p, const stage *s) {
  const mooni_batch *b = p->b;
  const moon_net *net = b->net;
  double *squares = net->squares;
  (void)s;
  if (b->status != MOON_OK) return;
  for (size_t i = 0; i < net->param_count; i++) {
    if (!net->trained[i]) continue;
    size_t n = net->values[i]->numel;
    mooni_span own = span_of(p, n);
    for (size_t at = own.from; at < own.to; at += MOONI_CLIP_BLOCK)
      squares[at / MOONI_CLIP_BLOCK] = mooni_clip_squares(
          net->ctx, whole_grad(b, i) + at, own.to - at < MOONI_CLIP_BLOCK ? own.to - at : MOONI_CLIP_BLOCK);
    squares += mooni_clip_blocks(n);
  }
}

/* Add up the squares of each gradient; of all together. */
static double squares_of(const double *squares, size_t n) {
  double sum = 0;
  for (size_t k = 0; k < mooni_clip_blocks(n); k++) sum += squares[k];
  return sum;
}

static double all_squares(const mooni_batch *b) {
  const moon_net *net = b->net;
  const double *squares = net->squares;
  double sum = 0;
  for (size_t i = 0; by_norm(b) && i < net->param_count; i++) {
    if (!net->trained[i]) continue;
    sum += squares_of(squares, net->values[i]->numel);
    squares += mooni_clip_blocks(net->values[i]->numel);
  }
  return sum;
}

/* Does the batch count? A norm that is not finite could only spoil the weights. */
static bool updates(const mooni_batch *b, double squares) {
  return isfinite(squares) && (b->ranks ? b->status == MOON_OK && isfinite(b->objective) : is_finite(b));
}

/* Each part has a span of every parameter. */
static void update_all(part *p, const stage *s) {
  const mooni_batch *b = p->b;
  const moon_net *net = b->net;
  const double *squares = net->squares;
  (void)s;
  if (b->status != MOON_OK) return;
  double all = all_squares(b);
  bool updating = updates(b, all);
  for (size_t i = 0; i < net->param_count; i++) {
    if (!net->trained[i]) continue;
    size_t n = net->values[i]->numel;
    mooni_span own = span_of(p, n);
    size_t length = mooni_length(own);
    const float *grad = whole_grad(b, i);
    if (b->ranks) memcpy(moon_tensor_float(net->grads[i]) + own.from, grad + own.from, length * sizeof *grad);
    float factor = by_norm(b) ? mooni_clip_factor(b->opt, squares_of(squares, n), all) : 1;
    if (length && updating)
      mooni_optim_update(b->opt, mooni_optim_segment(b->opt, net->values[i], i), grad,
                         (mooni_patch){own.from, 1, length, length}, factor);
    squares += mooni_clip_blocks(n);
  }
}

/* ---- over ranks (ranks.c) ---- */

static void sum(part *p, const stage *s) {
  const moon_layer *l = p->b->net->layers[s->layer];
  const mooni_pass *pass = pass_of(p, s, s->round == MOONI_OF_DY);
  if (pass->rows) l->class->sum(l, pass, s->round);
}

static void add_up_sums(part *p, const stage *s) {
  mooni_batch *b = p->b;
  const moon_layer *l = b->net->layers[s->layer];
  float *sums = b->net->places[s->layer].sums;
  size_t n = mooni_layer_sums(l, s->round);
  for (mooni_round r = 0; r < s->round; r++) sums += mooni_layer_sums(l, r);
  if (!b->rows) memset(sums, 0, n * sizeof *sums);
  mooni_ranks_sum(b, sums, n);
}

static void add_up_present(part *p, const stage *s) {
  mooni_batch *b = p->b;
  (void)s;
  mooni_mask_sum(b, b->rows ? sum_of(b, b->present) : 0);
}

/* Now each rank has the gradients, the objective and the decision whether to update. */
static void add_up_gradients(part *p, const stage *s) {
  mooni_batch *b = p->b;
  moon_net *net = b->net;
  mooni_tally t = {sum_of(b, b->value), sum_of(b, b->penalty), b->rows, b->rows + b->elsewhere, b->failed};
  (void)s;
  if (b->status != MOON_OK) return;
  if (!b->rows) memset(rank_gradients(b), 0, net->trained_floats * sizeof(float));
  b->status = mooni_ranks_agree(net, rank_gradients(b), &t, b->what);
  b->objective = t.value + t.penalty;
  net->penalty = t.penalty;
  if (b->status == MOON_OK && isfinite(b->objective)) mooni_optim_begin(b->opt);
}

/* All parts have met since the loss; with a norm since the squares are there; over ranks all ranks have agreed. */
static void settle(part *p, const stage *s) {
  const mooni_batch *b = p->b;
  moon_layer *l = b->net->layers[s->layer];
  if (updates(b, all_squares(b))) l->class->settle(l, pass_of(p, s, false));
}

/* ---- their order ---- */

static void add_round(mooni_batch *b, stage_fn *run, size_t layer, mooni_round round) {
  b->net->stages[b->stages++] = (stage){run, layer, b->result, b->phases - 1, round, false};
}

static void add(mooni_batch *b, stage_fn *run, size_t layer) { add_round(b, run, layer, MOONI_ROUNDS); }

/* No part goes on before all have done what is in the list so far: end the phase. */
static void meet(mooni_batch *b) {
  if (b->stages && b->net->stages[b->stages - 1].phase == b->phases - 1) b->phases++;
}

/* What the calling thread does alone, after all parts have met: it calls the reducer. */
static void add_alone(mooni_batch *b, stage_fn *run, size_t layer, mooni_round round) {
  meet(b);
  add_round(b, run, layer, round);
  b->net->stages[b->stages - 1].alone = true;
  meet(b);
}

/* Does the batch train? A forward alone may. */
static bool trains(const mooni_batch *b) { return b->opt || (b->forward && !b->loss && b->net->training); }

static bool needs_whole_batch(const mooni_batch *b, size_t i) {
  const moon_layer *l = b->net->layers[i];
  return l->class->whole_batch && l->class->whole_batch(l, trains(b));
}

static void list_sums(mooni_batch *b, size_t i, mooni_round round) {
  if (!b->ranks || !mooni_layer_sums(b->net->layers[i], round) || !needs_whole_batch(b, i)) return;
  if (b->rows) add_round(b, sum, i, round);
  add_alone(b, add_up_sums, i, round);
}

static void list_gather(mooni_batch *b) {
  if (!b->gather) return;
  add(b, b->mask ? gather_present : gather, 0);
  if (!b->mask) return;
  if (b->ranks) add_alone(b, add_up_present, 0, MOONI_ROUNDS);
  meet(b); /* loss_scale adds up what all parts have counted */
}

static void list_forward(mooni_batch *b) {
  const moon_net *net = b->net;
  bool columns = b->split == MOONI_BY_COLUMNS;
  list_gather(b);
  if (columns && !takes_columns(net, 0)) meet(b);
  for (size_t i = 0; i < net->count; i++) {
    const mooni_layer_class *class = net->layers[i]->class;
    if (idle(net, i) || class->role == MOONI_BRANCH) continue;
    list_sums(b, i, MOONI_OF_X);
    list_sums(b, i, MOONI_OF_DEVIATIONS);
    add(b, class->role == MOONI_JOIN ? join : forward, i);
    if (class->complete && columns) meet(b);
    if (class->complete) add(b, complete, i);
    if (columns && !same_columns(b, i)) meet(b);
    list_sums(b, i, MOONI_OF_Y);
    if (class->penalty && b->penalties) add(b, add_penalty, i);
  }
}

/* From the output's gradient in gradient[0] to every parameter's, and to the input's if b->dx. */
static void list_backward(mooni_batch *b) {
  const moon_net *net = b->net;
  bool columns = b->split == MOONI_BY_COLUMNS;
  size_t lowest = b->dx ? 0 : net->trainable;
  for (size_t i = net->count; i-- > lowest;) {
    const moon_layer *l = net->layers[i];
    if (!idle(net, i) && (b->dx || !mooni_is_passive(net, i))) {
      if (l->class->derive) add(b, derive, i);
      if (columns && (l->class->derive || l->param_count)) meet(b); /* a parameter may be updated now: is_finite */
      list_sums(b, i, MOONI_OF_DY);
      add(b, l->class->role == MOONI_FUNCTION ? backward : divide, i);
      if (columns && i > lowest && !same_columns(b, i - 1)) meet(b);
      b->result = 1 - b->result;
    }
    if (!mooni_forks(net, i) || !(b->dx || mooni_trains_below(net, i))) continue;
    add(b, add_branches, i);
    if (columns) meet(b);
  }
}

/* All gradients are complete. */
static void list_waiting_update(mooni_batch *b) {
  if (by_norm(b)) {
    add(b, add_up_squares, 0);
    meet(b);
  }
  add(b, update_all, 0);
}

/* Pieces of the gradients could be summed where they are complete: after each layer of list_backward, an add_alone of
** the parameters that the layer is the last one to use, which lie together. */
static void list_update_all(mooni_batch *b) {
  if (b->rows && b->split == MOONI_BY_ROWS) {
    meet(b);
    add(b, update, 0);
  }
  add_alone(b, add_up_gradients, 0, MOONI_ROUNDS);
  list_waiting_update(b);
}

static void list_settle(mooni_batch *b) {
  for (size_t i = 0; i < b->net->count && trains(b); i++)
    if (b->net->layers[i]->class->settle && needs_whole_batch(b, i)) add(b, settle, i);
}

/* A rank without rows takes part in all that is summed over ranks. */
static void list_absence(mooni_batch *b) {
  const moon_net *net = b->net;
  if (b->mask) add_alone(b, add_up_present, 0, MOONI_ROUNDS);
  for (size_t i = 0; i < net->count; i++)
    for (mooni_round r = MOONI_OF_X; r <= MOONI_OF_Y; r++) list_sums(b, i, r);
  if (!b->opt) return;
  for (size_t i = net->count; i-- > net->trainable;)
    if (!mooni_is_passive(net, i)) list_sums(b, i, MOONI_OF_DY);
  list_update_all(b);
  list_settle(b);
}

static void list_update(mooni_batch *b) {
  bool norm = by_norm(b), rows = b->split == MOONI_BY_ROWS;
  if (!rows && !norm && !used_twice(b->net)) return;
  meet(b);
  if (rows || !norm) add(b, update, 0);
  if (norm) list_waiting_update(b);
}

static void list_stages(mooni_batch *b) {
  const moon_net *net = b->net;
  if (b->forward) list_forward(b);
  if (b->loss) add(b, apply_loss, 0);
  if (b->loss && b->split == MOONI_BY_COLUMNS && !mooni_apart(b, net->count)) meet(b);
  if (b->backward) list_backward(b);
  if (b->backward && b->ranks) list_update_all(b);
  if (b->backward && !b->ranks) list_update(b);
  list_settle(b);
}

static void run_phase(void *arg, size_t phase, size_t index) {
  mooni_batch *b = arg;
  part p;
  p.b = b;
  p.index = index;
  p.own = mooni_portion_of(b->split, b->rows, index, b->parts);
  p.made = false; /* p.pass need not be cleared: make_pass writes it */
  MOONI_FLUSHING;
  for (const stage *s = b->net->stages; s < b->net->stages + b->stages; s++)
    if (s->phase == phase) s->run(&p, s);
}

typedef struct phases {
  mooni_batch *b;
  size_t first;
} phases;

static void run_later_phase(void *arg, size_t phase, size_t index) {
  phases *some = arg;
  run_phase(some->b, some->first + phase, index);
}

static void run_phases(mooni_batch *b, size_t from, size_t to) {
  if (to > from) mooni_pool_run(b->net->ctx, b->parts, to - from, run_later_phase, &(phases){b, from});
}

/* Some stages are for the calling thread: between them lie jobs of the pool. */
static void run_over_ranks(mooni_batch *b) {
  size_t from = 0;
  part p = {.b = b};
  for (const stage *s = b->net->stages; s < b->net->stages + b->stages; s++) {
    if (!s->alone) continue;
    run_phases(b, from, s->phase);
    s->run(&p, s);
    from = s->phase + 1;
  }
  run_phases(b, from, b->phases);
}

void mooni_run(mooni_batch *b) {
  moon_net *net = b->net;
  double value[MOONI_MAX_PARTS], penalty[MOONI_MAX_PARTS], present[MOONI_MAX_PARTS];
  b->parts = mooni_parts(net, b->split);
  b->value = value;
  b->penalty = penalty;
  b->present = present;
  for (size_t i = 0; i < b->parts; i++) value[i] = penalty[i] = 0;
  if (b->forward && net->training) net->draw++;
  if (b->opt && !b->ranks) mooni_optim_begin(b->opt);
  b->stages = b->result = 0;
  b->phases = 1;
  if (b->ranks && !b->rows)
    list_absence(b);
  else
    list_stages(b);
  if (b->ranks) run_over_ranks(b);
  if (b->ranks && b->opt) { /* add_up_gradients has set the results */
    if (b->status == MOON_OK && isfinite(b->objective) && !isfinite(all_squares(b))) b->opt->steps--;
    return;
  }
  if (!b->ranks) mooni_pool_run(net->ctx, b->parts, b->phases, run_phase, b);
  b->objective = objective(b);
  b->all_penalties = sum_of(b, b->penalty);
  if (b->mask) b->all_present = sum_of(b, b->present);
  if (b->opt && !(isfinite(b->objective) && isfinite(all_squares(b)))) b->opt->steps--;
  if (b->forward) net->penalty = b->all_penalties;
}
