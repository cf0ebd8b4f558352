/* parts.h - how rows and columns are divided among workers. */
#ifndef MOONI_PARTS_H
#define MOONI_PARTS_H

#include <stdbool.h>
#include <stddef.h>

enum { MOONI_ROW_GRAIN = 8, MOONI_COLUMN_GRAIN = 16 };

/* Some rows, columns or elements: from, up to but without to. */
typedef struct mooni_span {
  size_t from, to;
} mooni_span;

static inline size_t mooni_length(mooni_span s) { return s.to - s.from; }

/* Part `part` when n is divided into `parts` equal spans, cut at multiples of grain. */
mooni_span mooni_span_of(size_t n, size_t grain, size_t part, size_t parts);

/* Some columns of a matrix in memory: element (r, c) is p[r * stride + c], with c counted from the matrix's first
** column. */
typedef struct mooni_columns {
  float *p;
  size_t stride, from, to;
} mooni_columns;

/* Some elements of a matrix in memory: `rows` rows of `width` elements, `stride` apart, the first one at `at`. */
typedef struct mooni_patch {
  size_t at, rows, width, stride;
} mooni_patch;

/* A part's columns of a matrix [rows x width] at p. apart: the columns of each part lie together, row by row, one part
** behind the other, so that no core's prefetcher touches lines that another core writes. */
mooni_columns mooni_columns_of(const float *p, size_t rows, size_t width, bool apart, size_t part, size_t parts);

#endif
