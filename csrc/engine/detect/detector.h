/* detector.h - a detector: nets, and all that belongs to their data. */
#ifndef MOONI_DETECTOR_H
#define MOONI_DETECTOR_H

#include "../net/net.h"

/* The columns that one column of texts has become. */
typedef struct mooni_category {
  char *column, **values;
  size_t count;
} mooni_category;

typedef enum mooni_missing { MOONI_MISSING_SKIP, MOONI_MISSING_FILL, MOONI_MISSING_REFUSE } mooni_missing;
typedef enum mooni_score { MOONI_SCORE_MEAN, MOONI_SCORE_MAX, MOONI_SCORE_SCALED } mooni_score;

struct mooni_lane;

struct moon_detector {
  size_t refs;
  moon_ctx *ctx;
  moon_net **nets;
  size_t net_count, width;
  mooni_score score;
  mooni_missing missing;
  double threshold, margin, quantile;
  size_t rows, alarms;              /* of the calibration */
  bool scaled, ranged, learned;     /* were offset and scale given; low and high; spread? */
  double *offset, *scale, *inverse; /* [width], zeros and ones if not given; 1 / scale */
  double *spread, *low, *high;      /* [width], NaN if not given */
  double *least, *most;             /* [width]: what lies beyond is outside */
  float *share;                     /* [width]: the factor of each column's error in features and score */
  char **columns;                   /* [width]; NULL: numbers, made in `numbers` */
  char *numbers;                    /* "1", "2", ... in NUMBER bytes each; NULL: there are names */
  mooni_category *categories;
  moon_csv_category *category_view; /* of categories, for moon_detector_describe */
  size_t category_count;
  moon_archive *texts;      /* of a host's choice; no tensors */
  struct mooni_lane *lanes; /* score.c; NULL: none yet */
  size_t lane_count;
};

enum { MOONI_DETECTOR_NETS = 100 };

/* The text entry of a file. */
#define MOONI_DETECTOR_ENTRY "moonglass.detector"

/* Does the key of a text entry belong to the format? */
bool mooni_detector_reserves(const char *key);

/* ---- score.c ---- */

void mooni_detector_drop_lanes(moon_detector *d);

/* One row x [width] or [1 x width] through the nets: features and expected, [width] of the caller; expected is what
** the nets' outputs are in the unit of x. raw: the row as floats. */
moon_status mooni_detector_look(moon_detector *d, float *features, double *expected, float *raw, const moon_tensor *x);

#endif
