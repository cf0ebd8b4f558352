/* memory.c - memory from the context's allocator, aligned and counted. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ctx.h"

/* Shuffled rows touch more pages than the TLB holds: ask for huge pages. */
static void want_huge_pages(void *p, size_t bytes) {
#ifdef MADV_HUGEPAGE
  const uintptr_t huge = 1 << 21;
  uintptr_t from = ((uintptr_t)p + huge - 1) & ~(huge - 1), to = ((uintptr_t)p + bytes) & ~(huge - 1);
  if (to > from) madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
  (void)p, (void)bytes;
#endif
}

void *mooni_default_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
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

/* Blocks are aligned for the vector kernels and for BLIS. The two words before a block say how to free it: zlib and
** libpng, which use this allocator too, free without a size. */

enum { ALIGNMENT = 64 };

typedef struct block {
  void *base;
  size_t total;
} block;

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
  void *volatile p = malloc(bytes); /* volatile: else a compiler would remove both calls */
  free(p);
  return p != NULL;
}

size_t moon_memory_used(const moon_ctx *ctx) { return ctx->used; }
size_t moon_memory_peak(const moon_ctx *ctx) { return ctx->peak; }
size_t moon_memory_limit(const moon_ctx *ctx) { return ctx->limit; }
void moon_set_memory_limit(moon_ctx *ctx, size_t bytes) { ctx->limit = bytes; }
