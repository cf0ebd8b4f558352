/* dataset.c - rows with their targets, in an order that can be shuffled. The tensors stay as they are, bytes included;
** a batch is gathered and scaled to float32 in one pass. Rows that are read come through blocks (blocks.c). */
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

static moon_status check_shapes(moon_ctx *ctx, const moon_tensor *x, const moon_tensor *y) {
  char xt[MOONI_SHAPE_TEXT], yt[MOONI_SHAPE_TEXT];
  if (x->rank != 2 || !x->shape[0] || !x->shape[1])
    return mooni_fail(ctx, MOON_ESHAPE, "dataset: x is %s, expected [rows x width] with at least one row",
                      mooni_tensor_text(xt, x));
  if (y && (y->rank < 1 || y->rank > 2 || y->shape[0] != x->shape[0] || !y->numel))
    return mooni_fail(ctx, MOON_ESHAPE, "dataset: y is %s and x %s, expected [%zu x width], or class numbers [%zu]",
                      mooni_tensor_text(yt, y), mooni_tensor_text(xt, x), x->shape[0], x->shape[0]);
  if (x->shape[0] > UINT32_MAX) return mooni_fail(ctx, MOON_ESHAPE, "dataset: more than 2^32 - 1 rows");
  return MOON_OK;
}

/* With all but the rows themselves. The order has no memory if rows are read. */
static moon_status make(moon_ctx *ctx, moon_dataset **out, const moon_tensor *x, const moon_tensor *y, float scale,
                        bool in_memory) {
  MOONI_TRY(check_shapes(ctx, x, y));
  moon_dataset *d = mooni_alloc(ctx, sizeof *d);
  uint32_t *order = in_memory ? mooni_calloc(ctx, x->shape[0], sizeof *order) : NULL;
  if (!d || (in_memory && !order)) {
    mooni_free(ctx, d);
    mooni_free(ctx, order);
    return mooni_nomem(ctx, sizeof *d + x->shape[0] * sizeof *order);
  }
  *d = (moon_dataset){.refs = 1,
                      .ctx = moon_ctx_retain(ctx),
                      .x = x,
                      .y = y,
                      .rows = x->shape[0],
                      .order = order,
                      .target_scale = scale};
  if (order) moon_dataset_unshuffle(d);
  *out = d;
  return MOON_OK;
}

moon_status moon_dataset_new(moon_ctx *ctx, moon_dataset **out, moon_tensor *x, moon_tensor *y) {
  MOONI_TRY(make(ctx, out, x, y, y ? target_scale(y) : 255, true));
  (*out)->tensors[0] = moon_tensor_retain(x);
  (*out)->tensors[1] = y ? moon_tensor_retain(y) : NULL;
  return MOON_OK;
}

moon_status moon_dataset_of(moon_ctx *ctx, moon_dataset **out, moon_source *x, moon_source *y) {
  bool in_memory = x->base && (!y || y->base);
  moon_dataset *d;
  MOONI_TRY(make(ctx, &d, &x->rows, y ? &y->rows : NULL, y && y->base ? target_scale(y->base) : 255, in_memory));
  d->sources[0] = moon_source_retain(x);
  d->sources[1] = y ? moon_source_retain(y) : NULL;
  moon_status status = in_memory ? MOON_OK : mooni_blocks_new(ctx, &d->blocks, x, y);
  if (status != MOON_OK) return moon_dataset_release(d), status;
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
  mooni_blocks_free(data->blocks);
  for (int i = 0; i < 2; i++) {
    moon_tensor_release(data->tensors[i]);
    moon_source_release(data->sources[i]);
  }
  mooni_free(ctx, data->order);
  mooni_free(ctx, data->weights);
  mooni_free(ctx, data->shards);
  mooni_free(ctx, data);
  moon_ctx_release(ctx);
}

size_t moon_dataset_rows(const moon_dataset *data) { return data->shards ? data->shard_rows : data->rows; }

void moon_dataset_set_mask(moon_dataset *data, bool mask) { data->mask = mask; }

