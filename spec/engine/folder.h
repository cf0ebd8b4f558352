/* folder.h - a temporary folder for the files of a test. */
#ifndef FOLDER_H
#define FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64] = "/tmp/moonglass-test-XXXXXX"; /* for mkdtemp */

/* The path of a file in the folder. It stays valid for the next seven calls. */
static inline const char *path_of(const char *name) {
  static char path[8][512];
  static unsigned turn;
  char *p = path[turn++ % 8];
  snprintf(p, sizeof path[0], "%s/%s", folder, name);
  return p;
}

/* The number of temporary files left behind: their names begin with a dot. */
static inline int left_over(void) {
  int n = 0;
  DIR *d = opendir(folder);
  for (struct dirent *e; d && (e = readdir(d)) != NULL;)
    n += e->d_name[0] == '.' && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
  if (d) closedir(d);
  return n;
}

static inline void remove_folder(void) {
  DIR *d = opendir(folder);
  for (struct dirent *e; d && (e = readdir(d)) != NULL;)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) remove(path_of(e->d_name));
  if (d) closedir(d);
  rmdir(folder);
}

#endif
