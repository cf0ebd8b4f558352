/* csv_row.c - lines of CSV to rows: numbers, categories as ones among zeros, a label.
**
** Most cells are plain numbers with a delimiter right behind: they are read where they lie. Every other cell is cut out
** first (csv_cells.c). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "../core/error.h"
#include "csv.h"
#include "number.h"

/* A row while it is read. */
typedef struct row {
  moon_csv *csv;
  float *x;
  uint64_t lines;  /* line breaks within the cells so far */
  uint64_t missed; /* missing cells so far */
  moon_status status;
} row;

static mooni_csv_result failed(row *r, moon_status status) {
  r->status = status;
  return MOONI_CSV_FAILED;
}

/* ---- numbers ---- */

static bool is_word(const mooni_csv_cell *cell, const char *word) {
  const size_t n = strlen(word);
  const bool sign = cell->size > 0 && (*cell->text == '-' || *cell->text == '+');
  if (cell->size - sign != n) return false;
  for (size_t i = 0; i < n; i++)
    if ((cell->text[i + sign] | 0x20) != word[i]) return false;
  return true;
}

/* Why a cell is no number, and what to do. */
static moon_status no_number(const row *r, size_t i, const mooni_csv_cell *cell) {
  moon_csv *csv = r->csv;
  double value;
  const char *end = cell->text + cell->size;
  if (is_word(cell, "inf") || is_word(cell, "infinity"))
    return mooni_csv_bad_cell(csv, i, r->lines, cell, "expected a finite number; name it as a missing text");
  if (csv->point != ',' && mooni_number_read(cell->text, end, ',', &value) == MOONI_NUMBER)
    return mooni_csv_bad_cell(csv, i, r->lines, cell,
                              "which could mean a decimal comma or a thousands separator; expected a number with a "
                              "point. If it is a decimal comma, set decimal to ','");
  if (csv->point != '.' && mooni_number_read(cell->text, end, '.', &value) == MOONI_NUMBER)
    return mooni_csv_bad_cell(csv, i, r->lines, cell,
                              "expected a number with a decimal comma, as other cells have; write all in one way, or "
                              "set decimal");
  if (memchr(cell->text, '.', cell->size) && memchr(cell->text, ',', cell->size))
    return mooni_csv_bad_cell(csv, i, r->lines, cell,
                              "expected a number with a point or a comma; write it without thousands separators");
  return mooni_csv_bad_cell(csv, i, r->lines, cell,
                            "expected a number; ignore the column, make it categorical, or name the text as a "
                            "missing one");
}

/* Between tabs 1,234 may be either. Nobody writes 0,123 or 1,23 with a thousands separator. */
static bool is_group(const mooni_csv_cell *cell) {
  const char *first = cell->text + (*cell->text == '-' || *cell->text == '+'), *end = cell->text + cell->size;
  const char *comma = memchr(first, ',', (size_t)(end - first));
  return comma && end - comma == 4 && comma - first >= 1 && comma - first <= 3 && *first != '0';
}

/* In a file with ';' or tabs the first number with a point or a comma tells which one all have. */
static void find_point(moon_csv *csv, const mooni_csv_cell *cell) {
  double value;
  const char *end = cell->text + cell->size;
  const bool point = memchr(cell->text, '.', cell->size), comma = memchr(cell->text, ',', cell->size);
  if (csv->point >= 0 || point == comma) return;
  const int found = point ? '.' : ',';
  if (mooni_number_read(cell->text, end, found, &value) != MOONI_NUMBER) return;
  if (csv->delimiter == ';' || point || !is_group(cell)) csv->point = found;
}

static mooni_csv_result read_number(row *r, size_t i, const mooni_csv_cell *cell, float *out) {
  double value;
  find_point(r->csv, cell);
  const mooni_number kind = mooni_number_read(cell->text, cell->text + cell->size, r->csv->point, &value);
  if (kind == MOONI_NO_NUMBER) return failed(r, no_number(r, i, cell));
  if (kind == MOONI_TOO_LARGE || isinf((float)value))
    return failed(r, mooni_csv_bad_cell(r->csv, i, r->lines, cell, "expected at most %g: numbers become float32",
                                        (double)FLT_MAX));
  *out = (float)value;
  return MOONI_CSV_GOOD;
}

/* ---- cells ---- */

static mooni_csv_result read_category(row *r, size_t i, const mooni_csv_cell *cell) {
  const mooni_csv_field *field = &r->csv->field[i];
  memset(r->x + field->place, 0, field->values->count * sizeof *r->x);
  if (mooni_csv_is_missing(r->csv, cell)) {
    r->missed++;
    return MOONI_CSV_GOOD;
  }
  const size_t found = mooni_texts_find(field->values, cell->text, cell->size);
  if (found < field->values->count) r->x[field->place + found] = 1;
  return MOONI_CSV_GOOD;
}

