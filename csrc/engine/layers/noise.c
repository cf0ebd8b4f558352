/* noise.c - layers that corrupt their input in training, and pass it on unchanged in inference: dropout (what is kept
** is divided by 1 - p), masking noise (what is kept stays), Gaussian noise (clipped if asked), salt and pepper.
**
** Each MOONI_ROW_GRAIN rows have a separate random stream (mooni_noise_stream). scratch [rows x in] holds dy/dx. */
#include <math.h>
#include <stddef.h>

#include "../core/ctx.h"
#include "../kernels/table.h"
#include "layer.h"

typedef struct noise {
  moon_layer base;
  double p, sigma, clip[2];
} noise;

#define P_OPTION(more_flags, text)                                                                                \
  {                                                                                                               \
    .name = "p", .kind = MOON_NUMBER, .flags = MOONI_POSITIONAL | MOONI_REQUIRED | MOONI_SETTABLE | (more_flags), \
    .offset = offsetof(noise, p), .low = 0, .high = 1, .help = "probability that an element becomes " text        \
  }

static const mooni_option_spec dropout_options[] = {P_OPTION(MOONI_OPEN_HIGH, "0; the others are divided by 1 - p"),
                                                    {0}};
static const mooni_option_spec masking_options[] = {P_OPTION(0, "0"), {0}};
static const mooni_option_spec salt_pepper_options[] = {P_OPTION(0, "0 or 1, each with p / 2"), {0}};

static const mooni_option_spec gaussian_options[] = {{.name = "sigma",
                                                      .kind = MOON_NUMBER,
                                                      .flags = MOONI_POSITIONAL | MOONI_REQUIRED | MOONI_SETTABLE,
                                                      .offset = offsetof(noise, sigma),
                                                      .low = 0,
                                                      .high = INFINITY,
                                                      .help = "standard deviation of the noise"},
                                                     {.name = "clip",
                                                      .kind = MOON_RANGE,
                                                      .flags = MOONI_SETTABLE,
                                                      .offset = offsetof(noise, clip),
                                                      .number = NAN,
                                                      .help = "{low, high}: the result is clipped to this interval"},
                                                     {0}};

static moon_status init(moon_layer *layer) {
  layer->seed = moon_random(layer->ctx);
  return MOON_OK;
}

static size_t scratch(const moon_layer *layer, size_t in) {
  (void)layer;
  return in;
}

typedef void make_noise(const noise *n, const mooni_kernels *k, mooni_rng *rng, float *y, float *mask, const float *x,
                        size_t count);

/* y [rows x in] = x with noise, in the part's rows. */
static void forward(const moon_layer *layer, const mooni_pass *pass, make_noise *make) {
  mooni_span own = mooni_own_rows(pass);
  for (size_t r = own.from; r < own.to; r += MOONI_ROW_GRAIN) {
    size_t rows = own.to - r < MOONI_ROW_GRAIN ? own.to - r : MOONI_ROW_GRAIN, at = r * pass->in;
    mooni_rng rng = mooni_noise_stream(pass, r);
    make((const noise *)layer, layer->ctx->k, &rng, pass->y + at, pass->scratch + at, pass->x + at, rows * pass->in);
  }
}

static void make_dropout(const noise *n, const mooni_kernels *k, mooni_rng *rng, float *y, float *mask, const float *x,
                         size_t count) {
  k->noise_masking(rng, y, mask, x, count, (float)n->p, (float)(1 / (1 - n->p)));
}

static void make_masking(const noise *n, const mooni_kernels *k, mooni_rng *rng, float *y, float *mask, const float *x,
                         size_t count) {
  k->noise_masking(rng, y, mask, x, count, (float)n->p, 1);
}

static void make_gaussian(const noise *n, const mooni_kernels *k, mooni_rng *rng, float *y, float *mask, const float *x,
                          size_t count) {
  bool clipped = !isnan(n->clip[0]);
  k->noise_gaussian(rng, y, mask, x, count, (float)n->sigma, clipped ? (float)n->clip[0] : -INFINITY,
                    clipped ? (float)n->clip[1] : INFINITY);
}

static void make_salt_pepper(const noise *n, const mooni_kernels *k, mooni_rng *rng, float *y, float *mask,
                             const float *x, size_t count) {
  k->noise_salt_pepper(rng, y, mask, x, count, (float)n->p);
}

#define NOISE(variable, text, spec, make, modules)                                                            \
  static void forward_##make(const moon_layer *layer, const mooni_pass *pass) { forward(layer, pass, make); } \
  const mooni_layer_class variable = {.name = text,                                                           \
                                      .size = sizeof(noise),                                                  \
                                      .options = spec,                                                        \
                                      .training_only = true,                                                  \
                                      .init = init,                                                           \
                                      .scratch = scratch,                                                     \
                                      .forward = forward_##make,                                              \
                                      .backward = mooni_layer_backward_mask,                                  \
                                      .torch_modules = modules}

/*** moon.dropout(p)
** Dropout: in training each element becomes 0 with probability p, and the others are divided by 1 - p. In inference
** nothing changes. */
NOISE(mooni_dropout, "dropout", dropout_options, make_dropout, 1);

/*** moon.gaussian_noise(sigma, options)
** Gaussian noise: in training, normal noise of mean 0 is added to each element. In inference nothing changes. */
NOISE(mooni_gaussian_noise, "gaussian_noise", gaussian_options, make_gaussian, 0);

/*** moon.masking_noise(p)
** Masking noise: in training each element becomes 0 with probability p, and the others stay as they are. In inference
** nothing changes. */
NOISE(mooni_masking_noise, "masking_noise", masking_options, make_masking, 0);

/*** moon.salt_pepper_noise(p)
** Salt-and-pepper noise: in training each element becomes 0 or 1 with probability p, each equally likely. In inference
** nothing changes. */
NOISE(mooni_salt_pepper_noise, "salt_pepper_noise", salt_pepper_options, make_salt_pepper, 0);
