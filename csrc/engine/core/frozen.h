/* frozen.h - a copy of a weight that several contexts read and nobody writes. */
#ifndef MOONI_FROZEN_H
#define MOONI_FROZEN_H

#include "../../moonglass.h"

typedef struct mooni_frozen mooni_frozen;

/* A frozen copy of t's present value, retained: t's own one if it is frozen itself; *kept, if that still has the value;
** else a new one, which takes the place of *kept. NULL when out of memory. If t is frozen it is only read here, so that
** other threads may use it meanwhile. */
mooni_frozen *mooni_freeze(const moon_tensor *t, mooni_frozen **kept);

/* Release the copy, in any thread. Takes NULL. */
void mooni_frozen_release(mooni_frozen *f);

/* Read-only tensors of ctx, in the shape of t, on the frozen value and, unless grad is NULL, on its gradient, which is
** all zeros. */
moon_status mooni_frozen_tensors(moon_ctx *ctx, moon_tensor **value, moon_tensor **grad, const moon_tensor *t,
                                 mooni_frozen *f);

#endif