static mooni_csv_result read_cell(row *r, size_t i, const mooni_csv_cell *cell) {
  const mooni_csv_field *field = &r->csv->field[i];
  if (field->kind == MOONI_CSV_SKIPPED) return MOONI_CSV_GOOD;
  if (field->kind == MOONI_CSV_TEXT) return read_category(r, i, cell);
  if (!mooni_csv_is_missing(r->csv, cell)) return read_number(r, i, cell, r->x + field->place);
  r->x[field->place] = NAN;
  r->missed++;
  return MOONI_CSV_GOOD;
}

static bool is_number(const moon_csv *csv, const mooni_csv_cell *cell) {
  double value;
  const char *end = cell->text + cell->size;
  return mooni_number_read(cell->text, end, csv->point == ',' ? ',' : '.', &value) != MOONI_NO_NUMBER ||
         (csv->point < 0 && mooni_number_read(cell->text, end, ',', &value) != MOONI_NO_NUMBER);
}

/* The class number of a text: a new one if the caller has given none. */
static mooni_csv_result read_class(row *r, const mooni_csv_cell *cell, float *label) {
  moon_csv *csv = r->csv;
  const size_t found = mooni_texts_find(&csv->classes, cell->text, cell->size);
  *label = (float)found;
  if (found < csv->classes.count) return MOONI_CSV_GOOD;
  if (csv->fixed_classes)
    return failed(r, mooni_csv_bad_cell(csv, csv->label, r->lines, cell, "expected one of the %zu classes given",
                                        csv->classes.count));
  if (found >= MOONI_TEXTS_MOST)
    return failed(r, mooni_csv_bad_cell(csv, csv->label, r->lines, cell, "expected at most %d different labels",
                                        MOONI_TEXTS_MOST));
  r->status = mooni_texts_add(&csv->classes, cell->text, cell->size);
  return r->status == MOON_OK ? MOONI_CSV_GOOD : MOONI_CSV_FAILED;
}

/* The label is read last: a bad row gives no class. The first label that is there tells of which kind all are. */
static mooni_csv_result read_label(row *r, const char *p, uint64_t lines, float *label) {
  moon_csv *csv = r->csv;
  mooni_csv_cell cell;
  const mooni_csv_result result = mooni_csv_cell_at(csv, &cell, p, csv->label, lines, &r->status);
  if (result != MOONI_CSV_GOOD) return result;
  r->lines = lines;
  if (mooni_csv_is_missing(csv, &cell)) {
    *label = NAN;
    return MOONI_CSV_GOOD;
  }
  if (!csv->label_kind) csv->label_kind = is_number(csv, &cell) ? 1 : 2;
  if (csv->label_kind == 2) return read_class(r, &cell, label);
  if (is_number(csv, &cell)) return read_number(r, csv->label, &cell, label);
  return failed(r, mooni_csv_bad_cell(csv, csv->label, r->lines, &cell,
                                      "expected a number, as the labels before it; give the classes, or name the text "
                                      "as a missing one"));
}

/* ---- lines ---- */

/* A line of i cells was expected to have more, or fewer: count them. */
static mooni_csv_result ragged(row *r, mooni_csv_cell *cell, size_t i) {
  moon_csv *csv = r->csv;
  uint64_t lines = r->lines;
  for (; !cell->last; i++, lines += cell->lines) {
    const mooni_csv_result result = mooni_csv_cell_at(csv, cell, cell->next, i, lines, &r->status);
    if (result != MOONI_CSV_GOOD) return result;
  }
  char shown[8] = {'\'', csv->delimiter, '\'', 0};
  return failed(r, mooni_csv_bad_line(csv, csv->line,
                                      "it has %zu cell%s, expected %zu as in the first line (delimiter %s)", i,
                                      i == 1 ? "" : "s", csv->fields, csv->delimiter == '\t' ? "tab" : shown));
}

static bool is_blank_line(const mooni_csv_cell *first) { return first->last && !first->quoted && !first->size; }

/* Go past blank lines at begin. They may stand at the end only. */
static mooni_csv_result skip_blank_lines(moon_csv *csv, moon_status *status) {
  for (;;) {
    const char *p = csv->buffer + csv->begin;
    mooni_csv_cell cell;
    if (csv->begin == csv->end) return csv->over ? MOONI_CSV_END : MOONI_CSV_MORE;
    if (*p != '\n' && *p != '\r' && *p != ' ' && *p != '\t') break;
    const mooni_csv_result result = mooni_csv_cell_at(csv, &cell, p, 0, 0, status);
    if (result == MOONI_CSV_MORE) return result;
    if (result == MOONI_CSV_FAILED || !is_blank_line(&cell)) break;
    if (!csv->blank_line) csv->blank_line = csv->line;
    csv->begin = (size_t)(cell.next - csv->buffer);
    csv->line++;
  }
  if (!csv->blank_line) return MOONI_CSV_GOOD;
  *status = mooni_csv_bad_line(csv, csv->blank_line,
                               "it is blank, and rows follow; expected %zu cells. Blank lines may stand at the end",
                               csv->fields);
  return MOONI_CSV_FAILED;
}

