/* gunzip.h - the bytes of a file or of the standard input, unpacked if they are gzipped. */
#ifndef MOONI_GUNZIP_H
#define MOONI_GUNZIP_H

#include <zlib.h>

#include "file.h"

typedef struct mooni_input {
  mooni_reader file;
  bool gzip;
  bool over;    /* gzip: the file has no further bytes */
  bool between; /* gzip: at the beginning of a member, of which no byte has been seen */
  z_stream z;
  uint8_t *packed; /* gzip: bytes of the file */
  size_t held;     /* of the standard input: bytes that were read to see what it is, in start */
  uint8_t start[2];
} mooni_input;

/* Close it in any case. Of the standard input the first two bytes are waited for. */
moon_status mooni_input_open(mooni_input *in, moon_ctx *ctx, const char *path);
moon_status mooni_input_stdin(mooni_input *in, moon_ctx *ctx);
void mooni_input_close(mooni_input *in);

/* Read n bytes; fewer only at the end. The end of a gzip file is checked when a read comes there. */
moon_status mooni_input_read(mooni_input *in, void *out, size_t n, size_t *got);

/* Read up to n bytes, as read(2) does: 0 at the end, which may move if the file grows. */
moon_status mooni_input_some(mooni_input *in, void *out, size_t n, size_t *got);

/* Would mooni_input_some return at once? A file's bytes are always at hand. */
bool mooni_input_at_hand(const mooni_input *in);

/* Go back to the first byte. Not of the standard input. */
void mooni_input_rewind(mooni_input *in);

#endif
