/* dense.c - the dense layer: y = act(x W + b), W [in x out].
** Backward: dz = dy act'(z); db = column sums of dz; dW = x^T dz; dx = dz W^T.
** A tied layer uses another dense layer's weight transposed, W = V^T, and adds its part to that layer's gradient.
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

static size_t work(const moon_layer *layer, size_t rows, size_t in) {
  (void)in;
  const dense *d = (const dense *)layer;
  return d->act->needs_z ? rows * d->out : 0;
}

/* A loss may take the activation over only if nothing else looks at the output. */
static const char *activation(const moon_layer *layer) {
  const dense *d = (const dense *)layer;
  return d->activity_l1 > 0 ? NULL : d->act->name;
}

static mooni_mat row_major(const float *p, size_t width) { return (mooni_mat){(float *)(uintptr_t)p, width, 1}; }
static mooni_mat transposed(mooni_mat m) { return (mooni_mat){m.p, m.cs, m.rs}; }

/* A tensor in the weight's place, seen as [in x out]. */
static mooni_mat weight_view(const dense *d, const moon_tensor *t) {
  mooni_mat m = row_major(moon_tensor_float(t), t->shape[1]);
  return d->tied ? transposed(m) : m;
}

static moon_status plan_forward(const moon_layer *layer, size_t rows) {
  const dense *d = (const dense *)layer;
  return mooni_gemm_plan(layer->ctx, rows, d->out, d->in, row_major(NULL, d->in),
                         weight_view(d, layer->params[0]->value), row_major(NULL, d->out));
}

static moon_status plan_backward(const moon_layer *layer, size_t rows, bool dx) {
  const dense *d = (const dense *)layer;
  mooni_mat x = row_major(NULL, d->in), dz = row_major(NULL, d->out), w = weight_view(d, layer->params[0]->value);
  MOONI_TRY(mooni_gemm_plan(layer->ctx, d->in, d->out, rows, transposed(x), dz, w));
  return dx ? mooni_gemm_plan(layer->ctx, rows, d->in, d->out, dz, transposed(w), x) : MOON_OK;
}

static void forward(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const mooni_act *act = pass->logits ? mooni_find_act(layer->ctx, "linear") : d->act;
  const float *bias = d->bias ? moon_tensor_float(layer->params[1]->value) : NULL;
  mooni_gemm(pass->rows, d->out, d->in, 1, row_major(pass->x, d->in), weight_view(d, layer->params[0]->value), 0,
             row_major(pass->y, d->out));
  act->forward(pass->y, pass->work, bias, pass->rows, d->out);
}

static double activity_scale(const dense *d, size_t rows) {
  return d->activity_reduction[0] == 'b' ? d->activity_l1 / (double)rows : d->activity_l1;
}

static void backward(moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const mooni_kernels *k = layer->ctx->k;
  mooni_param *weight = layer->params[0], *bias = d->bias ? layer->params[1] : NULL;
  mooni_mat dz = row_major(pass->dy, d->out), w = weight_view(d, weight->value), dw = weight_view(d, weight->grad);

  if (d->activity_l1 > 0) k->add_sign(pass->dy, (float)activity_scale(d, pass->rows), pass->y, pass->rows * d->out);
  if (!pass->logits) d->act->backward(pass->dy, pass->y, pass->work, pass->rows, d->out);
  if (bias) {
    k->column_sums(moon_tensor_float(bias->grad), pass->dy, pass->rows, d->out, bias->written);
    bias->written = true;
  }
  mooni_gemm(d->in, d->out, pass->rows, 1, transposed(row_major(pass->x, d->in)), dz, weight->written ? 1 : 0, dw);
  weight->written = true;
  if (d->weight_l2 > 0)
    k->axpy(moon_tensor_float(weight->grad), (float)(2 * d->weight_l2), moon_tensor_float(weight->value),
            weight->value->numel);
  if (pass->dx) mooni_gemm(pass->rows, d->in, d->out, 1, dz, transposed(w), 0, row_major(pass->dx, d->in));
}

static double penalty(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const mooni_kernels *k = layer->ctx->k;
  const moon_tensor *w = layer->params[0]->value;
  double total = 0;
  if (d->activity_l1 > 0) total += activity_scale(d, pass->rows) * k->sum_abs(pass->y, pass->rows * d->out);
  if (d->weight_l2 > 0) total += d->weight_l2 * k->sum_squares(moon_tensor_float(w), w->numel);
  return total;
}

const mooni_layer_class mooni_dense = {.name = "dense",
                                       .size = sizeof(dense),
                                       .options = options,
                                       .init = init,
                                       .finish = finish,
                                       .inputs = inputs,
                                       .outputs = outputs,
                                       .work = work,
                                       .plan_forward = plan_forward,
                                       .plan_backward = plan_backward,
                                       .activation = activation,
                                       .forward = forward,
                                       .backward = backward,
                                       .penalty = penalty,
                                       .torch_modules = -1};