/* A number that stands alone in its cell: to *out, and where the next cell begins. NULL if it is not so. */
static inline const char *plain_number(const moon_csv *csv, const char *p, bool last, float *out) {
  double value;
  p = mooni_number_fast(p, csv->point == csv->delimiter ? -1 : csv->point, &value);
  if (!p || !(fabs(value) <= (double)FLT_MAX)) return NULL;
  *out = (float)value;
  if (!last) return *p == csv->delimiter ? p + 1 : NULL;
  return *p == '\n' ? p + 1 : *p == '\r' && p[1] == '\n' ? p + 2 : NULL;
}

/* Read the cells of the line at begin that are for x. *label: where the label's cell begins; *lines: line breaks before
** it. *next: the next line. */
static mooni_csv_result read_cells(row *r, const char **label, uint64_t *lines, const char **next) {
  moon_csv *csv = r->csv;
  const char *p = csv->buffer + csv->begin;
  const size_t fields = csv->fields;
  for (size_t i = 0; i < fields; i++) {
    const mooni_csv_field *field = &csv->field[i];
    if (field->kind == MOONI_CSV_NUMBER) {
      const char *end = plain_number(csv, p, i + 1 == fields, r->x + field->place);
      if (end) {
        p = end;
        continue;
      }
    }
    mooni_csv_cell cell;
    mooni_csv_result result = mooni_csv_cell_at(csv, &cell, p, i, r->lines, &r->status);
    if (result != MOONI_CSV_GOOD) return result;
    if (cell.last != (i + 1 == fields)) return ragged(r, &cell, i + 1);
    result = read_cell(r, i, &cell);
    if (result != MOONI_CSV_GOOD) return result;
    if (i == csv->label) *label = p, *lines = r->lines;
    r->lines += cell.lines;
    p = cell.next;
  }
  *next = p;
  return MOONI_CSV_GOOD;
}

mooni_csv_result mooni_csv_row(moon_csv *csv, float *x, float *label, moon_status *status) {
  row r = {.csv = csv, .x = x};
  const char *at = NULL, *next;
  uint64_t lines = 0;
  float unused;
  mooni_csv_result result = skip_blank_lines(csv, status);
  if (result != MOONI_CSV_GOOD) return result;
  result = read_cells(&r, &at, &lines, &next);
  const uint64_t all_lines = r.lines;
  if (result == MOONI_CSV_GOOD && at) result = read_label(&r, at, lines, label ? label : &unused);
  *status = r.status;
  if (result != MOONI_CSV_GOOD) return result;
  csv->begin = (size_t)(next - csv->buffer);
  csv->last_line = csv->line;
  csv->line += all_lines + 1;
  csv->missed += r.missed;
  return MOONI_CSV_GOOD;
}

mooni_csv_result mooni_csv_past_row(moon_csv *csv, moon_status *status) {
  const mooni_csv_result result = skip_blank_lines(csv, status);
  return result == MOONI_CSV_GOOD ? mooni_csv_pass(csv) : result;
}

/* ---- categories ---- */

static moon_status add_value(moon_csv *csv, size_t i, uint64_t lines, const mooni_csv_cell *cell) {
  enum { MOST = 4096 }; /* a one-hot column each */
  mooni_texts *values = csv->field[i].values;
  if (mooni_csv_is_missing(csv, cell) || mooni_texts_find(values, cell->text, cell->size) < values->count)
    return MOON_OK;
  if (values->count == MOST)
    return mooni_csv_bad_cell(csv, i, lines, cell, "expected at most %d different texts in a categorical column", MOST);
  return mooni_texts_add(values, cell->text, cell->size);
}

/* Add the values of the line at begin. Errors in other cells are for the reading. */
static mooni_csv_result add_values(moon_csv *csv, const bool *wanted, moon_status *status) {
  const char *p = csv->buffer + csv->begin;
  mooni_csv_cell cell = {.last = false};
  uint64_t lines = 0;
  for (size_t i = 0; !cell.last; i++, lines += cell.lines, p = cell.next) {
    const mooni_csv_result result = mooni_csv_cell_at(csv, &cell, p, i, lines, status);
    if (result != MOONI_CSV_GOOD) return result;
    if (i >= csv->fields || !wanted[i]) continue;
    *status = add_value(csv, i, lines, &cell);
    if (*status != MOON_OK) return MOONI_CSV_FAILED;
  }
  csv->begin = (size_t)(p - csv->buffer);
  csv->line += lines + 1;
  return MOONI_CSV_GOOD;
}

moon_status mooni_csv_find_categories(moon_csv *csv, const bool *wanted) {
  const uint64_t offset = csv->offset + csv->begin, line = csv->line;
  for (;;) {
    moon_status status;
    mooni_csv_result result = skip_blank_lines(csv, &status);
    if (result == MOONI_CSV_GOOD) result = add_values(csv, wanted, &status);
    if (result == MOONI_CSV_FAILED) return status;
    if (result == MOONI_CSV_MORE) {
      MOONI_TRY(mooni_csv_fill(csv));
      if (csv->idle && csv->follow) result = MOONI_CSV_END;
    }
    if (result == MOONI_CSV_END) return mooni_csv_go(csv, offset, line);
  }
}
