/* dense.c - the dense layer: y = act(x W + b), W [in x out].
** Backward: dz = dy act'(z); db = column sums of dz; dW = x^T dz; dx = dz W^T.
** A tied layer uses another dense layer's weight transposed, W = V^T, and adds its part to that layer's gradient.
** Divided among workers, a part has its inputs: its columns of x, its rows of W, of dW and of the moments, which lie
** together in memory (slices of columns do not, and the prefetcher would drag the neighbours' lines from core to core).
** y is then a sum over the parts, which each part completes for its columns of the outputs; these are its inputs of the
** next dense layer. Only activations and their gradients travel.
** Penalties: activity_l1 times sum |y| (per row with "batchmean"), weight_l2 times sum W^2, and two that are described
** where they are computed: kl_weight and contractive. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "../internal.h"

typedef struct dense {
  moon_layer base;
  size_t in, out;
  char activation[MOONI_TEXT], init[MOONI_TEXT], name[MOONI_TEXT], activity_reduction[MOONI_TEXT];
  bool bias;
  double activity_l1, weight_l2, kl_weight, kl_target, contractive;
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
     .help = "width of the output, the number of units"},
    {.name = "activation",
     .kind = MOON_TEXT,
     .offset = offsetof(dense, activation),
     .text = "linear",
     .names = MOON_ACTIVATIONS,
     .help = "the function applied to each output; softmax: to each row"},
    {.name = "bias",
     .kind = MOON_FLAG,
     .offset = offsetof(dense, bias),
     .number = 1,
     .help = "add a bias, which starts at 0"},
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
    {.name = "activity_l1",
     .kind = MOON_NUMBER,
     .offset = offsetof(dense, activity_l1),
     .low = 0,
     .high = INFINITY,
     .help = "factor of a penalty: the sum of the absolute outputs"},
    {.name = "activity_reduction",
     .kind = MOON_TEXT,
     .offset = offsetof(dense, activity_reduction),
     .text = "batchmean",
     .choices = (const char *const[]){"batchmean", "sum", NULL},
     .help = "of the activity_l1 penalty: batchmean divides it by the rows of the batch, sum does not"},
    {.name = "kl_weight",
     .kind = MOON_NUMBER,
     .offset = offsetof(dense, kl_weight),
     .low = 0,
     .high = INFINITY,
     .help =
         "factor of a penalty that draws the mean of each output over the batch to kl_target; for outputs in [0, 1]"},
    {.name = "kl_target",
     .kind = MOON_NUMBER,
     .flags = MOONI_OPEN_LOW | MOONI_OPEN_HIGH,
     .offset = offsetof(dense, kl_target),
     .number = 0.05,
     .low = 0,
     .high = 1,
     .help = "the mean output that the kl_weight penalty draws to"},
    {.name = "contractive",
     .kind = MOON_NUMBER,
     .offset = offsetof(dense, contractive),
     .low = 0,
     .high = INFINITY,
     .help = "factor of a penalty: the squared derivatives of the outputs by the inputs, mean over the rows"},
    {.name = "weight_l2",
     .kind = MOON_NUMBER,
     .offset = offsetof(dense, weight_l2),
     .low = 0,
     .high = INFINITY,
     .help = "factor of a penalty: the sum of the squared weights"},
    {.name = "tied",
     .kind = MOON_LAYER,
     .offset = offsetof(dense, tied),
     .help = "a dense layer out -> in, whose weight is used transposed"},
    {0}};

static moon_status take_tied(dense *d, moon_layer *owner) {
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

/* Find what is named, and see that the penalties go with it. */
static moon_status check_names(dense *d) {
  moon_ctx *ctx = d->base.ctx;
  d->act = mooni_find_act(ctx, d->activation);
  if (!d->act) return mooni_prepend(ctx, mooni_unregistered(ctx, MOON_ACTIVATIONS, d->activation), "dense: ");
  const char *init = mooni_find_init(d->init);
  if (!init) return mooni_prepend(ctx, mooni_unregistered(ctx, MOON_INITS, d->init), "dense: ");
  snprintf(d->activation, sizeof d->activation, "%s",
           d->act->name); /* what is shown and saved is the registered name */
  snprintf(d->init, sizeof d->init, "%s", init);
  if (d->kl_weight > 0 && !d->act->unit)
    return mooni_fail(ctx, MOON_ERANGE,
                      "dense: activation is %s, expected one with outputs in [0, 1], such as sigmoid, for kl_weight",
                      d->activation);
  if (d->contractive > 0 && !d->act->slopes)
    return mooni_fail(ctx, MOON_ERANGE, "dense: activation is %s, expected one of single elements for contractive",
                      d->activation);
  return MOON_OK;
}

