/* source.c - rows that are gathered or read when a batch needs them: those of a tensor, windows over a series, or what
** a function of the host reads. */
#include "source.h"

#include <stddef.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "dataset.h"

typedef struct mooni_row_reader {
  size_t refs;
  moon_source_config config;
} row_reader;

/* ---- making ---- */

static moon_source *make(moon_ctx *ctx, moon_tensor *base, const moon_tensor *rows, row_reader *reader, size_t first) {
  moon_source *s = mooni_alloc(ctx, sizeof *s);
  if (!s) return NULL;
  *s = (moon_source){.refs = 1,
                     .ctx = moon_ctx_retain(ctx),
                     .base = base ? moon_tensor_retain(base) : NULL,
                     .rows = *rows,
                     .reader = reader,
                     .first = first};
  return s;
}

static moon_status give(moon_ctx *ctx, moon_source **out, moon_source *s) {
  if (!s) return mooni_nomem(ctx, sizeof *s);
  *out = s;
  return MOON_OK;
}

moon_status moon_source_tensor(moon_source **out, moon_tensor *t) {
  moon_ctx *ctx = t->storage->ctx;
  char text[MOONI_SHAPE_TEXT];
  if (t->rank < 1 || t->rank > 2 || !t->numel)
    return mooni_fail(ctx, MOON_ESHAPE, "source: the tensor is %s, expected [rows x width] or [rows]",
                      mooni_tensor_text(text, t));
  return give(ctx, out, make(ctx, t, t, NULL, 0));
}

moon_status moon_source_windows(moon_source **out, moon_tensor *t, size_t n, size_t step) {
  moon_ctx *ctx = t->storage->ctx;
  char text[MOONI_SHAPE_TEXT];
  if (t->rank < 1 || t->rank > 2 || !t->numel)
    return mooni_fail(ctx, MOON_ESHAPE, "windows: the series is %s, expected [times x width] or [times]",
                      mooni_tensor_text(text, t));
  if (!n || n > t->shape[0])
    return mooni_fail(ctx, MOON_ERANGE, "windows: %zu times in a window, expected 1 to %zu: the series is %s", n,
                      t->shape[0], mooni_tensor_text(text, t));
  if (!step) return mooni_fail(ctx, MOON_ERANGE, "windows: the step is 0, expected at least 1");
  size_t width = mooni_width(t);
  moon_tensor rows = *t;
  if (step > t->shape[0]) step = t->shape[0]; /* there is one window */
  rows.rank = 2;
  rows.shape[0] = (t->shape[0] - n) / step + 1;
  rows.shape[1] = n * width;
  rows.step = step * width;
  if (!mooni_mul(&rows.numel, rows.shape[0], rows.shape[1]))
    return mooni_fail(ctx, MOON_ESHAPE, "windows: more elements than can be counted");
  return give(ctx, out, make(ctx, t, &rows, NULL, 0));
}

/* ---- readers ---- */

/* A host that was compiled against a later header may have fields that we do not know: they must be zero. */
static moon_status check(moon_ctx *ctx, const moon_source_config *c) {
  const char *bytes = (const char *)c;
  size_t numel;
  if (c->size < offsetof(moon_source_config, ud) + sizeof c->ud)
    return mooni_fail(ctx, MOON_ERANGE, "source: size is %zu, expected sizeof(moon_source_config)", c->size);
  for (size_t i = sizeof *c; i < c->size; i++)
    if (bytes[i])
      return mooni_fail(ctx, MOON_ERANGE, "source: it has a field that version %s does not know", MOON_VERSION);
  if (!c->read) return mooni_fail(ctx, MOON_ERANGE, "source: read is NULL, expected a function");
  if (!c->rows || !c->width || c->rows > UINT32_MAX || !mooni_mul(&numel, c->rows, c->width))
    return mooni_fail(ctx, MOON_ERANGE,
                      "source: %zu rows of width %zu, expected at least 1 of each, and fewer than 2^32 rows", c->rows,
                      c->width);
  if (c->width > PTRDIFF_MAX / sizeof(float) / (c->block ? c->block : 1))
    return mooni_fail(ctx, MOON_ERANGE, "source: a block of %zu rows is more than memory can hold", c->block);
  return MOON_OK;
}

moon_status moon_source_new(moon_ctx *ctx, moon_source **out, const moon_source_config *config) {
  enum { BLOCK_BYTES = 2 << 20 };
  MOONI_TRY(check(ctx, config));
  row_reader *reader = mooni_alloc(ctx, sizeof *reader);
  if (!reader) return mooni_nomem(ctx, sizeof *reader);
  *reader = (row_reader){.refs = 1};
  reader->config = *config; /* a longer one has zeros behind */
  size_t block = config->block ? config->block : BLOCK_BYTES / sizeof(float) / config->width;
  reader->config.block = block < 1 ? 1 : block > config->rows ? config->rows : block;
  moon_tensor rows = {.dtype = MOON_FLOAT32, .rank = 2, .shape = {config->rows, config->width}};
  rows.numel = config->rows * config->width;
  moon_source *s = make(ctx, NULL, &rows, reader, 0);
  if (!s) mooni_free(ctx, reader);
  return give(ctx, out, s);
}

