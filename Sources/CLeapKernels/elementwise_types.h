// elementwise_types.h: what the element-wise loops share: the types' numbers, and the shape of a loop.
#ifndef LEAP_ELEMENTWISE_TYPES_H
#define LEAP_ELEMENTWISE_TYPES_H

#include "leap_elementwise.h"
#include "leap_math.h"

// TensorProto.DataType.
enum {
  LEAP_F32 = 1, LEAP_U8 = 2, LEAP_I8 = 3, LEAP_U16 = 4, LEAP_I16 = 5, LEAP_I32 = 6, LEAP_I64 = 7, LEAP_BOOL = 9,
  LEAP_F16 = 10, LEAP_F64 = 11, LEAP_U32 = 12, LEAP_U64 = 13, LEAP_BF16 = 16,
  LEAP_F8_E4M3FN = 17, LEAP_F8_E4M3FNUZ = 18, LEAP_F8_E5M2 = 19, LEAP_F8_E5M2FNUZ = 20
};

// An output that is an input looks to the compiler like a dependency between iterations; it is none, since each reads
// its own element before it writes it.
// Loops that call libm stay scalar, which is no news.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#define LEAP_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
// The same for functions of one element: long chains of operations, of which several at a time fill the processor.
#define LEAP_INTERLEAVED _Pragma("clang loop vectorize(assume_safety) interleave_count(4)")
// Loops over any strides: vectors of gathered elements gain nothing, and there are many of these loops.
#define LEAP_ONE_BY_ONE _Pragma("clang loop vectorize(disable) unroll(disable)")
#else
#define LEAP_INDEPENDENT _Pragma("GCC ivdep")
#define LEAP_INTERLEAVED _Pragma("GCC ivdep")
#define LEAP_ONE_BY_ONE
#endif

/// y[i] = EXPR of v, for the contiguous case (which the compiler vectorises) and for any strides.
#define LEAP_UNARY_LOOP(T, U, EXPR)                    \
  do {                                                 \
    if (sx == 1 && sy == 1) {                          \
      LEAP_INTERLEAVED for (ptrdiff_t i = 0; i < count; i++) { \
        const T v = ((const T *)x)[i];                 \
        ((U *)y)[i] = (U)(EXPR);                       \
      }                                                \
    } else {                                           \
      LEAP_ONE_BY_ONE for (ptrdiff_t i = 0; i < count; i++) {          \
        const T v = ((const T *)x)[i * sx];            \
        ((U *)y)[i * sy] = (U)(EXPR);                  \
      }                                                \
    }                                                  \
    return LEAP_OK;                                    \
  } while (0)

/// y[i] = EXPR of p and q; either operand may be one repeated element.
#define LEAP_BINARY_LOOP(T, U, EXPR)                   \
  do {                                                 \
    if (sa == 1 && sb == 1 && sy == 1) {               \
      LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) { \
        const T p = ((const T *)a)[i], q = ((const T *)b)[i]; \
        (void)q;                                       \
        ((U *)y)[i] = (U)(EXPR);                       \
      }                                                \
    } else if (sa == 1 && sb == 0 && sy == 1 && count > 0) { \
      const T q = *(const T *)b;                       \
      (void)q;                                         \
      LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) { \
        const T p = ((const T *)a)[i];                 \
        ((U *)y)[i] = (U)(EXPR);                       \
      }                                                \
    } else if (sa == 0 && sb == 1 && sy == 1 && count > 0) { \
      const T p = *(const T *)a;                       \
      LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) { \
        const T q = ((const T *)b)[i];                 \
        (void)q;                                       \
        ((U *)y)[i] = (U)(EXPR);                       \
      }                                                \
    } else {                                           \
      LEAP_ONE_BY_ONE for (ptrdiff_t i = 0; i < count; i++) {          \
        const T p = ((const T *)a)[i * sa], q = ((const T *)b)[i * sb]; \
        (void)q;                                       \
        ((U *)y)[i * sy] = (U)(EXPR);                  \
      }                                                \
    }                                                  \
    return LEAP_OK;                                    \
  } while (0)

#endif
