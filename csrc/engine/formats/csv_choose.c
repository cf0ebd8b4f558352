/* csv_choose.c - which columns of a CSV file are wanted, in which order, and what they become in a row. */
#include <stdio.h>
#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "../core/sort.h"
#include "csv_open.h"

/* ---- finding columns ---- */

static moon_status not_there(moon_csv *csv, const char *name) {
  char shown[MOONI_CSV_SHOWN + 8], near[MOONI_CSV_SHOWN + 8];
  size_t best = SIZE_MAX, nearest = 0;
  mooni_csv_shown(shown, name, strlen(name));
  for (size_t i = 0; i < csv->fields; i++) {
    const size_t distance = moon_name_distance(name, csv->field[i].name);
    if (distance < best) best = distance, nearest = i;
  }
  if (best < SIZE_MAX) {
    mooni_csv_shown(near, csv->field[nearest].name, strlen(csv->field[nearest].name));
    return mooni_fail(csv->ctx, MOON_EFORMAT, "it has no column '%s'; did you mean '%s'?", shown, near);
  }
  return mooni_fail(csv->ctx, MOON_EFORMAT, "it has no column '%s': %s of 1 to %zu", shown,
                    csv->header ? "expected a name of its first line, or a number"
                                : "its first line has no names, expected a number",
                    csv->fields);
}

/* The number from 1 that a text is; 0 if it is none. */
static size_t place_of(const char *text) {
  size_t n = 0;
  for (; *text >= '0' && *text <= '9' && n < SIZE_MAX / 100; text++) n = 10 * n + (size_t)(*text - '0');
  return *text ? 0 : n;
}

/* The wanted columns of the file in the order of the rows, [count]. */
typedef struct choice {
  moon_csv *csv;
  size_t *fields, count;
  size_t *by_name; /* [csv->fields] all columns, sorted by their names */
  bool *wanted;    /* [csv->fields] */
  bool *open;      /* [csv->fields] categorical, and the caller has given no values */
} choice;

/* Of two places: by the names of their columns. */
static bool name_before(const void *a, const void *b, const void *ud) {
  const moon_csv *csv = ud;
  const size_t i = *(const size_t *)a, k = *(const size_t *)b;
  const int order = strcmp(csv->field[i].name, csv->field[k].name);
  return order < 0 || (order == 0 && i < k);
}

/* The first in by_name whose name does not come before this one. */
static size_t lower_bound(const choice *c, const char *name) {
  size_t from = 0, to = c->csv->fields;
  while (from < to) {
    const size_t middle = from + (to - from) / 2;
    if (strcmp(c->csv->field[c->by_name[middle]].name, name) < 0)
      from = middle + 1;
    else
      to = middle;
  }
  return from;
}

/* The column of a name, or of a number as text. */
static moon_status find(const choice *c, const char *name, size_t *found) {
  moon_csv *csv = c->csv;
  char shown[MOONI_CSV_SHOWN + 8];
  const size_t first = lower_bound(c, name);
  size_t end = first;
  while (end < csv->fields && strcmp(csv->field[c->by_name[end]].name, name) == 0) end++;
  *found = end > first ? c->by_name[first] : place_of(name) - 1;
  if (end - first > 1)
    return mooni_fail(csv->ctx, MOON_EFORMAT, "%zu of its columns have the name '%s'; choose one by its number",
                      end - first, mooni_csv_shown(shown, name, strlen(name)));
  return *found < csv->fields ? MOON_OK : not_there(csv, name);
}

/* ---- which columns ---- */

static moon_status twice(moon_csv *csv, const char *what, size_t i) {
  char shown[MOONI_CSV_SHOWN + 8];
  const char *name = csv->field[i].name;
  return mooni_fail(csv->ctx, MOON_EFORMAT, "column %zu ('%s') is %s", i + 1,
                    mooni_csv_shown(shown, name, strlen(name)), what);
}

/* Choose all columns but the label and those that are ignored. */
static moon_status choose_others(choice *c, const moon_csv_config *config) {
  moon_csv *csv = c->csv;
  for (size_t k = 0; config->ignore && k < config->ignore_count; k++) {
    size_t i;
    MOONI_TRY(find(c, config->ignore[k], &i));
    c->wanted[i] = true; /* until the loop below */
  }
  for (size_t i = 0; i < csv->fields; i++) {
    c->wanted[i] = !c->wanted[i] && i != csv->label;
    if (c->wanted[i]) c->fields[c->count++] = i;
  }
  return c->count ? MOON_OK
                  : mooni_fail(csv->ctx, MOON_EFORMAT, "it has no column beside the label%s",
                               config->ignore_count ? " and those to ignore" : "");
}

