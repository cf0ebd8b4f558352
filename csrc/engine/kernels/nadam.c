/* nadam.c - Nadam (Dozat 2016, "Incorporating Nesterov momentum into Adam"), as Keras has it: m and v as Adam's; with
** the momenta u(t) = beta1 (1 - 0.96^t / 2) and their product U(t) = u(1) ... u(t), w -= lr (u(t+1) m / (1 - U(t+1)) +
** (1 - u(t)) g / (1 - U(t))) / (sqrt(v / (1 - beta2^t)) + eps) */
#include "optims.h"

typedef struct nadam {
  moon_optim base;
  double beta1, beta2, eps;
  double product; /* of the factors 1 - 0.96^i / 2 with i from 1 to `factors` */
  uint64_t factors;
} nadam;

/* Beyond so many, a factor is 1 as a double. So a file may hold any number of steps. */
enum { MOST_FACTORS = 1000 };

static size_t slots(const moon_optim *opt) {
  (void)opt;
  return 2;
}

static double factor(uint64_t t) { return 1 - 0.5 * pow(0.96, (double)t); }

/* The product of t factors. What the last step had is continued: the bits are those of a product from the first on, so
** that they depend on the number of the step alone. */
static double product(nadam *o, uint64_t t) {
  uint64_t n = t < MOST_FACTORS ? t : MOST_FACTORS;
  if (!o->factors || o->factors > n) o->factors = 0, o->product = 1;
  while (o->factors < n) o->product *= factor(++o->factors);
  return o->product;
}

enum { AHEAD, NOW, ROOT };

static void prepare(moon_optim *opt, uint64_t t) {
  nadam *o = (nadam *)opt;
  double beta1 = o->beta1, u = beta1 * factor(t), next = beta1 * factor(t + 1);
  double momenta = pow(beta1, (double)t) * product(o, t);
  opt->rate[AHEAD] = opt->lr * next / (1 - momenta * next);
  opt->rate[NOW] = opt->lr * (1 - u) / (1 - momenta);
  opt->rate[ROOT] = 1 / sqrt(1 - pow(o->beta2, (double)t));
}

static void update(UPDATE_ARGUMENTS) {
  const nadam *o = (const nadam *)opt;
  float ahead = (float)opt->rate[AHEAD], now = (float)opt->rate[NOW], root = (float)opt->rate[ROOT];
  float a = (float)(1 - o->beta1), b = (float)(1 - o->beta2), eps = as_divisor(o->eps), keep = kept(opt);
  for (size_t r = 0; r < rows; r++, w += stride, g += stride) {
    float *restrict m = s[0] + r * stride, *restrict v = s[1] + r * stride;
    for (size_t i = 0; i < width; i++) {
      m[i] += (g[i] - m[i]) * a;
      v[i] += (squared(g[i]) - v[i]) * b;
      w[i] = keep * w[i] - (ahead * m[i] + now * g[i]) / (v_root(v[i]) * root + eps);
    }
  }
}

/*** moon.nadam(options)
** Nadam (Dozat 2016) as Keras has it: Adam with Nesterov's momentum. */
static const mooni_option_spec options[] = {
    LR_OPTION(1e-3),
    FRACTION_OPTION(nadam, beta1, 0.9, "decay rate of the running mean of the gradient"),
    FRACTION_OPTION(nadam, beta2, 0.999, "decay rate of the running mean of the squared gradient"),
    EPS_OPTION(nadam),
    LAST_OPTIONS(0),
    {0}};

const mooni_optim_class MOONI_K(nadam) = {.name = "nadam",
                                          .size = sizeof(nadam),
                                          .options = options,
                                          .slot_names = {"m", "v"},
                                          .slots = slots,
                                          .prepare = prepare,
                                          .update = update};
