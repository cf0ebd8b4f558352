/* ctx.h - the context: allocator, settings, message, random stream. Every object points to one. */
#ifndef MOONI_CTX_H
#define MOONI_CTX_H

#include <stdatomic.h>

#include "../../moonglass.h"
#include "rng.h"

struct moon_ctx {
  size_t refs;
  moon_alloc_fn alloc;
  void *alloc_ud;
  size_t used, peak, limit;
  int threads;
  moon_log_fn log;
  void *log_ud;
  atomic_bool interrupted;
  const struct mooni_kernels *k; /* the kernels for this CPU */
  struct mooni_warm *warm;       /* gemm.c: shapes that BLIS has run already */
  struct mooni_pool *pool;       /* pool.c: NULL until it is needed */
  mooni_rng rng;
  size_t failures; /* how many messages there were */
  size_t reading;  /* readers of sources that run now (source.c) */
  char error[1024];
};

/* MOON_EINTERRUPT, once, after moon_interrupt. Called before each batch. */
moon_status mooni_interrupted(moon_ctx *ctx);

#endif
