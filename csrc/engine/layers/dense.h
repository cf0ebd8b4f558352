/* dense.h - the dense layer: what dense.c and penalty.c (its penalties) have in common. */
#ifndef MOONI_DENSE_H
#define MOONI_DENSE_H

#include "layer.h"
#include "slope.h"

typedef struct dense {
  moon_layer base;
  size_t in, out;
  char activation[MOONI_TEXT], init[MOONI_TEXT], name[MOONI_TEXT], activity_reduction[MOONI_TEXT];
  bool bias;
  double activity_l1, weight_l1, weight_l2, kl_weight, kl_target, contractive;
  char bias_init[MOONI_TEXT];
  mooni_slope slope;
  moon_layer *tied;
  const mooni_act *act;
} dense;

/* Some inputs, or outputs, of the layer: those of one part. */
static inline mooni_span mooni_dense_inputs(const dense *d, size_t part, size_t parts) {
  return mooni_span_of(d->in, MOONI_COLUMN_GRAIN, part, parts);
}

static inline mooni_span mooni_dense_outputs(const dense *d, size_t part, size_t parts) {
  return mooni_span_of(d->out, MOONI_COLUMN_GRAIN, part, parts);
}

/* A block of a matrix [rows x out]: `rows` rows from r0 on, `columns` columns from c0 on. */
typedef struct block {
  size_t r0, rows, c0, columns;
} block;

/* The block that a part computes alone: some columns of all rows; or, for a rowwise activation (softmax), some rows. */
static inline block mooni_dense_block(const dense *d, size_t rows, bool rowwise, size_t part, size_t parts) {
  mooni_span s = rowwise ? mooni_span_of(rows, 1, part, parts) : mooni_dense_outputs(d, part, parts);
  return rowwise ? (block){s.from, mooni_length(s), 0, d->out} : (block){0, rows, s.from, mooni_length(s)};
}

static inline block mooni_dense_own_block(const dense *d, const mooni_pass *pass, bool rowwise) {
  return mooni_dense_block(d, pass->rows, rowwise, pass->part, pass->parts);
}

/* The part's columns of a matrix laid out like y [rows x out]. */
static inline mooni_columns mooni_dense_like_y(const mooni_pass *pass, const float *y) {
  return mooni_columns_of(y, pass->rows, pass->out, pass->y_apart, pass->part, pass->parts);
}

/* Rows i of the weight [in x out], as they lie in memory. */
static inline mooni_patch mooni_dense_weight_rows(const dense *d, mooni_span i) {
  size_t n = mooni_length(i) * d->out;
  return d->tied ? (mooni_patch){i.from, d->out, mooni_length(i), d->in} : (mooni_patch){i.from * d->out, 1, n, n};
}

/* ---- penalty.c ---- */

/* What the penalties need of all rows of a batch: mooni_layer_class's sums and sum. */
size_t mooni_penalty_sums(const moon_layer *layer, mooni_round round);
void mooni_penalty_sum(const moon_layer *layer, const mooni_pass *pass, mooni_round round);

/* All penalties of the part. */
double mooni_penalty_value(const moon_layer *layer, const mooni_pass *pass);

/* Add the penalties' gradients, in block b, to dy: before the activation's derivative; and to dz: after it. */
void mooni_penalty_add_to_dy(const moon_layer *layer, const mooni_pass *pass, block b);
void mooni_penalty_add_to_dz(const moon_layer *layer, const mooni_pass *pass, block b);

/* Add them to dW, in rows i. */
void mooni_penalty_add_to_dw(const moon_layer *layer, const mooni_pass *pass, mooni_span i);

/* ---- the layer as plain loops: what the tests compare with ----
** x [rows x in], w [in x out], b [out]; z [rows x out] = x w + b, before the activation. */

static inline void mooni_dense_naive_forward(float *z, const float *x, const float *w, const float *b, size_t rows,
                                             size_t in, size_t out) {
  for (size_t r = 0; r < rows; r++)
    for (size_t j = 0; j < out; j++) {
      double sum = (double)b[j];
      for (size_t i = 0; i < in; i++) sum += (double)x[r * in + i] * (double)w[i * out + j];
      z[r * out + j] = (float)sum;
    }
}

/* dz [rows x out]. Adds to dx [rows x in], dw [in x out] and db [out]. */
static inline void mooni_dense_naive_backward(float *dx, float *dw, float *db, const float *dz, const float *x,
                                              const float *w, size_t rows, size_t in, size_t out) {
  for (size_t r = 0; r < rows; r++)
    for (size_t j = 0; j < out; j++) {
      float d = dz[r * out + j];
      db[j] += d;
      for (size_t i = 0; i < in; i++) {
        dw[i * out + j] += x[r * in + i] * d;
        dx[r * in + i] += d * w[i * out + j];
      }
    }
}

#endif
