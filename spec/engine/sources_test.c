/* sources_test.c - sources from C: what a host's reader is asked for, whose message comes out when it fails, when it is
** released; and that rows that are read give the bits of rows in memory, whatever the threads. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../csrc/moonglass.h"
#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { N = 50, D = 4, BLOCK = 8 };

/* A host's rows: element (i, j) is i + j / 8. It notes what it was asked for. */
typedef struct host {
  moon_ctx *ctx;
  size_t calls, rows[N], released;
  bool in_blocks;          /* no call has crossed the border of a block */
  size_t fail_at;          /* this call, from 1, fails; 0: none */
  bool silent;             /* without a message */
  moon_dataset *disturbed; /* a call shuffles this dataset */
  moon_dataset *weighed;   /* a call takes this dataset's weights away */
} host;

static moon_status read_rows(void *ud, moon_tensor *rows, size_t first) {
  host *h = ud;
  const size_t *shape = moon_tensor_shape(rows);
  h->in_blocks &= shape[0] && shape[1] == D && first / BLOCK == (first + shape[0] - 1) / BLOCK;
  h->calls++;
  if (h->calls == h->fail_at && h->silent) return MOON_EIO;
  if (h->calls == h->fail_at) return moon_tensor_reduce(&(double){0}, "no such reduction", rows);
  if (h->disturbed) moon_dataset_shuffle(h->disturbed, 9, 9);
  if (h->weighed) CHECK(moon_dataset_set_weights(h->weighed, NULL) == MOON_ESTATE);
  for (size_t i = 0; i < shape[0]; i++) {
    h->rows[first + i]++;
    for (size_t j = 0; j < D; j++) moon_tensor_set(rows, i * D + j, (double)(first + i) + (double)j / 8);
  }
  return MOON_OK;
}

static void release(void *ud) { ((host *)ud)->released++; }

static host new_host(moon_ctx *ctx) { return (host){.ctx = ctx, .in_blocks = true}; }

static moon_source_config config_of(host *h) {
  return (moon_source_config){
      .size = sizeof(moon_source_config), .rows = N, .width = D, .block = BLOCK, .read = read_rows, release, h};
}

static moon_source *source_of(host *h) {
  moon_source *s = NULL;
  moon_source_config config = config_of(h);
  CHECK(moon_source_new(h->ctx, &s, &config) == MOON_OK);
  return s;
}

static moon_dataset *dataset_of(moon_ctx *ctx, moon_source *x, moon_source *y) {
  moon_dataset *data = NULL;
  CHECK(moon_dataset_of(ctx, &data, x, y) == MOON_OK);
  return data;
}

static moon_tensor *new_rows(moon_ctx *ctx, size_t n) {
  moon_tensor *t = NULL;
  CHECK(moon_tensor_new(ctx, &t, MOON_FLOAT32, 2, (size_t[]){n, D}) == MOON_OK);
  return t;
}

static bool fails(moon_ctx *ctx, moon_status got, moon_status expected, const char *words) {
  bool right = got == expected && strcmp(moon_error(ctx), words) == 0;
  if (!right) fprintf(stderr, "got %s: %s\n", moon_status_name(got), moon_error(ctx));
  return right;
}

/* ---- making ---- */

static void test_configs(moon_ctx *ctx) {
  struct {
    moon_source_config known;
    size_t more;
  } later = {.more = 1};
  host h = new_host(ctx);
  moon_source *s = NULL;
  moon_source_config c = config_of(&h), short_one = c, no_read = c, no_rows = c, huge = c;
  short_one.size = offsetof(moon_source_config, ud);
  no_read.read = NULL;
  no_rows.rows = 0;
  huge.rows = (size_t)UINT32_MAX + 1;
  CHECK(moon_source_new(ctx, &s, &short_one) == MOON_ERANGE);
  CHECK(moon_source_new(ctx, &s, &no_read) == MOON_ERANGE);
  CHECK(moon_source_new(ctx, &s, &no_rows) == MOON_ERANGE);
  CHECK(moon_source_new(ctx, &s, &huge) == MOON_ERANGE);
  later.known = c;
  later.known.size = sizeof later;
  CHECK(moon_source_new(ctx, &s, &later.known) == MOON_ERANGE);
  CHECK(!s && !h.released);
  later.more = 0;
  CHECK(moon_source_new(ctx, &s, &later.known) == MOON_OK);
  moon_source_release(s);
  CHECK(h.released == 1);
}

