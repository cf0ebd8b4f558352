/* idx.c - IDX, the format of MNIST, plain or gzipped: two zero bytes, the element type, the number of dimensions, the
** dimensions as 32-bit numbers, the elements; all big-endian. What a header claims is compared with the size of the
** file before memory is taken. Bytes in a plain file are mapped, not copied. */
#include <string.h>

#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "gunzip.h"
#include "map.h"
#include "widen.h"

enum {
  CHUNK = 1 << 16,      /* bytes read at a time */
  DEFLATE_RATIO = 1032, /* the most that deflate shrinks by: 258 bytes in 2 bits */
  HEADER_MAX = 4 + 4 * MOON_MAX_RANK
};

/* ---- the header ---- */

typedef struct element {
  uint8_t code;
  size_t size;
  moon_dtype dtype;
  mooni_widen *widen; /* NULL: bytes stay bytes */
} element;

static uint32_t big32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static const element elements[] = {
    {0x08, 1, MOON_UINT8, NULL},
    {0x09, 1, MOON_FLOAT32, mooni_widen_i8},
    {0x0B, 2, MOON_FLOAT32, mooni_widen_i16},
    {0x0C, 4, MOON_FLOAT32, mooni_widen_i32},
    {0x0D, 4, MOON_FLOAT32, mooni_widen_f32},
    {0x0E, 8, MOON_FLOAT32, mooni_widen_f64},
};

typedef struct header {
  const element *type;
  int rank;
  size_t shape[MOON_MAX_RANK];
  size_t bytes, promised; /* of the header; of the elements */
} header;

static const element *find_element(uint8_t code) {
  for (size_t i = 0; i < MOONI_COUNT(elements); i++)
    if (elements[i].code == code) return &elements[i];
  return NULL;
}

static moon_status too_short(moon_ctx *ctx, size_t got) {
  return mooni_fail(ctx, MOON_EFORMAT, "truncated: an IDX header takes 8 bytes or more, the file holds %zu", got);
}

static moon_status read_magic(mooni_input *s, header *h) {
  uint8_t magic[4];
  size_t got;
  moon_ctx *ctx = s->file.ctx;
  MOONI_TRY(mooni_input_read(s, magic, sizeof magic, &got));
  if (got < sizeof magic) return too_short(ctx, got);
  h->type = find_element(magic[2]);
  if (magic[0] || magic[1] || !h->type)
    return mooni_fail(ctx, MOON_EFORMAT,
                      "not an IDX file (magic 0x%08x, expected 0x0000TTNN: type TT 08, 09, 0b, 0c, 0d or 0e, "
                      "NN dimensions)",
                      (unsigned)big32(magic));
  if (magic[3] < 1 || magic[3] > MOON_MAX_RANK)
    return mooni_fail(ctx, MOON_EFORMAT, "an IDX file of %d dimensions, expected 1 to %d", magic[3], MOON_MAX_RANK);
  h->rank = magic[3];
  return MOON_OK;
}

static moon_status read_header(mooni_input *s, header *h) {
  uint8_t sizes[HEADER_MAX];
  size_t got, want;
  moon_ctx *ctx = s->file.ctx;
  MOONI_TRY(read_magic(s, h));
  want = 4 * (size_t)h->rank;
  MOONI_TRY(mooni_input_read(s, sizes, want, &got));
  if (got < want) return too_short(ctx, 4 + got);
  h->bytes = 4 + want;
  h->promised = h->type->size;
  bool fits = true;
  for (int i = 0; i < h->rank; i++) {
    h->shape[i] = big32(sizes + 4 * i);
    fits = fits && mooni_mul(&h->promised, h->promised, h->shape[i]);
  }
  if (fits) return MOON_OK;
  char text[MOONI_SHAPE_TEXT];
  return mooni_fail(ctx, MOON_EFORMAT, "the header's %s is more than memory can hold",
                    mooni_shape_text(text, h->rank, h->shape));
}

static moon_status truncated(moon_ctx *ctx, size_t promised, size_t holds) {
  return mooni_fail(ctx, MOON_EFORMAT, "truncated: header promises %zu bytes of data, the file holds %zu", promised,
                    holds);
}

