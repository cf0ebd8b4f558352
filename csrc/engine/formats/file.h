/* file.h - reading regular files, and writing files that appear whole. */
#ifndef MOONI_FILE_H
#define MOONI_FILE_H

#include <time.h>

#include "../../moonglass.h"

/* A regular file, open for reading; or bytes in memory. path and bytes are the caller's. */
typedef struct mooni_reader {
  moon_ctx *ctx;
  int fd; /* -1: of bytes */
  const char *path;
  const uint8_t *bytes;
  size_t size;             /* when it was opened: a header's claims are checked against it */
  size_t at;               /* the next byte; may be set back */
  struct timespec written; /* when it was written last before it was opened */
} mooni_reader;

/* MOON_EIO for a file that is not there, a folder, a FIFO or a device (it never waits for one). After a failure there
** is nothing to close. */
moon_status mooni_reader_open(mooni_reader *r, moon_ctx *ctx, const char *path);

void mooni_reader_of(mooni_reader *r, moon_ctx *ctx, const void *bytes, size_t size);

/* Read exactly size bytes, which the caller knows to be there; MOON_EIO if they no longer are. */
moon_status mooni_reader_read(mooni_reader *r, void *bytes, size_t size);

/* Read up to size bytes, as read(2) does: *got is 0 at the end, also behind the size that the file once had. */
moon_status mooni_reader_some(mooni_reader *r, void *bytes, size_t size, size_t *got);
void mooni_reader_close(mooni_reader *r);

/* MOON_EIO if the file has been written since it was opened: places in it that were noted would lie elsewhere. */
moon_status mooni_reader_unchanged(const mooni_reader *r);

/* The standard input, whatever it is; path is NULL. It is read by mooni_reader_some alone, which waits until something
** comes, and ends with MOON_EINTERRUPT when moon_interrupt was called. At hand: it would not wait. */
moon_status mooni_reader_stdin(mooni_reader *r, moon_ctx *ctx);
bool mooni_reader_at_hand(const mooni_reader *r);

/* A file that appears whole: written beside the target, synced, renamed on commit. It gets the mode, and if possible
** the owner, of the file that it replaces; a symbolic link stays. abort, after a failure or instead of commit, leaves
** nothing behind. What a killed process leaves behind, the next commit of the same path removes. */
typedef struct mooni_writer {
  moon_ctx *ctx;
  int fd, lock;           /* lock: a second descriptor of the temporary file, which keeps its lock */
  char *path, *temporary; /* path: of the file itself, behind all links */
  const char *like;       /* the caller's: the file whose mode to take. NULL: path's */
} mooni_writer;

moon_status mooni_writer_open(mooni_writer *w, moon_ctx *ctx, const char *path);
moon_status mooni_writer_write(mooni_writer *w, const void *bytes, size_t size);
moon_status mooni_writer_commit(mooni_writer *w);
void mooni_writer_abort(mooni_writer *w);

/* "cannot read 'path': reason" as MOON_EIO, from errno. */
moon_status mooni_io_error(moon_ctx *ctx, const char *doing, const char *path, int error);

/* Messages about a file's content are made without its path; the entry puts "'path': " before them. */
moon_status mooni_in_file(moon_ctx *ctx, moon_status status, const char *path);

#endif
