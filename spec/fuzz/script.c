/* script.c - fuzz target: script.lua turns the bytes into a program of calls of the public Lua functions. It runs in a
** temporary folder. */
#include <dirent.h>

#include "state.h"

static char folder[] = "/tmp/moonglass-fuzz-XXXXXX";

static void empty_folder(void) {
  DIR *d = opendir(".");
  for (struct dirent *e; d && (e = readdir(d)) != NULL;)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) unlink(e->d_name);
  if (d) closedir(d);
}

static void remove_folder(void) {
  empty_folder();
  EXPECT(chdir("/") == 0 && rmdir(folder) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fuzz_state state;
  static bool inside;
  if (!inside) {
    EXPECT(mkdtemp(folder) && chdir(folder) == 0 && atexit(remove_folder) == 0);
    inside = true;
  }
  state_run(&state, FUZZ_FOLDER "/script.lua", (const char *)data, size);
  if (state.inputs % 16 == 0) empty_folder();
  return 0;
}
