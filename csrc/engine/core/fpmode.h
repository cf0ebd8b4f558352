/* fpmode.h - the floating-point mode in which the engine computes. The host may have set another one: with traps an
** infinity would kill the process by a signal; with another rounding, or without denormals, the same net would give
** other bits. So an entry that computes sets the mode in one line. At the end of that scope the caller's mode and flags
** come back.
**
**   MOONI_IEEE;     round to nearest, no traps: what every system starts with
**   MOONI_FLUSHING; the same, but denormal numbers count as zero. The moments of weights that no longer move decay into
**                   denormals, and each of those costs as much as a hundred normal operations. */
#ifndef MOONI_FPMODE_H
#define MOONI_FPMODE_H

#define MOONI_IEEE MOONI_FPMODE(MOONI_FP_IEEE)
#define MOONI_FLUSHING MOONI_FPMODE(MOONI_FP_FLUSHING)
#define MOONI_FPMODE(mode) \
  __attribute__((cleanup(mooni_fp_leave), unused)) mooni_fpmode fpmode_before_ = mooni_fp_enter(mode)

#if defined(__SSE2__)
#include <xmmintrin.h>

typedef unsigned mooni_fpmode;

enum { MOONI_FP_IEEE = 0x1f80, MOONI_FP_FLUSHING = MOONI_FP_IEEE | 1 << 15 | 1 << 6 };

static inline mooni_fpmode mooni_fp_enter(mooni_fpmode mode) {
  mooni_fpmode before = _mm_getcsr();
  _mm_setcsr(mode);
  return before;
}

static inline void mooni_fp_leave(const mooni_fpmode *before) { _mm_setcsr(*before); }

#elif defined(__aarch64__)
#include <stdint.h>

typedef uint64_t mooni_fpmode;

enum { MOONI_FP_IEEE = 0, MOONI_FP_FLUSHING = 1 << 24 };

static inline mooni_fpmode mooni_fp_enter(mooni_fpmode mode) {
  mooni_fpmode before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
  return before;
}

static inline void mooni_fp_leave(const mooni_fpmode *before) { __asm__ volatile("msr fpcr, %0" : : "r"(*before)); }

#else
typedef int mooni_fpmode;
enum { MOONI_FP_IEEE, MOONI_FP_FLUSHING };
static inline mooni_fpmode mooni_fp_enter(mooni_fpmode mode) { return mode; }
static inline void mooni_fp_leave(const mooni_fpmode *before) { (void)before; }
#endif

#endif
