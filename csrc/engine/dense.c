/* dense.c - the dense layer: y = act(x W + b), W [in x out].
** Backward: dz = dy act'(z); db = column sums of dz; dW = x^T dz; dx = dz W^T.
** A tied layer uses another dense layer's weight transposed, W = V^T, and adds its part to that layer's gradient.
** Divided among workers, a part has its inputs: its columns of x, its rows of W, of dW and of the moments, which lie
** together in memory (slices of columns do not, and the prefetcher would drag the neighbours' lines from core to core).
** y is then a sum over the parts, which each part completes for its columns of the outputs; these are its inputs of the
** next dense layer. Only activations and their gradients travel.
** Penalties: activity_l1 times sum |y| (per row with "batchmean"), weight_l2 times sum W^2. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "internal.h"

typedef struct dense {
  moon_layer base;
  size_t in, out;
  char activation[MOONI_TEXT], init[MOONI_TEXT], name[MOONI_TEXT], activity_reduction[MOONI_TEXT];
  bool bias;
  double activity_l1, weight_l2;
  moon_layer *tied;
  const mooni_act *act;
} dense;

static const mooni_option_spec options[] = {
    {.name = "in",
     .kind = MOON_COUNT,
     .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
     .offset = offsetof(dense, in),
     .low = 1,
     .high = 1e9,
     .help = "width of the input"},
    {.name = "out",
     .kind = MOON_COUNT,
     .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
     .offset = offsetof(dense, out),
     .low = 1,
     .high = 1e9,
     .help = "width of the output: the number of units"},
    {.name = "activation",
     .kind = MOON_TEXT,
     .offset = offsetof(dense, activation),
     .text = "linear",
     .help = "relu, sigmoid, ...: any registered activation"},
    {.name = "bias", .kind = MOON_FLAG, .offset = offsetof(dense, bias), .number = 1, .help = "add a bias"},
    {.name = "init",
     .kind = MOON_TEXT,
     .offset = offsetof(dense, init),
     .text = "glorot_uniform",
     .help = "initialiser of the weight; the bias begins at 0"},
    {.name = "name", .kind = MOON_TEXT, .offset = offsetof(dense, name), .text = "", .help = "a name for summaries"},
    {.name = "activity_l1",
     .kind = MOON_NUMBER,
     .offset = offsetof(dense, activity_l1),
     .low = 0,
     .high = INFINITY,
     .help = "penalty on the absolute outputs"},
    {.name = "activity_reduction",
     .kind = MOON_TEXT,
     .offset = offsetof(dense, activity_reduction),
     .text = "batchmean",
     .choices = "batchmean|sum",
     .help = "batchmean: the penalty is divided by the rows of the batch; sum: it is not"},
    {.name = "weight_l2",
     .kind = MOON_NUMBER,
     .offset = offsetof(dense, weight_l2),
     .low = 0,
     .high = INFINITY,
     .help = "penalty on the squared weights"},
    {.name = "tied",
     .kind = MOON_LAYER,
     .offset = offsetof(dense, tied),
     .help = "a dense layer whose weight is used transposed"},
    {0}};

static moon_status take_tied(dense *d) {
  moon_layer *owner = d->tied;
  d->tied = NULL; /* finish releases only what has been retained */
  if (strcmp(owner->class->name, "dense") != 0)
    return mooni_fail(d->base.ctx, MOON_ETYPE, "dense: tied is a %s layer, expected a dense one", owner->class->name);
  if (owner->borrowed[0])
    return mooni_fail(d->base.ctx, MOON_ESTATE,
                      "dense: tied is itself a tied layer: name the one that owns the weight");
  const dense *o = (const dense *)owner;
  if (o->in != d->out || o->out != d->in)
    return mooni_fail(d->base.ctx, MOON_ESHAPE, "dense: tied is dense %zu->%zu, expected %zu->%zu", o->in, o->out,
                      d->out, d->in);
  d->tied = moon_layer_retain(owner);
  return mooni_layer_share_param(&d->base, owner->params[0]);
}

static moon_status init(moon_layer *layer) {
  dense *d = (dense *)layer;
  moon_ctx *ctx = layer->ctx;
  moon_layer *tied = d->tied;
  d->act = mooni_find_act(ctx, d->activation);
  if (!d->act) {
    d->tied = NULL;
    return mooni_prepend(ctx, mooni_unregistered(ctx, MOON_ACTIVATIONS, d->activation), "dense: ");
  }
  if (!mooni_init_known(d->init)) {
    d->tied = NULL;
    return mooni_prepend(ctx, mooni_unregistered(ctx, MOON_INITS, d->init), "dense: ");
  }
  if (tied) {
    MOONI_TRY(take_tied(d));
  } else {
    MOONI_TRY(mooni_layer_add_param(layer, "weight", 2, (size_t[]){d->in, d->out}));
    mooni_init_fill(ctx, layer->params[0]->value, d->init);
  }
  if (d->bias) MOONI_TRY(mooni_layer_add_param(layer, "bias", 1, &d->out));
  return MOON_OK;
}

