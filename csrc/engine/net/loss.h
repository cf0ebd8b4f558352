/* loss.h - losses. The formulas are in kernels/mse.c, bce.c, ... */
#ifndef MOONI_LOSS_H
#define MOONI_LOSS_H

#include "../core/option.h"

/* A batch of targets as the kernels see it: floats [rows x width], or labels (class numbers) [rows]. */
typedef struct mooni_target {
  const float *values; /* NULL for labels */
  const uint32_t *labels;
  size_t stride;        /* from row to row of values */
  const float *weights; /* [rows]; NULL: all are 1. No kernel reads them: see mooni_loss_of_rows */
  size_t batch;         /* rows of the whole batch, of all ranks; for heads.c, which finds the scale of each loss */
  double *heads;        /* NULL, or where heads.c adds the value of each head, without its weight if that is not 0 */
} mooni_target;

/* Return scale times the loss, summed over p [rows x width], or, with logits, over fuses(p). Write its gradient to grad
** [rows x width] unless that is NULL. Rows of p and grad are `stride` floats apart. */
typedef double mooni_loss_fn(const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows,
                             size_t width, size_t stride, double scale, unsigned logits);

/* MOON_ESHAPE unless w is [rows] float32, MOON_ERANGE unless each weight is finite and at least 0. */
moon_status mooni_check_weights(moon_ctx *ctx, const moon_tensor *w, size_t rows);

/* What apply gives, with the term of each row, and its gradient, times the row's weight. */
double mooni_loss_of_rows(mooni_loss_fn *apply, const moon_loss *loss, float *grad, const float *p, mooni_target t,
                          size_t rows, size_t width, size_t stride, double scale, unsigned logits);

typedef struct mooni_loss_class {
  const char *name;
  const char *aliases[3]; /* Keras's names, NULL at the end */
  size_t size;            /* of the object, which begins with a moon_loss */
  const mooni_option_spec *options;
  const char *fuses; /* the last layer's activation that the loss can take over, or NULL */
  bool takes_labels; /* the targets may be class numbers */
  bool rowwise;      /* needs whole rows of the prediction */
  mooni_loss_fn *apply;
  void (*finish)(moon_loss *loss); /* NULL: nothing to release */
} mooni_loss_class;

struct moon_loss {
  size_t refs;
  moon_ctx *ctx;
  const mooni_loss_class *class;
  char reduction[MOONI_TEXT]; /* "mean", "batchmean" or "sum"; set if the loss has this option */
  bool from_logits;           /* likewise */
  double label_smoothing;     /* likewise */
};

/* The factor of the sum over the elements, by the loss's reduction: 1/(rows * width), 1/rows or 1. */
double mooni_loss_scale(const moon_loss *loss, size_t rows, size_t width);

/* Is it a mean over all elements? */
bool mooni_loss_is_mean(const moon_loss *loss);

/* Can the loss take over the activation of this name? */
bool mooni_loss_fuses(const moon_loss *loss, const char *name);

/* Is t a tensor of labels, [n] or [n x 1], for a prediction of this width? */
bool mooni_are_labels(const moon_loss *loss, const moon_tensor *t, size_t width);

/* Check `count` labels in a column of t, float or byte, and write them to out, unless that is NULL. MOON_ERANGE names
** the first bad one. */
moon_status mooni_read_labels(uint32_t *out, const moon_tensor *t, size_t column, const uint32_t *order, size_t first,
                              size_t count, size_t classes);

/* The divisor for targets of bytes: 255 for pixels, 1 where the loss takes labels. */
float mooni_target_scale(const moon_loss *loss);

#endif
