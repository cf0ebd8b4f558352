/* gemm.c - matrix products: by BLIS, which only this file calls; of a matrix with many zeros by kernels/sparse.c; on a
** CPU with AVX-512 by kernels/product.c, on others small ones by kernels/small.c.
**
** BLIS always runs on one thread, set in a run-time object, so that OMP_NUM_THREADS and BLIS_NUM_THREADS change
** nothing. When malloc fails in BLIS, it aborts the process. But its pool keeps the packing buffers of a call, and the
** next call of the same shape allocates nothing. Hence mooni_gemm_plan: check that the memory is there, then make the
** call once on scratch memory, before anything depends on it. */
#include "gemm.h"

#include <stdlib.h>
#include <string.h>

#include "../kernels/table.h"
#include "blis_versions.h"
#include "ctx.h"
#include "error.h"
#include "memory.h"
#include "pool.h"

/* BLIS selects kernels by CPU model. On models newer than itself it falls back to generic C, several times slower, and
** on an AVX-512 CPU whose model it cannot read, as in a virtual machine, it does not use AVX-512. So we select by what
** the CPU can do: the AVX2 kernels, which are faster for small products, and the AVX-512 ones for large products. Both
** can be selected where BLIS is linked in; the shared library exports them from version 2 on. */

/* BLIS aborts on an unknown BLIS_ARCH_TYPE, and prints if BLIS_ARCH_DEBUG is set. Where it is linked in, this function
** takes the place of its getenv and says that no variable is set. It is weak: a host's BLIS comes first. */
__attribute__((weak)) gint_t bli_env_get_var(const char *name, gint_t otherwise) {
  (void)name;
  return otherwise;
}

#if MOONI_BLIS_MAJOR >= 1
__attribute__((weak)) char *bli_env_get_str(const char *name) {
  (void)name;
  return NULL;
}
#endif

/* A shared BLIS reads the environment itself, and we must not change the host's environment. */
static bool may_end_the_process(void) {
  if (blis_is_linked_in()) return bli_env_get_var("BLIS_ARCH_TYPE", -1) != -1;
  return getenv("BLIS_ARCH_TYPE") != NULL;
}

/* NULL: BLIS's own choice. */
static cntx_t *avx2_kernels(void) {
#if defined(__x86_64__)
  if (bli_arch_query_id() == BLIS_ARCH_GENERIC && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return blis_context_of(BLIS_ARCH_ZEN3);
#endif
  return NULL;
}

static cntx_t *avx512_kernels(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    return blis_context_of(BLIS_ARCH_SKX);
#endif
  return NULL;
}

/* The most that BLIS allocates when it starts. */
enum { START_BYTES = 1 << 20 };

/* The kernels for a product of this size. */
static cntx_t *kernels_for(size_t m, size_t n) {
  enum { LARGE = 16384, LEAST_ROWS = 32, LEAST_COLUMNS = 64 };
  cntx_t *wide = m >= LEAST_ROWS && n >= LEAST_COLUMNS && m * n >= LARGE ? avx512_kernels() : NULL;
  return wide ? wide : avx2_kernels();
}

/* A shape that this context has planned: a call with it allocates nothing. */
typedef struct shape {
  size_t callers, m, n, k;
  bool a_by_row, b_by_row, c_by_row;
} shape;

enum { WARM = 256 };

/* BLIS packs blocks of at most these sizes along m or n, and along k: a larger matrix needs no larger buffer. */
enum { LONG = 4608, DEEP = 512 };

struct mooni_warm {
  shape seen[WARM];
  size_t count;
};

/* cntx NULL: BLIS's own choice. */
static void multiply(cntx_t *cntx, size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta,
                     mooni_mat c) {
  rntm_t rntm = BLIS_RNTM_INITIALIZER;
  bli_rntm_set_num_threads(1, &rntm);
  bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, (dim_t)m, (dim_t)n, (dim_t)k, &alpha, a.p, (inc_t)a.rs,
               (inc_t)a.cs, b.p, (inc_t)b.rs, (inc_t)b.cs, &beta, c.p, (inc_t)c.rs, (inc_t)c.cs, cntx, &rntm);
}

void mooni_gemm_blis(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c) {
  multiply(kernels_for(m, n), m, n, k, alpha, a, b, beta, c);
}

static bool suits(mooni_mat b, mooni_mat c) { return c.cs == 1 && (b.cs == 1 || b.rs == 1); }