static void finish(moon_layer *layer) { moon_layer_release(((dense *)layer)->tied); }
static size_t inputs(const moon_layer *layer) { return ((const dense *)layer)->in; }
static size_t outputs(const moon_layer *layer) { return ((const dense *)layer)->out; }

static size_t work(const moon_layer *layer, size_t in) {
  (void)in;
  const dense *d = (const dense *)layer;
  return d->act->needs_z ? d->out : 0;
}

/* A loss may take the activation over only if nothing else looks at the output. */
static const char *activation(const moon_layer *layer) {
  const dense *d = (const dense *)layer;
  return d->activity_l1 > 0 ? NULL : d->act->name;
}

static bool gives_columns(const moon_layer *layer) { return !((const dense *)layer)->act->rowwise; }

static mooni_mat row_major(const float *p, size_t width) { return (mooni_mat){(float *)(uintptr_t)p, width, 1}; }
static mooni_mat transposed(mooni_mat m) { return (mooni_mat){m.p, m.cs, m.rs}; }

/* A matrix in the weight's place, seen as [in x out], from row i on. */
static mooni_mat weight_view(const dense *d, const float *p, size_t i) {
  mooni_mat m = d->tied ? transposed(row_major(p, d->in)) : row_major(p, d->out);
  m.p += i * m.rs;
  return m;
}

/* From, to: a stretch of the inputs or of the outputs. */
typedef struct stretch {
  size_t from, to;
} stretch;

static size_t length(stretch s) { return s.to - s.from; }

static stretch share(size_t n, size_t part, size_t parts) {
  stretch s;
  mooni_share(n, MOONI_COLUMN_GRAIN, part, parts, &s.from, &s.to);
  return s;
}

static stretch own_inputs(const dense *d, size_t part, size_t parts) { return share(d->in, part, parts); }

static void plan_forward(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts) {
  const dense *d = (const dense *)layer;
  mooni_plan_gemm(plan, rows, d->out, length(own_inputs(d, part, parts)), row_major(NULL, d->in),
                  weight_view(d, NULL, 0), row_major(NULL, d->out));
}

static void plan_backward(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts, bool dx) {
  const dense *d = (const dense *)layer;
  size_t in = length(own_inputs(d, part, parts));
  mooni_mat x = row_major(NULL, d->in), dz = row_major(NULL, d->out), w = weight_view(d, NULL, 0);
  mooni_plan_gemm(plan, in, d->out, rows, transposed(x), dz, w);
  if (dx) mooni_plan_gemm(plan, rows, in, d->out, dz, transposed(w), x);
}

/* What the part does alone of a matrix [rows x out]: columns of all rows; or rows, where a row must be seen as a whole
** (softmax). */
typedef struct region {
  size_t r0, rows, c0, columns;
} region;

static region own_region(const dense *d, const mooni_pass *pass, bool rowwise) {
  region g = {0, pass->rows, 0, d->out};
  if (rowwise) {
    stretch s;
    mooni_share(pass->rows, 1, pass->part, pass->parts, &s.from, &s.to);
    g.r0 = s.from;
    g.rows = length(s);
  } else {
    stretch s = share(d->out, pass->part, pass->parts);
    g.c0 = s.from;
    g.columns = length(s);
  }
  return g;
}

/* Add the other parts' sums to the first one's. */
static void sum_parts(const moon_layer *layer, const mooni_pass *pass, region g) {
  size_t out = ((const dense *)layer)->out;
  for (size_t p = 1; p < pass->parts; p++)
    for (size_t r = g.r0; r < g.r0 + g.rows; r++)
      layer->ctx->k->add(pass->y + r * out + g.c0, pass->spare + (p - 1) * pass->step + r * out + g.c0, g.columns);
}

static void forward(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const mooni_act *act = pass->logits ? mooni_find_act(layer->ctx, "linear") : d->act;
  const float *bias = d->bias ? moon_tensor_float(layer->params[1]->value) : NULL;
  stretch i = own_inputs(d, pass->part, pass->parts);
  float *y = pass->part ? pass->spare + (pass->part - 1) * pass->step : pass->y;
  if (length(i))
    mooni_gemm(layer->ctx, pass->rows, d->out, length(i), 1, row_major(pass->x + i.from, d->in),
               weight_view(d, moon_tensor_float(layer->params[0]->value), i.from), 0, row_major(y, d->out));
  else
    memset(y, 0, pass->rows * d->out * sizeof(float));

  region g = own_region(d, pass, act->rowwise);
  size_t at = g.r0 * d->out + g.c0;
  if (pass->parts > 1) mooni_barrier(pass->team);
  sum_parts(layer, pass, g);
  act->forward(pass->y + at, pass->work ? pass->work + at : NULL, bias ? bias + g.c0 : NULL, g.rows, g.columns, d->out);
}

