/* dense.c - the dense layer: y = act(x W + b). x [rows x in], W [in x out], b [out], y [rows x out].
** Backward: dz = dy act'(z); db [out] = column sums of dz; dW [in x out] = x' dz; dx [rows x in] = dz W'.
** mooni_dense_naive_forward and _backward (dense.h) are the same as plain loops.
**
** A tied layer uses another dense layer's weight transposed, W = V', and adds its part to that layer's gradient.
**
** By columns, a part has some inputs: their columns of x, their rows of W, of dW and of the moments, which lie together
** in memory. (Columns of W would lie next to the neighbour's, and the prefetcher would drag those lines from core to
** core.) y is then a sum over the parts. Each part completes it for its columns of the outputs, which are its inputs of
** the next dense layer. Only activations and their gradients travel between cores. */
#include "dense.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/registry.h"
#include "../kernels/table.h"
#include "initialisers.h"

/* A width, which must be given. */
#define WIDTH_OPTION(field, text)                                                                                     \
  {                                                                                                                   \
    .name = #field, .kind = MOON_COUNT, .flags = MOONI_POSITIONAL | MOONI_REQUIRED, .offset = offsetof(dense, field), \
    .low = 1, .high = 1e9, .help = text                                                                               \
  }

/* The factor of a penalty, 0 if not given. */
#define FACTOR_OPTION(field, text)                                                                            \
  {                                                                                                           \
    .name = #field, .kind = MOON_NUMBER, .flags = MOONI_SETTABLE, .offset = offsetof(dense, field), .low = 0, \
    .high = INFINITY, .help = "factor of a penalty" text                                                      \
  }

/*** moon.dense(n_in, n_out, options)
** A dense layer: y = activation(x W + b). W [in x out] is drawn from the stream that `moon.seed` restarts.
** @field weight moonglass.Tensor [in x out], live
** @field bias moonglass.Tensor|boolean [out], live; false without a bias
** @field weight_grad moonglass.Tensor [in x out], live: the gradient of the last backward
** @field bias_grad moonglass.Tensor [out], live */
static const mooni_option_spec options[] = {
    WIDTH_OPTION(in, "width of the input"),
    WIDTH_OPTION(out, "width of the output, the number of units"),
    {.name = "activation",
     .kind = MOON_TEXT,
     .offset = offsetof(dense, activation),
     .text = "linear",
     .names = MOON_ACTIVATIONS,
     .help = "the function applied to each output; softmax: to each row"},
    {.name = "bias", .kind = MOON_FLAG, .offset = offsetof(dense, bias), .number = 1, .help = "add a bias"},
    {.name = "init",
     .kind = MOON_TEXT,
     .offset = offsetof(dense, init),
     .text = "glorot_uniform",
     .names = MOON_INITS,
     .help = "initialiser of the weight"},
    {.name = "name",
     .kind = MOON_TEXT,
     .offset = offsetof(dense, name),
     .text = "",
     .help = "name of the layer in summaries"},
    FACTOR_OPTION(activity_l1, ": the sum of the absolute outputs"),
    {.name = "activity_reduction",
     .kind = MOON_TEXT,
     .offset = offsetof(dense, activity_reduction),
     .text = "batchmean",
     .choices = (const char *const[]){"batchmean", "sum", NULL},
     .help = "of the activity_l1 penalty: batchmean divides it by the rows of the batch, sum does not"},
    FACTOR_OPTION(kl_weight, " that draws the mean of each output over the batch to kl_target; for outputs in [0, 1]"),
    {.name = "kl_target",
     .kind = MOON_NUMBER,
     .flags = MOONI_OPEN_LOW | MOONI_OPEN_HIGH | MOONI_SETTABLE,
     .offset = offsetof(dense, kl_target),
     .number = 0.05,
     .low = 0,
     .high = 1,
     .help = "the mean output that the kl_weight penalty draws to"},
    FACTOR_OPTION(contractive, ": the squared derivatives of the outputs by the inputs, mean over the rows"),
    {.name = "weight_l1",
     .kind = MOON_NUMBER,
     .flags = MOONI_ADDED | MOONI_SETTABLE,
     .offset = offsetof(dense, weight_l1),
     .low = 0,
     .high = INFINITY,
     .help = "factor of a penalty: the sum of the absolute weights, as Keras's L1, with slope 0 at 0. It may change a "
             "weight's sign; the TensorFlow playground sets such a weight to 0 for good"},
    FACTOR_OPTION(weight_l2, ": the sum of the squared weights"),
    {.name = "tied",
     .kind = MOON_LAYER,
     .offset = offsetof(dense, tied),
     .help = "a dense layer out -> in, whose weight is used transposed"},
    MOONI_TRAINABLE_OPTION,
    {.name = "bias_init",
     .kind = MOON_TEXT,
     .flags = MOONI_ADDED,
     .offset = offsetof(dense, bias_init),
     .text = "zeros",
     .names = MOON_INITS,
     .help = "initialiser of the bias"},
    MOONI_SLOPE_OPTIONS(dense),
    {0}};

