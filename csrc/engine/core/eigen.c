/* eigen.c - eigenvalues and eigenvectors of symmetric matrices, in double.
**
** LAPACK would bring its BLAS, with buffers and perhaps threads, and would abort the process when out of memory. This
** code allocates all its memory from the context before it begins. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fpmode.h"
#include "memory.h"
#include "ops.h"

/* The work grows with the third power of the rows: more would take hours, and too much memory. */
enum { LARGEST = 32766 };

enum { WIDTH = MOONI_EIGEN_WIDTH, LANES = MOONI_EIGEN_LANES };

/* GATHERED times n rotations are collected before they are applied to the vectors: a pass over all vectors in each
** sweep would be bound by memory. */
enum { GATHERED = 32 };

typedef struct eigen {
  const mooni_kernels *k;
  size_t n, panels;
  double *a;              /* [n x n]: the matrix; later row i has, before i, the vector of reflection i */
  double *diagonal, *off; /* [n] each, the tridiagonal matrix; off[i] is between i and i + 1 */
  double *scale;          /* [n]: reflection i is x - scale v v'x */
  double *p, *q;          /* [n] each */
  double *z;              /* [panels x n x WIDTH]: vector i is row i of all panels */
  double *lanes;          /* [n x LANES] */
  mooni_rotation *rotation;
  size_t count;
} eigen;

/* Row i, before element i, becomes the vector v of a reflection x - scale v v'x that leaves only the row's last
** element. A row whose squares would be denormal counts as zero: it is nothing beside the matrix. */
static void make_reflection(eigen *e, size_t i) {
  double *v = e->a + i * e->n, last = v[i - 1], square = 0;
  for (size_t k = 0; k + 1 < i; k++) square += v[k] * v[k];
  if (square < 1e-280) {
    memset(v, 0, i * sizeof *v);
    e->off[i - 1] = last;
    e->scale[i] = 0;
    return;
  }
  double length = sqrt(last * last + square);
  e->off[i - 1] = last > 0 ? -length : length;
  v[i - 1] = last - e->off[i - 1];
  e->scale[i] = 1 / (length * length + fabs(last) * length);
}

/* Make a tridiagonal, by reflections from both sides, from the last row on (Golub and Van Loan, 8.3.1). What a
** reflection does to the rows above is applied when the next one reads them: v and q belong to the reflection
** before. */
static void reduce(eigen *e) {
  const size_t n = e->n;
  const double *v = memset(e->lanes, 0, n * sizeof *e->lanes);
  memset(e->q, 0, n * sizeof *e->q);
  for (size_t i = n; i-- > 0; v = e->a + i * n) {
    double *row = e->a + i * n, projection = 0;
    for (size_t k = 0; k <= i; k++) row[k] -= v[i] * e->q[k] + e->q[i] * v[k];
    e->diagonal[i] = row[i];
    if (!i) return;
    make_reflection(e, i);
    e->k->eigen_reduce(e->a, i, n, v, e->q, row, e->p);
    for (size_t k = 0; k < i; k++) projection += row[k] * (e->p[k] *= e->scale[i]);
    for (size_t k = 0; k < i; k++) e->q[k] = e->p[k] - e->scale[i] / 2 * projection * row[k];
  }
}

/* Apply the collected rotations to the vectors. */
static void rotate(eigen *e) {
  for (size_t i = 0; i < e->panels; i++) e->k->eigen_rotate(e->z + i * e->n * WIDTH, e->rotation, e->count);
  e->count = 0;
}

