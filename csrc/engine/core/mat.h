/* mat.h - a matrix in memory, as the products see it. */
#ifndef MOONI_MAT_H
#define MOONI_MAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Element (i, j) is p[i * rs + j * cs]. sparse: many elements may be 0, and a product may skip them: an infinity
** or a NaN that meets only zeros does not show. */
typedef struct mooni_mat {
  float *p;
  size_t rs, cs;
  bool sparse;
} mooni_mat;

/* p [rows x stride]. p may be NULL, for a plan. */
static inline mooni_mat mooni_row_major(const float *p, size_t stride) {
  return (mooni_mat){.p = (float *)(uintptr_t)p, .rs = stride, .cs = 1};
}

static inline mooni_mat mooni_transposed(mooni_mat m) { return (mooni_mat){m.p, m.cs, m.rs, m.sparse}; }

#endif
