/* slope.h - the parameter of an activation: negative_slope of leaky_relu, alpha of elu, as options of the layers that
** apply one. */
#ifndef MOONI_SLOPE_H
#define MOONI_SLOPE_H

#include "../core/option.h"
#include "../kernels/act.h"

typedef struct mooni_slope {
  double negative_slope, alpha; /* the options; only that of the layer's activation may differ from its default */
  float p;                      /* the parameter for the kernels */
} mooni_slope;

#define MOONI_SLOPE_OPTION(type, field, value, text)                                                             \
  {                                                                                                              \
    .name = #field, .kind = MOON_NUMBER, .flags = MOONI_ADDED,                                                   \
    .offset = offsetof(type, slope) + offsetof(mooni_slope, field), .number = value, .low = 0, .high = INFINITY, \
    .help = text                                                                                                 \
  }

/* Of a layer whose object has the field `slope`. */
#define MOONI_SLOPE_OPTIONS(type)                                                                   \
  MOONI_SLOPE_OPTION(type, negative_slope, 0.2, "of the activation leaky_relu: the slope below 0"), \
      MOONI_SLOPE_OPTION(type, alpha, 1, "of the activation elu: below 0 it approaches minus this number")

/* Set p for this activation. MOON_ERANGE if an option is set that belongs to another one. what begins the message. */
moon_status mooni_slope_choose(moon_ctx *ctx, mooni_slope *slope, const mooni_act *act, const char *what);

#endif
