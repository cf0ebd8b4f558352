/* score.c - rows through a detector.
**
** Each worker has a lane: slices of the nets, whose layers are the detector's, and buffers for a block of rows. A job
** of the pool gives each lane some blocks, and a lane does all that is to be done with a block while it is in the
** cache: floats, scaling, forward, errors, scores. So the workers meet once in a job. */
#include <math.h>
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/pool.h"
#include "../core/tensor.h"
#include "../kernels/table.h"
#include "../net/run.h"
#include "detector.h"

enum {
  BLOCK = 128,    /* rows */
  JOB_BLOCKS = 32 /* of a lane, between two looks for an interrupt */
};

typedef struct mooni_lane {
  moon_net **nets;
  size_t net_count;
  float *room;                                   /* for all that follows */
  float *raw, *z, *weight, *errors, *sum_errors; /* [BLOCK x width] */
  float *counts, *far_counts;                    /* [BLOCK] */
  double *totals;                                /* [BLOCK]: the scores of all nets, added up */
} mooni_lane;

/* What is to be done. Outputs that are not wanted are NULL. */
typedef struct task {
  moon_detector *d;
  const moon_tensor *x;
  float *scores, *features, *outside, *alarms;
  double *expected;         /* [width] of a single row */
  size_t batch;             /* rows of a block; 0: BLOCK */
  size_t first, rows, step; /* this job's rows; the rows of a block */
  size_t parts;
} task;

/* ---- lanes ---- */

static void drop_lane(moon_ctx *ctx, mooni_lane *lane) {
  for (size_t i = 0; i < lane->net_count; i++) moon_net_release(lane->nets[i]);
  mooni_free(ctx, lane->nets);
  mooni_free(ctx, lane->room);
  mooni_free(ctx, lane->totals);
}

void mooni_detector_drop_lanes(moon_detector *d) {
  for (size_t i = 0; i < d->lane_count; i++) drop_lane(d->ctx, &d->lanes[i]);
  mooni_free(d->ctx, d->lanes);
  d->lanes = NULL;
  d->lane_count = 0;
}

static moon_status fill_lane(mooni_lane *lane, const moon_detector *d) {
  moon_ctx *ctx = d->ctx;
  size_t matrix = mooni_padded(BLOCK * d->width), floats = 5 * matrix + 2 * BLOCK;
  lane->nets = mooni_calloc(ctx, d->net_count, sizeof(moon_net *));
  lane->room = mooni_calloc(ctx, floats, sizeof(float));
  lane->totals = mooni_calloc(ctx, BLOCK, sizeof(double));
  if (!lane->nets || !lane->room || !lane->totals) return mooni_nomem(ctx, floats * sizeof(float));
  float **const matrices[] = {&lane->raw, &lane->z, &lane->weight, &lane->errors, &lane->sum_errors};
  for (size_t i = 0; i < MOONI_COUNT(matrices); i++) *matrices[i] = lane->room + i * matrix;
  lane->counts = lane->room + 5 * matrix;
  lane->far_counts = lane->counts + BLOCK;
  for (; lane->net_count < d->net_count; lane->net_count++)
    MOONI_TRY(
        moon_net_slice(d->nets[lane->net_count], &lane->nets[lane->net_count], 0, d->nets[lane->net_count]->count));
  return MOON_OK;
}

static moon_status want_lanes(moon_detector *d, size_t count) {
  if (d->lane_count >= count) return MOON_OK;
  mooni_lane *lanes = mooni_calloc(d->ctx, count, sizeof *lanes);
  if (!lanes) return mooni_nomem(d->ctx, count * sizeof *lanes);
  moon_status status = MOON_OK;
  size_t made = d->lane_count;
  for (; made < count && status == MOON_OK; made++) status = fill_lane(&lanes[made], d);
  if (status != MOON_OK) {
    while (made > d->lane_count) drop_lane(d->ctx, &lanes[--made]);
    mooni_free(d->ctx, lanes);
    return status;
  }
  if (d->lane_count) memcpy(lanes, d->lanes, d->lane_count * sizeof *lanes);
  mooni_free(d->ctx, d->lanes);
  d->lanes = lanes;
  d->lane_count = count;
  return MOON_OK;
}

/* Plan what cannot fail afterwards: blocks of `rows` rows in `count` lanes. */
static moon_status plan_lanes(moon_detector *d, size_t count, size_t rows) {
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < d->net_count; k++) MOONI_TRY(mooni_plan_lane(d->lanes[i].nets[k], rows, d->width, count));
  return MOON_OK;
}

/* ---- one block in a lane ---- */

/* The nets' errors e [rows x width] of one net, to totals. */
static void add_scores(const moon_detector *d, mooni_lane *lane, size_t rows) {
  const mooni_kernels *k = d->ctx->k;
  for (size_t r = 0; r < rows; r++) {
    const float *e = lane->errors + r * d->width;
    float most = 0;
    for (size_t c = 0; d->score == MOONI_SCORE_MAX && c < d->width; c++) most = e[c] > most ? e[c] : most;
    lane->totals[r] += d->score == MOONI_SCORE_MAX ? (double)most : k->sum_abs(e, d->width) / (double)lane->counts[r];
  }
}

