/* file.c - files as the formats see them: read only what is a regular file, write so that a file appears at once. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SHOWN = 600 }; /* of a path in a message: the reason behind it must fit too */

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
    status = mooni_io_error(ctx, "read", path, EFBIG); /* never reached: where addresses have 64 bits, no file is */
  else
    r->size = (size_t)about.st_size;
  if (status != MOON_OK) mooni_reader_close(r);
  return status;
}

moon_status mooni_reader_read(mooni_reader *r, void *bytes, size_t size) {
  char *p = bytes;
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

void mooni_reader_close(mooni_reader *r) {
  if (r->fd >= 0) close(r->fd);
  r->fd = -1;
}

/* ---- writing ---- */

/* Length of the folder's part of a path, its last slash included. */
static size_t folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Six letters that no other process, and no other call of this one, is likely to use now. The context's random stream
** is not touched: saving must not change what a seed gives. */
static void unlikely_letters(char *letters, const mooni_writer *w, unsigned attempt) {
  static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t bits = (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 30) ^ ((uint64_t)getpid() << 20);
  bits = (bits ^ (uint64_t)(uintptr_t)w ^ attempt) * 0x9e3779b97f4a7c15u;
  bits ^= bits >> 29;
  for (int i = 0; i < 6; i++, bits /= sizeof alphabet - 1) letters[i] = alphabet[bits % (sizeof alphabet - 1)];
}

/* Make the temporary ".name.xxxxxx" beside the target: the same folder, so that rename can be atomic. 0 or errno. */
static int open_temporary(mooni_writer *w, char *letters) {
  for (unsigned attempt = 0; attempt < 100; attempt++) {
    unlikely_letters(letters, w, attempt);
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
    if (w->fd >= 0) return 0;
    if (errno != EEXIST && errno != EINTR) return errno;
  }
  return EEXIST;
}

/* What is there already must be a regular file: rename would put a file in the place of a device. */
static moon_status check_target(moon_ctx *ctx, const char *path) {
  struct stat about;
  if (!path || !*path) return cannot(ctx, "write", path, "the path is empty");
  if (!path[folder_length(path)]) return mooni_io_error(ctx, "write", path, EISDIR);
  if (stat(path, &about)) return MOON_OK;
  if (S_ISDIR(about.st_mode)) return mooni_io_error(ctx, "write", path, EISDIR);
  if (!S_ISREG(about.st_mode)) return cannot(ctx, "write", path, "not a regular file");
  return MOON_OK;
}

moon_status mooni_writer_open(mooni_writer *w, moon_ctx *ctx, const char *path) {
  enum { NAME_KEPT = 200, EXTRA = 16 }; /* a long name is cut, so that the temporary's stays below the system's 255 */
  *w = (mooni_writer){.ctx = ctx, .fd = -1};
  MOONI_TRY(check_target(ctx, path));
  size_t folder = folder_length(path), size = strlen(path) + EXTRA;
  w->path = mooni_strdup(ctx, path);
  w->temporary = mooni_alloc(ctx, size);
  if (!w->path || !w->temporary) {
    mooni_writer_abort(w);
    return mooni_nomem(ctx, size);
  }
  int n = snprintf(w->temporary, size, "%.*s.%.*s.xxxxxx", (int)folder, path, (int)NAME_KEPT, path + folder);
  int error = open_temporary(w, w->temporary + n - 6);
  if (!error) return MOON_OK;
  mooni_writer_abort(w);
  return mooni_io_error(ctx, "write", path, error);
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

/* File systems that cannot sync say EINVAL or ENOSYS; there is nothing more to be had from them. */
static int sync_file(int fd) {
  int rc;
  do {
    rc = fsync(fd);
  } while (rc && errno == EINTR);
  return rc && errno != EINVAL && errno != ENOSYS ? errno : 0;
}

/* Make the rename itself last through a power cut. The file is whole whatever comes of it, so a failure says nothing
** that the caller could act on. The path is spoilt. */
static void sync_folder(char *path) {
  size_t length = folder_length(path);
  path[length] = 0;
  int fd = open(length ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  sync_file(fd);
  close(fd);
}

moon_status mooni_writer_commit(mooni_writer *w) {
  int error = sync_file(w->fd);
  if (close(w->fd) && !error && errno != EINTR) error = errno;
  w->fd = -1;
  if (!error && rename(w->temporary, w->path)) error = errno;
  moon_status status = MOON_OK;
  if (error) {
    status = mooni_io_error(w->ctx, "write", w->path, error);
    unlink(w->temporary);
  } else {
    sync_folder(w->path);
  }
  mooni_free(w->ctx, w->path);
  mooni_free(w->ctx, w->temporary);
  *w = (mooni_writer){.ctx = w->ctx, .fd = -1};
  return status;
}

/* Harmless after a failed open, a commit or another abort. */
void mooni_writer_abort(mooni_writer *w) {
  if (w->fd >= 0) {
    close(w->fd);
    unlink(w->temporary);
  }
  mooni_free(w->ctx, w->path);
  mooni_free(w->ctx, w->temporary);
  *w = (mooni_writer){.ctx = w->ctx, .fd = -1};
}
