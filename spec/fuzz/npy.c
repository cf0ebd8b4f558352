/* npy.c - fuzz target: the bytes are an NPY file, as they are and with a header length that fits: else few changes of
** the header would get past it. An array that is read is the same after writing and reading it again. */
#include "fuzz.h"

/* The length of the header becomes what its first '}' shows. */
static void repair(uint8_t *bytes, size_t size) {
  if (size < 12 || bytes[6] != 1) return;
  const uint8_t *end = memchr(bytes + 10, '}', size - 10);
  if (!end || end - bytes > 0xffff) return;
  size_t length = (size_t)(end - bytes) + 1 - 10;
  bytes[8] = (uint8_t)length;
  bytes[9] = (uint8_t)(length >> 8);
}

static void round_trip(const moon_tensor *t) {
  char path[64];
  moon_tensor *again = NULL;
  snprintf(path, sizeof path, "/tmp/moonglass-fuzz-%ld.npy", (long)getpid());
  moon_status status = moon_npy_save(t, path);
  if (status == MOON_OK) status = moon_npy_load(moon_tensor_ctx(t), &again, path);
  unlink(path);
  EXPECT(status == MOON_OK || status == MOON_ENOMEM);
  if (again)
    EXPECT(moon_tensor_same_shape(t, again) && moon_tensor_dtype(t) == moon_tensor_dtype(again) &&
           !memcmp(moon_tensor_data(t), moon_tensor_data(again), moon_tensor_bytes(t)));
  moon_tensor_release(again);
}

static void load(const uint8_t *data, size_t size) {
  moon_ctx *ctx = fuzz_ctx();
  moon_tensor *t = NULL;
  moon_status status = moon_npy_load(ctx, &t, fuzz_file(data, size));
  fuzz_loaded(ctx, status, t);
  if (t) fuzz_touch(t);
  if (t && size % 16 == 0) round_trip(t);
  moon_tensor_release(t);
  /* A byte becomes one float at most; beside it there are 2^16 elements that are being converted. */
  fuzz_done(ctx, 13 * size + (1 << 18));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  load(data, size);
  uint8_t *copy = malloc(size + 1);
  EXPECT(copy);
  if (size) memcpy(copy, data, size);
  repair(copy, size);
  if (size && memcmp(copy, data, size)) load(copy, size);
  free(copy);
  return 0;
}
