/* texts.h - a set of texts in the order of their appearance: categories, classes, names. */
#ifndef MOONI_TEXTS_H
#define MOONI_TEXTS_H

#include "../../moonglass.h"

typedef struct mooni_texts {
  moon_ctx *ctx;
  size_t count, room;
  char **list;     /* each ends with a zero byte */
  uint32_t *slots; /* [2 x room] a hash table: 1 + the place in the list; 0: free */
} mooni_texts;

enum { MOONI_TEXTS_MOST = 1 << 16 }; /* texts in a set */

void mooni_texts_free(mooni_texts *t);

/* The place of the text; count if it is not there. */
size_t mooni_texts_find(const mooni_texts *t, const char *text, size_t size);

/* Add a text that is not there; the caller sees to it that there are fewer than MOONI_TEXTS_MOST. */
moon_status mooni_texts_add(mooni_texts *t, const char *text, size_t size);

#endif
