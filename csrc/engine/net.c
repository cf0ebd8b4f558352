/* net.c - a stack of layers and the buffers that a batch runs through.
**
** Everything that can fail, fails while planning: shapes, memory, BLIS's own buffers. What runs after it allocates
** nothing. Buffers are made for a number of rows and a width; fewer rows use a part of them. */
#include <string.h>

#include "fpmode.h"
#include "internal.h"

/* What the net keeps for one layer: the input it saw, its output, its scratch. */
typedef struct slot {
  size_t in, out;
  const float *x;
  float *y, *work;
} slot;

struct moon_net {
  size_t refs;
  moon_ctx *ctx;
  moon_layer **layers;
  slot *slots;
  moon_tensor **values, **grads; /* the parameters, each once */
  size_t count, param_count, inputs, outputs, encoder;
  size_t trainable; /* the first layer that has a parameter; count if none has */

  float *arena; /* input, targets, and each layer's y and work, for `rows` rows of width `in` */
  size_t rows, in;
  float *input, *target; /* in the arena */
  float *gradient[2];    /* allocated apart, at the first backward: [rows x widest] each */
  size_t gradient_rows;

  uint64_t draw;       /* training forwards so far */
  size_t forward_rows; /* of the forward whose results are in the slots; 0: none */
  bool training;
  double penalty;
};

/* ---- making a net ---- */

static moon_status in_layer(const moon_net *net, size_t i, moon_status status) {
  char text[MOONI_LAYER_TEXT];
  if (status == MOON_OK) return status;
  return mooni_prepend(net->ctx, status, "in layer %zu (%s): ", i + 1, mooni_layer_text(text, net->layers[i]));
}

/* Follow a width through the layers into the slots. */
static moon_status set_widths(moon_net *net, size_t in) {
  for (size_t i = 0; i < net->count; i++) {
    net->slots[i].in = in;
    MOONI_TRY(in_layer(net, i, moon_layer_width(net->layers[i], &net->slots[i].out, in)));
    in = net->slots[i].out;
  }
  return MOON_OK;
}

static moon_status find_widths(moon_net *net) {
  for (size_t i = 0; i < net->count && !net->inputs; i++) {
    const moon_layer *l = net->layers[i];
    if (l->class->inputs) net->inputs = l->class->inputs(l);
  }
  if (!net->inputs) return MOON_OK; /* any width goes through */
  MOONI_TRY(set_widths(net, net->inputs));
  net->outputs = net->slots[net->count - 1].out;
  return MOON_OK;
}

static bool has_value(const moon_net *net, const moon_tensor *value) {
  for (size_t i = 0; i < net->param_count; i++)
    if (net->values[i] == value) return true;
  return false;
}

/* List every parameter once, however often it is used. */
static moon_status list_parameters(moon_net *net) {
  size_t total = 0;
  net->trainable = net->count;
  for (size_t i = net->count; i--;) {
    total += net->layers[i]->param_count;
    if (net->layers[i]->param_count) net->trainable = i;
  }
  net->values = mooni_calloc(net->ctx, total + 1, sizeof *net->values);
  net->grads = mooni_calloc(net->ctx, total + 1, sizeof *net->grads);
  if (!net->values || !net->grads) return mooni_nomem(net->ctx, total * sizeof *net->values);
  for (size_t i = 0; i < net->count; i++)
    for (size_t j = 0; j < net->layers[i]->param_count; j++) {
      const mooni_param *p = net->layers[i]->params[j];
      if (has_value(net, p->value)) continue;
      net->values[net->param_count] = p->value;
      net->grads[net->param_count++] = p->grad;
    }
  return MOON_OK;
}