static moon_status take_tied(dense *d, moon_layer *owner) {
  if (strcmp(owner->class->name, "dense") != 0)
    return mooni_fail(d->base.ctx, MOON_ETYPE, "dense: tied is a %s layer, expected a dense one", owner->class->name);
  if (owner->borrowed[0])
    return mooni_fail(d->base.ctx, MOON_ESTATE,
                      "dense: tied is itself a tied layer; name the layer that owns the weight");
  const dense *o = (const dense *)owner;
  if (o->in != d->out || o->out != d->in)
    return mooni_fail(d->base.ctx, MOON_ESHAPE, "dense: tied is dense %zu->%zu, expected %zu->%zu", o->in, o->out,
                      d->out, d->in);
  d->tied = moon_layer_retain(owner);
  return mooni_layer_tie_param(&d->base, owner->params[0]);
}

/* Can the penalties use this activation? */
static moon_status check(moon_layer *layer) {
  const dense *d = (const dense *)layer;
  if (d->kl_weight > 0 && !d->act->unit)
    return mooni_fail(layer->ctx, MOON_ERANGE,
                      "dense: activation is %s, expected one with outputs in [0, 1], such as sigmoid, for kl_weight",
                      d->activation);
  if (d->contractive > 0 && !d->act->slopes)
    return mooni_fail(layer->ctx, MOON_ERANGE, "dense: activation is %s, expected an element-wise one for contractive",
                      d->activation);
  return MOON_OK;
}

/* An initialiser by name, which becomes the registered one: that is shown and saved. */
static moon_status find_init(moon_ctx *ctx, char name[MOONI_TEXT]) {
  const char *init = mooni_find_init(name);
  if (!init) return mooni_prepend(ctx, mooni_unregistered(ctx, MOON_INITS, name), "dense: ");
  snprintf(name, MOONI_TEXT, "%s", init);
  return MOON_OK;
}

/* Find the activation and the initialisers by name. */
static moon_status check_names(dense *d) {
  moon_ctx *ctx = d->base.ctx;
  d->act = mooni_find_act(ctx, d->activation);
  if (!d->act) return mooni_prepend(ctx, mooni_unregistered(ctx, MOON_ACTIVATIONS, d->activation), "dense: ");
  snprintf(d->activation, sizeof d->activation, "%s", d->act->name);
  MOONI_TRY(find_init(ctx, d->init));
  MOONI_TRY(find_init(ctx, d->bias_init));
  if (!d->bias && strcmp(d->bias_init, "zeros") != 0)
    return mooni_fail(ctx, MOON_ERANGE, "dense: bias_init is %s, but bias is false, expected a bias", d->bias_init);
  return mooni_slope_choose(ctx, &d->slope, d->act, "dense");
}

static moon_status init(moon_layer *layer) {
  dense *d = (dense *)layer;
  moon_layer *tied = d->tied;
  d->tied = NULL; /* finish releases only what was retained */
  MOONI_TRY(check_names(d));
  MOONI_TRY(check(layer));
  if (tied)
    MOONI_TRY(take_tied(d, tied));
  else
    MOONI_TRY(mooni_layer_add_param(layer, "weight", 2, (size_t[]){d->in, d->out}));
  if (d->bias) MOONI_TRY(mooni_layer_add_param(layer, "bias", 1, &d->out));
  /* Last, because they draw random numbers, which a failure must not. */
  if (!tied) mooni_init_fill(layer->ctx, layer->params[0]->value, d->init);
  if (d->bias) mooni_init_fill(layer->ctx, layer->params[1]->value, d->bias_init);
  return MOON_OK;
}

