/* archive.c - named tensors and text entries in memory. safetensors.c keeps them in a file. */
#include "archive.h"

#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "json.h"

enum { NAME_SHOWN = 100 }; /* bytes of a name in a message */

moon_status moon_archive_new(moon_ctx *ctx, moon_archive **out) {
  moon_archive *a = mooni_calloc(ctx, 1, sizeof *a);
  if (!a) return mooni_nomem(ctx, sizeof *a);
  a->refs = 1;
  a->ctx = moon_ctx_retain(ctx);
  *out = a;
  return MOON_OK;
}

moon_archive *moon_archive_retain(moon_archive *archive) {
  archive->refs++;
  return archive;
}

void mooni_archive_cut(moon_archive *a, size_t items, size_t entries) {
  while (a->item_count > items) {
    mooni_item *item = &a->items[--a->item_count];
    mooni_free(a->ctx, item->name);
    moon_tensor_release(item->tensor);
  }
  while (a->entry_count > entries) {
    mooni_entry *entry = &a->entries[--a->entry_count];
    mooni_free(a->ctx, entry->key);
    mooni_free(a->ctx, entry->text);
  }
}

void moon_archive_release(moon_archive *a) {
  if (!a || --a->refs) return;
  moon_ctx *ctx = a->ctx;
  mooni_archive_cut(a, 0, 0);
  mooni_free(ctx, a->items);
  mooni_free(ctx, a->entries);
  mooni_free(ctx, a);
  moon_ctx_release(ctx);
}

/* Make room for one more element of size bytes in a list. */
static moon_status make_room(moon_ctx *ctx, void **list, size_t count, size_t *room, size_t size) {
  if (count < *room) return MOON_OK;
  size_t more = *room ? 2 * *room : 8;
  void *bigger = mooni_calloc(ctx, more, size);
  if (!bigger) return mooni_nomem(ctx, more * size);
  if (count) memcpy(bigger, *list, count * size);
  mooni_free(ctx, *list);
  *list = bigger;
  *room = more;
  return MOON_OK;
}

moon_status mooni_archive_append(moon_archive *a, const char *name, moon_tensor *t) {
  void *list = a->items;
  MOONI_TRY(make_room(a->ctx, &list, a->item_count, &a->item_room, sizeof *a->items));
  a->items = list;
  char *copy = mooni_strdup(a->ctx, name);
  if (!copy) return mooni_nomem(a->ctx, strlen(name) + 1);
  a->items[a->item_count++] = (mooni_item){copy, moon_tensor_retain(t)};
  return MOON_OK;
}

moon_status moon_archive_add(moon_archive *a, const char *name, moon_tensor *t) {
  if (!name || !t) return mooni_fail(a->ctx, MOON_ERANGE, "archive: expected a tensor and its name, got NULL");
  if (!mooni_is_utf8(name)) return mooni_fail(a->ctx, MOON_ERANGE, "archive: a tensor's name is not UTF-8");
  if (strcmp(name, MOONI_METADATA) == 0)
    return mooni_fail(a->ctx, MOON_ERANGE, "archive: a tensor cannot be named '%s', the format needs that",
                      MOONI_METADATA);
  if (moon_archive_find(a, name))
    return mooni_fail(a->ctx, MOON_ERANGE, "archive: there is a tensor '%.*s' already", NAME_SHOWN, name);
  return mooni_archive_append(a, name, t);
}

static mooni_entry *find_entry(const moon_archive *a, const char *key) {
  for (size_t i = 0; i < a->entry_count; i++)
    if (strcmp(a->entries[i].key, key) == 0) return &a->entries[i];
  return NULL;
}

moon_status mooni_archive_append_text(moon_archive *a, const char *key, const char *text) {
  void *list = a->entries;
  MOONI_TRY(make_room(a->ctx, &list, a->entry_count, &a->entry_room, sizeof *a->entries));
  a->entries = list;
  mooni_entry entry = {mooni_strdup(a->ctx, key), mooni_strdup(a->ctx, text)};
  if (!entry.key || !entry.text) {
    mooni_free(a->ctx, entry.key);
    mooni_free(a->ctx, entry.text);
    return mooni_nomem(a->ctx, strlen(text) + strlen(key));
  }
  a->entries[a->entry_count++] = entry;
  return MOON_OK;
}

moon_status moon_archive_set(moon_archive *a, const char *key, const char *text) {
  if (!key || !text) return mooni_fail(a->ctx, MOON_ERANGE, "archive: expected a text and its key, got NULL");
  if (!mooni_is_utf8(key)) return mooni_fail(a->ctx, MOON_ERANGE, "archive: a text entry's key is not UTF-8");
  if (!mooni_is_utf8(text))
    return mooni_fail(a->ctx, MOON_ERANGE, "archive: the text entry '%.*s' is not UTF-8", NAME_SHOWN, key);
  mooni_entry *found = find_entry(a, key);
  if (!found) return mooni_archive_append_text(a, key, text);
  char *copy = mooni_strdup(a->ctx, text);
  if (!copy) return mooni_nomem(a->ctx, strlen(text) + 1);
  mooni_free(a->ctx, found->text);
  found->text = copy;
  return MOON_OK;
}

bool moon_archive_tensor(const moon_archive *a, size_t i, const char **name, moon_tensor **t) {
  if (i >= a->item_count) return false;
  if (name) *name = a->items[i].name;
  if (t) *t = a->items[i].tensor;
  return true;
}

bool moon_archive_entry(const moon_archive *a, size_t i, const char **key, const char **text) {
  if (i >= a->entry_count) return false;
  if (key) *key = a->entries[i].key;
  if (text) *text = a->entries[i].text;
  return true;
}

moon_tensor *moon_archive_find(const moon_archive *a, const char *name) {
  for (size_t i = 0; i < a->item_count; i++)
    if (strcmp(a->items[i].name, name) == 0) return a->items[i].tensor;
  return NULL;
}

const char *moon_archive_text(const moon_archive *a, const char *key) {
  const mooni_entry *entry = find_entry(a, key);
  return entry ? entry->text : NULL;
}
