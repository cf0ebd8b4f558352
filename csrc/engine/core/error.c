/* error.c - the context's message. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"
#include "memory.h"

moon_status mooni_fail(moon_ctx *ctx, moon_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(ctx->error, sizeof ctx->error, format, args);
  va_end(args);
  ctx->failures++;
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

void mooni_append(moon_ctx *ctx, const char *text) {
  size_t used = strlen(ctx->error);
  snprintf(ctx->error + used, sizeof ctx->error - used, "%s", text);
}

const char *moon_error(const moon_ctx *ctx) { return ctx->error; }

const char *moon_status_name(moon_status status) {
  static const char *const names[] = {"ok",  "out of memory", "shape", "type",       "range",
                                      "I/O", "format",        "state", "interrupted"};
  return (size_t)status < MOONI_COUNT(names) ? names[status] : "unknown status";
}