static void finish(moon_layer *layer) { moon_layer_release(((dense *)layer)->tied); }
static size_t inputs(const moon_layer *layer) { return ((const dense *)layer)->in; }
static size_t outputs(const moon_layer *layer) { return ((const dense *)layer)->out; }

static size_t scratch(const moon_layer *layer, size_t in) {
  (void)in;
  const dense *d = (const dense *)layer;
  return d->act->needs_z ? d->out : 0;
}

/* A loss may take over the activation only if no penalty looks at the output. */
static const char *activation(const moon_layer *layer) {
  const dense *d = (const dense *)layer;
  return d->activity_l1 > 0 || d->kl_weight > 0 || d->contractive > 0 ? NULL : d->act->name;
}

static bool whole_batch(const moon_layer *layer, bool training) {
  (void)training;
  return ((const dense *)layer)->kl_weight > 0;
}

static bool gives_columns(const moon_layer *layer) { return !((const dense *)layer)->act->rowwise; }

/* x [rows x stride]: a pixel may be 0 in the whole batch, and a unit may be dead. */
static mooni_mat input_mat(const float *p, size_t stride) {
  mooni_mat m = mooni_row_major(p, stride);
  m.sparse = true;
  return m;
}

/* The weight, or its gradient, as [in x out], from row i and column j on. p may be NULL, for a plan. */
static mooni_mat weight_mat(const dense *d, const float *p, size_t i, size_t j) {
  mooni_mat m = d->tied ? mooni_transposed(mooni_row_major(p, d->in)) : mooni_row_major(p, d->out);
  if (i || j) m.p += i * m.rs + j * m.cs;
  return m;
}

/* The product of each block [rows x columns] of y: x [rows x own inputs] W [own inputs x columns]. If a loss takes over
** a softmax, the layer is no longer rowwise: plan for both. */
static void plan_forward(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts) {
  const dense *d = (const dense *)layer;
  for (size_t rowwise = 0; rowwise <= d->act->rowwise; rowwise++)
    for (size_t p = 0; p < parts; p++) {
      block b = mooni_dense_block(d, rows, rowwise, p, parts);
      mooni_plan_add(plan, b.rows, b.columns, mooni_length(mooni_dense_inputs(d, part, parts)),
                     mooni_row_major(NULL, d->in), weight_mat(d, NULL, 0, 0), mooni_row_major(NULL, d->out));
    }
}

/* The products with dz [rows x out]: dW [in x out] = x' dz, and dx [rows x in] = dz W'. */
static void plan_outputs(const dense *d, mooni_plan *plan, size_t rows, size_t in, size_t out, bool dx) {
  mooni_mat x = mooni_row_major(NULL, d->in), dz = mooni_row_major(NULL, d->out), w = weight_mat(d, NULL, 0, 0);
  mooni_plan_add(plan, in, out, rows, mooni_transposed(x), dz, w);
  if (dx) mooni_plan_add(plan, rows, in, out, dz, mooni_transposed(w), x);
}

static void plan_backward(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts, bool dx) {
  const dense *d = (const dense *)layer;
  size_t in = mooni_length(mooni_dense_inputs(d, part, parts));
  plan_outputs(d, plan, rows, in, d->out, dx);
  for (size_t p = 0; parts > 1 && p < parts; p++)
    plan_outputs(d, plan, rows, in, mooni_length(mooni_dense_outputs(d, p, parts)), dx);
}

/* ---- forward ---- */

/* The part's columns of a matrix laid out like x [rows x in]. */
static mooni_columns like_x(const mooni_pass *pass, const float *x) {
  return mooni_columns_of(x, pass->rows, pass->in, pass->x_apart, pass->part, pass->parts);
}

/* The mailbox of part `part`: where it leaves its partial sums [b.rows x b.columns] of another part's block b. */
static float *post(const mooni_pass *pass, size_t part, block b) {
  return pass->spare + part * pass->step + b.r0 * b.columns + b.c0 * b.rows;
}

/* Add the other parts' partial sums to block b of y. */
static void sum_parts(const moon_layer *layer, const mooni_pass *pass, block b) {
  mooni_columns y = mooni_dense_like_y(pass, pass->y);
  for (size_t p = 0; p < pass->parts; p++) {
    if (p == pass->part) continue;
    const float *from = post(pass, p, b);
    float *to = y.p + b.r0 * y.stride + b.c0;
    for (size_t r = 0; r < b.rows; r++, from += b.columns, to += y.stride) layer->ctx->k->add(to, from, b.columns);
  }
}

