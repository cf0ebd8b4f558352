/* tensor.h - a tensor is a view of counted storage: contiguous, row-major. */
#ifndef MOONI_TENSOR_H
#define MOONI_TENSOR_H

#include "../../moonglass.h"

typedef struct mooni_storage {
  size_t refs;
  moon_ctx *ctx;
  void *data;
  size_t bytes;
  void (*release)(void *ud);
  void *ud;
  struct mooni_map *map;       /* a large mapped file: its rows are read, see mooni_map_gather. Else NULL */
  struct mooni_frozen *frozen; /* read-only weights that other contexts read too. Else NULL */
  bool read_only;              /* moon_tensor_freeze */
} mooni_storage;

struct moon_tensor {
  size_t refs;
  mooni_storage *storage;
  size_t offset; /* bytes */
  moon_dtype dtype;
  int rank;
  size_t shape[MOON_MAX_RANK];
  size_t numel;
  size_t step; /* of windows over a series (source.c), which only gathering reads: elements from row to row. Else 0 */
};

/* float32 has every whole number up to this one: row numbers go no further. */
#define MOONI_COUNTED ((size_t)1 << 24)

moon_status mooni_want_float(const moon_tensor *t, const char *what);    /* MOON_ETYPE unless float32 */
moon_status mooni_want_writable(const moon_tensor *t, const char *what); /* MOON_ESTATE if frozen */

const char *mooni_dtype_name(moon_dtype dtype);
size_t mooni_element_size(moon_dtype dtype); /* bytes */

/* The tensor as a matrix: rank 0 and 1 have one column a row; else shape[0] rows of all the rest. */
size_t mooni_rows(const moon_tensor *t);
size_t mooni_width(const moon_tensor *t);

/* Elements from one row to the next. */
static inline size_t mooni_row_step(const moon_tensor *t) { return t->step ? t->step : mooni_width(t); }

/* "[2 x 3]" and "[2 x 3] uint8" (float32 is not named) into a buffer of MOONI_SHAPE_TEXT bytes, which is returned. */
enum { MOONI_SHAPE_TEXT = 128 };
char *mooni_shape_text(char *buffer, int rank, const size_t *shape);
char *mooni_tensor_text(char *buffer, const moon_tensor *t);

#endif
