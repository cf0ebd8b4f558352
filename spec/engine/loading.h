/* loading.h - shared by the tests of file formats: a folder, a context, checks of status and message, loaders. */
#ifndef LOADING_H
#define LOADING_H

#include <stdio.h>
#include <string.h>

#include "../../csrc/moonglass.h"
#include "check.h"
#include "folder.h"

static moon_ctx *ctx;

static bool failed(moon_status got, moon_status want, const char *message, int line) {
  if (got == want && strstr(moon_error(ctx), message)) return true;
  fprintf(stderr, "line %d: got '%s' (%s), expected '%s' (%s)\n", line, moon_status_name(got), moon_error(ctx),
          moon_status_name(want), message);
  return false;
}

/* The call fails with this status and a message that contains this text, and leaks no memory. */
#define FAILS(call, status, message)                \
  do {                                              \
    size_t used_ = moon_memory_used(ctx);           \
    moon_status got_ = (call);                      \
    CHECK(failed(got_, status, message, __LINE__)); \
    CHECK(moon_memory_used(ctx) == used_);          \
  } while (0)

#define WORKS(call) CHECK(failed((call), MOON_OK, "", __LINE__))

/* load_<name>: load a file of one format and release the result. For tests that treat all formats alike. */
typedef moon_status load_fn(moon_ctx *c, const char *path);

#define LOADER(name, type, load, release)                         \
  static moon_status load_##name(moon_ctx *c, const char *path) { \
    type *loaded = NULL;                                          \
    moon_status status = load(c, &loaded, path);                  \
    CHECK((status == MOON_OK) == (loaded != NULL));               \
    release(loaded);                                              \
    return status;                                                \
  }

LOADER(png, moon_tensor, moon_png_read, moon_tensor_release)
LOADER(archive, moon_archive, moon_archive_load, moon_archive_release)
LOADER(net, moon_net, moon_net_load, moon_net_release)

#endif
