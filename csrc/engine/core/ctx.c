/* ctx.c - making, setting up and ending a context. */
#include "ctx.h"

#include <stdatomic.h>
#include <string.h>

#include "../kernels/table.h"
#include "error.h"
#include "gemm.h"
#include "memory.h"
#include "pool.h"

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
  moon_alloc_fn alloc = config->alloc ? config->alloc : mooni_default_alloc;
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
