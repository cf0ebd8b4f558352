/* csv.c - CSV files as a stream of rows, in the memory of a buffer: the public functions. */
#include "csv.h"

#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "csv_open.h"

static const char *path_of(const moon_csv *csv) { return csv->path ? csv->path : "standard input"; }

static moon_status in_file(const moon_csv *csv, moon_status status) {
  return mooni_in_file(csv->ctx, status, path_of(csv));
}

/* ---- opening and closing ---- */

moon_csv *moon_csv_retain(moon_csv *csv) {
  csv->refs++;
  return csv;
}

void moon_csv_close(moon_csv *csv) {
  if (!csv || --csv->refs) return;
  moon_ctx *ctx = csv->ctx;
  mooni_input_close(&csv->input);
  for (size_t i = 0; csv->field && i < csv->fields; i++) mooni_free(ctx, csv->field[i].name);
  for (size_t i = 0; csv->column && i < csv->width; i++) mooni_free(ctx, csv->column[i]);
  for (size_t i = 0; i < csv->category_count; i++) mooni_texts_free(&csv->values[i]);
  mooni_texts_free(&csv->missing);
  mooni_texts_free(&csv->classes);
  void *blocks[] = {csv->path, csv->buffer, csv->scratch, csv->field, csv->column, csv->categories, csv->values, csv};
  for (size_t i = 0; i < MOONI_COUNT(blocks); i++) mooni_free(ctx, blocks[i]);
  moon_ctx_release(ctx);
}

static bool is_separator(char c) { return !c || (c != '\n' && c != '\r' && c != '"' && !(c >= '0' && c <= '9')); }

static moon_status check_config(moon_ctx *ctx, const moon_csv_config *config) {
  if (config->size < sizeof *config)
    return mooni_fail(ctx, MOON_ERANGE, "csv: size is %zu, expected sizeof(moon_csv_config), %zu", config->size,
                      sizeof *config);
  if (!is_separator(config->delimiter) || strchr("+-eE. ", config->delimiter ? config->delimiter : ','))
    return mooni_fail(ctx, MOON_ERANGE, "csv: delimiter is '%c', expected one character such as , ; | or a tab",
                      config->delimiter);
  if (config->decimal && config->decimal != '.' && config->decimal != ',')
    return mooni_fail(ctx, MOON_ERANGE, "csv: decimal is '%c', expected '.' or ','", config->decimal);
  return MOON_OK;
}

static moon_status add_missing(moon_csv *csv, const moon_csv_config *config) {
  static const char *const usual[] = {"", "NA", "nan", "?"};
  const char *const *list = config->missing ? config->missing : usual;
  const size_t count = config->missing ? config->missing_count : MOONI_COUNT(usual);
  for (size_t i = 0; i < count && i < MOONI_TEXTS_MOST; i++)
    if (mooni_texts_find(&csv->missing, list[i], strlen(list[i])) == csv->missing.count)
      MOONI_TRY(mooni_texts_add(&csv->missing, list[i], strlen(list[i])));
  return MOON_OK;
}

static moon_status open_csv(moon_csv *csv, const char *path, const moon_csv_config *config) {
  csv->missing.ctx = csv->classes.ctx = csv->ctx;
  csv->input.file.fd = -1;
  csv->follow = config->follow;
  if (!path) path = ""; /* refused with the reason of all readers */
  if (strcmp(path, "-") != 0 && !(csv->path = mooni_strdup(csv->ctx, path))) return mooni_nomem(csv->ctx, strlen(path));
  MOONI_TRY(add_missing(csv, config));
  return in_file(csv, mooni_csv_begin(csv, config));
}

moon_status moon_csv_open(moon_ctx *ctx, moon_csv **out, const char *path, const moon_csv_config *config) {
  MOONI_IEEE;
  static const moon_csv_config usual = {.size = sizeof usual};
  if (!config) config = &usual;
  MOONI_TRY(check_config(ctx, config));
  moon_csv *csv = mooni_calloc(ctx, 1, sizeof *csv);
  if (!csv) return mooni_nomem(ctx, sizeof *csv);
  csv->refs = 1;
  csv->ctx = moon_ctx_retain(ctx);
  moon_status status = open_csv(csv, path, config);
  if (status == MOON_OK)
    *out = csv;
  else
    moon_csv_close(csv);
  return status;
}

/* ---- reading ---- */

