/* quantiles.c - exact quantiles of columns in two passes. */
#include "quantiles.h"

#include <math.h>
#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"

/* Counters come in pages, since the numbers of a column have few magnitudes: a page covers a sign and two exponents. */
enum { PAGES = 256, PAGE = 256, HALF = PAGES * PAGE, RANKS = 2 * MOONI_QUARTERS };

/* So many lower halves take as much room as a counter for each possible one. */
enum { KEPT = HALF * sizeof(uint64_t) / sizeof(uint16_t) };

/* The numbers of a column that have one upper half, if a quantile needs one of them. */
typedef struct band {
  uint32_t upper;
  uint64_t below, count; /* how many numbers of the column are smaller; how many are in here */
  uint64_t seen;         /* in the second pass */
  uint16_t *kept;        /* [count] lower halves, or NULL: */
  uint64_t *counts;      /* [HALF] of each lower half */
} band;

typedef struct column {
  uint64_t *pages[PAGES]; /* of the first pass; NULL where there is none */
  uint64_t count;
  band bands[RANKS]; /* of the second pass */
  size_t band_count;
} column;

struct mooni_quantiles {
  moon_ctx *ctx;
  size_t width;
  bool second;
  column columns[];
};

/* Negative floats are ordered backwards by their bits. */
static uint32_t key_of(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits >> 31 ? ~bits : bits | UINT32_C(1) << 31;
}

static double value_of(uint32_t key) {
  float v;
  uint32_t bits = key >> 31 ? key ^ UINT32_C(1) << 31 : ~key;
  memcpy(&v, &bits, sizeof v);
  return v;
}

moon_status mooni_quantiles_new(moon_ctx *ctx, mooni_quantiles **out, size_t width) {
  size_t bytes = sizeof(mooni_quantiles);
  mooni_quantiles *q = NULL;
  if (mooni_mul(&bytes, width, sizeof(column))) q = mooni_calloc(ctx, 1, sizeof *q + bytes);
  if (!q) return mooni_nomem(ctx, bytes);
  q->ctx = ctx;
  q->width = width;
  *out = q;
  return MOON_OK;
}

static void free_pages(const mooni_quantiles *q, column *c) {
  for (size_t i = 0; i < PAGES; i++) {
    mooni_free(q->ctx, c->pages[i]);
    c->pages[i] = NULL;
  }
}

static void free_bands(const mooni_quantiles *q, column *c) {
  for (size_t i = 0; i < c->band_count; i++) {
    mooni_free(q->ctx, c->bands[i].kept);
    mooni_free(q->ctx, c->bands[i].counts);
  }
  c->band_count = 0;
}

void mooni_quantiles_free(mooni_quantiles *q) {
  if (!q) return;
  for (size_t j = 0; j < q->width; j++) {
    free_pages(q, &q->columns[j]);
    free_bands(q, &q->columns[j]);
  }
  mooni_free(q->ctx, q);
}

/* ---- the first pass ---- */

moon_status mooni_quantiles_plan(mooni_quantiles *q, const float *row) {
  for (size_t j = 0; j < q->width && !q->second; j++) {
    if (isnan(row[j])) continue;
    uint64_t **page = &q->columns[j].pages[key_of(row[j]) >> 24];
    if (!*page) *page = mooni_calloc(q->ctx, PAGE, sizeof **page);
    if (!*page) return mooni_nomem(q->ctx, PAGE * sizeof **page);
  }
  return MOON_OK;
}

/* False: it was not planned for. A mapped file may have changed since. */
static bool count_upper(column *c, uint32_t key) {
  uint64_t *page = c->pages[key >> 24];
  if (!page) return false;
  page[key >> 16 & (PAGE - 1)]++;
  c->count++;
  return true;
}

/* The numbers a column's quantiles lie between: ranks[2 i] and ranks[2 i + 1], in the order of their size from 0, and
** how far from the first to the second. */
static void ranks_of(const column *c, uint64_t ranks[RANKS], double between[MOONI_QUARTERS]) {
  for (size_t i = 0; i < MOONI_QUARTERS; i++) {
    double at = (double)(c->count - 1) * (double)(i + 1) / (MOONI_QUARTERS + 1), down = floor(at);
    ranks[2 * i] = (uint64_t)down;
    ranks[2 * i + 1] = (uint64_t)ceil(at);
    between[i] = at - down;
  }
}