size_t mooni_source_block(const moon_source *s) { return s->reader ? s->reader->config.block : 0; }

/* ---- parts, and the end ---- */

moon_status moon_source_part(moon_source **out, const moon_source *s, size_t first, size_t count) {
  moon_tensor rows = s->rows;
  if (!count || first >= rows.shape[0] || count > rows.shape[0] - first)
    return mooni_fail(s->ctx, MOON_ERANGE, "source: rows %zu to %zu, but it has %zu", first + 1, first + count,
                      rows.shape[0]);
  if (s->base) rows.offset += first * mooni_row_step(&rows) * mooni_element_size(rows.dtype);
  rows.shape[0] = count;
  rows.numel = count * mooni_width(&rows);
  moon_source *part = make(s->ctx, s->base, &rows, s->reader, s->first + first);
  if (part && part->reader) part->reader->refs++;
  return give(s->ctx, out, part);
}

moon_source *moon_source_retain(moon_source *s) {
  s->refs++;
  return s;
}

void moon_source_release(moon_source *s) {
  if (!s || --s->refs) return;
  moon_ctx *ctx = s->ctx;
  row_reader *reader = s->reader;
  moon_tensor_release(s->base);
  mooni_free(ctx, s);
  if (reader && !--reader->refs) {
    if (reader->config.release) reader->config.release(reader->config.ud);
    mooni_free(ctx, reader);
  }
  moon_ctx_release(ctx);
}

size_t moon_source_rows(const moon_source *s) { return s->rows.shape[0]; }
size_t moon_source_width(const moon_source *s) { return mooni_width(&s->rows); }

/* ---- reading ---- */

/* Rows first..first+n-1, which are in one block. The message is the reader's if it has made one. */
static moon_status read_piece(const moon_source *s, moon_tensor *to, size_t at, size_t first, size_t n) {
  moon_ctx *ctx = s->ctx;
  const moon_source_config *c = &s->reader->config;
  moon_tensor *rows;
  MOONI_TRY(mooni_interrupted(ctx));
  MOONI_TRY(moon_tensor_view(&rows, to, at * c->width, 2, (size_t[]){n, c->width}));
  size_t before = ctx->failures, row = s->first + first;
  ctx->reading++;
  moon_status status = c->read(c->ud, rows, row);
  ctx->reading--;
  moon_tensor_release(rows);
  if (status == MOON_OK) return MOON_OK;
  if (ctx->failures == before) mooni_fail(ctx, status, "the source's reader failed (%s)", moon_status_name(status));
  return mooni_prepend(ctx, status, "rows %zu to %zu: ", row + 1, row + n);
}

moon_status mooni_source_fetch(const moon_source *s, moon_tensor *to, size_t at, size_t first, size_t count) {
  size_t block = mooni_source_block(s);
  for (size_t done = 0, n; done < count; done += n) {
    n = block - (s->first + first + done) % block;
    if (n > count - done) n = count - done;
    MOONI_TRY(read_piece(s, to, at + done, first + done, n));
  }
  return MOON_OK;
}

moon_status moon_source_read(moon_source *s, moon_tensor *rows, size_t first) {
  MOONI_IEEE;
  char text[MOONI_SHAPE_TEXT];
  size_t width = moon_source_width(s), all = moon_source_rows(s);
  if (rows->rank != s->rows.rank || rows->dtype != MOON_FLOAT32 || mooni_width(rows) != width)
    return mooni_fail(s->ctx, MOON_ESHAPE, "source: rows is %s, expected [rows x %zu] float32",
                      mooni_tensor_text(text, rows), width);
  size_t count = rows->shape[0];
  if (first > all || count > all - first)
    return mooni_fail(s->ctx, MOON_ERANGE, "source: rows %zu to %zu, but it has %zu", first + 1, first + count, all);
  MOONI_TRY(mooni_want_writable(rows, "source"));
  if (!s->base) {
    moon_status status = mooni_source_fetch(s, rows, 0, first, count);
    return status == MOON_OK ? status : mooni_prepend(s->ctx, status, "source: ");
  }
  MOONI_TRY(mooni_interrupted(s->ctx));
  mooni_gather(s->ctx, mooni_columns_of(moon_tensor_float(rows), count, width, false, 0, 1), &s->rows, NULL, first,
               count, 255);
  return MOON_OK;
}
