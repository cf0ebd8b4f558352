/* penalty.c - the dense layer's penalties on outputs and weights, which are part of the objective. y [rows x out],
** W [in x out].
**
**   activity_l1   activity_l1 sum |y|, over the batch's rows with "batchmean"
**   weight_l1     weight_l1 sum |W|, whose gradient at 0 is 0
**   weight_l2     weight_l2 sum W^2
**   kl_weight     the means of the outputs away from kl_target
**   contractive   the squared derivatives of the outputs by the inputs
**
** Nothing is kept between value and gradient. Columns are taken in strips, so that what is computed for each column
** fits on the stack. */
#include <math.h>
#include <string.h>

#include "../core/ctx.h"
#include "../kernels/table.h"
#include "dense.h"

enum { STRIP = 256 };

/* The width of the strip that begins at column c of those up to `to`. */
static size_t strip_width(size_t c, size_t to) { return to - c < STRIP ? to - c : STRIP; }

/* ---- activity_l1 ---- */

static double activity_scale(const dense *d, const mooni_pass *pass) {
  return d->activity_reduction[0] == 'b' ? d->activity_l1 / (double)pass->batch : d->activity_l1;
}

static double activity(const moon_layer *layer, const mooni_pass *pass, block b) {
  const dense *d = (const dense *)layer;
  mooni_columns y = mooni_dense_like_y(pass, pass->y);
  double sum = 0;
  for (size_t r = b.r0; r < b.r0 + b.rows; r++) sum += layer->ctx->k->sum_abs(y.p + r * y.stride + b.c0, b.columns);
  return activity_scale(d, pass) * sum;
}

static void add_activity(const moon_layer *layer, const mooni_pass *pass, block b) {
  const dense *d = (const dense *)layer;
  float scale = (float)activity_scale(d, pass);
  mooni_columns y = mooni_dense_like_y(pass, pass->y), dy = mooni_dense_like_y(pass, pass->dy);
  for (size_t r = 0, at = b.r0 * y.stride + b.c0; r < b.rows; r++, at += y.stride)
    layer->ctx->k->add_sign(dy.p + at, scale, y.p + at, b.columns);
}

/* ---- kl_weight: outputs that are sparse in the mean ----
** Lee, Ekanadham and Ng 2008, in the form of Ng's notes on the sparse autoencoder. With q_j the mean of output j over
** the batch and p = kl_target: kl_weight sum_j [p ln(p / q_j) + (1 - p) ln((1 - p) / (1 - q_j))]. The derivative by
** each of the B outputs of column j is kl_weight / B [(1 - p) / (1 - q_j) - p / q_j]. All rows are here
** (whole_batch). */

/* The means of n columns from c on, clipped to where value and derivative are finite: a unit that is closed for the
** whole batch keeps the gradient that opens it again. */
static void mean_outputs(const moon_layer *layer, const mooni_pass *pass, double mean[STRIP], size_t c, size_t n) {
  const double least = 1e-7;
  float sum[STRIP];
  mooni_columns y = mooni_dense_like_y(pass, pass->y);
  if (pass->sums)
    memcpy(sum, pass->sums + c, n * sizeof *sum);
  else
    layer->ctx->k->column_sums(sum, y.p + c, pass->rows, n, y.stride, false);
  for (size_t j = 0; j < n; j++) {
    double q = (double)sum[j] / (double)pass->batch;
    mean[j] = q < least ? least : q > 1 - least ? 1 - least : q;
  }
}

/* Also for a kl_weight that is 0 now: it may be set. */
size_t mooni_penalty_sums(const moon_layer *layer, mooni_round round) {
  const dense *d = (const dense *)layer;
  return round == MOONI_OF_Y && d->act->unit ? d->out : 0;
}

/* The sums of the part's outputs over the rows. */
void mooni_penalty_sum(const moon_layer *layer, const mooni_pass *pass, mooni_round round) {
  (void)round; /* there is one */
  mooni_span s = mooni_dense_outputs((const dense *)layer, pass->part, pass->parts);
  mooni_columns y = mooni_dense_like_y(pass, pass->y);
  if (mooni_length(s))
    layer->ctx->k->column_sums(pass->sums + s.from, y.p + s.from, pass->rows, mooni_length(s), y.stride, false);
}

/* Of the part's columns. */
static double divergence(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  mooni_span s = mooni_dense_outputs(d, pass->part, pass->parts);
  double q[STRIP], p = d->kl_target, sum = 0;
  if (pass->follows) return 0;
  for (size_t n, c = s.from; c < s.to; c += n) {
    n = strip_width(c, s.to);
    mean_outputs(layer, pass, q, c, n);
    for (size_t j = 0; j < n; j++) sum += p * log(p / q[j]) + (1 - p) * log((1 - p) / (1 - q[j]));
  }
  return d->kl_weight * sum;
}

