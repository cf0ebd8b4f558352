/* fpmode.h - denormal numbers count as zero while the engine computes: the moments of weights that no longer move decay
** into them, and each one costs as much as a hundred normal operations. The caller's mode comes back afterwards. */
#ifndef MOONI_FPMODE_H
#define MOONI_FPMODE_H

#if defined(__SSE2__)
#include <xmmintrin.h>

typedef unsigned mooni_fpmode;

static inline mooni_fpmode mooni_fp_enter(void) {
  enum { FLUSH_TO_ZERO = 1 << 15, DENORMALS_ARE_ZERO = 1 << 6 };
  mooni_fpmode before = _mm_getcsr();
  _mm_setcsr(before | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
  return before;
}

static inline void mooni_fp_leave(mooni_fpmode before) { _mm_setcsr(before); }

#elif defined(__aarch64__)
#include <stdint.h>

typedef uint64_t mooni_fpmode;

static inline mooni_fpmode mooni_fp_enter(void) {
  mooni_fpmode before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(before | (uint64_t)1 << 24));
  return before;
}

static inline void mooni_fp_leave(mooni_fpmode before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }

#else
typedef int mooni_fpmode;
static inline mooni_fpmode mooni_fp_enter(void) { return 0; }
static inline void mooni_fp_leave(mooni_fpmode before) { (void)before; }
#endif

#endif
