/* csv.h - what the files of the CSV reader share:
**   csv.c          the public functions: reading rows, going past them, places
**   csv_open.c     opening: what the file is, its first line
**   csv_choose.c   which columns, in which order
**   csv_buffer.c   bytes of the file, lines, places
**   csv_cells.c    a line to cells (RFC 4180), and messages about them
**   csv_row.c      a line to numbers, categories and a label
**
** It is our own, not Debian's libcsv: that one copies every cell, byte by byte, and gives it to a callback without its
** place, so that no message could name line and column; and its numbers would still have to be read. */
#ifndef MOONI_CSV_H
#define MOONI_CSV_H

#include "gunzip.h"
#include "texts.h"

enum {
  MOONI_CSV_CHUNK = 1 << 18,   /* bytes read at a time */
  MOONI_CSV_LONGEST = 1 << 24, /* bytes of a line, with the line breaks in its texts */
  MOONI_CSV_SHOWN = 48         /* bytes of a cell or a name in a message */
};

typedef enum mooni_csv_kind { MOONI_CSV_SKIPPED, MOONI_CSV_NUMBER, MOONI_CSV_TEXT } mooni_csv_kind;

/* A column of the file. */
typedef struct mooni_csv_field {
  mooni_csv_kind kind;
  size_t place;        /* of its number, or of the first of its one-hot columns, in a row */
  mooni_texts *values; /* MOONI_CSV_TEXT: the categories */
  char *name;
} mooni_csv_field;

/* What a byte does in a cell. */
enum { MOONI_CSV_ORDINARY, MOONI_CSV_DELIMITER, MOONI_CSV_LINE_END, MOONI_CSV_QUOTE, MOONI_CSV_ZERO };

struct moon_csv {
  size_t refs;
  moon_ctx *ctx;
  char *path; /* NULL: the standard input */
  mooni_input input;
  bool follow, header;
  char delimiter;
  int point; /* of decimals; -1: not yet known */
  uint8_t effect[256];
  mooni_texts missing;

  /* Bytes from begin to end of the buffer are to be read; a zero byte is behind them. */
  char *buffer;
  size_t room, begin, end;
  bool idle;       /* the last fill got nothing */
  bool broken;     /* nothing more can be read: damaged gzip data, or no end of a line */
  bool over;       /* there are no further bytes; never while the file may grow */
  uint64_t offset; /* of the buffer's first byte in the (unpacked) file */
  char *scratch;   /* [scratch_room] a cell without its quotes */
  size_t scratch_room;

  uint64_t line, last_line; /* of begin, from 1; of the last row or error */
  uint64_t blank_line;      /* the first of the blank lines before begin; 0: none */
  uint64_t missed;          /* cells of the rows so far that were missing */
  size_t *lines;            /* the host's: the line of each row of a read */
  moon_status pending;      /* of the next read: MOON_EINTERRUPT, else MOON_OK */

  size_t fields; /* columns of the file */
  mooni_csv_field *field;
  size_t label;       /* which column has labels; fields: none */
  int label_kind;     /* 0: not yet known; 1: numbers; 2: texts, which are in classes */
  bool fixed_classes; /* the caller has given the classes */
  mooni_texts classes;
  size_t width;                  /* of a row */
  char **column;                 /* [width] names */
  moon_csv_category *categories; /* [category_count] of the caller's order */
  mooni_texts *values;           /* [category_count] */
  size_t category_count;
  size_t published; /* categories that the caller sees: not the classes of the label */
};

/* How it went. FAILED: csv's context has the message, and *status of the call the status. */
typedef enum mooni_csv_result {
  MOONI_CSV_GOOD,
  MOONI_CSV_MORE, /* more bytes are needed: call mooni_csv_fill and begin again */
  MOONI_CSV_END,
  MOONI_CSV_FAILED
} mooni_csv_result;

/* ---- csv_buffer.c ---- */

moon_status mooni_csv_fill(moon_csv *csv);

/* Go to the place `offset`, which is in line `line`. */
moon_status mooni_csv_go(moon_csv *csv, uint64_t offset, uint64_t line);

/* ---- csv_cells.c ---- */

typedef struct mooni_csv_cell {
  const char *text; /* without quotes, and without blanks around it */
  size_t size;
  const char *next; /* where the next cell or line begins */
  bool last;        /* of its line */
  bool quoted;
  uint64_t lines; /* line breaks within it */
} mooni_csv_cell;

/* Read the cell at p, which lies in column i of the line at begin; lines: how many line breaks are in the cells before
** it. */
mooni_csv_result mooni_csv_cell_at(moon_csv *csv, mooni_csv_cell *cell, const char *p, size_t i, uint64_t lines,
                                   moon_status *status);

/* Go past the line at begin, or, if it is no line of CSV, to the next line break. MORE: its end is not in the
** buffer. */
mooni_csv_result mooni_csv_pass(moon_csv *csv);

/* A format error: "line 3, column 2 (temp): found 'abc', " and the rest. */
moon_status mooni_csv_bad_cell(moon_csv *csv, size_t i, uint64_t lines, const mooni_csv_cell *cell, const char *format,
                               ...) __attribute__((format(printf, 5, 6)));
moon_status mooni_csv_bad_line(moon_csv *csv, uint64_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put text into out, [MOONI_CSV_SHOWN + 8], such that a message can show it. */
const char *mooni_csv_shown(char *out, const char *text, size_t size);

bool mooni_csv_is_missing(const moon_csv *csv, const mooni_csv_cell *cell);

/* ---- csv_row.c ---- */

/* Read the line at begin into x [width] and *label, which may be NULL, and go behind it. */
mooni_csv_result mooni_csv_row(moon_csv *csv, float *x, float *label, moon_status *status);

/* Go past the line at begin and the blank ones before it. A blank line between two others is an error. */
mooni_csv_result mooni_csv_past_row(moon_csv *csv, moon_status *status);

/* Find the categories of the columns that are wanted, [fields], by a pass over the rows. */
moon_status mooni_csv_find_categories(moon_csv *csv, const bool *wanted);

#endif
