/* readers.c - fuzz target: a line with the name of a function that reads files, then the file's bytes. readers.lua
** calls it. It covers every function of the library that reads files, in C or in Lua. */
#include "state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fuzz_state state;
  state_run(&state, FUZZ_FOLDER "/readers.lua", (const char *)data, size);
  return 0;
}