moon_status moon_net_new(moon_ctx *ctx, moon_net **out, moon_layer *const *layers, size_t count) {
  if (!count) return mooni_fail(ctx, MOON_ERANGE, "a net needs at least one layer");
  for (size_t i = 0; i < count; i++)
    if (layers[i]->ctx != ctx) return mooni_fail(ctx, MOON_ETYPE, "layer %zu belongs to another context", i + 1);
  moon_net *net = mooni_calloc(ctx, 1, sizeof *net);
  if (!net) return mooni_nomem(ctx, sizeof *net);
  net->refs = 1;
  net->ctx = moon_ctx_retain(ctx);
  net->layers = mooni_calloc(ctx, count, sizeof *net->layers);
  net->slots = mooni_calloc(ctx, count, sizeof *net->slots);
  moon_status status = net->layers && net->slots ? MOON_OK : mooni_nomem(ctx, count * sizeof *net->slots);
  for (size_t i = 0; status == MOON_OK && i < count; i++) net->layers[net->count++] = moon_layer_retain(layers[i]);
  if (status == MOON_OK) status = find_widths(net);
  if (status == MOON_OK) status = list_parameters(net);
  if (status == MOON_OK)
    *out = net;
  else
    moon_net_release(net);
  return status;
}

moon_status moon_net_slice(const moon_net *net, moon_net **out, size_t first, size_t count) {
  if (!count || first >= net->count || count > net->count - first)
    return mooni_fail(net->ctx, MOON_ERANGE, "slice: layers %zu to %zu of a net of %zu", first + 1, first + count,
                      net->count);
  return moon_net_new(net->ctx, out, net->layers + first, count);
}

moon_net *moon_net_retain(moon_net *net) {
  net->refs++;
  return net;
}

void moon_net_release(moon_net *net) {
  if (!net || --net->refs) return;
  moon_ctx *ctx = net->ctx;
  for (size_t i = 0; i < net->count; i++) moon_layer_release(net->layers[i]);
  void *blocks[] = {net->layers, net->slots, net->values, net->grads, net->arena, net->gradient[0], net};
  for (size_t i = 0; i < MOONI_COUNT(blocks); i++) mooni_free(ctx, blocks[i]);
  moon_ctx_release(ctx);
}

moon_ctx *moon_net_ctx(const moon_net *net) { return net->ctx; }
size_t moon_net_count(const moon_net *net) { return net->count; }
moon_layer *moon_net_layer(const moon_net *net, size_t i) { return i < net->count ? net->layers[i] : NULL; }
size_t moon_net_inputs(const moon_net *net) { return net->inputs; }
size_t moon_net_outputs(const moon_net *net) { return net->outputs; }
size_t moon_net_encoder(const moon_net *net) { return net->encoder; }
double moon_net_penalty(const moon_net *net) { return net->penalty; }

moon_status moon_net_set_encoder(moon_net *net, size_t layers) {
  if (layers >= net->count)
    return mooni_fail(net->ctx, MOON_ERANGE, "the encoder has %zu layers, the whole net %zu", layers, net->count);
  net->encoder = layers;
  return MOON_OK;
}

void moon_net_seed(moon_net *net, uint64_t seed) {
  mooni_rng rng;
  mooni_rng_seed(&rng, seed, 0);
  for (size_t i = 0; i < net->count; i++) net->layers[i]->seed = mooni_rng_u64(&rng);
  net->draw = 0;
}

/* ---- planning ---- */

/* Floats rounded up, so that each buffer begins on a cache line. */
static size_t padded(size_t floats) { return (floats + 15) & ~(size_t)15; }

static float *carve(float **at, size_t floats) {
  float *p = *at;
  *at += padded(floats);
  return p;
}

static size_t work_floats(const moon_net *net, size_t i, size_t rows) {
  const mooni_layer_class *class = net->layers[i]->class;
  return class->work ? class->work(net->layers[i], rows, net->slots[i].in) : 0;
}

/* One arena for a forward of `rows` rows of width in. Targets are as wide as the wider of input and output. */
static moon_status plan_buffers(moon_net *net, size_t rows, size_t in) {
  if (rows <= net->rows && in == net->in) return MOON_OK;
  size_t widest, floats = 0, last = net->count - 1;
  MOONI_TRY(set_widths(net, in));
  widest = net->slots[last].out > in ? net->slots[last].out : in;
  for (size_t i = 0; i <= last; i++) {
    size_t y;
    if (!mooni_mul(&y, rows, net->slots[i].out) || y > SIZE_MAX / 64) return mooni_nomem(net->ctx, SIZE_MAX);
    floats += padded(y) + padded(work_floats(net, i, rows));
  }
  if (rows > SIZE_MAX / 64 / widest) return mooni_nomem(net->ctx, SIZE_MAX);
  floats += padded(rows * in) + padded(rows * widest);
  float *arena = mooni_calloc(net->ctx, floats, sizeof *arena);
  if (!arena) return mooni_nomem(net->ctx, floats * sizeof *arena);

  mooni_free(net->ctx, net->arena);
  net->arena = arena;
  net->rows = rows;
  net->in = in;
  net->forward_rows = 0;
  net->gradient_rows = 0; /* of another width, perhaps */
  net->input = carve(&arena, rows * in);
  net->target = carve(&arena, rows * widest);
  for (size_t i = 0; i <= last; i++) {
    size_t work = work_floats(net, i, rows);
    net->slots[i].y = carve(&arena, rows * net->slots[i].out);
    net->slots[i].work = work ? carve(&arena, work) : NULL;
  }
  return MOON_OK;
}

