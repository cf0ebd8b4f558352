/* detector_test.c - detectors from C: scores against plain loops, the same bits for any batch and any threads, missing
** and infinite cells, ranges, explanations, shares; files and their fields; out of memory at every allocation. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../../csrc/moonglass.h"
#include "check.h"
#include "folder.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { COLUMNS = 5, MANY = 700 };

#define FAILS(call, expected, part) CHECK((call) == (expected) && strstr(moon_error(ctx), part))

static const double offset[COLUMNS] = {10, -3, 0, 1e6, 0.5}, scale[COLUMNS] = {2, 0.5, 1, 1e3, 0.25};
static const double low[COLUMNS] = {5, -5, -2, 998e3, 0}, high[COLUMNS] = {15, -1, 2, 1002e3, 1};
static const double spread[COLUMNS] = {0.5, 1, 2, 0.25, 4};
static const char *const columns[COLUMNS] = {"heat", "flow", "color=red", "height \"m\"", "\xc3\xa4"};
static const char *const colors[] = {"red"};
static const moon_csv_category category = {"color", colors, 1};

/* ---- helpers ---- */

static moon_ctx *new_ctx(int threads) {
  moon_ctx *ctx = NULL;
  CHECK(moon_ctx_new(&ctx, &(moon_config){.threads = threads, .seed = 7}) == MOON_OK);
  return ctx;
}

static moon_layer *new_dense(moon_ctx *ctx, size_t in, size_t out, const char *activation) {
  moon_layer *layer = NULL;
  const moon_option options[] = {{.name = "in", .kind = MOON_COUNT, .number = (double)in},
                                 {.name = "out", .kind = MOON_COUNT, .number = (double)out},
                                 {.name = "activation", .kind = MOON_TEXT, .text = activation}};
  CHECK(moon_layer_new(ctx, &layer, "dense", options, COUNT(options)) == MOON_OK);
  return layer;
}

static bool same_bits(const moon_tensor *a, const moon_tensor *b) {
  return moon_tensor_same_shape(a, b) && memcmp(moon_tensor_data(a), moon_tensor_data(b), moon_tensor_bytes(a)) == 0;
}

static moon_net *new_net(moon_ctx *ctx, size_t width, size_t code) {
  moon_layer *layers[] = {new_dense(ctx, width, code, "tanh"), new_dense(ctx, code, width, "linear")};
  moon_net *net = NULL;
  CHECK(moon_net_new(ctx, &net, layers, 2) == MOON_OK && moon_net_set_encoder(net, 1) == MOON_OK);
  for (size_t i = 0; i < 2; i++) moon_layer_release(layers[i]);
  return net;
}

/* All fields; `nets` nets. */
static moon_detector *new_detector(moon_ctx *ctx, size_t nets, const char *score) {
  moon_net *made[3];
  moon_detector *d = NULL;
  for (size_t i = 0; i < nets; i++) made[i] = new_net(ctx, COLUMNS, 2 + i);
  moon_detector_config c = {.size = sizeof c, .nets = made, .net_count = nets, .score = score, .offset = offset};
  c.scale = scale;
  c.low = low;
  c.high = high;
  c.spread = spread;
  c.columns = columns;
  c.categories = &category;
  c.category_count = 1;
  CHECK(moon_detector_new(ctx, &d, &c) == MOON_OK);
  for (size_t i = 0; i < nets; i++) moon_net_release(made[i]);
  CHECK(moon_detector_set_threshold(d, 2.5) == MOON_OK && moon_detector_set_calibration(d, 0.99, 123, 2) == MOON_OK);
  CHECK(moon_detector_set_text(d, "note", "by hand") == MOON_OK);
  return d;
}

static moon_tensor *new_list(moon_ctx *ctx, size_t n) {
  moon_tensor *t = NULL;
  CHECK(moon_tensor_new(ctx, &t, MOON_FLOAT32, 1, &n) == MOON_OK);
  return t;
}

static moon_tensor *new_rows(moon_ctx *ctx, size_t n) {
  moon_tensor *t = NULL;
  CHECK(moon_tensor_new(ctx, &t, MOON_FLOAT32, 2, (size_t[]){n, COLUMNS}) == MOON_OK);
  return t;
}

/* Rows like the training data, with some cells missing. */
static moon_tensor *draw_rows(moon_ctx *ctx, size_t n) {
  moon_tensor *x = new_rows(ctx, n);
  CHECK(moon_tensor_normal(x, 0, 1) == MOON_OK);
  float *p = moon_tensor_float(x);
  for (size_t i = 0; i < n * COLUMNS; i++) p[i] = (float)(offset[i % COLUMNS] + scale[i % COLUMNS] * (double)p[i]);
  for (size_t i = 3; i < n * COLUMNS; i += 17) p[i] = NAN;
  return x;
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-5 * (1 + fabs(b)) || (isnan(a) && isnan(b)); }

/* ---- scores ---- */

