/* csv_open.h - the parts of opening a CSV file. */
#ifndef MOONI_CSV_OPEN_H
#define MOONI_CSV_OPEN_H

#include "csv.h"

/* csv_open.c: open the file, find out what it is, read its first line. csv has path and the missing texts. */
moon_status mooni_csv_begin(moon_csv *csv, const moon_csv_config *config);

/* csv_choose.c: which columns are wanted, in which order, and what of them becomes which number of a row. */
moon_status mooni_csv_choose(moon_csv *csv, const moon_csv_config *config);

#endif
