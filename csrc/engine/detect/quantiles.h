/* quantiles.h - exact quantiles of columns of float32, in two passes over the rows, without keeping the rows.
**
** A float's bits, ordered as its value is, are a key of 32 bits. The first pass counts how often each upper half of a
** key occurs. So it is known which halves hold the numbers sought, and how many numbers each of them has. The second
** pass keeps the lower halves of those only, or counts them where counters take less room. */
#ifndef MOONI_QUANTILES_H
#define MOONI_QUANTILES_H

#include "../../moonglass.h"

/* How many quantiles a column has: a quarter, a half, three quarters of its numbers lie below. */
enum { MOONI_QUARTERS = 3 };

typedef struct mooni_quantiles mooni_quantiles;

moon_status mooni_quantiles_new(moon_ctx *ctx, mooni_quantiles **out, size_t width);
void mooni_quantiles_free(mooni_quantiles *q);

/* Before a row of floats [width] is counted in the first pass: allocate the counters that it needs. Not a change that
** shows. */
moon_status mooni_quantiles_plan(mooni_quantiles *q, const float *row);

/* Count a row: in the first pass one that was planned. NaN is skipped. False in the second pass if the row cannot have
** been in the first one. */
bool mooni_quantiles_add(mooni_quantiles *q, const float *row);

/* End the first pass. If it fails, the pass goes on. */
moon_status mooni_quantiles_second(mooni_quantiles *q);

/* After the second pass: has it had as many rows as the first? */
bool mooni_quantiles_complete(const mooni_quantiles *q);

/* After the second pass: the quantiles of a column, which has at least one number, interpolated linearly between the
** two nearest: number 7 of Hyndman and Fan 1996 (Sample quantiles in statistical packages, The American Statistician
** 50), as numpy does by default. */
void mooni_quantiles_of(const mooni_quantiles *q, size_t column, double quarters[MOONI_QUARTERS]);

#endif
