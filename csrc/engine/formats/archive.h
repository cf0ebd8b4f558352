/* archive.h - archives, and the writing of JSON, as archive.c and weights.c share them. */
#ifndef MOONI_ARCHIVE_H
#define MOONI_ARCHIVE_H

#include <jansson.h>

#include "../../moonglass.h"

typedef struct mooni_item {
  char *name;
  moon_tensor *tensor;
} mooni_item;

typedef struct mooni_entry {
  char *key, *text;
} mooni_entry;

struct moon_archive {
  size_t refs;
  moon_ctx *ctx;
  mooni_item *items;
  mooni_entry *entries;
  size_t item_count, item_room, entry_count, entry_room;
};

/* Forget what was added last, back to these counts: the undoing of a failed series of additions. */
void mooni_archive_cut(moon_archive *archive, size_t items, size_t entries);

/* Compact text on one line, to be freed with mooni_free. Takes over value, which may be NULL: then, and when memory
** ran out while it was made, MOON_ENOMEM. */
moon_status mooni_json_text(moon_ctx *ctx, char **out, json_t *value);

#endif