/* More bytes for the line at begin. END: there are none. MORE: they are not at hand, and `wait` is false. */
static mooni_csv_result fetch(moon_csv *csv, bool wait, moon_status *status) {
  if (csv->broken) return MOONI_CSV_END;
  if (!wait && !mooni_input_at_hand(&csv->input)) return MOONI_CSV_MORE;
  *status = mooni_csv_fill(csv);
  csv->broken = *status == MOON_EFORMAT && wait; /* the call that does not wait does not tell it either */
  if (*status != MOON_OK) return MOONI_CSV_FAILED;
  return csv->idle && csv->follow ? MOONI_CSV_END : MOONI_CSV_GOOD;
}

/* A row is bad, or blank lines are. Go behind them, if the error will be told, for which the end of the row must be in
** the buffer: MORE if it is not. The message stays. */
static mooni_csv_result settle(moon_csv *csv, bool told) {
  char message[sizeof csv->ctx->error];
  const size_t begin = csv->begin;
  const uint64_t line = csv->line, last = csv->last_line;
  if (csv->blank_line) {
    if (told) csv->blank_line = 0;
    return MOONI_CSV_FAILED;
  }
  memcpy(message, csv->ctx->error, sizeof message);
  const mooni_csv_result result = mooni_csv_pass(csv);
  memcpy(csv->ctx->error, message, sizeof message);
  csv->last_line = last;
  if (!told) csv->begin = begin, csv->line = line;
  return result == MOONI_CSV_MORE ? result : MOONI_CSV_FAILED;
}

/* Do `step` for up to n rows; *done counts them. It ends early, without an error, if rows are done and more would have
** to be waited for, or if an error came behind them: the next call meets it again. */
typedef mooni_csv_result step(moon_csv *csv, void *ud, size_t i, moon_status *status);

static moon_status each_row(moon_csv *csv, step *take, void *ud, size_t n, size_t *done) {
  moon_status status = csv->pending;
  uint64_t line = csv->last_line;
  csv->pending = MOON_OK;
  *done = 0;
  while (status == MOON_OK && *done < n) {
    mooni_csv_result result = take(csv, ud, *done, &status);
    if (result == MOONI_CSV_GOOD) {
      line = csv->last_line;
      ++*done;
      continue;
    }
    if (result == MOONI_CSV_FAILED && status == MOON_EFORMAT) result = settle(csv, !*done);
    if (result == MOONI_CSV_MORE) result = fetch(csv, !*done, &status);
    if (result == MOONI_CSV_GOOD) {
      status = MOON_OK;
      continue;
    }
    if (result != MOONI_CSV_FAILED || *done) {
      csv->pending = *done && status == MOON_EINTERRUPT ? status : MOON_OK;
      status = MOON_OK;
      break;
    }
  }
  if (status == MOON_OK) csv->last_line = line;
  return in_file(csv, status);
}

typedef struct target {
  float *x, *labels;
} target;

static mooni_csv_result read_row(moon_csv *csv, void *ud, size_t i, moon_status *status) {
  const target *t = ud;
  const mooni_csv_result result = mooni_csv_row(csv, t->x + i * csv->width, t->labels ? t->labels + i : NULL, status);
  if (csv->lines && result == MOONI_CSV_GOOD) csv->lines[i] = (size_t)csv->last_line;
  return result;
}

static moon_status check_target(const moon_csv *csv, const moon_tensor *x, const moon_tensor *labels) {
  char text[MOONI_SHAPE_TEXT];
  MOONI_TRY(mooni_want_float(x, "csv"));
  MOONI_TRY(mooni_want_writable(x, "csv"));
  if (x->rank != 2 || x->shape[1] != csv->width)
    return mooni_fail(csv->ctx, MOON_ESHAPE, "csv: the result is %s, expected [rows x %zu]", mooni_tensor_text(text, x),
                      csv->width);
  if (!labels) return MOON_OK;
  if (csv->label == csv->fields)
    return mooni_fail(csv->ctx, MOON_ESTATE, "csv: labels are asked for, but no column of labels was named");
  MOONI_TRY(mooni_want_float(labels, "csv"));
  MOONI_TRY(mooni_want_writable(labels, "csv"));
  if (labels->rank == 1 && labels->shape[0] == x->shape[0]) return MOON_OK;
  return mooni_fail(csv->ctx, MOON_ESHAPE, "csv: the labels are %s, expected [%zu]", mooni_tensor_text(text, labels),
                    x->shape[0]);
}

