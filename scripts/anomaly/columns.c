/* columns.c - the columns of a file beside those of the detector. */
#include "columns.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

/* The detector's categorical column of which `name` is one of the one-hot columns, "color=red"; NULL: none. */
static const char *category_of(const moon_detector_config *config, const char *name) {
  for (size_t i = 0; i < config->category_count; i++) {
    const moon_csv_category *c = &config->categories[i];
    size_t n = strlen(c->column);
    if (strncmp(name, c->column, n) != 0 || name[n] != '=') continue;
    for (size_t k = 0; k < c->count; k++)
      if (strcmp(name + n + 1, c->values[k]) == 0) return c->column;
  }
  return NULL;
}

/* The names that the file should have, in the detector's order. Returns how many; 0: the detector has no names. */
static size_t list_names(const moon_detector *d, const char **names) {
  moon_detector_config config = {.size = sizeof config};
  moon_detector_describe(d, &config);
  size_t count = 0;
  const char *name;
  if (!config.columns) return 0;
  for (size_t i = 0; (name = moon_detector_column(d, i)); i++) {
    const char *column = category_of(&config, name);
    if (!column)
      names[count++] = name;
    else if (count == 0 || names[count - 1] != column)
      names[count++] = column;
  }
  return count;
}

/* Compare the file's columns with the names. Returns how many are not used, and lists as many of these as there is room
** for. */
static size_t compare(const moon_csv *csv, const char **names, size_t count, bool *ordered, char *list, size_t room) {
  size_t least = 0, extra = 0, used = 0;
  const char *field;
  *ordered = true;
  *list = '\0';
  for (size_t i = 0; (field = moon_csv_field(csv, i)); i++) {
    size_t k = 0;
    while (k < count && strcmp(names[k], field) != 0) k++;
    if (k < count) {
      *ordered = *ordered && k >= least;
      least = k;
    } else {
      int n = snprintf(list + used, room - used, "%s%s", extra++ ? ", " : "", field);
      used += n > 0 && (size_t)n < room - used ? (size_t)n : 0;
      list[used] = '\0';
    }
  }
  return extra;
}

void columns_tell(const moon_detector *d, const moon_csv *csv, const char *file) {
  const char **names = calloc(moon_detector_columns(d) + 1, sizeof *names);
  char list[512];
  bool ordered;
  size_t count = names && moon_csv_has_header(csv) ? list_names(d, names) : 0;
  if (count > 0) { /* without memory or names there is nothing to tell */
    size_t extra = compare(csv, names, count, &ordered, list, sizeof list);
    if (!ordered) say("%s: its columns are in another order than the detector's; they are taken by their names", file);
    if (extra) say("%s: %zu of its columns %s not used: %s", file, extra, extra > 1 ? "are" : "is", list);
  }
  free(names);
}
