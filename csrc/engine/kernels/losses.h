/* losses.h - what the files of losses have in common. */
#ifndef MOONI_LOSSES_H
#define MOONI_LOSSES_H

#include <stddef.h>

#include "../net/loss.h"
#include "vmath.h"

#define REDUCTION_OPTION                                                                                               \
  {                                                                                                                    \
    .name = "reduction", .kind = MOON_TEXT, .offset = offsetof(moon_loss, reduction), .text = "mean",                  \
    .choices = (const char *const[]){"mean", "batchmean", "sum", NULL},                                                \
    .help = "mean: over all elements; batchmean: summed over the features, mean over the rows; sum: over all elements" \
  }

/* activation: the one that turns logits into predictions. */
#define FROM_LOGITS_OPTION(activation)                                                    \
  {                                                                                       \
    .name = "from_logits", .kind = MOON_FLAG, .offset = offsetof(moon_loss, from_logits), \
    .help = "the prediction is logits: " activation " has not been applied to it"         \
  }

/* uniform: what the targets are mixed with. */
#define LABEL_SMOOTHING_OPTION(uniform)                                                               \
  {                                                                                                   \
    .name = "label_smoothing", .kind = MOON_NUMBER, .flags = MOONI_ADDED,                             \
    .offset = offsetof(moon_loss, label_smoothing), .high = 1,                                        \
    .help = "share of " uniform " in the targets: t (1 - label_smoothing) + label_smoothing " uniform \
  }

/* LOSS_ROWS(name, value_of, gradient_of) defines name: the sum of value_of(p, t) over p [rows x width], with s *
** gradient_of(p, t) into grad unless that is NULL, in one pass. name_stretch does a part of a row. */
#define LOSS_ROWS(name, value_of, gradient_of)                                                                         \
  MOONI_INLINE float name##_stretch(float *restrict grad, const float *restrict p, const float *restrict t, size_t n,  \
                                    float s) {                                                                         \
    float part = 0;                                                                                                    \
    if (grad) {                                                                                                        \
      MOONI_SUMMING(part)                                                                                              \
      for (size_t j = 0; j < n; j++) {                                                                                 \
        part += value_of(p[j], t[j]);                                                                                  \
        grad[j] = s * gradient_of(p[j], t[j]);                                                                         \
      }                                                                                                                \
    } else {                                                                                                           \
      MOONI_SUMMING(part)                                                                                              \
      for (size_t j = 0; j < n; j++) part += value_of(p[j], t[j]);                                                     \
    }                                                                                                                  \
    return part;                                                                                                       \
  }                                                                                                                    \
  static double name(float *restrict grad, const float *restrict p, mooni_target target, size_t rows, size_t width,    \
                     size_t stride, float s) {                                                                         \
    double total = 0;                                                                                                  \
    for (size_t r = 0; r < rows; r++)                                                                                  \
      for (size_t c = 0, n; c < width; c += n) {                                                                       \
        size_t at = r * stride + c;                                                                                    \
        n = width - c < STRETCH ? width - c : STRETCH;                                                                 \
        total += (double)name##_stretch(grad ? grad + at : NULL, p + at, target.values + r * target.stride + c, n, s); \
      }                                                                                                                \
    return total;                                                                                                      \
  }

/* The parameters of apply. */
#define LOSS_ARGUMENTS                                                                                          \
  const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows, size_t width, size_t stride, \
      double scale, unsigned logits

#endif
