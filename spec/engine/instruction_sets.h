/* instruction_sets.h - calls a function with the kernels of each instruction set that this CPU has. */
#ifndef INSTRUCTION_SETS_H
#define INSTRUCTION_SETS_H

static void each_instruction_set(void (*f)(const mooni_kernels *)) {
  f(&mooni_kernels_base);
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) f(&mooni_kernels_avx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    f(&mooni_kernels_avx512);
#endif
}

#endif
