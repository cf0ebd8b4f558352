/* csv_buffer.c - the part of a CSV file that is in memory. It is as long as the longest line needs, no longer. */
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"
#include "csv.h"

static moon_status grow(moon_csv *csv) {
  const size_t room = csv->room ? 2 * csv->room : MOONI_CSV_CHUNK;
  if (room > MOONI_CSV_LONGEST)
    return mooni_csv_bad_line(csv, csv->line,
                              "it is longer than %d MB, or a quote in it is not closed; expected lines of cells",
                              MOONI_CSV_LONGEST >> 20);
  char *buffer = mooni_alloc(csv->ctx, room + 1);
  if (!buffer) return mooni_nomem(csv->ctx, room + 1);
  if (csv->end) memcpy(buffer, csv->buffer, csv->end);
  mooni_free(csv->ctx, csv->buffer);
  csv->buffer = buffer;
  csv->room = room;
  return MOON_OK;
}

moon_status mooni_csv_fill(moon_csv *csv) {
  size_t got;
  MOONI_TRY(mooni_interrupted(csv->ctx));
  if (csv->begin) {
    memmove(csv->buffer, csv->buffer + csv->begin, csv->end - csv->begin);
    csv->offset += csv->begin;
    csv->end -= csv->begin;
    csv->begin = 0;
  }
  if (csv->end == csv->room) MOONI_TRY(grow(csv));
  csv->buffer[csv->end] = 0;
  MOONI_TRY(mooni_input_some(&csv->input, csv->buffer + csv->end, csv->room - csv->end, &got));
  csv->end += got;
  csv->buffer[csv->end] = 0;
  csv->idle = !got;
  csv->over = csv->idle && !csv->follow;
  return MOON_OK;
}

moon_status mooni_csv_go(moon_csv *csv, uint64_t offset, uint64_t line) {
  csv->line = line;
  csv->blank_line = 0;
  csv->broken = false;
  csv->over = csv->over && offset >= csv->offset;
  if (offset >= csv->offset && offset - csv->offset <= csv->end) {
    csv->begin = (size_t)(offset - csv->offset);
    return MOON_OK;
  }
  mooni_input_rewind(&csv->input);
  csv->begin = csv->end = 0;
  csv->over = false;
  csv->offset = csv->input.gzip ? 0 : offset;
  if (!csv->input.gzip) csv->input.file.at = (size_t)offset;
  while (csv->offset < offset && !csv->over) { /* what is packed has to be unpacked again */
    csv->begin = csv->end;
    MOONI_TRY(mooni_csv_fill(csv));
    if (csv->offset + csv->end >= offset) break;
  }
  csv->begin = csv->over ? csv->end : (size_t)(offset - csv->offset);
  return MOON_OK;
}
