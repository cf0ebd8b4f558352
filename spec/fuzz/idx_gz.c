/* idx_gz.c - fuzz target: a gzipped IDX file. Bytes that begin like gzip are the file. Others are compressed here, so
** that checksums do not hide the parser: the first byte tells at which sixteenth the rest is cut into two members. If
** it is 128 or more, the last checksum is wrong. */
#include <zlib.h>

#include "fuzz.h"

typedef struct packed {
  uint8_t *bytes;
  size_t size, room;
} packed;

static void add_member(packed *p, const uint8_t *data, size_t size) {
  z_stream z = {0};
  EXPECT(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  z.next_in = (Bytef *)(uintptr_t)data;
  z.avail_in = (uInt)size;
  z.next_out = p->bytes + p->size;
  z.avail_out = (uInt)(p->room - p->size);
  EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
  p->size = p->room - z.avail_out;
  deflateEnd(&z);
}

static packed pack(const uint8_t *data, size_t size) {
  packed p = {.room = 2 * size + 256};
  size_t cut = (size - 1) * (data[0] & 15) / 16;
  p.bytes = malloc(p.room);
  EXPECT(p.bytes);
  if (cut) add_member(&p, data + 1, cut);
  add_member(&p, data + 1 + cut, size - 1 - cut);
  if (data[0] & 128) p.bytes[p.size - 5] ^= 1;
  return p;
}

static bool load(const uint8_t *data, size_t size) {
  moon_ctx *ctx = fuzz_ctx();
  moon_tensor *t = NULL;
  moon_status status = moon_idx_load(ctx, &t, fuzz_file(data, size));
  fuzz_loaded(ctx, status, t);
  if (t) fuzz_touch(t);
  moon_tensor_release(t);
  fuzz_done(ctx, 4 * 1032 * size + (1 << 18));
  return status == MOON_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || (data[0] == 0x1f && data[1] == 0x8b)) {
    load(data, size);
    return 0;
  }
  packed p = pack(data, size);
  bool works = load(p.bytes, p.size);
  EXPECT(!works || !(data[0] & 128));
  free(p.bytes);
  return 0;
}
