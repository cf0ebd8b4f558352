/* csv_open.c - opening a CSV file: what it is, the names of its columns, which of them are wanted. */
#include <stdio.h>
#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "csv.h"
#include "csv_open.h"
#include "json.h"
#include "number.h"

/* ---- what the file is ---- */

/* Files that people take for CSV, by their first bytes. */
static const struct {
  const char *bytes;
  size_t count;
  const char *text;
} strangers[] = {
    {"\xff\xfe", 2, "a text in UTF-16; convert it: iconv -f UTF-16 -t UTF-8"},
    {"\xfe\xff", 2, "a text in UTF-16; convert it: iconv -f UTF-16 -t UTF-8"},
    {"PK\x03\x04", 4, "a zip archive or an .xlsx workbook; unpack it, or save the sheet as CSV"},
    {"\xd0\xcf\x11\xe0", 4, "an .xls workbook; save the sheet as CSV"},
    {"PAR1", 4, "a Parquet file; save the table as CSV"},
    {"\x93NUMPY", 6, "an NPY file; moon.data.npy reads those"},
    {"BZh", 3, "packed by bzip2; unpack it, or pack it by gzip"},
    {"\xfd"
     "7zXZ",
     5, "packed by xz; unpack it, or pack it by gzip"},
    {"\x28\xb5\x2f\xfd", 4, "packed by zstd; unpack it, or pack it by gzip"},
};

static moon_status check_start(moon_csv *csv) {
  const char *from = csv->buffer + csv->begin;
  const size_t size = csv->end - csv->begin;
  if (!size) return mooni_fail(csv->ctx, MOON_EFORMAT, "the file is empty, expected lines of cells");
  if (size >= 3 && memcmp(from, "\xef\xbb\xbf", 3) == 0) csv->begin += 3; /* UTF-8's byte order mark */
  for (size_t i = 0; i < MOONI_COUNT(strangers); i++)
    if (size >= strangers[i].count && memcmp(from, strangers[i].bytes, strangers[i].count) == 0)
      return mooni_fail(csv->ctx, MOON_EFORMAT, "not a CSV file: it is %s", strangers[i].text);
  return MOON_OK;
}

/* The file has at least three bytes of its own here, or is at its end. */
static moon_status read_start(moon_csv *csv) {
  while (!csv->idle && csv->end < 6) MOONI_TRY(mooni_csv_fill(csv));
  return check_start(csv);
}

/* The delimiter of the first line: the strongest that it has outside of quotes. Text in cells has commas more often
** than semicolons, and hardly ever tabs. */
static moon_status find_delimiter(moon_csv *csv) {
  static const char known[] = "\t;,|";
  bool seen[sizeof known - 1] = {false}, quoted = false;
  for (size_t at = csv->begin;; at++) {
    while (at == csv->end && !csv->idle) {
      at -= csv->begin;
      MOONI_TRY(mooni_csv_fill(csv));
    }
    if (at == csv->end || (csv->buffer[at] == '\n' && !quoted)) break;
    if (csv->buffer[at] == '"') quoted = !quoted;
    const char *found = csv->buffer[at] && !quoted ? strchr(known, csv->buffer[at]) : NULL;
    if (found) seen[found - known] = true;
  }
  csv->delimiter = ',';
  for (size_t i = sizeof known - 1; i-- > 0;)
    if (seen[i]) csv->delimiter = known[i];
  return MOON_OK;
}

static void set_effects(moon_csv *csv) {
  csv->effect['\n'] = csv->effect['\r'] = MOONI_CSV_LINE_END;
  csv->effect['"'] = MOONI_CSV_QUOTE;
  csv->effect[0] = MOONI_CSV_ZERO;
  csv->effect[(unsigned char)csv->delimiter] = MOONI_CSV_DELIMITER;
}

/* ---- the first line ---- */

/* Read the cells of a line: take(ud, csv, i, cell) for each. *next: behind it. */
static moon_status each_cell(moon_csv *csv, size_t *at, uint64_t *lines,
                             moon_status (*take)(void *, moon_csv *, size_t, const mooni_csv_cell *), void *ud) {
  mooni_csv_cell cell = {.last = false};
  const char *p = csv->buffer + *at;
  for (size_t i = 0; !cell.last; i++) {
    moon_status status = MOON_OK;
    if (mooni_csv_cell_at(csv, &cell, p, i, *lines, &status) == MOONI_CSV_FAILED) return status;
    MOONI_TRY(take(ud, csv, i, &cell));
    *lines += cell.lines;
    p = cell.next;
  }
  *at = (size_t)(p - csv->buffer);
  return MOON_OK;
}

/* See to it that the buffer has the whole line that begins `ahead` behind begin, if the file has. *whole: it has
** one. */
static moon_status want_line(moon_csv *csv, size_t ahead, bool *whole) {
  const uint64_t line = csv->line;
  for (;;) {
    const size_t begin = csv->begin;
    csv->begin += ahead;
    const mooni_csv_result result = mooni_csv_pass(csv);
    csv->begin = begin;
    csv->line = line;
    *whole = result == MOONI_CSV_GOOD;
    if (result != MOONI_CSV_MORE || csv->idle) return MOON_OK;
    MOONI_TRY(mooni_csv_fill(csv));
  }
}

/* What cells of the first line look like, and whether the second line looks different. */
typedef struct look {
  size_t numbers, texts;
  bool *is_text; /* of the first line, [fields] */
  bool differs;
} look;