static void add_divergence(const moon_layer *layer, const mooni_pass *pass, block b) {
  const dense *d = (const dense *)layer;
  double q[STRIP], p = d->kl_target, scale = d->kl_weight / (double)pass->batch;
  float slope[STRIP];
  mooni_columns dy = mooni_dense_like_y(pass, pass->dy);
  for (size_t n, c = b.c0; c < b.c0 + b.columns; c += n) {
    n = strip_width(c, b.c0 + b.columns);
    mean_outputs(layer, pass, q, c, n);
    for (size_t j = 0; j < n; j++) slope[j] = (float)(scale * ((1 - p) / (1 - q[j]) - p / q[j]));
    for (size_t r = b.r0; r < b.r0 + b.rows; r++) layer->ctx->k->add(dy.p + r * dy.stride + c, slope, n);
  }
}

/* ---- contractive: outputs that change little with the input ----
** Rifai et al. 2011: contractive / B times the sum over the B rows of the squared Frobenius norm of the Jacobian,
** dy_j / dx_i = act'(z_j) W_ij. That is contractive / B sum_j s_j m_j, with s_j the sum of squares of the weight's
** column j, and m_j that of act'(z_j) over the rows. Derivatives: by z_j 2 contractive / B s_j act'(z_j) act''(z_j), by
** W_ij 2 contractive / B m_j W_ij. Both are sums over rows, so a part may have only some of them. */

/* s [n] = the sums of squares of the weight's columns c to c + n. */
static void square_columns(const moon_layer *layer, float s[STRIP], size_t c, size_t n) {
  const dense *d = (const dense *)layer;
  const mooni_kernels *k = layer->ctx->k;
  const float *w = moon_tensor_float(layer->params[0]->value);
  memset(s, 0, n * sizeof *s);
  for (size_t j = 0; d->tied && j < n; j++) s[j] = (float)k->sum_squares(w + (c + j) * d->in, d->in);
  for (size_t i = 0; !d->tied && i < d->in; i++) k->add_product(s, w + i * d->out + c, w + i * d->out + c, n);
}

/* act' and act'' at n outputs of row r from column c on, which are part p's. */
static void slopes(const dense *d, const mooni_pass *pass, size_t p, float first[STRIP], float second[STRIP], size_t r,
                   size_t c, size_t n) {
  mooni_columns y = mooni_columns_of(pass->y, pass->rows, d->out, pass->y_apart, p, pass->parts), z = {0};
  if (pass->scratch) z = mooni_columns_of(pass->scratch, pass->rows, d->out, pass->y_apart, p, pass->parts);
  size_t at = r * y.stride + c;
  d->act->slopes(first, second, y.p + at, z.p ? z.p + at : NULL, n, d->slope.p);
}

/* m [n] = the sums of act'^2 over the rows, for columns c to c + n of part p. */
static void square_slopes(const moon_layer *layer, const mooni_pass *pass, size_t p, float m[STRIP], size_t c,
                          size_t n) {
  enum { FEW = 128 }; /* rows whose sum is kept in float */
  float first[STRIP], second[STRIP];
  double total[STRIP] = {0};
  for (size_t r = 0; r < pass->rows; r++) {
    if (r % FEW == 0) memset(m, 0, n * sizeof *m);
    slopes((const dense *)layer, pass, p, first, second, r, c, n);
    layer->ctx->k->add_product(m, first, first, n);
    for (size_t j = 0; j < n && (r % FEW == FEW - 1 || r + 1 == pass->rows); j++) total[j] += (double)m[j];
  }
  for (size_t j = 0; j < n; j++) m[j] = (float)total[j];
}

static double jacobian(const moon_layer *layer, const mooni_pass *pass, block b) {
  const dense *d = (const dense *)layer;
  float s[STRIP], m[STRIP];
  double sum = 0;
  for (size_t n, c = b.c0; c < b.c0 + b.columns; c += n) {
    n = strip_width(c, b.c0 + b.columns);
    square_columns(layer, s, c, n);
    square_slopes(layer, pass, pass->part, m, c, n);
    for (size_t j = 0; j < n; j++) sum += (double)s[j] * (double)m[j];
  }
  return d->contractive / (double)pass->batch * sum;
}

/* dz += 2 contractive / B s act' act'' in block b. */
static void add_jacobian(const moon_layer *layer, const mooni_pass *pass, block b) {
  const dense *d = (const dense *)layer;
  const mooni_kernels *k = layer->ctx->k;
  float s[STRIP], first[STRIP], second[STRIP], scale = (float)(2 * d->contractive / (double)pass->batch);
  mooni_columns dz = mooni_dense_like_y(pass, pass->dy);
  for (size_t n, c = b.c0; c < b.c0 + b.columns; c += n) {
    n = strip_width(c, b.c0 + b.columns);
    square_columns(layer, s, c, n);
    for (size_t j = 0; j < n; j++) s[j] *= scale;
    for (size_t r = b.r0; r < b.r0 + b.rows; r++) {
      slopes(d, pass, pass->part, first, second, r, c, n);
      k->mul(first, second, n);
      k->add_product(dz.p + r * dz.stride + c, s, first, n);
    }
  }
}

