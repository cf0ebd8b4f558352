/* step.c - training and judging a net: forward, backward, step, evaluate. */
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/tensor.h"
#include "dataset.h"
#include "heads.h"
#include "mask.h"
#include "meter.h"
#include "ranks.h"

/* ---- forward and backward by themselves ---- */

moon_status moon_net_forward(moon_net *net, moon_tensor *y, const moon_tensor *x, bool training) {
  MOONI_IEEE;
  size_t width;
  mooni_split split;
  MOONI_TRY(mooni_interrupted(net->ctx));
  MOONI_TRY(mooni_check_input(net, x, "forward"));
  MOONI_TRY(mooni_net_width(net, &width, x->shape[1]));
  MOONI_TRY(mooni_check_output(net, y, x->shape[0], width, "forward"));
  MOONI_TRY(mooni_want_writable(y, "forward"));
  mooni_selection all = {.x = x, .count = x->shape[0]};
  MOONI_TRY(mooni_plan_forward(net, &split, all.count, x->shape[1], training, true));
  const float *result = mooni_connect(net, net->input, NULL, training);
  mooni_batch b = {.net = net, .split = split, .rows = all.count, .gather = &all, .penalties = true, .forward = true};
  mooni_run(&b);
  net->forward_rows = all.count;
  memcpy(moon_tensor_float(y), result, all.count * width * sizeof(float));
  return MOON_OK;
}

moon_status moon_net_backward(moon_net *net, moon_tensor *dx, const moon_tensor *dy) {
  MOONI_FLUSHING;
  size_t rows = net->forward_rows, out = net->places[net->count - 1].out;
  MOONI_TRY(mooni_want_own_weights(net, "backward: "));
  if (!rows)
    return mooni_fail(net->ctx, MOON_ESTATE,
                      "backward: expected a forward before it; a step, predict or evaluate overwrites its buffers");
  MOONI_TRY(mooni_check_output(net, dy, rows, out, "backward: gradient of the"));
  if (dx) MOONI_TRY(mooni_check_output(net, dx, rows, net->in, "backward: gradient of the input:"));
  if (dx) MOONI_TRY(mooni_want_writable(dx, "backward"));
  mooni_find_trained(net);
  MOONI_TRY(mooni_plan_backward(net, rows, dx != NULL));
  memcpy(net->gradient[0], moon_tensor_float(dy), rows * out * sizeof(float));
  mooni_batch b = {.net = net, .split = MOONI_SERIAL, .rows = rows, .backward = true, .dx = dx != NULL};
  mooni_run(&b);
  if (dx) memcpy(moon_tensor_float(dx), net->gradient[b.result], rows * net->in * sizeof(float));
  return MOON_OK;
}

/* ---- batches with a loss ---- */

static moon_status check_target(const moon_net *net, const mooni_selection *from, const moon_loss *loss, size_t out) {
  const moon_tensor *y = from->y ? from->y : from->x;
  char text[MOONI_SHAPE_TEXT];
  if (from->y && y->shape[0] != from->x->shape[0])
    return mooni_fail(net->ctx, MOON_ESHAPE, "target has %zu rows, expected %zu as the input", y->shape[0],
                      from->x->shape[0]);
  if (mooni_heads_of(loss)) return mooni_heads_check_target(mooni_heads_of(loss), y, out);
  if (mooni_are_labels(loss, y, out) || (y->rank == 2 && y->shape[1] == out)) return MOON_OK;
  return mooni_fail(net->ctx, MOON_ESHAPE, "target is %s, expected [rows x %zu]%s", mooni_tensor_text(text, y), out,
                    loss->class->takes_labels ? ", or class numbers [rows]" : "");
}

static bool takes_over(const moon_net *net, const moon_loss *loss) {
  const moon_layer *last = net->layers[net->count - 1];
  return last->class->activation && mooni_loss_fuses(loss, last->class->activation(last));
}

static void set_weights(mooni_batch *b, const mooni_selection *from) {
  float *weights = b->net->weights;
  if (!from->weights) return;
  for (size_t i = 0; i < from->count; i++)
    weights[i] = from->weights[from->order ? from->order[from->first + i] : from->first + i];
  b->target.weights = weights;
}

/* Point the batch to its targets and weights; labels are checked and read now. */
static moon_status set_target(mooni_batch *b, const mooni_selection *from, size_t out) {
  moon_net *net = b->net;
  if (from->mask) MOONI_TRY(mooni_mask_check(b->loss));
  set_weights(b, from);
  b->target.stride = from->y ? mooni_width(from->y) : out;
  const mooni_heads *heads = mooni_heads_of(b->loss);
  if (heads && from->y) MOONI_TRY(mooni_heads_check_labels(heads, from->y, from->order, from->first, from->count));
  if (heads) b->fused = mooni_heads_fuse(heads, net);
  if (!from->y || !mooni_are_labels(b->loss, from->y, out)) {
    b->target.values = from->y || from->mask ? net->target : net->input;
    return MOON_OK;
  }
  uint32_t *labels = (uint32_t *)net->target;
  b->target.labels = labels;
  return mooni_read_labels(labels, from->y, 0, from->order, from->first, from->count, out);
}

