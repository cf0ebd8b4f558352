/* follow.c - a growing file as a stream. A thread copies what is appended into a pipe, so a reader of the pipe waits
** for whole lines as it would behind `tail -F`. On Linux inotify wakes the thread; elsewhere, and where inotify sees
** nothing (a network's file systems), it looks again after a moment. */
#include "follow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

struct follower {
  const char *path;
  int file;       /* the file that is read */
  off_t offset;   /* how far it was read */
  int in, out;    /* the ends of the pipe: the thread's, the reader's */
  int watch;      /* inotify; -1: none */
  bool cut;       /* the stream ended since the file was cut off, not replaced */
  int error;      /* the stream ended since the file could not be read: errno */
  pthread_t pump; /* the thread of this stream */
};

/* ---- waiting ---- */

/* How long the thread waits at most before it looks again. */
enum { WATCHED_MS = 200, UNWATCHED_MS = 2 };

#ifdef __linux__
/* The file for what is appended, its folder for a file that takes its name. -1: there is no inotify. */
static int open_watch(const char *path) {
  int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  char *folder = strdup(path);
  if (watch >= 0 && folder) {
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    bool both = inotify_add_watch(watch, path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF) >= 0 &&
                inotify_add_watch(watch, slash ? folder : ".", IN_CREATE | IN_MOVED_TO) >= 0;
    if (!both) {
      close(watch);
      watch = -1;
    }
  }
  free(folder);
  return watch;
}

/* Which event it was does not matter: the thread looks at the file. */
static void drop_events(int watch) {
  char events[4096];
  while (read(watch, events, sizeof events) > 0) continue;
}
#else
static int open_watch(const char *path) {
  (void)path;
  return -1;
}

static void drop_events(int watch) { (void)watch; }
#endif

static void wait_a_moment(const follower *f) {
  struct pollfd watch = {.fd = f->watch, .events = POLLIN}; /* -1 is ignored, so that poll is a pause */
  if (poll(&watch, 1, f->watch < 0 ? UNWATCHED_MS : WATCHED_MS) > 0) drop_events(f->watch);
}

/* ---- the thread ---- */

static bool write_all(int fd, const char *bytes, size_t n) {
  for (size_t done = 0; done < n;) {
    ssize_t k = write(fd, bytes + done, n - done);
    if (k < 0 && errno != EINTR) return false;
    if (k > 0) done += (size_t)k;
  }
  return true;
}

/* Copy what the file has beyond the offset. False: the reader is gone, or the file cannot be read. */
static bool copy_rest(follower *f) {
  char bytes[1 << 16];
  for (;;) {
    ssize_t n = read(f->file, bytes, sizeof bytes);
    if (n == 0) return true;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) f->error = errno;
    if (n < 0 || !write_all(f->in, bytes, (size_t)n)) return false;
    f->offset += n;
  }
}

/* Is the file not the one of its name any more, or shorter than what was read? While no file has the name, the next one
** is awaited. */
static bool has_ended(follower *f) {
  struct stat mine, named;
  if (fstat(f->file, &mine) != 0) return false;
  f->cut = mine.st_size < f->offset;
  return f->cut || (stat(f->path, &named) == 0 && (named.st_ino != mine.st_ino || named.st_dev != mine.st_dev));
}

static void *pump(void *ud) {
  follower *f = ud;
  while (copy_rest(f)) {
    if (has_ended(f)) {
      if (!f->cut) copy_rest(f); /* what was appended before the file lost its name */
      break;
    }
    wait_a_moment(f);
  }
  close(f->in);
  return NULL;
}

/* ---- streams ---- */

static outcome start_stream(follower *f) {
  int ends[2];
  f->watch = open_watch(f->path);
  f->offset = 0;
  f->error = 0;
  if (pipe(ends) != 0) return say_failure("%s: cannot make a pipe: %s", f->path, strerror(errno));
  f->out = ends[0];
  f->in = ends[1];
  int status = pthread_create(&f->pump, NULL, pump, f);
  return status == 0 ? GOING : say_failure("%s: cannot start a thread: %s", f->path, strerror(status));
}

static outcome open_file(follower *f) {
  struct stat about;
  f->file = open(f->path, O_RDONLY | O_CLOEXEC);
  if (f->file < 0) return say_failure("cannot read '%s': %s", f->path, strerror(errno));
  if (fstat(f->file, &about) != 0 || !S_ISREG(about.st_mode))
    return say_failure("'%s' is not a file that grows; --follow takes a regular file", f->path);
  return GOING;
}

outcome follow_open(follower **out, const char *path) {
  follower *f = calloc(1, sizeof *f);
  if (!f) return say_failure("out of memory");
  f->path = path;
  *out = f;
  return open_file(f) == GOING ? start_stream(f) : FAILED;
}

int follow_stream(const follower *f) { return f->out; }

outcome follow_again(follower *f) {
  pthread_join(f->pump, NULL);
  close(f->out);
  if (f->watch >= 0) close(f->watch);
  if (f->error) return say_failure("cannot read '%s': %s", f->path, strerror(f->error));
  say(f->cut ? "%s was cut off: it is read again from its start"
             : "%s was replaced: the new file is read from its start",
      f->path);
  if (f->cut) {
    if (lseek(f->file, 0, SEEK_SET) != 0) return say_failure("cannot read '%s': %s", f->path, strerror(errno));
  } else {
    close(f->file);
    if (open_file(f) != GOING) return FAILED;
  }
  return start_stream(f);
}
