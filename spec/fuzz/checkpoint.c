/* checkpoint.c - fuzz target: the bytes are a checkpoint for moon.checkpoint.load, unchanged and with the length of the
** header corrected. checkpoint.lua loads it and uses the result. */
#include "state.h"

#include "header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static fuzz_state state;
  const char *path = fuzz_file(data, size);
  state_run(&state, FUZZ_FOLDER "/checkpoint.lua", path, strlen(path));
  uint8_t *copy = with_right_length(data, size);
  if (copy) {
    path = fuzz_file(copy, size);
    state_run(&state, FUZZ_FOLDER "/checkpoint.lua", path, strlen(path));
  }
  free(copy);
  return 0;
}
