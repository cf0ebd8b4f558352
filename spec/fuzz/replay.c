/* replay.c - runs a target without a fuzzer on every file of the given folders, or of the target's seeds, and on each
** file's first half and last half. The files are sorted by name. */
#include <dirent.h>

#include "fuzz.h"

static size_t fed;

static void feed(const char *path) {
  static uint8_t bytes[1 << 20];
  FILE *f = fopen(path, "rb");
  size_t size = f ? fread(bytes, 1, sizeof bytes, f) : 0;
  if (!f || ferror(f)) {
    perror(path);
    exit(2);
  }
  fclose(f);
  /* Copy to a block of exactly that size, so that a sanitizer sees a read past its end. */
  size_t begin[] = {0, 0, size / 2}, length[] = {size, size / 2, size - size / 2};
  for (int i = 0; i < 3; i++, fed++) {
    uint8_t *copy = malloc(length[i] + !length[i]);
    memcpy(copy, bytes + begin[i], length[i]);
    if (getenv("REPLAY_VERBOSE")) fprintf(stderr, "%s, bytes %zu to %zu\n", path, begin[i], begin[i] + length[i]);
    LLVMFuzzerTestOneInput(copy, length[i]);
    free(copy);
  }
}

static void feed_folder(const char *folder) {
  struct dirent **list;
  int n = scandir(folder, &list, NULL, alphasort);
  if (n < 0) {
    perror(folder);
    exit(2);
  }
  for (int i = 0; i < n; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
    if (list[i]->d_name[0] != '.') feed(path);
    free(list[i]);
  }
  free(list);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) feed_folder(argv[i]);
  if (argc < 2) feed_folder(SEEDS);
  printf("%zu passed, %d failed\n", fed, !fed);
  return !fed;
}
