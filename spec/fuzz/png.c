/* png.c - fuzz target: the bytes are a PNG, unchanged and with its checksums corrected; without that, few changes would
** get past the first checksum. A picture that is read is the same after writing and reading it again. */
#include <zlib.h>

#include "fuzz.h"

static uint32_t big32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void repair(uint8_t *bytes, size_t size) {
  for (size_t at = 8; size >= 12 && at <= size - 12;) {
    uint32_t length = big32(bytes + at);
    if (length > size - 12 - at) return;
    uint32_t crc = (uint32_t)crc32(0, bytes + at + 4, 4 + length);
    for (int i = 0; i < 4; i++) bytes[at + 8 + length + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    at += 12 + (size_t)length;
  }
}

static void round_trip(moon_tensor *t) {
  moon_tensor *code = NULL, *again = NULL;
  if (moon_png_encode(t, &code) == MOON_OK) {
    moon_status status = moon_png_decode(moon_tensor_ctx(t), &again, moon_tensor_data(code), moon_tensor_bytes(code));
    EXPECT(status == MOON_OK || status == MOON_ENOMEM);
    if (again)
      EXPECT(moon_tensor_same_shape(t, again) &&
             !memcmp(moon_tensor_data(t), moon_tensor_data(again), moon_tensor_bytes(t)));
  }
  moon_tensor_release(code);
  moon_tensor_release(again);
}

/* At other sizes, in grey and in colours; every byte is written. */
static void resize(moon_ctx *ctx, const moon_tensor *t) {
  moon_tensor *grey = NULL, *colours = NULL;
  if (moon_tensor_numel(t) > 1 << 20) return;
  EXPECT(moon_tensor_new(ctx, &grey, MOON_UINT8, 2, (size_t[]){5, 7}) == MOON_OK);
  EXPECT(moon_tensor_new(ctx, &colours, MOON_UINT8, 3, (size_t[]){40, 3, 3}) == MOON_OK);
  moon_status status = moon_picture_resize(grey, t, true);
  EXPECT(status == MOON_OK || status == MOON_ENOMEM);
  status = moon_picture_resize(colours, t, false);
  EXPECT(status == MOON_OK || status == MOON_ENOMEM);
  fuzz_touch(grey);
  fuzz_touch(colours);
  moon_tensor_release(grey);
  moon_tensor_release(colours);
}

static void decode(const uint8_t *data, size_t size) {
  moon_ctx *ctx = fuzz_ctx();
  moon_tensor *t = NULL;
  moon_status status = moon_png_decode(ctx, &t, data, size);
  fuzz_loaded(ctx, status, t);
  if (t) round_trip(t);
  if (t) resize(ctx, t);
  moon_tensor_release(t);
  fuzz_done(ctx, 64 << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  decode(data, size);
  uint8_t *copy = malloc(size + 1);
  EXPECT(copy);
  memcpy(copy, data, size);
  repair(copy, size);
  decode(copy, size);
  free(copy);
  moon_ctx *ctx = fuzz_ctx();
  moon_tensor *t = NULL;
  const char *kind = NULL, *path = fuzz_file(data, size);
  moon_status status = moon_png_read(ctx, &t, path);
  fuzz_loaded(ctx, status, t);
  EXPECT(moon_picture_kind(ctx, &kind, path) == MOON_OK && (!t || !strcmp(kind, "PNG")));
  moon_tensor_release(t);
  fuzz_done(ctx, 64 << 20);
  return 0;
}
