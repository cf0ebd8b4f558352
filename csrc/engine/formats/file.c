/* file.c - reading regular files, and writing files that appear whole. */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"

enum { PATH_SHOWN = 600 }; /* bytes of a path in a message, so that the reason behind it fits too */

static moon_status cannot(moon_ctx *ctx, const char *doing, const char *path, const char *reason) {
  return mooni_fail(ctx, MOON_EIO, "cannot %s '%.*s': %s", doing, PATH_SHOWN, path ? path : "", reason);
}

moon_status mooni_io_error(moon_ctx *ctx, const char *doing, const char *path, int error) {
  char reason[128];
  if (strerror_r(error, reason, sizeof reason)) snprintf(reason, sizeof reason, "error %d", error);
  return cannot(ctx, doing, path, reason);
}

moon_status mooni_in_file(moon_ctx *ctx, moon_status status, const char *path) {
  return status == MOON_EFORMAT ? mooni_prepend(ctx, status, "'%.*s': ", PATH_SHOWN, path) : status;
}

/* ---- reading ---- */

moon_status mooni_reader_open(mooni_reader *r, moon_ctx *ctx, const char *path) {
  struct stat about;
  *r = (mooni_reader){.ctx = ctx, .fd = -1, .path = path};
  if (!path || !*path) return cannot(ctx, "read", path, "the path is empty");
  do {
    r->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  } while (r->fd < 0 && errno == EINTR);
  if (r->fd < 0) return mooni_io_error(ctx, "read", path, errno);
  moon_status status = MOON_OK;
  if (fstat(r->fd, &about))
    status = mooni_io_error(ctx, "read", path, errno);
  else if (S_ISDIR(about.st_mode))
    status = mooni_io_error(ctx, "read", path, EISDIR);
  else if (!S_ISREG(about.st_mode))
    status = cannot(ctx, "read", path, "not a regular file");
  else if ((uintmax_t)about.st_size > PTRDIFF_MAX)
    status = mooni_io_error(ctx, "read", path, EFBIG); /* never reached: addresses have 64 bits */
  else
    r->size = (size_t)about.st_size;
  r->written = about.st_mtim;
  if (status != MOON_OK) mooni_reader_close(r);
  return status;
}

moon_status mooni_reader_unchanged(const mooni_reader *r) {
  struct stat about;
  if (fstat(r->fd, &about)) return mooni_io_error(r->ctx, "read", r->path, errno);
  if ((uintmax_t)about.st_size == r->size && about.st_mtim.tv_sec == r->written.tv_sec &&
      about.st_mtim.tv_nsec == r->written.tv_nsec)
    return MOON_OK;
  return mooni_fail(r->ctx, MOON_EIO, "'%.*s' has been written since it was opened; open it again", PATH_SHOWN,
                    r->path);
}

void mooni_reader_of(mooni_reader *r, moon_ctx *ctx, const void *bytes, size_t size) {
  *r = (mooni_reader){.ctx = ctx, .fd = -1, .bytes = bytes, .size = size};
}

moon_status mooni_reader_read(mooni_reader *r, void *bytes, size_t size) {
  char *p = bytes;
  if (r->fd < 0) {
    if (size) memcpy(p, r->bytes + r->at, size);
    r->at += size;
    return MOON_OK;
  }
  while (size) {
    ssize_t n = pread(r->fd, p, size, (off_t)r->at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return mooni_io_error(r->ctx, "read", r->path, errno);
    if (n == 0) return cannot(r->ctx, "read", r->path, "it became shorter while it was read");
    p += n;
    size -= (size_t)n;
    r->at += (size_t)n;
  }
  return MOON_OK;
}

moon_status mooni_reader_stdin(mooni_reader *r, moon_ctx *ctx) {
  *r = (mooni_reader){.ctx = ctx, .fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)};
  return r->fd < 0 ? mooni_io_error(ctx, "read", "standard input", errno) : MOON_OK;
}