/* Does kernels/product.c compute c, or c' = b'a' if *turned? It passes over a once for every few columns of c, so a's
** part of one pass should fit into the L2 cache; beyond that, BLIS's packing pays. */
static bool is_ours(const moon_ctx *ctx, size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b, mooni_mat c,
                    bool *turned) {
  enum { PASS = 256, NEAR = 1 << 19 };
  *turned = !suits(b, c);
  if (!ctx->k->product || (*turned && !suits(mooni_transposed(a), mooni_transposed(c)))) return false;
  return (*turned ? n : m) < NEAR / (k < PASS ? k + 1 : PASS);
}

/* Does kernels/small.c compute c? Of larger ones BLIS is as fast. The bits are the same: what differs is left out, as
** the last of an odd number of columns. */
static bool is_small(const moon_ctx *ctx, size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b,
                     float beta, mooni_mat c) {
  enum { LANES = 8, MOST = 1 << 14 };
  size_t width = (n + LANES - 1) / LANES * LANES;
  if (!ctx->k->small || !n || !k || (n == 1 ? m : n) % 2) return false;
  return alpha == 1 && beta == 0 && (a.cs == 1 || b.cs == 1) && c.cs == 1 && k <= MOONI_SMALL_BLOCK / width &&
         m <= MOST / (k * width);
}

void mooni_gemm(const moon_ctx *ctx, size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta,
                mooni_mat c) {
  bool turned;
  if (a.sparse && b.cs == 1 && c.cs == 1 && ctx->k->sparse_product(m, n, k, alpha, a, b, beta, c)) return;
  if (is_small(ctx, m, n, k, alpha, a, b, beta, c))
    ctx->k->small(m, n, k, a, b, c);
  else if (!is_ours(ctx, m, n, k, a, b, c, &turned))
    mooni_gemm_blis(m, n, k, alpha, a, b, beta, c);
  else if (turned)
    ctx->k->product(n, m, k, alpha, mooni_transposed(b), mooni_transposed(a), beta, mooni_transposed(c));
  else
    ctx->k->product(m, n, k, alpha, a, b, beta, c);
}

static bool is_warm(const struct mooni_warm *warm, const shape *s) {
  for (size_t i = 0; warm && i < warm->count && i < WARM; i++) {
    const shape *w = &warm->seen[i];
    if (w->callers >= s->callers && w->m == s->m && w->n == s->n && w->k == s->k && w->a_by_row == s->a_by_row &&
        w->b_by_row == s->b_by_row && w->c_by_row == s->c_by_row)
      return true;
  }
  return false;
}

/* The most that BLIS packs at once: a block of A (mc x kc) and a panel of B (kc x nc), with room for alignment and
** small blocks. */
static size_t packing_bytes(cntx_t *cntx) {
  size_t mc = (size_t)bli_cntx_get_blksz_max_dt(BLIS_FLOAT, BLIS_MC, cntx);
  size_t kc = (size_t)bli_cntx_get_blksz_max_dt(BLIS_FLOAT, BLIS_KC, cntx);
  size_t nc = (size_t)bli_cntx_get_blksz_max_dt(BLIS_FLOAT, BLIS_NC, cntx);
  return (mc + nc) * kc * sizeof(float) + ((size_t)1 << 20);
}

/* ---- rehearsing ----
** A product on scratch memory, with kernels that compute nothing. The first time they run, they make the same product
** again, nested as deep as there will be callers. There each call holds all the memory that BLIS gives it, so that
** BLIS's pool has enough for all callers at once, however the threads are scheduled. */

typedef struct rehearsal {
  blis_copy blis; /* with our kernels. First, because the kernels get its address */
  size_t callers; /* still to be nested */
  const shape *s;
  float *scratch;
} rehearsal;

static void *rehearse(void *arg) {
  rehearsal *r = arg;
  const shape *s = r->s;
  float *a = r->scratch, *b = a + s->m * s->k, *c = b + s->k * s->n;
  mooni_mat ma = {.p = a, .rs = s->a_by_row ? s->k : 1, .cs = s->a_by_row ? 1 : s->m};
  mooni_mat mb = {.p = b, .rs = s->b_by_row ? s->n : 1, .cs = s->b_by_row ? 1 : s->k};
  mooni_mat mc = {.p = c, .rs = s->c_by_row ? s->n : 1, .cs = s->c_by_row ? 1 : s->m};
  r->callers--;
  multiply(&r->blis.cntx, s->m, s->n, s->k, 1, ma, mb, 0, mc);
  return NULL;
}

static void packed_kernel(dim_t m, dim_t n, dim_t k, float *alpha, float *a, float *b, float *beta, float *c,
                          inc_t rs_c, inc_t cs_c, auxinfo_t *data, cntx_t *cntx) {
  (void)m, (void)n, (void)k, (void)alpha, (void)a, (void)b, (void)beta, (void)c, (void)rs_c, (void)cs_c, (void)data;
  rehearsal *r = (rehearsal *)cntx;
  if (r->callers) rehearse(r);
}