static void test_parts(moon_ctx *ctx) {
  host h = new_host(ctx);
  moon_source *s = source_of(&h), *part = NULL, *small = NULL;
  moon_tensor *t = new_rows(ctx, 11);
  CHECK(moon_source_part(&part, s, 5, 30) == MOON_OK);
  moon_source_release(s);
  CHECK(moon_source_part(&small, part, 29, 2) == MOON_ERANGE);
  CHECK(moon_source_part(&small, part, 4, 20) == MOON_OK);
  moon_source_release(part);
  CHECK(moon_source_rows(small) == 20 && moon_source_width(small) == D);
  CHECK(moon_source_read(small, t, 9) == MOON_OK);
  for (size_t i = 0; i < 11; i++) CHECK(moon_tensor_get(t, i * D + 2) == (double)(18 + i) + 0.25);
  CHECK(h.in_blocks && h.calls == 2);
  CHECK(fails(ctx, moon_source_read(small, t, 10), MOON_ERANGE, "source: rows 11 to 21, but it has 20"));
  moon_dataset *data = dataset_of(ctx, small, NULL);
  moon_source_release(small);
  CHECK(!h.released);
  moon_dataset_release(data);
  CHECK(h.released == 1);
  moon_tensor_release(t);
}

/* ---- reading ---- */

static void test_orders(moon_ctx *ctx) {
  host h = new_host(ctx);
  moon_source *s = source_of(&h);
  moon_dataset *data = dataset_of(ctx, s, NULL);
  moon_tensor *all = new_rows(ctx, N), *some = new_rows(ctx, 7), *again = new_rows(ctx, N);
  CHECK(moon_dataset_batch(data, all, NULL, 0, N) == MOON_OK);
  for (size_t i = 0; i < N; i++) CHECK(moon_tensor_get(all, i * D) == (double)i && h.rows[i] == 1);
  moon_dataset_shuffle(data, 3, 1);
  CHECK(moon_dataset_batch(data, all, NULL, 0, N) == MOON_OK);
  size_t seen[N] = {0}, moved = 0;
  for (size_t i = 0; i < N; i++) {
    size_t row = (size_t)moon_tensor_get(all, i * D);
    seen[row]++;
    moved += row != i;
  }
  for (size_t i = 0; i < N; i++) CHECK(seen[i] == 1 && h.rows[i] == 2);
  CHECK(moved > N / 2);
  moon_dataset_shuffle(data, 3, 1);
  for (size_t first = 0; first + 7 <= N; first += 7) { /* in batches the same order */
    CHECK(moon_dataset_batch(data, some, NULL, first, 7) == MOON_OK);
    CHECK(memcmp(moon_tensor_float(some), moon_tensor_float(all) + first * D, moon_tensor_bytes(some)) == 0);
  }
  moon_dataset_shuffle(data, 3, 2);
  CHECK(moon_dataset_batch(data, again, NULL, 0, N) == MOON_OK);
  CHECK(memcmp(moon_tensor_float(again), moon_tensor_float(all), moon_tensor_bytes(all)) != 0);
  CHECK(h.in_blocks);
  moon_tensor_release(all);
  moon_tensor_release(some);
  moon_tensor_release(again);
  moon_dataset_release(data);
  moon_source_release(s);
}

/* Row i has weight i. */
static moon_tensor *new_weights(moon_ctx *ctx) {
  moon_tensor *w = NULL;
  CHECK(moon_tensor_new(ctx, &w, MOON_FLOAT32, 1, (size_t[]){N}) == MOON_OK);
  for (size_t i = 0; i < N; i++) moon_tensor_set(w, i, (double)i);
  return w;
}

