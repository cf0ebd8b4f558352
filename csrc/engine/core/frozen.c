/* frozen.c - a copy of a weight that several contexts read and nobody writes.
**
** A context's memory cannot be shared: its allocator may be a Lua state's, which no other thread may call and which
** ends with that state. So the copy is in memory of no context (malloc), and its count is atomic: the last thread to
** release it frees it. */
#include "frozen.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "tensor.h"

struct mooni_frozen {
  atomic_size_t refs;
  size_t bytes;
  float *value;
  float *grad; /* zeros, so that every parameter has a gradient; large ones from calloc take no memory */
};

static mooni_frozen *frozen_new(const moon_tensor *t) {
  enum { ALIGNMENT = 64 };
  size_t bytes = moon_tensor_bytes(t);
  mooni_frozen *f = malloc(sizeof *f);
  if (!f) return NULL;
  atomic_init(&f->refs, 1);
  f->bytes = bytes;
  f->value = aligned_alloc(ALIGNMENT, bytes / ALIGNMENT * ALIGNMENT + ALIGNMENT);
  f->grad = calloc(1, bytes + 1);
  if (f->value && f->grad) {
    memcpy(f->value, moon_tensor_data(t), bytes);
    return f;
  }
  mooni_frozen_release(f);
  return NULL;
}

static mooni_frozen *frozen_retain(mooni_frozen *f) {
  atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
  return f;
}

void mooni_frozen_release(mooni_frozen *f) {
  if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1) return;
  free(f->value);
  free(f->grad);
  free(f);
}

static void release(void *ud) { mooni_frozen_release(ud); }

mooni_frozen *mooni_freeze(const moon_tensor *t, mooni_frozen **kept) {
  mooni_frozen *f = t->storage->frozen;
  if (f) return frozen_retain(f);
  if (!*kept || memcmp((*kept)->value, moon_tensor_data(t), (*kept)->bytes) != 0) {
    f = frozen_new(t);
    if (!f) return NULL;
    mooni_frozen_release(*kept);
    *kept = f;
  }
  return frozen_retain(*kept);
}

static moon_status frozen_tensor(moon_ctx *ctx, moon_tensor **out, const moon_tensor *t, float *data, mooni_frozen *f) {
  MOONI_TRY(moon_tensor_wrap(ctx, out, MOON_FLOAT32, t->rank, t->shape, data, release, f));
  (*out)->storage->frozen = frozen_retain(f);
  return MOON_OK;
}

moon_status mooni_frozen_tensors(moon_ctx *ctx, moon_tensor **value, moon_tensor **grad, const moon_tensor *t,
                                 mooni_frozen *f) {
  MOONI_TRY(frozen_tensor(ctx, value, t, f->value, f));
  return grad ? frozen_tensor(ctx, grad, t, f->grad, f) : MOON_OK;
}
