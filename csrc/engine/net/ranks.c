/* ranks.c - a net that several processes (ranks) train: the reducer, the rows of each rank, and what they tell each
** other in a step. The engine knows no library for this: the reducer is the host's. */
#include "ranks.h"

#include <math.h>
#include <stddef.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"
#include "../core/tensor.h"

/* The tail behind the gradients, in floats. A double in three floats keeps all its bits where there is one rank; a
** count in two is exact up to 2^36. Then a flag for each rank. */
enum { VALUE = 0, PENALTY = 3, ROWS = 6, FLAGS = 8 };
enum { FAILED = 1, INTERRUPTED = 2 };

/* ---- the reducer of a net ---- */

/* A host that was compiled against a later header may have fields that we do not know: they must be zero. */
static moon_status check_reducer(moon_ctx *ctx, const moon_reducer *r) {
  const char *bytes = (const char *)r;
  if (r->size < offsetof(moon_reducer, ud) + sizeof r->ud)
    return mooni_fail(ctx, MOON_ERANGE, "reducer: size is %zu, expected sizeof(moon_reducer)", r->size);
  for (size_t i = sizeof *r; i < r->size; i++)
    if (bytes[i])
      return mooni_fail(ctx, MOON_ERANGE, "reducer: it has a field that version %s does not know", MOON_VERSION);
  if (r->rank >= r->ranks)
    return mooni_fail(ctx, MOON_ERANGE, "reducer: rank is %zu of %zu ranks, expected one from 0 to ranks - 1", r->rank,
                      r->ranks);
  if (!r->reduce) return mooni_fail(ctx, MOON_ERANGE, "reducer: reduce is NULL, expected a function");
  return MOON_OK;
}

/* ---- its buffers, which the net keeps for the next reducer ---- */

/* In all rounds together. */
static size_t sums_of(const moon_layer *layer) {
  size_t n = 0;
  for (mooni_round r = 0; r < MOONI_ROUNDS; r++) n += mooni_layer_sums(layer, r);
  return n;
}

static void drop(moon_ctx *ctx, mooni_ranks *ranks) {
  if (!ranks) return;
  mooni_free(ctx, ranks->gradients);
  mooni_free(ctx, ranks->before);
  mooni_free(ctx, ranks);
}

void mooni_ranks_drop(moon_net *net) {
  drop(net->ctx, net->ranks);
  drop(net->ctx, net->spare_ranks);
  net->ranks = net->spare_ranks = NULL;
}

static moon_status make(moon_net *net, mooni_ranks **out, size_t count) {
  moon_ctx *ctx = net->ctx;
  size_t floats = net->param_floats + FLAGS + count;
  for (size_t i = 0; i < net->count; i++) floats += sums_of(net->layers[i]);
  mooni_ranks *ranks = mooni_calloc(ctx, 1, sizeof *ranks);
  if (!ranks) return mooni_nomem(ctx, sizeof *ranks);
  ranks->gradients = mooni_calloc(ctx, floats, sizeof *ranks->gradients);
  ranks->before = mooni_calloc(ctx, 2 * count, sizeof *ranks->before);
  if (!ranks->gradients || !ranks->before) {
    drop(ctx, ranks);
    return mooni_nomem(ctx, floats * sizeof(float));
  }
  ranks->tail = ranks->gradients + net->param_floats;
  ranks->after = ranks->before + count;
  *out = ranks;
  return MOON_OK;
}

/* Behind the tail. */
static void place_sums(const moon_net *net, float *sums) {
  for (size_t i = 0; i < net->count; i++) {
    size_t n = sums_of(net->layers[i]);
    net->places[i].sums = n ? sums : NULL;
    sums += n;
  }
}

moon_status moon_net_set_reducer(moon_net *net, const moon_reducer *reducer) {
  mooni_ranks *ranks = net->ranks ? net->ranks : net->spare_ranks;
  if (net->ctx->reading)
    return mooni_fail(net->ctx, MOON_ESTATE, "reducer: a source's reader runs, expected no other reducer meanwhile");
  if (reducer) {
    MOONI_TRY(check_reducer(net->ctx, reducer));
    if (!ranks || ranks->reducer.ranks != reducer->ranks) {
      MOONI_TRY(make(net, &ranks, reducer->ranks));
      mooni_ranks_drop(net);
      place_sums(net, ranks->tail + FLAGS + reducer->ranks);
    }
    ranks->reducer = *reducer;
  }
  net->ranks = reducer ? ranks : NULL;
  net->spare_ranks = reducer ? NULL : ranks;
  return MOON_OK;
}

