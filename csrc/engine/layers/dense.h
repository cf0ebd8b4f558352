/* dense.h - what dense.c (the layer) and penalty.c (its penalties) share. */
#ifndef MOONI_DENSE_H
#define MOONI_DENSE_H

#include "../kernels/act.h"
#include "layer.h"

typedef struct dense {
  moon_layer base;
  size_t in, out;
  char activation[MOONI_TEXT], init[MOONI_TEXT], name[MOONI_TEXT], activity_reduction[MOONI_TEXT];
  bool bias;
  double activity_l1, weight_l2, kl_weight, kl_target, contractive;
  moon_layer *tied;
  const mooni_act *act;
} dense;

/* A block of a matrix [rows x out]: `rows` rows from r0 on, `columns` columns from c0 on. */
typedef struct block {
  size_t r0, rows, c0, columns;
} block;

/* The block that the pass's part computes alone. */
block mooni_dense_own_block(const dense *d, const mooni_pass *pass, bool rowwise);

/* The part's columns of a matrix laid out like y [rows x out]. */
mooni_columns mooni_dense_like_y(const mooni_pass *pass, const float *y);

/* Rows i of the weight [in x out], as they lie in memory. */
mooni_patch mooni_dense_weight_rows(const dense *d, mooni_span i);

/* ---- penalty.c ---- */

/* All penalties of the part. */
double mooni_penalty_value(const moon_layer *layer, const mooni_pass *pass);

/* Add the penalties' gradients, in block b, to dy: before the activation's derivative; and to dz: after it. */
void mooni_penalty_add_to_dy(const moon_layer *layer, const mooni_pass *pass, block b);
void mooni_penalty_add_to_dz(const moon_layer *layer, const mooni_pass *pass, block b);

/* Add them to dW, in rows i. */
void mooni_penalty_add_to_dw(const moon_layer *layer, const mooni_pass *pass, mooni_span i);

/* ---- the layer as plain loops: what the tests compare with ----
** x [rows x in], w [in x out], b [out], y [rows x out]; z = x w + b, y = act(z). */

static inline void mooni_dense_naive_forward(float *z, const float *x, const float *w, const float *b, size_t rows,
                                             size_t in, size_t out) {
  for (size_t r = 0; r < rows; r++)
    for (size_t j = 0; j < out; j++) {
      double sum = (double)b[j];
      for (size_t i = 0; i < in; i++) sum += (double)x[r * in + i] * (double)w[i * out + j];
      z[r * out + j] = (float)sum;
    }
}

/* dz [rows x out], dw [in x out], db [out], dx [rows x in]; dw, db and dx are overwritten. */
static inline void mooni_dense_naive_backward(float *dx, float *dw, float *db, const float *dz, const float *x,
                                              const float *w, size_t rows, size_t in, size_t out) {
  for (size_t j = 0; j < out; j++) db[j] = 0;
  for (size_t i = 0; i < in * out; i++) dw[i] = 0;
  for (size_t i = 0; i < rows * in; i++) dx[i] = 0;
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