static void unpacked_kernel(conj_t conja, conj_t conjb, dim_t m, dim_t n, dim_t k, float *alpha, float *a, inc_t rs_a,
                            inc_t cs_a, float *b, inc_t rs_b, inc_t cs_b, float *beta, float *c, inc_t rs_c, inc_t cs_c,
                            auxinfo_t *data, cntx_t *cntx) {
  (void)conja, (void)conjb, (void)rs_a, (void)cs_a, (void)rs_b, (void)cs_b;
  packed_kernel(m, n, k, alpha, a, b, beta, c, rs_c, cs_c, data, cntx);
}

/* BLIS stores kernels as pointers to objects, to which ISO C cannot cast functions. */
static void_fp address(void (*kernel)(void)) {
  void_fp p;
  memcpy(&p, &kernel, sizeof p);
  return p;
}

static void take_kernels_away(rehearsal *r, const cntx_t *cntx) {
  void_fp packed = address((void (*)(void))packed_kernel), unpacked = address((void (*)(void))unpacked_kernel);
  blis_copy_init(&r->blis, cntx);
  blis_copy_set_kernels(&r->blis, packed, unpacked);
}

/* Nested calls need a deep stack: a thread with a stack made for them. */
static moon_status rehearse_all(moon_ctx *ctx, rehearsal *r) {
  enum { CALL = 1 << 16 }; /* stack bytes: three times what the largest call takes */
  pthread_t thread;
  if (r->callers == 1) return rehearse(r), MOON_OK;
  int error = mooni_start_thread(&thread, (r->callers + 4) * CALL, rehearse, r);
  if (error) return mooni_fail(ctx, MOON_ESTATE, "cannot start a thread: %s", strerror(error));
  pthread_join(thread, NULL);
  return MOON_OK;
}

moon_status mooni_gemm_plan(moon_ctx *ctx, size_t callers, size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b,
                            mooni_mat c) {
  bool turned;
  if (!m || !n || !k || is_ours(ctx, m, n, k, a, b, c, &turned)) return MOON_OK;
  if (m > LONG) m = LONG;
  if (n > LONG) n = LONG;
  if (k > DEEP) k = DEEP;
  shape s = {callers, m, n, k, a.cs == 1, b.cs == 1, c.cs == 1};
  if (is_warm(ctx->warm, &s)) return MOON_OK;
  if (may_end_the_process())
    return mooni_fail(
        ctx, MOON_ESTATE,
        "BLIS_ARCH_TYPE is set in the environment, and BLIS aborts if it does not know the value; unset it");
  if (!ctx->warm && !(ctx->warm = mooni_calloc(ctx, 1, sizeof *ctx->warm))) return mooni_nomem(ctx, sizeof *ctx->warm);
  if (!mooni_malloc_has(START_BYTES)) return mooni_nomem(ctx, START_BYTES);

  cntx_t *cntx = kernels_for(m, n);
  if (!cntx) cntx = (cntx_t *)bli_gks_query_cntx();
  size_t bytes = sizeof(rehearsal) + (m * k + k * n + m * n) * sizeof(float), probe = callers * packing_bytes(cntx);
  rehearsal *r = mooni_calloc(ctx, 1, bytes);
  if (!r) return mooni_nomem(ctx, bytes);
  moon_status status = mooni_malloc_has(probe) ? MOON_OK : mooni_nomem(ctx, probe);
  r->callers = callers;
  r->s = &s;
  r->scratch = (float *)(r + 1);
  take_kernels_away(r, cntx);
  if (status == MOON_OK) status = rehearse_all(ctx, r);
  mooni_free(ctx, r);
  if (status != MOON_OK) return status;
  ctx->warm->seen[ctx->warm->count++ % WARM] = s;
  return MOON_OK;
}

void mooni_plan_add(mooni_plan *plan, size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b, mooni_mat c) {
  if (plan->status == MOON_OK) plan->status = mooni_gemm_plan(plan->ctx, plan->callers, m, n, k, a, b, c);
}

void mooni_gemm_forget(moon_ctx *ctx) {
  mooni_free(ctx, ctx->warm);
  ctx->warm = NULL;
}

const char *mooni_blis_version(void) { return bli_info_get_version_str(); }

const char *mooni_blis_config(void) {
  static const char *const text[2][2] = {{NULL, "zen3"}, {NULL, "zen3+skx"}};
  if (may_end_the_process() || !mooni_malloc_has(START_BYTES)) return "unknown";
  const char *own = text[avx512_kernels() != NULL][avx2_kernels() != NULL];
  return own ? own : bli_arch_string(bli_arch_query_id());
}
