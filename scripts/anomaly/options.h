/* options.h - the command line of `moonglass-anomaly score`. */
#ifndef ANOMALY_OPTIONS_H
#define ANOMALY_OPTIONS_H

#include <stdbool.h>

#include "say.h"

typedef enum format { FORMAT_CSV, FORMAT_F32, FORMAT_U8, FORMAT_IDX } format;

typedef struct options {
  const char *detector;
  const char *rows; /* NULL: the standard input */
  format format;
  bool follow, skip, json, only, why;
  bool has_threshold;
  double threshold;
} options;

/* Read the arguments after "score". FINISHED: --help was asked for; FAILED: a message is printed. */
outcome options_read(options *o, char **arguments);

#endif
