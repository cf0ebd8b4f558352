/* csv_cells.c - lines of CSV to cells, as RFC 4180 has them: a cell in quotes may hold delimiters, line breaks, and
** quotes as two. Blanks around a cell do not count. What is not so is an error with its place: no guess about where a
** cell ends could show a wrong number. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "csv.h"

/* ---- messages ---- */

const char *mooni_csv_shown(char *out, const char *text, size_t size) {
  size_t n = size < MOONI_CSV_SHOWN ? size : MOONI_CSV_SHOWN;
  while (n < size && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) n--; /* not within a character */
  for (size_t i = 0; i < n; i++) out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
  memcpy(out + n, "...", 4);
  if (n == size) out[n] = 0;
  return out;
}

moon_status mooni_csv_bad_line(moon_csv *csv, uint64_t line, const char *format, ...) {
  char rest[700];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(rest, sizeof rest, format, arguments);
  va_end(arguments);
  csv->last_line = line;
  return mooni_fail(csv->ctx, MOON_EFORMAT, "line %llu: %s", (unsigned long long)line, rest);
}

moon_status mooni_csv_bad_cell(moon_csv *csv, size_t i, uint64_t lines, const mooni_csv_cell *cell, const char *format,
                               ...) {
  char rest[500], name[MOONI_CSV_SHOWN + 8] = "", found[MOONI_CSV_SHOWN + 8] = "";
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(rest, sizeof rest, format, arguments);
  va_end(arguments);
  const char *title = csv->header && i < csv->fields && csv->field ? csv->field[i].name : NULL;
  if (title) mooni_csv_shown(name, title, strlen(title));
  if (cell) mooni_csv_shown(found, cell->text, cell->size);
  csv->last_line = csv->line + lines;
  return mooni_fail(csv->ctx, MOON_EFORMAT, "line %llu, column %zu%s%s%s: %s%s%s%s", (unsigned long long)csv->last_line,
                    i + 1, title ? " (" : "", name, title ? ")" : "", cell ? "found '" : "", found, cell ? "', " : "",
                    rest);
}

/* ---- cells ---- */

/* A cell while it is read. */
typedef struct scan {
  moon_csv *csv;
  const char *p, *end; /* end: of the buffer */
  size_t i;            /* its column */
  uint64_t lines;      /* line breaks before p in the line */
} scan;

static mooni_csv_result fail(scan *s, moon_status *status, const char *text) {
  *status = mooni_csv_bad_cell(s->csv, s->i, s->lines, NULL, "%s", text);
  return MOONI_CSV_FAILED;
}

static bool is_blank(const scan *s, char c) { return c == ' ' || (c == '\t' && s->csv->delimiter != '\t'); }

/* p is at what follows a cell. */
static mooni_csv_result end_cell(scan *s, mooni_csv_cell *cell, moon_status *status) {
  const moon_csv *csv = s->csv;
  cell->last = true;
  cell->next = s->p;
  if (s->p == s->end) return csv->over ? MOONI_CSV_GOOD : MOONI_CSV_MORE;
  switch (csv->effect[(unsigned char)*s->p]) {
    case MOONI_CSV_DELIMITER:
      cell->last = false;
      cell->next = s->p + 1;
      return MOONI_CSV_GOOD;
    case MOONI_CSV_LINE_END:
      cell->next = s->p + 1;
      if (*s->p == '\n') return MOONI_CSV_GOOD;
      if (s->p + 1 == s->end) return csv->over ? MOONI_CSV_GOOD : MOONI_CSV_MORE;
      cell->next = s->p + 2;
      if (s->p[1] == '\n') return MOONI_CSV_GOOD;
      return fail(s, status, "a carriage return without a line feed; convert the line breaks: tr '\\r' '\\n'");
    case MOONI_CSV_ZERO:
      return fail(s, status, "a zero byte: this is no text, or UTF-16; convert it: iconv -f UTF-16 -t UTF-8");
    case MOONI_CSV_QUOTE:
      return fail(s, status, "a quote within a cell; expected quotes around the whole cell, and a quote in it as two");
    default: return fail(s, status, "text behind a closing quote; expected a quote within a text as two (\"\")");
  }
}