static bool wait_for(int fd, int milliseconds) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  int ready = poll(&one, 1, milliseconds);
  return ready > 0 || (ready < 0 && errno != EINTR);
}

bool mooni_reader_at_hand(const mooni_reader *r) { return wait_for(r->fd, 0); }

moon_status mooni_reader_some(mooni_reader *r, void *bytes, size_t size, size_t *got) {
  enum { LOOK = 100 }; /* milliseconds between two looks at moon_interrupt, which another thread may call */
  if (size > SSIZE_MAX) size = SSIZE_MAX;
  for (;;) {
    if (!r->path) {
      MOONI_TRY(mooni_interrupted(r->ctx));
      if (!wait_for(r->fd, LOOK)) continue;
    }
    ssize_t n = r->path ? pread(r->fd, bytes, size, (off_t)r->at) : read(r->fd, bytes, size);
    if (n < 0 && (errno == EINTR || (!r->path && errno == EAGAIN))) continue;
    if (n < 0) return mooni_io_error(r->ctx, "read", r->path ? r->path : "standard input", errno);
    r->at += *got = (size_t)n;
    return MOON_OK;
  }
}

void mooni_reader_close(mooni_reader *r) {
  if (r->fd >= 0) close(r->fd);
  r->fd = -1;
}

/* ---- writing ---- */

enum { LETTERS = 6 };
static const char ENDING[] = ".moonglass"; /* of our temporary files, so that no other file is taken for one */

/* The length of the folder in a path, with its last slash. */
static size_t folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Six letters that no other process, and no other call in this one, is likely to use now. The context's random stream
** is not used: saving must not change what a seed gives. */
static void unlikely_letters(char *letters, const mooni_writer *w, unsigned attempt) {
  static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t bits = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 30) ^ ((uint64_t)getpid() << 20);
  bits = (bits ^ (uint64_t)(uintptr_t)w ^ attempt) * 0x9e3779b97f4a7c15u;
  bits ^= bits >> 29;
  for (int i = 0; i < LETTERS; i++, bits /= sizeof alphabet - 1) letters[i] = alphabet[bits % (sizeof alphabet - 1)];
}

/* Every temporary file is locked from its creation until it is renamed or removed. So a lock that we can take shows a
** file that a killed process left behind, and one that we cannot take a file being written. False if another save of
** the same file took this one for such a remnant before it was locked. */
static bool lock_temporary(mooni_writer *w) {
  struct stat about;
  if (flock(w->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) return false;
  return fstat(w->fd, &about) || about.st_nlink > 0;
}

static void drop_temporary(mooni_writer *w) {
  if (w->fd >= 0) close(w->fd);
  w->fd = -1;
  unlink(w->temporary);
}

/* Create the temporary ".name.xxxxxx.moonglass" beside the target: in the same folder, so that rename is atomic. A
** second descriptor keeps the lock when the first one is closed. Until the rename only its owner may read it, unless
** there is no file whose mode it will get. Returns 0 or errno. */
static int open_temporary(mooni_writer *w, char *letters) {
  struct stat about;
  const mode_t mode = stat(w->like ? w->like : w->path, &about) ? 0666 : 0600;
  for (unsigned attempt = 0; attempt < 100; attempt++) {
    unlikely_letters(letters, w, attempt);
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, mode);
    if (w->fd < 0 && errno != EEXIST && errno != EINTR) return errno;
    if (w->fd >= 0 && lock_temporary(w)) {
      w->lock = fcntl(w->fd, F_DUPFD_CLOEXEC, 0);
      if (w->lock >= 0) return 0;
      int error = errno;
      drop_temporary(w);
      return error;
    }
    if (w->fd >= 0) drop_temporary(w);
  }
  return EEXIST;
}

