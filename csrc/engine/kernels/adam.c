/* adam.c - Adam (Kingma and Ba 2015, arXiv 1412.6980), in the efficient form of its section 2:
** m += (g - m)(1 - beta1), v += (g^2 - v)(1 - beta2), w -= lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps) */
#include "optims.h"

typedef struct adam {
  moon_optim base;
  double beta1, beta2, eps;
} adam;

static size_t slots(const moon_optim *opt) {
  (void)opt;
  return 2;
}

static void prepare(moon_optim *opt, uint64_t t) {
  const adam *o = (const adam *)opt;
  opt->rate[0] = opt->lr * sqrt(without_bias(o->beta2, t)) / without_bias(o->beta1, t);
}

static void update(UPDATE_ARGUMENTS) {
  const adam *o = (const adam *)opt;
  float rate = (float)opt->rate[0], a = (float)(1 - o->beta1), b = (float)(1 - o->beta2), eps = as_divisor(o->eps);
  float keep = kept(opt);
  for (size_t r = 0; r < rows; r++, w += stride, g += stride) {
    float *restrict m = s[0] + r * stride, *restrict v = s[1] + r * stride;
    for (size_t i = 0; i < width; i++) {
      m[i] += (g[i] - m[i]) * a;
      v[i] += (squared(g[i]) - v[i]) * b;
      w[i] = keep * w[i] - rate * m[i] / (v_root(v[i]) + eps);
    }
  }
}

#define ADAM_OPTIONS                                                                                    \
  LR_OPTION(1e-3), FRACTION_OPTION(adam, beta1, 0.9, "decay rate of the running mean of the gradient"), \
      FRACTION_OPTION(adam, beta2, 0.999, "decay rate of the running mean of the squared gradient"), EPS_OPTION(adam)

/*** moon.adam(options)
** Adam (Kingma and Ba 2015) as Keras has it: the paper's efficient form. With weight_decay it is AdamW. */
static const mooni_option_spec options[] = {ADAM_OPTIONS, LAST_OPTIONS(0), {0}};

/*** moon.adamw(options)
** AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) as Keras has it: Adam whose weight_decay is not 0 by default. */
static const mooni_option_spec adamw_options[] = {ADAM_OPTIONS, LAST_OPTIONS(4e-3), {0}};

const mooni_optim_class MOONI_K(adam) = {.name = "adam",
                                         .size = sizeof(adam),
                                         .options = options,
                                         .slot_names = {"m", "v"},
                                         .slots = slots,
                                         .prepare = prepare,
                                         .update = update};

const mooni_optim_class MOONI_K(adamw) = {.name = "adamw",
                                          .size = sizeof(adam),
                                          .options = adamw_options,
                                          .slot_names = {"m", "v"},
                                          .slots = slots,
                                          .prepare = prepare,
                                          .update = update};
