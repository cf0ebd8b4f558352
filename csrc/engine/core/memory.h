/* memory.h - memory from a context's allocator, aligned to 64 bytes and counted against the context's limit. */
#ifndef MOONI_MEMORY_H
#define MOONI_MEMORY_H

#include "../../moonglass.h"

#define MOONI_COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The allocator of a context that was given none: realloc and free. */
void *mooni_default_alloc(void *ud, void *ptr, size_t osize, size_t nsize);

/* mooni_alloc leaves the memory unset; mooni_calloc zeroes it and checks count * size for overflow. Both return NULL
** when memory is refused; the caller then sets the message with mooni_nomem. mooni_free takes NULL. */
void *mooni_alloc(moon_ctx *ctx, size_t bytes);
void *mooni_calloc(moon_ctx *ctx, size_t count, size_t size);
void mooni_free(moon_ctx *ctx, void *p);
char *mooni_strdup(moon_ctx *ctx, const char *text);

/* Would malloc give so many bytes now? Asked before calling a library that uses malloc and cannot bear a refusal. */
bool mooni_malloc_has(size_t bytes);

/* Store a * b in *out. False if it overflows. */
static inline bool mooni_mul(size_t *out, size_t a, size_t b) { return !__builtin_mul_overflow(a, b, out); }

#endif
