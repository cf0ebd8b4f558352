/* lines.c - counts the lines of Lua that run, for `make coverage`. LUA_INIT_5_4 loads this module into every program
** with Lua that the tests start. It is in C, because a hook in Lua would make garbage, which some tests count. At exit
** the process writes the lines of files below lua/moonglass to a separate file in the folder MOONGLASS_COVERAGE, each
** as "path line". Coroutines inherit the hook. */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FILES = 256, MOST_LINES = 4096, MOST_PATH = 512 };

typedef struct file {
  char path[MOST_PATH]; /* starts with "lua/moonglass/" */
  bool seen[MOST_LINES];
} file;

static file *files[MOST_FILES];
static int count;
static pid_t owner;

/* NULL if the source is not a file of the library, or if there are too many files. */
static file *find(const char *source) {
  const char *path = *source == '@' ? strstr(source, "lua/moonglass/") : NULL;
  if (!path || strlen(path) >= MOST_PATH) return NULL;
  for (int i = 0; i < count; i++)
    if (strcmp(files[i]->path, path) == 0) return files[i];
  if (count == MOST_FILES || !(files[count] = calloc(1, sizeof **files))) return NULL;
  strcpy(files[count]->path, path);
  return files[count++];
}

static void on_line(lua_State *L, lua_Debug *ar) {
  if (!lua_getinfo(L, "Sl", ar)) return;
  file *f = find(ar->source);
  if (f && ar->currentline > 0 && ar->currentline < MOST_LINES) f->seen[ar->currentline] = true;
}

static void save(void) {
  char name[MOST_PATH];
  const char *folder = getenv("MOONGLASS_COVERAGE");
  if (!folder || !count || getpid() != owner) return;
  snprintf(name, sizeof name, "%s/%ld.lines", folder, (long)owner);
  FILE *out = fopen(name, "a");
  if (!out) return;
  for (int i = 0; i < count; i++)
    for (int line = 1; line < MOST_LINES; line++)
      if (files[i]->seen[line]) fprintf(out, "%s %d\n", files[i]->path, line);
  fclose(out);
}

int luaopen_lines(lua_State *L) {
  owner = getpid();
  atexit(save);
  lua_sethook(L, on_line, LUA_MASKLINE, 0);
  return 0;
}
