/* plan.c - dividing a batch among workers, and allocating all that it needs.
**
** Everything that can fail fails here: shapes, memory, BLIS's buffers, threads. What runs afterwards allocates
** nothing. */
#include "plan.h"

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/pool.h"
#include "../core/tensor.h"
#include "clip.h"

/* ---- how to divide ----
** By columns, activations and their gradients travel between cores, and the parts meet at each layer. By rows, the
** gradients of all parameters travel, and then the parameters. Small batches have few activations, large ones many. A
** part that is too small is not worth a meeting. */

mooni_split mooni_choose_split(size_t rows, size_t params, size_t widths, size_t threads, bool training) {
  enum { WORTH_FLOPS = 4000000 };
  double flops = (training ? 6. : 2.) * (double)params * (double)rows;
  if (threads <= 1 || flops < WORTH_FLOPS) return MOONI_SERIAL;
  bool enough_rows = rows >= 2 * MOONI_ROW_GRAIN * threads;
  if (!training) return enough_rows ? MOONI_BY_ROWS : MOONI_SERIAL;
  return enough_rows && 2. * (double)params < (double)rows * (double)widths ? MOONI_BY_ROWS : MOONI_BY_COLUMNS;
}

/* Does a layer, or its penalty, need all rows of the batch? */
static bool whole_batch(const moon_net *net, bool training) {
  bool whole = false;
  for (size_t i = 0; i < net->count; i++) {
    const moon_layer *l = net->layers[i];
    whole |= l->class->whole_batch && l->class->whole_batch(l, training);
  }
  return whole;
}

/* A forward alone is never by columns: it has no buffers for partial sums. */
static mooni_split choose(const moon_net *net, size_t rows, bool step, bool training, bool penalties) {
  size_t widths = 0;
  for (size_t i = 0; i < net->count; i++) widths += net->places[i].in + net->places[i].out;
  mooni_split split = mooni_choose_split(rows, net->param_floats, widths, (size_t)net->ctx->threads, step);
  if (split != MOONI_BY_ROWS || !penalties || !whole_batch(net, training)) return split;
  return step ? MOONI_BY_COLUMNS : MOONI_SERIAL;
}

size_t mooni_parts(const moon_net *net, mooni_split split) {
  return split == MOONI_SERIAL ? 1 : (size_t)net->ctx->threads;
}

/* ---- planning ---- */

static float *carve(float **at, size_t floats) {
  float *p = *at;
  *at += mooni_padded(floats);
  return p;
}

static size_t kept_of(const moon_layer *layer) { return layer->class->kept ? layer->class->kept(layer) : 0; }

/* Set all widths for an input of width in; *row = the floats of one row in the arena, *fixed = those of no row. */
static moon_status measure(moon_net *net, size_t in, size_t *row, size_t *fixed) {
  MOONI_TRY(mooni_set_widths(net, in));
  net->widest = in;
  *row = *fixed = 0;
  for (size_t i = 0; i < net->count; i++) {
    mooni_place *s = &net->places[i];
    const mooni_layer_class *class = net->layers[i]->class;
    s->scratch_width = class->scratch ? class->scratch(net->layers[i], s->in) : 0;
    if (class->role == MOONI_JOIN) s->scratch_width = s->out;
    if (s->out > net->widest) net->widest = s->out;
    *row += s->out + s->scratch_width;
    *fixed += kept_of(net->layers[i]);
  }
  *row += in + net->widest + 1; /* input, targets and weight */
  return MOON_OK;
}

