/* idx.c - fuzz target: the bytes are an IDX file, plain or gzipped. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  moon_ctx *ctx = fuzz_ctx();
  moon_tensor *t = NULL;
  bool gzip = size > 1 && data[0] == 0x1f && data[1] == 0x8b;
  moon_status status = moon_idx_load(ctx, &t, fuzz_file(data, size));
  fuzz_loaded(ctx, status, t);
  if (t) fuzz_touch(t);
  moon_tensor_release(t);
  /* A byte of the file becomes one float at most. deflate compresses 1032 bytes to one at best. */
  fuzz_done(ctx, (gzip ? 1032 : 1) * 4 * size + (1 << 18));
  return 0;
}
