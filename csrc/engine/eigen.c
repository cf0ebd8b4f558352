/* eigen.c - eigenvalues of symmetric matrices, by LAPACK.
**
** LAPACK is not linked: only this needs it, so it is looked for when it is wanted, and whoever never asks does without.
** Its integers are taken to have 32 bits, as in every liblapack.so.3. It ends the process on an argument that it
** refuses, so what it gets here is right by construction. */
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fpmode.h"
#include "ops.h"

/* Divide and conquer (Gu and Eisenstat, SIAM J. Matrix Anal. Appl. 16, 1995): the vectors come out orthogonal to
** working precision, also where eigenvalues lie together, as the zeros of a covariance do. The lengths of the two texts
** come last, as Fortran wants them. */
typedef void ssyevd_fn(const char *jobz, const char *uplo, const int32_t *n, float *a, const int32_t *lda, float *w,
                       float *work, const int32_t *lwork, int32_t *iwork, const int32_t *liwork, int32_t *info,
                       size_t jobz_length, size_t uplo_length);

/* The largest n whose workspace, 1 + 6 n + 2 n^2, LAPACK's integers can count. */
enum { LARGEST = 32766 };

/* The library stays loaded after its handle is closed: a BLAS keeps buffers, and maybe threads. */
static void *open_lapack(moon_ctx *ctx) {
  enum { HOW = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE };
  char reason[256];
  void *library = dlopen("liblapack.so.3", HOW);
  if (library) return library;
  snprintf(reason, sizeof reason, "%s", dlerror()); /* the other name's would be of no use */
  library = dlopen("liblapack.so", HOW);
  if (!library)
    mooni_fail(ctx, MOON_ESTATE, "eigh: LAPACK is not there (%s); on Debian it is the package liblapack3", reason);
  return library;
}

static moon_status find_ssyevd(moon_ctx *ctx, ssyevd_fn **ssyevd) {
  void *library = open_lapack(ctx);
  if (!library) return MOON_ESTATE;
  void *symbol = dlsym(library, "ssyevd_");
  dlclose(library);
  if (!symbol) return mooni_fail(ctx, MOON_ESTATE, "eigh: the LAPACK that is there has no ssyevd_");
  memcpy(ssyevd, &symbol, sizeof symbol); /* ISO C has no cast from an object to a function */
  return MOON_OK;
}

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

/* BLIS may be the system's BLAS, under that name, and ends the process over a BLIS_ARCH_TYPE that it does not know, and
** when malloc fails in it: see gemm.c. The room is more than it packs at a time. */
static moon_status probe(moon_ctx *ctx) {
  if (getenv("BLIS_ARCH_TYPE"))
    return mooni_fail(ctx, MOON_ESTATE,
                      "eigh: BLIS_ARCH_TYPE is set in the environment: LAPACK's BLIS might end the process over it; "
                      "unset it");
  const size_t room = (size_t)16 << 20;
  return mooni_malloc_has(room) ? MOON_OK : mooni_nomem(ctx, room);
}

/* All in one block: the matrix, which the vectors replace; the values; and the workspace, floats and integers. */
static moon_status solve(moon_ctx *ctx, ssyevd_fn *ssyevd, size_t n, float *block) {
  size_t floats = 1 + 6 * n + 2 * n * n, integers = 3 + 5 * n;
  float *w = block + n * n, *work = w + n;
  int32_t *iwork = (int32_t *)(work + floats);
  const int32_t order = (int32_t)n, lwork = (int32_t)floats, liwork = (int32_t)integers;
  int32_t info = 0;
  /* Fortran's matrices lie by columns: its upper triangle is our lower one, and its columns of vectors our rows. */
  ssyevd("V", "U", &order, block, &order, w, work, &lwork, iwork, &liwork, &info, 1, 1);
  if (!info) return MOON_OK;
  return mooni_fail(ctx, MOON_ERANGE, "eigh: LAPACK found no eigenvalues of this [%zu x %zu] matrix (ssyevd, info %d)",
                    n, n, (int)info);
}

moon_status moon_tensor_eigh(moon_tensor *values, moon_tensor *vectors, const moon_tensor *a) {
  MOONI_IEEE;
  moon_ctx *ctx = values->storage->ctx;
  ssyevd_fn *ssyevd;
  MOONI_TRY(check(ctx, values, vectors, a));
  size_t n = a->shape[0], count = n * n + n + (1 + 6 * n + 2 * n * n) + (3 + 5 * n);
  if (!n) return MOON_OK;
  MOONI_TRY(probe(ctx));
  MOONI_TRY(find_ssyevd(ctx, &ssyevd));
  float *block = mooni_calloc(ctx, count, sizeof(float));
  if (!block) return mooni_nomem(ctx, count * sizeof(float));
  memcpy(block, moon_tensor_float(a), moon_tensor_bytes(a));
  moon_status status = solve(ctx, ssyevd, n, block);
  if (status == MOON_OK) {
    memcpy(moon_tensor_float(vectors), block, moon_tensor_bytes(vectors));
    memcpy(moon_tensor_float(values), block + n * n, moon_tensor_bytes(values));
  }
  mooni_free(ctx, block);
  return status;
}
