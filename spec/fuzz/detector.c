/* detector.c - fuzz target: the text of a detector, in an archive with one net of three columns, or with two if the
** first byte is a 2. A detector that loads judges rows, whatever is in them, and is the same after going into an
** archive and back. */
#include <math.h>

#include "fuzz.h"

enum { WIDTH = 3, ROWS = 5 };

static const float rows[ROWS][WIDTH] = {
    {0, 1, 2}, {NAN, 1, -1}, {NAN, NAN, NAN}, {INFINITY, 0, -INFINITY}, {3e38f, -3e38f, 1e-40f}};

static moon_net *new_net(moon_ctx *ctx) {
  moon_layer *layer = NULL;
  moon_net *net = NULL;
  const moon_option options[] = {{.name = "in", .kind = MOON_COUNT, .number = WIDTH},
                                 {.name = "out", .kind = MOON_COUNT, .number = WIDTH}};
  EXPECT(moon_layer_new(ctx, &layer, "dense", options, 2) == MOON_OK);
  EXPECT(moon_net_new(ctx, &net, &layer, 1) == MOON_OK);
  moon_layer_release(layer);
  return net;
}

/* An archive of a detector with so many nets. */
static moon_archive *new_archive(moon_ctx *ctx, size_t nets) {
  moon_archive *a = NULL;
  moon_detector *d = NULL;
  moon_net *list[2] = {new_net(ctx), new_net(ctx)};
  moon_detector_config config = {.size = sizeof config, .nets = list, .net_count = nets};
  EXPECT(moon_archive_new(ctx, &a) == MOON_OK);
  EXPECT(moon_detector_new(ctx, &d, &config) == MOON_OK);
  EXPECT(moon_detector_to_archive(d, a) == MOON_OK);
  moon_detector_release(d);
  for (size_t i = 0; i < 2; i++) moon_net_release(list[i]);
  return a;
}

static bool may_judge(moon_status status) {
  return status == MOON_OK || status == MOON_ERANGE || status == MOON_ESTATE || status == MOON_ENOMEM;
}

/* The rows' scores, and all else that can be asked. */
static moon_status judge(moon_ctx *ctx, moon_detector *d, moon_tensor *scores) {
  moon_tensor *x = NULL, *features = NULL;
  moon_reason reasons[WIDTH];
  EXPECT(moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH}) == MOON_OK);
  EXPECT(moon_tensor_new(ctx, &features, MOON_FLOAT32, 2, (size_t[]){ROWS, WIDTH}) == MOON_OK);
  memcpy(moon_tensor_data(x), rows, sizeof rows);
  EXPECT(may_judge(moon_detector_alarms(d, scores, x)));
  EXPECT(may_judge(moon_detector_outside(d, scores, x)));
  EXPECT(may_judge(moon_detector_features(d, features, x, 2)));
  const moon_status status = moon_detector_score(d, scores, x, 1);
  EXPECT(may_judge(status));
  moon_tensor_release(x);
  EXPECT(moon_tensor_new(ctx, &x, MOON_FLOAT32, 1, (size_t[]){WIDTH}) == MOON_OK);
  for (size_t i = 0; i < ROWS; i++) {
    memcpy(moon_tensor_data(x), rows[i], sizeof rows[i]);
    EXPECT(may_judge(moon_detector_explain(d, reasons, WIDTH, x)));
  }
  moon_tensor_release(features);
  moon_tensor_release(x);
  return status;
}

static void round_trip(moon_ctx *ctx, moon_detector *d) {
  moon_archive *a = NULL, *b = NULL;
  moon_detector *again = NULL;
  moon_tensor *scores = NULL, *same = NULL;
  EXPECT(moon_archive_new(ctx, &a) == MOON_OK && moon_archive_new(ctx, &b) == MOON_OK);
  EXPECT(moon_detector_to_archive(d, a) == MOON_OK);
  EXPECT(moon_detector_from_archive(ctx, &again, a) == MOON_OK);
  EXPECT(moon_detector_to_archive(again, b) == MOON_OK);
  EXPECT(!strcmp(moon_archive_text(a, "moonglass.detector"), moon_archive_text(b, "moonglass.detector")));
  EXPECT(moon_tensor_new(ctx, &scores, MOON_FLOAT32, 1, (size_t[]){ROWS}) == MOON_OK);
  EXPECT(moon_tensor_new(ctx, &same, MOON_FLOAT32, 1, (size_t[]){ROWS}) == MOON_OK);
  const moon_status status = judge(ctx, d, scores);
  EXPECT(judge(ctx, again, same) == status);
  EXPECT(status != MOON_OK || !memcmp(moon_tensor_data(scores), moon_tensor_data(same), ROWS * sizeof(float)));
  moon_tensor_release(same);
  moon_tensor_release(scores);
  moon_detector_release(again);
  moon_archive_release(b);
  moon_archive_release(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  moon_ctx *ctx = fuzz_ctx();
  moon_archive *a = new_archive(ctx, *data == '2' ? 2 : 1);
  moon_detector *d = NULL;
  char *text = malloc(size);
  EXPECT(text);
  memcpy(text, data + 1, size - 1);
  text[size - 1] = 0;
  moon_archive_set(a, "moonglass.detector", text); /* text that is not UTF-8 is refused */
  moon_status status = moon_detector_from_archive(ctx, &d, a);
  fuzz_loaded(ctx, status, d);
  if (d) round_trip(ctx, d);
  moon_detector_release(d);
  moon_archive_release(a);
  free(text);
  moon_ctx_release(ctx);
  return 0;
}
