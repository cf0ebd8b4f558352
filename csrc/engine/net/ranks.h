/* ranks.h - a net that several processes (ranks) train: which rows of a batch are this one's, and what is summed over
** all. README.md ("Over ranks") tells the order. */
#ifndef MOONI_RANKS_H
#define MOONI_RANKS_H

#include "dataset.h"
#include "run.h"

typedef struct mooni_ranks {
  moon_reducer reducer;
  float *gradients; /* of all parameters that are trained, in the net's order, one behind the other, up to the tail */
  float *tail;
  size_t *before, *after; /* [ranks]: how many rows of each shard come before a batch, and before the next one */
} mooni_ranks;

/* Free what moon_net_set_reducer has made, also for reducers that are gone. */
void mooni_ranks_drop(moon_net *net);

/* From a whole batch to this rank's rows of it. data: of a step by rows, or NULL. */
moon_status mooni_ranks_slice(const moon_net *net, mooni_selection *rows, const moon_dataset *data, const char *what);

/* What ranks tell each other beside numbers: their parts of the objective, and whether they could compute them. */
typedef struct mooni_tally {
  double value, penalty;
  size_t rows, batch; /* that this rank has computed, and that all should have */
  moon_status failed;
} mooni_tally;

/* Sum `from`, the gradients or the tail alone, up to the tail's end, and the tally, over all ranks. If this rank,
** another or the reducer has failed, return a status: the same for all, except in a rank that has failed. */
moon_status mooni_ranks_agree(const moon_net *net, float *from, mooni_tally *tally, const char *what);

/* Sum values over all ranks, into b->status. Nothing happens if that is an error already. */
void mooni_ranks_sum(mooni_batch *b, float *values, size_t n);

#endif