static moon_status plan_gradients(moon_net *net) {
  if (net->gradient_rows == net->rows) return MOON_OK;
  size_t widest = net->in;
  for (size_t i = 0; i < net->count; i++)
    if (net->slots[i].out > widest) widest = net->slots[i].out;
  size_t floats = padded(net->rows * widest);
  float *p = mooni_calloc(net->ctx, 2 * floats, sizeof *p);
  if (!p) return mooni_nomem(net->ctx, 2 * floats * sizeof *p);
  mooni_free(net->ctx, net->gradient[0]);
  net->gradient[0] = p;
  net->gradient[1] = p + floats;
  net->gradient_rows = net->rows;
  return MOON_OK;
}

static moon_status plan_forward(moon_net *net, size_t rows, size_t in) {
  MOONI_TRY(plan_buffers(net, rows, in));
  for (size_t i = 0; i < net->count; i++) {
    const moon_layer *l = net->layers[i];
    if (l->class->plan_forward) MOONI_TRY(in_layer(net, i, l->class->plan_forward(l, rows)));
  }
  return MOON_OK;
}

static moon_status plan_backward(moon_net *net, size_t rows, bool dx) {
  MOONI_TRY(plan_gradients(net));
  for (size_t i = 0; i < net->count; i++) {
    const moon_layer *l = net->layers[i];
    if (l->class->plan_backward)
      MOONI_TRY(in_layer(net, i, l->class->plan_backward(l, rows, dx || i > net->trainable)));
  }
  return MOON_OK;
}

moon_status moon_net_plan(moon_net *net, size_t rows, size_t in, const moon_loss *loss, moon_optim *opt) {
  (void)loss; /* no loss needs memory of its own */
  if (!in) in = net->inputs;
  if (!rows || !in) return mooni_fail(net->ctx, MOON_ESHAPE, "plan: expected at least one row and a width");
  MOONI_TRY(plan_forward(net, rows, in));
  if (!opt) return MOON_OK;
  MOONI_TRY(plan_backward(net, rows, false));
  return mooni_optim_reserve(opt, net->values, net->param_count);
}

/* ---- running ---- */

static mooni_pass make_pass(const moon_net *net, size_t i, size_t rows) {
  const slot *s = &net->slots[i];
  return (mooni_pass){.rows = rows,
                      .in = s->in,
                      .out = s->out,
                      .x = s->x,
                      .y = s->y,
                      .work = s->work,
                      .draw = net->draw,
                      .training = net->training};
}

/* Is layer i a layer that just lets x through? */
static bool idle(const moon_net *net, size_t i) { return net->layers[i]->class->training_only && !net->training; }

/* Run planned rows through the layers; gives the last output, or its logits. */
static const float *run_forward(moon_net *net, const float *x, size_t rows, bool training, bool logits,
                                bool penalties) {
  mooni_fpmode mode = mooni_fp_enter();
  net->training = training;
  net->penalty = 0;
  if (training) net->draw++;
  for (size_t i = 0; i < net->count; i++) {
    moon_layer *l = net->layers[i];
    net->slots[i].x = x;
    if (idle(net, i)) continue;
    mooni_pass pass = make_pass(net, i, rows);
    pass.logits = logits && i == net->count - 1;
    l->class->forward(l, &pass);
    if (penalties && l->class->penalty) net->penalty += l->class->penalty(l, &pass);
    x = pass.y;
  }
  net->forward_rows = rows;
  mooni_fp_leave(mode);
  return x;
}

