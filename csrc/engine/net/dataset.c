/* dataset.c - rows with their targets, in an order that can be shuffled. The tensors stay as they are, bytes included;
** a batch is gathered and scaled to float32 in one pass. */
#include "dataset.h"

#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "../formats/map.h"
#include "../kernels/table.h"

/* Bytes that are all 0 or 1 are not pixels. In pictures the first rows show that already. */
static float target_scale(const moon_tensor *t) {
  const uint8_t *bytes = moon_tensor_byte(t);
  size_t i = 0;
  while (bytes && i < t->numel && bytes[i] <= 1) i++;
  return bytes && i == t->numel ? 1 : 255;
}

moon_status moon_dataset_new(moon_ctx *ctx, moon_dataset **out, moon_tensor *x, moon_tensor *y) {
  char xt[MOONI_SHAPE_TEXT], yt[MOONI_SHAPE_TEXT];
  if (x->rank != 2 || !x->shape[0] || !x->shape[1])
    return mooni_fail(ctx, MOON_ESHAPE, "dataset: x is %s, expected [rows x width] with at least one row",
                      mooni_tensor_text(xt, x));
  if (y && (y->rank < 1 || y->rank > 2 || y->shape[0] != x->shape[0] || !y->numel))
    return mooni_fail(ctx, MOON_ESHAPE, "dataset: y is %s and x %s, expected [%zu x width], or class numbers [%zu]",
                      mooni_tensor_text(yt, y), mooni_tensor_text(xt, x), x->shape[0], x->shape[0]);
  if (x->shape[0] > UINT32_MAX) return mooni_fail(ctx, MOON_ESHAPE, "dataset: more than 2^32 - 1 rows");
  moon_dataset *d = mooni_alloc(ctx, sizeof *d);
  uint32_t *order = mooni_calloc(ctx, x->shape[0], sizeof *order);
  if (!d || !order) {
    mooni_free(ctx, d);
    mooni_free(ctx, order);
    return mooni_nomem(ctx, sizeof *d + x->shape[0] * sizeof *order);
  }
  *d = (moon_dataset){.refs = 1,
                      .ctx = moon_ctx_retain(ctx),
                      .x = moon_tensor_retain(x),
                      .y = y ? moon_tensor_retain(y) : NULL,
                      .rows = x->shape[0],
                      .order = order,
                      .target_scale = y ? target_scale(y) : 255};
  moon_dataset_unshuffle(d);
  *out = d;
  return MOON_OK;
}

moon_dataset *moon_dataset_retain(moon_dataset *data) {
  data->refs++;
  return data;
}

void moon_dataset_release(moon_dataset *data) {
  if (!data || --data->refs) return;
  moon_ctx *ctx = data->ctx;
  moon_tensor_release(data->x);
  moon_tensor_release(data->y);
  mooni_free(ctx, data->order);
  mooni_free(ctx, data->shards);
  mooni_free(ctx, data);
  moon_ctx_release(ctx);
}

size_t moon_dataset_rows(const moon_dataset *data) { return data->shards ? data->shard_rows : data->rows; }

moon_status moon_dataset_set_shards(moon_dataset *data, const size_t *rows, size_t ranks) {
  size_t total = 0, *shards = NULL;
  bool own = false;
  for (size_t r = 0; rows && r < ranks; r++) {
    if (!rows[r]) return mooni_fail(data->ctx, MOON_ERANGE, "shards: rank %zu has no rows, expected some in each", r);
    if (rows[r] > UINT32_MAX || total + rows[r] > UINT32_MAX)
      return mooni_fail(data->ctx, MOON_ERANGE, "shards: more than 2^32 - 1 rows");
    total += rows[r];
    own |= rows[r] == data->rows;
  }
  if (rows && !own)
    return mooni_fail(data->ctx, MOON_ERANGE, "shards: none of %zu ranks has %zu rows, as this dataset", ranks,
                      data->rows);
  if (rows) {
    shards = mooni_calloc(data->ctx, ranks, sizeof *shards);
    if (!shards) return mooni_nomem(data->ctx, ranks * sizeof *shards);
    memcpy(shards, rows, ranks * sizeof *shards);
  }
  mooni_free(data->ctx, data->shards);
  data->shards = shards;
  data->shard_count = rows ? ranks : 0;
  data->shard_rows = total;
  return MOON_OK;
}