/* The part's partial sums of block b, which may be empty: to [b.rows x b.columns], rows `stride` apart,
** = x [b.rows x own inputs] W [own inputs x b.columns]. */
static void multiply(const moon_layer *layer, const mooni_pass *pass, block b, float *to, size_t stride) {
  const dense *d = (const dense *)layer;
  mooni_columns x = like_x(pass, pass->x);
  const float *w = moon_tensor_float(layer->params[0]->value);
  if (!b.rows || !b.columns) return;
  if (x.to > x.from)
    mooni_gemm(layer->ctx, b.rows, b.columns, x.to - x.from, 1, input_mat(x.p + b.r0 * x.stride + x.from, x.stride),
               weight_mat(d, w, x.from, b.c0), 0, mooni_row_major(to, stride));
  else
    for (size_t r = 0; r < b.rows; r++) memset(to + r * stride, 0, b.columns * sizeof *to);
}

/* The activation of this pass: none if the loss takes it over. */
static const mooni_act *act_of(const moon_layer *layer, const mooni_pass *pass) {
  return pass->logits ? mooni_find_act(layer->ctx, "linear") : ((const dense *)layer)->act;
}

/* A part writes only its own block of y, so no cache line is shared. Partial sums for other parts go to its mailbox
** (post). */
static void forward(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  mooni_columns y = mooni_dense_like_y(pass, pass->y);
  for (size_t p = 0; p < pass->parts; p++) {
    block b = mooni_dense_block(d, pass->rows, act_of(layer, pass)->rowwise, p, pass->parts);
    if (p == pass->part)
      multiply(layer, pass, b, y.p + b.r0 * y.stride + b.c0, y.stride);
    else
      multiply(layer, pass, b, post(pass, pass->part, b), b.columns);
  }
}

/* y = act(sums + b), in the part's block [rows x columns]. */
static void complete(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const mooni_act *act = act_of(layer, pass);
  const float *bias = d->bias ? moon_tensor_float(layer->params[1]->value) : NULL;
  mooni_columns y = mooni_dense_like_y(pass, pass->y), z = {0};
  if (pass->scratch) z = mooni_dense_like_y(pass, pass->scratch);
  block b = mooni_dense_own_block(d, pass, act->rowwise);
  size_t at = b.r0 * y.stride + b.c0;
  sum_parts(layer, pass, b);
  act->forward(y.p + at, z.p ? z.p + at : NULL, bias ? bias + b.c0 : NULL, b.rows, b.columns, y.stride, d->slope.p);
}

/* ---- backward ---- */

/* dy becomes dz, in block b. */
static void make_dz(const moon_layer *layer, const mooni_pass *pass, block b) {
  const dense *d = (const dense *)layer;
  mooni_columns y = mooni_dense_like_y(pass, pass->y), dy = mooni_dense_like_y(pass, pass->dy), z = {0};
  if (pass->scratch) z = mooni_dense_like_y(pass, pass->scratch);
  size_t at = b.r0 * y.stride + b.c0;
  mooni_penalty_add_to_dy(layer, pass, b);
  if (!pass->logits)
    d->act->backward(dy.p + at, y.p + at, z.p ? z.p + at : NULL, b.rows, b.columns, y.stride, d->slope.p);
  mooni_penalty_add_to_dz(layer, pass, b);
}

/* dz [rows x out] lies in memory in one piece, or in one for each part. */
static size_t pieces(const mooni_pass *pass) { return pass->y_apart ? pass->parts : 1; }

static mooni_columns piece(const mooni_pass *pass, size_t p) {
  return mooni_columns_of(pass->dy, pass->rows, pass->out, pass->y_apart, p, pieces(pass));
}

/* dx [rows x own inputs] = dz [rows x out] W' [out x own inputs], piece by piece of dz. */
static void input_gradient(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const float *w = moon_tensor_float(layer->params[0]->value);
  mooni_columns dx = like_x(pass, pass->dx);
  bool begun = false;
  for (size_t p = 0; p < pieces(pass); p++) {
    mooni_columns dz = piece(pass, p);
    if (dz.to == dz.from) continue;
    mooni_gemm(layer->ctx, pass->rows, dx.to - dx.from, dz.to - dz.from, 1, mooni_row_major(dz.p + dz.from, dz.stride),
               mooni_transposed(weight_mat(d, w, dx.from, dz.from)), begun, mooni_row_major(dx.p + dx.from, dx.stride));
    begun = true;
  }
}