/* What the net makes of row 0, in the unit of x. */
static void add_expected(const moon_detector *d, double *expected, const float *y) {
  for (size_t c = 0; c < d->width; c++)
    expected[c] += ((double)y[c] * d->scale[c] + d->offset[c]) / (double)d->net_count;
}

static void run_nets(const task *t, mooni_lane *lane, size_t rows) {
  const moon_detector *d = t->d;
  const mooni_kernels *k = d->ctx->k;
  size_t n = rows * d->width;
  memset(lane->totals, 0, rows * sizeof *lane->totals);
  for (size_t i = 0; i < d->net_count; i++) {
    mooni_batch b = {.net = lane->nets[i], .rows = rows, .split = MOONI_SERIAL, .forward = true};
    const float *y = mooni_connect(b.net, lane->z, NULL, false);
    mooni_run(&b);
    k->detect_errors(lane->errors, y, lane->z, lane->weight, rows, d->width, d->share);
    add_scores(d, lane, rows);
    if (t->expected) add_expected(d, t->expected, y);
    if (!t->features || d->net_count == 1) continue;
    if (i == 0) memset(lane->sum_errors, 0, n * sizeof(float));
    k->add(lane->sum_errors, lane->errors, n);
  }
}

static void give_features(const task *t, const mooni_lane *lane, size_t first, size_t rows) {
  const moon_detector *d = t->d;
  size_t n = rows * d->width;
  float *to = t->features + first * d->width;
  const float *from = d->net_count == 1 ? lane->errors : lane->sum_errors;
  for (size_t i = 0; i < n; i++) to[i] = from[i] / (float)d->net_count;
}

/* A row without a cell has the score 0 / 0. */
static void give_scores(const task *t, const mooni_lane *lane, size_t first, size_t rows) {
  const moon_detector *d = t->d;
  for (size_t r = 0; r < rows; r++) {
    float score = lane->counts[r] > 0 ? (float)(lane->totals[r] / (double)d->net_count) : NAN;
    if (t->scores) t->scores[first + r] = score;
    if (t->alarms)
      t->alarms[first + r] = (double)score > d->threshold || isnan(score) || lane->far_counts[r] > 0 ? 1 : 0;
  }
}

static void run_block(const task *t, mooni_lane *lane, size_t first, size_t rows) {
  const moon_detector *d = t->d;
  const mooni_kernels *k = d->ctx->k;
  const float *raw = moon_tensor_float(t->x);
  if (raw) {
    raw += first * d->width;
  } else {
    k->from_bytes(lane->raw, moon_tensor_byte(t->x) + first * d->width, rows * d->width, 255);
    raw = lane->raw;
  }
  if (t->outside || t->alarms) k->detect_outside(lane->far_counts, raw, rows, d->width, d->least, d->most);
  if (t->outside) memcpy(t->outside + first, lane->far_counts, rows * sizeof(float));
  if (!t->scores && !t->features && !t->alarms) return;
  k->detect_scale(lane->z, lane->weight, lane->counts, raw, rows, d->width, d->offset, d->inverse,
                  d->missing == MOONI_MISSING_SKIP ? 0 : 1);
  run_nets(t, lane, rows);
  if (t->features) give_features(t, lane, first, rows);
  give_scores(t, lane, first, rows);
}

/* ---- all rows ---- */

static void run_part(void *arg, size_t phase, size_t part) {
  const task *t = arg;
  (void)phase;
  MOONI_FLUSHING;
  mooni_span own = mooni_span_of(t->rows, t->step, part, t->parts);
  for (size_t r = own.from; r < own.to; r += t->step)
    run_block(t, &t->d->lanes[part], t->first + r, own.to - r < t->step ? own.to - r : t->step);
}

/* Rows t->first to end in jobs, all in blocks of t->step. */
static moon_status run_blocks(task *t, size_t end) {
  moon_detector *d = t->d;
  size_t most = JOB_BLOCKS * t->step * t->parts;
  if (t->first == end) return MOON_OK;
  MOONI_TRY(plan_lanes(d, t->parts, t->step));
  for (; t->first < end; t->first += t->rows) {
    t->rows = end - t->first < most ? end - t->first : most;
    MOONI_TRY(mooni_interrupted(d->ctx));
    mooni_pool_run(d->ctx, t->parts, 1, run_part, t);
  }
  return MOON_OK;
}

static moon_status refuse_missing(const moon_detector *d, const moon_tensor *x) {
  const float *p = moon_tensor_float(x);
  for (size_t i = 0; p && i < x->numel; i++)
    if (isnan(p[i]))
      return mooni_fail(d->ctx, MOON_ERANGE, "row %zu: column '%.60s' is missing (NaN), and the detector refuses that",
                        i / d->width + 1, moon_detector_column(d, i % d->width));
  return MOON_OK;
}

