/* eigen.c - the inner loops of core/eigen.c, in double. */
#include "vmath.h"

/* One step of the reduction: the lower triangle of a [n x n] becomes a - v q' - q v', and p [n] += the new a times
** u. */
void MOONI_K(eigen_reduce)(double *restrict a, size_t n, size_t stride, const double *restrict v,
                           const double *restrict q, const double *restrict u, double *restrict p) {
  for (size_t j = 0; j < n; j++, a += stride) {
    double dot = 0, vj = v[j], qj = q[j], uj = u[j];
    MOONI_SUMMING(dot)
    for (size_t k = 0; k < j; k++) {
      double x = a[k] - (vj * q[k] + qj * v[k]);
      a[k] = x;
      dot += x * u[k];
      p[k] += uj * x;
    }
    a[j] -= 2 * vj * qj;
    p[j] = dot + a[j] * uj;
  }
}

/* Apply `count` rotations one after the other, each to two neighbouring rows of z [* x MOONI_EIGEN_WIDTH]. */
void MOONI_K(eigen_rotate)(double *z, const mooni_rotation *rotation, size_t count) {
  for (; count--; rotation++) {
    double *restrict x = z + rotation->row * MOONI_EIGEN_WIDTH, *restrict y = x + MOONI_EIGEN_WIDTH;
    double c = rotation->c, s = rotation->s;
    MOONI_EACH
    for (size_t k = 0; k < MOONI_EIGEN_WIDTH; k++) {
      double below = y[k];
      y[k] = s * x[k] + c * below;
      x[k] = c * x[k] - s * below;
    }
  }
}

/* z [n x MOONI_EIGEN_LANES] -= scale v (v' z): a reflection of each column. */
void MOONI_K(eigen_reflect)(double *restrict z, const double *restrict v, size_t n, double scale) {
  double dot[MOONI_EIGEN_LANES] = {0};
  for (size_t k = 0; k < n; k++)
    for (size_t l = 0; l < MOONI_EIGEN_LANES; l++) dot[l] += z[k * MOONI_EIGEN_LANES + l] * v[k];
  for (size_t l = 0; l < MOONI_EIGEN_LANES; l++) dot[l] *= scale;
  for (size_t k = 0; k < n; k++)
    for (size_t l = 0; l < MOONI_EIGEN_LANES; l++) z[k * MOONI_EIGEN_LANES + l] -= dot[l] * v[k];
}
