/* fuzz.h - shared by the fuzz targets. A target is a file with LLVMFuzzerTestOneInput: libFuzzer calls it with bytes
** that it makes (make fuzz), replay.c with those of the seeds (make test). For any bytes the library returns a result,
** or a status and a message, and leaks nothing. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../csrc/moonglass.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition)                                                       \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: expected: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                  \
    }                                                                           \
  } while (0)

/* Put the bytes into a file in memory. Return its path, which is valid until the next call. */
static inline const char *fuzz_file(const uint8_t *data, size_t size) {
  static char path[32];
  static int fd = -1;
  if (fd < 0) {
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    EXPECT(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  }
  EXPECT(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
  return path;
}

/* A new context for every input, so that its peak of memory is that of the input. */
static inline moon_ctx *fuzz_ctx(void) {
  moon_ctx *ctx = NULL;
  EXPECT(moon_ctx_new(&ctx, &(moon_config){.memory_limit = 64 << 20}) == MOON_OK);
  return ctx;
}

/* The end of an input: everything was freed, and at most `most` bytes were in use at any time. */
static inline void fuzz_done(moon_ctx *ctx, size_t most) {
  EXPECT(moon_memory_used(ctx) == 0);
  EXPECT(moon_memory_peak(ctx) <= most);
  moon_ctx_release(ctx);
}

/* Check the result of a loader, for a file that exists. It returns an object if and only if it returns MOON_OK. */
static inline void fuzz_loaded(moon_ctx *ctx, moon_status status, const void *object) {
  EXPECT(status == MOON_OK || status == MOON_EFORMAT || status == MOON_ENOMEM);
  EXPECT((status == MOON_OK) == (object != NULL));
  EXPECT(status == MOON_OK || *moon_error(ctx));
}

/* Read every byte, so that the sanitizers check it. */
static inline void fuzz_touch(const moon_tensor *t) {
  volatile uint8_t sum = 0;
  const uint8_t *bytes = moon_tensor_data(t);
  for (size_t i = 0; i < moon_tensor_bytes(t); i++) sum = (uint8_t)(sum + bytes[i]);
}

#endif
