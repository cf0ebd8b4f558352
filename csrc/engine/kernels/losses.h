/* losses.h - what the files of losses share. */
#ifndef MOONI_LOSSES_H
#define MOONI_LOSSES_H

#include <stddef.h>

#include "vmath.h"

#define REDUCTION_OPTION                                                                              \
  {                                                                                                   \
    .name = "reduction", .kind = MOON_TEXT, .offset = offsetof(moon_loss, reduction), .text = "mean", \
    .choices = "mean|batchmean|sum",                                                                  \
    .help = "mean: over all elements; batchmean: summed over features, mean over rows; sum"           \
  }

#define FROM_LOGITS_OPTION                                                                \
  {                                                                                       \
    .name = "from_logits", .kind = MOON_FLAG, .offset = offsetof(moon_loss, from_logits), \
    .help = "the prediction has not been through its last activation"                     \
  }

/* LOSS_ROWS(value_of, gradient_of) defines rows(): over a batch, the sum of value_of(p, t), and s * gradient_of(p, t)
** into grad unless it is NULL, in one pass. */
#define LOSS_ROWS(rows_name, value_of, gradient_of)                                                            \
  static double rows_name(float *restrict grad, const float *restrict p, const float *restrict t, size_t rows, \
                          size_t width, float s) {                                                             \
    double total = 0;                                                                                          \
    for (size_t r = 0; r < rows; r++, p += width, t += width) {                                                \
      float part = 0;                                                                                          \
      if (grad) {                                                                                              \
        MOONI_SUMMING(part)                                                                                    \
        for (size_t j = 0; j < width; j++) {                                                                   \
          part += value_of(p[j], t[j]);                                                                        \
          grad[j] = s * gradient_of(p[j], t[j]);                                                               \
        }                                                                                                      \
        grad += width;                                                                                         \
      } else {                                                                                                 \
        MOONI_SUMMING(part)                                                                                    \
        for (size_t j = 0; j < width; j++) part += value_of(p[j], t[j]);                                       \
      }                                                                                                        \
      total += (double)part;                                                                                   \
    }                                                                                                          \
    return total;                                                                                              \
  }

#endif
