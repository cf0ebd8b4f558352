/* blis_versions.h - blis.h, and everything in which its versions differ. For gemm.c alone.
**
** 0.9 (Debian 12) does not tell its version. 1.x (Debian 13) has const contexts, with all kernels in one table. 2.x has
** that table behind a pointer, so that a copied context shares it; its shared library exports the look-up of contexts,
** under another name. */
#ifndef MOONI_BLIS_VERSIONS_H
#define MOONI_BLIS_VERSIONS_H

#include <blis.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#if defined(BLIS_VERSION_MAJOR)
#define MOONI_BLIS_MAJOR BLIS_VERSION_MAJOR
#elif defined(BLIS_VERSION_STRING)
#define MOONI_BLIS_MAJOR 1
#else
#define MOONI_BLIS_MAJOR 0
#endif

/* No shared BLIS exports this function: where it is there, BLIS is linked in. */
#pragma weak bli_gks_init

static inline bool blis_is_linked_in(void) { return bli_gks_init != NULL; }

#if MOONI_BLIS_MAJOR >= 2
#define MOONI_BLIS_LOOKUP bli_gks_lookup_id
#pragma weak bli_gks_lookup_id
#else
#define MOONI_BLIS_LOOKUP bli_gks_lookup_nat_cntx
#pragma weak bli_gks_lookup_nat_cntx
#endif

/* The context with the kernels for that CPU model; NULL if BLIS does not hand it out. Read-only. */
static inline cntx_t *blis_context_of(arch_t arch) {
  if (!MOONI_BLIS_LOOKUP) return NULL;
  bli_init(); /* the look-up, unlike other calls, does not do this itself */
  return (cntx_t *)MOONI_BLIS_LOOKUP(arch);
}

/* A copy of a context, whose kernels we may change. BLIS passes its address to them. */
typedef struct blis_copy {
  cntx_t cntx;
#if MOONI_BLIS_MAJOR >= 2
  func_t kernels[BLIS_NUM_UKRS];
  func2_t kernels2[BLIS_NUM_UKR2S];
  void *block, *block2;
#endif
} blis_copy;

#if MOONI_BLIS_MAJOR >= 2
/* Give the copy its own table, in one block of memory. It needs the first `count` elements. */
static inline void blis_own(stck_t *table, siz_t count, void **block) {
  for (siz_t i = 0; i < count; i++) {
    void *element;
    if (bli_stack_get(i, &element, table) == BLIS_SUCCESS)
      memcpy((char *)*block + i * table->elem_size, element, table->elem_size);
  }
  table->blocks = block;
  table->block_len = table->size = count;
}
#endif

static inline void blis_copy_init(blis_copy *copy, const cntx_t *cntx) {
  copy->cntx = *cntx;
#if MOONI_BLIS_MAJOR >= 2
  copy->block = copy->kernels;
  copy->block2 = copy->kernels2;
  blis_own(&copy->cntx.ukrs, BLIS_NUM_UKRS, &copy->block);
  blis_own(&copy->cntx.ukr2s, BLIS_NUM_UKR2S, &copy->block2);
#endif
}

/* Set the float kernels: for packed operands, and for small ones, which BLIS does not pack. */
static inline void blis_copy_set_kernels(blis_copy *copy, void_fp packed, void_fp unpacked) {
  cntx_t *cntx = &copy->cntx;
#if MOONI_BLIS_MAJOR >= 1
  bli_cntx_set_ukr_dt(packed, BLIS_FLOAT, BLIS_GEMM_UKR, cntx);
#if MOONI_BLIS_MAJOR == 1
  bli_cntx_set_ukr_dt(packed, BLIS_FLOAT, BLIS_GEMM_VIR_UKR, cntx);
#endif
#else
  bli_func_set_dt(packed, BLIS_FLOAT, bli_cntx_get_l3_vir_ukrs(BLIS_GEMM_UKR, cntx));
  bli_func_set_dt(packed, BLIS_FLOAT, bli_cntx_get_l3_nat_ukrs(BLIS_GEMM_UKR, cntx));
#endif
  for (int i = 0; i < BLIS_NUM_3OP_RC_COMBOS; i++) {
    if (!bli_cntx_get_l3_sup_ker_dt(BLIS_FLOAT, (stor3_t)i, cntx)) continue;
#if MOONI_BLIS_MAJOR >= 1
    bli_cntx_set_ukr_dt(unpacked, BLIS_FLOAT, bli_stor3_ukr((stor3_t)i), cntx);
#else
    bli_func_set_dt(unpacked, BLIS_FLOAT, bli_cntx_get_l3_sup_kers((stor3_t)i, cntx));
#endif
  }
}

#endif
