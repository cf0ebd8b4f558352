/* file.h - reading of regular files, for the formats' own files. Writing is in internal.h. */
#ifndef MOONI_FILE_H
#define MOONI_FILE_H

#include "../internal.h"

/* A regular file, open for reading. path is the caller's. */
typedef struct mooni_reader {
  moon_ctx *ctx;
  int fd;
  const char *path;
  size_t size; /* when it was opened: what the readers check a header's claims against */
  size_t at;   /* the next byte; may be set back */
} mooni_reader;

/* MOON_EIO for a file that is not there, a folder, a FIFO or a device (it never waits for one). After a failure there
** is nothing to close. */
moon_status mooni_reader_open(mooni_reader *r, moon_ctx *ctx, const char *path);

/* Exactly size bytes, which the caller has checked to be there; MOON_EIO if they no longer are. */
moon_status mooni_reader_read(mooni_reader *r, void *bytes, size_t size);
void mooni_reader_close(mooni_reader *r);

/* The file from byte `at` on as a tensor of bytes that shares the system's own copy (map.c); shape must end where the
** file does. Not charged to the context. *out is NULL, with MOON_OK, if the system will not map it: then read it. May
** keep the reader's file. MOON_ESHAPE, MOON_ENOMEM. */
moon_status mooni_map_tensor(mooni_reader *r, moon_tensor **out, size_t at, int rank, const size_t *shape);

/* Messages on a file's content are made without its path; its reader's entry puts "'path': " before them. */
moon_status mooni_in_file(moon_ctx *ctx, moon_status status, const char *path);

#endif