/* Rows that are read are read first: the reader may use the net. */
static moon_status stage(const moon_net *net, mooni_selection *from, const moon_dataset *data, const char *what) {
  moon_status status = mooni_dataset_stage(data, from);
  return status == MOON_OK ? status : mooni_prepend(net->ctx, status, "%s: ", what);
}

/* Do all of a batch that can fail. opt NULL: to evaluate. what begins the messages. */
static moon_status prepare(moon_net *net, mooni_batch *b, const mooni_selection *from, const moon_loss *loss,
                           moon_optim *opt, const char *what) {
  size_t in, out;
  MOONI_TRY(mooni_interrupted(net->ctx));
  MOONI_TRY(mooni_check_input(net, from->x, what));
  in = from->x->shape[1];
  MOONI_TRY(mooni_net_width(net, &out, in));
  moon_status status = check_target(net, from, loss, out);
  *b = (mooni_batch){.net = net,
                     .rows = from->count,
                     .gather = from,
                     .penalties = true,
                     .forward = true,
                     .loss = loss,
                     .fused = takes_over(net, loss),
                     .scale = mooni_loss_scale(loss, from->count + from->elsewhere, out),
                     .backward = opt != NULL,
                     .opt = opt,
                     .ranks = net->ranks,
                     .place = from->place,
                     .elsewhere = from->elsewhere,
                     .follows = from->follows,
                     .mask = from->mask,
                     .what = what};
  if (status == MOON_OK && (opt || from->count))
    status = opt ? mooni_plan_step(net, &b->split, from->count, in, opt)
                 : mooni_plan_forward(net, &b->split, from->count, in, false, true);
  net->forward_rows = 0; /* the buffers are about to change */
  if (status == MOON_OK) status = set_target(b, from, out);
  if (status == MOON_OK) status = mooni_meter_plan(b);
  if (status != MOON_OK) return mooni_prepend(net->ctx, status, "%s: ", what);
  mooni_connect(net, net->input, NULL, opt != NULL);
  return MOON_OK;
}

/* ---- with ranks ---- */

/* From a whole batch to this rank's rows. What fails here, or has failed before (status), fails in all ranks: this one
** takes part in the sums with zeros. */
static void prepare_own(moon_net *net, mooni_batch *b, mooni_selection *from, const moon_dataset *data,
                        const moon_loss *loss, moon_optim *opt, const char *what, moon_status status) {
  if (status == MOON_OK) status = mooni_ranks_slice(net, from, data, what);
  if (status == MOON_OK) status = stage(net, from, data, what);
  mooni_find_trained(net); /* also after a failure: all ranks send as many gradients */
  if (status == MOON_OK) status = prepare(net, b, from, loss, opt, what);
  if (status != MOON_OK)
    *b = (mooni_batch){.net = net, .opt = opt, .ranks = net->ranks, .mask = from->mask, .what = what, .failed = status};
}

static moon_status step_over_ranks(moon_net *net, double *objective, mooni_selection from, const moon_dataset *data,
                                   const moon_loss *loss, moon_optim *opt, moon_status status) {
  mooni_batch b;
  uint64_t draw = net->draw;
  prepare_own(net, &b, &from, data, loss, opt, "step", status);
  mooni_run(&b);
  if (b.status == MOON_OK) mooni_meter_take(&b);
  if (b.status != MOON_OK)
    net->draw = draw; /* the next step has the same noise in every rank */
  else if (objective)
    *objective = b.objective;
  return b.status;
}

static mooni_selection select_rows(const moon_dataset *data, size_t first, size_t count) {
  return (mooni_selection){.x = data->x,
                           .y = data->y,
                           .order = data->order,
                           .first = first,
                           .count = count,
                           .weights = data->weights,
                           .mask = data->mask};
}

/* What the batches of an evaluation add up to. A mean over the cells that are present is one over all batches, which
** may have more or fewer of them: then `weight` is what they are worth in whole rows. */
typedef struct sums {
  double value, penalty, weight;
} sums;

static void add_batch(sums *s, const mooni_batch *b, size_t count, const moon_dataset *data, const moon_loss *loss) {
  double weight = (double)count, penalty = 0;
  if (data->mask && mooni_loss_is_mean(loss)) {
    weight = b->all_present / (double)mooni_width(data->y ? data->y : data->x);
    penalty = b->all_penalties;
  }
  s->value += (b->objective - penalty) * weight;
  s->penalty += penalty * (double)count;
  s->weight += weight;
}

