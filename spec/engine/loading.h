/* loading.h - shared by the tests of file formats: a folder, a context, checks of status and message, loaders. */
#ifndef LOADING_H
#define LOADING_H

#include <stdio.h>
#include <stdlib.h>
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

#define LOADER(name, type, load, release)                                                 \
  __attribute__((unused)) static moon_status load_##name(moon_ctx *c, const char *path) { \
    type *loaded = NULL;                                                                  \
    moon_status status = load(c, &loaded, path);                                          \
    CHECK((status == MOON_OK) == (loaded != NULL));                                       \
    release(loaded);                                                                      \
    return status;                                                                        \
  }

/* The content of a file, to be freed; NULL if there is none. */
static uint8_t *content_of(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  if (!f) return NULL;
  fseek(f, 0, SEEK_END);
  *size = (size_t)ftell(f);
  rewind(f);
  uint8_t *content = malloc(*size + 1);
  CHECK(content && fread(content, 1, *size, f) == *size);
  fclose(f);
  return content;
}

/* The same for formats that can also be in memory: the bytes of a file that could be read are decoded too. Both must
** end in the same way; the message is that of the file. */
#define DECODING_LOADER(name, type, load, decode, release)                                \
  LOADER(name##_file, type, load, release)                                                \
  __attribute__((unused)) static moon_status load_##name(moon_ctx *c, const char *path) { \
    type *loaded = NULL;                                                                  \
    size_t size;                                                                          \
    moon_status status = load_##name##_file(c, path), other;                              \
    if (status != MOON_OK && status != MOON_EFORMAT) return status;                       \
    uint8_t *content = content_of(path, &size);                                           \
    other = content ? decode(c, &loaded, content, size) : MOON_EIO;                       \
    CHECK((other == MOON_OK) == (loaded != NULL));                                        \
    CHECK(other == status || other == MOON_ENOMEM);                                       \
    release(loaded);                                                                      \
    free(content);                                                                        \
    return other == MOON_EFORMAT ? load_##name##_file(c, path) : other;                   \
  }

LOADER(png, moon_tensor, moon_png_read, moon_tensor_release)
DECODING_LOADER(archive, moon_archive, moon_archive_load, moon_archive_decode, moon_archive_release)
DECODING_LOADER(net, moon_net, moon_net_load, moon_net_from_bytes, moon_net_release)

#endif
