/* texts.c - a set of texts in the order of their appearance. Found by open addressing; at most half of the slots are
** taken. */
#include "texts.h"

#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"

void mooni_texts_free(mooni_texts *t) {
  for (size_t i = 0; i < t->count; i++) mooni_free(t->ctx, t->list[i]);
  mooni_free(t->ctx, t->list);
  mooni_free(t->ctx, t->slots);
  *t = (mooni_texts){.ctx = t->ctx};
}

static bool is_text(const char *have, const char *text, size_t size) {
  return strncmp(have, text, size) == 0 && !have[size];
}

/* The slot of the text, or the free one where it belongs. */
static size_t slot_of(const mooni_texts *t, const char *text, size_t size) {
  uint64_t hash = 0xcbf29ce484222325u; /* Fowler, Noll and Vo's, FNV-1a */
  for (size_t i = 0; i < size; i++) hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3u;
  size_t slot = (size_t)(hash ^ hash >> 32) & (2 * t->room - 1);
  while (t->slots[slot] && !is_text(t->list[t->slots[slot] - 1], text, size)) slot = (slot + 1) & (2 * t->room - 1);
  return slot;
}

size_t mooni_texts_find(const mooni_texts *t, const char *text, size_t size) {
  uint32_t found = t->room ? t->slots[slot_of(t, text, size)] : 0;
  return found ? found - 1 : t->count;
}

static moon_status grow(mooni_texts *t) {
  mooni_texts larger = {.ctx = t->ctx, .count = t->count, .room = t->room ? 2 * t->room : 8};
  const size_t bytes = larger.room * sizeof *larger.list;
  larger.list = mooni_alloc(t->ctx, bytes);
  larger.slots = mooni_calloc(t->ctx, 2 * larger.room, sizeof *larger.slots);
  if (!larger.list || !larger.slots) {
    mooni_free(t->ctx, larger.list);
    mooni_free(t->ctx, larger.slots);
    return mooni_nomem(t->ctx, bytes);
  }
  for (size_t i = 0; i < t->count; i++) {
    larger.list[i] = t->list[i];
    larger.slots[slot_of(&larger, t->list[i], strlen(t->list[i]))] = (uint32_t)i + 1;
  }
  mooni_free(t->ctx, t->list);
  mooni_free(t->ctx, t->slots);
  *t = larger;
  return MOON_OK;
}

moon_status mooni_texts_add(mooni_texts *t, const char *text, size_t size) {
  if (t->count == t->room) MOONI_TRY(grow(t));
  char *copy = mooni_alloc(t->ctx, size + 1);
  if (!copy) return mooni_nomem(t->ctx, size + 1);
  memcpy(copy, text, size);
  copy[size] = 0;
  t->slots[slot_of(t, text, size)] = (uint32_t)t->count + 1;
  t->list[t->count++] = copy;
  return MOON_OK;
}
