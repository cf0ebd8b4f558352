/* adamax.c - AdaMax (Kingma and Ba 2015, arXiv 1412.6980, section 7.1), as Keras has it: m += (g - m)(1 - beta1), u =
** max(beta2 u, |g|), w -= lr / (1 - beta1^t) m / (u + eps) */
#include "optims.h"

typedef struct adamax {
  moon_optim base;
  double beta1, beta2, eps;
} adamax;

static size_t slots(const moon_optim *opt) {
  (void)opt;
  return 2;
}

static void prepare(moon_optim *opt, uint64_t t) {
  opt->rate[0] = opt->lr / without_bias(((const adamax *)opt)->beta1, t);
}

static void update(UPDATE_ARGUMENTS) {
  const adamax *o = (const adamax *)opt;
  float rate = (float)opt->rate[0], a = (float)(1 - o->beta1), beta2 = (float)o->beta2, eps = as_divisor(o->eps);
  float keep = kept(opt);
  for (size_t r = 0; r < rows; r++, w += stride, g += stride) {
    float *restrict m = s[0] + r * stride, *restrict u = s[1] + r * stride;
    for (size_t i = 0; i < width; i++) {
      float faded = beta2 * u[i], now = v_abs(g[i]);
      m[i] += (g[i] - m[i]) * a;
      u[i] = v_select(faded > now, faded, now);
      w[i] = keep * w[i] - rate * m[i] / (u[i] + eps);
    }
  }
}

/*** moon.adamax(options)
** AdaMax (Kingma and Ba 2015) as Keras has it: Adam that divides by the largest gradient, which fades. */
static const mooni_option_spec options[] = {
    LR_OPTION(1e-3),
    FRACTION_OPTION(adamax, beta1, 0.9, "decay rate of the running mean of the gradient"),
    FRACTION_OPTION(adamax, beta2, 0.999, "decay rate of the largest gradient so far"),
    EPS_OPTION(adamax),
    LAST_OPTIONS(0),
    {0}};

const mooni_optim_class MOONI_K(adamax) = {.name = "adamax",
                                           .size = sizeof(adamax),
                                           .options = options,
                                           .slot_names = {"m", "u"},
                                           .slots = slots,
                                           .prepare = prepare,
                                           .update = update};
