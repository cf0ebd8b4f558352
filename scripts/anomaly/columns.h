/* columns.h - what the columns of a file have to do with those of the detector. */
#ifndef ANOMALY_COLUMNS_H
#define ANOMALY_COLUMNS_H

#include <moonglass.h>

/* Tell on the standard error if the file's columns are in another order, and which of them are not used. file: its name
** in the message. */
void columns_tell(const moon_detector *d, const moon_csv *csv, const char *file);

#endif
