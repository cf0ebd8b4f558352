/* blocks.h - a dataset whose rows are read block by block: their order, and the blocks in memory. */
#ifndef MOONI_BLOCKS_H
#define MOONI_BLOCKS_H

#include "source.h"

/* Blocks are read in an order of blocks, a few together; the rows of those that are together are in an order too. Both
** follow from seed and epoch. In the rows' own order each block is by itself. */
typedef struct mooni_blocks {
  moon_ctx *ctx;
  const moon_source *x, *y; /* the dataset's; y may be NULL. At least one is read */
  size_t rows;
  size_t block, lacking; /* rows of a whole block; how many the first one lacks, of a part of a source */
  size_t count, together;
  uint32_t *order; /* [count] of the blocks */
  bool shuffled;
  uint64_t seed, epoch;
  size_t changes; /* of the order: none may happen while blocks are read */
  bool reading;
  /* What is loaded: the blocks order[group..], whose rows have places first..first+loaded-1 in the order of rows. Of
  ** place first + i, slot[i] is the row in the buffers, and row[i] that in the dataset. */
  size_t group, first, loaded;
  uint32_t *slot, *row;
  moon_tensor *buffer_x, *buffer_y; /* [room x width]; NULL if these rows are in memory */
  size_t room;
  moon_tensor *batch_x, *batch_y; /* of a step: see mooni_dataset_stage */
  float *batch_weights;
  size_t batch_room;
} mooni_blocks;

/* For the rows of x and y (NULL: none). Both live as long as the blocks. */
moon_status mooni_blocks_new(moon_ctx *ctx, mooni_blocks **out, const moon_source *x, const moon_source *y);
void mooni_blocks_free(mooni_blocks *b);

void mooni_blocks_shuffle(mooni_blocks *b, uint64_t seed, uint64_t epoch);
void mooni_blocks_unshuffle(mooni_blocks *b);

/* MOON_ESTATE while a reader runs for these blocks. */
moon_status mooni_blocks_free_to_read(const mooni_blocks *b);

/* Load the row at a place of the order, if need be: it is slot[*at], row[*at]. *n rows are there from it on. */
moon_status mooni_blocks_load(mooni_blocks *b, size_t place, size_t *at, size_t *n);

#endif
