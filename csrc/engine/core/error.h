/* error.h - the context's message: what was expected, what came. It has a fixed buffer, so it never needs memory. */
#ifndef MOONI_ERROR_H
#define MOONI_ERROR_H

#include "../../moonglass.h"

#define MOONI_TRY(call)                     \
  do {                                      \
    moon_status status_ = (call);           \
    if (status_ != MOON_OK) return status_; \
  } while (0)

/* Set the context's message and return the status. */
moon_status mooni_fail(moon_ctx *ctx, moon_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
moon_status mooni_nomem(moon_ctx *ctx, size_t bytes);

/* Put text before, or behind, the present message. */
moon_status mooni_prepend(moon_ctx *ctx, moon_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void mooni_append(moon_ctx *ctx, const char *text);

#endif