static void test_weights_follow(moon_ctx *ctx, moon_dataset *data) {
  moon_tensor *w = new_weights(ctx), *got = NULL, *rows = new_rows(ctx, 20);
  CHECK(moon_tensor_new(ctx, &got, MOON_FLOAT32, 1, (size_t[]){20}) == MOON_OK);
  CHECK(moon_dataset_weights(data, got, 3, 20) == MOON_OK && moon_tensor_get(got, 7) == 1);
  CHECK(moon_dataset_set_weights(data, w) == MOON_OK);
  moon_tensor_fill(w, 7); /* they were copied */
  moon_dataset_shuffle(data, 3, 1);
  CHECK(moon_dataset_weights(data, got, 25, 20) == MOON_OK);
  CHECK(moon_dataset_batch(data, rows, NULL, 25, 20) == MOON_OK);
  for (size_t i = 0; i < 20; i++) CHECK(moon_tensor_get(got, i) == moon_tensor_get(rows, i * D));
  CHECK(fails(ctx, moon_dataset_weights(data, got, 40, 20), MOON_ERANGE,
              "weights: rows 41 to 60, but the dataset has 50"));
  CHECK(fails(ctx, moon_dataset_weights(data, got, 0, 19), MOON_ESHAPE, "weights: got [20], expected [19] float32"));
  moon_tensor_release(w);
  moon_tensor_release(got);
  moon_tensor_release(rows);
}

/* Of rows that are read, and of rows in memory; what cannot be weights changes nothing. */
static void test_weights(moon_ctx *ctx) {
  host h = new_host(ctx);
  moon_source *s = source_of(&h), *rows = NULL;
  moon_tensor *t = new_rows(ctx, N), *w = new_weights(ctx);
  CHECK(moon_source_read(s, t, 0) == MOON_OK && moon_source_tensor(&rows, t) == MOON_OK);
  moon_dataset *data[] = {dataset_of(ctx, s, NULL), dataset_of(ctx, rows, NULL), dataset_of(ctx, rows, s)};
  for (size_t i = 0; i < COUNT(data); i++) test_weights_follow(ctx, data[i]);
  moon_tensor_set(w, 4, -1);
  CHECK(fails(ctx, moon_dataset_set_weights(data[0], w), MOON_ERANGE,
              "weights: row 5 has -1, expected a finite number of at least 0"));
  CHECK(fails(ctx, moon_dataset_set_weights(data[0], t), MOON_ESHAPE,
              "weights: got [50 x 4], expected [50] float32, one for each row"));
  for (size_t i = 0; i < COUNT(data); i++) moon_dataset_release(data[i]);
  moon_tensor_release(t);
  moon_tensor_release(w);
  moon_source_release(rows);
  moon_source_release(s);
}

/* ---- readers that fail ---- */

static void test_messages(moon_ctx *ctx) {
  host h = new_host(ctx);
  moon_source *s = source_of(&h);
  moon_dataset *data = dataset_of(ctx, s, NULL);
  moon_tensor *t = new_rows(ctx, 20);
  h.fail_at = 2;
  h.silent = true;
  CHECK(fails(ctx, moon_dataset_batch(data, t, NULL, 0, 20), MOON_EIO,
              "batch: rows 9 to 16: the source's reader failed (I/O)"));
  h.fail_at = 4;
  h.silent = false;
  CHECK(moon_source_read(s, t, 20) == MOON_ERANGE);
  CHECK(strncmp(moon_error(ctx), "source: rows 25 to 32: ", 23) == 0 && strstr(moon_error(ctx), "no such reduction"));
  h.disturbed = data;
  CHECK(moon_dataset_batch(data, t, NULL, 0, 20) == MOON_ESTATE);
  h.disturbed = NULL;
  h.weighed = data;
  CHECK(moon_dataset_batch(data, t, NULL, 0, 20) == MOON_OK);
  h.weighed = NULL;
  moon_interrupt(ctx);
  CHECK(moon_source_read(s, t, 0) == MOON_EINTERRUPT);
  CHECK(moon_source_read(s, t, 0) == MOON_OK);
  moon_tensor_release(t);
  moon_dataset_release(data);
  moon_source_release(s);
}

/* ---- the same bits as in memory ---- */

static moon_layer *new_layer(moon_ctx *ctx, size_t in, size_t out) {
  moon_layer *layer = NULL;
  moon_option options[] = {{"in", MOON_NUMBER, (double)in, 0, NULL, NULL},
                           {"out", MOON_NUMBER, (double)out, 0, NULL, NULL}};
  CHECK(moon_layer_new(ctx, &layer, "dense", options, 2) == MOON_OK);
  return layer;
}