/* The errors of row r, by moon_net_predict and a plain loop. */
static void plain_errors(const moon_detector *d, double e[COLUMNS], const moon_tensor *x, size_t r, bool scaled) {
  moon_detector_config c = {.size = sizeof c};
  moon_tensor *z = new_rows(moon_detector_ctx(d), 1), *y = new_rows(moon_detector_ctx(d), 1);
  moon_detector_describe(d, &c);
  for (size_t i = 0; i < COLUMNS; i++) e[i] = 0;
  for (size_t k = 0; k < c.net_count; k++) {
    for (size_t i = 0; i < COLUMNS; i++) {
      double v = (moon_tensor_get(x, r * COLUMNS + i) - offset[i]) / scale[i];
      moon_tensor_set(z, i, isfinite(v) ? v : 0);
    }
    CHECK(moon_net_predict(c.nets[k], y, z, 0) == MOON_OK);
    for (size_t i = 0; i < COLUMNS; i++) {
      double gap = moon_tensor_get(y, i) - moon_tensor_get(z, i);
      if (!isnan(moon_tensor_get(x, r * COLUMNS + i)))
        e[i] += gap * gap / (scaled ? spread[i] : 1) / (double)c.net_count;
    }
  }
  moon_tensor_release(z);
  moon_tensor_release(y);
}

static double plain_score(const double e[COLUMNS], const moon_tensor *x, size_t r) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < COLUMNS; i++) sum += e[i];
  for (size_t i = 0; i < COLUMNS; i++) count += !isnan(moon_tensor_get(x, r * COLUMNS + i));
  return sum / count;
}

static void test_scores(size_t nets, const char *score) {
  moon_ctx *ctx = new_ctx(1);
  moon_detector *d = new_detector(ctx, nets, score);
  moon_tensor *x = draw_rows(ctx, 60), *scores = new_list(ctx, 60), *features = new_rows(ctx, 60);
  for (size_t i = 0; i < COLUMNS; i++) moon_tensor_set(x, 20 * COLUMNS + i, (double)NAN);
  CHECK(moon_detector_score(d, scores, x, 0) == MOON_OK && moon_detector_features(d, features, x, 0) == MOON_OK);
  for (size_t r = 0; r < 60; r++) {
    double e[COLUMNS], most = 0;
    plain_errors(d, e, x, r, strcmp(score, "scaled") == 0);
    for (size_t i = 0; i < COLUMNS; i++) CHECK(near(moon_tensor_get(features, r * COLUMNS + i), e[i]));
    for (size_t i = 0; i < COLUMNS; i++) most = e[i] > most ? e[i] : most;
    if (strcmp(score, "max") != 0) CHECK(near(moon_tensor_get(scores, r), plain_score(e, x, r)));
    if (strcmp(score, "max") == 0 && nets == 1 && r != 20) CHECK(near(moon_tensor_get(scores, r), most));
  }
  CHECK(isnan(moon_tensor_get(scores, 20)));
  moon_tensor_release(x);
  moon_tensor_release(scores);
  moon_tensor_release(features);
  moon_detector_release(d);
  moon_ctx_release(ctx);
}

static moon_tensor *score_all(moon_ctx *ctx, moon_detector *d, const moon_tensor *x, size_t batch) {
  moon_tensor *scores = new_list(ctx, moon_tensor_shape(x)[0]);
  CHECK(moon_detector_score(d, scores, x, batch) == MOON_OK);
  return scores;
}

/* One row after the other, in batches, with several threads: the same bits. */
static void test_bits(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_detector *d = new_detector(ctx, 2, "mean");
  moon_tensor *x = draw_rows(ctx, MANY), *all = score_all(ctx, d, x, 0), *row = NULL, *rest;
  for (size_t r = 0; r < MANY; r += 13) {
    CHECK(moon_tensor_view(&row, x, r * COLUMNS, 2, (size_t[]){1, COLUMNS}) == MOON_OK);
    rest = score_all(ctx, d, row, 0);
    CHECK(memcmp(moon_tensor_float(rest), moon_tensor_float(all) + r, sizeof(float)) == 0);
    moon_tensor_release(row);
    moon_tensor_release(rest);
  }
  const struct {
    int threads;
    size_t batch;
  } ways[] = {{1, 1}, {1, 7}, {2, 0}, {3, 50}, {8, 0}, {2, 128}, {4, 1000}};
  for (size_t i = 0; i < COUNT(ways); i++) {
    CHECK(moon_set_threads(ctx, ways[i].threads) == MOON_OK);
    rest = score_all(ctx, d, x, ways[i].batch);
    CHECK(same_bits(all, rest));
    moon_tensor_release(rest);
  }
  moon_tensor_release(x);
  moon_tensor_release(all);
  moon_detector_release(d);
  moon_ctx_release(ctx);
}

/* Bytes count as value / 255. */
static void test_bytes(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_detector *d = new_detector(ctx, 1, "mean");
  moon_tensor *bytes = NULL, *floats = new_rows(ctx, 3), *a, *b;
  CHECK(moon_tensor_new(ctx, &bytes, MOON_UINT8, 2, (size_t[]){3, COLUMNS}) == MOON_OK);
  for (size_t i = 0; i < 3 * COLUMNS; i++) {
    moon_tensor_set(bytes, i, (double)(17 * i));
    moon_tensor_float(floats)[i] = (float)(17 * i) / 255;
  }
  a = score_all(ctx, d, bytes, 0);
  b = score_all(ctx, d, floats, 0);
  CHECK(same_bits(a, b));
  moon_tensor *list[] = {bytes, floats, a, b};
  for (size_t i = 0; i < COUNT(list); i++) moon_tensor_release(list[i]);
  moon_detector_release(d);
  moon_ctx_release(ctx);
}