/* dW [i x out] = x' [i x rows] dz [rows x out] for the part's rows i of the weight, then their update. (Updating tile
** by tile, while each is in the cache, was no faster.) */
static void weight_gradient(const moon_layer *layer, const mooni_pass *pass, mooni_span i) {
  const dense *d = (const dense *)layer;
  mooni_columns x = like_x(pass, pass->x);
  if (!pass->grad[0]) return;
  for (size_t p = 0; p < pieces(pass); p++) {
    mooni_columns dz = piece(pass, p);
    if (dz.to > dz.from)
      mooni_gemm(layer->ctx, mooni_length(i), dz.to - dz.from, pass->rows, 1,
                 mooni_transposed(input_mat(x.p + x.from, x.stride)), mooni_row_major(dz.p + dz.from, dz.stride),
                 pass->accumulate & 1 ? 1 : 0, weight_mat(d, pass->grad[0], i.from, dz.from));
  }
  mooni_penalty_add_to_dw(layer, pass, i);
  if (pass->ready) pass->ready(pass, 0, mooni_dense_weight_rows(d, i));
}

/* Do the columns of dz add up to 0, as those of dy do? */
static bool is_centred(const dense *d, const mooni_pass *pass) {
  return pass->centred && strcmp(d->act->name, "linear") == 0 && d->activity_l1 == 0 && d->kl_weight == 0;
}

/* db [own outputs] = the column sums of dz [rows x own outputs]. */
static void bias_gradient(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  mooni_columns dz = mooni_dense_like_y(pass, pass->dy);
  if (!pass->grad[1] || dz.to == dz.from) return;
  if (is_centred(d, pass)) {
    if (!(pass->accumulate & 2)) memset(pass->grad[1] + dz.from, 0, (dz.to - dz.from) * sizeof(float));
  } else
    layer->ctx->k->column_sums(pass->grad[1] + dz.from, dz.p + dz.from, pass->rows, dz.to - dz.from, dz.stride,
                               pass->accumulate & 2);
}

static void bias_ready(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  mooni_span o = mooni_dense_outputs(d, pass->part, pass->parts);
  size_t n = mooni_length(o);
  if (pass->grad[1] && n && pass->ready) pass->ready(pass, 1, (mooni_patch){o.from, 1, n, n});
}

/* The bias's sums come before other cores have read dz: it is still in this core's cache alone. Not if dz is made by
** rows: then the other parts make some rows of this part's columns. */
static void derive(const moon_layer *layer, const mooni_pass *pass) {
  bool rowwise = act_of(layer, pass)->rowwise;
  make_dz(layer, pass, mooni_dense_own_block((const dense *)layer, pass, rowwise));
  if (!rowwise) bias_gradient(layer, pass);
}

static void backward(moon_layer *layer, const mooni_pass *pass) {
  mooni_span i = mooni_dense_inputs((const dense *)layer, pass->part, pass->parts);
  if (act_of(layer, pass)->rowwise) bias_gradient(layer, pass);
  bias_ready(layer, pass);
  if (!mooni_length(i)) return;
  if (pass->dx) input_gradient(layer, pass); /* before the weights may change */
  weight_gradient(layer, pass, i);
}

const mooni_layer_class mooni_dense = {.name = "dense",
                                       .size = sizeof(dense),
                                       .options = options,
                                       .init = init,
                                       .check = check,
                                       .finish = finish,
                                       .inputs = inputs,
                                       .outputs = outputs,
                                       .takes_columns = true,
                                       .gives_columns = gives_columns,
                                       .scratch = scratch,
                                       .plan_forward = plan_forward,
                                       .plan_backward = plan_backward,
                                       .activation = activation,
                                       .forward = forward,
                                       .complete = complete,
                                       .derive = derive,
                                       .backward = backward,
                                       .penalty = mooni_penalty_value,
                                       .whole_batch = whole_batch,
                                       .sums = mooni_penalty_sums,
                                       .sum = mooni_penalty_sum,
                                       .torch_modules = -1};
