/* adadelta.c - Adadelta (Zeiler 2012, arXiv 1212.5701), as Keras has it: a = rho a + (1 - rho) g^2, the step d =
** sqrt(b + eps) g / sqrt(a + eps), b = rho b + (1 - rho) d^2, w -= lr d */
#include "optims.h"

typedef struct adadelta {
  moon_optim base;
  double rho, eps;
} adadelta;

static size_t slots(const moon_optim *opt) {
  (void)opt;
  return 2;
}

static void prepare(moon_optim *opt, uint64_t t) { (void)opt, (void)t; }

static void update(UPDATE_ARGUMENTS) {
  const adadelta *o = (const adadelta *)opt;
  float lr = (float)opt->lr, rho = (float)o->rho, rest = (float)(1 - o->rho), eps = as_divisor(o->eps);
  float keep = kept(opt);
  for (size_t r = 0; r < rows; r++, w += stride, g += stride) {
    float *restrict a = s[0] + r * stride, *restrict b = s[1] + r * stride;
    for (size_t i = 0; i < width; i++) {
      a[i] = rho * a[i] + rest * squared(g[i]);
      float step = sqrtf(b[i] + eps) * (g[i] / sqrtf(a[i] + eps));
      b[i] = rho * b[i] + rest * squared(step);
      w[i] = keep * w[i] - lr * step;
    }
  }
}

/*** moon.adadelta(options)
** Adadelta (Zeiler 2012) as Keras has it. The paper's steps have lr = 1. */
static const mooni_option_spec options[] = {
    LR_OPTION(1e-3),
    FRACTION_OPTION(adadelta, rho, 0.95, "decay rate of the running means of the squared gradient and step"),
    EPS_OPTION(adadelta),
    LAST_OPTIONS(0),
    {0}};

const mooni_optim_class MOONI_K(adadelta) = {.name = "adadelta",
                                             .size = sizeof(adadelta),
                                             .options = options,
                                             .slot_names = {"accumulated_grad", "accumulated_delta_var"},
                                             .slots = slots,
                                             .prepare = prepare,
                                             .update = update};
