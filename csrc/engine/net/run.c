/* run.c - a batch through a net: plan, forward, loss, backward, update.
**
** Everything that can fail, fails while planning: shapes, memory, BLIS's own buffers, threads. What runs after it
** allocates nothing. A step is one job of the worker pool, divided into parts, which meet between the layers if they
** are columns, and before the update if they are rows. */
#include <math.h>
#include <string.h>

#include "../core/fpmode.h"
#include "net.h"

/* ---- how to divide ----
** By columns, activations and their gradients travel between the cores, and the parts meet at each layer; by rows, the
** gradients of all parameters travel, and then the parameters. Small batches have few activations, large ones many.
** A part that is too small is not worth the meeting. */

mooni_split mooni_choose_split(size_t rows, size_t params, size_t widths, size_t threads, bool training) {
  enum { WORTH_FLOPS = 4000000 };
  double flops = (training ? 6. : 2.) * (double)params * (double)rows;
  if (threads <= 1 || flops < WORTH_FLOPS) return MOONI_SERIAL;
  bool enough_rows = rows >= 2 * MOONI_ROW_GRAIN * threads;
  if (!training) return enough_rows ? MOONI_BY_ROWS : MOONI_SERIAL;
  return enough_rows && 2. * (double)params < (double)rows * (double)widths ? MOONI_BY_ROWS : MOONI_BY_COLUMNS;
}

/* Is there a penalty that wants all rows of the batch? */
static bool whole_batch(const moon_net *net) {
  bool whole = false;
  for (size_t i = 0; i < net->count; i++) {
    const moon_layer *l = net->layers[i];
    whole |= l->class->whole_batch && l->class->whole_batch(l);
  }
  return whole;
}

/* Inference by columns has no buffers for the parts of the sums. */
static mooni_split choose(const moon_net *net, size_t rows, bool training, bool penalties) {
  size_t widths = 0;
  for (size_t i = 0; i < net->count; i++) widths += net->slots[i].in + net->slots[i].out;
  mooni_split split = mooni_choose_split(rows, net->param_floats, widths, (size_t)net->ctx->threads, training);
  if (split != MOONI_BY_ROWS || !penalties || !whole_batch(net)) return split;
  return training ? MOONI_BY_COLUMNS : MOONI_SERIAL;
}

static size_t parts_of(const moon_net *net, mooni_split split) {
  return split == MOONI_SERIAL ? 1 : (size_t)net->ctx->threads;
}

/* ---- planning ---- */

/* Floats rounded up, so that each buffer begins on a cache line. */
static size_t padded(size_t floats) { return (floats + 15) & ~(size_t)15; }

static float *carve(float **at, size_t floats) {
  float *p = *at;
  *at += padded(floats);
  return p;
}

/* Find the widths for an input of width in; the floats that one row takes of the arena. */
static moon_status measure(moon_net *net, size_t in, size_t *row) {
  MOONI_TRY(mooni_set_widths(net, in));
  net->widest = in;
  *row = 0;
  for (size_t i = 0; i < net->count; i++) {
    slot *s = &net->slots[i];
    const mooni_layer_class *class = net->layers[i]->class;
    s->work_width = class->work ? class->work(net->layers[i], s->in) : 0;
    if (s->out > net->widest) net->widest = s->out;
    *row += s->out + s->work_width;
  }
  *row += in + net->widest; /* input and targets */
  return MOON_OK;
}

static moon_status plan_buffers(moon_net *net, size_t rows, size_t in) {
  if (rows <= net->rows && in == net->in) return MOON_OK;
  size_t row, floats;
  net->rows = 0; /* until all is there: the widths are about to change */
  net->forward_rows = 0;
  net->gradient_rows = 0;
  MOONI_TRY(measure(net, in, &row));
  if (!mooni_mul(&floats, rows, row) || floats > SIZE_MAX / 8) return mooni_nomem(net->ctx, SIZE_MAX);
  floats += 16 * (2 * net->count + 2);
  float *arena = mooni_calloc(net->ctx, floats, sizeof *arena);
  if (!arena) return mooni_nomem(net->ctx, floats * sizeof *arena);
  mooni_free(net->ctx, net->arena);
  net->arena = arena;
  net->rows = rows;
  net->in = in;
  net->input = carve(&arena, rows * in);
  net->target = carve(&arena, rows * net->widest);
  for (size_t i = 0; i < net->count; i++) {
    slot *s = &net->slots[i];
    s->made = s->y = carve(&arena, rows * s->out);
    s->work = s->work_width ? carve(&arena, rows * s->work_width) : NULL;
  }
  return MOON_OK;
}

