/* gaussian_code.c - the code of a variational autoencoder (Kingma and Welling 2014, arXiv 1312.6114): [rows x 2k], k
** means and k logarithms of variances, to [rows x k]. Training draws z = mean + e^(log variance / 2) * normal, from the
** streams that all noise has (mooni_noise_stream), so that the gradient passes to both. Inference gives the mean.
**
** The penalty is beta times the divergence of the code's distribution from the standard normal one, their appendix B:
** the sum over the code of (mean^2 + e^l - 1 - l) / 2, l = log variance, and the mean over the batch's rows. It has the
** scale of a loss that is summed over a row and averaged over rows ("batchmean"), which together are the negative
** evidence lower bound. scratch [rows x k] holds dz/dl. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "../core/ctx.h"
#include "../kernels/table.h"
#include "layer.h"

typedef struct gaussian_code {
  moon_layer base;
  size_t k;
  double beta;
} gaussian_code;

/*** moon.gaussian_code(k, options)
** The code of a variational autoencoder (Kingma and Welling 2014). Each row has k means and behind them k logarithms of
** variances: [rows x 2k] becomes [rows x k]. In training the code is drawn from these normal distributions; in
** inference it is the means. The penalty is beta times the divergence from the standard normal distribution, summed
** over the code and averaged over the rows: it belongs to a loss that is summed over a row, reduction "batchmean". */
static const mooni_option_spec options[] = {
    {.name = "k",
     .kind = MOON_COUNT,
     .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
     .offset = offsetof(gaussian_code, k),
     .low = 1,
     .high = 1e9,
     .help = "elements of the code; the layer takes rows of 2k"},
    {.name = "beta",
     .kind = MOON_NUMBER,
     .flags = MOONI_SETTABLE,
     .offset = offsetof(gaussian_code, beta),
     .number = 1,
     .low = 0,
     .high = INFINITY,
     .help = "weight of the penalty on the divergence from the standard normal distribution"},
    {0}};

static moon_status init(moon_layer *layer) {
  layer->seed = moon_random(layer->ctx);
  return MOON_OK;
}

static size_t inputs(const moon_layer *layer) { return 2 * ((const gaussian_code *)layer)->k; }
static size_t outputs(const moon_layer *layer) { return ((const gaussian_code *)layer)->k; }

static size_t scratch(const moon_layer *layer, size_t in) {
  (void)layer;
  return in / 2;
}

/* Rows `from` to `to` of the means. */
static void pass_means(const mooni_pass *pass, mooni_span rows) {
  for (size_t r = rows.from; r < rows.to; r++)
    memcpy(pass->y + r * pass->out, pass->x + r * pass->in, pass->out * sizeof *pass->y);
  memset(pass->scratch + rows.from * pass->out, 0, mooni_length(rows) * pass->out * sizeof *pass->scratch);
}

static void forward(const moon_layer *layer, const mooni_pass *pass) {
  const mooni_kernels *k = layer->ctx->k;
  mooni_span own = mooni_own_rows(pass);
  if (!pass->training) {
    pass_means(pass, own);
    return;
  }
  for (size_t r = own.from; r < own.to; r += MOONI_ROW_GRAIN) {
    size_t to = own.to - r < MOONI_ROW_GRAIN ? own.to : r + MOONI_ROW_GRAIN;
    mooni_rng rng = mooni_noise_stream(pass, r);
    k->normal(&rng, pass->scratch + r * pass->out, (to - r) * pass->out, 0, 1);
    for (size_t i = r; i < to; i++)
      k->code_sample(pass->y + i * pass->out, pass->scratch + i * pass->out, pass->x + i * pass->in, pass->out);
  }
}

/* beta / B for each row of the batch. */
static double scale_of(const moon_layer *layer, const mooni_pass *pass) {
  return ((const gaussian_code *)layer)->beta / (double)pass->batch;
}

static double divergence(const moon_layer *layer, const float *x, size_t rows) {
  size_t k = ((const gaussian_code *)layer)->k;
  double sum = 0;
  for (size_t r = 0; r < rows; r++) sum += layer->ctx->k->code_divergence(x + r * 2 * k, k);
  return sum;
}

static double penalty(const moon_layer *layer, const mooni_pass *pass) {
  mooni_span own = mooni_own_rows(pass);
  double scale = scale_of(layer, pass);
  return scale > 0 ? scale * divergence(layer, pass->x + own.from * pass->in, mooni_length(own)) : 0;
}

static void backward(moon_layer *layer, const mooni_pass *pass) {
  mooni_span own = mooni_own_rows(pass);
  float scale = (float)scale_of(layer, pass);
  for (size_t r = own.from; pass->dx && r < own.to; r++)
    layer->ctx->k->code_backward(pass->dx + r * pass->in, pass->dy + r * pass->out, pass->scratch + r * pass->out,
                                 pass->x + r * pass->in, pass->out, scale);
}

/* torch.nn has no such module, but its stack needs one at this place. */
const mooni_layer_class mooni_gaussian_code = {.name = "gaussian_code",
                                               .size = sizeof(gaussian_code),
                                               .options = options,
                                               .init = init,
                                               .inputs = inputs,
                                               .outputs = outputs,
                                               .scratch = scratch,
                                               .forward = forward,
                                               .backward = backward,
                                               .penalty = penalty,
                                               .divergence = divergence,
                                               .torch_modules = 1};