static moon_status plan_buffers(moon_net *net, size_t rows, size_t in) {
  if (rows <= net->rows && in == net->in) return MOON_OK;
  size_t row, fixed, floats;
  net->rows = 0; /* until all is allocated: the widths are about to change */
  net->planned.rows = 0;
  net->forward_rows = 0;
  net->gradient_rows = 0;
  MOONI_TRY(measure(net, in, &row, &fixed));
  if (!mooni_mul(&floats, rows, row) || floats > SIZE_MAX / 8) return mooni_nomem(net->ctx, SIZE_MAX);
  floats += fixed + 16 * (3 * net->count + 3);
  float *arena = mooni_calloc(net->ctx, floats, sizeof *arena);
  if (!arena) return mooni_nomem(net->ctx, floats * sizeof *arena);
  mooni_free(net->ctx, net->arena);
  net->arena = arena;
  net->rows = rows;
  net->in = in;
  net->input = carve(&arena, rows * in);
  net->target = carve(&arena, rows * net->widest);
  net->weights = carve(&arena, rows);
  for (size_t i = 0; i < net->count; i++) {
    mooni_place *s = &net->places[i];
    s->made = s->y = carve(&arena, rows * s->out);
    s->scratch = s->scratch_width ? carve(&arena, rows * s->scratch_width) : NULL;
    s->kept = kept_of(net->layers[i]) ? carve(&arena, kept_of(net->layers[i])) : NULL;
  }
  return MOON_OK;
}

static moon_status plan_gradients(moon_net *net, size_t parts) {
  if (net->gradient_rows == net->rows && net->gradient_parts >= parts) return MOON_OK;
  size_t floats = parts * mooni_padded(net->rows * net->widest);
  float *p = mooni_calloc(net->ctx, 2 * floats, sizeof *p);
  if (!p) return mooni_nomem(net->ctx, 2 * floats * sizeof *p);
  mooni_free(net->ctx, net->gradient[0]);
  net->gradient[0] = p;
  net->gradient[1] = p + floats;
  net->gradient_rows = net->rows;
  net->gradient_parts = parts;
  return MOON_OK;
}

static moon_status plan_part_grads(moon_net *net, size_t sets) {
  if (sets <= net->part_grad_sets) return MOON_OK;
  float *p = mooni_calloc(net->ctx, sets * net->param_floats, sizeof *p);
  if (!p) return mooni_nomem(net->ctx, sets * net->param_floats * sizeof *p);
  mooni_free(net->ctx, net->part_grads);
  net->part_grads = p;
  net->part_grad_sets = sets;
  return MOON_OK;
}

static moon_status plan_squares(moon_net *net) {
  size_t blocks = 0;
  for (size_t i = 0; i < net->param_count; i++) blocks += mooni_clip_blocks(net->values[i]->numel);
  net->squares = mooni_calloc(net->ctx, blocks + 1, sizeof *net->squares);
  return net->squares ? MOON_OK : mooni_nomem(net->ctx, blocks * sizeof *net->squares);
}

static moon_status plan_update(moon_net *net, moon_optim *opt) {
  if (mooni_clips_by_norm(opt) && !net->squares) MOONI_TRY(plan_squares(net));
  return mooni_optim_reserve(opt, net->values, net->trained, net->param_count);
}

mooni_portion mooni_portion_of(mooni_split split, size_t rows, size_t index, size_t count) {
  if (split != MOONI_BY_ROWS) return (mooni_portion){0, rows, index, count};
  mooni_span own = mooni_span_of(rows, MOONI_ROW_GRAIN, index, count);
  return (mooni_portion){own.from, mooni_length(own), 0, 1};
}

/* Batch after batch asks for the same plan. What it needs of a layer never changes: widths, activation, tied; but when
** a layer is no longer frozen, those behind it need the gradient of their input. */
static bool is_planned(const mooni_planned *p, const mooni_planned *wanted) {
  return p->rows == wanted->rows && p->parts == wanted->parts && p->by_rows == wanted->by_rows &&
         p->backward >= wanted->backward && p->dx >= wanted->dx &&
         (!wanted->backward || p->dx || p->trainable <= wanted->trainable);
}

