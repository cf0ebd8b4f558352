/* gunzip.c - the bytes of a file or of the standard input, unpacked if they are gzipped. */
#include "gunzip.h"

#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"

enum { CHUNK = 1 << 16 }; /* packed bytes read at a time */

static void *take(void *ctx, unsigned count, unsigned size) {
  size_t bytes;
  return mooni_mul(&bytes, count, size) ? mooni_alloc(ctx, bytes) : NULL;
}

static void give_back(void *ctx, void *p) { mooni_free(ctx, p); }

static moon_status bad_format(moon_ctx *ctx, const char *text) { return mooni_fail(ctx, MOON_EFORMAT, "%s", text); }

/* ---- bytes as they are ---- */

static bool is_stream(const mooni_input *in) { return !in->file.path; }

/* The first two bytes, which tell gzip files. Those of a file are read again. */
static moon_status read_start(mooni_input *in) {
  for (size_t got = 1; in->held < sizeof in->start && got; in->held += got)
    MOONI_TRY(mooni_reader_some(&in->file, in->start + in->held, sizeof in->start - in->held, &got));
  in->gzip = in->held == 2 && in->start[0] == 0x1f && in->start[1] == 0x8b;
  if (is_stream(in)) return MOON_OK;
  in->held = 0;
  in->file.at = 0;
  return MOON_OK;
}

static moon_status raw(mooni_input *in, void *out, size_t n, size_t *got) {
  if (!in->held) return mooni_reader_some(&in->file, out, n, got);
  *got = n < in->held ? n : in->held;
  memcpy(out, in->start, *got);
  in->held -= *got;
  memmove(in->start, in->start + *got, in->held);
  return MOON_OK;
}

/* ---- unpacking ---- */

static moon_status refill(mooni_input *in) {
  size_t n;
  MOONI_TRY(raw(in, in->packed, CHUNK, &n));
  in->z.next_in = in->packed;
  in->z.avail_in = (uInt)n;
  in->over = n == 0;
  return MOON_OK;
}

/* Unpack some bytes, of one member. */
static moon_status inflate_part(mooni_input *in, uint8_t *out, uInt n, size_t *got) {
  moon_ctx *ctx = in->file.ctx;
  in->z.next_out = out;
  in->z.avail_out = n;
  in->between = false;
  int rc = inflate(&in->z, Z_NO_FLUSH);
  *got = n - in->z.avail_out;
  if (rc == Z_MEM_ERROR) return mooni_nomem(ctx, CHUNK);
  if (rc == Z_BUF_ERROR && in->over) return bad_format(ctx, "truncated: the gzip data ends too soon");
  if (rc == Z_STREAM_END) {
    inflateReset(&in->z);
    in->between = true;
  } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
    return mooni_fail(ctx, MOON_EFORMAT, "damaged gzip data: %s", in->z.msg ? in->z.msg : "unknown error");
  }
  return MOON_OK;
}

/* Unpack up to n bytes of the gzip file, member after member; 0 only at its end. */
static moon_status inflate_some(mooni_input *in, uint8_t *out, size_t n, size_t *got) {
  for (*got = 0; n && !*got;) {
    if (!in->z.avail_in) MOONI_TRY(refill(in));
    if (in->over && in->between) return MOON_OK;
    MOONI_TRY(inflate_part(in, out, n < 1u << 30 ? (uInt)n : 1u << 30, got));
  }
  return MOON_OK;
}

static moon_status start_gzip(mooni_input *in) {
  moon_ctx *ctx = in->file.ctx;
  uint8_t *packed = mooni_alloc(ctx, CHUNK);
  if (!packed) return mooni_nomem(ctx, CHUNK);
  in->z = (z_stream){.zalloc = take, .zfree = give_back, .opaque = ctx};
  if (inflateInit2(&in->z, 15 + 16) != Z_OK) { /* 16: a gzip header and its CRC */
    mooni_free(ctx, packed);
    return mooni_nomem(ctx, CHUNK);
  }
  in->packed = packed;
  in->between = true;
  return MOON_OK;
}

/* ---- the whole ---- */

static moon_status start(mooni_input *in) {
  MOONI_TRY(read_start(in));
  return in->gzip ? start_gzip(in) : MOON_OK;
}

moon_status mooni_input_open(mooni_input *in, moon_ctx *ctx, const char *path) {
  memset(in, 0, sizeof *in);
  MOONI_TRY(mooni_reader_open(&in->file, ctx, path));
  return start(in);
}

moon_status mooni_input_stdin(mooni_input *in, moon_ctx *ctx) {
  memset(in, 0, sizeof *in);
  MOONI_TRY(mooni_reader_stdin(&in->file, ctx));
  return start(in);
}

void mooni_input_close(mooni_input *in) {
  if (in->packed) inflateEnd(&in->z);
  mooni_free(in->file.ctx, in->packed);
  in->packed = NULL;
  mooni_reader_close(&in->file);
}

moon_status mooni_input_some(mooni_input *in, void *out, size_t n, size_t *got) {
  return in->gzip ? inflate_some(in, out, n, got) : raw(in, out, n, got);
}

moon_status mooni_input_read(mooni_input *in, void *out, size_t n, size_t *got) {
  size_t part = 1;
  for (*got = 0; *got < n && part; *got += part)
    MOONI_TRY(mooni_input_some(in, (uint8_t *)out + *got, n - *got, &part));
  return MOON_OK;
}

bool mooni_input_at_hand(const mooni_input *in) {
  return !is_stream(in) || in->held || in->z.avail_in || mooni_reader_at_hand(&in->file);
}

void mooni_input_rewind(mooni_input *in) {
  in->file.at = 0;
  in->over = false;
  in->between = true;
  in->z.avail_in = 0;
  if (in->gzip) inflateReset(&in->z);
}