/* ---- which rows a rank has ----
** A batch is cut at multiples of MOONI_ROW_GRAIN rows: so many share a stream of noise. The first ranks get one grain
** more than the others, so that rank 0 has rows whenever the batch has any. */

static void cut(mooni_selection *rows, const moon_reducer *r) {
  size_t count = rows->count, grains = (count + MOONI_ROW_GRAIN - 1) / MOONI_ROW_GRAIN;
  size_t each = grains / r->ranks, more = grains % r->ranks;
  size_t from = MOONI_ROW_GRAIN * (r->rank * each + (r->rank < more ? r->rank : more));
  size_t to = from + MOONI_ROW_GRAIN * (each + (r->rank < more));
  if (from > count) from = count;
  if (to > count) to = count;
  rows->place = from;
  rows->first += from;
  rows->count = to - from;
  rows->elsewhere = count - rows->count;
  rows->follows = from > 0 || !rows->count;
}

/* ---- shards: each rank has rows of its own ----
** The rows of all shards have one common order, by keys: row j of a shard of n rows has (j + o) / n, where o, from 0 to
** 1, differs from rank to rank, so that equal shards take turns. The first rows of that order are in each shard its
** first ones, and their number is proportional to the shard. */

static double key(const moon_dataset *data, size_t rank, size_t row) {
  double offset = ((double)rank + 0.5) / (double)data->shard_count;
  return ((double)row + offset) / (double)data->shards[rank];
}

/* The rank whose next row (or last one, if back) comes next in the common order. */
static size_t nearest(const moon_dataset *data, const size_t *taken, bool back) {
  size_t best = SIZE_MAX;
  double least = INFINITY;
  for (size_t r = 0; r < data->shard_count; r++) {
    if (back ? taken[r] == 0 : taken[r] == data->shards[r]) continue;
    double k = back ? -key(data, r, taken[r] - 1) : key(data, r, taken[r]);
    if (best != SIZE_MAX && (back ? k > least : k >= least)) continue; /* of equal keys the lower rank comes first */
    best = r;
    least = k;
  }
  return best;
}

/* taken[r] = how many of the first n rows of the common order are in shard r. */
static void take_first(const moon_dataset *data, size_t n, size_t *taken) {
  double end = (double)n / (double)moon_dataset_rows(data);
  size_t sum = 0;
  for (size_t r = 0; r < data->shard_count; r++) {
    size_t a = (size_t)(end * (double)data->shards[r]); /* off by one at most */
    while (a > 0 && key(data, r, a - 1) > end) a--;
    while (a < data->shards[r] && key(data, r, a) <= end) a++;
    sum += taken[r] = a;
  }
  for (; sum < n; sum++) taken[nearest(data, taken, false)]++;
  for (; sum > n; sum--) taken[nearest(data, taken, true)]--;
}

static moon_status check_shards(const moon_net *net, const moon_dataset *data, const char *what) {
  const moon_reducer *r = &net->ranks->reducer;
  if (data->shard_count != r->ranks)
    return mooni_fail(net->ctx, MOON_ESTATE, "%s: the dataset has shards of %zu ranks, but the reducer has %zu", what,
                      data->shard_count, r->ranks);
  if (data->shards[r->rank] != data->rows)
    return mooni_fail(net->ctx, MOON_ESTATE, "%s: the shard of rank %zu has %zu rows, but its dataset %zu", what,
                      r->rank, data->shards[r->rank], data->rows);
  return MOON_OK;
}

static size_t whole_grains(size_t rows) { return (rows + MOONI_ROW_GRAIN - 1) / MOONI_ROW_GRAIN * MOONI_ROW_GRAIN; }

static void cut_shards(const mooni_ranks *ranks, mooni_selection *rows, const moon_dataset *data) {
  size_t rank = ranks->reducer.rank, count = rows->count;
  take_first(data, rows->first, ranks->before);
  take_first(data, rows->first + count, ranks->after);
  rows->place = 0;
  for (size_t r = 0; r < rank; r++) rows->place += whole_grains(ranks->after[r] - ranks->before[r]);
  rows->first = ranks->before[rank];
  rows->count = ranks->after[rank] - ranks->before[rank];
  rows->elsewhere = count - rows->count;
  rows->follows = rows->place > 0 || !rows->count;
}