static moon_status plan_layers(moon_net *net, mooni_split split, size_t rows, bool backward, bool dx) {
  size_t count = mooni_parts(net, split);
  mooni_plan plan = {net->ctx, count, MOON_OK};
  mooni_planned wanted = {rows, count, net->trainable, split == MOONI_BY_ROWS, backward, dx};
  MOONI_TRY(mooni_pool_plan(net->ctx, count));
  if (is_planned(&net->planned, &wanted)) return MOON_OK;
  for (size_t index = 0; index < count; index++) {
    mooni_portion own = mooni_portion_of(split, rows, index, count);
    for (size_t i = 0; i < net->count && plan.status == MOON_OK; i++) {
      const moon_layer *l = net->layers[i];
      if (l->class->plan_forward) l->class->plan_forward(l, &plan, own.rows, own.part, own.parts);
      if (backward && l->class->plan_backward)
        l->class->plan_backward(l, &plan, own.rows, own.part, own.parts, dx || i > net->trainable);
    }
  }
  if (plan.status == MOON_OK) net->planned = wanted;
  return plan.status;
}

moon_status mooni_plan_forward(moon_net *net, mooni_split *split, size_t rows, size_t in, bool training,
                               bool penalties) {
  MOONI_TRY(plan_buffers(net, rows, in));
  *split = choose(net, rows, false, training, penalties);
  return plan_layers(net, *split, rows, false, false);
}

moon_status mooni_plan_lane(moon_net *net, size_t rows, size_t in, size_t callers) {
  mooni_plan plan = {net->ctx, callers, MOON_OK};
  MOONI_TRY(mooni_pool_plan(net->ctx, callers));
  MOONI_TRY(plan_buffers(net, rows, in));
  for (size_t i = 0; i < net->count && plan.status == MOON_OK; i++) {
    const moon_layer *l = net->layers[i];
    if (l->class->plan_forward) l->class->plan_forward(l, &plan, rows, 0, 1);
  }
  return plan.status;
}

moon_status mooni_want_own_weights(const moon_net *net, const char *what) {
  if (!net->frozen) return MOON_OK;
  return mooni_fail(net->ctx, MOON_ESTATE,
                    "%sthe net shares its weights with other contexts (moon_net_share) and cannot be trained", what);
}

moon_status mooni_plan_backward(moon_net *net, size_t rows, bool dx) {
  MOONI_TRY(plan_layers(net, MOONI_SERIAL, rows, true, dx));
  return plan_gradients(net, 1);
}

moon_status mooni_plan_step(moon_net *net, mooni_split *split, size_t rows, size_t in, moon_optim *opt) {
  MOONI_TRY(mooni_want_own_weights(net, ""));
  *split = MOONI_SERIAL;
  if (net->param_count && net->trainable == net->count)
    return mooni_fail(net->ctx, MOON_ESTATE,
                      "all layers are frozen, expected one to train: set a layer's trainable to true");
  if (!rows) return plan_update(net, opt);
  MOONI_TRY(plan_buffers(net, rows, in));
  *split = choose(net, rows, true, true, true);
  size_t count = mooni_parts(net, *split);
  MOONI_TRY(plan_layers(net, *split, rows, true, false));
  MOONI_TRY(plan_gradients(net, *split == MOONI_BY_COLUMNS ? count : 1));
  if (*split == MOONI_BY_ROWS) MOONI_TRY(plan_part_grads(net, count - 1));
  return plan_update(net, opt);
}

moon_status moon_net_plan(moon_net *net, size_t rows, size_t in, const moon_loss *loss, moon_optim *opt) {
  MOONI_IEEE;
  mooni_split split;
  (void)loss; /* no loss needs memory */
  if (!in) in = net->inputs;
  if (!rows || !in) return mooni_fail(net->ctx, MOON_ESHAPE, "plan: expected at least one row and a width");
  mooni_find_trained(net);
  if (opt) return mooni_plan_step(net, &split, rows, in, opt);
  MOONI_TRY(mooni_plan_forward(net, &split, rows, in, false, true)); /* evaluate and predict may divide differently */
  return mooni_plan_forward(net, &split, rows, in, false, false);
}
