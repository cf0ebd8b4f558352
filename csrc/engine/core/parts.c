/* parts.c - how rows and columns are divided among workers. */
#include "parts.h"

#include <stdint.h>

mooni_span mooni_span_of(size_t n, size_t grain, size_t part, size_t parts) {
  if (parts == 1) return (mooni_span){0, n}; /* by far the most frequent */
  size_t grains = (n + grain - 1) / grain;
  mooni_span s = {grains * part / parts * grain, grains * (part + 1) / parts * grain};
  if (s.from > n) s.from = n;
  if (s.to > n) s.to = n;
  return s;
}

mooni_columns mooni_columns_of(const float *p, size_t rows, size_t width, bool apart, size_t part, size_t parts) {
  mooni_span s = mooni_span_of(width, MOONI_COLUMN_GRAIN, part, parts);
  mooni_columns c = {.p = (float *)(uintptr_t)p, .stride = width, .from = s.from, .to = s.to};
  if (apart) {
    c.stride = mooni_length(s);
    c.p += rows * s.from - s.from;
  }
  return c;
}