/* ---- what is far away ---- */

static void test_outside(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_detector *d = new_detector(ctx, 1, "mean");
  moon_tensor *x = draw_rows(ctx, 6), *counts = new_list(ctx, 6), *alarms = new_list(ctx, 6), *scores;
  for (size_t i = 0; i < 6 * COLUMNS; i++) moon_tensor_set(x, i, offset[i % COLUMNS]);
  moon_tensor_set(x, 1 * COLUMNS + 0, 45.5); /* high + 3 ranges is 45 */
  moon_tensor_set(x, 2 * COLUMNS + 0, 44.5);
  moon_tensor_set(x, 3 * COLUMNS + 1, (double)INFINITY);
  moon_tensor_set(x, 3 * COLUMNS + 2, -(double)INFINITY);
  moon_tensor_set(x, 4 * COLUMNS + 3, (double)FLT_MAX);
  for (size_t i = 0; i < COLUMNS; i++) moon_tensor_set(x, 5 * COLUMNS + i, (double)NAN);
  CHECK(moon_detector_outside(d, counts, x) == MOON_OK);
  const double expected[] = {0, 1, 0, 2, 1, 0};
  for (size_t i = 0; i < 6; i++) CHECK(moon_tensor_get(counts, i) == expected[i]);
  scores = score_all(ctx, d, x, 0);
  CHECK(moon_tensor_get(scores, 3) == (double)INFINITY && !isnan(moon_tensor_get(scores, 4)));
  CHECK(moon_detector_set_threshold(d, 1e9) == MOON_OK && moon_detector_alarms(d, alarms, x) == MOON_OK);
  const double alarm[] = {0, 1, 0, 1, 1, 1}; /* the last one: no cell at all */
  for (size_t i = 0; i < 6; i++) CHECK(moon_tensor_get(alarms, i) == alarm[i]);
  CHECK(moon_detector_set_range(d, NULL, NULL, 0) == MOON_OK && moon_detector_outside(d, counts, x) == MOON_OK);
  CHECK(moon_tensor_get(counts, 1) == 0 && moon_tensor_get(counts, 3) == 2 && moon_tensor_get(counts, 4) == 0);
  moon_tensor *list[] = {x, counts, alarms, scores};
  for (size_t i = 0; i < COUNT(list); i++) moon_tensor_release(list[i]);
  moon_detector_release(d);
  moon_ctx_release(ctx);
}

static void test_missing(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_net *net = new_net(ctx, COLUMNS, 2);
  moon_tensor *x = draw_rows(ctx, 2), *filled = draw_rows(ctx, 2), *a, *b;
  moon_detector_config c = {.size = sizeof c, .nets = &net, .net_count = 1, .offset = offset, .missing = "fill"};
  moon_detector *d = NULL, *refusing = NULL;
  CHECK(moon_detector_new(ctx, &d, &c) == MOON_OK);
  c.missing = "refuse";
  CHECK(moon_detector_new(ctx, &refusing, &c) == MOON_OK);
  for (size_t i = 0; i < 2 * COLUMNS; i++) moon_tensor_set(x, i, i == 6 ? (double)NAN : offset[i % COLUMNS] + 1);
  CHECK(moon_tensor_copy(filled, x) == MOON_OK);
  moon_tensor_set(filled, 6, offset[1]);
  a = score_all(ctx, d, x, 0);
  b = score_all(ctx, d, filled, 0);
  CHECK(same_bits(a, b));
  FAILS(moon_detector_score(refusing, a, x, 0), MOON_ERANGE, "row 2: column '2' is missing");
  CHECK(moon_detector_score(refusing, a, filled, 0) == MOON_OK && same_bits(a, b));
  moon_tensor *list[] = {x, filled, a, b};
  for (size_t i = 0; i < COUNT(list); i++) moon_tensor_release(list[i]);
  moon_detector_release(d);
  moon_detector_release(refusing);
  moon_net_release(net);
  moon_ctx_release(ctx);
}

/* ---- reasons ---- */

static void test_explain(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_detector *d = new_detector(ctx, 2, "scaled");
  moon_tensor *x = draw_rows(ctx, 1);
  moon_reason r[COLUMNS + 1];
  double e[COLUMNS], sum = 0, shares = 0;
  for (size_t i = 0; i < COLUMNS; i++) moon_tensor_set(x, i, offset[i] + 0.1 * scale[i] * (double)i);
  moon_tensor_set(x, 4, (double)NAN);
  CHECK(moon_detector_explain(d, r, COLUMNS, x) == MOON_OK);
  plain_errors(d, e, x, 0, true);
  for (size_t i = 0; i < COLUMNS; i++) sum += e[i];
  for (size_t i = 0; i < COLUMNS; i++) {
    CHECK(near(r[i].share, e[r[i].index] / sum) && !r[i].outside && strcmp(r[i].column, columns[r[i].index]) == 0);
    CHECK(i == 0 || r[i].share <= r[i - 1].share);
    CHECK(near(r[i].value, moon_tensor_get(x, r[i].index)));
    shares += r[i].share;
  }
  CHECK(near(shares, 1) && r[COLUMNS - 1].index == 4 && isnan(r[COLUMNS - 1].value) && isfinite(r[4].expected));
  moon_tensor_set(x, 2, 1e4);
  moon_tensor_set(x, 0, (double)INFINITY);
  CHECK(moon_detector_explain(d, r, 2, x) == MOON_OK && r[0].index == 0 && r[0].share == 1 && r[0].outside);
  CHECK(r[1].index == 2 && r[1].outside && r[1].share == 0);
  FAILS(moon_detector_explain(d, r, 0, x), MOON_ERANGE, "count is 0, expected 1 to 5");
  FAILS(moon_detector_explain(d, r, COLUMNS + 1, x), MOON_ERANGE, "count is 6");
  moon_tensor_release(x);
  moon_detector_release(d);
  moon_ctx_release(ctx);
}

