/* fit.h - the command `moonglass-anomaly fit`. */
#ifndef ANOMALY_FIT_H
#define ANOMALY_FIT_H

/* Train a detector as the arguments after "fit" say. Returns the exit status, or FIT_HELP; what has
** failed is told. */
enum { FIT_HELP = -1 }; /* --help was asked for */

int fit_run(char **arguments);

#endif