/* One sweep of the QL method over rows l to m, with Wilkinson's shift (Golub and Van Loan, 8.3.3; the implicit form is
** Dubrulle's, Numerische Mathematik 15, 1970). */
static void sweep(eigen *e, size_t l, size_t m) {
  double *d = e->diagonal, *off = e->off;
  double g = (d[l + 1] - d[l]) / (2 * off[l]), r = hypot(g, 1), s = 1, c = 1, p = 0;
  g = d[m] - d[l] + off[l] / (g + copysign(r, g));
  for (size_t i = m; i-- > l;) {
    double f = s * off[i], b = c * off[i];
    off[i + 1] = r = hypot(f, g);
    if (r == 0) { /* the matrix has already split here */
      d[i + 1] -= p;
      off[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    r = (d[i] - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    e->rotation[e->count++] = (mooni_rotation){i, c, s};
  }
  d[l] -= p;
  off[l] = g;
  off[m] = 0;
}

/* The diagonal becomes the eigenvalues, and z the eigenvectors of the tridiagonal matrix. off has one unused element at
** its end. */
static moon_status diagonalise(moon_ctx *ctx, eigen *e) {
  enum { SWEEPS = 60 }; /* for each eigenvalue; two are usual */
  const size_t n = e->n;
  double size = 0;
  for (size_t i = 0; i < n; i++) size = fmax(size, fabs(e->diagonal[i]) + fabs(e->off[i]));
  for (size_t l = 0, sweeps = 0; l < n;) {
    size_t m = l;
    while (m + 1 < n && fabs(e->off[m]) > DBL_EPSILON * size) m++;
    if (m == l) {
      l++;
      sweeps = 0;
      continue;
    }
    if (sweeps++ == SWEEPS)
      return mooni_fail(ctx, MOON_ERANGE, "eigh: eigenvalue %zu of %zu was not found in %d sweeps", l + 1, n, SWEEPS);
    if (e->count + n > GATHERED * n) rotate(e);
    sweep(e, l, m);
  }
  rotate(e);
  return MOON_OK;
}

/* ---- the results ---- */

typedef struct place {
  double value;
  size_t at;
} place;

static int by_value(const void *a, const void *b) {
  const place *x = a, *y = b;
  if (x->value != y->value) return x->value > y->value ? 1 : -1;
  return x->at > y->at ? 1 : -1; /* qsort alone would leave the order of equal values open */
}

/* Write up to LANES eigenvectors of the matrix to the rows of out [count x n], from those of the tridiagonal matrix. */
static void back_transform(eigen *e, float *out, const place *places, size_t count) {
  const size_t n = e->n;
  memset(e->lanes, 0, n * LANES * sizeof *e->lanes);
  for (size_t l = 0; l < count; l++)
    for (size_t k = 0; k < n; k++) e->lanes[k * LANES + l] = e->z[(k / WIDTH * n + places[l].at) * WIDTH + k % WIDTH];
  for (size_t i = 1; i < n; i++)
    if (e->scale[i] > 0) e->k->eigen_reflect(e->lanes, e->a + i * n, i, e->scale[i]);
  for (size_t l = 0; l < count; l++)
    for (size_t k = 0; k < n; k++) out[l * n + k] = (float)e->lanes[k * LANES + l];
}

static void put_results(eigen *e, place *places, float *values, float *vectors) {
  for (size_t i = 0; i < e->n; i++) places[i] = (place){e->diagonal[i], i};
  qsort(places, e->n, sizeof *places, by_value);
  for (size_t i = 0; i < e->n; i++) values[i] = (float)places[i].value;
  for (size_t i = 0; i < e->n; i += LANES)
    back_transform(e, vectors + i * e->n, places + i, e->n - i < LANES ? e->n - i : LANES);
}

/* ---- the entry ---- */

static moon_status check_matrix(moon_ctx *ctx, const moon_tensor *a) {
  char text[MOONI_SHAPE_TEXT];
  MOONI_TRY(mooni_want_float(a, "eigh"));
  if (a->rank != 2 || a->shape[0] != a->shape[1])
    return mooni_fail(ctx, MOON_ESHAPE, "eigh: %s is not a square matrix", mooni_shape_text(text, a->rank, a->shape));
  if (a->shape[0] > LARGEST)
    return mooni_fail(ctx, MOON_ESHAPE, "eigh: %s is too large, expected at most %d rows",
                      mooni_shape_text(text, a->rank, a->shape), LARGEST);
  const float *p = moon_tensor_float(a);
  for (size_t i = 0; i < a->numel; i++)
    if (!isfinite(p[i])) return mooni_fail(ctx, MOON_ERANGE, "eigh: the matrix has elements that are not finite");
  return MOON_OK;
}

static moon_status check(moon_ctx *ctx, const moon_tensor *values, const moon_tensor *vectors, const moon_tensor *a) {
  MOONI_TRY(check_matrix(ctx, a));
  MOONI_TRY(mooni_want_float(values, "eigh"));
  MOONI_TRY(mooni_want_float(vectors, "eigh"));
  MOONI_TRY(mooni_check_out("eigh", values, 1, a->shape));
  MOONI_TRY(mooni_check_out("eigh", vectors, 2, a->shape));
  return mooni_check_overlap("eigh", values, vectors, false);
}

/* Copy the matrix; the vectors begin as the identity. */
static void start(eigen *e, const float *a) {
  for (size_t i = 0; i < e->n * e->n; i++) e->a[i] = (double)a[i];
  for (size_t i = 0; i < e->n; i++) e->z[(i / WIDTH * e->n + i) * WIDTH + i % WIDTH] = 1;
}

moon_status moon_tensor_eigh(moon_tensor *values, moon_tensor *vectors, const moon_tensor *a) {
  MOONI_IEEE;
  moon_ctx *ctx = values->storage->ctx;
  MOONI_TRY(check(ctx, values, vectors, a));
  size_t n = a->shape[0], panels = (n + WIDTH - 1) / WIDTH;
  size_t doubles = n * n + 5 * n + panels * n * WIDTH + n * LANES;
  size_t bytes = doubles * sizeof(double) + GATHERED * n * sizeof(mooni_rotation) + n * sizeof(place);
  if (!n) return MOON_OK;
  double *block = mooni_calloc(ctx, 1, bytes);
  if (!block) return mooni_nomem(ctx, bytes);
  eigen e = {.k = ctx->k, .n = n, .panels = panels, .z = block};
  e.lanes = e.z + panels * n * WIDTH;
  e.a = e.lanes + n * LANES;
  e.diagonal = e.a + n * n;
  e.off = e.diagonal + n;
  e.scale = e.off + n;
  e.p = e.scale + n;
  e.q = e.p + n;
  e.rotation = (mooni_rotation *)(e.q + n);
  start(&e, moon_tensor_float(a));
  reduce(&e);
  moon_status status = diagonalise(ctx, &e);
  if (status == MOON_OK)
    put_results(&e, (place *)(e.rotation + GATHERED * n), moon_tensor_float(values), moon_tensor_float(vectors));
  mooni_free(ctx, block);
  return status;
}