/* What the nets expect, in the unit of the column: a net of zeros expects the offset. */
static void test_expected(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_net *net = new_net(ctx, COLUMNS, 2);
  moon_parameter p;
  for (size_t i = 0; i < 2; i++)
    for (size_t k = 0; moon_layer_parameter(moon_net_layer(net, i), k, &p); k++) moon_tensor_fill(p.value, 0);
  moon_detector_config c = {.size = sizeof c, .nets = &net, .net_count = 1, .offset = offset, .scale = scale};
  moon_detector *d = NULL;
  moon_tensor *x = draw_rows(ctx, 1);
  moon_reason r[COLUMNS];
  CHECK(moon_detector_new(ctx, &d, &c) == MOON_OK && moon_detector_explain(d, r, COLUMNS, x) == MOON_OK);
  for (size_t i = 0; i < COLUMNS; i++) CHECK(r[i].expected == offset[r[i].index]);
  CHECK(strcmp(moon_detector_column(d, 0), "1") == 0 && !moon_detector_column(d, COLUMNS));
  moon_tensor_release(x);
  moon_detector_release(d);
  moon_net_release(net);
  moon_ctx_release(ctx);
}

/* ---- misuse ---- */

#define REFUSED(change, status, part)                        \
  do {                                                       \
    moon_detector_config c = whole;                          \
    change;                                                  \
    FAILS(moon_detector_new(ctx, &d, &c), (status), (part)); \
    CHECK(!d);                                               \
  } while (0)

static void test_config(void) {
  moon_ctx *ctx = new_ctx(1), *elsewhere = new_ctx(1);
  moon_net *net = new_net(ctx, COLUMNS, 2), *other = new_net(ctx, 4, 2), *far = new_net(elsewhere, COLUMNS, 2);
  moon_net *pair[] = {net, other};
  const double nan_scale[COLUMNS] = {1, (double)NAN, 1, 1, 1}, zero[COLUMNS] = {0};
  const char *const twice[COLUMNS] = {"a", "b", "c", "d", "b"}, *const bad[COLUMNS] = {"a", "\xff", "c", "d", "e"};
  const moon_detector_config whole = {.size = sizeof whole, .nets = &net, .net_count = 1};
  moon_detector *d = NULL;
  REFUSED(c.size = 8, MOON_ERANGE, "size is 8");
  REFUSED(c.net_count = 0, MOON_ERANGE, "0 nets, expected 1 to 100");
  REFUSED((c.nets = pair, c.net_count = 2), MOON_ESHAPE, "net 2 takes rows of 4, but net 1 takes rows of 5");
  REFUSED(c.nets = &far, MOON_ETYPE, "net 1 belongs to another context");
  REFUSED(c.score = "mode", MOON_ERANGE, "unknown score 'mode' (known: mean, max, scaled)");
  REFUSED(c.missing = "no", MOON_ERANGE, "unknown missing 'no' (known: skip, fill, refuse)");
  REFUSED(c.scale = nan_scale, MOON_ERANGE, "scale of column 2 is nan, expected a finite number above 0");
  REFUSED(c.scale = zero, MOON_ERANGE, "scale of column 1 is 0");
  REFUSED(c.spread = zero, MOON_ERANGE, "spread of column 1 is 0");
  REFUSED(c.low = low, MOON_ERANGE, "high is missing");
  REFUSED((c.low = high, c.high = low), MOON_ERANGE, "low and high of column 1 are 15 and 5");
  REFUSED(c.margin = -1, MOON_ERANGE, "margin is -1");
  REFUSED(c.quantile = 1, MOON_ERANGE, "quantile is 1");
  REFUSED(c.alarms = 1, MOON_ERANGE, "alarms is 1, expected at most the 0 rows");
  REFUSED(c.columns = twice, MOON_ERANGE, "columns: 'b' is there twice");
  REFUSED(c.columns = bad, MOON_ERANGE, "columns: name 2 is not UTF-8");
  moon_net_release(net);
  moon_net_release(other);
  moon_net_release(far);
  moon_ctx_release(ctx);
  moon_ctx_release(elsewhere);
}