static moon_net *new_net(moon_ctx *ctx) {
  moon_net *net = NULL;
  moon_seed(ctx, 5);
  moon_layer *list[] = {new_layer(ctx, D, 3), new_layer(ctx, 3, D)};
  CHECK(moon_net_new(ctx, &net, list, 2) == MOON_OK);
  moon_layer_release(list[0]);
  moon_layer_release(list[1]);
  return net;
}

static bool same_weights(const moon_net *a, const moon_net *b) {
  moon_parameter p, q;
  bool same = true;
  for (size_t l = 0; moon_net_layer(a, l); l++)
    for (size_t i = 0; moon_layer_parameter(moon_net_layer(a, l), i, &p); i++)
      same &= moon_layer_parameter(moon_net_layer(b, l), i, &q) &&
              memcmp(moon_tensor_float(p.value), moon_tensor_float(q.value), moon_tensor_bytes(p.value)) == 0;
  return same;
}

static double train(moon_ctx *ctx, moon_net *net, moon_dataset *data, const moon_loss *loss) {
  moon_optim *opt = NULL;
  double objective = 0;
  CHECK(moon_optim_new(ctx, &opt, "adam", NULL, 0) == MOON_OK);
  for (size_t first = 0; first < N; first += 11)
    CHECK(moon_net_step_rows(net, NULL, data, first, N - first < 11 ? N - first : 11, loss, opt) == MOON_OK);
  CHECK(moon_net_evaluate(net, &objective, data, loss, 9) == MOON_OK);
  moon_optim_release(opt);
  return objective;
}

static void test_same_bits(moon_ctx *ctx, bool weighted) {
  host h = new_host(ctx);
  moon_source *read = source_of(&h), *rows = NULL, *windows = NULL;
  moon_tensor *t = new_rows(ctx, N);
  moon_loss *loss = NULL;
  CHECK(moon_loss_new(ctx, &loss, "mse", NULL, 0) == MOON_OK && moon_source_read(read, t, 0) == MOON_OK);
  CHECK(moon_source_tensor(&rows, t) == MOON_OK && moon_source_windows(&windows, t, 1, 1) == MOON_OK);
  moon_dataset *data[5] = {NULL};
  CHECK(moon_dataset_new(ctx, &data[0], t, t) == MOON_OK);
  data[1] = dataset_of(ctx, read, NULL);
  data[2] = dataset_of(ctx, read, rows);
  data[3] = dataset_of(ctx, rows, read);
  data[4] = dataset_of(ctx, windows, windows);
  moon_tensor *w = new_weights(ctx);
  for (size_t i = 0; weighted && i < COUNT(data); i++) CHECK(moon_dataset_set_weights(data[i], w) == MOON_OK);
  moon_net *first = new_net(ctx);
  double expected = train(ctx, first, data[0], loss);
  for (size_t i = 1; i < COUNT(data); i++) {
    moon_net *net = new_net(ctx);
    CHECK(train(ctx, net, data[i], loss) == expected);
    CHECK(same_weights(first, net));
    moon_net_release(net);
  }
  for (size_t i = 0; i < COUNT(data); i++) moon_dataset_release(data[i]);
  moon_net_release(first);
  moon_loss_release(loss);
  moon_tensor_release(t);
  moon_tensor_release(w);
  moon_source_release(read);
  moon_source_release(rows);
  moon_source_release(windows);
}

int main(void) {
  moon_ctx *ctx = NULL;
  if (moon_ctx_new(&ctx, NULL) != MOON_OK) return 1;
  test_configs(ctx);
  test_parts(ctx);
  test_orders(ctx);
  test_messages(ctx);
  for (int threads = 1; threads <= 3; threads++) {
    CHECK(moon_set_threads(ctx, threads) == MOON_OK);
    test_same_bits(ctx, false);
    test_same_bits(ctx, true);
  }
  test_weights(ctx);
  size_t used = moon_memory_used(ctx);
  test_orders(ctx);
  test_messages(ctx);
  test_weights(ctx);
  test_same_bits(ctx, true);
  CHECK(moon_memory_used(ctx) == used);
  moon_ctx_release(ctx);
  return check_report();
}
