/* history.c - the entries of this session and of earlier ones: in memory, by libedit, and in a file.
**
** Sessions that run at the same time share the file, so each entry is appended at once. The file is rewritten only if
** it has many more entries than are kept. If the history cannot be saved, the session goes on without a message. */
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { KEPT = 1000, MOST = 2 * KEPT };

struct cli_history {
  History *entries;
  char path[PATH_MAX]; /* "": no file */
};

/* ---- the file ---- */

/* Make the missing folders of path, but not the file. */
static void make_folders(const char *path) {
  char folder[PATH_MAX];
  size_t n = strlen(path);
  if (n >= sizeof folder) return;
  for (size_t i = 1; i < n; i++) {
    if (path[i] != '/') continue;
    memcpy(folder, path, i);
    folder[i] = '\0';
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) return;
  }
}

static void find_file(cli_history *h) {
  const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
  int n = -1;
  if (state && *state)
    n = snprintf(h->path, sizeof h->path, "%s/moonglass/history", state);
  else if (home && *home)
    n = snprintf(h->path, sizeof h->path, "%s/.moonglass_history", home);
  if (n < 0 || (size_t)n >= sizeof h->path) h->path[0] = '\0';
}

/* The format that libedit loads: this line, then one line for each entry, encoded as vis(3) does. */
static const char first_line[] = "_HiStOrY_V2_\n";

static void write_entry(FILE *f, const char *text) {
  size_t n = strlen(text);
  if (n > 0 && text[n - 1] == '\n') n--; /* from Enter */
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c > ' ' && c < 0x7f && c != '\\')
      fputc(c, f);
    else
      fprintf(f, "\\%03o", c);
  }
  fputs("\\012\n", f);
}

/* Lock the file until it is closed. After 0.2 s go on without the lock: its holder may be stopped. */
static void lock(FILE *f) {
  const struct timespec pause = {0, 10 * 1000 * 1000};
  for (int i = 0; i < 20 && flock(fileno(f), LOCK_EX | LOCK_NB) != 0; i++) nanosleep(&pause, NULL);
}

static bool is_at(FILE *f, const char *path) {
  struct stat opened, there;
  return fstat(fileno(f), &opened) == 0 && stat(path, &there) == 0 && opened.st_ino == there.st_ino &&
         opened.st_dev == there.st_dev;
}

/* Open the file to append, and lock it; NULL if that fails. Try again if another session has replaced it meanwhile. */
static FILE *open_locked(const char *path) {
  for (int i = 0; i < 3; i++) {
    int descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    FILE *f = descriptor < 0 ? NULL : fdopen(descriptor, "a");
    if (!f) {
      if (descriptor >= 0) close(descriptor);
      return NULL;
    }
    lock(f);
    if (is_at(f, path)) return f;
    fclose(f);
  }
  return NULL;
}

static void append(const cli_history *h, const char *text) {
  struct stat info;
  FILE *f = h->path[0] ? open_locked(h->path) : NULL;
  if (!f) return;
  if (fstat(fileno(f), &info) == 0 && info.st_size == 0) fputs(first_line, f);
  write_entry(f, text);
  fclose(f);
}

/* Replace the file, through a link, by the entries in memory: write another one and rename it, since the process may
** end at any time. */
static void shorten(const cli_history *h) {
  char *target = realpath(h->path, NULL), temporary[PATH_MAX + 24];
  FILE *held = target ? open_locked(target) : NULL;
  if (held) {
    snprintf(temporary, sizeof temporary, "%s.%ld", target, (long)getpid());
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *f = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    HistEvent event;
    if (f) {
      fputs(first_line, f);
      for (int found = history(h->entries, &event, H_LAST); found == 0; found = history(h->entries, &event, H_PREV))
        write_entry(f, event.str);
      bool ok = !ferror(f);
      if (fclose(f) != 0 || !ok || rename(temporary, target) != 0) unlink(temporary);
    }
    fclose(held);
  }
  free(target);
}

/* A file in another format is not a history: it is left alone. */
static void load(cli_history *h) {
  struct stat info;
  HistEvent event;
  make_folders(h->path);
  bool there = stat(h->path, &info) == 0 && info.st_size > 0;
  int count = there ? history(h->entries, &event, H_LOAD, h->path) : 0;
  if (count < 0) h->path[0] = '\0';
  if (count > MOST) shorten(h);
}

/* ---- entries ---- */

cli_history *cli_history_open(void) {
  HistEvent event;
  cli_history *h = calloc(1, sizeof *h);
  if (!h) return NULL;
  h->entries = history_init();
  if (!h->entries) {
    free(h);
    return NULL;
  }
  history(h->entries, &event, H_SETSIZE, KEPT);
  history(h->entries, &event, H_SETUNIQUE, 1);
  find_file(h);
  if (h->path[0]) load(h);
  return h;
}

void cli_history_close(cli_history *h) {
  if (!h) return;
  history_end(h->entries);
  free(h);
}

void *cli_history_entries(cli_history *h) { return h->entries; }

void cli_history_add(cli_history *h, const char *text) {
  HistEvent event;
  if (history(h->entries, &event, H_ENTER, text) > 0) append(h, text);
}