moon_status moon_dataset_set_weights(moon_dataset *data, const moon_tensor *w) {
  float *weights = NULL;
  if (data->blocks) MOONI_TRY(mooni_blocks_free_to_read(data->blocks));
  if (w) {
    MOONI_TRY(mooni_check_weights(data->ctx, w, data->rows));
    weights = mooni_calloc(data->ctx, data->rows, sizeof *weights);
    if (!weights) return mooni_nomem(data->ctx, data->rows * sizeof *weights);
    memcpy(weights, moon_tensor_float(w), data->rows * sizeof *weights);
  }
  mooni_free(data->ctx, data->weights);
  data->weights = weights;
  return MOON_OK;
}

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
  if (data->blocks) {
    mooni_blocks_unshuffle(data->blocks);
    return;
  }
  for (size_t i = 0; i < data->rows; i++) data->order[i] = (uint32_t)i;
}

void moon_dataset_shuffle(moon_dataset *data, uint64_t seed, uint64_t epoch) {
  if (data->blocks) {
    mooni_blocks_shuffle(data->blocks, seed, epoch);
    return;
  }
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
  size_t step = mooni_row_step(x), n = dst.to - dst.from;
  float *to = dst.p + dst.from;
  const float *floats = moon_tensor_float(x);
  const uint8_t *bytes = moon_tensor_byte(x);
  for (size_t i = 0; i < count; i++, to += dst.stride) {
    enum { AHEAD = 4 };
    size_t row = order ? order[first + i] : first + i;
    if (bytes && order && i + AHEAD < count) prefetch(bytes + order[first + i + AHEAD] * step + dst.from, n);
    if (floats)
      memcpy(to, floats + row * step + dst.from, n * sizeof *to);
    else
      ctx->k->from_bytes(to, bytes + row * step + dst.from, n, scale);
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

/* ---- batches in memory of the caller ---- */

/* Rows skip..skip+count-1 of `to` = rows order[first..] of `from`. */
static void gather_rows(moon_ctx *ctx, moon_tensor *to, size_t skip, const moon_tensor *from, const uint32_t *order,
                        size_t first, size_t count, float scale) {
  size_t width = mooni_width(to), step = mooni_row_step(from);
  uint8_t *bytes = moon_tensor_byte(to);
  if (bytes) bytes += skip * width;
  for (size_t i = 0; bytes && i < count; i++, bytes += width)
    memcpy(bytes, moon_tensor_byte(from) + order[first + i] * step, width);
  if (bytes) return;
  mooni_columns all = mooni_columns_of(moon_tensor_float(to) + skip * width, count, width, false, 0, 1);
  mooni_gather(ctx, all, from, order, first, count, scale);
}

/* Rows of x, y and weights (NULL: not wanted), which have the shapes for them. */
typedef struct batch {
  moon_tensor *x, *y;
  float *weights;
} batch;

/* Rows skip..skip+count-1 of the batch = rows first.. of x and y, by their orders. Labels may be floats or bytes, and
** are copied unchanged. */
static void copy_rows(const moon_dataset *data, batch to, size_t skip, const moon_tensor *x, const uint32_t *x_order,
                      const moon_tensor *y, const uint32_t *y_order, size_t first, size_t count) {
  gather_rows(data->ctx, to.x, skip, x, x_order, first, count, 255);
  if (!to.y) return;
  if (y->rank == 2)
    gather_rows(data->ctx, to.y, skip, y, y_order, first, count, data->y ? data->target_scale : 255);
  else
    for (size_t i = 0; i < count; i++) moon_tensor_set(to.y, skip + i, moon_tensor_get(y, y_order[first + i]));
}

/* The same from blocks: what is read lies in their buffers. */
static moon_status copy_read_rows(const moon_dataset *data, batch to, size_t first, size_t count) {
  mooni_blocks *b = data->blocks;
  const moon_tensor *target = data->y ? data->y : data->x;
  for (size_t done = 0, at, n; done < count; done += n) {
    MOONI_TRY(mooni_blocks_load(b, first + done, &at, &n));
    if (n > count - done) n = count - done;
    const moon_tensor *x = b->buffer_x ? b->buffer_x : data->x;
    const moon_tensor *y = !data->y ? x : b->buffer_y ? b->buffer_y : target;
    const uint32_t *x_order = b->buffer_x ? b->slot : b->row;
    const uint32_t *y_order = !data->y ? x_order : b->buffer_y ? b->slot : b->row;
    copy_rows(data, to, done, x, x_order, y, y_order, at, n);
    for (size_t i = 0; to.weights && i < n; i++) to.weights[done + i] = data->weights[b->row[at + i]];
  }
  return MOON_OK;
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
  if (!data->blocks) {
    copy_rows(data, (batch){x, y, NULL}, 0, data->x, data->order, target, data->order, first, count);
    return MOON_OK;
  }
  moon_status status = copy_read_rows(data, (batch){x, y, NULL}, first, count);
  return status == MOON_OK ? status : mooni_prepend(data->ctx, status, "batch: ");
}

/* The weights of these rows, or 1. */
static moon_status copy_weights(const moon_dataset *data, float *to, size_t first, size_t count) {
  const float *weights = data->weights;
  for (size_t i = 0; i < count && !(weights && data->blocks); i++)
    to[i] = weights ? weights[data->order[first + i]] : 1;
  for (size_t done = 0, at, n; weights && data->blocks && done < count; done += n) {
    MOONI_TRY(mooni_blocks_load(data->blocks, first + done, &at, &n));
    if (n > count - done) n = count - done;
    for (size_t i = 0; i < n; i++) to[done + i] = weights[data->blocks->row[at + i]];
  }
  return MOON_OK;
}

moon_status moon_dataset_weights(const moon_dataset *data, moon_tensor *w, size_t first, size_t count) {
  MOONI_IEEE;
  char text[MOONI_SHAPE_TEXT];
  if (first > data->rows || count > data->rows - first)
    return mooni_fail(data->ctx, MOON_ERANGE, "weights: rows %zu to %zu, but the dataset has %zu", first + 1,
                      first + count, data->rows);
  if (w->rank != 1 || w->shape[0] != count || w->dtype != MOON_FLOAT32)
    return mooni_fail(data->ctx, MOON_ESHAPE, "weights: got %s, expected [%zu] float32", mooni_tensor_text(text, w),
                      count);
  MOONI_TRY(mooni_want_writable(w, "weights"));
  moon_status status = copy_weights(data, moon_tensor_float(w), first, count);
  return status == MOON_OK ? status : mooni_prepend(data->ctx, status, "weights: ");
}

/* ---- batches of a step whose rows are read ---- */

/* A tensor for so many rows like t. */
static moon_status make_stage(const moon_dataset *data, moon_tensor **out, moon_dtype dtype, const moon_tensor *t,
                              size_t rows) {
  return moon_tensor_new(data->ctx, out, dtype, t->rank, (size_t[]){rows, t->rank == 2 ? t->shape[1] : 0});
}

/* Of x floats, whatever its type; bytes of y stay bytes, for the loss. */
static moon_status make_stages(const moon_dataset *data, size_t rows) {
  mooni_blocks *b = data->blocks;
  moon_tensor *x = NULL, *y = NULL;
  if (rows <= b->batch_room) return MOON_OK;
  MOONI_TRY(make_stage(data, &x, MOON_FLOAT32, data->x, rows));
  moon_status status = data->y ? make_stage(data, &y, data->y->dtype, data->y, rows) : MOON_OK;
  float *weights = status == MOON_OK ? mooni_calloc(data->ctx, rows, sizeof *weights) : NULL;
  if (!weights) {
    if (status == MOON_OK) status = mooni_nomem(data->ctx, rows * sizeof *weights);
    moon_tensor_release(x);
    moon_tensor_release(y);
    return status;
  }
  moon_tensor_release(b->batch_x);
  moon_tensor_release(b->batch_y);
  mooni_free(data->ctx, b->batch_weights);
  b->batch_x = x;
  b->batch_y = y;
  b->batch_weights = weights;
  b->batch_room = rows;
  return MOON_OK;
}

/* Only this dataset knows the tensor, so its shape may change. */
static void set_rows(moon_tensor *t, size_t rows) {
  if (!t) return;
  t->shape[0] = rows;
  t->numel = rows * mooni_width(t);
}

moon_status mooni_dataset_read(const moon_dataset *data, mooni_selection *rows) {
  mooni_blocks *b = data->blocks;
  if (!rows->count) return MOON_OK;
  MOONI_TRY(mooni_blocks_free_to_read(b));
  MOONI_TRY(make_stages(data, rows->count));
  set_rows(b->batch_x, rows->count);
  set_rows(b->batch_y, rows->count);
  float *weights = data->weights ? b->batch_weights : NULL;
  MOONI_TRY(copy_read_rows(data, (batch){b->batch_x, b->batch_y, weights}, rows->first, rows->count));
  rows->x = b->batch_x;
  rows->y = b->batch_y;
  rows->weights = weights;
  rows->order = NULL;
  rows->first = 0;
  return MOON_OK;
}
