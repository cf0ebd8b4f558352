/* output.h - the lines of the standard output, gathered for a block of rows and written at once. */
#ifndef ANOMALY_OUTPUT_H
#define ANOMALY_OUTPUT_H

#include <moonglass.h>
#include <stdbool.h>
#include <stddef.h>

#include "options.h"

/* The most columns that are named for an alarm. */
enum { OUTPUT_REASONS = 3 };

typedef struct output {
  const options *o;
  bool judged; /* there is a threshold */
  char *text;
  size_t used, room;
  bool no_memory;
} output;

/* What is known of a row. */
typedef struct verdict {
  size_t place; /* its line in a CSV file, else its number, from 1 */
  double score;
  bool alarm;
  const moon_reason *reasons; /* the largest first */
  size_t reason_count;
} verdict;

/* Add the line of a row. */
void output_row(output *out, const verdict *v);

/* Write what was added to the standard output. A failure is told. */
outcome output_flush(output *out);
void output_free(output *out);

#endif
