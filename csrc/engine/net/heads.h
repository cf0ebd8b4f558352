/* heads.h - a loss made of losses: each has its own columns of the outputs, and its weight in the sum. */
#ifndef MOONI_HEADS_H
#define MOONI_HEADS_H

#include "../core/parts.h"
#include "run.h"

/* Of the logits of a mooni_loss_fn, bit h says whether head h sees logits. */
enum { MOONI_MAX_HEADS = 32 };

typedef struct mooni_head {
  moon_loss *loss;
  size_t columns;
  double weight;
  char name[MOONI_TEXT];
} mooni_head;

typedef struct mooni_heads {
  moon_loss base;
  size_t count, columns; /* columns: of all */
  mooni_head *heads;
} mooni_heads;

/* The loss as what it is; NULL if it is another one. */
const mooni_heads *mooni_heads_of(const moon_loss *loss);

/* The width of the targets in which each head that takes labels has one column of class numbers, if there is one. */
size_t mooni_heads_label_width(const mooni_heads *heads);

/* Where a head's targets are in rows so wide. */
mooni_span mooni_heads_target(const mooni_heads *heads, size_t h, size_t width);
bool mooni_heads_labels(const mooni_heads *heads, size_t h, size_t width);

/* The outputs' columns of a head. */
mooni_span mooni_heads_columns(const mooni_heads *heads, size_t h);

/* MOON_ESHAPE unless the targets y are rows for outputs of width out. */
moon_status mooni_heads_check_target(const mooni_heads *heads, const moon_tensor *y, size_t out);

/* MOON_ERANGE unless all class numbers of these rows are such. */
moon_status mooni_heads_check_labels(const mooni_heads *heads, const moon_tensor *y, const uint32_t *order,
                                     size_t first, size_t count);

/* MOON_ESTATE unless each head can do without some cells. */
moon_status mooni_heads_check_mask(const mooni_heads *heads);

/* to = these rows of y, bytes as each head counts them. to.from..to.to are the columns that are wanted. */
void mooni_heads_gather(const mooni_heads *heads, mooni_columns to, const moon_tensor *y, const uint32_t *order,
                        size_t first, size_t count);

/* The losses that take over the activation before them: bits for b->fused, and marks in the net's links. */
unsigned mooni_heads_fuse(const mooni_heads *heads, moon_net *net);

/* Head h alone, without its weight and those of rows. */
double mooni_heads_value(const mooni_heads *heads, size_t h, const float *p, mooni_target t, size_t rows,
                         unsigned logits, bool mask);

/* As mooni_mask_loss. */
double mooni_heads_mask_loss(const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows,
                             size_t width, size_t stride, double scale, unsigned logits);

/* As moon_loss_apply_rows, whose checks of prediction, gradient and weights have been made. */
moon_status mooni_heads_apply_rows(const mooni_heads *heads, double *value, moon_tensor *grad,
                                   const moon_tensor *prediction, const moon_tensor *target,
                                   const moon_tensor *weights);

#endif
