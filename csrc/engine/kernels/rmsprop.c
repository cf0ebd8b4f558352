/* rmsprop.c - RMSprop (Hinton, Coursera lecture 6e, 2012), as in Keras: v = rho v + (1 - rho) g^2, step lr g / sqrt(v +
** eps). centered subtracts the squared mean gradient from v, but leaves at least v's rounding error; with momentum the
** steps are summed up. */
#include "optims.h"

typedef struct rmsprop {
  moon_optim base;
  double rho, momentum, eps;
  bool centered;
} rmsprop;

enum { VELOCITY, MOMENTUM, AVERAGE };

static size_t slots(const moon_optim *opt) {
  const rmsprop *o = (const rmsprop *)opt;
  return o->centered ? 3 : o->momentum > 0 ? 2 : 1;
}

/* For gradients that hardly vary, the difference may be smaller than v's rounding error, or negative. */
#define LEAST_VARIANCE 2.4e-7f

static inline float above(float x, float least) { return x > least ? x : least; }

static void prepare(moon_optim *opt, uint64_t t) { (void)opt, (void)t; }

static void update(UPDATE_ARGUMENTS) {
  const rmsprop *o = (const rmsprop *)opt;
  float lr = (float)opt->lr, rho = (float)o->rho, rest = (float)(1 - o->rho), eps = as_divisor(o->eps);
  float momentum = (float)o->momentum, keep = kept(opt);
  for (size_t r = 0; r < rows; r++, w += stride, g += stride) {
    float *restrict v = s[VELOCITY] + r * stride;
    float *restrict steps = s[MOMENTUM] ? s[MOMENTUM] + r * stride : NULL;
    float *restrict average = s[AVERAGE] ? s[AVERAGE] + r * stride : NULL;
    for (size_t i = 0; i < width; i++) {
      float variance = v[i] = rho * v[i] + rest * squared(g[i]);
      if (o->centered) {
        float mean = average[i] = rho * average[i] + rest * g[i];
        variance = above(variance - mean * mean, LEAST_VARIANCE * v[i]);
      }
      float step = lr * g[i] / sqrtf(variance + eps);
      if (momentum > 0) step = steps[i] = momentum * steps[i] + step;
      w[i] = keep * w[i] - step;
    }
  }
}

/*** moon.rmsprop(options)
** RMSprop (Hinton 2012) as Keras has it. */
static const mooni_option_spec options[] = {
    LR_OPTION(1e-3),
    FRACTION_OPTION(rmsprop, rho, 0.9, "decay rate of the running mean of the squared gradient"),
    {.name = "momentum",
     .kind = MOON_NUMBER,
     .flags = MOONI_OPEN_HIGH,
     .offset = offsetof(rmsprop, momentum),
     .low = 0,
     .high = 1,
     .help = "fraction of the previous step that is added to this one"},
    EPS_OPTION(rmsprop),
    {.name = "centered",
     .kind = MOON_FLAG,
     .offset = offsetof(rmsprop, centered),
     .help = "divide by the root of the variance of the gradient, not of its mean square"},
    LAST_OPTIONS(0),
    {0}};

const mooni_optim_class MOONI_K(rmsprop) = {.name = "rmsprop",
                                            .size = sizeof(rmsprop),
                                            .options = options,
                                            .slot_names = {"velocity", "momentum", "average"},
                                            .slots = slots,
                                            .prepare = prepare,
                                            .update = update};
