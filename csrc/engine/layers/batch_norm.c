/* batch_norm.c - batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167, algorithms 1 and 2). Of each column of
** x [rows x n], with its mean and variance over the rows of the batch:
**
**   z = (x - mean) / sqrt(variance + eps)      y = weight z + bias
**
** In inference the running statistics stand for the batch's. They change as in Keras: running = momentum running +
** (1 - momentum) of the batch, whose variance is divided by the rows, not by one less.
**
** A part computes its columns alone, over all rows; only ranks add up sums. The mean is made in two rounds: a float
** near it, the centre, from the sum of x; then the sums of x - centre and of its square. So a large mean costs no
** digits, and any number of ranks finds the same one, whatever the rounding of the first sums. */
#include <math.h>
#include <stddef.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../kernels/table.h"
#include "norm.h"

enum { WEIGHT = MOONI_NORM_WEIGHT, BIAS = MOONI_NORM_BIAS, MEAN, VARIANCE, TRACKED };
enum { STRIP = 256 }; /* columns whose factors are on the stack */

typedef struct batch_norm {
  moon_layer base;
  size_t n;
  double momentum, eps;
} batch_norm;

/*** moon.batch_norm(n, options)
** Batch normalisation, for rows of width n: each column gets mean 0 and variance 1 over the rows of the batch. Then it
** is scaled by `weight` and shifted by `bias`. Inference, and a frozen layer, take `running_mean` and `running_var`
** instead, which training updates as Keras does. PyTorch's momentum is 1 minus this one.
** @field weight moonglass.Tensor [n], live: gamma, which starts at 1
** @field bias moonglass.Tensor [n], live: beta, which starts at 0
** @field weight_grad moonglass.Tensor [n], live: the gradient of the last backward
** @field bias_grad moonglass.Tensor [n], live
** @field running_mean moonglass.Tensor [n], live
** @field running_var moonglass.Tensor [n], live
** @field num_batches_tracked moonglass.Tensor [], live: how many batches have changed the running statistics */
static const mooni_option_spec options[] = {
    MOONI_NORM_WIDTH(batch_norm),
    {.name = "momentum",
     .kind = MOON_NUMBER,
     .offset = offsetof(batch_norm, momentum),
     .number = 0.99,
     .low = 0,
     .high = 1,
     .help = "what the running statistics keep of themselves in each step; they take 1 - momentum of the batch's"},
    MOONI_NORM_EPS(batch_norm),
    MOONI_TRAINABLE_OPTION,
    {0}};

static moon_status init(moon_layer *layer) {
  const batch_norm *b = (const batch_norm *)layer;
  MOONI_TRY(mooni_norm_init(layer, b->n));
  MOONI_TRY(mooni_layer_add_buffer(layer, "running_mean", 1, &b->n));
  MOONI_TRY(mooni_layer_add_buffer(layer, "running_var", 1, &b->n));
  MOONI_TRY(mooni_layer_add_buffer(layer, "num_batches_tracked", 0, NULL));
  moon_tensor_fill(layer->params[VARIANCE]->value, 1);
  return MOON_OK;
}

static size_t width(const moon_layer *layer) { return ((const batch_norm *)layer)->n; }

static bool gives_columns(const moon_layer *layer) {
  (void)layer;
  return true;
}

/* Is it normalised by the statistics of its batch? Else by the running ones. */
static bool whole_batch(const moon_layer *layer, bool training) { return training && layer->trainable; }

/* Do ranks add up its sums? */
static bool over_ranks(const moon_layer *layer, const mooni_pass *pass) {
  return pass->sums && whole_batch(layer, pass->training);
}

static float *values(const moon_layer *layer, size_t i) { return moon_tensor_float(layer->params[i]->value); }

/* ---- sums over the batch ---- */

/* [n] each: of x; of x - centre and its square; of dy and dy (x - centre). */
enum { OF_X, OF_REST, OF_SQUARE, OF_DY, OF_PRODUCT, ALL_SUMS };

static size_t sums(const moon_layer *layer, mooni_round round) {
  static const size_t each[MOONI_ROUNDS] = {[MOONI_OF_X] = 1, [MOONI_OF_DEVIATIONS] = 2, [MOONI_OF_DY] = 2};
  return each[round] * width(layer);
}

static size_t kept(const moon_layer *layer) { return ALL_SUMS * width(layer); }

/* The sum of that kind, from column c on: over all ranks, or over the rows here. */
static float *sum_at(const moon_layer *layer, const mooni_pass *pass, size_t kind, size_t c) {
  return (over_ranks(layer, pass) ? pass->sums : pass->kept) + kind * width(layer) + c;
}

/* ---- from x to z ---- */

/* z = (x - centre) inverse + offset, in n columns. */
typedef struct strip {
  size_t c, n;
  float centre[STRIP];
  double inverse[STRIP], offset[STRIP];
} strip;

static void find_centres(const moon_layer *layer, const mooni_pass *pass, strip *s) {
  const float *sum = sum_at(layer, pass, OF_X, s->c);
  for (size_t j = 0; j < s->n; j++) s->centre[j] = (float)((double)sum[j] / (double)pass->batch);
}