moon_status mooni_ranks_slice(const moon_net *net, mooni_selection *rows, const moon_dataset *data, const char *what) {
  if (!data || !data->shards) return cut(rows, &net->ranks->reducer), MOON_OK;
  MOONI_TRY(check_shards(net, data, what));
  cut_shards(net->ranks, rows, data);
  return MOON_OK;
}

/* ---- what the ranks tell each other ---- */

static void put_double(float to[3], double value) {
  to[0] = (float)value;
  to[1] = isfinite(to[0]) ? (float)(value - (double)to[0]) : 0;
  to[2] = isfinite(to[0]) ? (float)(value - (double)to[0] - (double)to[1]) : 0;
}

static double get_double(const float from[3]) { return (double)from[0] + (double)from[1] + (double)from[2]; }

enum { COUNT_BASE = 1 << 12 };

static void write_tail(const mooni_ranks *ranks, const mooni_tally *t) {
  float *tail = ranks->tail, *flags = tail + FLAGS;
  put_double(tail + VALUE, t->value);
  put_double(tail + PENALTY, t->penalty);
  tail[ROWS] = (float)(t->rows % COUNT_BASE);
  tail[ROWS + 1] = (float)(t->rows / COUNT_BASE);
  for (size_t r = 0; r < ranks->reducer.ranks; r++) flags[r] = 0;
  flags[ranks->reducer.rank] = t->failed == MOON_OK ? 0 : t->failed == MOON_EINTERRUPT ? INTERRUPTED : FAILED;
}

/* Has a rank failed, or has another batch than this rank? */
static moon_status read_tail(const moon_net *net, mooni_tally *t, const char *what) {
  const mooni_ranks *ranks = net->ranks;
  const float *tail = ranks->tail, *flags = tail + FLAGS;
  if (t->failed != MOON_OK) return t->failed;
  for (size_t r = 0; r < ranks->reducer.ranks; r++) {
    if (flags[r] == INTERRUPTED) return mooni_fail(net->ctx, MOON_EINTERRUPT, "%s: rank %zu was interrupted", what, r);
    if (flags[r] != 0) return mooni_fail(net->ctx, MOON_ESTATE, "%s: rank %zu failed, see its message", what, r);
  }
  double rows = (double)tail[ROWS] + COUNT_BASE * (double)tail[ROWS + 1];
  if (rows != (double)t->batch)
    return mooni_fail(net->ctx, MOON_ESTATE,
                      "%s: the ranks are out of step: they have %.0f rows together, but this rank's batch has %zu",
                      what, rows, t->batch);
  t->value = get_double(tail + VALUE);
  t->penalty = get_double(tail + PENALTY);
  return MOON_OK;
}

static moon_status reduce(const moon_net *net, float *values, size_t n, const char *what) {
  const moon_reducer *r = &net->ranks->reducer;
  moon_status status = r->reduce(r->ud, values, n);
  if (status == MOON_OK) return MOON_OK;
  return mooni_fail(net->ctx, status, "%s: the reducer failed (%s)", what, moon_status_name(status));
}

moon_status mooni_ranks_agree(const moon_net *net, float *from, mooni_tally *tally, const char *what) {
  const mooni_ranks *ranks = net->ranks;
  const moon_reducer *r = &ranks->reducer;
  write_tail(ranks, tally);
  size_t n = (size_t)(ranks->tail + FLAGS + r->ranks - from);
  if (tally->failed != MOON_OK) return r->reduce(r->ud, from, n), tally->failed; /* its message stays */
  MOONI_TRY(reduce(net, from, n, what));
  return read_tail(net, tally, what);
}

void mooni_ranks_sum(mooni_batch *b, float *values, size_t n) {
  const moon_reducer *r = &b->net->ranks->reducer;
  if (b->status != MOON_OK) return;
  if (b->failed == MOON_OK)
    b->status = reduce(b->net, values, n, b->what);
  else if (r->reduce(r->ud, values, n) != MOON_OK)
    b->status = b->failed; /* its message stays */
}