static double average(const sums *s, size_t rows) {
  return (s->weight > 0 ? s->value / s->weight : 0) + s->penalty / (double)rows;
}

/* Each rank adds up its part of every batch; what they make together is known at the end. */
static moon_status evaluate_over_ranks(moon_net *net, double *objective, const moon_dataset *data,
                                       const moon_loss *loss, size_t size) {
  mooni_tally t = {.batch = moon_dataset_rows(data)};
  sums all = {0};
  for (size_t first = 0; first < t.batch; first += size) {
    size_t count = t.batch - first < size ? t.batch - first : size;
    mooni_selection from = select_rows(data, first, count);
    mooni_batch b;
    prepare_own(net, &b, &from, data, loss, NULL, "evaluate", t.failed);
    mooni_run(&b);
    if (b.status != MOON_OK) return b.status;
    mooni_meter_take(&b);
    t.failed = b.failed;
    add_batch(&all, &b, count, data, loss);
    t.rows += b.rows;
  }
  t.value = all.value;
  t.penalty = all.penalty;
  MOONI_TRY(mooni_ranks_agree(net, net->ranks->tail, &t, "evaluate"));
  all.value = t.value;
  all.penalty = t.penalty;
  *objective = average(&all, t.batch);
  return MOON_OK;
}

/* ---- step and evaluate ---- */

/* status: of the caller's checks. */
static moon_status step(moon_net *net, double *objective, mooni_selection *from, const moon_dataset *data,
                        const moon_loss *loss, moon_optim *opt, moon_status status) {
  MOONI_IEEE;
  mooni_batch b;
  if (net->ranks) return step_over_ranks(net, objective, *from, data, loss, opt, status);
  MOONI_TRY(status);
  MOONI_TRY(stage(net, from, data, "step"));
  mooni_find_trained(net); /* after the reader, which may have trained the net */
  MOONI_TRY(prepare(net, &b, from, loss, opt, "step"));
  mooni_run(&b);
  mooni_meter_take(&b);
  if (objective) *objective = b.objective;
  return MOON_OK;
}

moon_status moon_net_step(moon_net *net, double *objective, const moon_tensor *x, const moon_tensor *y,
                          const moon_loss *loss, moon_optim *opt) {
  moon_status status = MOON_OK;
  if (y && (y->rank < 1 || y->rank > 2 || x->rank != 2)) {
    char xt[MOONI_SHAPE_TEXT], yt[MOONI_SHAPE_TEXT];
    status = mooni_fail(net->ctx, MOON_ESHAPE, "step: input is %s and target %s, expected rows",
                        mooni_tensor_text(xt, x), mooni_tensor_text(yt, y));
  }
  return step(net, objective, &(mooni_selection){.x = x, .y = y, .count = mooni_rows(x)}, NULL, loss, opt, status);
}

/* Shards make sense only where all ranks take their part of a batch. */
static moon_status check_whole(const moon_net *net, const moon_dataset *data, const char *what) {
  if (!data->shards || net->ranks) return MOON_OK;
  return mooni_fail(net->ctx, MOON_ESTATE,
                    "%s: the dataset is a shard of %zu, but the net has no reducer (moon_net_set_reducer)", what,
                    data->shard_count);
}

moon_status moon_net_step_rows(moon_net *net, double *objective, const moon_dataset *data, size_t first, size_t count,
                               const moon_loss *loss, moon_optim *opt) {
  size_t rows = moon_dataset_rows(data);
  moon_status status = check_whole(net, data, "step");
  if (!count || first >= rows || count > rows - first)
    status = mooni_fail(net->ctx, MOON_ERANGE, "step: rows %zu to %zu, but the dataset has %zu", first + 1,
                        first + count, rows);
  mooni_selection from = select_rows(data, first, count);
  return step(net, objective, &from, data, loss, opt, status);
}

moon_status moon_net_evaluate(moon_net *net, double *objective, const moon_dataset *data, const moon_loss *loss,
                              size_t size) {
  MOONI_IEEE;
  sums all = {0};
  if (!size) size = 32;
  if (net->ranks) return evaluate_over_ranks(net, objective, data, loss, size);
  MOONI_TRY(check_whole(net, data, "evaluate"));
  for (size_t first = 0; first < data->rows; first += size) {
    size_t count = data->rows - first < size ? data->rows - first : size;
    mooni_selection from = select_rows(data, first, count);
    mooni_batch b;
    MOONI_TRY(stage(net, &from, data, "evaluate"));
    MOONI_TRY(prepare(net, &b, &from, loss, NULL, "evaluate"));
    mooni_run(&b);
    mooni_meter_take(&b);
    add_batch(&all, &b, count, data, loss);
  }
  *objective = average(&all, data->rows);
  return MOON_OK;
}
