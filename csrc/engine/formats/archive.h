/* archive.h - archives: named tensors and text entries. */
#ifndef MOONI_ARCHIVE_H
#define MOONI_ARCHIVE_H

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

/* The key of the text entries in a safetensors header: no tensor can have this name. */
#define MOONI_METADATA "__metadata__"

/* Add a tensor, or a text, whose name is known to be new: a search for each would take too long in a file with a
** million of them. */
moon_status mooni_archive_append(moon_archive *archive, const char *name, moon_tensor *t);
moon_status mooni_archive_append_text(moon_archive *archive, const char *key, const char *text);

/* Remove what was added last, back to these counts, after a failed series of additions. */
void mooni_archive_cut(moon_archive *archive, size_t items, size_t entries);

#endif
