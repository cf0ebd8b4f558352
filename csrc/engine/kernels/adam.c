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

/* 1 - 1e-9 is 1 as float32, and 1 minus a power of 1 is no divisor. */
static double as_float(double beta) { return (float)beta < 1 ? (double)(float)beta : beta; }

/* The powers are those of the betas in float32, as in Keras: 1 - 0.999 is 1.3e-5 off then. Otherwise a run would differ
** from Keras's by more than spec/api/keras_spec.lua allows. */
static void prepare(moon_optim *opt, uint64_t t) {
  const adam *o = (const adam *)opt;
  double beta1 = as_float(o->beta1), beta2 = as_float(o->beta2);
  opt->rate[0] = opt->lr * sqrt(1 - pow(beta2, (double)t)) / (1 - pow(beta1, (double)t));
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

/*** moon.adam(options)
** Adam (Kingma and Ba 2015) as Keras has it: the paper's efficient form. With weight_decay it is AdamW. */
static const mooni_option_spec options[] = {
    LR_OPTION(1e-3),
    FRACTION_OPTION(adam, beta1, 0.9, "decay rate of the running mean of the gradient"),
    FRACTION_OPTION(adam, beta2, 0.999, "decay rate of the running mean of the squared gradient"),
    EPS_OPTION(adam),
    WEIGHT_DECAY_OPTION,
    {0}};

const mooni_optim_class MOONI_K(adam) = {.name = "adam",
                                         .size = sizeof(adam),
                                         .options = options,
                                         .slot_names = {"m", "v"},
                                         .slots = slots,
                                         .prepare = prepare,
                                         .update = update};