/* dW += 2 contractive / B m W in rows i and part p's columns. */
static void add_jacobian_to_dw(const moon_layer *layer, const mooni_pass *pass, mooni_span i, size_t p) {
  const dense *d = (const dense *)layer;
  const mooni_kernels *k = layer->ctx->k;
  const float *w = moon_tensor_float(layer->params[0]->value);
  float m[STRIP], *dw = pass->grad[0], scale = (float)(2 * d->contractive / (double)pass->batch);
  mooni_span o = mooni_dense_outputs(d, p, pass->parts);
  for (size_t n, c = o.from; c < o.to; c += n) {
    n = strip_width(c, o.to);
    square_slopes(layer, pass, p, m, c, n);
    for (size_t j = 0; j < n; j++) m[j] *= scale;
    for (size_t j = 0; d->tied && j < n; j++) {
      size_t at = (c + j) * d->in + i.from;
      k->axpy(dw + at, m[j], w + at, mooni_length(i));
    }
    for (size_t at = i.from * d->out + c; !d->tied && at < i.to * d->out; at += d->out)
      k->add_product(dw + at, m, w + at, n);
  }
}

/* ---- weight_l1, weight_l2 ---- */

/* Only one place of a layer that is used twice has pass->weights. As in Keras, a frozen weight has no penalty. */
static bool has_weight_penalty(const dense *d, const mooni_pass *pass) {
  return pass->weights && (d->weight_l1 > 0 || d->weight_l2 > 0) && d->base.params[0]->owner->trainable;
}

/* Of rows i of W. */
static double weight_penalty(const moon_layer *layer, mooni_span i) {
  const dense *d = (const dense *)layer;
  const float *w = moon_tensor_float(layer->params[0]->value);
  mooni_patch own = mooni_dense_weight_rows(d, i);
  double sum = 0, squares = 0;
  for (size_t r = 0, at = own.at; r < own.rows; r++, at += own.stride) {
    if (d->weight_l1 > 0) sum += layer->ctx->k->sum_abs(w + at, own.width);
    if (d->weight_l2 > 0) squares += layer->ctx->k->sum_squares(w + at, own.width);
  }
  return d->weight_l1 * sum + d->weight_l2 * squares;
}

static void add_weight_penalty(const moon_layer *layer, const mooni_pass *pass, mooni_span i) {
  const dense *d = (const dense *)layer;
  const float *w = moon_tensor_float(layer->params[0]->value);
  mooni_patch own = mooni_dense_weight_rows(d, i);
  float *dw = pass->grad[0], once = (float)d->weight_l1, twice = (float)(2 * d->weight_l2);
  for (size_t r = 0, at = own.at; r < own.rows; r++, at += own.stride) {
    if (d->weight_l1 > 0) layer->ctx->k->add_sign(dw + at, once, w + at, own.width);
    if (d->weight_l2 > 0) layer->ctx->k->axpy(dw + at, twice, w + at, own.width);
  }
}

/* ---- all of them ---- */

double mooni_penalty_value(const moon_layer *layer, const mooni_pass *pass) {
  const dense *d = (const dense *)layer;
  block b = mooni_dense_own_block(d, pass, d->act->rowwise);
  double sum = 0;
  if (d->activity_l1 > 0) sum += activity(layer, pass, b);
  if (d->contractive > 0) sum += jacobian(layer, pass, b);
  if (d->kl_weight > 0) sum += divergence(layer, pass);
  return has_weight_penalty(d, pass) ? sum + weight_penalty(layer, mooni_dense_inputs(d, pass->part, pass->parts))
                                     : sum;
}

void mooni_penalty_add_to_dy(const moon_layer *layer, const mooni_pass *pass, block b) {
  const dense *d = (const dense *)layer;
  if (d->activity_l1 > 0) add_activity(layer, pass, b);
  if (d->kl_weight > 0) add_divergence(layer, pass, b);
}

void mooni_penalty_add_to_dz(const moon_layer *layer, const mooni_pass *pass, block b) {
  if (((const dense *)layer)->contractive > 0) add_jacobian(layer, pass, b);
}

void mooni_penalty_add_to_dw(const moon_layer *layer, const mooni_pass *pass, mooni_span i) {
  const dense *d = (const dense *)layer;
  if (has_weight_penalty(d, pass)) add_weight_penalty(layer, pass, i);
  for (size_t p = 0; d->contractive > 0 && p < pass->parts; p++) add_jacobian_to_dw(layer, pass, i, p);
}