/* What is there already, *about, must be a regular file: rename would replace a device by a file. *about is all 0 if
** nothing is there, or a link to nothing. */
static moon_status check_target(moon_ctx *ctx, const char *path, struct stat *about) {
  if (!path || !*path) return cannot(ctx, "write", path, "the path is empty");
  if (!path[folder_length(path)]) return mooni_io_error(ctx, "write", path, EISDIR);
  if (stat(path, about)) {
    int error = errno;
    memset(about, 0, sizeof *about);
    return error == ENOENT ? MOON_OK : mooni_io_error(ctx, "write", path, error);
  }
  if (S_ISDIR(about->st_mode)) return mooni_io_error(ctx, "write", path, EISDIR);
  if (!S_ISREG(about->st_mode)) return cannot(ctx, "write", path, "not a regular file");
  return MOON_OK;
}

/* Replace *path by the name that its symbolic links lead to, whether there is a file or not. */
static moon_status follow_links(moon_ctx *ctx, char **path) {
  enum { LONGEST = 4096, HOPS = 40 }; /* Linux's limits */
  char target[LONGEST];
  for (int hops = 0; hops <= HOPS; hops++) {
    ssize_t n = readlink(*path, target, sizeof target);
    if (n < 0) return MOON_OK; /* not a link, or nothing there */
    if (n == LONGEST) return mooni_io_error(ctx, "write", *path, ENAMETOOLONG);
    size_t folder = *target == '/' ? 0 : folder_length(*path);
    char *next = mooni_alloc(ctx, folder + (size_t)n + 1);
    if (!next) return mooni_nomem(ctx, folder + (size_t)n + 1);
    memcpy(next, *path, folder);
    memcpy(next + folder, target, (size_t)n);
    next[folder + (size_t)n] = 0;
    mooni_free(ctx, *path);
    *path = next;
  }
  return mooni_io_error(ctx, "write", *path, ELOOP); /* never reached: stat has refused so many links */
}