static moon_status init(moon_layer *layer) {
  dense *d = (dense *)layer;
  moon_layer *tied = d->tied;
  d->tied = NULL; /* finish releases only what has been retained */
  MOONI_TRY(check_names(d));
  if (tied)
    MOONI_TRY(take_tied(d, tied));
  else
    MOONI_TRY(mooni_layer_add_param(layer, "weight", 2, (size_t[]){d->in, d->out}));
  if (d->bias) MOONI_TRY(mooni_layer_add_param(layer, "bias", 1, &d->out));
  if (!tied) mooni_init_fill(layer->ctx, layer->params[0]->value, d->init); /* draws: after all that can fail */
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
  return d->activity_l1 > 0 || d->kl_weight > 0 || d->contractive > 0 ? NULL : d->act->name;
}

static bool whole_batch(const moon_layer *layer) { return ((const dense *)layer)->kl_weight > 0; }

static bool gives_columns(const moon_layer *layer) { return !((const dense *)layer)->act->rowwise; }

static mooni_mat row_major(const float *p, size_t width) {
  return (mooni_mat){.p = (float *)(uintptr_t)p, .rs = width, .cs = 1};
}

static mooni_mat transposed(mooni_mat m) { return (mooni_mat){m.p, m.cs, m.rs, m.sparse}; }

/* An input, in which a pixel may be 0 in the whole batch, or a unit have died. */
static mooni_mat input_mat(const float *p, size_t width) {
  return (mooni_mat){.p = (float *)(uintptr_t)p, .rs = width, .cs = 1, .sparse = true};
}

