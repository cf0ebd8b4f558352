/* text.h - a growing text with a limit. An addition that does not fit, or for which there is no memory, marks the text
** as failed; later additions do nothing. So a writer checks once, at the end. */
#ifndef PLAYGROUND_TEXT_H
#define PLAYGROUND_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct text {
  char *data;         /* size bytes, and a zero after them; NULL before the first addition */
  size_t size, room;  /* bytes in use, allocated */
  size_t limit;       /* the most bytes */
  const char *failed; /* NULL, or why: words for people */
} text;

void text_add(text *t, const void *bytes, size_t size);
void text_put(text *t, const char *words);
__attribute__((format(printf, 2, 3))) void text_format(text *t, const char *format, ...);

/* A JSON string: quotes, escapes; bytes that are no UTF-8 become U+FFFD. */
void text_quote(text *t, const char *bytes, size_t size);

/* {"key": "words"} */
void text_object(text *t, const char *key, const char *words, size_t size);

/* Base64 of bytes; the bytes of a base64 text, false if it is none. */
void text_base64(text *t, const void *bytes, size_t size);
bool text_from_base64(text *t, const char *code, size_t size);

/* Empty it. A room beyond `keep` bytes is given back. */
void text_clear(text *t, size_t keep);
void text_free(text *t);

#endif
