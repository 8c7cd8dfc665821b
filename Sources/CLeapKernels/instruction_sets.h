// instruction_sets.h: vector types, and one instance of a function for each instruction set.
#ifndef LEAP_INSTRUCTION_SETS_H
#define LEAP_INSTRUCTION_SETS_H

#include <stddef.h>

#include "leap_cpu.h"

#define LEAP_FUSED(A, B, C) __builtin_elementwise_fma(A, B, C)
#define LEAP_SEPARATE(A, B, C) ((A) * (B) + (C))
/// A kernel of one architecture; NULL on the others.
#if defined(__x86_64__)
#define LEAP_ON_X86(FUNCTION) FUNCTION
#else
#define LEAP_ON_X86(FUNCTION) NULL
#endif
#if defined(__aarch64__)
#define LEAP_ON_ARM(FUNCTION) FUNCTION
#else
#define LEAP_ON_ARM(FUNCTION) NULL
#endif

#define LEAP_UNROLL _Pragma("clang loop unroll(full)")
/// A loop that begins a line of the cache: one that is bound by decoding is some percent faster so.
#define LEAP_ALIGNED
#if defined(__has_c_attribute)
#if __has_c_attribute(clang::code_align)
#undef LEAP_ALIGNED
#define LEAP_ALIGNED [[clang::code_align(64)]]
#endif
#endif

// Vectors in memory are aligned no better than floats are.
typedef float leap_f32x4 __attribute__((ext_vector_type(4), aligned(4)));
#if defined(__x86_64__)
typedef float leap_f32x8 __attribute__((ext_vector_type(8), aligned(4)));
typedef float leap_f32x16 __attribute__((ext_vector_type(16), aligned(4)));
#define LEAP_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define LEAP_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#endif

/// INSTANCE(suffix, target, vector, lanes, multiply-add) for each instruction set of this architecture.
#if defined(__x86_64__)
#define LEAP_FOR_EACH_ISA(INSTANCE)                               \
  INSTANCE(portable, , leap_f32x4, 4, LEAP_SEPARATE)              \
  INSTANCE(avx2, LEAP_TARGET_AVX2, leap_f32x8, 8, LEAP_FUSED)     \
  INSTANCE(avx512, LEAP_TARGET_AVX512, leap_f32x16, 16, LEAP_FUSED)
#define LEAP_CALL(ISA, NAME, ...)                                  \
  switch (ISA) {                                                   \
    case LEAP_ISA_AVX512: NAME##_avx512(__VA_ARGS__); break;       \
    case LEAP_ISA_AVX2: NAME##_avx2(__VA_ARGS__); break;           \
    default: NAME##_portable(__VA_ARGS__);                         \
  }
#define LEAP_RETURN(ISA, NAME, ...)                                \
  switch (ISA) {                                                   \
    case LEAP_ISA_AVX512: return NAME##_avx512(__VA_ARGS__);       \
    case LEAP_ISA_AVX2: return NAME##_avx2(__VA_ARGS__);           \
    default: return NAME##_portable(__VA_ARGS__);                  \
  }
#elif defined(__aarch64__)
#define LEAP_FOR_EACH_ISA(INSTANCE)                  \
  INSTANCE(portable, , leap_f32x4, 4, LEAP_SEPARATE) \
  INSTANCE(neon, , leap_f32x4, 4, LEAP_FUSED)
#define LEAP_CALL(ISA, NAME, ...)                            \
  switch (ISA) {                                             \
    case LEAP_ISA_NEON: NAME##_neon(__VA_ARGS__); break;     \
    default: NAME##_portable(__VA_ARGS__);                   \
  }
#define LEAP_RETURN(ISA, NAME, ...)                          \
  switch (ISA) {                                             \
    case LEAP_ISA_NEON: return NAME##_neon(__VA_ARGS__);     \
    default: return NAME##_portable(__VA_ARGS__);            \
  }
#else
#define LEAP_FOR_EACH_ISA(INSTANCE) INSTANCE(portable, , leap_f32x4, 4, LEAP_SEPARATE)
#define LEAP_CALL(ISA, NAME, ...) (void)(ISA), NAME##_portable(__VA_ARGS__);
#define LEAP_RETURN(ISA, NAME, ...) return NAME##_portable(__VA_ARGS__);
#endif

#endif