/* Note the band that holds number `rank`, unless it is the last one that was noted: ranks come in rising order. */
static void note_band(column *c, uint64_t rank) {
  const band *last = c->band_count ? &c->bands[c->band_count - 1] : NULL;
  if (last && rank < last->below + last->count) return;
  uint64_t below = 0;
  for (uint32_t upper = 0; upper < HALF; upper++) {
    const uint64_t *page = c->pages[upper / PAGE];
    uint64_t count = page ? page[upper % PAGE] : 0;
    if (rank < below + count) {
      c->bands[c->band_count++] = (band){.upper = upper, .below = below, .count = count};
      return;
    }
    below += count;
    if (!page) upper |= PAGE - 1;
  }
}

static moon_status find_bands(const mooni_quantiles *q, column *c) {
  uint64_t ranks[RANKS];
  double between[MOONI_QUARTERS];
  if (!c->count) return MOON_OK;
  ranks_of(c, ranks, between);
  for (size_t i = 0; i < RANKS; i++) note_band(c, ranks[i]);
  for (band *b = c->bands; b < c->bands + c->band_count; b++) {
    bool keep = b->count <= KEPT;
    if (keep)
      b->kept = mooni_calloc(q->ctx, (size_t)b->count, sizeof *b->kept);
    else
      b->counts = mooni_calloc(q->ctx, HALF, sizeof *b->counts);
    if (!b->kept && !b->counts)
      return mooni_nomem(q->ctx, keep ? (size_t)b->count * sizeof *b->kept : HALF * sizeof *b->counts);
  }
  return MOON_OK;
}

moon_status mooni_quantiles_second(mooni_quantiles *q) {
  moon_status status = MOON_OK;
  for (size_t j = 0; j < q->width && status == MOON_OK; j++) status = find_bands(q, &q->columns[j]);
  for (size_t j = 0; j < q->width; j++) {
    if (status == MOON_OK)
      free_pages(q, &q->columns[j]);
    else
      free_bands(q, &q->columns[j]);
  }
  q->second = status == MOON_OK;
  return status;
}

/* ---- the second pass ---- */

static bool count_lower(column *c, uint32_t key) {
  for (band *b = c->bands; b < c->bands + c->band_count; b++) {
    if (b->upper != key >> 16) continue;
    if (b->seen == b->count) return false;
    if (b->kept)
      b->kept[b->seen] = (uint16_t)key;
    else
      b->counts[key & (HALF - 1)]++;
    b->seen++;
  }
  return true;
}

bool mooni_quantiles_add(mooni_quantiles *q, const float *row) {
  bool known = true;
  for (size_t j = 0; j < q->width; j++) {
    if (isnan(row[j])) continue;
    uint32_t key = key_of(row[j]);
    known &= q->second ? count_lower(&q->columns[j], key) : count_upper(&q->columns[j], key);
  }
  return known;
}

bool mooni_quantiles_complete(const mooni_quantiles *q) {
  for (size_t j = 0; j < q->width; j++)
    for (size_t i = 0; i < q->columns[j].band_count; i++)
      if (q->columns[j].bands[i].seen != q->columns[j].bands[i].count) return false;
  return true;
}

/* Which of n counters has number *rank, counted from 0 through all of them; *rank becomes its number in that one. */
static uint32_t find_counter(const uint64_t *counts, size_t n, uint64_t *rank) {
  uint32_t i = 0;
  for (; i + 1 < n && *rank >= counts[i]; i++) *rank -= counts[i];
  return i;
}

/* The lower half of number `rank` of those that are kept: its upper byte first, then its lower one among those. */
static uint32_t select_kept(const band *b, uint64_t rank) {
  uint64_t upper[PAGE] = {0}, lower[PAGE] = {0};
  for (uint64_t i = 0; i < b->count; i++) upper[b->kept[i] >> 8]++;
  uint32_t byte = find_counter(upper, PAGE, &rank);
  for (uint64_t i = 0; i < b->count; i++) lower[b->kept[i] & (PAGE - 1)] += (uint32_t)b->kept[i] >> 8 == byte;
  return byte << 8 | find_counter(lower, PAGE, &rank);
}

static double number_of(const column *c, uint64_t rank) {
  const band *b = c->bands;
  while (rank >= b->below + b->count) b++;
  rank -= b->below;
  uint32_t lower = b->kept ? select_kept(b, rank) : find_counter(b->counts, HALF, &rank);
  return value_of(b->upper << 16 | lower);
}

void mooni_quantiles_of(const mooni_quantiles *q, size_t j, double quarters[MOONI_QUARTERS]) {
  const column *c = &q->columns[j];
  uint64_t ranks[RANKS];
  double between[MOONI_QUARTERS];
  ranks_of(c, ranks, between);
  for (size_t i = 0; i < MOONI_QUARTERS; i++) {
    double from = number_of(c, ranks[2 * i]), to = number_of(c, ranks[2 * i + 1]);
    quarters[i] = from + (to - from) * between[i];
  }
}
