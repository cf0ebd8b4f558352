/* safetensors.c - fuzz target: the bytes are a safetensors file, unchanged and with the length of the header corrected.
** The same bytes in memory give the same archive, or none either. An archive that is read is the same after writing and
** reading it again. A net may be made from it. */
#include "header.h"

static char saved[64];

static void forget_saved(void) { unlink(saved); }

static const char *saved_path(void) {
  if (!*saved) {
    snprintf(saved, sizeof saved, "/tmp/moonglass-fuzz-%ld.safetensors", (long)getpid());
    atexit(forget_saved);
  }
  return saved;
}

static void expect_same(const moon_archive *a, const moon_archive *b) {
  const char *name, *text;
  moon_tensor *t;
  size_t n = 0;
  for (; moon_archive_tensor(a, n, &name, &t); n++) {
    const moon_tensor *u = moon_archive_find(b, name);
    EXPECT(u && moon_tensor_same_shape(t, u) && moon_tensor_dtype(t) == moon_tensor_dtype(u));
    EXPECT(!memcmp(moon_tensor_data(t), moon_tensor_data(u), moon_tensor_bytes(t)));
  }
  EXPECT(!moon_archive_tensor(b, n, NULL, NULL));
  for (n = 0; moon_archive_entry(a, n, &name, &text); n++)
    EXPECT(moon_archive_text(b, name) && !strcmp(moon_archive_text(b, name), text));
  EXPECT(!moon_archive_entry(b, n, NULL, NULL));
}

static void decode(moon_ctx *ctx, moon_status loaded, const moon_archive *a, const void *data, size_t size) {
  moon_archive *b = NULL;
  moon_status status = moon_archive_decode(ctx, &b, data, size);
  fuzz_loaded(ctx, status, b);
  EXPECT(status == loaded || status == MOON_ENOMEM); /* a is still held */
  if (a && b) expect_same(a, b);
  moon_archive_release(b);
}

static void round_trip(moon_ctx *ctx, const moon_archive *a) {
  moon_archive *again = NULL;
  moon_tensor *bytes = NULL;
  moon_status status = moon_archive_encode(a, &bytes);
  fuzz_loaded(ctx, status, bytes);
  if (bytes) decode(ctx, MOON_OK, a, moon_tensor_data(bytes), moon_tensor_bytes(bytes));
  moon_tensor_release(bytes);
  EXPECT(moon_archive_save(a, saved_path()) == MOON_OK);
  EXPECT(moon_archive_load(ctx, &again, saved_path()) == MOON_OK);
  expect_same(a, again);
  moon_archive_release(again);
}

static void load(const uint8_t *data, size_t size) {
  moon_ctx *ctx = fuzz_ctx();
  moon_archive *a = NULL;
  moon_net *net = NULL;
  moon_status status = moon_archive_load(ctx, &a, fuzz_file(data, size));
  fuzz_loaded(ctx, status, a);
  decode(ctx, status, a, data, size);
  if (a) {
    status = moon_net_from_archive(ctx, &net, a);
    fuzz_loaded(ctx, status, net);
    round_trip(ctx, a);
  }
  moon_net_release(net);
  moon_archive_release(a);
  fuzz_done(ctx, 64 << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  load(data, size);
  uint8_t *copy = with_right_length(data, size);
  if (copy) load(copy, size);
  free(copy);
  return 0;
}