static double activity_scale(const dense *d, const mooni_pass *pass) {
  return d->activity_reduction[0] == 'b' ? d->activity_l1 / (double)pass->batch : d->activity_l1;
}

/* Turn dy into dz, in the part's region. */
static void make_dz(const moon_layer *layer, const mooni_pass *pass, region g) {
  const dense *d = (const dense *)layer;
  size_t at = g.r0 * d->out + g.c0;
  for (size_t r = 0; d->activity_l1 > 0 && r < g.rows; r++)
    layer->ctx->k->add_sign(pass->dy + at + r * d->out, (float)activity_scale(d, pass), pass->y + at + r * d->out,
                            g.columns);
  if (!pass->logits)
    d->act->backward(pass->dy + at, pass->y + at, pass->work ? pass->work + at : NULL, g.rows, g.columns, d->out);
}

/* Part of a parameter in memory: rows x width elements from `at` on, `stride` apart. */
typedef struct extent {
  size_t at, rows, width, stride;
} extent;

static extent extent_of(const dense *d, stretch i) {
  size_t n = length(i) * d->out;
  return d->tied ? (extent){i.from, d->out, length(i), d->in} : (extent){i.from * d->out, 1, n, n};
}

/* The gradient of the part's rows of the weight, and then their update. In tiles that stay in the cache between the two
** it was no faster. */
static void weight_gradient(const moon_layer *layer, const mooni_pass *pass, stretch i) {
  const dense *d = (const dense *)layer;
  float *dw = pass->grad[0];
  const float *w = moon_tensor_float(layer->params[0]->value);
  extent e = extent_of(d, i);
  mooni_gemm(layer->ctx, length(i), d->out, pass->rows, 1, transposed(row_major(pass->x + i.from, d->in)),
             row_major(pass->dy, d->out), pass->accumulate & 1 ? 1 : 0, weight_view(d, dw, i.from));
  for (size_t r = 0; d->weight_l2 > 0 && pass->weights && r < e.rows; r++)
    layer->ctx->k->axpy(dw + e.at + r * e.stride, (float)(2 * d->weight_l2), w + e.at + r * e.stride, e.width);
  if (pass->ready) pass->ready(pass, 0, e.at, e.rows, e.width, e.stride);
}

static void bias_gradient(const moon_layer *layer, const mooni_pass *pass) {
  size_t out = ((const dense *)layer)->out;
  stretch s = share(out, pass->part, pass->parts);
  if (!length(s)) return;
  layer->ctx->k->column_sums(pass->grad[1] + s.from, pass->dy + s.from, pass->rows, length(s), out,
                             pass->accumulate & 2);
  if (pass->ready) pass->ready(pass, 1, s.from, 1, length(s), length(s));
}

static void backward(moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  stretch i = own_inputs(d, pass->part, pass->parts);
  make_dz(layer, pass, own_region(d, pass, d->act->rowwise && !pass->logits));
  if (pass->parts > 1) mooni_barrier(pass->team);
  if (d->bias) bias_gradient(layer, pass);
  if (!length(i)) return;
  if (pass->dx) /* before the weights may change */
    mooni_gemm(layer->ctx, pass->rows, length(i), d->out, 1, row_major(pass->dy, d->out),
               transposed(weight_view(d, moon_tensor_float(layer->params[0]->value), i.from)), 0,
               row_major(pass->dx + i.from, d->in));
  weight_gradient(layer, pass, i);
}

static double penalty(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const mooni_kernels *k = layer->ctx->k;
  const float *w = moon_tensor_float(layer->params[0]->value);
  region g = own_region(d, pass, d->act->rowwise);
  extent e = extent_of(d, own_inputs(d, pass->part, pass->parts));
  double activity = 0, weights = 0;
  for (size_t r = g.r0; d->activity_l1 > 0 && r < g.r0 + g.rows; r++)
    activity += k->sum_abs(pass->y + r * d->out + g.c0, g.columns);
  for (size_t r = 0; d->weight_l2 > 0 && pass->weights && r < e.rows; r++)
    weights += k->sum_squares(w + e.at + r * e.stride, e.width);
  return activity_scale(d, pass) * activity + d->weight_l2 * weights;
}

const mooni_layer_class mooni_dense = {.name = "dense",
                                       .size = sizeof(dense),
                                       .options = options,
                                       .init = init,
                                       .finish = finish,
                                       .inputs = inputs,
                                       .outputs = outputs,
                                       .takes_columns = true,
                                       .gives_columns = gives_columns,
                                       .work = work,
                                       .plan_forward = plan_forward,
                                       .plan_backward = plan_backward,
                                       .activation = activation,
                                       .forward = forward,
                                       .backward = backward,
                                       .penalty = penalty,
                                       .torch_modules = -1};