static bool is_same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Find the name to rename to: a link stays, and the file that it leads to is replaced. The system is asked first,
** because it may forbid to follow a link (in /tmp, another user's). The text of the link must then name the file that
** the system found: links in /proc have texts that are not names. */
static moon_status find_target(moon_ctx *ctx, const char *path, char **target) {
  struct stat seen, named;
  MOONI_TRY(check_target(ctx, path, &seen));
  if (!(*target = mooni_strdup(ctx, path))) return mooni_nomem(ctx, strlen(path) + 1);
  MOONI_TRY(follow_links(ctx, target));
  MOONI_TRY(check_target(ctx, *target, &named));
  return is_same_file(&seen, &named) ? MOON_OK : cannot(ctx, "write", path, "its link does not name a file");
}

/* Open a writer; the file will have the mode of the file `like` (NULL: of the file that is replaced). */
static moon_status open_like(mooni_writer *w, moon_ctx *ctx, const char *path, const char *like) {
  enum { NAME_KEPT = 200 }; /* a long name is cut, so that the temporary's name stays below the system's 255 bytes */
  *w = (mooni_writer){.ctx = ctx, .fd = -1, .lock = -1, .like = like};
  moon_status status = find_target(ctx, path, &w->path);
  if (status != MOON_OK) {
    mooni_writer_abort(w);
    return status;
  }
  size_t folder = folder_length(w->path), size = strlen(w->path) + LETTERS + sizeof ENDING + 2;
  w->temporary = mooni_alloc(ctx, size);
  if (!w->temporary) {
    mooni_writer_abort(w);
    return mooni_nomem(ctx, size);
  }
  int n = snprintf(w->temporary, size, "%.*s.%.*s.xxxxxx%s", (int)folder, w->path, (int)NAME_KEPT, w->path + folder,
                   ENDING);
  int error = open_temporary(w, w->temporary + n - (sizeof ENDING - 1) - LETTERS);
  if (!error) return MOON_OK;
  mooni_writer_abort(w);
  return mooni_io_error(ctx, "write", path, error);
}

moon_status mooni_writer_open(mooni_writer *w, moon_ctx *ctx, const char *path) {
  return open_like(w, ctx, path, NULL);
}

moon_status mooni_writer_write(mooni_writer *w, const void *bytes, size_t size) {
  const char *p = bytes;
  while (size) {
    ssize_t n = write(w->fd, p, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return mooni_io_error(w->ctx, "write", w->path, n ? errno : EIO);
    p += n;
    size -= (size_t)n;
  }
  return MOON_OK;
}

/* File systems that cannot sync return EINVAL or ENOSYS: nothing more can be done there. */
static int sync_file(int fd) {
  int rc;
  do {
    rc = fsync(fd);
  } while (rc && errno == EINTR);
  return rc && errno != EINVAL && errno != ENOSYS ? errno : 0;
}

/* Is this the name of a temporary file of the same target? Only the six letters may differ. */
static bool is_temporary(const char *name, const char *ours) {
  size_t letters = strlen(ours) - (sizeof ENDING - 1) - LETTERS;
  return strlen(name) == strlen(ours) && memcmp(name, ours, letters) == 0 &&
         strcmp(name + letters + LETTERS, ENDING) == 0;
}

/* Remove what killed processes left of earlier writes of this file. If the folder cannot be listed now, the next save
** tries again. */
static void remove_remnants(int folder, const char *ours) {
  int listed = fcntl(folder, F_DUPFD_CLOEXEC, 0);
  DIR *dir = listed < 0 ? NULL : fdopendir(listed);
  if (!dir && listed >= 0) close(listed);
  for (const struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
    if (!is_temporary(e->d_name, ours)) continue;
    int fd = openat(folder, e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) continue;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) unlinkat(folder, e->d_name, 0);
    close(fd);
  }
  if (dir) closedir(dir);
}

/* Make the rename survive a power cut. The file is whole in any case, so a failure is not reported. Overwrites the
** path. */
static void settle_folder(mooni_writer *w) {
  size_t length = folder_length(w->path);
  w->path[length] = 0;
  int fd = open(length ? w->path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  remove_remnants(fd, w->temporary + length);
  sync_file(fd);
  close(fd);
}

static void forget(mooni_writer *w) {
  if (w->lock >= 0) close(w->lock);
  mooni_free(w->ctx, w->path);
  mooni_free(w->ctx, w->temporary);
  *w = (mooni_writer){.ctx = w->ctx, .fd = -1, .lock = -1};
}

/* Take over owner, group and mode of the replaced file, as far as this process may. If the file cannot get that group,
** its own group gets only the rights of all others. If nothing can be set, the temporary's mode stays, which is
** narrower. */
static void take_over_mode(const mooni_writer *w) {
  struct stat old, own;
  if (stat(w->like ? w->like : w->path, &old) || fstat(w->fd, &own)) return;
  mode_t mode = old.st_mode & 0777;
  if (own.st_uid != old.st_uid && fchown(w->fd, old.st_uid, old.st_gid) == 0) own.st_gid = old.st_gid;
  if (own.st_gid != old.st_gid && fchown(w->fd, (uid_t)-1, old.st_gid)) mode &= 0707 | (mode & 07) << 3;
  if (fchmod(w->fd, mode)) return; /* a file system without modes: nothing to do */
}

moon_status mooni_writer_commit(mooni_writer *w) {
  take_over_mode(w);
  int error = sync_file(w->fd);
  if (close(w->fd) && !error && errno != EINTR) error = errno;
  w->fd = -1;
  if (!error && rename(w->temporary, w->path)) error = errno;
  moon_status status = MOON_OK;
  if (error) {
    status = mooni_io_error(w->ctx, "write", w->path, error);
    unlink(w->temporary);
  } else {
    settle_folder(w);
  }
  forget(w);
  return status;
}

/* Harmless after a failed open, a commit or another abort. */
void mooni_writer_abort(mooni_writer *w) {
  if (w->fd >= 0) drop_temporary(w);
  forget(w);
}

moon_status moon_file_write(moon_ctx *ctx, const char *path, const moon_bytes *parts, size_t count) {
  mooni_writer w;
  MOONI_TRY(mooni_writer_open(&w, ctx, path));
  moon_status status = MOON_OK;
  for (size_t i = 0; i < count && status == MOON_OK; i++) status = mooni_writer_write(&w, parts[i].data, parts[i].size);
  if (status == MOON_OK) return mooni_writer_commit(&w);
  mooni_writer_abort(&w);
  return status;
}

/* ---- keeping what a file held before ---- */

enum { KEEP_MAX = 10 };

static int remove_if_there(const char *path) { return unlink(path) && errno != ENOENT ? errno : 0; }

static moon_status copy_file(moon_ctx *ctx, const char *from, const char *to) {
  enum { PIECE = 8192 };
  char piece[PIECE];
  mooni_reader r;
  mooni_writer w;
  MOONI_TRY(mooni_reader_open(&r, ctx, from));
  moon_status status = open_like(&w, ctx, to, from);
  while (status == MOON_OK && r.at < r.size) {
    size_t n = r.size - r.at < PIECE ? r.size - r.at : PIECE;
    status = mooni_reader_read(&r, piece, n);
    if (status == MOON_OK) status = mooni_writer_write(&w, piece, n);
  }
  mooni_reader_close(&r);
  if (status == MOON_OK) return mooni_writer_commit(&w);
  mooni_writer_abort(&w);
  return status;
}

/* Make `to`, a free name, a second name of path's file; or a copy, where links are not possible: on some file systems,
** and where a symbolic link leads to another one. */
static moon_status make_second(moon_ctx *ctx, const char *path, const char *to) {
  if (linkat(AT_FDCWD, path, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0) return MOON_OK;
  switch (errno) {
    case EPERM:
    case EOPNOTSUPP:
    case ENOSYS:
    case EMLINK:
    case EXDEV: return copy_file(ctx, path, to);
    default: return mooni_io_error(ctx, "keep the old", path, errno);
  }
}

/* from and to have room for path and a number. path.1 is first made under the name path.0, so that at no moment a file
** called path is missing, nor, if two are kept, path.1. */
static moon_status rotate(moon_ctx *ctx, const char *path, int keep, char *from, char *to, size_t size) {
  struct stat newest, first;
  snprintf(to, size, "%s.1", path);
  if (stat(path, &newest)) return errno == ENOENT ? MOON_OK : mooni_io_error(ctx, "keep the old", path, errno);
  /* The same file under both names: no save has succeeded since they were linked, so the older ones are still
  ** needed. */
  if (stat(to, &first) == 0 && is_same_file(&first, &newest)) return MOON_OK;
  snprintf(from, size, "%s.0", path);
  int error = remove_if_there(from);
  if (error) return mooni_io_error(ctx, "keep the old", path, error);
  MOONI_TRY(make_second(ctx, path, from));
  for (int i = keep - 1; i >= 2 && !error; i--) {
    snprintf(from, size, "%s.%d", path, i - 1);
    snprintf(to, size, "%s.%d", path, i);
    if (rename(from, to) && errno != ENOENT) error = errno;
  }
  snprintf(from, size, "%s.0", path);
  snprintf(to, size, "%s.1", path);
  if (!error && rename(from, to)) error = errno;
  if (!error) return MOON_OK;
  unlink(from);
  return mooni_io_error(ctx, "keep the old", path, error);
}

moon_status moon_file_rotate(moon_ctx *ctx, const char *path, int keep) {
  enum { NUMBER = 16 };
  if (keep < 1 || keep > KEEP_MAX)
    return mooni_fail(ctx, MOON_ERANGE, "rotate: expected 1 to %d files to keep, got %d", KEEP_MAX, keep);
  struct stat about;
  MOONI_TRY(check_target(ctx, path, &about));
  if (keep == 1) return MOON_OK;
  size_t size = strlen(path) + NUMBER;
  char *names = mooni_alloc(ctx, 2 * size);
  if (!names) return mooni_nomem(ctx, 2 * size);
  moon_status status = rotate(ctx, path, keep, names, names + size, size);
  mooni_free(ctx, names);
  return status;
}