static void test_calls(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_net *net = new_net(ctx, COLUMNS, 2);
  moon_detector_config c = {.size = sizeof c, .nets = &net, .net_count = 1, .score = "scaled"};
  moon_detector *d = NULL;
  moon_tensor *x = draw_rows(ctx, 4), *scores = new_list(ctx, 4), *short_list = new_list(ctx, 3);
  CHECK(moon_detector_new(ctx, &d, &c) == MOON_OK);
  FAILS(moon_detector_score(d, scores, x, 0), MOON_ESTATE, "\"scaled\" needs spread");
  CHECK(moon_detector_set_spread(d, spread) == MOON_OK && moon_detector_score(d, scores, x, 0) == MOON_OK);
  FAILS(moon_detector_alarms(d, scores, x), MOON_ESTATE, "no threshold");
  FAILS(moon_detector_score(d, short_list, x, 0), MOON_ESHAPE, "result is [3], expected [4] float32");
  FAILS(moon_detector_score(d, scores, scores, 0), MOON_ESHAPE, "rows are [4], expected [rows x 5]");
  FAILS(moon_detector_features(d, scores, x, 0), MOON_ESHAPE, "expected [4 x 5] float32");
  FAILS(moon_detector_set_threshold(d, (double)INFINITY), MOON_ERANGE, "threshold is infinite");
  FAILS(moon_detector_set_text(d, "moonglass.detector", "x"), MOON_ERANGE, "belongs to the format");
  FAILS(moon_detector_set_text(d, "note", "\xff"), MOON_ERANGE, "not UTF-8");
  moon_interrupt(ctx);
  FAILS(moon_detector_score(d, scores, x, 0), MOON_EINTERRUPT, "interrupted");
  moon_tensor_freeze(scores);
  CHECK(moon_detector_score(d, scores, x, 0) == MOON_ESTATE);
  moon_tensor *list[] = {x, scores, short_list};
  for (size_t i = 0; i < COUNT(list); i++) moon_tensor_release(list[i]);
  moon_detector_release(d);
  moon_net_release(net);
  moon_ctx_release(ctx);
}

/* ---- files ---- */

static void same_scores(moon_ctx *ctx, moon_detector *d, moon_ctx *other, moon_detector *e) {
  moon_tensor *x = draw_rows(ctx, 30), *y = new_rows(other, 30);
  memcpy(moon_tensor_float(y), moon_tensor_float(x), moon_tensor_bytes(x));
  moon_tensor *a = score_all(ctx, d, x, 0), *b = score_all(other, e, y, 0);
  CHECK(same_bits(a, b));
  moon_tensor *list[] = {x, y, a, b};
  for (size_t i = 0; i < COUNT(list); i++) moon_tensor_release(list[i]);
}

static void test_round_trip(size_t nets) {
  moon_ctx *ctx = new_ctx(1);
  moon_detector *d = new_detector(ctx, nets, "scaled"), *e = NULL;
  moon_detector_config c = {.size = sizeof c};
  moon_tensor *bytes = NULL, *again = NULL;
  const char *path = path_of("d.safetensors");
  CHECK(moon_detector_save(d, path) == MOON_OK && moon_detector_load(ctx, &e, path) == MOON_OK);
  moon_detector_describe(e, &c);
  CHECK(c.net_count == nets && strcmp(c.score, "scaled") == 0 && strcmp(c.missing, "skip") == 0 && c.margin == 3);
  CHECK(c.quantile == 0.99 && c.rows == 123 && c.alarms == 2);
  CHECK(moon_detector_threshold(e) == 2.5 && c.category_count == 1);
  CHECK(strcmp(c.categories[0].column, "color") == 0 && strcmp(c.categories[0].values[0], "red") == 0);
  for (size_t i = 0; i < COLUMNS; i++)
    CHECK(c.offset[i] == offset[i] && c.scale[i] == scale[i] && c.low[i] == low[i] && c.high[i] == high[i] &&
          c.spread[i] == spread[i] && strcmp(c.columns[i], columns[i]) == 0);
  CHECK(strcmp(moon_detector_text(e, "note"), "by hand") == 0 && moon_net_encoder(c.nets[0]) == 1);
  CHECK(moon_detector_to_bytes(d, &bytes) == MOON_OK && moon_detector_to_bytes(e, &again) == MOON_OK);
  CHECK(same_bits(bytes, again));
  same_scores(ctx, d, ctx, e);
  moon_net *net = NULL;
  CHECK((moon_net_load(ctx, &net, path) == MOON_OK) == (nets == 1));
  moon_net_release(net);
  moon_tensor_release(bytes);
  moon_tensor_release(again);
  moon_detector_release(d);
  moon_detector_release(e);
  moon_ctx_release(ctx);
}

/* A net's file is a detector without scaling and threshold: its scores are the net's errors. */
static void test_plain_net(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_net *net = new_net(ctx, COLUMNS, 3);
  moon_detector *d = NULL;
  moon_detector_config c = {.size = sizeof c};
  moon_tensor *x = new_rows(ctx, 9), *errors = new_list(ctx, 9), *scores;
  CHECK(moon_tensor_normal(x, 0, 1) == MOON_OK && moon_net_errors(net, errors, x, 0) == MOON_OK);
  CHECK(moon_net_save(net, path_of("n.safetensors")) == MOON_OK);
  CHECK(moon_detector_load(ctx, &d, path_of("n.safetensors")) == MOON_OK);
  moon_detector_describe(d, &c);
  CHECK(isnan(moon_detector_threshold(d)) && !c.offset && !c.low && !c.columns && moon_detector_columns(d) == COLUMNS);
  scores = score_all(ctx, d, x, 0);
  for (size_t i = 0; i < 9; i++) CHECK(near(moon_tensor_get(scores, i), moon_tensor_get(errors, i)));
  moon_tensor *list[] = {x, errors, scores};
  for (size_t i = 0; i < COUNT(list); i++) moon_tensor_release(list[i]);
  moon_detector_release(d);
  moon_net_release(net);
  moon_ctx_release(ctx);
}

