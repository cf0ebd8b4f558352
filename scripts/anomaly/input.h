/* input.h - the rows to be scored, a block at a time: from CSV, from numbers as bytes, or from an IDX file. */
#ifndef ANOMALY_INPUT_H
#define ANOMALY_INPUT_H

#include <moonglass.h>
#include <stddef.h>

#include "follow.h"
#include "options.h"

/* Rows that were read. Its memory is the caller's, or the input's (IDX): valid until input_close. */
typedef struct block {
  void *cells;    /* [rows x width] */
  size_t *places; /* [room]: each row's line in a CSV file, else its number; from 1 */
  moon_dtype dtype;
  size_t rows, room;
} block;

typedef struct input {
  const options *o;
  moon_ctx *ctx;
  moon_detector *detector;
  size_t width;
  moon_csv *csv;
  follower *follower;
  bool told;  /* what the file's columns are */
  int fd;     /* of numbers as bytes */
  char *rest; /* the begin of a row of which more bytes are to come */
  size_t rest_size;
  moon_tensor *images;    /* of an IDX file */
  _Atomic size_t done;    /* rows that were read, good or bad; another thread may ask */
  _Atomic size_t skipped; /* bad rows that were left out */
  uint64_t bad_offset;    /* behind the last of them, in the file */
  char message[2048];     /* of the CSV file, with its own name */
  char failure[2048];     /* the message, if input_read has failed: to be told after the scores of the rows before */
} input;

/* o, ctx and detector are set. Failures are told, and which columns the file has. */
outcome input_open(input *in);

/* The next rows, at least one, as soon as some are there. FINISHED: there are none; FAILED: failure says why. */
outcome input_read(input *in, block *b);
void input_close(input *in);

#endif
