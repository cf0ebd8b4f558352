/* act.c - the activations. To add one, add a line. */
#include "vmath.h"

/*** Tensor:linear()
** The activation linear: a copy.
*** Tensor:relu()
** The activation relu: max(t, 0).
*** Tensor:sigmoid()
** The activation sigmoid: 1 / (1 + exp(-t)).
*** Tensor:tanh()
** The activation tanh: the hyperbolic tangent.
*** Tensor:softplus()
** The activation softplus: log(1 + exp(t)).
*** Tensor:elu()
** The activation elu: t above 0, exp(t) - 1 below. Layers take another `alpha` as the factor.
*** Tensor:leaky_relu()
** The activation leaky_relu: t above 0, 0.2 t below, Keras's slope. Layers take another `negative_slope`.
*** Tensor:selu()
** The activation selu (Klambauer et al. 2017): 1.0507 times t above 0, 1.0507 times 1.6733 (exp(t) - 1) below.
*** Tensor:gelu()
** The activation gelu: t times the normal distribution function of t, the exact form.
*** Tensor:silu()
** The activation silu, or swish: t sigmoid(t).
*** Tensor:softmax()
** The activation softmax: exp(t) over its sum, along the last dimension.
** @return moonglass.Tensor tensor float32 */
/* ACT(name, needs_z, in [0, 1]?, the option of the parameter p, its default, y in terms of z, dy/dz and d2y/dz2 in
** terms of y; of z too if needs_z). Of y > 0 it follows that z > 0, since no p is negative. */
#define ACTIVATIONS(ACT)                                                                                       \
  ACT(linear, false, false, NULL, 0, z, 1, 0)                                                                  \
  ACT(relu, false, false, NULL, 0, v_relu(z), y > 0 ? 1 : 0, 0)                                                \
  ACT(sigmoid, false, true, NULL, 0, v_sigmoid(z), y *(1 - y), y *(1 - y) * (1 - 2 * y))                       \
  ACT(tanh, false, false, NULL, 0, v_tanh(z), 1 - y * y, -2 * y * (1 - y * y))                                 \
  ACT(softplus, false, false, NULL, 0, v_softplus(z), -v_expm1(-y), -v_expm1(-y) * v_exp(-y))                  \
  ACT(elu, false, false, "alpha", 1, v_select(z > 0, z, p * v_expm1(z)), y > 0 ? 1 : y + p, y > 0 ? 0 : y + p) \
  ACT(leaky_relu, false, false, "negative_slope", 0.2f, z > 0 ? z : p * z, y > 0 ? 1 : p, 0)                   \
  ACT(selu, false, false, NULL, 0, SELU_SCALE *v_select(z > 0, z, SELU_ALPHA * v_expm1(z)),                    \
      y > 0 ? SELU_SCALE : y + SELU_SCALE * SELU_ALPHA, y > 0 ? 0 : y + SELU_SCALE * SELU_ALPHA)               \
  ACT(gelu, true, false, NULL, 0, z *v_normal_cdf(z), v_normal_cdf(z) + z * v_normal_pdf(z), gelu_bend(z))     \
  ACT(silu, true, false, NULL, 0, z *v_sigmoid(z), v_sigmoid(z) * (1 + z * (1 - v_sigmoid(z))),                \
      v_sigmoid(z) * (1 - v_sigmoid(z)) * (2 + z * (1 - 2 * v_sigmoid(z))))

/* gelu''(z). For a large |z|, where it is 0, z^2 may be infinite. */
MOONI_INLINE float gelu_bend(float z) {
  float near = v_select(v_abs(z) > 20, 20, z);
  return v_normal_pdf(z) * (2 - near * near);
}

/* Klambauer et al. 2017, arXiv 1706.02515 */
#define SELU_ALPHA 1.67326324f
#define SELU_SCALE 1.05070099f

/* In rows as short as a vector, the bias is added first, so that all rows can be joined. Returns what is still to be
** added. */
static const float *add_bias(float *ys, const float *bias, size_t rows, size_t width, size_t stride) {
  enum { SHORT = 8 };
  if (!bias || width > SHORT || stride != width) return bias;
  for (; rows; rows--, ys += width)
    for (size_t j = 0; j < width; j++) ys[j] += bias[j];
  return NULL;
}

/* Rows without a gap between them are one long row. */
#define JOIN_ROWS()      \
  if (stride == width) { \
    width *= rows;       \
    stride = width;      \
    rows = 1;            \
  }