/* The file of one net of 5 columns, or of two nets, with this text as its entry. */
static moon_status load_text(moon_ctx *ctx, size_t nets, const char *text) {
  moon_detector *d = new_detector(ctx, nets, "mean"), *e = NULL;
  moon_archive *archive = NULL;
  CHECK(moon_archive_new(ctx, &archive) == MOON_OK && moon_detector_to_archive(d, archive) == MOON_OK);
  CHECK(moon_archive_has_detector(archive));
  CHECK(moon_detector_to_archive(d, archive) == MOON_ERANGE && strstr(moon_error(ctx), "already"));
  CHECK(moon_archive_set(archive, "moonglass.detector", text) == MOON_OK);
  moon_status status = moon_detector_from_archive(ctx, &e, archive);
  CHECK((status == MOON_OK) == (e != NULL));
  moon_detector_release(e);
  moon_archive_release(archive);
  moon_detector_release(d);
  return status;
}

#define V "{\"version\": 1, "

static void test_hostile_texts(void) {
  moon_ctx *ctx = new_ctx(1);
  static const char *const cases[][2] = {
      {"", "not valid JSON"},
      {"[]", "the whole: expected an object, got an array"},
      {"{}", "version: expected a whole number, got nothing"},
      {"{\"version\": \"1\"}", "version: expected a whole number, got a text"},
      {"{\"version\": 2, \"new\": 1}", "version: 2, expected 1"},
      {V "\"new\": 1}", "unknown field 'new'"},
      {V "\"nets\": 2}", "tensor '2.weight' belongs to none of the 2 nets"},
      {V "\"nets\": 0}", "nets: 0, expected 1 to 100"},
      {V "\"nets\": 1.5}", "nets: expected a whole number, got a real number"},
      {V "\"score\": 1}", "score: expected a text, got an integer"},
      {V "\"score\": \"median\"}", "unknown score 'median'"},
      {V "\"missing\": \"?\"}", "unknown missing '?'"},
      {V "\"margin\": \"x\"}", "margin: expected a number, got a text"},
      {V "\"margin\": -1}", "margin is -1"},
      {V "\"threshold\": null}", "threshold: expected a number, got null"},
      {V "\"threshold\": 1e999}", "a number that is too large"},
      {V "\"threshold\": NaN}", "a digit is expected"},
      {V "\"quantile\": 1.5}", "quantile is 1.5"},
      {V "\"rows\": -1}", "rows: expected a count"},
      {V "\"columns\": 1}", "columns: expected an array, got an integer"},
      {V "\"columns\": [\"a\"]}", "columns: expected 5 elements, as the net is wide, got 1"},
      {V "\"columns\": [\"a\", \"b\", 3, \"d\", \"e\"]}", "columns: element 3: expected a text, got an integer"},
      {V "\"columns\": [\"a\", \"b\", \"c\", \"a\", \"e\"]}", "columns: 'a' is there twice"},
      {V "\"columns\": [\"a\", \"b\", \"c\", \"\", \"e\"]}", "columns: name 4 is empty"},
      {V "\"categories\": []}", "categories: expected an object, got an array"},
      {V "\"categories\": {\"c\": 1}}", "categories: values: expected an array, got an integer"},
      {V "\"categories\": {\"c\": [1]}}", "categories: values: element 1: expected a text"},
      {V "\"categories\": {\"c\": []}}", "categories: 'c' has no values"},
      {V "\"offset\": [1, 2, 3, 4]}", "offset: expected 5 elements, as the net is wide, got 4"},
      {V "\"offset\": [1, 2, 3, 4, null]}", "offset: element 5: expected a number, got null"},
      {V "\"scale\": [1, 1, 1, 1, 0]}", "scale of column 5 is 0"},
      {V "\"scale\": [1, 1, 1, 1, \"1\"]}", "scale: element 5: expected a number, got a text"},
      {V "\"spread\": [1, 1, 1, 1, -1]}", "spread of column 5 is -1"},
      {V "\"low\": [1, 1, 1, 1, 1]}", "high is missing"},
      {V "\"low\": [1, 1, 1, 1, null], \"high\": [1, 1, 1, 1, 1]}", "low and high of column 5 are"},
      {V "\"low\": [2, 1, 1, 1, 1], \"high\": [1, 1, 1, 1, 1]}", "low and high of column 1 are 2 and 1"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    FAILS(load_text(ctx, 1, cases[i][0]), MOON_EFORMAT, cases[i][1]);
    if (!strstr(moon_error(ctx), cases[i][1])) fprintf(stderr, "%s: %s\n", cases[i][0], moon_error(ctx));
  }
  CHECK(load_text(ctx, 1, "{\"version\": 1}") == MOON_OK);
  CHECK(load_text(ctx, 1, V "\"low\": [null, 1, 1, 1, 1], \"high\": [null, 1, 2, 2, 2]}") == MOON_OK);
  CHECK(load_text(ctx, 2, V "\"nets\": 2}") == MOON_OK);
  FAILS(load_text(ctx, 2, V "\"nets\": 3}"), MOON_EFORMAT, "no text entry 'moonglass.2'");
  FAILS(load_text(ctx, 3, V "\"nets\": 2}"), MOON_EFORMAT, "tensor '2.0.weight' belongs to none of the 2 nets");
  FAILS(load_text(ctx, 2, "{\"version\": 1}"), MOON_EFORMAT, "'moonglass'");
  moon_ctx_release(ctx);
}

/* Two nets of different widths, by hand. */
static void test_widths_in_file(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_archive *whole = NULL;
  moon_detector *d = NULL;
  CHECK(moon_archive_new(ctx, &whole) == MOON_OK);
  for (size_t i = 0; i < 2; i++) {
    moon_net *net = new_net(ctx, 5 - i, 2);
    moon_archive *part = NULL;
    char name[64];
    const char *own;
    moon_tensor *t;
    CHECK(moon_archive_new(ctx, &part) == MOON_OK && moon_net_to_archive(net, part) == MOON_OK);
    for (size_t k = 0; moon_archive_tensor(part, k, &own, &t); k++) {
      snprintf(name, sizeof name, "%zu.%s", i, own);
      CHECK(moon_archive_add(whole, name, t) == MOON_OK);
    }
    snprintf(name, sizeof name, "moonglass.%zu", i);
    CHECK(moon_archive_set(whole, name, moon_archive_text(part, "moonglass")) == MOON_OK);
    moon_archive_release(part);
    moon_net_release(net);
  }
  CHECK(moon_archive_set(whole, "moonglass.detector", V "\"nets\": 2}") == MOON_OK);
  FAILS(moon_detector_from_archive(ctx, &d, whole), MOON_EFORMAT, "net 2 takes rows of 4");
  moon_archive_release(whole);
  moon_ctx_release(ctx);
}

/* Every prefix of the file is refused; with any byte damaged there is a message or a detector. */
static void test_damage(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_detector *d = new_detector(ctx, 2, "mean"), *e = NULL;
  moon_tensor *bytes = NULL;
  CHECK(moon_detector_to_bytes(d, &bytes) == MOON_OK);
  uint8_t *p = moon_tensor_byte(bytes);
  size_t size = moon_tensor_bytes(bytes), used = moon_memory_used(ctx);
  for (size_t n = 0; n < size; n++) CHECK(moon_detector_from_bytes(ctx, &e, p, n) == MOON_EFORMAT && !e);
  for (size_t i = 0; i < size; i++) {
    p[i] ^= 0x15;
    moon_status status = moon_detector_from_bytes(ctx, &e, p, size);
    CHECK(status == MOON_EFORMAT || status == MOON_OK);
    if (status == MOON_OK) moon_detector_release(e);
    e = NULL;
    p[i] ^= 0x15;
  }
  CHECK(moon_memory_used(ctx) == used);
  FAILS(moon_detector_load(ctx, &e, path_of("fifo")), MOON_EIO, "not a regular file");
  FAILS(moon_detector_load(ctx, &e, path_of("none")), MOON_EIO, "none");
  FAILS(moon_detector_save(d, path_of("fifo")), MOON_EIO, "not a regular file");
  moon_tensor_release(bytes);
  moon_detector_release(d);
  moon_ctx_release(ctx);
}

/* ---- shares ---- */

static void test_share(void) {
  moon_ctx *ctx = new_ctx(1), *other = new_ctx(2);
  moon_detector *d = new_detector(ctx, 2, "mean"), *share = NULL;
  moon_detector_config c = {.size = sizeof c};
  moon_parameter p;
  CHECK(moon_detector_share(d, other, &share) == MOON_OK && moon_detector_ctx(share) == other);
  CHECK(moon_detector_threshold(share) == 2.5 && strcmp(moon_detector_text(share, "note"), "by hand") == 0);
  same_scores(ctx, d, other, share);
  moon_detector_describe(share, &c);
  CHECK(moon_layer_parameter(moon_net_layer(c.nets[1], 0), 0, &p) && moon_tensor_frozen(p.value) && c.rows == 123);
  moon_detector_release(d);
  moon_ctx_release(ctx);
  moon_detector_release(share);
  moon_ctx_release(other);
}

/* ---- rows from a file ---- */

static void write_text(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* Another order, a column more, texts that become numbers. */
static void test_csv(void) {
  moon_ctx *ctx = new_ctx(1);
  moon_detector *d = new_detector(ctx, 1, "mean"), *plain = NULL;
  moon_csv *csv = NULL;
  moon_tensor *x = new_rows(ctx, 3);
  size_t rows = 0;
  const char *path = path_of("rows.csv");
  write_text(path, "flow,extra,color,heat,\"height \"\"m\"\"\",\xc3\xa4\n-3,9,red,10,1e6,0.5\n-4,9,blue,,1e6,0.25\n");
  CHECK(moon_detector_open_csv(d, &csv, path) == MOON_OK && moon_csv_width(csv) == COLUMNS);
  for (size_t i = 0; i < COLUMNS; i++) CHECK(strcmp(moon_csv_column(csv, i), columns[i]) == 0);
  CHECK(moon_csv_read(csv, x, NULL, &rows) == MOON_OK && rows == 2);
  const double expected[] = {10, -3, 1, 1e6, 0.5, (double)NAN, -4, 0, 1e6, 0.25};
  for (size_t i = 0; i < COUNT(expected); i++) CHECK(near(moon_tensor_get(x, i), expected[i]));
  moon_csv_close(csv);
  write_text(path, "flow,color,heat,height\n1,red,2,3\n");
  FAILS(moon_detector_open_csv(d, &csv, path), MOON_EFORMAT, "height");
  moon_detector_config c = {.size = sizeof c};
  moon_detector_describe(d, &c);
  c.columns = NULL;
  CHECK(moon_detector_new(ctx, &plain, &c) == MOON_OK);
  write_text(path, "1,2,3\n");
  FAILS(moon_detector_open_csv(plain, &csv, path), MOON_EFORMAT, "rows of 3 numbers, expected 5");
  write_text(path, "1,2,3,4,5\n");
  CHECK(moon_detector_open_csv(plain, &csv, path) == MOON_OK);
  moon_csv_close(csv);
  FAILS(moon_detector_open_csv(d, &csv, path_of("none.csv")), MOON_EIO, "none.csv");
  moon_tensor_release(x);
  moon_detector_release(d);
  moon_detector_release(plain);
  moon_ctx_release(ctx);
}

/* ---- out of memory ---- */

typedef struct budget {
  long left; /* allocations; below 0: no end */
} budget;

static void *spend(void *ud, void *ptr, size_t osize, size_t nsize) {
  budget *b = ud;
  (void)osize;
  if (!nsize) return free(ptr), NULL;
  if (b->left == 0) return NULL;
  if (b->left > 0) b->left--;
  return realloc(ptr, nsize);
}

static moon_status load_and_score(moon_ctx *ctx, const moon_tensor *bytes) {
  moon_detector *d = NULL, *share = NULL;
  moon_tensor *x = NULL, *scores = NULL, *back = NULL;
  moon_reason r[2];
  moon_status status = moon_detector_from_bytes(ctx, &d, moon_tensor_data(bytes), moon_tensor_bytes(bytes));
  CHECK((status == MOON_OK) == (d != NULL)); /* a failure does not touch it */
  if (status == MOON_OK) status = moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){300, COLUMNS});
  if (status == MOON_OK) status = moon_tensor_new(ctx, &scores, MOON_FLOAT32, 1, (size_t[]){300});
  if (status == MOON_OK) status = moon_detector_score(d, scores, x, 0);
  if (status == MOON_OK) status = moon_detector_share(d, ctx, &share);
  if (status == MOON_OK) status = moon_detector_score(share, scores, x, 0);
  moon_tensor_release(x);
  x = NULL;
  if (status == MOON_OK) status = moon_tensor_new(ctx, &x, MOON_FLOAT32, 1, (size_t[]){COLUMNS});
  if (status == MOON_OK) status = moon_detector_explain(d, r, 2, x);
  if (status == MOON_OK) status = moon_detector_to_bytes(d, &back);
  if (status == MOON_OK) CHECK(same_bits(bytes, back));
  moon_tensor *list[] = {x, scores, back};
  for (size_t i = 0; i < COUNT(list); i++) moon_tensor_release(list[i]);
  moon_detector_release(d);
  moon_detector_release(share);
  return status;
}

