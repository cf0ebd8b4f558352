/* scaler.h - an offset and a scale for each column. */
#ifndef MOONI_SCALER_H
#define MOONI_SCALER_H

#include "../../moonglass.h"

/* z [rows x width] = (x - offset) * inverse, in double, then rounded; inverse is 1 / scale, as a double. offset and
** inverse are [width]. z may be x. */
void mooni_scale(float *z, const float *x, size_t rows, size_t width, const double *offset, const double *inverse);

/* The way back: x = z * scale + offset. x may be z. */
void mooni_unscale(float *x, const float *z, size_t rows, size_t width, const double *offset, const double *scale);

#endif