void moon_dataset_unshuffle(moon_dataset *data) {
  for (size_t i = 0; i < data->rows; i++) data->order[i] = (uint32_t)i;
}

void moon_dataset_shuffle(moon_dataset *data, uint64_t seed, uint64_t epoch) {
  mooni_rng rng;
  mooni_rng_seed(&rng, seed, epoch);
  moon_dataset_unshuffle(data);
  mooni_rng_shuffle(&rng, data->order, data->rows);
}

/* Shuffled rows can be anywhere in memory, so the processor does not prefetch them. */
static void prefetch(const uint8_t *bytes, size_t n) {
  enum { LINE = 64 };
  for (size_t i = 0; i < n; i += LINE) __builtin_prefetch(bytes + i);
}

void mooni_gather(moon_ctx *ctx, mooni_columns dst, const moon_tensor *x, const uint32_t *order, size_t first,
                  size_t count, float scale) {
  if (mooni_map_gather(dst, x, order, first, count, scale)) return;
  size_t width = mooni_width(x), n = dst.to - dst.from;
  float *to = dst.p + dst.from;
  const float *floats = moon_tensor_float(x);
  const uint8_t *bytes = moon_tensor_byte(x);
  for (size_t i = 0; i < count; i++, to += dst.stride) {
    enum { AHEAD = 4 };
    size_t row = order ? order[first + i] : first + i;
    if (bytes && order && i + AHEAD < count) prefetch(bytes + order[first + i + AHEAD] * width + dst.from, n);
    if (floats)
      memcpy(to, floats + row * width + dst.from, n * sizeof *to);
    else
      ctx->k->from_bytes(to, bytes + row * width + dst.from, n, scale);
  }
}

static moon_status batch_shape(const moon_dataset *data, const moon_tensor *t, const moon_tensor *source,
                               const char *name, size_t count) {
  char got[MOONI_SHAPE_TEXT], whole[MOONI_SHAPE_TEXT];
  bool floats = t->dtype == MOON_FLOAT32 && source->rank == 2;
  if (t->rank == source->rank && t->shape[0] == count && mooni_width(t) == mooni_width(source) &&
      (floats || t->dtype == source->dtype))
    return MOON_OK;
  return mooni_fail(data->ctx, MOON_ESHAPE, "batch: %s is %s, expected %zu rows of %s", name, mooni_tensor_text(got, t),
                    count, mooni_tensor_text(whole, source));
}

static void gather_rows(const moon_dataset *data, moon_tensor *to, const moon_tensor *from, size_t first, size_t count,
                        float scale) {
  size_t width = mooni_width(to);
  uint8_t *bytes = moon_tensor_byte(to);
  for (size_t i = 0; bytes && i < count; i++, bytes += width)
    memcpy(bytes, moon_tensor_byte(from) + data->order[first + i] * width, width);
  if (bytes) return;
  mooni_columns all = mooni_columns_of(moon_tensor_float(to), count, width, false, 0, 1);
  mooni_gather(data->ctx, all, from, data->order, first, count, scale);
}

/* Labels may be floats or bytes, and are copied unchanged. */
static void copy_labels(const moon_dataset *data, moon_tensor *y, size_t first, size_t count) {
  for (size_t i = 0; i < count; i++) moon_tensor_set(y, i, moon_tensor_get(data->y, data->order[first + i]));
}

moon_status moon_dataset_batch(const moon_dataset *data, moon_tensor *x, moon_tensor *y, size_t first, size_t count) {
  MOONI_IEEE;
  const moon_tensor *target = data->y ? data->y : data->x;
  MOONI_TRY(mooni_interrupted(data->ctx)); /* a loop over batches written by hand can be interrupted here */
  if (first > data->rows || count > data->rows - first)
    return mooni_fail(data->ctx, MOON_ERANGE, "batch: rows %zu to %zu, but the dataset has %zu", first + 1,
                      first + count, data->rows);
  MOONI_TRY(batch_shape(data, x, data->x, "x", count));
  if (y) MOONI_TRY(batch_shape(data, y, target, "y", count));
  MOONI_TRY(mooni_want_writable(x, "batch"));
  if (y) MOONI_TRY(mooni_want_writable(y, "batch"));
  gather_rows(data, x, data->x, first, count, 255);
  if (!y) return MOON_OK;
  if (target->rank == 1)
    copy_labels(data, y, first, count);
  else
    gather_rows(data, y, target, first, count, data->target_scale);
  return MOON_OK;
}