/* Would a person take it for a number, a date or a time? Such are no names, also if they cannot be read. */
static bool is_like_number(const mooni_csv_cell *cell) {
  bool digit = false;
  for (size_t i = 0; i < cell->size; i++) {
    const char c = cell->text[i];
    if (c >= '0' && c <= '9')
      digit = true;
    else if (!c || !strchr(".,+-eE:/% ", c))
      return false;
  }
  return digit;
}

static bool is_text(const moon_csv *csv, const mooni_csv_cell *cell) {
  return !mooni_csv_is_missing(csv, cell) && !is_like_number(cell);
}

static moon_status count_cell(void *ud, moon_csv *csv, size_t i, const mooni_csv_cell *cell) {
  look *l = ud;
  csv->fields = i + 1;
  if (is_text(csv, cell))
    l->texts++;
  else if (is_like_number(cell))
    l->numbers++;
  return MOON_OK;
}

static moon_status note_cell(void *ud, moon_csv *csv, size_t i, const mooni_csv_cell *cell) {
  ((look *)ud)->is_text[i] = is_text(csv, cell);
  return MOON_OK;
}

static moon_status compare_cell(void *ud, moon_csv *csv, size_t i, const mooni_csv_cell *cell) {
  look *l = ud;
  l->differs = l->differs || i >= csv->fields ||
               (!mooni_csv_is_missing(csv, cell) && is_text(csv, cell) != l->is_text[i]);
  return MOON_OK;
}

/* The first line has texts and numbers: names, some of them numbers, or a row with texts? It is a row if the second
** line has texts in the same columns. */
static moon_status compare_lines(moon_csv *csv, look *l) {
  size_t at = csv->begin;
  uint64_t lines = 0;
  bool whole;
  MOONI_TRY(each_cell(csv, &at, &lines, note_cell, l));
  const size_t length = at - csv->begin;
  MOONI_TRY(want_line(csv, length, &whole));
  if (!whole) return MOON_OK;
  at = csv->begin + length;
  lines = 0;
  if (each_cell(csv, &at, &lines, compare_cell, l) != MOON_OK) l->differs = true; /* its error comes when it is read */
  csv->header = l->differs;
  return MOON_OK;
}

static moon_status find_header(moon_csv *csv, look *l, int header) {
  csv->header = header > 0 || (!header && l->texts);
  if (header || !l->texts || !l->numbers) return MOON_OK;
  l->is_text = mooni_calloc(csv->ctx, csv->fields, sizeof *l->is_text);
  if (!l->is_text) return mooni_nomem(csv->ctx, csv->fields);
  moon_status status = compare_lines(csv, l);
  mooni_free(csv->ctx, l->is_text);
  return status;
}

/* ---- names ---- */

static moon_status bad_name(moon_csv *csv, size_t i, const char *text) {
  return mooni_csv_bad_cell(csv, i, 0, NULL, "%s", text);
}

static moon_status set_name(void *ud, moon_csv *csv, size_t i, const mooni_csv_cell *cell) {
  char place[24];
  mooni_csv_cell named = *cell;
  (void)ud;
  if (!csv->header || !cell->size) {
    named.size = (size_t)snprintf(place, sizeof place, "%zu", i + 1);
    named.text = place;
  }
  char *name = mooni_alloc(csv->ctx, named.size + 1);
  if (!name) return mooni_nomem(csv->ctx, named.size + 1);
  memcpy(name, named.text, named.size);
  name[named.size] = 0;
  csv->field[i].name = name;
  if (mooni_is_utf8(name)) return MOON_OK;
  return bad_name(csv, i, "its name is not UTF-8; convert the file: iconv -f LATIN1 -t UTF-8");
}

static moon_status read_names(moon_csv *csv) {
  uint64_t lines = 0;
  size_t at = csv->begin;
  csv->field = mooni_calloc(csv->ctx, csv->fields, sizeof *csv->field);
  if (!csv->field) return mooni_nomem(csv->ctx, csv->fields * sizeof *csv->field);
  MOONI_TRY(each_cell(csv, &at, &lines, set_name, NULL));
  if (!csv->header) return MOON_OK;
  csv->begin = at;
  csv->line += lines + 1;
  return MOON_OK;
}

static moon_status read_first_line(moon_csv *csv, int header) {
  look l = {0};
  uint64_t lines = 0;
  size_t at = csv->begin;
  bool whole;
  MOONI_TRY(want_line(csv, 0, &whole));
  if (!whole && csv->follow)
    return mooni_csv_bad_line(csv, 1, "it is not complete yet; expected a whole line to begin with");
  if (!whole) return mooni_csv_bad_line(csv, 1, "expected names or numbers, found nothing");
  at = csv->begin;
  MOONI_TRY(each_cell(csv, &at, &lines, count_cell, &l));
  if (csv->fields == 1 && !l.texts && !l.numbers && at - csv->begin <= 2)
    return mooni_csv_bad_line(csv, 1, "it is blank, expected names or numbers");
  MOONI_TRY(find_header(csv, &l, header));
  return read_names(csv);
}

/* ---- the whole ---- */

moon_status mooni_csv_begin(moon_csv *csv, const moon_csv_config *config) {
  csv->line = 1;
  MOONI_TRY(csv->path ? mooni_input_open(&csv->input, csv->ctx, csv->path) : mooni_input_stdin(&csv->input, csv->ctx));
  MOONI_TRY(read_start(csv));
  csv->delimiter = config->delimiter;
  if (!csv->delimiter) MOONI_TRY(find_delimiter(csv));
  set_effects(csv);
  csv->point = config->decimal ? config->decimal : csv->delimiter == ',' ? '.' : -1;
  MOONI_TRY(read_first_line(csv, config->header));
  return mooni_csv_choose(csv, config);
}