/* From the output's gradient in gradient[0] to every parameter's; gives the input's gradient if dx is wanted. */
static const float *run_backward(moon_net *net, bool logits, bool dx) {
  size_t lowest = dx ? 0 : net->trainable, from = 0;
  mooni_fpmode mode = mooni_fp_enter();
  for (size_t i = 0; i < net->count; i++)
    for (size_t j = 0; j < net->layers[i]->param_count; j++) net->layers[i]->params[j]->written = false;
  for (size_t i = net->count; i-- > lowest;) {
    if (idle(net, i)) continue;
    mooni_pass pass = make_pass(net, i, net->forward_rows);
    pass.logits = logits && i == net->count - 1;
    pass.dy = net->gradient[from];
    pass.dx = dx || i > lowest ? net->gradient[1 - from] : NULL;
    net->layers[i]->class->backward(net->layers[i], &pass);
    from = 1 - from;
  }
  mooni_fp_leave(mode);
  return net->gradient[from];
}

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
  for (size_t i = 0; i < net->count; i++) MOONI_TRY(in_layer(net, i, moon_layer_width(net->layers[i], out, *out)));
  return MOON_OK;
}

moon_status moon_net_forward(moon_net *net, moon_tensor *y, const moon_tensor *x, bool training) {
  size_t rows, width;
  MOONI_TRY(check_input(net, x, "forward"));
  rows = x->shape[0];
  MOONI_TRY(output_width(net, &width, x->shape[1]));
  MOONI_TRY(check_output(net, y, rows, width, "forward"));
  MOONI_TRY(plan_forward(net, rows, x->shape[1]));
  mooni_gather(net->ctx, net->input, x, NULL, 0, rows, 255);
  memcpy(moon_tensor_float(y), run_forward(net, net->input, rows, training, false, true), rows * width * sizeof(float));
  return MOON_OK;
}

moon_status moon_net_backward(moon_net *net, moon_tensor *dx, const moon_tensor *dy) {
  size_t rows = net->forward_rows, out = net->slots[net->count - 1].out;
  if (!rows)
    return mooni_fail(net->ctx, MOON_ESTATE,
                      "backward: no forward before it (a step, predict or evaluate uses its buffers)");
  MOONI_TRY(check_output(net, dy, rows, out, "backward: gradient of the"));
  if (dx) MOONI_TRY(check_output(net, dx, rows, net->in, "backward: gradient of the input:"));
  MOONI_TRY(plan_backward(net, rows, dx != NULL));
  memcpy(net->gradient[0], moon_tensor_float(dy), rows * out * sizeof(float));
  const float *result = run_backward(net, false, dx != NULL);
  if (dx) memcpy(moon_tensor_float(dx), result, rows * net->in * sizeof(float));
  return MOON_OK;
}

/* ---- batches of a set: step and evaluate ---- */

/* Rows first..first+count-1 of x and y (NULL: x) in an order (NULL: their own). */
typedef struct batch {
  const moon_tensor *x, *y;
  const uint32_t *order;
  size_t first, count;
} batch;

static moon_status interrupted(moon_ctx *ctx) {
  if (!atomic_exchange_explicit(&ctx->interrupted, false, memory_order_relaxed)) return MOON_OK;
  return mooni_fail(ctx, MOON_EINTERRUPT, "interrupted");
}

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

/* Gather the input, then the targets, into the net's buffers. */
static moon_status gather(moon_net *net, mooni_target *t, const batch *b, const moon_loss *loss, size_t out) {
  *t = (mooni_target){net->target, NULL};
  if (b->y && mooni_are_classes(loss, b->y, out)) {
    MOONI_TRY(mooni_classes((uint32_t *)net->target, b->y, b->order, b->first, b->count, out));
    *t = (mooni_target){NULL, (const uint32_t *)net->target};
  } else if (b->y) {
    mooni_gather(net->ctx, net->target, b->y, b->order, b->first, b->count, mooni_target_scale(loss));
  } else {
    t->values = net->input;
  }
  mooni_gather(net->ctx, net->input, b->x, b->order, b->first, b->count, 255);
  return MOON_OK;
}

