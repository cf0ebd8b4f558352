/* initialisers.c - the first values of a weight. The scaled ones are uniform in [-L, L], L = sqrt(3 s), or normal with
** variance s, truncated at two deviations and widened to keep that variance, as in Keras. s = 2 / (fan_in + fan_out)
** for glorot (Glorot and Bengio 2010), 2 / fan_in for he (He et al. 2015), 1 / fan_in for lecun. */
#include "initialisers.h"

#include <math.h>

#include "../core/ctx.h"
#include "../core/memory.h"
#include "../core/names.h"
#include "../core/tensor.h"
#include "../kernels/table.h"

typedef enum shape { UNIFORM, NORMAL, TRUNCATED, CONSTANT } shape;

static const struct {
  const char *name;
  shape shape;
  double gain; /* s = gain / fan */
  bool both_fans;
  double fixed; /* L, the deviation, or the constant, if gain is 0 */
} inits[] = {
    {"glorot_uniform", UNIFORM, 2, true, 0},  {"glorot_normal", TRUNCATED, 2, true, 0},
    {"he_uniform", UNIFORM, 2, false, 0},     {"he_normal", TRUNCATED, 2, false, 0},
    {"lecun_normal", TRUNCATED, 1, false, 0}, {"uniform", UNIFORM, 0, false, 0.05},
    {"normal", NORMAL, 0, false, 0.05},       {"zeros", CONSTANT, 0, false, 0},
    {"ones", CONSTANT, 0, false, 1},
};

const char *mooni_init_name(size_t i) { return i < MOONI_COUNT(inits) ? inits[i].name : NULL; }

static size_t find(const char *name) {
  size_t i = 0;
  while (i < MOONI_COUNT(inits) && !mooni_names(name, inits[i].name)) i++;
  return i;
}

const char *mooni_find_init(const char *name) { return mooni_init_name(find(name)); }

/* Normal draws beyond two deviations are drawn again. */
static void truncated_normal(moon_ctx *ctx, float *w, size_t n, double deviation) {
  enum { SPARE = 32 };
  float spare[SPARE], bound = (float)(2 * deviation);
  size_t left = 0;
  ctx->k->normal(&ctx->rng, w, n, 0, (float)deviation);
  for (size_t i = 0; i < n; i++)
    while (fabsf(w[i]) > bound) {
      if (!left) ctx->k->normal(&ctx->rng, spare, left = SPARE, 0, (float)deviation);
      w[i] = spare[--left];
    }
}

void mooni_init_fill(moon_ctx *ctx, moon_tensor *w, const char *name) {
  size_t i = find(name), n = moon_tensor_numel(w);
  double fan_in = (double)mooni_rows(w), fan_out = w->rank == 1 ? fan_in : (double)mooni_width(w);
  double fan = inits[i].both_fans ? fan_in + fan_out : fan_in;
  double variance = inits[i].gain / fan;
  float *p = moon_tensor_float(w);
  if (inits[i].shape == CONSTANT) {
    moon_tensor_fill(w, inits[i].fixed);
  } else if (inits[i].shape == UNIFORM) {
    float limit = (float)(inits[i].gain > 0 ? sqrt(3 * variance) : inits[i].fixed);
    ctx->k->uniform(&ctx->rng, p, n, -limit, limit);
  } else if (inits[i].shape == NORMAL) {
    ctx->k->normal(&ctx->rng, p, n, 0, (float)inits[i].fixed);
  } else {
    truncated_normal(ctx, p, n,
                     sqrt(variance) / 0.87962566103423978); /* the deviation of a standard normal truncated at 2 */
  }
}