static void test_refusals(void) {
  moon_ctx *ctx = new_ctx(1), *poor = NULL;
  moon_detector *d = new_detector(ctx, 2, "scaled");
  moon_tensor *bytes = NULL;
  budget b = {-1};
  CHECK(moon_detector_to_bytes(d, &bytes) == MOON_OK);
  CHECK(moon_ctx_new(&poor, &(moon_config){.alloc = spend, .alloc_ud = &b}) == MOON_OK);
  CHECK(load_and_score(poor, bytes) == MOON_OK);
  size_t used = moon_memory_used(poor);
  moon_status status = MOON_ENOMEM;
  long n = 0;
  for (; n < 5000 && status == MOON_ENOMEM; n++) {
    b.left = n;
    status = load_and_score(poor, bytes);
    CHECK(status == MOON_OK || (status == MOON_ENOMEM && moon_memory_used(poor) == used));
  }
  CHECK(status == MOON_OK && n > 100);
  b.left = -1;
  moon_tensor_release(bytes);
  moon_detector_release(d);
  moon_ctx_release(ctx);
  moon_ctx_release(poor);
}

int main(void) {
  if (!mkdtemp(folder) || mkfifo(path_of("fifo"), 0600)) {
    perror(folder);
    return 2;
  }
  for (size_t nets = 1; nets <= 3; nets += 2) {
    test_scores(nets, "mean");
    test_scores(nets, "max");
    test_scores(nets, "scaled");
    test_round_trip(nets);
  }
  test_bits();
  test_bytes();
  test_outside();
  test_missing();
  test_explain();
  test_expected();
  test_config();
  test_calls();
  test_plain_net();
  test_hostile_texts();
  test_widths_in_file();
  test_damage();
  test_share();
  test_csv();
  test_refusals();
  remove_folder();
  return check_report();
}