/* How far the mean is from the centre, and the variance. */
static double find_moments(const moon_layer *layer, const mooni_pass *pass, size_t c, double *variance) {
  double off = (double)*sum_at(layer, pass, OF_REST, c) / (double)pass->batch;
  *variance = fmax((double)*sum_at(layer, pass, OF_SQUARE, c) / (double)pass->batch - off * off, 0);
  return off;
}

static void from_batch(const moon_layer *layer, const mooni_pass *pass, strip *s) {
  find_centres(layer, pass, s);
  for (size_t j = 0; j < s->n; j++) {
    double variance, off = find_moments(layer, pass, s->c + j, &variance);
    double inverse = 1 / sqrt(variance + ((const batch_norm *)layer)->eps);
    s->inverse[j] = inverse;
    s->offset[j] = -off * inverse;
  }
}

static void from_running(const moon_layer *layer, strip *s) {
  const float *mean = values(layer, MEAN) + s->c, *variance = values(layer, VARIANCE) + s->c;
  for (size_t j = 0; j < s->n; j++) {
    s->centre[j] = mean[j];
    s->inverse[j] = 1 / sqrt((double)variance[j] + ((const batch_norm *)layer)->eps);
    s->offset[j] = 0;
  }
}

static void standardise(const moon_layer *layer, const mooni_pass *pass, strip *s) {
  if (whole_batch(layer, pass->training))
    from_batch(layer, pass, s);
  else
    from_running(layer, s);
}

static mooni_columns like_x(const mooni_pass *pass, const float *x) {
  return mooni_columns_of(x, pass->rows, pass->in, pass->x_apart, pass->part, pass->parts);
}

static mooni_columns like_y(const mooni_pass *pass, const float *y) {
  return mooni_columns_of(y, pass->rows, pass->out, pass->y_apart, pass->part, pass->parts);
}

/* The next strip of the part's columns, behind s; false after the last. To begin, s->c = s->n = 0. */
static bool next(strip *s, mooni_columns own) {
  s->c = s->n ? s->c + s->n : own.from;
  s->n = own.to - s->c < STRIP ? own.to - s->c : STRIP;
  return s->n > 0;
}

/* ---- forward ---- */

static void sum_x(const moon_layer *layer, const mooni_pass *pass) {
  mooni_columns x = like_x(pass, pass->x);
  if (x.to > x.from)
    layer->ctx->k->column_sums(sum_at(layer, pass, OF_X, x.from), x.p + x.from, pass->rows, x.to - x.from, x.stride,
                               false);
}

static void sum_deviations(const moon_layer *layer, const mooni_pass *pass) {
  mooni_columns x = like_x(pass, pass->x);
  for (strip s = {.n = 0}; next(&s, x);) {
    find_centres(layer, pass, &s);
    layer->ctx->k->column_deviations(sum_at(layer, pass, OF_REST, s.c), sum_at(layer, pass, OF_SQUARE, s.c), x.p + s.c,
                                     s.centre, pass->rows, s.n, x.stride);
  }
}

/* y [rows x own columns] = weight z + bias. */
static void forward(const moon_layer *layer, const mooni_pass *pass) {
  mooni_columns x = like_x(pass, pass->x), y = like_y(pass, pass->y);
  const float *weight = values(layer, WEIGHT), *bias = values(layer, BIAS);
  double scale[STRIP], shift[STRIP];
  if (whole_batch(layer, pass->training) && !over_ranks(layer, pass)) {
    sum_x(layer, pass);
    sum_deviations(layer, pass);
  }
  for (strip s = {.n = 0}; next(&s, x);) {
    standardise(layer, pass, &s);
    for (size_t j = 0; j < s.n; j++) {
      double w = (double)weight[s.c + j];
      scale[j] = s.inverse[j] * w;
      shift[j] = s.offset[j] * w + (double)bias[s.c + j];
    }
    layer->ctx->k->normalise(y.p + s.c, y.stride, x.p + s.c, x.stride, s.centre, scale, shift, pass->rows, s.n);
  }
}

/* ---- backward ---- */

static void add_gradient(const mooni_pass *pass, size_t i, size_t c, float g) {
  if (!pass->grad[i]) return; /* frozen */
  if (pass->accumulate & 1u << i)
    pass->grad[i][c] += g;
  else
    pass->grad[i][c] = g;
}

/* The sums of dy and dy (x - centre) over the rows here; from them the gradients: of the bias the sum of dy, of the
** weight that of dy z. */
static void sum_dy(const moon_layer *layer, const mooni_pass *pass) {
  mooni_columns x = like_x(pass, pass->x), dy = like_y(pass, pass->dy);
  for (strip s = {.n = 0}; next(&s, x);) {
    float *sum = sum_at(layer, pass, OF_DY, s.c), *products = sum_at(layer, pass, OF_PRODUCT, s.c);
    standardise(layer, pass, &s);
    layer->ctx->k->column_products(sum, products, dy.p + s.c, dy.stride, x.p + s.c, x.stride, s.centre, pass->rows,
                                   s.n);
    for (size_t j = 0; j < s.n; j++) {
      double along = (double)products[j] * s.inverse[j] + (double)sum[j] * s.offset[j];
      add_gradient(pass, WEIGHT, s.c + j, (float)along);
      add_gradient(pass, BIAS, s.c + j, pass->centred ? 0 : sum[j]);
    }
  }
}

