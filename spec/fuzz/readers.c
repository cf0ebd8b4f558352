/* readers.c - fuzz target: a line with the name of a function that reads files, and the file's bytes. readers.lua calls
** the function. It knows every reader of files in the library, written in C or Lua. */
#include "state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fuzz_state state;
  state_run(&state, FUZZ_FOLDER "/readers.lua", (const char *)data, size);
  return 0;
}
