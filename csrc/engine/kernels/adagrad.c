/* adagrad.c - Adagrad (Duchi, Hazan and Singer 2011), as Keras has it: a += g^2 from a = 0.1, w -= lr g / sqrt(a +
** eps) */
#include "optims.h"

typedef struct adagrad {
  moon_optim base;
  double initial_accumulator, eps;
} adagrad;

static size_t slots(const moon_optim *opt) {
  (void)opt;
  return 1;
}

static double slot_start(const moon_optim *opt, size_t slot) {
  (void)slot;
  return ((const adagrad *)opt)->initial_accumulator;
}

static void prepare(moon_optim *opt, uint64_t t) { (void)opt, (void)t; }

static void update(UPDATE_ARGUMENTS) {
  float lr = (float)opt->lr, eps = as_divisor(((const adagrad *)opt)->eps), keep = kept(opt);
  for (size_t r = 0; r < rows; r++, w += stride, g += stride) {
    float *restrict a = s[0] + r * stride;
    for (size_t i = 0; i < width; i++) {
      a[i] += g[i] * g[i];
      w[i] = keep * w[i] - lr * g[i] / sqrtf(a[i] + eps);
    }
  }
}

/*** moon.adagrad(options)
** Adagrad (Duchi, Hazan and Singer 2011) as Keras has it. */
static const mooni_option_spec options[] = {LR_OPTION(1e-3),
                                            {.name = "initial_accumulator",
                                             .kind = MOON_NUMBER,
                                             .offset = offsetof(adagrad, initial_accumulator),
                                             .number = 0.1,
                                             .low = 0,
                                             .high = INFINITY,
                                             .help = "initial value of the sum of squared gradients"},
                                            EPS_OPTION(adagrad),
                                            LAST_OPTIONS(0),
                                            {0}};

const mooni_optim_class MOONI_K(adagrad) = {.name = "adagrad",
                                            .size = sizeof(adagrad),
                                            .options = options,
                                            .slot_names = {"accumulator"},
                                            .slots = slots,
                                            .slot_start = slot_start,
                                            .prepare = prepare,
                                            .update = update};
