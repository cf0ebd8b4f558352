/* files.c - finding the embedded files. A name is compared as it is, so no name leads out of the table. */
#include "files.h"

#include <string.h>

const file *files_find(const char *name) {
  size_t low = 0, high = files_count; /* embed.sh has sorted the table */
  while (low < high) {
    size_t middle = (low + high) / 2;
    int order = strcmp(name, files_embedded[middle].name);
    if (order == 0) return &files_embedded[middle];
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return NULL;
}

const char *files_type(const char *name) {
  static const char *const types[][2] = {
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".webmanifest", "application/manifest+json"},
      {".lua", "text/plain; charset=utf-8"},
  };
  const char *suffix = strrchr(name, '.');
  for (size_t i = 0; suffix && i < sizeof types / sizeof *types; i++)
    if (strcmp(suffix, types[i][0]) == 0) return types[i][1];
  return "application/octet-stream";
}
