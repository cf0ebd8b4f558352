/* idx.c - IDX, the format of MNIST, plain or gzipped: two zero bytes, the element type, the number of dimensions, the
** dimensions as 32-bit numbers, the elements; all big-endian. What a header claims is compared with the size of the
** file before memory is taken. Bytes in a plain file are mapped, not copied. */
#include <string.h>
#include <zlib.h>

#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "map.h"
#include "widen.h"

enum {
  CHUNK = 1 << 16,      /* bytes read at a time */
  DEFLATE_RATIO = 1032, /* the most that deflate shrinks by: 258 bytes in 2 bits */
  HEADER_MAX = 4 + 4 * MOON_MAX_RANK
};

/* ---- bytes of the file, unpacked ---- */

typedef struct source {
  mooni_reader file;
  bool gzip, ended;
  z_stream z;
  uint8_t *input; /* [CHUNK] of packed bytes */
} source;

static void *take(void *ctx, unsigned count, unsigned size) {
  size_t bytes;
  return mooni_mul(&bytes, count, size) ? mooni_alloc(ctx, bytes) : NULL;
}

static void give_back(void *ctx, void *p) { mooni_free(ctx, p); }

static moon_status bad_format(moon_ctx *ctx, const char *text) { return mooni_fail(ctx, MOON_EFORMAT, "%s", text); }

static moon_status source_open(source *s, moon_ctx *ctx, const char *path) {
  uint8_t magic[2];
  memset(s, 0, sizeof *s);
  MOONI_TRY(mooni_reader_open(&s->file, ctx, path));
  if (s->file.size < sizeof magic) return MOON_OK;
  MOONI_TRY(mooni_reader_read(&s->file, magic, sizeof magic));
  s->file.at = 0;
  if (magic[0] != 0x1f || magic[1] != 0x8b) return MOON_OK;
  s->input = mooni_alloc(ctx, CHUNK);
  if (!s->input) return mooni_nomem(ctx, CHUNK);
  s->z.zalloc = take;
  s->z.zfree = give_back;
  s->z.opaque = ctx;
  if (inflateInit2(&s->z, 15 + 16) != Z_OK) return mooni_nomem(ctx, CHUNK); /* 16: a gzip header and its CRC */
  s->gzip = true;
  return MOON_OK;
}

static void source_close(source *s) {
  if (s->gzip) inflateEnd(&s->z);
  mooni_free(s->file.ctx, s->input);
  mooni_reader_close(&s->file);
}

static size_t file_left(const source *s) { return s->file.at < s->file.size ? s->file.size - s->file.at : 0; }

static moon_status refill(source *s) {
  size_t n = file_left(s) < CHUNK ? file_left(s) : CHUNK;
  MOONI_TRY(mooni_reader_read(&s->file, s->input, n));
  s->z.next_in = s->input;
  s->z.avail_in = (uInt)n;
  return MOON_OK;
}

/* Unpack up to n bytes of the gzip file, member after member; fewer only at its end. */
static moon_status inflate_some(source *s, uint8_t *out, size_t n, size_t *got) {
  moon_ctx *ctx = s->file.ctx;
  for (*got = 0; *got < n && !s->ended;) {
    if (!s->z.avail_in) MOONI_TRY(refill(s));
    bool last_input = !file_left(s);
    uInt room = n - *got < 1u << 30 ? (uInt)(n - *got) : 1u << 30;
    s->z.next_out = out + *got;
    s->z.avail_out = room;
    int rc = inflate(&s->z, Z_NO_FLUSH);
    *got += room - s->z.avail_out;
    if (rc == Z_MEM_ERROR) return mooni_nomem(ctx, CHUNK);
    if (rc == Z_BUF_ERROR && last_input) return bad_format(ctx, "truncated: the gzip data ends too soon");
    if (rc == Z_STREAM_END) {
      s->ended = last_input && !s->z.avail_in;
      if (!s->ended) inflateReset(&s->z);
    } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
      return mooni_fail(ctx, MOON_EFORMAT, "damaged gzip data: %s", s->z.msg ? s->z.msg : "unknown error");
    }
  }
  return MOON_OK;
}

static moon_status source_read(source *s, uint8_t *out, size_t n, size_t *got) {
  if (s->gzip) return inflate_some(s, out, n, got);
  *got = n < file_left(s) ? n : file_left(s);
  return mooni_reader_read(&s->file, out, *got);
}

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

static moon_status read_magic(source *s, header *h) {
  uint8_t magic[4];
  size_t got;
  moon_ctx *ctx = s->file.ctx;
  MOONI_TRY(source_read(s, magic, sizeof magic, &got));
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

static moon_status read_header(source *s, header *h) {
  uint8_t sizes[HEADER_MAX];
  size_t got, want;
  moon_ctx *ctx = s->file.ctx;
  MOONI_TRY(read_magic(s, h));
  want = 4 * (size_t)h->rank;
  MOONI_TRY(source_read(s, sizes, want, &got));
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

static moon_status check_promise(const source *s, const header *h) {
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

static moon_status read_bytes(source *s, const header *h, uint8_t *y) {
  size_t got;
  MOONI_TRY(source_read(s, y, h->promised, &got));
  return got == h->promised ? MOON_OK : truncated(s->file.ctx, h->promised, got);
}

static moon_status read_wide(source *s, const header *h, float *y, uint8_t *chunk) {
  for (size_t done = 0, got; done < h->promised; done += got) {
    size_t want = h->promised - done < CHUNK ? h->promised - done : CHUNK;
    MOONI_TRY(source_read(s, chunk, want, &got));
    if (got < want) return truncated(s->file.ctx, h->promised, done + got);
    mooni_swap_bytes(chunk, got / h->type->size, h->type->size);
    h->type->widen(y, chunk, got / h->type->size);
    y += got / h->type->size;
  }
  return MOON_OK;
}

static moon_status read_elements(source *s, const header *h, moon_tensor *t) {
  moon_ctx *ctx = s->file.ctx;
  if (h->type->dtype == MOON_UINT8) return read_bytes(s, h, moon_tensor_byte(t));
  uint8_t *chunk = mooni_alloc(ctx, CHUNK);
  if (!chunk) return mooni_nomem(ctx, CHUNK);
  moon_status status = read_wide(s, h, moon_tensor_float(t), chunk);
  mooni_free(ctx, chunk);
  return status;
}

/* Nothing may follow. In a gzip file this also checks the checksum. */
static moon_status expect_end(source *s, const header *h) {
  uint8_t extra;
  size_t got;
  MOONI_TRY(source_read(s, &extra, 1, &got));
  if (!got) return MOON_OK;
  return mooni_fail(s->file.ctx, MOON_EFORMAT, "trailing bytes: header promises %zu bytes of data, the file holds more",
                    h->promised);
}

/* *out is NULL, with MOON_OK, for a file that is to be read instead. */
static moon_status map(source *s, const header *h, moon_tensor **out) {
  *out = NULL;
  if (s->gzip || h->type->dtype != MOON_UINT8 || s->file.size < MOONI_MAP_FROM) return MOON_OK;
  return mooni_map_tensor(&s->file, out, MOON_UINT8, h->bytes, h->rank, h->shape);
}

static moon_status load(source *s, moon_tensor **out) {
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
  source s;
  moon_status status = source_open(&s, ctx, path);
  if (status == MOON_OK) status = load(&s, out);
  source_close(&s);
  return mooni_in_file(ctx, status, path);
}
