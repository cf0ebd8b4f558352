/* refuse.h - a malloc that can be made to fail. It replaces the C library's in the whole process, shared libraries
** included. Sanitizers replace malloc themselves: there REFUSE_MALLOC is 0. */
#ifndef REFUSE_H
#define REFUSE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define REFUSE_MALLOC 1
#else
#define REFUSE_MALLOC 0
#endif

/* Refuse calls first..last, counted from refuse_arm. */
typedef struct refusal {
  size_t first, last;
} refusal;

static atomic_bool refuse_armed;
static atomic_size_t refuse_calls, refuse_first, refuse_last, refuse_count;
static atomic_long __attribute__((unused)) refuse_live; /* blocks allocated and not freed */

static void refuse_arm(refusal r) {
  atomic_store(&refuse_calls, 0);
  atomic_store(&refuse_count, 0);
  atomic_store(&refuse_first, r.first);
  atomic_store(&refuse_last, r.last);
  atomic_store(&refuse_armed, true);
}

static void refuse_disarm(void) { atomic_store(&refuse_armed, false); }

#if REFUSE_MALLOC
#define REFUSE_EXPORT __attribute__((visibility("default"))) /* so that shared libraries use it too */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static bool refused(void) {
  if (!atomic_load_explicit(&refuse_armed, memory_order_relaxed)) return false;
  size_t call = atomic_fetch_add(&refuse_calls, 1) + 1;
  if (call < atomic_load(&refuse_first) || call > atomic_load(&refuse_last)) return false;
  atomic_fetch_add(&refuse_count, 1);
  errno = ENOMEM;
  return true;
}

static void *counted(void *p) {
  if (p) atomic_fetch_add_explicit(&refuse_live, 1, memory_order_relaxed);
  return p;
}

REFUSE_EXPORT void *malloc(size_t size) { return refused() ? NULL : counted(__libc_malloc(size)); }
REFUSE_EXPORT void *calloc(size_t count, size_t size) { return refused() ? NULL : counted(__libc_calloc(count, size)); }
REFUSE_EXPORT void *aligned_alloc(size_t alignment, size_t size) {
  return refused() ? NULL : counted(__libc_memalign(alignment, size));
}

REFUSE_EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
  void *p = aligned_alloc(alignment, size);
  if (!p) return ENOMEM;
  *out = p;
  return 0;
}

/* As in the C library, size 0 frees. */
REFUSE_EXPORT void *realloc(void *p, size_t size) {
  if (!p) return malloc(size);
  if (size && refused()) return NULL;
  if (!size) atomic_fetch_sub_explicit(&refuse_live, 1, memory_order_relaxed);
  return __libc_realloc(p, size);
}

REFUSE_EXPORT void free(void *p) {
  if (p) atomic_fetch_sub_explicit(&refuse_live, 1, memory_order_relaxed);
  __libc_free(p);
}
#endif

#endif
