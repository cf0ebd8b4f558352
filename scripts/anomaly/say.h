/* say.h - what the program says on the standard error, and how it ends. */
#ifndef ANOMALY_SAY_H
#define ANOMALY_SAY_H

#include <stddef.h>

/* How a part of the work ended. CLOSED: the reader has closed the pipe, like `| head`; not a failure. */
typedef enum outcome { GOING, FINISHED, FAILED, CLOSED } outcome;

/* Exit statuses; --help lists them. */
enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_ARGUMENTS = 2, STATUS_SKIPPED = 3 };

/* A line on the standard error, after the program's name. say_failure returns FAILED. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
__attribute__((format(printf, 1, 2))) outcome say_failure(const char *format, ...);

#endif