#define DEFINE(name, needs_z, unit, option, default_p, Y, DY, D2Y)                                                  \
  static void name##_forward(float *restrict ys, float *restrict zs, const float *restrict bias, size_t rows,       \
                             size_t width, size_t stride, float p) {                                                \
    (void)p;                                                                                                        \
    bias = add_bias(ys, bias, rows, width, stride);                                                                 \
    for (; bias && rows; rows--, ys += stride, zs = needs_z ? zs + stride : zs) {                                   \
      MOONI_EACH                                                                                                    \
      for (size_t j = 0; j < width; j++) {                                                                          \
        float z = ys[j] + bias[j];                                                                                  \
        if (needs_z) zs[j] = z;                                                                                     \
        ys[j] = Y;                                                                                                  \
      }                                                                                                             \
    }                                                                                                               \
    JOIN_ROWS()                                                                                                     \
    for (; rows; rows--, ys += stride, zs = needs_z ? zs + stride : zs) {                                           \
      MOONI_EACH                                                                                                    \
      for (size_t j = 0; j < width; j++) {                                                                          \
        float z = ys[j];                                                                                            \
        if (needs_z) zs[j] = z;                                                                                     \
        ys[j] = Y;                                                                                                  \
      }                                                                                                             \
    }                                                                                                               \
  }                                                                                                                 \
  static void name##_backward(float *restrict dys, const float *restrict ys, const float *restrict zs, size_t rows, \
                              size_t width, size_t stride, float p) {                                               \
    (void)p;                                                                                                        \
    JOIN_ROWS()                                                                                                     \
    for (; rows; rows--, dys += stride, ys += stride, zs = needs_z ? zs + stride : zs) {                            \
      MOONI_EACH                                                                                                    \
      for (size_t j = 0; j < width; j++) {                                                                          \
        float y = ys[j], z = needs_z ? zs[j] : 0;                                                                   \
        (void)y, (void)z;                                                                                           \
        dys[j] *= DY;                                                                                               \
      }                                                                                                             \
    }                                                                                                               \
  }                                                                                                                 \
  static void name##_slopes(float *restrict first, float *restrict second, const float *restrict ys,                \
                            const float *restrict zs, size_t n, float p) {                                          \
    (void)p;                                                                                                        \
    MOONI_EACH                                                                                                      \
    for (size_t j = 0; j < n; j++) {                                                                                \
      float y = ys[j], z = needs_z ? zs[j] : 0;                                                                     \
      (void)y, (void)z;                                                                                             \
      first[j] = DY;                                                                                                \
      second[j] = D2Y;                                                                                              \
    }                                                                                                               \
  }
ACTIVATIONS(DEFINE)

static double sum_of(const float *x, size_t n) {
  double total = 0;
  for (size_t c = 0; c < n; c += STRETCH) {
    size_t end = n - c < STRETCH ? n : c + STRETCH;
    float part = 0;
    MOONI_SUMMING(part)
    for (size_t j = c; j < end; j++) part += x[j];
    total += (double)part;
  }
  return total;
}

static double dot_of(const float *x, const float *y, size_t n) {
  double total = 0;
  for (size_t c = 0; c < n; c += STRETCH) {
    size_t end = n - c < STRETCH ? n : c + STRETCH;
    float part = 0;
    MOONI_SUMMING(part)
    for (size_t j = c; j < end; j++) part += x[j] * y[j];
    total += (double)part;
  }
  return total;
}

/* Softmax needs whole rows, so it is written out. The largest logit is subtracted first: otherwise exp would
** overflow. */
static void softmax_forward(float *ys, float *zs, const float *bias, size_t rows, size_t width, size_t stride,
                            float p) {
  (void)zs, (void)p;
  for (float *y = ys; rows--; y += stride) {
    float top = -INFINITY;
    for (size_t j = 0; j < width; j++) {
      if (bias) y[j] += bias[j];
      top = y[j] > top ? y[j] : top;
    }
    MOONI_EACH
    for (size_t j = 0; j < width; j++) y[j] = v_exp(y[j] - top);
    float sum = (float)sum_of(y, width);
    for (size_t j = 0; j < width; j++) y[j] /= sum;
  }
}

static void softmax_backward(float *dys, const float *ys, const float *zs, size_t rows, size_t width, size_t stride,
                             float p) {
  (void)zs, (void)p;
  for (; rows--; dys += stride, ys += stride) {
    float dot = (float)dot_of(dys, ys, width);
    for (size_t j = 0; j < width; j++) dys[j] = ys[j] * (dys[j] - dot);
  }
}

#define ROW(name, needs_z, unit, option, p, Y, DY, D2Y) \
  {#name, needs_z, false, unit, option, p, name##_forward, name##_backward, name##_slopes},
const mooni_act MOONI_K(activations)[] = {
    ACTIVATIONS(ROW){"softmax", false, true, true, NULL, 0, softmax_forward, softmax_backward, NULL},
    {NULL, false, false, false, NULL, 0, NULL, NULL, NULL},
};
