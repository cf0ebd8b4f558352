/* sgd.c - gradient descent; with momentum, v = momentum v - lr g, and w += v or, after Nesterov, w += momentum v - lr
** g. */
#include "optims.h"

typedef struct sgd {
  moon_optim base;
  double momentum;
  bool nesterov;
} sgd;

static size_t slots(const moon_optim *opt) { return ((const sgd *)opt)->momentum > 0; }

static void prepare(moon_optim *opt, uint64_t t) { (void)opt, (void)t; }

static void update(UPDATE_ARGUMENTS) {
  const sgd *o = (const sgd *)opt;
  float lr = (float)opt->lr, momentum = (float)o->momentum, keep = kept(opt);
  float ahead = o->nesterov ? momentum : 1, now = o->nesterov ? lr : 0;
  for (size_t r = 0; r < rows; r++, w += stride, g += stride) {
    if (momentum == 0) {
      for (size_t i = 0; i < width; i++) w[i] = keep * w[i] - lr * g[i];
      continue;
    }
    float *restrict v = s[0] + r * stride;
    for (size_t i = 0; i < width; i++) {
      v[i] = momentum * v[i] - lr * g[i];
      w[i] = keep * w[i] + ahead * v[i] - now * g[i];
    }
  }
}

/*** moon.sgd(options)
** Stochastic gradient descent, with optional momentum. */
static const mooni_option_spec options[] = {LR_OPTION(1e-2),
                                            {.name = "momentum",
                                             .kind = MOON_NUMBER,
                                             .flags = MOONI_OPEN_HIGH,
                                             .offset = offsetof(sgd, momentum),
                                             .low = 0,
                                             .high = 1,
                                             .help = "fraction of the previous step that is added to this one"},
                                            {.name = "nesterov",
                                             .kind = MOON_FLAG,
                                             .offset = offsetof(sgd, nesterov),
                                             .help = "take the step from where the momentum leads (Nesterov)"},
                                            LAST_OPTIONS(0),
                                            {0}};

const mooni_optim_class MOONI_K(sgd) = {.name = "sgd",
                                        .size = sizeof(sgd),
                                        .options = options,
                                        .slot_names = {"velocity"},
                                        .slots = slots,
                                        .prepare = prepare,
                                        .update = update};
