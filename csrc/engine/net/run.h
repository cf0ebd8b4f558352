/* run.h - one batch through a net: what is to be done, and doing it. */
#ifndef MOONI_RUN_H
#define MOONI_RUN_H

#include "loss.h"
#include "plan.h"

/* Rows first..first+count-1 of x and y (NULL: x) in an order (NULL: their own). */
typedef struct mooni_selection {
  const moon_tensor *x, *y;
  const uint32_t *order;
  size_t first, count;
  const float *weights; /* of all rows, in the same order; NULL: all are 1 */
  bool mask;            /* NaN is a cell that is missing (mask.h) */
  /* Where they are in the whole batch, if it is divided among ranks. */
  size_t place;     /* of the first row, a multiple of MOONI_ROW_GRAIN */
  size_t elsewhere; /* how many rows other ranks have */
  bool follows;     /* another rank counts what counts once for a batch */
} mooni_selection;

enum { MOONI_MAX_PARTS = 256 };

typedef struct mooni_batch {
  moon_net *net;
  mooni_split split;
  size_t rows, parts;
  const mooni_selection *gather; /* fill input and target from these rows; NULL: they are there */
  bool forward, penalties, backward;
  unsigned fused;          /* the loss takes over the last activation; of heads, bit h: the activation of head h */
  bool dx;                 /* backward to the input */
  const moon_loss *loss;   /* NULL: none */
  mooni_target target;     /* its stride: the width of the targets */
  double scale;            /* of the loss */
  moon_optim *opt;         /* NULL: no update */
  double *value, *penalty; /* of each part, while it runs */
  bool mask;
  double *heads;   /* of each part: the value of each head, MOONI_MAX_HEADS of them; NULL: not wanted */
  double *present; /* with a mask: how many cells each part's targets have; over ranks part 0 has those of all */
  /* Set by mooni_run: loss and penalties; the penalties; with a mask: how many cells the targets have. */
  double objective, all_penalties, all_present;
  size_t stages, phases;
  size_t result; /* index of the gradient buffer that holds the input's gradient in the end */
  /* Over ranks. The fields of mooni_selection are 0 otherwise. */
  struct mooni_ranks *ranks; /* NULL: none */
  size_t place, elsewhere;
  bool follows;
  const char *what;           /* begins the messages */
  moon_status failed, status; /* why this rank has no rows; how the batch ended, set by mooni_run */
} mooni_batch;

/* Set each place's x and y: from x, through the arena, to y unless that is NULL. Returns the last y. */
float *mooni_connect(moon_net *net, const float *x, float *y, bool training);

/* Do each part's columns lie apart (mooni_columns_of) in the input of layer i, or (i = count) of the loss? */
bool mooni_apart(const mooni_batch *b, size_t i);

/* Run a batch that has been planned and connected. Cannot fail. */
void mooni_run(mooni_batch *b);

#endif
