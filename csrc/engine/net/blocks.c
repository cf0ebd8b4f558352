/* blocks.c - a dataset whose rows are read block by block. There is no array with an entry for each row. */
#include "blocks.h"

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"

/* ---- which rows a block has ---- */

static size_t begin_of(const mooni_blocks *b, size_t k) { return k ? k * b->block - b->lacking : 0; }

static size_t end_of(const mooni_blocks *b, size_t k) {
  size_t end = (k + 1) * b->block - b->lacking;
  return end < b->rows ? end : b->rows;
}

static size_t rows_of(const mooni_blocks *b, size_t k) { return end_of(b, k) - begin_of(b, k); }

/* As many blocks are together as 32 MB hold, but 2 to 16. */
static size_t choose_together(const mooni_blocks *b) {
  enum { BYTES = 32 << 20, LEAST = 2, MOST = 16 };
  size_t width = moon_source_width(b->x) + (b->y ? moon_source_width(b->y) : 0);
  size_t n = BYTES / sizeof(float) / width / b->block;
  n = n < LEAST ? LEAST : n > MOST ? MOST : n;
  return n < b->count ? n : b->count;
}

/* ---- making ---- */

moon_status mooni_blocks_new(moon_ctx *ctx, mooni_blocks **out, const moon_source *x, const moon_source *y) {
  const moon_source *leader = mooni_source_block(x) ? x : y;
  mooni_blocks *b = mooni_alloc(ctx, sizeof *b);
  if (!b) return mooni_nomem(ctx, sizeof *b);
  *b = (mooni_blocks){.ctx = ctx, .x = x, .y = y, .rows = moon_source_rows(x), .block = mooni_source_block(leader)};
  b->lacking = leader->first % b->block;
  b->count = (b->lacking + b->rows + b->block - 1) / b->block;
  b->together = choose_together(b);
  b->order = mooni_calloc(ctx, b->count, sizeof *b->order);
  if (!b->order) {
    size_t wanted = b->count * sizeof *b->order;
    mooni_blocks_free(b);
    return mooni_nomem(ctx, wanted);
  }
  mooni_blocks_unshuffle(b);
  *out = b;
  return MOON_OK;
}

static void drop_buffers(mooni_blocks *b) {
  moon_tensor_release(b->buffer_x);
  moon_tensor_release(b->buffer_y);
  mooni_free(b->ctx, b->slot);
  mooni_free(b->ctx, b->row);
}

void mooni_blocks_free(mooni_blocks *b) {
  if (!b) return;
  drop_buffers(b);
  moon_tensor_release(b->batch_x);
  moon_tensor_release(b->batch_y);
  mooni_free(b->ctx, b->batch_weights);
  mooni_free(b->ctx, b->order);
  mooni_free(b->ctx, b);
}

/* ---- the order ---- */

void mooni_blocks_unshuffle(mooni_blocks *b) {
  for (size_t i = 0; i < b->count; i++) b->order[i] = (uint32_t)i;
  if (b->shuffled) b->loaded = 0;
  b->shuffled = false;
  b->changes++;
}

void mooni_blocks_shuffle(mooni_blocks *b, uint64_t seed, uint64_t epoch) {
  mooni_rng rng;
  mooni_rng_seed(&rng, seed, epoch);
  mooni_blocks_unshuffle(b);
  mooni_rng_shuffle(&rng, b->order, b->count);
  b->shuffled = true;
  b->seed = seed;
  b->epoch = epoch;
  b->loaded = 0;
}

static size_t group_blocks(const mooni_blocks *b, size_t group) {
  size_t n = b->shuffled ? b->together : 1;
  return n < b->count - group ? n : b->count - group;
}

static size_t group_rows(const mooni_blocks *b, size_t group) {
  size_t n = 0;
  for (size_t i = 0; i < group_blocks(b, group); i++) n += rows_of(b, b->order[group + i]);
  return n;
}

/* ---- loading ---- */

