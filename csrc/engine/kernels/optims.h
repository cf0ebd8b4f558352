/* optims.h - what the files of optimisers have in common. weight_decay is decoupled from the gradient (AdamW, arXiv
** 1711.05101), as in Keras: w -= lr weight_decay w, before the update. */
#ifndef MOONI_OPTIMS_H
#define MOONI_OPTIMS_H

#include <float.h>
#include <stddef.h>

#include "../net/optim.h"
#include "vmath.h"

#define LR_OPTION(default_lr)                                                                       \
  {                                                                                                 \
    .name = "lr", .kind = MOON_NUMBER, .flags = MOONI_SETTABLE, .offset = offsetof(moon_optim, lr), \
    .number = default_lr, .low = 0, .high = INFINITY, .help = "learning rate"                       \
  }

#define DECAY_OPTION(default_decay)                                                                    \
  {                                                                                                    \
    .name = "weight_decay", .kind = MOON_NUMBER, .flags = MOONI_SETTABLE,                              \
    .offset = offsetof(moon_optim, weight_decay), .number = default_decay, .low = 0, .high = INFINITY, \
    .help = "each step subtracts lr times weight_decay times the weight"                               \
  }

#define CLIP_OPTION(field, text)                                                                                   \
  {                                                                                                                \
    .name = #field, .kind = MOON_NUMBER, .flags = MOONI_SETTABLE, .offset = offsetof(moon_optim, field), .low = 0, \
    .high = INFINITY, .help = text                                                                                 \
  }

/* What every optimiser has besides lr: its last options (net/clip.h). */
#define LAST_OPTIONS(default_decay)                                                                               \
  DECAY_OPTION(default_decay), CLIP_OPTION(clip_value, "0: off; elements of a gradient beyond it are cut to it"), \
      CLIP_OPTION(clip_norm, "0: off; the gradient of each parameter is scaled down to this norm"),               \
      CLIP_OPTION(global_clip_norm, "0: off; all gradients together are scaled down to this norm")

/* A fraction in [0, 1). */
#define FRACTION_OPTION(type, field, value, text)                                                                    \
  {                                                                                                                  \
    .name = #field, .kind = MOON_NUMBER, .flags = MOONI_SETTABLE | MOONI_OPEN_HIGH, .offset = offsetof(type, field), \
    .number = value, .low = 0, .high = 1, .help = text                                                               \
  }

#define EPS_OPTION(type)                                                                                            \
  {                                                                                                                 \
    .name = "eps", .kind = MOON_NUMBER, .flags = MOONI_SETTABLE | MOONI_OPEN_LOW, .offset = offsetof(type, eps),    \
    .number = 1e-7, .low = 0, .high = INFINITY, .help = "added in the denominator, which keeps the division finite" \
  }

#define UPDATE_ARGUMENTS                                                                                         \
  const moon_optim *opt, float *restrict w, float *const *s, const float *restrict g, size_t rows, size_t width, \
      size_t stride

/* A denormal eps would count as 0, and the step of a weight without gradient would be 0 / 0. */
static inline float as_divisor(double eps) { return eps < (double)FLT_MIN ? FLT_MIN : (float)eps; }

/* 1 - 1e-9 is 1 as float32, and 1 minus a power of 1 is no divisor. */
static inline double as_float(double beta) { return (float)beta < 1 ? (double)(float)beta : beta; }

/* 1 - beta^t. The powers are those of the betas in float32, as in Keras: 1 - 0.999 is 1.3e-5 off then. Otherwise a run
** would differ from Keras's by more than spec/api/keras_spec.lua allows. */
static inline double without_bias(double beta, uint64_t t) { return 1 - pow(as_float(beta), (double)t); }

/* g^2, but at most the largest float: a mean of squares would never lose an infinity. Compared by bits, which have the
** order of the numbers. If g is NaN, the weight itself is NaN by then. */
MOONI_INLINE float squared(float g) {
  int32_t bits = v_bits(g * g), most = v_bits(FLT_MAX);
  return v_from_bits(bits < most ? bits : most);
}

/* The factor of a weight in the decay. */
static inline float kept(const moon_optim *opt) { return (float)(1 - opt->lr * opt->weight_decay); }

#endif
