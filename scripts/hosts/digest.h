/* digest.h - one number for many: if two hosts print the same digest, they computed the same bits. */
#ifndef HOSTS_DIGEST_H
#define HOSTS_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a of 64 bits (Fowler, Noll, Vo: draft-eastlake-fnv): for each byte h = (h xor byte) p, modulo 2^64. */
static inline uint64_t digest(const void *data, size_t size) {
  const unsigned char *byte = (const unsigned char *)data;
  uint64_t h = 0xcbf29ce484222325;
  for (size_t i = 0; i < size; i++) h = (h ^ byte[i]) * 0x100000001b3;
  return h;
}

#endif