static moon_status plan_gradients(moon_net *net, size_t parts) {
  if (net->gradient_rows == net->rows && net->gradient_parts >= parts) return MOON_OK;
  size_t floats = parts * padded(net->rows * net->widest);
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

/* What a part has of a batch. */
typedef struct share {
  size_t first, rows, part, parts;
} share;

static share share_of(mooni_split split, size_t rows, size_t index, size_t count) {
  share s = {0, rows, index, count};
  if (split == MOONI_BY_ROWS) {
    size_t to;
    mooni_share(rows, MOONI_ROW_GRAIN, index, count, &s.first, &to);
    s = (share){s.first, to - s.first, 0, 1};
  }
  return s;
}

static moon_status plan_layers(moon_net *net, mooni_split split, size_t rows, bool backward, bool dx) {
  size_t count = parts_of(net, split);
  mooni_plan plan = {net->ctx, count, MOON_OK};
  MOONI_TRY(mooni_pool_plan(net->ctx, count));
  for (size_t index = 0; index < count; index++) {
    share s = share_of(split, rows, index, count);
    for (size_t i = 0; i < net->count && plan.status == MOON_OK; i++) {
      const moon_layer *l = net->layers[i];
      if (l->class->plan_forward) l->class->plan_forward(l, &plan, s.rows, s.part, s.parts);
      if (backward && l->class->plan_backward)
        l->class->plan_backward(l, &plan, s.rows, s.part, s.parts, dx || i > net->trainable);
    }
  }
  return plan.status;
}

static moon_status plan_forward(moon_net *net, mooni_split *split, size_t rows, size_t in, bool penalties) {
  MOONI_TRY(plan_buffers(net, rows, in));
  *split = choose(net, rows, false, penalties);
  return plan_layers(net, *split, rows, false, false);
}

static moon_status want_own_weights(const moon_net *net, const char *what) {
  if (!net->frozen) return MOON_OK;
  return mooni_fail(net->ctx, MOON_ESTATE,
                    "%sthe net shares its weights with other contexts (moon_net_share) and cannot be trained", what);
}

static moon_status plan_step(moon_net *net, mooni_split *split, size_t rows, size_t in, moon_optim *opt) {
  MOONI_TRY(want_own_weights(net, ""));
  MOONI_TRY(plan_buffers(net, rows, in));
  *split = choose(net, rows, true, true);
  size_t count = parts_of(net, *split);
  MOONI_TRY(plan_layers(net, *split, rows, true, false));
  MOONI_TRY(plan_gradients(net, *split == MOONI_BY_COLUMNS ? count : 1));
  if (*split == MOONI_BY_ROWS) MOONI_TRY(plan_part_grads(net, count - 1));
  return mooni_optim_reserve(opt, net->values, net->param_count);
}

moon_status moon_net_plan(moon_net *net, size_t rows, size_t in, const moon_loss *loss, moon_optim *opt) {
  MOONI_IEEE;
  mooni_split split;
  (void)loss; /* no loss needs memory of its own */
  if (!in) in = net->inputs;
  if (!rows || !in) return mooni_fail(net->ctx, MOON_ESHAPE, "plan: expected at least one row and a width");
  if (opt) return plan_step(net, &split, rows, in, opt);
  MOONI_TRY(plan_forward(net, &split, rows, in, true)); /* evaluate, and predict, may divide in different ways */
  return plan_forward(net, &split, rows, in, false);
}

/* ---- a batch, as all its parts see it ---- */

/* Rows first..first+count-1 of x and y (NULL: x) in an order (NULL: their own). */
typedef struct batch {
  const moon_tensor *x, *y;
  const uint32_t *order;
  size_t first, count;
} batch;

enum { MAX_PARTS = 256 };

typedef struct job {
  moon_net *net;
  mooni_split split;
  size_t rows, parts;
  const batch *gather; /* fill input and target from it; NULL: they are there */
  bool penalties, fused, dx;
  const moon_loss *loss; /* NULL: forward only, or backward only */
  mooni_target target;
  double scale; /* the loss's */
  bool backward;
  moon_optim *opt; /* NULL: no update */
  bool forward;
  double value[MAX_PARTS], penalty[MAX_PARTS]; /* each part's sum */
  size_t stages, phases;
  size_t result; /* the number of the gradient that is left: the input's */
} job;

/* Is layer i one that just lets x through? */
static bool idle(const moon_net *net, size_t i) { return net->layers[i]->class->training_only && !net->training; }

/* Lead the buffers through the layers: from x, to the arena or, for the last, to y unless NULL. Gives the last y. */
static float *link(moon_net *net, const float *x, float *y, bool training) {
  size_t last = net->count;
  net->training = training;
  for (size_t i = 0; i < net->count; i++)
    if (!idle(net, i)) last = i;
  for (size_t i = 0; i < net->count; i++) {
    slot *s = &net->slots[i];
    s->x = x;
    if (idle(net, i)) continue;
    s->y = i == last && y ? y : s->made;
    x = s->y;
  }
  return (float *)(uintptr_t)x;
}

typedef struct mooni_part {
  job *j;
  size_t index;
  share s;
} part;

/* Does a part that has its columns of layer i's output need no others: for the layer above, or else for the loss? By
** columns nets train, so no layer is idle. */
static bool same_columns(const job *j, size_t i) {
  const moon_net *net = j->net;
  const moon_layer *l = net->layers[i];
  bool last = i == net->count - 1;
  if (!l->class->gives_columns || !((last && j->fused) || l->class->gives_columns(l))) return false;
  return last ? !j->loss->class->rowwise : net->layers[i + 1]->class->takes_columns;
}

/* Do the columns of each part lie apart (mooni_part_of) in the input of layer i, or in what the loss gets? Where the
** input is the target as well, it has to suit both. */
static bool apart(const job *j, size_t i) {
  const moon_net *net = j->net;
  if (j->split != MOONI_BY_COLUMNS) return false;
  if (i) return same_columns(j, i - 1);
  bool both = j->target.values == net->input;
  return net->layers[0]->class->takes_columns && (!both || same_columns(j, net->count - 1));
}

/* The spare buffers alternate: while one part still sums up a layer's outputs, another may be at the next layer. The
** loss's gradient goes into the first: it is not the last layer's. */
static mooni_pass make_pass(const part *p, size_t i) {
  const job *j = p->j;
  const moon_net *net = j->net;
  const slot *s = &net->slots[i];
  size_t r = p->s.first;
  mooni_pass pass = {.rows = p->s.rows,
                     .in = s->in,
                     .out = s->out,
                     .batch = j->rows,
                     .first = r,
                     .part = p->s.part,
                     .parts = p->s.parts,
                     .x = s->x + r * s->in,
                     .y = s->y + r * s->out,
                     .work = s->work ? s->work + r * s->work_width : NULL,
                     .accumulate = s->accumulate,
                     .weights = !s->again && (j->split != MOONI_BY_ROWS || p->index == 0),
                     .training = net->training,
                     .seed = net->layers[i]->seed + s->seed,
                     .draw = net->draw,
                     .logits = j->fused && i == net->count - 1,
                     .job = j,
                     .layer = i,
                     .step = padded(net->rows * net->widest),
                     .x_apart = apart(j, i),
                     .y_apart = apart(j, i + 1),
                     .spare = net->gradient[(net->count - i) % 2]};
  return pass;
}

/* ---- the stages ----
** A batch goes through these, one after the other; each does it for one part. The list of them, and where the parts
** meet on the way, is made anew for each batch. What lies between two meetings is a phase of the pool's job. */

/* The part's rows, or columns, of a batch of t. */
static void fetch(const part *p, float *to, bool parted, const moon_tensor *t, float scale) {
  const batch *b = p->j->gather;
  size_t width = mooni_width(t);
  mooni_view own = mooni_part_of(to + p->s.first * width, p->s.rows, width, parted, p->s.part, p->s.parts);
  mooni_gather(p->j->net->ctx, own, t, b->order, b->first + p->s.first, p->s.rows, scale);
}

static void gather(const part *p, const mooni_stage *s) {
  const job *j = p->j;
  const batch *b = j->gather;
  const moon_net *net = j->net;
  (void)s;
  fetch(p, net->input, apart(j, 0), b->x, 255);
  if (b->y && j->target.values) fetch(p, net->target, apart(j, net->count), b->y, mooni_target_scale(j->loss));
}

static void forward(const part *p, const mooni_stage *s) {
  const moon_layer *l = p->j->net->layers[s->layer];
  mooni_pass pass = make_pass(p, s->layer);
  if (pass.rows) l->class->forward(l, &pass);
}

static void complete(const part *p, const mooni_stage *s) {
  const moon_layer *l = p->j->net->layers[s->layer];
  mooni_pass pass = make_pass(p, s->layer);
  if (pass.rows) l->class->complete(l, &pass);
}

static void add_penalty(const part *p, const mooni_stage *s) {
  const moon_layer *l = p->j->net->layers[s->layer];
  mooni_pass pass = make_pass(p, s->layer);
  if (pass.rows) p->j->penalty[p->index] += l->class->penalty(l, &pass);
}

/* The loss of the part's rows; or of its columns, which are those of the last layer's outputs that it has made. */
static void apply_loss(const part *p, const mooni_stage *s) {
  job *j = p->j;
  const moon_net *net = j->net;
  const slot *last = &net->slots[net->count - 1];
  (void)s;
  bool columns = apart(j, net->count);
  size_t r0 = p->s.first, r1 = r0 + p->s.rows, parts = columns ? p->s.parts : 1, own = columns ? p->s.part : 0;
  if (j->split == MOONI_BY_COLUMNS && !columns) mooni_share(j->rows, 1, p->s.part, p->s.parts, &r0, &r1);
  bool target_apart = apart(j, j->target.values == net->input ? 0 : net->count);
  mooni_view y = mooni_part_of(last->y, j->rows, last->out, columns, own, parts), t = {0}, g = {0};
  if (j->target.values) t = mooni_part_of(j->target.values, j->rows, last->out, target_apart, own, parts);
  if (j->backward) g = mooni_part_of(net->gradient[0], j->rows, last->out, columns, own, parts);
  if (j->backward && j->split == MOONI_BY_ROWS) g.p += r0 * (net->widest - last->out); /* where backward looks for it */
  mooni_target target = {t.p ? t.p + r0 * t.stride + t.from : NULL, j->target.classes ? j->target.classes + r0 : NULL,
                         t.stride};
  if (r1 > r0 && y.to > y.from)
    j->value[p->index] = j->loss->class->apply(j->loss, g.p ? g.p + r0 * g.stride + g.from : NULL,
                                               y.p + r0 * y.stride + y.from, target, r1 - r0, y.to - y.from, y.stride,
                                               j->scale, j->fused || j->loss->from_logits);
}

/* Where the part puts the gradient of a parameter: the first, or the only one, into the tensor itself. */
static float *grad_of(const part *p, size_t place) {
  const moon_net *net = p->j->net;
  if (p->j->split != MOONI_BY_ROWS || p->index == 0) return moon_tensor_float(net->grads[place]);
  float *grad = net->part_grads + (p->index - 1) * net->param_floats;
  for (size_t i = 0; i < place; i++) grad += net->values[i]->numel;
  return grad;
}

static double objective_of(const job *j) {
  double value = 0, penalty = 0;
  for (size_t i = 0; i < j->parts; i++) {
    value += j->value[i];
    penalty += j->penalty[i];
  }
  return value + penalty;
}

/* Only a finite objective leads to an update: what comes of another one would be lost for good. All parts have to have
** met since the loss, so that each sees the same sum. */
static bool is_finite(const job *j) { return isfinite(objective_of(j)); }

/* By columns, what a part has the whole gradient of it updates at once, while it is in its cache. */
static void ready(const mooni_pass *pass, size_t i, size_t at, size_t rows, size_t width, size_t stride) {
  const job *j = pass->job;
  const moon_net *net = j->net;
  size_t place = net->slots[pass->layer].param[i];
  if (net->uses[place] > 1 || !is_finite(j)) return;
  mooni_optim_update(j->opt, mooni_optim_segment(j->opt, net->values[place], place), pass->grad[i], at, rows, width,
                     stride);
}

static mooni_pass make_backward_pass(const part *p, const mooni_stage *s) {
  const job *j = p->j;
  const moon_net *net = j->net;
  size_t offset = j->split == MOONI_BY_ROWS ? p->s.first * net->widest : 0;
  mooni_pass pass = make_pass(p, s->layer);
  pass.dy = net->gradient[s->gradient] + offset;
  if (j->dx || s->layer > net->trainable) pass.dx = net->gradient[1 - s->gradient] + offset;
  for (size_t i = 0; i < net->layers[s->layer]->param_count; i++)
    pass.grad[i] = grad_of(p, net->slots[s->layer].param[i]);
  if (j->opt && j->split != MOONI_BY_ROWS) pass.ready = ready;
  return pass;
}

static void derive(const part *p, const mooni_stage *s) {
  const moon_layer *l = p->j->net->layers[s->layer];
  mooni_pass pass = make_backward_pass(p, s);
  if (pass.rows) l->class->derive(l, &pass);
}

static void backward(const part *p, const mooni_stage *s) {
  moon_layer *l = p->j->net->layers[s->layer];
  mooni_pass pass = make_backward_pass(p, s);
  if (pass.rows) l->class->backward(l, &pass);
}

static bool any_shared(const moon_net *net) {
  bool shared = false;
  for (size_t i = 0; i < net->param_count; i++) shared |= net->uses[i] > 1;
  return shared;
}

/* By rows: each part sums up, and updates, its share of every parameter. Otherwise what is left are the parameters that
** are used more than once. */
static void update(const part *p, const mooni_stage *s) {
  const job *j = p->j;
  const moon_net *net = j->net;
  const float *sets = net->part_grads;
  bool rows = j->split == MOONI_BY_ROWS, updates = j->opt && is_finite(j);
  (void)s;
  for (size_t i = 0; i < net->param_count; i++) {
    size_t n = net->values[i]->numel, from, to;
    float *grad = moon_tensor_float(net->grads[i]);
    mooni_share(n, MOONI_COLUMN_GRAIN, p->index, j->parts, &from, &to);
    for (size_t set = 0; rows && set + 1 < j->parts; set++)
      net->ctx->k->add(grad + from, sets + set * net->param_floats + from, to - from);
    if (rows) sets += n; /* else there are none */
    if (to > from && updates && (rows || net->uses[i] > 1))
      mooni_optim_update(j->opt, mooni_optim_segment(j->opt, net->values[i], i), grad, from, 1, to - from, to - from);
  }
}

/* ---- their order ---- */

static void add(job *j, mooni_stage_fn *run, size_t layer) {
  j->net->stages[j->stages++] = (mooni_stage){run, layer, j->result, j->phases - 1};
}

/* No part goes on before all have done what is in the list so far. */
static void meet(job *j) {
  if (j->stages && j->net->stages[j->stages - 1].phase == j->phases - 1) j->phases++;
}

static void list_forward(job *j) {
  const moon_net *net = j->net;
  bool columns = j->split == MOONI_BY_COLUMNS;
  if (j->gather) add(j, gather, 0);
  if (columns && !net->layers[0]->class->takes_columns) meet(j);
  for (size_t i = 0; i < net->count; i++) {
    const mooni_layer_class *class = net->layers[i]->class;
    if (idle(net, i)) continue;
    add(j, forward, i);
    if (class->complete && columns) meet(j);
    if (class->complete) add(j, complete, i);
    if (columns && !same_columns(j, i)) meet(j);
    if (class->penalty && j->penalties) add(j, add_penalty, i);
  }
}

/* From the output's gradient in gradient[0] to every parameter's, and the input's if it is wanted. */
static void list_backward(job *j) {
  const moon_net *net = j->net;
  bool columns = j->split == MOONI_BY_COLUMNS;
  size_t lowest = j->dx ? 0 : net->trainable;
  for (size_t i = net->count; i-- > lowest;) {
    const moon_layer *l = net->layers[i];
    if (idle(net, i)) continue;
    if (l->class->derive) add(j, derive, i);
    if (columns && (l->class->derive || l->param_count)) meet(j); /* a parameter may be updated now: see is_finite */
    add(j, backward, i);
    if (columns && i > lowest && !same_columns(j, i - 1)) meet(j);
    j->result = 1 - j->result;
  }
}

static void list_stages(job *j) {
  const moon_net *net = j->net;
  j->stages = j->result = 0;
  j->phases = 1;
  if (j->forward) list_forward(j);
  if (j->loss) add(j, apply_loss, 0);
  if (j->loss && j->split == MOONI_BY_COLUMNS && !apart(j, net->count)) meet(j);
  if (!j->backward) return;
  list_backward(j);
  if (j->split != MOONI_BY_ROWS && !any_shared(net)) return;
  meet(j);
  add(j, update, 0);
}

static void run_phase(void *arg, size_t phase, size_t index) {
  job *j = arg;
  part p = {j, index, share_of(j->split, j->rows, index, j->parts)};
  MOONI_FLUSHING;
  for (const mooni_stage *s = j->net->stages; s < j->net->stages + j->stages; s++)
    if (s->phase == phase) s->run(&p, s);
}

static void run(job *j) {
  moon_net *net = j->net;
  j->parts = parts_of(net, j->split);
  for (size_t i = 0; i < j->parts; i++) j->value[i] = j->penalty[i] = 0;
  if (j->forward && net->training) net->draw++;
  if (j->opt) mooni_optim_begin(j->opt);
  list_stages(j);
  mooni_pool_run(net->ctx, j->parts, j->phases, run_phase, j);
  if (j->opt && !is_finite(j)) j->opt->steps--;
  if (!j->forward) return;
  net->penalty = 0;
  for (size_t i = 0; i < j->parts; i++) net->penalty += j->penalty[i];
}

/* ---- checks ---- */

static moon_status check_input(const moon_net *net, const moon_tensor *x, const char *what) {
  char text[MOONI_SHAPE_TEXT];
  if (x->rank == 2 && x->shape[0] && x->shape[1] && (!net->inputs || x->shape[1] == net->inputs)) return MOON_OK;
  mooni_tensor_text(text, x);
  if (net->inputs)
    return mooni_fail(net->ctx, MOON_ESHAPE, "%s: input is %s, expected [rows x %zu]", what, text, net->inputs);
  return mooni_fail(net->ctx, MOON_ESHAPE, "%s: input is %s, expected [rows x width]", what, text);
}

static moon_status check_output(const moon_net *net, const moon_tensor *y, size_t rows, size_t width,
                                const char *what) {
  char text[MOONI_SHAPE_TEXT];
  if (y->rank == 2 && y->shape[0] == rows && y->shape[1] == width && y->dtype == MOON_FLOAT32) return MOON_OK;
  return mooni_fail(net->ctx, MOON_ESHAPE, "%s: output is %s, expected [%zu x %zu] float32", what,
                    mooni_tensor_text(text, y), rows, width);
}

/* Width of the output for rows of width in. */
static moon_status output_width(const moon_net *net, size_t *out, size_t in) {
  *out = in;
  for (size_t i = 0; i < net->count; i++)
    MOONI_TRY(mooni_in_layer(net, i, moon_layer_width(net->layers[i], out, *out)));
  return MOON_OK;
}

/* ---- forward and backward apart ---- */

moon_status moon_net_forward(moon_net *net, moon_tensor *y, const moon_tensor *x, bool training) {
  MOONI_IEEE;
  size_t width;
  mooni_split split;
  MOONI_TRY(mooni_interrupted(net->ctx));
  MOONI_TRY(check_input(net, x, "forward"));
  MOONI_TRY(output_width(net, &width, x->shape[1]));
  MOONI_TRY(check_output(net, y, x->shape[0], width, "forward"));
  MOONI_TRY(mooni_want_writable(y, "forward"));
  batch b = {x, NULL, NULL, 0, x->shape[0]};
  MOONI_TRY(plan_forward(net, &split, b.count, x->shape[1], true));
  const float *result = link(net, net->input, NULL, training);
  run(&(job){.net = net, .split = split, .rows = b.count, .gather = &b, .penalties = true, .forward = true});
  net->forward_rows = b.count;
  memcpy(moon_tensor_float(y), result, b.count * width * sizeof(float));
  return MOON_OK;
}

moon_status moon_net_backward(moon_net *net, moon_tensor *dx, const moon_tensor *dy) {
  MOONI_FLUSHING;
  size_t rows = net->forward_rows, out = net->slots[net->count - 1].out;
  MOONI_TRY(want_own_weights(net, "backward: "));
  if (!rows)
    return mooni_fail(net->ctx, MOON_ESTATE,
                      "backward: no forward before it (a step, predict or evaluate uses its buffers)");
  MOONI_TRY(check_output(net, dy, rows, out, "backward: gradient of the"));
  if (dx) MOONI_TRY(check_output(net, dx, rows, net->in, "backward: gradient of the input:"));
  if (dx) MOONI_TRY(mooni_want_writable(dx, "backward"));
  MOONI_TRY(plan_layers(net, MOONI_SERIAL, rows, true, dx != NULL));
  MOONI_TRY(plan_gradients(net, 1));
  memcpy(net->gradient[0], moon_tensor_float(dy), rows * out * sizeof(float));
  job j = {.net = net, .split = MOONI_SERIAL, .rows = rows, .backward = true, .dx = dx != NULL};
  run(&j);
  if (dx) memcpy(moon_tensor_float(dx), net->gradient[j.result], rows * net->in * sizeof(float));
  return MOON_OK;
}

/* ---- batches of a set: step and evaluate ---- */

static moon_status check_target(const moon_net *net, const batch *b, const moon_loss *loss, size_t out) {
  const moon_tensor *y = b->y ? b->y : b->x;
  char text[MOONI_SHAPE_TEXT];
  bool classes = mooni_are_classes(loss, y, out);
  if (b->y && y->shape[0] != b->x->shape[0])
    return mooni_fail(net->ctx, MOON_ESHAPE, "target has %zu rows, the input %zu", y->shape[0], b->x->shape[0]);
  if (classes || (y->rank == 2 && y->shape[1] == out)) return MOON_OK;
  return mooni_fail(net->ctx, MOON_ESHAPE, "target is %s, expected [rows x %zu]%s", mooni_tensor_text(text, y), out,
                    loss->class->takes_classes ? ", or class numbers [rows]" : "");
}

static bool takes_over(const moon_net *net, const moon_loss *loss) {
  const moon_layer *last = net->layers[net->count - 1];
  return last->class->activation && mooni_loss_fuses(loss, last->class->activation(last));
}

/* Everything about a batch that can fail; then the job is ready to run. opt NULL: to evaluate. */
static moon_status prepare(moon_net *net, job *j, const batch *b, const moon_loss *loss, moon_optim *opt,
                           const char *what) {
  size_t out;
  MOONI_TRY(mooni_interrupted(net->ctx));
  MOONI_TRY(check_input(net, b->x, what));
  MOONI_TRY(output_width(net, &out, b->x->shape[1]));
  moon_status status = check_target(net, b, loss, out);
  *j = (job){.net = net,
             .rows = b->count,
             .gather = b,
             .penalties = true,
             .forward = true,
             .loss = loss,
             .fused = takes_over(net, loss),
             .scale = mooni_loss_scale(loss, b->count, out),
             .backward = opt != NULL,
             .opt = opt};
  if (status == MOON_OK)
    status = opt ? plan_step(net, &j->split, b->count, b->x->shape[1], opt)
                 : plan_forward(net, &j->split, b->count, b->x->shape[1], true);
  net->forward_rows = 0; /* the buffers are about to change */
  if (status == MOON_OK && b->y && mooni_are_classes(loss, b->y, out)) {
    uint32_t *classes = (uint32_t *)net->target;
    status = mooni_classes(classes, b->y, b->order, b->first, b->count, out);
    j->target.classes = classes;
  } else {
    j->target.values = b->y ? net->target : net->input;
  }
  if (status != MOON_OK) return mooni_prepend(net->ctx, status, "%s: ", what);
  link(net, net->input, NULL, opt != NULL);
  return MOON_OK;
}

static moon_status step(moon_net *net, double *objective, const batch *b, const moon_loss *loss, moon_optim *opt) {
  MOONI_IEEE;
  job j;
  MOONI_TRY(prepare(net, &j, b, loss, opt, "step"));
  run(&j);
  if (objective) *objective = objective_of(&j);
  return MOON_OK;
}

moon_status moon_net_step(moon_net *net, double *objective, const moon_tensor *x, const moon_tensor *y,
                          const moon_loss *loss, moon_optim *opt) {
  if (y && (y->rank < 1 || y->rank > 2 || x->rank != 2)) {
    char xt[MOONI_SHAPE_TEXT], yt[MOONI_SHAPE_TEXT];
    return mooni_fail(net->ctx, MOON_ESHAPE, "step: input is %s and target %s, expected rows", mooni_tensor_text(xt, x),
                      mooni_tensor_text(yt, y));
  }
  return step(net, objective, &(batch){x, y, NULL, 0, mooni_rows(x)}, loss, opt);
}

moon_status moon_net_step_rows(moon_net *net, double *objective, const moon_dataset *data, size_t first, size_t count,
                               const moon_loss *loss, moon_optim *opt) {
  if (!count || first >= data->rows || count > data->rows - first)
    return mooni_fail(net->ctx, MOON_ERANGE, "step: rows %zu to %zu of %zu", first + 1, first + count, data->rows);
  return step(net, objective, &(batch){data->x, data->y, data->order, first, count}, loss, opt);
}

moon_status moon_net_evaluate(moon_net *net, double *objective, const moon_dataset *data, const moon_loss *loss,
                              size_t size) {
  MOONI_IEEE;
  double total = 0;
  if (!size) size = 32;
  for (size_t first = 0; first < data->rows; first += size) {
    size_t count = data->rows - first < size ? data->rows - first : size;
    batch b = {data->x, data->y, data->order, first, count};
    job j;
    MOONI_TRY(prepare(net, &j, &b, loss, NULL, "evaluate"));
    run(&j);
    total += objective_of(&j) * (double)count;
  }
  *objective = total / (double)data->rows;
  return MOON_OK;
}

/* ---- inference ---- */

/* Run x through in batches. y [n x out] takes the outputs if it is not NULL; else `take` sees each batch's. */
typedef void take_fn(const moon_net *net, moon_tensor *result, const float *x, const float *y, size_t first,
                     size_t rows);

static moon_status infer(moon_net *net, float *y, moon_tensor *result, const moon_tensor *x, size_t size,
                         take_fn *take) {
  MOONI_IEEE;
  enum { GOOD_BATCH = 256 };
  size_t n = x->shape[0], width = x->shape[1];
  if (!size) size = GOOD_BATCH * (size_t)net->ctx->threads;
  if (size > n) size = n;
  const float *floats = moon_tensor_float(x);
  for (size_t first = 0; first < n; first += size) {
    size_t rows = n - first < size ? n - first : size;
    batch b = {x, NULL, NULL, first, rows};
    mooni_split split;
    MOONI_TRY(mooni_interrupted(net->ctx));
    MOONI_TRY(plan_forward(net, &split, rows, width, false));
    net->forward_rows = 0; /* the slots may point into x */
    const float *in = floats ? floats + first * width : net->input;
    float *out = link(net, in, y ? y + first * net->slots[net->count - 1].out : NULL, false);
    run(&(job){.net = net, .split = split, .rows = rows, .gather = floats ? NULL : &b, .forward = true});
    if (take) take(net, result, in, out, first, rows);
    /* A net of nothing but noise has no output of its own: its input is that. */
    if (y && out == in) memcpy(y + first * width, in, rows * width * sizeof(float));
  }
  return MOON_OK;
}

static moon_status predict(moon_net *net, moon_tensor *y, const moon_tensor *x, size_t batch_rows, const char *what) {
  size_t out;
  MOONI_TRY(check_input(net, x, what));
  MOONI_TRY(output_width(net, &out, x->shape[1]));
  MOONI_TRY(check_output(net, y, x->shape[0], out, what));
  MOONI_TRY(mooni_want_writable(y, what));
  return infer(net, moon_tensor_float(y), NULL, x, batch_rows, NULL);
}

moon_status moon_net_predict(moon_net *net, moon_tensor *y, const moon_tensor *x, size_t batch_rows) {
  return predict(net, y, x, batch_rows, "predict");
}

/* The encoder or the decoder as a net, which has buffers of its own and shares the layers. */
static moon_status want_half(moon_net *net, size_t which, const char *what) {
  size_t layers = net->encoder;
  if (!layers)
    return mooni_fail(net->ctx, MOON_ESTATE, "%s: the net is not an autoencoder (moon_net_set_encoder)", what);
  if (net->half[which]) return MOON_OK;
  return moon_net_slice(net, &net->half[which], which ? layers : 0, which ? net->count - layers : layers);
}

moon_status moon_net_encode(moon_net *net, moon_tensor *code, const moon_tensor *x, size_t batch_rows) {
  MOONI_TRY(want_half(net, 0, "encode"));
  return predict(net->half[0], code, x, batch_rows, "encode");
}

moon_status moon_net_decode(moon_net *net, moon_tensor *y, const moon_tensor *code, size_t batch_rows) {
  MOONI_TRY(want_half(net, 1, "decode"));
  return predict(net->half[1], y, code, batch_rows, "decode");
}

static void take_errors(const moon_net *net, moon_tensor *result, const float *x, const float *y, size_t first,
                        size_t rows) {
  float *errors = moon_tensor_float(result) + first;
  for (size_t r = 0; r < rows; r++)
    errors[r] = (float)(net->ctx->k->sum_squared_difference(x + r * net->in, y + r * net->in, net->in) /
                        (double)net->in);
}

moon_status moon_net_errors(moon_net *net, moon_tensor *errors, const moon_tensor *x, size_t batch_rows) {
  size_t out;
  char text[MOONI_SHAPE_TEXT];
  MOONI_TRY(check_input(net, x, "errors"));
  MOONI_TRY(output_width(net, &out, x->shape[1]));
  if (out != x->shape[1])
    return mooni_fail(net->ctx, MOON_ESHAPE,
                      "errors: the net turns rows of %zu into rows of %zu, expected the same width", x->shape[1], out);
  if (errors->rank != 1 || errors->shape[0] != x->shape[0] || errors->dtype != MOON_FLOAT32)
    return mooni_fail(net->ctx, MOON_ESHAPE, "errors: result is %s, expected [%zu] float32",
                      mooni_tensor_text(text, errors), x->shape[0]);
  MOONI_TRY(mooni_want_writable(errors, "errors"));
  return infer(net, NULL, errors, x, batch_rows, take_errors);
}
