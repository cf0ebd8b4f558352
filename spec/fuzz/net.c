/* net.c - fuzz target: an archive that may be a net. The first line is the architecture, the text of the entry
** "moonglass". Each further line is a tensor: its name and shape, as in "0.weight 2 3"; a name that begins with ! is a
** tensor of bytes. A net made from the archive runs, and is the same after going into an archive and back. */
#include "fuzz.h"

enum { NUMEL_MAX = 1 << 12 };

/* The next line as a text without its end; NULL after the last line. A zero byte ends it early. */
static char *next_line(char **rest) {
  char *line = *rest, *end;
  if (!line) return NULL;
  end = strchr(line, '\n');
  *rest = end ? end + 1 : NULL;
  if (end) *end = 0;
  return line;
}

static void add_tensor(moon_archive *a, moon_ctx *ctx, char *line) {
  size_t shape[MOON_MAX_RANK], numel = 1;
  int rank = 0;
  moon_dtype dtype = *line == '!' ? MOON_UINT8 : MOON_FLOAT32;
  char *name = line + (*line == '!'), *p = strchr(name, ' ');
  moon_tensor *t = NULL;
  if (p) *p++ = 0;
  for (char *end; p && rank < MOON_MAX_RANK; p = end) {
    unsigned long n = strtoul(p, &end, 10);
    if (end == p || n > NUMEL_MAX) break;
    shape[rank++] = n;
    numel *= n ? n : 1;
    if (numel > NUMEL_MAX) return;
  }
  if (moon_tensor_new(ctx, &t, dtype, rank, shape) != MOON_OK) return;
  for (size_t i = 0; i < moon_tensor_numel(t); i++) moon_tensor_set(t, i, (double)(i % 7) / 4 - 0.5);
  moon_archive_add(a, name, t);
  moon_tensor_release(t);
}

static void run(moon_ctx *ctx, moon_net *net) {
  moon_tensor *x = NULL, *y = NULL;
  size_t in = moon_net_inputs(net) ? moon_net_inputs(net) : 3;
  size_t out = moon_net_outputs(net) ? moon_net_outputs(net) : in;
  EXPECT(moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){2, in}) == MOON_OK);
  EXPECT(moon_tensor_new(ctx, &y, MOON_FLOAT32, 2, (size_t[]){2, out}) == MOON_OK);
  moon_tensor_fill(x, 0.5);
  moon_status status = moon_net_predict(net, y, x, 0);
  EXPECT(status == MOON_OK || status == MOON_ESHAPE || status == MOON_ENOMEM); /* k_sparse: k may exceed the width */
  status = moon_net_forward(net, y, x, true);
  EXPECT(status == MOON_OK || status == MOON_ESHAPE || status == MOON_ENOMEM);
  moon_tensor_release(x);
  moon_tensor_release(y);
}

static void expect_same(const moon_archive *a, const moon_archive *b) {
  const char *name;
  moon_tensor *t;
  for (size_t i = 0; moon_archive_tensor(a, i, &name, &t); i++) {
    const moon_tensor *u = moon_archive_find(b, name);
    EXPECT(u && moon_tensor_same_shape(t, u) &&
           !memcmp(moon_tensor_data(t), moon_tensor_data(u), moon_tensor_bytes(t)));
  }
  EXPECT(!strcmp(moon_archive_text(a, "moonglass"), moon_archive_text(b, "moonglass")));
}

static void round_trip(moon_ctx *ctx, const moon_net *net) {
  moon_archive *a = NULL, *b = NULL;
  moon_net *again = NULL;
  EXPECT(moon_archive_new(ctx, &a) == MOON_OK && moon_archive_new(ctx, &b) == MOON_OK);
  EXPECT(moon_net_to_archive(net, a) == MOON_OK);
  EXPECT(moon_net_from_archive(ctx, &again, a) == MOON_OK);
  EXPECT(moon_net_to_archive(again, b) == MOON_OK);
  expect_same(a, b);
  moon_net_release(again);
  moon_archive_release(a);
  moon_archive_release(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  moon_ctx *ctx = fuzz_ctx();
  moon_archive *a = NULL;
  moon_net *net = NULL;
  char *text = malloc(size + 1), *rest = text, *line;
  EXPECT(text && moon_archive_new(ctx, &a) == MOON_OK);
  memcpy(text, data, size);
  text[size] = 0;
  moon_archive_set(a, "moonglass", next_line(&rest)); /* text that is not UTF-8 is refused */
  while ((line = next_line(&rest)) != NULL) add_tensor(a, ctx, line);
  moon_status status = moon_net_from_archive(ctx, &net, a);
  fuzz_loaded(ctx, status, net);
  if (net) run(ctx, net);
  if (net) round_trip(ctx, net);
  moon_net_release(net);
  moon_archive_release(a);
  free(text);
  moon_ctx_release(ctx); /* BLIS's buffers for known shapes live until here */
  return 0;
}