/* Everything about a batch that can fail. */
static moon_status prepare(moon_net *net, mooni_target *t, const batch *b, const moon_loss *loss, moon_optim *opt,
                           const char *what) {
  size_t out;
  MOONI_TRY(interrupted(net->ctx));
  MOONI_TRY(check_input(net, b->x, what));
  MOONI_TRY(output_width(net, &out, b->x->shape[1]));
  moon_status status = check_target(net, b, loss, out);
  if (status == MOON_OK) status = moon_net_plan(net, b->count, b->x->shape[1], loss, opt);
  net->forward_rows = 0; /* the buffers are about to change */
  if (status == MOON_OK) status = gather(net, t, b, loss, out);
  return status == MOON_OK ? status : mooni_prepend(net->ctx, status, "%s: ", what);
}

static bool takes_over(const moon_net *net, const moon_loss *loss) {
  const moon_layer *last = net->layers[net->count - 1];
  return last->class->activation && mooni_loss_fuses(loss, last->class->activation(last));
}

static moon_status step(moon_net *net, double *objective, const batch *b, const moon_loss *loss, moon_optim *opt) {
  mooni_target t;
  MOONI_TRY(prepare(net, &t, b, loss, opt, "step"));
  bool fused = takes_over(net, loss);
  const float *p = run_forward(net, net->input, b->count, true, fused, true);
  double value = loss->class->apply(loss, net->gradient[0], p, t, b->count, net->slots[net->count - 1].out,
                                    fused || loss->from_logits);
  run_backward(net, fused, false);
  net->forward_rows = 0;
  MOONI_TRY(moon_optim_step(opt, net->values, net->grads, net->param_count));
  if (objective) *objective = value + net->penalty;
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
  double total = 0;
  if (!size) size = 32;
  bool fused = takes_over(net, loss);
  for (size_t first = 0; first < data->rows; first += size) {
    size_t count = data->rows - first < size ? data->rows - first : size;
    mooni_target t;
    MOONI_TRY(prepare(net, &t, &(batch){data->x, data->y, data->order, first, count}, loss, NULL, "evaluate"));
    const float *p = run_forward(net, net->input, count, false, fused, true);
    double value = loss->class->apply(loss, NULL, p, t, count, net->slots[net->count - 1].out,
                                      fused || loss->from_logits);
    total += (value + net->penalty) * (double)count;
  }
  net->forward_rows = 0;
  *objective = total / (double)data->rows;
  return MOON_OK;
}

/* ---- inference ---- */

/* Run x through in batches; take gets each batch's input and output. */
typedef void take_fn(const moon_net *net, moon_tensor *result, const float *x, const float *y, size_t first,
                     size_t rows);

static moon_status infer(moon_net *net, moon_tensor *result, const moon_tensor *x, size_t size, take_fn *take) {
  enum { GOOD_BATCH = 256 };
  size_t n = x->shape[0], width = x->shape[1];
  if (!size) size = GOOD_BATCH;
  if (size > n) size = n;
  const float *floats = moon_tensor_float(x);
  for (size_t first = 0; first < n; first += size) {
    size_t rows = n - first < size ? n - first : size;
    MOONI_TRY(interrupted(net->ctx));
    MOONI_TRY(plan_forward(net, rows, width));
    if (!floats) mooni_gather(net->ctx, net->input, x, NULL, first, rows, 255);
    const float *in = floats ? floats + first * width : net->input;
    take(net, result, in, run_forward(net, in, rows, false, false, false), first, rows);
  }
  net->forward_rows = 0; /* the slots may point into x */
  return MOON_OK;
}

static void take_output(const moon_net *net, moon_tensor *result, const float *x, const float *y, size_t first,
                        size_t rows) {
  size_t out = net->slots[net->count - 1].out;
  (void)x;
  memcpy(moon_tensor_float(result) + first * out, y, rows * out * sizeof(float));
}

moon_status moon_net_predict(moon_net *net, moon_tensor *y, const moon_tensor *x, size_t batch_rows) {
  size_t out;
  MOONI_TRY(check_input(net, x, "predict"));
  MOONI_TRY(output_width(net, &out, x->shape[1]));
  MOONI_TRY(check_output(net, y, x->shape[0], out, "predict"));
  return infer(net, y, x, batch_rows, take_output);
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
  return infer(net, errors, x, batch_rows, take_errors);
}
