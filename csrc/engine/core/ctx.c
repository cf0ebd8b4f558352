/* ctx.c - the context: memory with its accounting, errors, settings. Everything else hangs off one of these. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../internal.h"

/* ---- memory ----
** Blocks are aligned for the vector kernels and for BLIS; the two words before a block say how to give it back, so
** that zlib and libpng, which free without a size, can live on the same allocator. */

enum { ALIGNMENT = 64 };

typedef struct block {
  void *base;
  size_t total;
} block;

/* Rows of a set in a shuffled order lie each on another page, and there are only so many whose place the processor
** knows: so large blocks are to lie on huge pages, if the system would have that. */
static void want_huge_pages(void *p, size_t bytes) {
#ifdef MADV_HUGEPAGE
  const uintptr_t huge = 1 << 21;
  uintptr_t from = ((uintptr_t)p + huge - 1) & ~(huge - 1), to = ((uintptr_t)p + bytes) & ~(huge - 1);
  if (to > from) madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
  (void)p, (void)bytes;
#endif
}

static void *default_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  enum { LARGE = 1 << 22 };
  (void)ud, (void)osize;
  if (!nsize) {
    free(ptr);
    return NULL;
  }
  void *p = realloc(ptr, nsize);
  if (p && nsize >= LARGE) want_huge_pages(p, nsize);
  return p;
}