static moon_status check_promise(const mooni_input *s, const header *h) {
  moon_ctx *ctx = s->file.ctx;
  if (s->gzip) {
    if (h->promised / DEFLATE_RATIO <= s->file.size) return MOON_OK;
    return mooni_fail(ctx, MOON_EFORMAT,
                      "header promises %zu bytes of data, more than the %zu bytes of this gzip file can unpack to",
                      h->promised, s->file.size);
  }
  size_t holds = s->file.size - h->bytes;
  if (holds < h->promised) return truncated(ctx, h->promised, holds);
  if (holds == h->promised) return MOON_OK;
  return mooni_fail(ctx, MOON_EFORMAT, "trailing bytes: header promises %zu bytes of data, the file holds %zu",
                    h->promised, holds);
}

/* ---- the elements ---- */

static moon_status read_bytes(mooni_input *s, const header *h, uint8_t *y) {
  size_t got;
  MOONI_TRY(mooni_input_read(s, y, h->promised, &got));
  return got == h->promised ? MOON_OK : truncated(s->file.ctx, h->promised, got);
}

static moon_status read_wide(mooni_input *s, const header *h, float *y, uint8_t *chunk) {
  for (size_t done = 0, got; done < h->promised; done += got) {
    size_t want = h->promised - done < CHUNK ? h->promised - done : CHUNK;
    MOONI_TRY(mooni_input_read(s, chunk, want, &got));
    if (got < want) return truncated(s->file.ctx, h->promised, done + got);
    mooni_swap_bytes(chunk, got / h->type->size, h->type->size);
    h->type->widen(y, chunk, got / h->type->size);
    y += got / h->type->size;
  }
  return MOON_OK;
}

static moon_status read_elements(mooni_input *s, const header *h, moon_tensor *t) {
  moon_ctx *ctx = s->file.ctx;
  if (h->type->dtype == MOON_UINT8) return read_bytes(s, h, moon_tensor_byte(t));
  uint8_t *chunk = mooni_alloc(ctx, CHUNK);
  if (!chunk) return mooni_nomem(ctx, CHUNK);
  moon_status status = read_wide(s, h, moon_tensor_float(t), chunk);
  mooni_free(ctx, chunk);
  return status;
}

/* Nothing may follow. In a gzip file this also checks the checksum. */
static moon_status expect_end(mooni_input *s, const header *h) {
  uint8_t extra;
  size_t got;
  MOONI_TRY(mooni_input_read(s, &extra, 1, &got));
  if (!got) return MOON_OK;
  return mooni_fail(s->file.ctx, MOON_EFORMAT, "trailing bytes: header promises %zu bytes of data, the file holds more",
                    h->promised);
}

/* *out is NULL, with MOON_OK, for a file that is to be read instead. */
static moon_status map(mooni_input *s, const header *h, moon_tensor **out) {
  *out = NULL;
  if (s->gzip || h->type->dtype != MOON_UINT8 || s->file.size < MOONI_MAP_FROM) return MOON_OK;
  return mooni_map_tensor(&s->file, out, MOON_UINT8, h->bytes, h->rank, h->shape);
}

static moon_status load(mooni_input *s, moon_tensor **out) {
  header h;
  moon_tensor *t;
  MOONI_TRY(read_header(s, &h));
  MOONI_TRY(check_promise(s, &h));
  moon_status status = map(s, &h, &t);
  if (status != MOON_OK) return status;
  if (t) {
    *out = t;
    return MOON_OK;
  }
  status = moon_tensor_new(s->file.ctx, &t, h.type->dtype, h.rank, h.shape);
  if (status != MOON_OK) return status == MOON_ESHAPE ? MOON_EFORMAT : status;
  status = read_elements(s, &h, t);
  if (status == MOON_OK) status = expect_end(s, &h);
  if (status != MOON_OK) {
    moon_tensor_release(t);
    return status;
  }
  *out = t;
  return MOON_OK;
}

moon_status moon_idx_load(moon_ctx *ctx, moon_tensor **out, const char *path) {
  MOONI_IEEE;
  mooni_input s;
  moon_status status = mooni_input_open(&s, ctx, path);
  if (status == MOON_OK) status = load(&s, out);
  mooni_input_close(&s);
  return mooni_in_file(ctx, status, path);
}
