/* open_csv.c - the rows of a CSV file as a detector takes them: its columns, by name, in its order. */
#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "detector.h"

enum { SHOWN = 60 };

/* Is the name "column=value"? */
static bool is_joined(const char *name, const char *column, const char *value) {
  size_t length = strlen(column);
  return strncmp(name, column, length) == 0 && name[length] == '=' && strcmp(name + length + 1, value) == 0;
}

/* The category whose columns begin at column i; NULL if i is a column of numbers. */
static const mooni_category *category_at(const moon_detector *d, size_t i) {
  for (size_t k = 0; k < d->category_count; k++) {
    const mooni_category *c = &d->categories[k];
    size_t n = 0;
    while (n < c->count && i + n < d->width && is_joined(d->columns[i + n], c->column, c->values[n])) n++;
    if (n == c->count) return c;
  }
  return NULL;
}

/* The columns of the file, each category's once. Returns how many. */
static size_t list_columns(const moon_detector *d, const char **list) {
  size_t n = 0;
  for (size_t i = 0; i < d->width;) {
    const mooni_category *c = category_at(d, i);
    list[n++] = c ? c->column : d->columns[i];
    i += c ? c->count : 1;
  }
  return n;
}

/* The detector knows its columns by their place only. */
static moon_status check_width(const moon_detector *d, const moon_csv *csv, const char *path) {
  if (moon_csv_width(csv) == d->width) return MOON_OK;
  return mooni_fail(
      d->ctx, MOON_EFORMAT,
      "'%.*s': rows of %zu numbers, expected %zu: the detector was made without names of columns, by which "
      "it would find its own among others",
      4 * SHOWN, path, moon_csv_width(csv), d->width);
}

static moon_status open_named(const moon_detector *d, moon_csv **out, const char *path) {
  moon_csv_config c = {.size = sizeof c, .categories = d->category_view, .category_count = d->category_count};
  const char **list = mooni_calloc(d->ctx, d->width, sizeof *list);
  if (!list) return mooni_nomem(d->ctx, d->width * sizeof *list);
  c.columns = list;
  c.column_count = list_columns(d, list);
  moon_status status = moon_csv_open(d->ctx, out, path, &c);
  mooni_free(d->ctx, list);
  return status;
}

moon_status moon_detector_open_csv(const moon_detector *d, moon_csv **out, const char *path) {
  moon_csv *csv;
  MOONI_TRY(d->columns ? open_named(d, &csv, path) : moon_csv_open(d->ctx, &csv, path, NULL));
  moon_status status = check_width(d, csv, path);
  if (status == MOON_OK)
    *out = csv;
  else
    moon_csv_close(csv);
  return status;
}
