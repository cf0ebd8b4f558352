/* noise.c - layers that corrupt their input in training and let it pass in inference: dropout (what stays is scaled up
** by 1 / (1 - p)), masking noise (what stays, stays), Gaussian noise (clipped if asked), salt and pepper.
** Each batch has a stream of its own, chosen by the layer's seed and the number of the draw: the same run makes the
** same noise however it is stopped and resumed. work holds dy/dx. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "internal.h"

typedef struct noise {
  moon_layer base;
  double p, sigma, clip[2];
} noise;

static const mooni_option_spec dropout_options[] = {{.name = "p",
                                                     .kind = MOON_NUMBER,
                                                     .flags = MOONI_POSITIONAL | MOONI_REQUIRED | MOONI_OPEN_HIGH,
                                                     .offset = offsetof(noise, p),
                                                     .low = 0,
                                                     .high = 1,
                                                     .help = "probability that an element is dropped"},
                                                    {0}};

static const mooni_option_spec share_options[] = {{.name = "p",
                                                   .kind = MOON_NUMBER,
                                                   .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
                                                   .offset = offsetof(noise, p),
                                                   .low = 0,
                                                   .high = 1,
                                                   .help = "probability that an element is spoilt"},
                                                  {0}};

static const mooni_option_spec gaussian_options[] = {{.name = "sigma",
                                                      .kind = MOON_NUMBER,
                                                      .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
                                                      .offset = offsetof(noise, sigma),
                                                      .low = 0,
                                                      .high = INFINITY,
                                                      .help = "standard deviation"},
                                                     {.name = "clip",
                                                      .kind = MOON_RANGE,
                                                      .offset = offsetof(noise, clip),
                                                      .number = NAN,
                                                      .help = "{low, high}: where the result is cut off"},
                                                     {0}};

static moon_status init(moon_layer *layer) {
  layer->seed = moon_random(layer->ctx);
  return MOON_OK;
}

static size_t work(const moon_layer *layer, size_t rows, size_t in) {
  (void)layer;
  return rows * in;
}

static mooni_rng stream(const moon_layer *layer, const mooni_pass *pass) {
  mooni_rng rng;
  mooni_rng_seed(&rng, layer->seed, pass->draw);
  return rng;
}

static void forward_dropout(const moon_layer *layer, const mooni_pass *pass) {
  mooni_rng rng = stream(layer, pass);
  double p = ((const noise *)layer)->p;
  layer->ctx->k->noise_masking(&rng, pass->y, pass->work, pass->x, pass->rows * pass->in, (float)p,
                               (float)(1 / (1 - p)));
}

static void forward_masking(const moon_layer *layer, const mooni_pass *pass) {
  mooni_rng rng = stream(layer, pass);
  layer->ctx->k->noise_masking(&rng, pass->y, pass->work, pass->x, pass->rows * pass->in,
                               (float)((const noise *)layer)->p, 1);
}

static void forward_gaussian(const moon_layer *layer, const mooni_pass *pass) {
  mooni_rng rng = stream(layer, pass);
  const noise *n = (const noise *)layer;
  bool clipped = !isnan(n->clip[0]);
  layer->ctx->k->noise_gaussian(&rng, pass->y, pass->work, pass->x, pass->rows * pass->in, (float)n->sigma,
                                clipped ? (float)n->clip[0] : -INFINITY, clipped ? (float)n->clip[1] : INFINITY);
}

static void forward_salt_pepper(const moon_layer *layer, const mooni_pass *pass) {
  mooni_rng rng = stream(layer, pass);
  layer->ctx->k->noise_salt_pepper(&rng, pass->y, pass->work, pass->x, pass->rows * pass->in,
                                   (float)((const noise *)layer)->p);
}

static void backward(moon_layer *layer, const mooni_pass *pass) {
  if (!pass->dx) return;
  memcpy(pass->dx, pass->dy, pass->rows * pass->in * sizeof(float));
  layer->ctx->k->mul(pass->dx, pass->work, pass->rows * pass->in);
}

#define NOISE(variable, text, spec, run, modules)            \
  const mooni_layer_class variable = {.name = text,          \
                                      .size = sizeof(noise), \
                                      .options = spec,       \
                                      .training_only = true, \
                                      .init = init,          \
                                      .work = work,          \
                                      .forward = run,        \
                                      .backward = backward,  \
                                      .torch_modules = modules}

NOISE(mooni_dropout, "dropout", dropout_options, forward_dropout, 1);
NOISE(mooni_gaussian_noise, "gaussian_noise", gaussian_options, forward_gaussian, 0);
NOISE(mooni_masking_noise, "masking_noise", share_options, forward_masking, 0);
NOISE(mooni_salt_pepper_noise, "salt_pepper_noise", share_options, forward_salt_pepper, 0);
