/* folder.c - the names in a folder. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "../core/sort.h"
#include "../core/tensor.h"
#include "file.h"

/* Names one after the other, each with its zero byte. */
typedef struct listing {
  moon_ctx *ctx;
  char *names;
  size_t size, room, count;
} listing;

static moon_status add_name(listing *l, const char *name) {
  size_t n = strlen(name) + 1;
  if (n > l->room - l->size) {
    size_t room = 2 * l->room + n + 1024;
    char *bigger = mooni_alloc(l->ctx, room);
    if (!bigger) return mooni_nomem(l->ctx, room);
    if (l->size) memcpy(bigger, l->names, l->size);
    mooni_free(l->ctx, l->names);
    l->names = bigger;
    l->room = room;
  }
  memcpy(l->names + l->size, name, n);
  l->size += n;
  l->count++;
  return MOON_OK;
}

static moon_status read_names(listing *l, DIR *folder, const char *path) {
  moon_status status = MOON_OK;
  while (status == MOON_OK) {
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (!entry) return errno ? mooni_io_error(l->ctx, "read", path, errno) : MOON_OK;
    if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) status = add_name(l, entry->d_name);
  }
  return status;
}

/* By bytes: a locale would give another order on another machine. */
static bool name_before(const void *a, const void *b, const void *ud) {
  (void)ud;
  return strcmp(*(const char *const *)a, *(const char *const *)b) < 0;
}

static moon_status sort_names(const listing *l, moon_tensor **out) {
  moon_tensor *t;
  const char **sorted = mooni_alloc(l->ctx, (l->count + 1) * sizeof *sorted), *name = l->names;
  if (!sorted) return mooni_nomem(l->ctx, (l->count + 1) * sizeof *sorted);
  for (size_t i = 0; i < l->count; i++, name += strlen(name) + 1) sorted[i] = name;
  mooni_sort(sorted, l->count, sizeof *sorted, name_before, NULL);
  moon_status status = moon_tensor_new(l->ctx, &t, MOON_UINT8, 1, &l->size);
  if (status == MOON_OK) {
    char *to = (char *)moon_tensor_byte(t);
    for (size_t i = 0, n; i < l->count; i++, to += n) {
      n = strlen(sorted[i]) + 1;
      memcpy(to, sorted[i], n);
    }
    *out = t;
  }
  mooni_free(l->ctx, sorted);
  return status;
}

moon_status moon_folder_list(moon_ctx *ctx, moon_tensor **names, const char *path) {
  listing l = {.ctx = ctx};
  DIR *folder = opendir(path ? path : "");
  if (!folder && errno == ENOMEM) return mooni_nomem(ctx, sizeof(struct dirent));
  if (!folder) return mooni_io_error(ctx, "read", path, errno);
  moon_status status = read_names(&l, folder, path);
  closedir(folder);
  if (status == MOON_OK) status = sort_names(&l, names);
  mooni_free(ctx, l.names);
  return status;
}
