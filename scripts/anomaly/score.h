/* score.h - the command `moonglass-anomaly score`. */
#ifndef ANOMALY_SCORE_H
#define ANOMALY_SCORE_H

#include "options.h"

/* Score rows as the options say. Returns the exit status; what has failed is told. */
int score_run(const options *o);

#endif