void *mooni_alloc(moon_ctx *ctx, size_t bytes) {
  size_t total;
  if (__builtin_add_overflow(bytes, sizeof(block) + ALIGNMENT, &total)) return NULL;
  if (ctx->limit && (total > ctx->limit || ctx->used > ctx->limit - total)) return NULL;
  char *base = ctx->alloc(ctx->alloc_ud, NULL, 0, total);
  if (!base) return NULL;
  uintptr_t aligned = ((uintptr_t)base + sizeof(block) + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
  block *b = (block *)aligned - 1;
  b->base = base;
  b->total = total;
  ctx->used += total;
  if (ctx->used > ctx->peak) ctx->peak = ctx->used;
  return b + 1;
}

void *mooni_calloc(moon_ctx *ctx, size_t count, size_t size) {
  size_t bytes;
  if (!mooni_mul(&bytes, count, size)) return NULL;
  void *p = mooni_alloc(ctx, bytes);
  if (p) memset(p, 0, bytes);
  return p;
}

void mooni_free(moon_ctx *ctx, void *p) {
  if (!p) return;
  block *b = (block *)p - 1;
  ctx->used -= b->total;
  ctx->alloc(ctx->alloc_ud, b->base, b->total, 0);
}

char *mooni_strdup(moon_ctx *ctx, const char *text) {
  size_t bytes = strlen(text) + 1;
  char *copy = mooni_alloc(ctx, bytes);
  if (copy) memcpy(copy, text, bytes);
  return copy;
}

bool mooni_malloc_has(size_t bytes) {
  void *volatile p = malloc(bytes); /* or a compiler would leave both calls out */
  free(p);
  return p != NULL;
}

size_t moon_memory_used(const moon_ctx *ctx) { return ctx->used; }
size_t moon_memory_peak(const moon_ctx *ctx) { return ctx->peak; }
size_t moon_memory_limit(const moon_ctx *ctx) { return ctx->limit; }
void moon_set_memory_limit(moon_ctx *ctx, size_t bytes) { ctx->limit = bytes; }

/* ---- errors ---- */

moon_status mooni_fail(moon_ctx *ctx, moon_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(ctx->error, sizeof ctx->error, format, args);
  va_end(args);
  return status;
}

moon_status mooni_nomem(moon_ctx *ctx, size_t bytes) {
  if (ctx->limit)
    return mooni_fail(ctx, MOON_ENOMEM, "out of memory: wanted %zu bytes more, holding %zu (limit %zu)", bytes,
                      ctx->used, ctx->limit);
  return mooni_fail(ctx, MOON_ENOMEM, "out of memory: wanted %zu bytes more, holding %zu", bytes, ctx->used);
}

moon_status mooni_prepend(moon_ctx *ctx, moon_status status, const char *format, ...) {
  char rest[sizeof ctx->error];
  va_list args;
  memcpy(rest, ctx->error, sizeof rest);
  va_start(args, format);
  int n = vsnprintf(ctx->error, sizeof ctx->error, format, args);
  va_end(args);
  if (n >= 0 && (size_t)n < sizeof ctx->error) {
    size_t room = sizeof ctx->error - (size_t)n, length = strlen(rest);
    if (length >= room) length = room - 1;
    memcpy(ctx->error + n, rest, length);
    ctx->error[(size_t)n + length] = 0;
  }
  return status;
}

const char *moon_error(const moon_ctx *ctx) { return ctx->error; }

const char *moon_status_name(moon_status status) {
  static const char *const names[] = {"ok",  "out of memory", "shape", "type",       "range",
                                      "I/O", "format",        "state", "interrupted"};
  return (size_t)status < MOONI_COUNT(names) ? names[status] : "unknown status";
}

char *mooni_shape_text(char *buffer, int rank, const size_t *shape) {
  size_t used = (size_t)snprintf(buffer, MOONI_SHAPE_TEXT, "[");
  for (int i = 0; i < rank; i++)
    used += (size_t)snprintf(buffer + used, MOONI_SHAPE_TEXT - used, i ? " x %zu" : "%zu", shape[i]);
  snprintf(buffer + used, MOONI_SHAPE_TEXT - used, "]");
  return buffer;
}

/* ---- the context itself ---- */

static const mooni_kernels *choose_kernels(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd"))
    return &mooni_kernels_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
    return &mooni_kernels_avx2;
#endif
  return &mooni_kernels_base;
}

moon_status moon_ctx_new(moon_ctx **out, const moon_config *config) {
  static const moon_config defaults = {0};
  if (!config) config = &defaults;
  if (config->threads < 0 || config->threads > 256) return MOON_ERANGE;
  moon_alloc_fn alloc = config->alloc ? config->alloc : default_alloc;
  moon_ctx *ctx = alloc(config->alloc_ud, NULL, 0, sizeof *ctx);
  if (!ctx) return MOON_ENOMEM;
  memset(ctx, 0, sizeof *ctx);
  ctx->refs = 1;
  ctx->alloc = alloc;
  ctx->alloc_ud = config->alloc_ud;
  ctx->limit = config->memory_limit;
  ctx->threads = config->threads ? config->threads : 1;
  ctx->log = config->log;
  ctx->log_ud = config->log_ud;
  ctx->k = choose_kernels();
  atomic_init(&ctx->interrupted, false);
  moon_seed(ctx, config->seed);
  if (ctx->log && strcmp(mooni_blis_config(), "generic") == 0)
    ctx->log(ctx->log_ud, "moonglass: BLIS does not know this CPU and uses its generic kernels, which are slow");
  *out = ctx;
  return MOON_OK;
}

moon_ctx *moon_ctx_retain(moon_ctx *ctx) {
  ctx->refs++;
  return ctx;
}

void moon_ctx_release(moon_ctx *ctx) {
  if (!ctx || --ctx->refs) return;
  mooni_pool_stop(ctx);
  mooni_gemm_forget(ctx);
  ctx->alloc(ctx->alloc_ud, ctx, sizeof *ctx, 0);
}

void moon_seed(moon_ctx *ctx, uint64_t seed) { mooni_rng_seed(&ctx->rng, seed, 0); }
uint64_t moon_random(moon_ctx *ctx) { return mooni_rng_u64(&ctx->rng); }

moon_status moon_set_threads(moon_ctx *ctx, int threads) {
  if (threads < 1 || threads > 256)
    return mooni_fail(ctx, MOON_ERANGE, "threads: expected a whole number of 1 to 256, got %d", threads);
  ctx->threads = threads;
  return MOON_OK;
}

int moon_threads(const moon_ctx *ctx) { return ctx->threads; }
void moon_interrupt(moon_ctx *ctx) { atomic_store_explicit(&ctx->interrupted, true, memory_order_relaxed); }
void moon_clear_interrupt(moon_ctx *ctx) { atomic_store_explicit(&ctx->interrupted, false, memory_order_relaxed); }

moon_status mooni_interrupted(moon_ctx *ctx) {
  if (!atomic_exchange_explicit(&ctx->interrupted, false, memory_order_relaxed)) return MOON_OK;
  return mooni_fail(ctx, MOON_EINTERRUPT, "interrupted");
}

void moon_build_info(const moon_ctx *ctx, moon_build *info) {
  info->version = MOON_VERSION;
  info->blis = mooni_blis_version();
  info->blis_config = mooni_blis_config();
  info->simd = ctx->k->isa;
}

const char *moon_version(void) { return MOON_VERSION; }
