/* header.h - for targets that read safetensors files: corrects the length in the first 8 bytes. */
#ifndef FUZZ_HEADER_H
#define FUZZ_HEADER_H

#include "fuzz.h"

/* The length of the JSON object at the beginning of a text; the text's length if the object does not end. */
static inline size_t object_length(const uint8_t *text, size_t size) {
  size_t depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < size; i++) {
    if (quoted && text[i] == '\\')
      i++;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (!quoted && text[i] == '{')
      depth++;
    else if (!quoted && text[i] == '}' && --depth == 0)
      return i + 1;
  }
  return size;
}

/* A copy with the right length of its header, to be freed; NULL if the bytes do not begin like a safetensors file. */
static inline uint8_t *with_right_length(const uint8_t *data, size_t size) {
  if (size < 10 || data[8] != '{') return NULL;
  uint64_t length = object_length(data + 8, size - 8);
  uint8_t *copy = malloc(size);
  EXPECT(copy);
  memcpy(copy, data, size);
  for (int i = 0; i < 8; i++) copy[i] = (uint8_t)(length >> 8 * i);
  return copy;
}

#endif
