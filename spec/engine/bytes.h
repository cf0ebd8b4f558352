/* bytes.h - small files in memory for the tests of formats: write, read, compare; make IDX, PNG chunks and gzip. */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "check.h"

typedef struct bytes {
  size_t size;
  uint8_t data[1 << 16];
} bytes;

static inline void put(bytes *b, const void *data, size_t n) {
  if (n) memcpy(b->data + b->size, data, n);
  b->size += n;
}

static inline void put_big(bytes *b, uint32_t v) {
  put(b, (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

/* A chunk of a PNG file. */
static inline void put_chunk(bytes *b, const char *type, const void *data, size_t n) {
  put_big(b, (uint32_t)n);
  size_t at = b->size;
  put(b, type, 4);
  put(b, data, n);
  put_big(b, (uint32_t)crc32(0, b->data + at, (uInt)(4 + n)));
}

static inline bool same_bytes(const bytes *a, const bytes *b) {
  return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

/* Write a file. Return the path. */
static inline const char *write_to(const char *path, const void *data, size_t n) {
  FILE *f = fopen(path, "wb");
  if (!f || (n && fwrite(data, 1, n, f) != n) || fclose(f)) {
    perror(path);
    exit(2);
  }
  return path;
}

/* Read a file. A file that cannot be read gives 0 bytes. */
static inline void read_file(const char *path, bytes *b) {
  FILE *f = fopen(path, "rb");
  b->size = f ? fread(b->data, 1, sizeof b->data, f) : 0;
  if (f) fclose(f);
}

static inline void make_idx(bytes *b, uint8_t type, int rank, const uint32_t *shape, const void *data, size_t n) {
  b->size = 0;
  put(b, (uint8_t[]){0, 0, type, (uint8_t)rank}, 4);
  for (int i = 0; i < rank; i++) put_big(b, shape[i]);
  put(b, data, n);
}

/* Append a gzip member of these bytes. */
static inline void gzip(bytes *out, const void *data, size_t n) {
  z_stream z = {0};
  deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  z.next_in = (Bytef *)(uintptr_t)data;
  z.avail_in = (uInt)n;
  z.next_out = out->data + out->size;
  z.avail_out = (uInt)(sizeof out->data - out->size);
  CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out->size = sizeof out->data - z.avail_out;
  deflateEnd(&z);
}

#endif
