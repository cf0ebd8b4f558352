/* plan.h - how a batch is divided among workers, and the memory that it needs. */
#ifndef MOONI_PLAN_H
#define MOONI_PLAN_H

#include "net.h"

typedef enum mooni_split { MOONI_SERIAL, MOONI_BY_COLUMNS, MOONI_BY_ROWS } mooni_split;

/* The rule that chooses. params: the net's number of parameters; widths: the inputs and outputs of all layers, added
** up. */
mooni_split mooni_choose_split(size_t rows, size_t params, size_t widths, size_t threads, bool training);

/* How many parts a batch has. */
size_t mooni_parts(const moon_net *net, mooni_split split);

/* Which rows a part has of a batch; and which part it is of those, for the layers: by rows, part 0 of 1. */
typedef struct mooni_portion {
  size_t first, rows, part, parts;
} mooni_portion;
mooni_portion mooni_portion_of(mooni_split split, size_t rows, size_t index, size_t count);

/* Allocate all that a batch of so many rows of width in needs, and start the workers. What runs afterwards cannot fail.
** A step of no rows, where others ranks have some, needs the optimiser's moments.
** penalties: they are computed too. mooni_plan_backward is for a backward without optimiser, on the calling thread. */
moon_status mooni_plan_forward(moon_net *net, mooni_split *split, size_t rows, size_t in, bool training,
                               bool penalties);
moon_status mooni_plan_backward(moon_net *net, size_t rows, bool dx);
moon_status mooni_plan_step(moon_net *net, mooni_split *split, size_t rows, size_t in, moon_optim *opt);

/* The same for `callers` nets of the same layers, each on a worker of its own, serially, at the same time. */
moon_status mooni_plan_lane(moon_net *net, size_t rows, size_t in, size_t callers);

/* MOON_ESTATE for a net whose weights are shared. what begins the message. */
moon_status mooni_want_own_weights(const moon_net *net, const char *what);

/* Floats rounded up to whole cache lines. */
static inline size_t mooni_padded(size_t floats) { return (floats + 15) & ~(size_t)15; }

#endif
