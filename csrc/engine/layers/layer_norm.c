/* layer_norm.c - layer normalisation (Ba, Kiros and Hinton 2016, arXiv 1607.06450). Of each row of x [rows x n], with
** its mean and variance over the n elements, the same in training and in inference:
**
**   z = (x - mean) / sqrt(variance + eps)      y = weight z + bias
**
** scratch [rows x 3] holds what makes z of a row (normalise_rows in kernels/norm.c). By columns a part takes its rows
** forward and, in `derive`, back to dx; in `backward` its columns of the parameters' gradients, over all rows. */
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../kernels/table.h"
#include "norm.h"

enum { WEIGHT = MOONI_NORM_WEIGHT, BIAS = MOONI_NORM_BIAS };
enum { STATS = 3, STRIP = 256 };

typedef struct layer_norm {
  moon_layer base;
  size_t n;
  double eps;
} layer_norm;

/*** moon.layer_norm(n, options)
** Layer normalisation, for rows of width n: each row gets mean 0 and variance 1. Then each column is scaled by `weight`
** and shifted by `bias`. Training and inference are the same. PyTorch's eps is 1e-5.
** @field weight moonglass.Tensor [n], live: gamma, which starts at 1
** @field bias moonglass.Tensor [n], live: beta, which starts at 0
** @field weight_grad moonglass.Tensor [n], live: the gradient of the last backward
** @field bias_grad moonglass.Tensor [n], live */
static const mooni_option_spec options[] = {
    MOONI_NORM_WIDTH(layer_norm), MOONI_NORM_EPS(layer_norm), MOONI_TRAINABLE_OPTION, {0}};

static moon_status init(moon_layer *layer) { return mooni_norm_init(layer, ((const layer_norm *)layer)->n); }

static size_t width(const moon_layer *layer) { return ((const layer_norm *)layer)->n; }

static size_t scratch(const moon_layer *layer, size_t in) {
  (void)layer, (void)in;
  return STATS;
}

static const float *values(const moon_layer *layer, size_t i) { return moon_tensor_float(layer->params[i]->value); }

/* y [own rows x n] = weight z + bias. */
static void forward(const moon_layer *layer, const mooni_pass *pass) {
  mooni_span own = mooni_own_rows(pass);
  size_t n = width(layer), at = own.from * n;
  layer->ctx->k->normalise_rows(pass->y + at, pass->scratch + own.from * STATS, pass->x + at, values(layer, WEIGHT),
                                values(layer, BIAS), mooni_length(own), n, ((const layer_norm *)layer)->eps);
}

/* dx [own rows x n] */
static void derive(const moon_layer *layer, const mooni_pass *pass) {
  mooni_span own = mooni_own_rows(pass);
  size_t n = width(layer), at = own.from * n;
  if (pass->dx)
    layer->ctx->k->normalise_rows_back(pass->dx + at, pass->dy + at, pass->x + at, pass->scratch + own.from * STATS,
                                       values(layer, WEIGHT), mooni_length(own), n);
}

static void give(const mooni_pass *pass, size_t i, size_t c, const float *gradient, size_t n) {
  if (!pass->grad[i]) return; /* frozen */
  for (size_t j = 0; j < n; j++)
    pass->grad[i][c + j] = gradient[j] + (pass->accumulate & 1u << i ? pass->grad[i][c + j] : 0);
  if (pass->ready) pass->ready(pass, i, (mooni_patch){c, 1, n, n});
}

/* Of the bias the sum of dy, of the weight that of dy z: [own columns], over all rows. */
static void backward(moon_layer *layer, const mooni_pass *pass) {
  size_t n = width(layer);
  mooni_span own = mooni_span_of(n, MOONI_COLUMN_GRAIN, pass->part, pass->parts);
  float sum[STRIP], products[STRIP];
  for (size_t length, c = own.from; c < own.to; c += length) {
    length = own.to - c < STRIP ? own.to - c : STRIP;
    layer->ctx->k->row_products(sum, products, pass->dy + c, pass->x + c, pass->scratch, pass->rows, length, n);
    give(pass, WEIGHT, c, products, length);
    if (pass->centred) memset(sum, 0, length * sizeof *sum);
    give(pass, BIAS, c, sum, length);
  }
}

const mooni_layer_class mooni_layer_norm = {.name = "layer_norm",
                                            .size = sizeof(layer_norm),
                                            .options = options,
                                            .init = init,
                                            .inputs = width,
                                            .outputs = width,
                                            .scratch = scratch,
                                            .forward = forward,
                                            .derive = derive,
                                            .backward = backward,
                                            .torch_modules = 1};
