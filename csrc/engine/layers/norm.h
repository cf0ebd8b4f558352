/* norm.h - what batch_norm.c and layer_norm.c have in common, and what folding needs. */
#ifndef MOONI_NORM_H
#define MOONI_NORM_H

#include <math.h>
#include <stddef.h>

#include "layer.h"

/* The options of a layer whose object has the fields n and eps. */
#define MOONI_NORM_WIDTH(type)                                                                                \
  {                                                                                                           \
    .name = "n", .kind = MOON_COUNT, .flags = MOONI_POSITIONAL | MOONI_REQUIRED, .offset = offsetof(type, n), \
    .low = 1, .high = 1e9, .help = "width of the rows"                                                        \
  }

#define MOONI_NORM_EPS(type)                                                                                    \
  {                                                                                                             \
    .name = "eps", .kind = MOON_NUMBER, .flags = MOONI_OPEN_LOW, .offset = offsetof(type, eps), .number = 1e-3, \
    .low = 0, .high = INFINITY, .help = "added to the variance"                                                 \
  }

/* The first two parameters. Their names are PyTorch's; Keras calls them gamma and beta. */
enum { MOONI_NORM_WEIGHT, MOONI_NORM_BIAS };

/* Make them [n]: ones and zeros. */
static inline moon_status mooni_norm_init(moon_layer *layer, size_t n) {
  MOONI_TRY(mooni_layer_add_param(layer, "weight", 1, &n));
  MOONI_TRY(mooni_layer_add_param(layer, "bias", 1, &n));
  moon_tensor_fill(layer->params[MOONI_NORM_WEIGHT]->value, 1);
  return MOON_OK;
}

/* Of batch_norm: in inference y = scale x + shift, for each column; both are [n]. */
void mooni_batch_norm_factors(const moon_layer *layer, double *scale, double *shift);

#endif