/* A matrix in the weight's place, seen as [in x out], from row i and column j on. */
static mooni_mat weight_view(const dense *d, const float *p, size_t i, size_t j) {
  mooni_mat m = d->tied ? transposed(row_major(p, d->in)) : row_major(p, d->out);
  if (i || j) m.p += i * m.rs + j * m.cs; /* p may be NULL, for a plan */
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

/* What a part does alone of a matrix [rows x out]: columns of all rows; or rows, where a row must be seen as a whole
** (softmax). */
typedef struct region {
  size_t r0, rows, c0, columns;
} region;

static region region_of(const dense *d, size_t rows, bool rowwise, size_t part, size_t parts) {
  stretch s;
  if (!rowwise) {
    s = share(d->out, part, parts);
    return (region){0, rows, s.from, length(s)};
  }
  mooni_share(rows, 1, part, parts, &s.from, &s.to);
  return (region){s.from, length(s), 0, d->out};
}

static region own_region(const dense *d, const mooni_pass *pass, bool rowwise) {
  return region_of(d, pass->rows, rowwise, pass->part, pass->parts);
}

/* A loss may take a softmax over: then what is left of it is not by rows. */
static void plan_forward(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts) {
  const dense *d = (const dense *)layer;
  for (size_t rowwise = 0; rowwise <= d->act->rowwise; rowwise++)
    for (size_t p = 0; p < parts; p++) {
      region g = region_of(d, rows, rowwise, p, parts);
      mooni_plan_gemm(plan, g.rows, g.columns, length(own_inputs(d, part, parts)), row_major(NULL, d->in),
                      weight_view(d, NULL, 0, 0), row_major(NULL, d->out));
    }
}

/* The products with the gradients of `out` outputs: all of them, or a part's. */
static void plan_outputs(const dense *d, mooni_plan *plan, size_t rows, size_t in, size_t out, bool dx) {
  mooni_mat x = row_major(NULL, d->in), dz = row_major(NULL, d->out), w = weight_view(d, NULL, 0, 0);
  mooni_plan_gemm(plan, in, out, rows, transposed(x), dz, w);
  if (dx) mooni_plan_gemm(plan, rows, in, out, dz, transposed(w), x);
}

static void plan_backward(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts, bool dx) {
  const dense *d = (const dense *)layer;
  size_t in = length(own_inputs(d, part, parts));
  plan_outputs(d, plan, rows, in, d->out, dx);
  for (size_t p = 0; parts > 1 && p < parts; p++) plan_outputs(d, plan, rows, in, length(share(d->out, p, parts)), dx);
}

/* The part's columns of a matrix like x, or like y. */
static mooni_view like_x(const mooni_pass *pass, const float *x) {
  return mooni_part_of(x, pass->rows, pass->in, pass->x_apart, pass->part, pass->parts);
}

static mooni_view like_y(const mooni_pass *pass, const float *y) {
  return mooni_part_of(y, pass->rows, pass->out, pass->y_apart, pass->part, pass->parts);
}

/* Where a part leaves its share of the sums in another's region g: by rows of g, one behind the other. */
static float *post(const mooni_pass *pass, size_t part, region g) {
  return pass->spare + part * pass->step + g.r0 * g.columns + g.c0 * g.rows;
}

static void sum_parts(const moon_layer *layer, const mooni_pass *pass, region g) {
  mooni_view y = like_y(pass, pass->y);
  for (size_t p = 0; p < pass->parts; p++) {
    if (p == pass->part) continue;
    const float *from = post(pass, p, g);
    float *to = y.p + g.r0 * y.stride + g.c0;
    for (size_t r = 0; r < g.rows; r++, from += g.columns, to += y.stride) layer->ctx->k->add(to, from, g.columns);
  }
}

/* The part's share of the sums in region g, which may be empty. */
static void multiply(const moon_layer *layer, const mooni_pass *pass, region g, float *to, size_t stride) {
  const dense *d = (const dense *)layer;
  mooni_view x = like_x(pass, pass->x);
  const float *w = moon_tensor_float(layer->params[0]->value);
  if (!g.rows || !g.columns) return;
  if (x.to > x.from)
    mooni_gemm(layer->ctx, g.rows, g.columns, x.to - x.from, 1, input_mat(x.p + g.r0 * x.stride + x.from, x.stride),
               weight_view(d, w, x.from, g.c0), 0, row_major(to, stride));
  else
    for (size_t r = 0; r < g.rows; r++) memset(to + r * stride, 0, g.columns * sizeof *to);
}

/* The activation of this pass: none where the loss takes it over. */
static const mooni_act *act_of(const moon_layer *layer, const mooni_pass *pass) {
  return pass->logits ? mooni_find_act(layer->ctx, "linear") : ((const dense *)layer)->act;
}

/* Of y a part writes its own region only: no line of it is another core's. What it has for others it leaves where they
** find it. */
static void forward(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  mooni_view y = like_y(pass, pass->y);
  for (size_t p = 0; p < pass->parts; p++) {
    region g = region_of(d, pass->rows, act_of(layer, pass)->rowwise, p, pass->parts);
    if (p == pass->part)
      multiply(layer, pass, g, y.p + g.r0 * y.stride + g.c0, y.stride);
    else
      multiply(layer, pass, g, post(pass, pass->part, g), g.columns);
  }
}

/* What all parts have made of the sums in this part's region becomes its outputs. */
static void complete(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const mooni_act *act = act_of(layer, pass);
  const float *bias = d->bias ? moon_tensor_float(layer->params[1]->value) : NULL;
  mooni_view y = like_y(pass, pass->y), z = {0};
  if (pass->work) z = like_y(pass, pass->work);
  region g = own_region(d, pass, act->rowwise);
  size_t at = g.r0 * y.stride + g.c0;
  sum_parts(layer, pass, g);
  act->forward(y.p + at, z.p ? z.p + at : NULL, bias ? bias + g.c0 : NULL, g.rows, g.columns, y.stride);
}

/* ---- penalties on the outputs ----
** Each has a value, of the outputs in a region, and a gradient. Columns are taken a block at a time, so that what is
** found out about each has room on the stack. */

enum { BLOCK = 256 };

/* How many columns to take from c on, up to `to`. */
static size_t block_width(size_t c, size_t to) { return to - c < BLOCK ? to - c : BLOCK; }

static double activity_scale(const dense *d, const mooni_pass *pass) {
  return d->activity_reduction[0] == 'b' ? d->activity_l1 / (double)pass->batch : d->activity_l1;
}

static double activity(const moon_layer *layer, const mooni_pass *pass, region g) {
  const dense *d = (const dense *)layer;
  mooni_view y = like_y(pass, pass->y);
  double sum = 0;
  for (size_t r = g.r0; r < g.r0 + g.rows; r++) sum += layer->ctx->k->sum_abs(y.p + r * y.stride + g.c0, g.columns);
  return activity_scale(d, pass) * sum;
}

static void add_activity(const moon_layer *layer, const mooni_pass *pass, region g) {
  const dense *d = (const dense *)layer;
  float scale = (float)activity_scale(d, pass);
  mooni_view y = like_y(pass, pass->y), dy = like_y(pass, pass->dy);
  for (size_t r = 0, at = g.r0 * y.stride + g.c0; r < g.rows; r++, at += y.stride)
    layer->ctx->k->add_sign(dy.p + at, scale, y.p + at, g.columns);
}

/* ---- kl_weight: sparse in the mean ----
** Lee, Ekanadham and Ng 2008 in the form of Ng's notes on the sparse autoencoder: with q_j the mean of output j over
** the batch and p = kl_target, kl_weight sum_j [p ln(p / q_j) + (1 - p) ln((1 - p) / (1 - q_j))]. Its slope on each of
** the B outputs of column j is kl_weight / B [(1 - p) / (1 - q_j) - p / q_j]. All rows are here (whole_batch). */

/* The means of columns c to c + n, clipped to where value and slope are finite: a unit that is shut for the whole batch
** keeps the slope that opens it again. */
static void mean_outputs(const moon_layer *layer, const mooni_pass *pass, double mean[BLOCK], size_t c, size_t n) {
  const double least = 1e-7;
  float sum[BLOCK];
  mooni_view y = like_y(pass, pass->y);
  layer->ctx->k->column_sums(sum, y.p + c, pass->rows, n, y.stride, false);
  for (size_t j = 0; j < n; j++) {
    double q = (double)sum[j] / (double)pass->rows;
    mean[j] = q < least ? least : q > 1 - least ? 1 - least : q;
  }
}

/* Of the columns from c up to `to`. */
static double divergence(const moon_layer *layer, const mooni_pass *pass, size_t c, size_t to) {
  const dense *d = (const dense *)layer;
  double q[BLOCK], p = d->kl_target, sum = 0;
  for (size_t n; c < to; c += n) {
    n = block_width(c, to);
    mean_outputs(layer, pass, q, c, n);
    for (size_t j = 0; j < n; j++) sum += p * log(p / q[j]) + (1 - p) * log((1 - p) / (1 - q[j]));
  }
  return d->kl_weight * sum;
}

static void add_divergence(const moon_layer *layer, const mooni_pass *pass, region g) {
  const dense *d = (const dense *)layer;
  double q[BLOCK], p = d->kl_target, scale = d->kl_weight / (double)pass->batch;
  float slope[BLOCK];
  mooni_view dy = like_y(pass, pass->dy);
  for (size_t n, c = g.c0; c < g.c0 + g.columns; c += n) {
    n = block_width(c, g.c0 + g.columns);
    mean_outputs(layer, pass, q, c, n);
    for (size_t j = 0; j < n; j++) slope[j] = (float)(scale * ((1 - p) / (1 - q[j]) - p / q[j]));
    for (size_t r = g.r0; r < g.r0 + g.rows; r++) layer->ctx->k->add(dy.p + r * dy.stride + c, slope, n);
  }
}

/* ---- contractive: outputs that follow the input little ----
** Rifai et al. 2011: contractive / B times the sum over the B rows of the squared Frobenius norm of the Jacobian,
** dy_j / dx_i = act'(z_j) W_ij. That is contractive / B sum_j s_j m_j, where s_j is the sum of squares of the weight's
** column j and m_j that of act'(z_j) over the rows. Slopes: on z_j 2 contractive / B s_j act'(z_j) act''(z_j), on W_ij
** 2 contractive / B m_j W_ij. Both are sums over rows, so that a part may see some of the rows only. */

static void square_columns(const moon_layer *layer, float s[BLOCK], size_t c, size_t n) {
  const dense *d = (const dense *)layer;
  const mooni_kernels *k = layer->ctx->k;
  const float *w = moon_tensor_float(layer->params[0]->value);
  memset(s, 0, n * sizeof *s);
  for (size_t j = 0; d->tied && j < n; j++) s[j] = (float)k->sum_squares(w + (c + j) * d->in, d->in);
  for (size_t i = 0; !d->tied && i < d->in; i++) k->add_product(s, w + i * d->out + c, w + i * d->out + c, n);
}

/* act' and act'' at n outputs of row r from column c on, which are part p's. */
static void slopes(const dense *d, const mooni_pass *pass, size_t p, float first[BLOCK], float second[BLOCK], size_t r,
                   size_t c, size_t n) {
  mooni_view y = mooni_part_of(pass->y, pass->rows, d->out, pass->y_apart, p, pass->parts), z = {0};
  if (pass->work) z = mooni_part_of(pass->work, pass->rows, d->out, pass->y_apart, p, pass->parts);
  size_t at = r * y.stride + c;
  d->act->slopes(first, second, y.p + at, z.p ? z.p + at : NULL, n);
}

static void square_slopes(const moon_layer *layer, const mooni_pass *pass, size_t p, float m[BLOCK], size_t c,
                          size_t n) {
  enum { FEW = 128 }; /* rows whose sum is kept in float */
  float first[BLOCK], second[BLOCK];
  double total[BLOCK] = {0};
  for (size_t r = 0; r < pass->rows; r++) {
    if (r % FEW == 0) memset(m, 0, n * sizeof *m);
    slopes((const dense *)layer, pass, p, first, second, r, c, n);
    layer->ctx->k->add_product(m, first, first, n);
    for (size_t j = 0; j < n && (r % FEW == FEW - 1 || r + 1 == pass->rows); j++) total[j] += (double)m[j];
  }
  for (size_t j = 0; j < n; j++) m[j] = (float)total[j];
}

static double jacobian(const moon_layer *layer, const mooni_pass *pass, region g) {
  const dense *d = (const dense *)layer;
  float s[BLOCK], m[BLOCK];
  double sum = 0;
  for (size_t n, c = g.c0; c < g.c0 + g.columns; c += n) {
    n = block_width(c, g.c0 + g.columns);
    square_columns(layer, s, c, n);
    square_slopes(layer, pass, pass->part, m, c, n);
    for (size_t j = 0; j < n; j++) sum += (double)s[j] * (double)m[j];
  }
  return d->contractive / (double)pass->batch * sum;
}

/* To dz. */
static void add_jacobian(const moon_layer *layer, const mooni_pass *pass, region g) {
  const dense *d = (const dense *)layer;
  const mooni_kernels *k = layer->ctx->k;
  float s[BLOCK], first[BLOCK], second[BLOCK], scale = (float)(2 * d->contractive / (double)pass->batch);
  mooni_view dy = like_y(pass, pass->dy);
  for (size_t n, c = g.c0; c < g.c0 + g.columns; c += n) {
    n = block_width(c, g.c0 + g.columns);
    square_columns(layer, s, c, n);
    for (size_t j = 0; j < n; j++) s[j] *= scale;
    for (size_t r = g.r0; r < g.r0 + g.rows; r++) {
      slopes(d, pass, pass->part, first, second, r, c, n);
      k->mul(first, second, n);
      k->add_product(dy.p + r * dy.stride + c, s, first, n);
    }
  }
}

/* To the gradient of the weight, in the rows i and in part p's columns. */
static void add_jacobian_weight(const moon_layer *layer, const mooni_pass *pass, stretch i, size_t p) {
  const dense *d = (const dense *)layer;
  const mooni_kernels *k = layer->ctx->k;
  const float *w = moon_tensor_float(layer->params[0]->value);
  float m[BLOCK], *dw = pass->grad[0], scale = (float)(2 * d->contractive / (double)pass->batch);
  stretch o = share(d->out, p, pass->parts);
  for (size_t n, c = o.from; c < o.to; c += n) {
    n = block_width(c, o.to);
    square_slopes(layer, pass, p, m, c, n);
    for (size_t j = 0; j < n; j++) m[j] *= scale;
    for (size_t j = 0; d->tied && j < n; j++) {
      size_t at = (c + j) * d->in + i.from;
      k->axpy(dw + at, m[j], w + at, length(i));
    }
    for (size_t at = i.from * d->out + c; !d->tied && at < i.to * d->out; at += d->out)
      k->add_product(dw + at, m, w + at, n);
  }
}

/* ---- backward ---- */

/* Turn dy into dz, in the part's region. */
static void make_dz(const moon_layer *layer, const mooni_pass *pass, region g) {
  const dense *d = (const dense *)layer;
  mooni_view y = like_y(pass, pass->y), dy = like_y(pass, pass->dy), z = {0};
  if (pass->work) z = like_y(pass, pass->work);
  size_t at = g.r0 * y.stride + g.c0;
  if (d->activity_l1 > 0) add_activity(layer, pass, g);
  if (d->kl_weight > 0) add_divergence(layer, pass, g);
  if (!pass->logits) d->act->backward(dy.p + at, y.p + at, z.p ? z.p + at : NULL, g.rows, g.columns, y.stride);
  if (d->contractive > 0) add_jacobian(layer, pass, g);
}

/* Part of a parameter in memory: rows x width elements from `at` on, `stride` apart. */
typedef struct extent {
  size_t at, rows, width, stride;
} extent;

static extent extent_of(const dense *d, stretch i) {
  size_t n = length(i) * d->out;
  return d->tied ? (extent){i.from, d->out, length(i), d->in} : (extent){i.from * d->out, 1, n, n};
}

/* dz as it lies in memory: in one piece, or in one for each part. */
static size_t pieces(const mooni_pass *pass) { return pass->y_apart ? pass->parts : 1; }

static mooni_view piece(const mooni_pass *pass, size_t p) {
  return mooni_part_of(pass->dy, pass->rows, pass->out, pass->y_apart, p, pieces(pass));
}

static void input_gradient(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const float *w = moon_tensor_float(layer->params[0]->value);
  mooni_view dx = like_x(pass, pass->dx);
  bool begun = false;
  for (size_t p = 0; p < pieces(pass); p++) {
    mooni_view dz = piece(pass, p);
    if (dz.to == dz.from) continue;
    mooni_gemm(layer->ctx, pass->rows, dx.to - dx.from, dz.to - dz.from, 1, row_major(dz.p + dz.from, dz.stride),
               transposed(weight_view(d, w, dx.from, dz.from)), begun, row_major(dx.p + dx.from, dx.stride));
    begun = true;
  }
}

/* The gradient of the part's rows of the weight, and then their update. In tiles that stay in the cache between the two
** it was no faster. */
static void weight_gradient(const moon_layer *layer, const mooni_pass *pass, stretch i) {
  const dense *d = (const dense *)layer;
  float *dw = pass->grad[0];
  const float *w = moon_tensor_float(layer->params[0]->value);
  mooni_view x = like_x(pass, pass->x);
  extent e = extent_of(d, i);
  for (size_t p = 0; p < pieces(pass); p++) {
    mooni_view dz = piece(pass, p);
    if (dz.to > dz.from)
      mooni_gemm(layer->ctx, length(i), dz.to - dz.from, pass->rows, 1, transposed(input_mat(x.p + x.from, x.stride)),
                 row_major(dz.p + dz.from, dz.stride), pass->accumulate & 1 ? 1 : 0,
                 weight_view(d, dw, i.from, dz.from));
  }
  for (size_t r = 0; d->weight_l2 > 0 && pass->weights && r < e.rows; r++)
    layer->ctx->k->axpy(dw + e.at + r * e.stride, (float)(2 * d->weight_l2), w + e.at + r * e.stride, e.width);
  for (size_t p = 0; d->contractive > 0 && p < pass->parts; p++) add_jacobian_weight(layer, pass, i, p);
  if (pass->ready) pass->ready(pass, 0, e.at, e.rows, e.width, e.stride);
}

static void bias_gradient(const moon_layer *layer, const mooni_pass *pass) {
  mooni_view dz = like_y(pass, pass->dy);
  if (((const dense *)layer)->bias && dz.to > dz.from)
    layer->ctx->k->column_sums(pass->grad[1] + dz.from, dz.p + dz.from, pass->rows, dz.to - dz.from, dz.stride,
                               pass->accumulate & 2);
}

static void bias_ready(const moon_layer *layer, const mooni_pass *pass) {
  stretch o = share(pass->out, pass->part, pass->parts);
  if (((const dense *)layer)->bias && length(o) && pass->ready) pass->ready(pass, 1, o.from, 1, length(o), length(o));
}

/* The bias's sums come before the others have read dz: then it is still in this core's cache alone. But where dz goes
** by rows, the others make parts of the columns that the bias is of. */
static void derive(const moon_layer *layer, const mooni_pass *pass) {
  bool rowwise = act_of(layer, pass)->rowwise;
  make_dz(layer, pass, own_region((const dense *)layer, pass, rowwise));
  if (!rowwise) bias_gradient(layer, pass);
}

static void backward(moon_layer *layer, const mooni_pass *pass) {
  stretch i = own_inputs((const dense *)layer, pass->part, pass->parts);
  if (act_of(layer, pass)->rowwise) bias_gradient(layer, pass);
  bias_ready(layer, pass);
  if (!length(i)) return;
  if (pass->dx) input_gradient(layer, pass); /* before the weights may change */
  weight_gradient(layer, pass, i);
}

static double penalty(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  const float *w = moon_tensor_float(layer->params[0]->value);
  region g = own_region(d, pass, d->act->rowwise);
  extent e = extent_of(d, own_inputs(d, pass->part, pass->parts));
  double sum = 0, weights = 0;
  if (d->activity_l1 > 0) sum += activity(layer, pass, g);
  if (d->contractive > 0) sum += jacobian(layer, pass, g);
  if (d->kl_weight > 0) {
    stretch s = share(d->out, pass->part, pass->parts);
    sum += divergence(layer, pass, s.from, s.to);
  }
  for (size_t r = 0; d->weight_l2 > 0 && pass->weights && r < e.rows; r++)
    weights += layer->ctx->k->sum_squares(w + e.at + r * e.stride, e.width);
  return sum + d->weight_l2 * weights;
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
                                       .complete = complete,
                                       .derive = derive,
                                       .backward = backward,
                                       .penalty = penalty,
                                       .whole_batch = whole_batch,
                                       .torch_modules = -1};
