/* dataset.h - rows of inputs and targets in an order. */
#ifndef MOONI_DATASET_H
#define MOONI_DATASET_H

#include "../../moonglass.h"
#include "../core/parts.h"

struct moon_dataset {
  size_t refs;
  moon_ctx *ctx;
  moon_tensor *x, *y; /* y NULL: x is the target */
  size_t rows;        /* of this rank */
  uint32_t *order;
  float target_scale;                      /* for moon_dataset_batch: the divisor for bytes of y, a matrix */
  size_t *shards, shard_count, shard_rows; /* the rows of each rank, and all together; NULL, 0, 0: all are here */
};

/* dst [count x width] = rows order[first..] of x (order NULL: rows first..), bytes divided by scale. Only the columns
** that dst names are written. */
void mooni_gather(moon_ctx *ctx, mooni_columns dst, const moon_tensor *x, const uint32_t *order, size_t first,
                  size_t count, float scale);

#endif