/* dx = inverse weight (dy - mean of dy - z mean of dy z) [rows x own columns], as dy scale + (x - centre) slope +
** shift. The means are there only if mean and variance depend on x. */
static void input_gradient(const moon_layer *layer, const mooni_pass *pass) {
  mooni_columns x = like_x(pass, pass->x), dx = like_x(pass, pass->dx), dy = like_y(pass, pass->dy);
  const float *weight = values(layer, WEIGHT);
  double scale[STRIP], slope[STRIP], shift[STRIP];
  double share = whole_batch(layer, pass->training) ? 1 / (double)pass->batch : 0;
  for (strip s = {.n = 0}; next(&s, x);) {
    const float *sum = sum_at(layer, pass, OF_DY, s.c), *products = sum_at(layer, pass, OF_PRODUCT, s.c);
    standardise(layer, pass, &s);
    for (size_t j = 0; j < s.n; j++) {
      double inverse = s.inverse[j], offset = s.offset[j], mean = share > 0 ? share * (double)sum[j] : 0;
      double along = share > 0 ? share * ((double)products[j] * inverse + (double)sum[j] * offset) : 0;
      double w = (double)weight[s.c + j] * inverse;
      scale[j] = w;
      slope[j] = -w * along * inverse;
      shift[j] = -w * (mean + along * offset);
    }
    layer->ctx->k->normalise_back(dx.p + s.c, x.stride, dy.p + s.c, dy.stride, x.p + s.c, s.centre, scale, slope, shift,
                                  pass->rows, s.n);
  }
}

static void sum(const moon_layer *layer, const mooni_pass *pass, mooni_round round) {
  if (round == MOONI_OF_X) sum_x(layer, pass);
  if (round == MOONI_OF_DEVIATIONS) sum_deviations(layer, pass);
  if (round == MOONI_OF_DY) sum_dy(layer, pass);
}

static void backward(moon_layer *layer, const mooni_pass *pass) {
  mooni_columns own = like_x(pass, pass->x);
  mooni_patch patch = {own.from, 1, own.to - own.from, own.to - own.from};
  if (own.to == own.from) return;
  if (!over_ranks(layer, pass) && (pass->grad[WEIGHT] || whole_batch(layer, pass->training))) sum_dy(layer, pass);
  if (pass->dx) input_gradient(layer, pass); /* before the weight may change */
  if (!pass->ready || !pass->grad[WEIGHT]) return;
  pass->ready(pass, WEIGHT, patch);
  pass->ready(pass, BIAS, patch);
}

/* ---- running statistics ---- */

/* A column whose statistics are not finite is left as it is. */
static void settle(moon_layer *layer, const mooni_pass *pass) {
  const batch_norm *b = (const batch_norm *)layer;
  float *mean = values(layer, MEAN), *variance = values(layer, VARIANCE);
  double keep = b->momentum, take = 1 - b->momentum;
  for (strip s = {.n = 0}; next(&s, like_x(pass, pass->x));) {
    find_centres(layer, pass, &s);
    for (size_t j = 0; j < s.n; j++) {
      double of_batch, off = find_moments(layer, pass, s.c + j, &of_batch);
      float m = (float)(keep * (double)mean[s.c + j] + take * ((double)s.centre[j] + off));
      float v = (float)(keep * (double)variance[s.c + j] + take * of_batch);
      if (!isfinite(m) || !isfinite(v)) continue;
      mean[s.c + j] = m;
      variance[s.c + j] = v;
    }
  }
  if (pass->part == 0) values(layer, TRACKED)[0] += 1;
}

void mooni_batch_norm_factors(const moon_layer *layer, double *scale, double *shift) {
  const batch_norm *b = (const batch_norm *)layer;
  for (size_t c = 0; c < b->n; c++) {
    scale[c] = (double)values(layer, WEIGHT)[c] / sqrt((double)values(layer, VARIANCE)[c] + b->eps);
    shift[c] = (double)values(layer, BIAS)[c] - (double)values(layer, MEAN)[c] * scale[c];
  }
}

const mooni_layer_class mooni_batch_norm = {.name = "batch_norm",
                                            .size = sizeof(batch_norm),
                                            .options = options,
                                            .init = init,
                                            .inputs = width,
                                            .outputs = width,
                                            .takes_columns = true,
                                            .gives_columns = gives_columns,
                                            .kept = kept,
                                            .forward = forward,
                                            .backward = backward,
                                            .whole_batch = whole_batch,
                                            .centres = true,
                                            .sums = sums,
                                            .sum = sum,
                                            .settle = settle,
                                            .torch_modules = 1};