/* Copy a text without one of each two quotes. */
static moon_status unquote(moon_csv *csv, mooni_csv_cell *cell, const char *from, const char *to) {
  const size_t size = (size_t)(to - from);
  if (csv->scratch_room < size) {
    mooni_free(csv->ctx, csv->scratch);
    csv->scratch_room = 0;
    csv->scratch = mooni_alloc(csv->ctx, size);
    if (!csv->scratch) return mooni_nomem(csv->ctx, size);
    csv->scratch_room = size;
  }
  char *out = csv->scratch;
  for (; from < to; from += 1 + (*from == '"')) *out++ = *from;
  cell->text = csv->scratch;
  cell->size = (size_t)(out - csv->scratch);
  return MOON_OK;
}

/* p is behind the opening quote. */
static mooni_csv_result quoted_cell(scan *s, mooni_csv_cell *cell, moon_status *status) {
  const char *from = s->p;
  const uint64_t before = s->lines;
  bool doubled = false;
  for (;; s->p++) {
    if (s->p == s->end) {
      if (!s->csv->over) return MOONI_CSV_MORE;
      s->lines = before;
      return fail(s, status, "a quote is not closed: the file ends within the text that begins here");
    }
    if (!*s->p) return end_cell(s, cell, status);
    s->lines += *s->p == '\n';
    if (*s->p != '"') continue;
    if (s->p + 1 == s->end && !s->csv->over) return MOONI_CSV_MORE;
    if (s->p[1] != '"') break;
    doubled = true;
    s->p++;
  }
  cell->text = from;
  cell->size = (size_t)(s->p - from);
  cell->quoted = true;
  cell->lines = s->lines - before;
  if (doubled && (*status = unquote(s->csv, cell, from, s->p)) != MOON_OK) return MOONI_CSV_FAILED;
  s->p++;
  while (is_blank(s, *s->p)) s->p++;
  return end_cell(s, cell, status);
}

mooni_csv_result mooni_csv_cell_at(moon_csv *csv, mooni_csv_cell *cell, const char *p, size_t i, uint64_t lines,
                                   moon_status *status) {
  scan s = {csv, p, csv->buffer + csv->end, i, lines};
  cell->quoted = false;
  cell->lines = 0;
  while (is_blank(&s, *s.p)) s.p++;
  if (*s.p == '"') {
    s.p++;
    return quoted_cell(&s, cell, status);
  }
  cell->text = s.p;
  while (csv->effect[(unsigned char)*s.p] == MOONI_CSV_ORDINARY) s.p++;
  const char *end = s.p;
  while (end > cell->text && is_blank(&s, end[-1])) end--;
  cell->size = (size_t)(end - cell->text);
  return end_cell(&s, cell, status);
}

bool mooni_csv_is_missing(const moon_csv *csv, const mooni_csv_cell *cell) {
  if (mooni_texts_find(&csv->missing, cell->text, cell->size) < csv->missing.count) return true;
  if (cell->size != 3 || (cell->text[0] | 0x20) != 'n' || (cell->text[1] | 0x20) != 'a' ||
      (cell->text[2] | 0x20) != 'n')
    return false;
  return mooni_texts_find(&csv->missing, "nan", 3) < csv->missing.count; /* also written NaN */
}

/* ---- lines ---- */

static void go_behind(moon_csv *csv, const char *next, uint64_t lines) {
  csv->begin = (size_t)(next - csv->buffer);
  csv->line += lines + 1;
}

mooni_csv_result mooni_csv_pass(moon_csv *csv) {
  const char *p = csv->buffer + csv->begin;
  mooni_csv_cell cell = {.last = false};
  uint64_t lines = 0;
  moon_status status;
  mooni_csv_result result = MOONI_CSV_GOOD;
  if (csv->begin == csv->end) return csv->over ? MOONI_CSV_END : MOONI_CSV_MORE;
  for (size_t i = 0; !cell.last && result == MOONI_CSV_GOOD; i++, p = cell.next, lines += cell.lines)
    result = mooni_csv_cell_at(csv, &cell, p, i, lines, &status);
  if (result == MOONI_CSV_GOOD) {
    go_behind(csv, p, lines);
    return result;
  }
  if (result == MOONI_CSV_MORE) return result;
  const char *from = csv->buffer + csv->begin, *found = memchr(from, '\n', csv->end - csv->begin);
  if (!found && !csv->over) return MOONI_CSV_MORE;
  go_behind(csv, found ? found + 1 : csv->buffer + csv->end, 0);
  return MOONI_CSV_GOOD;
}
