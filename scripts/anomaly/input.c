/* input.c - the rows to be scored, a block at a time. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "columns.h"

__attribute__((format(printf, 2, 3))) static outcome fail(input *in, const char *message, ...) {
  va_list arguments;
  va_start(arguments, message);
  vsnprintf(in->failure, sizeof in->failure, message, arguments);
  va_end(arguments);
  return FAILED;
}

static const char *name_of(const input *in) { return in->o->rows ? in->o->rows : "standard input"; }

/* ---- CSV ---- */

/* What moon_error says of the CSV file. One that is followed comes as the standard input, and gets its own name. */
static const char *csv_error(input *in) {
  static const char alias[] = "'standard input'";
  const char *text = moon_error(in->ctx);
  if (!in->follower || strncmp(text, alias, sizeof alias - 1) != 0) return text;
  snprintf(in->message, sizeof in->message, "'%s'%s", in->o->rows, text + sizeof alias - 1);
  return in->message;
}

/* A file that is followed comes as the standard input, which has no other use then. The columns are told once. */
static outcome open_csv(input *in) {
  const char *path = in->o->rows && !in->follower ? in->o->rows : "-";
  if (in->follower && dup2(follow_stream(in->follower), STDIN_FILENO) < 0)
    return fail(in, "%s: cannot use a pipe: %s", name_of(in), strerror(errno));
  if (moon_detector_open_csv(in->detector, &in->csv, path) != MOON_OK) return fail(in, "%s", csv_error(in));
  if (!in->told) columns_tell(in->detector, in->csv, name_of(in));
  in->told = true;
  return GOING;
}

/* After the end of the stream of a file that is followed. */
static outcome follow_on(input *in) {
  moon_csv_close(in->csv);
  in->csv = NULL;
  if (follow_again(in->follower) != GOING) return fail(in, "%s is not followed any more", in->o->rows);
  return open_csv(in);
}

/* Leave out the bad row that the last read has told. A file that is broken as a whole, such as a gzip file, has an end
** where it stays. */
static outcome skip_row(input *in) {
  uint64_t offset = moon_csv_tell(in->csv).offset;
  if (in->skipped && offset == in->bad_offset) return fail(in, "%s", csv_error(in));
  say("%s; the row is skipped", csv_error(in));
  in->bad_offset = offset;
  in->done++;
  in->skipped++;
  return CLOSED;
}

/* Rows of the stream; none: its end. CLOSED: a row was skipped. */
static outcome read_stream(input *in, block *b) {
  moon_tensor *x = NULL;
  b->rows = 0;
  if (moon_tensor_wrap(in->ctx, &x, MOON_FLOAT32, 2, (size_t[]){b->room, in->width}, b->cells, NULL, NULL) != MOON_OK)
    return fail(in, "%s", moon_error(in->ctx));
  moon_csv_set_lines(in->csv, b->places);
  moon_status status = moon_csv_read(in->csv, x, NULL, &b->rows);
  moon_tensor_release(x);
  if (status == MOON_OK) return GOING;
  return status == MOON_EFORMAT && in->o->skip ? skip_row(in) : fail(in, "%s", csv_error(in));
}

static outcome read_csv(input *in, block *b) {
  for (;;) {
    outcome result = read_stream(in, b);
    if (result == FAILED || b->rows > 0) return result;
    if (result == CLOSED) continue; /* a row was skipped */
    if (!in->follower) return FINISHED;
    if (follow_on(in) != GOING) return FAILED;
  }
}

/* ---- numbers as bytes ---- */

static outcome open_bytes(input *in) {
  in->fd = in->o->rows ? open(in->o->rows, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  in->rest = malloc(in->width * sizeof(float));
  if (in->fd < 0) return fail(in, "cannot read '%s': %s", in->o->rows, strerror(errno));
  return in->rest ? GOING : fail(in, "out of memory");
}

/* What is at hand, at least a row, at most a block. */
static outcome read_bytes(input *in, block *b) {
  size_t row = in->width * (b->dtype == MOON_UINT8 ? 1 : sizeof(float)), got = in->rest_size;
  memcpy(b->cells, in->rest, got);
  while (got < row) {
    ssize_t n = read(in->fd, (char *)b->cells + got, b->room * row - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(in, "cannot read the rows of %s: %s", name_of(in), strerror(errno));
    if (n == 0 && got)
      return fail(in, "row %zu of %s ends after %zu bytes, expected %zu, as the detector has %zu columns", in->done + 1,
                  name_of(in), got, row, in->width);
    if (n == 0) return FINISHED;
    got += (size_t)n;
  }
  b->rows = got / row;
  in->rest_size = got % row;
  memcpy(in->rest, (char *)b->cells + b->rows * row, in->rest_size);
  return GOING;
}

/* ---- IDX ---- */

static outcome open_idx(input *in) {
  if (moon_idx_load(in->ctx, &in->images, in->o->rows) != MOON_OK) return fail(in, "%s", moon_error(in->ctx));
  size_t n = moon_tensor_rank(in->images) ? moon_tensor_shape(in->images)[0] : 0;
  if (n && moon_tensor_numel(in->images) / n != in->width)
    return fail(in, "%s: a row has %zu numbers, expected %zu, as the detector has columns", in->o->rows,
                moon_tensor_numel(in->images) / n, in->width);
  return GOING;
}

/* The rows stay where they are. */
static outcome read_idx(input *in, block *b) {
  size_t n = moon_tensor_rank(in->images) ? moon_tensor_shape(in->images)[0] : 0, left = n - in->done;
  b->dtype = moon_tensor_dtype(in->images);
  b->rows = left < b->room ? left : b->room;
  size_t size = in->width * (b->dtype == MOON_UINT8 ? 1 : sizeof(float));
  b->cells = (char *)moon_tensor_data(in->images) + in->done * size;
  return b->rows ? GOING : FINISHED;
}

/* ---- all of them ---- */

outcome input_open(input *in) {
  outcome result = GOING;
  if (!in->o->rows && isatty(STDIN_FILENO)) say("the rows are read from the terminal; Ctrl-D ends them");
  if (in->o->follow && follow_open(&in->follower, in->o->rows) != GOING) return FAILED;
  if (in->o->format == FORMAT_CSV)
    result = open_csv(in);
  else
    result = in->o->format == FORMAT_IDX ? open_idx(in) : open_bytes(in);
  return result == GOING ? GOING : say_failure("%s", in->failure);
}

outcome input_read(input *in, block *b) {
  outcome result;
  b->dtype = in->o->format == FORMAT_U8 ? MOON_UINT8 : MOON_FLOAT32;
  if (in->o->format == FORMAT_CSV)
    result = read_csv(in, b);
  else
    result = in->o->format == FORMAT_IDX ? read_idx(in, b) : read_bytes(in, b);
  if (result != GOING) return result;
  for (size_t i = 0; i < b->rows && in->o->format != FORMAT_CSV; i++) b->places[i] = in->done + i + 1;
  in->done += b->rows;
  return GOING;
}

void input_close(input *in) {
  moon_csv_close(in->csv);
  moon_tensor_release(in->images);
  free(in->rest);
}