static moon_status choose_fields(choice *c, const moon_csv_config *config) {
  moon_csv *csv = c->csv;
  if (!config->columns) return choose_others(c, config);
  if (config->ignore && config->ignore_count)
    return mooni_fail(csv->ctx, MOON_ERANGE, "csv: columns and ignore are given, expected one of them");
  for (size_t k = 0; k < config->column_count; k++) {
    size_t i;
    MOONI_TRY(find(c, config->columns[k], &i));
    if (c->wanted[i]) return twice(csv, "chosen twice", i);
    if (i == csv->label) return twice(csv, "chosen and also the label", i);
    c->wanted[i] = true;
    c->fields[c->count++] = i;
  }
  return c->count ? MOON_OK : mooni_fail(csv->ctx, MOON_EFORMAT, "it has no column beside the label");
}

/* Names tell columns apart, so those of the wanted ones must differ. */
static moon_status check_names(const choice *c) {
  moon_csv *csv = c->csv;
  char shown[MOONI_CSV_SHOWN + 8];
  size_t last = csv->fields;
  for (size_t k = 0; k < csv->fields; k++) {
    const size_t i = c->by_name[k];
    if (!c->wanted[i]) continue;
    const char *name = csv->field[i].name;
    if (last < csv->fields && strcmp(csv->field[last].name, name) == 0)
      return mooni_fail(csv->ctx, MOON_EFORMAT,
                        "columns %zu and %zu have the same name '%s'; rename one, or choose one of them by its "
                        "number",
                        last + 1, i + 1, mooni_csv_shown(shown, name, strlen(name)));
    last = i;
  }
  return MOON_OK;
}

/* ---- categories ---- */

static moon_status add_given(moon_csv *csv, mooni_texts *values, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const size_t size = strlen(list[i]);
    if (mooni_texts_find(values, list[i], size) < values->count) {
      char shown[MOONI_CSV_SHOWN + 8];
      return mooni_fail(csv->ctx, MOON_ERANGE, "csv: the text '%s' is given twice",
                        mooni_csv_shown(shown, list[i], size));
    }
    if (i == MOONI_TEXTS_MOST) return mooni_fail(csv->ctx, MOON_ERANGE, "csv: more than %d texts are given", (int)i);
    MOONI_TRY(mooni_texts_add(values, list[i], size));
  }
  return MOON_OK;
}

static moon_status set_category(choice *c, const moon_csv_category *given, size_t k) {
  moon_csv *csv = c->csv;
  size_t i;
  MOONI_TRY(find(c, given->column, &i));
  if (i == csv->label) return add_given(csv, &csv->classes, given->values, given->count);
  if (!c->wanted[i]) return twice(csv, "categorical, and not among the chosen columns", i);
  if (csv->field[i].values) return twice(csv, "given as categorical twice", i);
  csv->values[k].ctx = csv->ctx;
  csv->field[i].kind = MOONI_CSV_TEXT;
  csv->field[i].values = &csv->values[k];
  csv->categories[k].column = csv->field[i].name;
  c->open[i] = !given->values;
  return given->values ? add_given(csv, &csv->values[k], given->values, given->count) : MOON_OK;
}

static moon_status set_categories(choice *c, const moon_csv_config *config) {
  moon_csv *csv = c->csv;
  const size_t n = config->category_count;
  bool open = false;
  if (n) {
    csv->categories = mooni_calloc(csv->ctx, n, sizeof *csv->categories);
    csv->values = mooni_calloc(csv->ctx, n, sizeof *csv->values);
    if (!csv->categories || !csv->values) return mooni_nomem(csv->ctx, n * sizeof *csv->values);
    csv->category_count = n;
  }
  for (size_t k = 0; k < n; k++) MOONI_TRY(set_category(c, &config->categories[k], k));
  csv->fixed_classes = csv->classes.count > 0;
  for (size_t i = 0; i < csv->fields; i++) open = open || c->open[i];
  if (!open) return MOON_OK;
  if (!csv->path)
    return mooni_fail(csv->ctx, MOON_ESTATE,
                      "csv: the standard input is read once only; give the values of each categorical column");
  return mooni_csv_find_categories(csv, c->open);
}