static moon_status make_buffer(mooni_blocks *b, moon_tensor **out, const moon_source *s, size_t rows) {
  if (!s || !mooni_source_block(s)) return MOON_OK;
  return moon_tensor_new(b->ctx, out, MOON_FLOAT32, 2, (size_t[]){rows, moon_source_width(s)});
}

static moon_status make_room(mooni_blocks *b, size_t rows) {
  if (rows <= b->room) return MOON_OK;
  drop_buffers(b); /* first: old and new ones need not be there together */
  b->buffer_x = b->buffer_y = NULL;
  b->room = b->loaded = 0;
  b->slot = mooni_calloc(b->ctx, rows, sizeof *b->slot);
  b->row = mooni_calloc(b->ctx, rows, sizeof *b->row);
  if (!b->slot || !b->row) return mooni_nomem(b->ctx, rows * sizeof *b->slot);
  MOONI_TRY(make_buffer(b, &b->buffer_x, b->x, rows));
  MOONI_TRY(make_buffer(b, &b->buffer_y, b->y, rows));
  b->room = rows;
  return MOON_OK;
}

static moon_status fetch(const mooni_blocks *b, moon_tensor *to, const moon_source *s, size_t at, size_t k) {
  size_t changes = b->changes;
  if (!to) return MOON_OK;
  MOONI_TRY(mooni_source_fetch(s, to, at, begin_of(b, k), rows_of(b, k)));
  if (b->changes == changes) return MOON_OK;
  return mooni_fail(b->ctx, MOON_ESTATE, "the source's reader has changed the order of the dataset that it reads for");
}

/* The rows of a group lie in the buffers as they are read; the order of their places is drawn. */
static void arrange(mooni_blocks *b, size_t group) {
  size_t n = 0;
  for (size_t i = 0; i < group_blocks(b, group); i++)
    for (size_t k = b->order[group + i], r = begin_of(b, k); r < end_of(b, k); r++) b->row[n++] = (uint32_t)r;
  for (size_t i = 0; i < n; i++) b->slot[i] = (uint32_t)i;
  if (!b->shuffled) return;
  mooni_rng rng;
  mooni_rng_seed(&rng, b->seed + (group + 1) * 0x9E3779B97F4A7C15, b->epoch);
  mooni_rng_shuffle(&rng, b->slot, n);
  mooni_rng_seed(&rng, b->seed + (group + 1) * 0x9E3779B97F4A7C15, b->epoch); /* the same order */
  mooni_rng_shuffle(&rng, b->row, n);
}

static moon_status load_group(mooni_blocks *b, size_t group) {
  size_t at = 0, most = group_blocks(b, 0) * b->block;
  MOONI_TRY(make_room(b, most < b->rows ? most : b->rows));
  for (size_t i = 0; i < group_blocks(b, group); i++) {
    size_t k = b->order[group + i];
    MOONI_TRY(fetch(b, b->buffer_x, b->x, at, k));
    MOONI_TRY(fetch(b, b->buffer_y, b->y, at, k));
    at += rows_of(b, k);
  }
  arrange(b, group);
  return MOON_OK;
}

moon_status mooni_blocks_free_to_read(const mooni_blocks *b) {
  if (!b->reading) return MOON_OK;
  return mooni_fail(b->ctx, MOON_ESTATE, "the source's reader asks for rows of the dataset that it reads for");
}

moon_status mooni_blocks_load(mooni_blocks *b, size_t place, size_t *at, size_t *n) {
  MOONI_TRY(mooni_blocks_free_to_read(b));
  if (place < b->first || place - b->first >= b->loaded) {
    bool ahead = b->loaded && place >= b->first;
    size_t group = ahead ? b->group : 0, first = ahead ? b->first : 0, rows;
    for (; (rows = group_rows(b, group)) <= place - first; group += group_blocks(b, group)) first += rows;
    b->loaded = 0;
    b->reading = true;
    moon_status status = load_group(b, group);
    b->reading = false;
    if (status != MOON_OK) return status;
    b->group = group;
    b->first = first;
    b->loaded = rows;
  }
  *at = place - b->first;
  *n = b->loaded - *at;
  return MOON_OK;
}