/* Whole blocks first, then the rest: a product is planned for its number of rows. */
static moon_status run(task *t) {
  moon_detector *d = t->d;
  size_t n = t->x->rank == 1 ? 1 : t->x->shape[0], block = t->batch && t->batch < BLOCK ? t->batch : BLOCK;
  size_t whole = n / block * block;
  t->parts = whole > BLOCK ? (size_t)d->ctx->threads : 1;
  t->step = block;
  if (d->missing == MOONI_MISSING_REFUSE) MOONI_TRY(refuse_missing(d, t->x));
  MOONI_TRY(want_lanes(d, t->parts));
  MOONI_TRY(run_blocks(t, whole));
  t->parts = 1;
  t->step = n - whole;
  return run_blocks(t, n);
}

/* ---- checks ---- */

static moon_status check_rows(const moon_detector *d, const moon_tensor *x, const char *what) {
  char text[MOONI_SHAPE_TEXT];
  if (x->rank == 2 && x->shape[1] == d->width && x->shape[0]) return MOON_OK;
  return mooni_fail(d->ctx, MOON_ESHAPE, "%s: rows are %s, expected [rows x %zu]", what, mooni_tensor_text(text, x),
                    d->width);
}

static moon_status check_list(const moon_detector *d, const moon_tensor *out, const moon_tensor *x, const char *what) {
  char text[MOONI_SHAPE_TEXT];
  MOONI_TRY(check_rows(d, x, what));
  if (out->rank != 1 || out->shape[0] != x->shape[0] || out->dtype != MOON_FLOAT32)
    return mooni_fail(d->ctx, MOON_ESHAPE, "%s: result is %s, expected [%zu] float32", what,
                      mooni_tensor_text(text, out), x->shape[0]);
  return mooni_want_writable(out, what);
}

static moon_status check_ready(const moon_detector *d, const char *what) {
  if (d->score != MOONI_SCORE_SCALED || d->learned) return MOON_OK;
  return mooni_fail(d->ctx, MOON_ESTATE, "%s: the score \"scaled\" needs spread: calibrate the detector first", what);
}

moon_status moon_detector_score(moon_detector *d, moon_tensor *scores, const moon_tensor *x, size_t batch) {
  MOONI_IEEE;
  MOONI_TRY(check_list(d, scores, x, "score"));
  MOONI_TRY(check_ready(d, "score"));
  return run(&(task){.d = d, .x = x, .batch = batch, .scores = moon_tensor_float(scores)});
}

moon_status moon_detector_features(moon_detector *d, moon_tensor *features, const moon_tensor *x, size_t batch) {
  MOONI_IEEE;
  char text[MOONI_SHAPE_TEXT];
  MOONI_TRY(check_rows(d, x, "features"));
  if (features->rank != 2 || features->shape[0] != x->shape[0] || features->shape[1] != d->width ||
      features->dtype != MOON_FLOAT32)
    return mooni_fail(d->ctx, MOON_ESHAPE, "features: result is %s, expected [%zu x %zu] float32",
                      mooni_tensor_text(text, features), x->shape[0], d->width);
  MOONI_TRY(mooni_want_writable(features, "features"));
  MOONI_TRY(check_ready(d, "features"));
  return run(&(task){.d = d, .x = x, .batch = batch, .features = moon_tensor_float(features)});
}

moon_status moon_detector_outside(moon_detector *d, moon_tensor *counts, const moon_tensor *x) {
  MOONI_IEEE;
  MOONI_TRY(check_list(d, counts, x, "outside"));
  return run(&(task){.d = d, .x = x, .outside = moon_tensor_float(counts)});
}

moon_status moon_detector_alarms(moon_detector *d, moon_tensor *alarms, const moon_tensor *x) {
  MOONI_IEEE;
  MOONI_TRY(check_list(d, alarms, x, "alarms"));
  MOONI_TRY(check_ready(d, "alarms"));
  if (isnan(d->threshold))
    return mooni_fail(d->ctx, MOON_ESTATE, "alarms: the detector has no threshold: calibrate it, or set one");
  return run(&(task){.d = d, .x = x, .alarms = moon_tensor_float(alarms)});
}

moon_status mooni_detector_look(moon_detector *d, float *features, double *expected, float *raw, const moon_tensor *x) {
  char text[MOONI_SHAPE_TEXT];
  if (x->numel != d->width || x->rank < 1 || x->rank > 2 || (x->rank == 2 && x->shape[0] != 1))
    return mooni_fail(d->ctx, MOON_ESHAPE, "explain: row is %s, expected [%zu] or [1 x %zu]",
                      mooni_tensor_text(text, x), d->width, d->width);
  MOONI_TRY(check_ready(d, "explain"));
  if (moon_tensor_float(x))
    memcpy(raw, moon_tensor_float(x), d->width * sizeof *raw);
  else
    d->ctx->k->from_bytes(raw, moon_tensor_byte(x), d->width, 255);
  memset(expected, 0, d->width * sizeof *expected);
  return run(&(task){.d = d, .x = x, .features = features, .expected = expected});
}