static void publish_categories(moon_csv *csv) {
  size_t n = 0;
  for (size_t k = 0; k < csv->category_count; k++) {
    if (!csv->categories[k].column) continue; /* the classes of the label */
    csv->categories[n].column = csv->categories[k].column;
    csv->categories[n].values = (const char *const *)csv->values[k].list;
    csv->categories[n++].count = csv->values[k].count;
  }
  csv->published = n;
}

/* ---- columns of a row ---- */

static moon_status name_columns(moon_csv *csv, const mooni_csv_field *field, size_t *at) {
  const size_t n = field->values ? field->values->count : 1;
  for (size_t k = 0; k < n; k++) {
    const char *value = field->values ? field->values->list[k] : "";
    const size_t size = strlen(field->name) + strlen(value) + 2;
    char *name = mooni_alloc(csv->ctx, size);
    if (!name) return mooni_nomem(csv->ctx, size);
    snprintf(name, size, field->values ? "%s=%s" : "%s%s", field->name, value);
    csv->column[(*at)++] = name;
  }
  return MOON_OK;
}

static moon_status add_name(moon_csv *csv, mooni_texts *seen, const char *name) {
  char shown[MOONI_CSV_SHOWN + 8];
  const size_t size = strlen(name);
  if (mooni_texts_find(seen, name, size) == seen->count) return mooni_texts_add(seen, name, size);
  return mooni_fail(csv->ctx, MOON_EFORMAT,
                    "a categorical column would make a second column '%s'; rename one, or leave one out",
                    mooni_csv_shown(shown, name, size));
}

/* The text "x" of a column "c" becomes a column "c=x": the file may have such a name, too. */
static moon_status check_joined_names(moon_csv *csv) {
  mooni_texts seen = {.ctx = csv->ctx};
  moon_status status = MOON_OK;
  for (size_t i = 0; status == MOON_OK && i < csv->width; i++) status = add_name(csv, &seen, csv->column[i]);
  mooni_texts_free(&seen);
  return status;
}

static moon_status place_columns(const choice *c) {
  moon_csv *csv = c->csv;
  size_t at = 0;
  for (size_t k = 0; k < c->count; k++) {
    mooni_csv_field *field = &csv->field[c->fields[k]];
    field->place = csv->width;
    if (!field->values) field->kind = MOONI_CSV_NUMBER;
    csv->width += field->values ? field->values->count : 1;
  }
  if (!csv->width)
    return mooni_fail(csv->ctx, MOON_EFORMAT, "its categorical columns have no texts, so a row has no numbers");
  csv->column = mooni_calloc(csv->ctx, csv->width, sizeof *csv->column);
  if (!csv->column) return mooni_nomem(csv->ctx, csv->width * sizeof *csv->column);
  for (size_t k = 0; k < c->count; k++) MOONI_TRY(name_columns(csv, &csv->field[c->fields[k]], &at));
  return csv->published ? check_joined_names(csv) : MOON_OK;
}

static moon_status choose(choice *c, const moon_csv_config *config) {
  moon_csv *csv = c->csv;
  csv->label = csv->fields;
  for (size_t i = 0; i < csv->fields; i++) c->by_name[i] = i;
  mooni_sort(c->by_name, csv->fields, sizeof *c->by_name, name_before, csv);
  if (config->label) MOONI_TRY(find(c, config->label, &csv->label));
  MOONI_TRY(choose_fields(c, config));
  MOONI_TRY(check_names(c));
  MOONI_TRY(set_categories(c, config));
  publish_categories(csv);
  return place_columns(c);
}

moon_status mooni_csv_choose(moon_csv *csv, const moon_csv_config *config) {
  const size_t n = csv->fields;
  choice c = {.csv = csv};
  c.fields = mooni_calloc(csv->ctx, n, sizeof *c.fields);
  c.by_name = mooni_calloc(csv->ctx, n, sizeof *c.by_name);
  c.wanted = mooni_calloc(csv->ctx, n, sizeof *c.wanted);
  c.open = mooni_calloc(csv->ctx, n, sizeof *c.open);
  moon_status status = c.fields && c.by_name && c.wanted && c.open ? choose(&c, config)
                                                                   : mooni_nomem(csv->ctx, n * sizeof *c.fields);
  mooni_free(csv->ctx, c.fields);
  mooni_free(csv->ctx, c.by_name);
  mooni_free(csv->ctx, c.wanted);
  mooni_free(csv->ctx, c.open);
  return status;
}
