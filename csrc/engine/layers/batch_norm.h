/* batch_norm.h - what folding needs of batch normalisation. */
#ifndef MOONI_BATCH_NORM_H
#define MOONI_BATCH_NORM_H

#include "layer.h"

/* In inference y = scale x + shift, for each column; both are [n]. */
void mooni_batch_norm_factors(const moon_layer *layer, double *scale, double *shift);

#endif
