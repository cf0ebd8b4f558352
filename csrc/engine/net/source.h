/* source.h - rows that are gathered or read when a batch needs them. */
#ifndef MOONI_SOURCE_H
#define MOONI_SOURCE_H

#include "../core/tensor.h"

struct moon_source {
  size_t refs;
  moon_ctx *ctx;
  moon_tensor *base;               /* the tensor whose rows, or windows, they are. NULL: they are read */
  moon_tensor rows;                /* their shape, and where they are in base. Not counted; without storage if read */
  struct mooni_row_reader *reader; /* shared by all parts of a source */
  size_t first;                    /* of the reader's rows, the first one here */
};

/* How many rows are read at a time; 0: the rows are in memory. */
size_t mooni_source_block(const moon_source *s);

/* Read rows first..first+count-1 into rows at..at+count-1 of to [room x width], block by block. */
moon_status mooni_source_fetch(const moon_source *s, moon_tensor *to, size_t at, size_t first, size_t count);

#endif
