/* dataset.h - rows of inputs and targets in an order. */
#ifndef MOONI_DATASET_H
#define MOONI_DATASET_H

#include "../../moonglass.h"
#include "../core/parts.h"
#include "blocks.h"
#include "run.h"

struct moon_dataset {
  size_t refs;
  moon_ctx *ctx;
  const moon_tensor *x, *y;                /* y NULL: x is the target */
  moon_tensor *tensors[2];                 /* of a dataset of tensors: x and y, retained */
  moon_source *sources[2];                 /* of one of sources, whose rows x and y are: retained */
  mooni_blocks *blocks;                    /* rows that are read. NULL: all are in memory */
  size_t rows;                             /* of this rank */
  uint32_t *order;                         /* NULL if rows are read */
  float *weights;                          /* [rows]; NULL: all are 1 */
  bool mask;                               /* NaN is a cell that is missing */
  float target_scale;                      /* for moon_dataset_batch: the divisor for bytes of y, a matrix */
  size_t *shards, shard_count, shard_rows; /* the rows of each rank, and all together; NULL, 0, 0: all are here */
};

/* If its rows are read: read a selection of data's current order now, and make it one of tensors in memory, which are
** good until the next call. The reader may use the net. */
moon_status mooni_dataset_read(const moon_dataset *data, mooni_selection *rows);
static inline moon_status mooni_dataset_stage(const moon_dataset *data, mooni_selection *rows) {
  return data && data->blocks ? mooni_dataset_read(data, rows) : MOON_OK;
}

/* dst [count x width] = rows order[first..] of x (order NULL: rows first..), bytes divided by scale. Only the columns
** that dst names are written. */
void mooni_gather(moon_ctx *ctx, mooni_columns dst, const moon_tensor *x, const uint32_t *order, size_t first,
                  size_t count, float scale);

#endif