moon_status moon_csv_read(moon_csv *csv, moon_tensor *x, moon_tensor *labels, size_t *rows) {
  MOONI_IEEE;
  MOONI_TRY(check_target(csv, x, labels));
  target t = {moon_tensor_float(x), labels ? moon_tensor_float(labels) : NULL};
  size_t done;
  moon_status status = each_row(csv, read_row, &t, x->shape[0], &done);
  if (status != MOON_OK) return status;
  *rows = done;
  return MOON_OK;
}

static mooni_csv_result pass_row(moon_csv *csv, void *ud, size_t i, moon_status *status) {
  (void)ud;
  (void)i;
  return mooni_csv_past_row(csv, status);
}

moon_status moon_csv_skip(moon_csv *csv, size_t n, size_t *rows) {
  size_t done;
  moon_status status = each_row(csv, pass_row, NULL, n, &done);
  if (status != MOON_OK) return status;
  *rows = done;
  return MOON_OK;
}

/* ---- how many rows ---- */

/* Count line breaks outside of quotes. */
static size_t count_lines(const char *p, size_t n, bool *quoted) {
  const char *end = p + n;
  size_t lines = 0;
  if (!*quoted && !memchr(p, '"', n)) { /* the usual case */
    while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) lines++, p++;
    return lines;
  }
  for (; p < end; p++) {
    *quoted ^= *p == '"';
    lines += *p == '\n' && !*quoted;
  }
  return lines;
}

static moon_status count(mooni_input *in, char *chunk, uint64_t *lines, uint64_t *bytes) {
  bool quoted = false;
  *lines = *bytes = 0;
  for (size_t got = 1; got;) {
    MOONI_TRY(mooni_input_some(in, chunk, MOONI_CSV_CHUNK, &got));
    *lines += count_lines(chunk, got, &quoted);
    *bytes += got;
  }
  return MOON_OK;
}

moon_status moon_csv_most_rows(moon_csv *csv, size_t *rows) {
  mooni_input in;
  uint64_t lines = 0, bytes = 0;
  if (!csv->path) return mooni_fail(csv->ctx, MOON_ESTATE, "csv: the rows of the standard input cannot be counted");
  char *chunk = mooni_alloc(csv->ctx, MOONI_CSV_CHUNK);
  if (!chunk) return mooni_nomem(csv->ctx, MOONI_CSV_CHUNK);
  moon_status status = mooni_input_open(&in, csv->ctx, csv->path);
  if (status == MOON_OK) status = count(&in, chunk, &lines, &bytes);
  mooni_input_close(&in);
  mooni_free(csv->ctx, chunk);
  if (status != MOON_OK) return in_file(csv, status);
  lines += 1 - csv->header;        /* the last line may have no line break */
  bytes = bytes / csv->fields + 1; /* a row has at least a delimiter or a line break for each cell */
  *rows = (size_t)(lines < bytes ? lines : bytes);
  return MOON_OK;
}

/* ---- places ---- */

moon_csv_place moon_csv_tell(const moon_csv *csv) {
  return (moon_csv_place){.offset = csv->offset + csv->begin, .line = csv->line};
}

moon_status moon_csv_seek(moon_csv *csv, const moon_csv_place *place) {
  if (!csv->path || csv->input.gzip)
    return mooni_fail(csv->ctx, MOON_ESTATE, "csv: '%.200s' is read from the beginning to the end only: it is %s",
                      path_of(csv), csv->path ? "gzipped; unpack it first" : "a stream");
  if (!csv->follow) MOONI_TRY(mooni_reader_unchanged(&csv->input.file));
  return mooni_csv_go(csv, place->offset, place->line);
}

/* ---- getters ---- */

size_t moon_csv_width(const moon_csv *csv) { return csv->width; }
const char *moon_csv_column(const moon_csv *csv, size_t i) { return i < csv->width ? csv->column[i] : NULL; }
const char *moon_csv_field(const moon_csv *csv, size_t i) { return i < csv->fields ? csv->field[i].name : NULL; }
void moon_csv_set_lines(moon_csv *csv, size_t *lines) { csv->lines = lines; }
size_t moon_csv_line(const moon_csv *csv) { return (size_t)csv->last_line; }
size_t moon_csv_missing(const moon_csv *csv) { return (size_t)csv->missed; }
bool moon_csv_has_header(const moon_csv *csv) { return csv->header; }

const moon_csv_category *moon_csv_categories(const moon_csv *csv, size_t *n) {
  *n = csv->published;
  return csv->categories;
}

const char *const *moon_csv_classes(const moon_csv *csv, size_t *n) {
  *n = csv->classes.count;
  return (const char *const *)csv->classes.list;
}
