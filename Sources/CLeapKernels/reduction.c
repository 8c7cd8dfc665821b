// reduction.c: the loops of leap_reduction.h for every element type, one instance for each instruction set. All give the
// same bits: no product is fused with a sum, exponentials included.
#pragma STDC FP_CONTRACT OFF
#include "leap_reduction.h"

#include <float.h>

#include "elementwise_types.h"
#include "instruction_sets.h"

enum { LANES = 8 };

// How an accumulator takes another, by what the accumulators are.
#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))
#define LARGER_FLOAT(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))
#define SMALLER_FLOAT(a, b) ((a) < (b) || (a) != (a) ? (a) : (b))
#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define SMALLER(a, b) ((a) < (b) ? (a) : (b))
// Signed sums and products wrap as unsigned ones do.
#define ADD_SIGNED(a, b) ((int64_t)((uint64_t)(a) + (uint64_t)(b)))
#define MULTIPLY_SIGNED(a, b) ((int64_t)((uint64_t)(a) * (uint64_t)(b)))

// What is made of an element before it is joined.
#define SAME(v) (v)
#define SQUARE(v) ((v) * (v))
#define SQUARE_SIGNED(v) MULTIPLY_SIGNED(v, v)
#define MAGNITUDE_FLOAT(v) (fabs(v))
#define MAGNITUDE_SIGNED(v) ((int64_t)((v) < 0 ? 0 - (uint64_t)(v) : (uint64_t)(v)))

#define RUN(T, A, START, JOIN, PREPARE)                              \
  {                                                                  \
    const T *p = x;                                                  \
    A *accumulator = accumulators;                                   \
    A lanes[LANES];                                                  \
    for (int lane = 0; lane < LANES; lane++) lanes[lane] = START;    \
    const ptrdiff_t whole = count / LANES * LANES;                   \
    for (ptrdiff_t i = 0; i < whole; i += LANES)                     \
      for (int lane = 0; lane < LANES; lane++) {                     \
        const A v = p[i + lane];                                     \
        const A a = lanes[lane];                                     \
        lanes[lane] = JOIN(a, PREPARE(v));                           \
      }                                                              \
    for (ptrdiff_t i = whole; i < count; i++) {                      \
      const A v = p[i];                                              \
      const A a = lanes[i - whole];                                  \
      lanes[i - whole] = JOIN(a, PREPARE(v));                        \
    }                                                                \
    for (int lane = 0; lane < LANES; lane++) {                       \
      const A a = *accumulator;                                      \
      *accumulator = JOIN(a, lanes[lane]);                           \
    }                                                                \
    return;                                                          \
  }

#define ROWS(T, A, START, JOIN, PREPARE)                             \
  {                                                                  \
    A *accumulator = accumulators;                                   \
    for (ptrdiff_t row = 0; row < rows; row++) {                     \
      const T *p = (const T *)x + row * row_stride;                  \
      LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < columns; i++) {     \
        const A v = p[i];                                            \
        const A a = accumulator[i];                                  \
        accumulator[i] = JOIN(a, PREPARE(v));                        \
      }                                                              \
    }                                                                \
    return;                                                          \
  }

#define FILL(T, A, START, JOIN, PREPARE)                                               \
  {                                                                                    \
    for (ptrdiff_t i = 0; i < count; i++) ((A *)accumulators)[i] = (A)(START);         \
    return;                                                                            \
  }

#define JOIN_ALL(T, A, START, JOIN, PREPARE)            \
  {                                                     \
    A *accumulator = accumulators;                      \
    for (ptrdiff_t i = 0; i < count; i++) {             \
      const A a = accumulator[i];                       \
      accumulator[i] = JOIN(a, ((const A *)later)[i]);  \
    }                                                   \
    return;                                             \
  }

#define EVERY_FUNCTION(LOOP, T, A, LOWEST, HIGHEST, LARGE, SMALL, SUM, PRODUCT, SQUARED, ABSOLUTE) \
  switch (function) {                                                                             \
    case LEAP_REDUCE_MAX: LOOP(T, A, LOWEST, LARGE, SAME)                                         \
    case LEAP_REDUCE_MIN: LOOP(T, A, HIGHEST, SMALL, SAME)                                        \
    case LEAP_REDUCE_PROD: LOOP(T, A, 1, PRODUCT, SAME)                                           \
    case LEAP_REDUCE_SUM_SQUARE:                                                                  \
    case LEAP_REDUCE_L2: LOOP(T, A, 0, SUM, SQUARED)                                              \
    case LEAP_REDUCE_L1: LOOP(T, A, 0, SUM, ABSOLUTE)                                             \
    default: LOOP(T, A, 0, SUM, SAME)                                                             \
  }

#define FLOATING(LOOP, T)                                                                               \
  EVERY_FUNCTION(LOOP, T, double, -(double)INFINITY, (double)INFINITY, LARGER_FLOAT, SMALLER_FLOAT, ADD, \
                 MULTIPLY, SQUARE, MAGNITUDE_FLOAT)
#define SIGNED(LOOP, T, LOWEST, HIGHEST)                                                              \
  EVERY_FUNCTION(LOOP, T, int64_t, LOWEST, HIGHEST, LARGER, SMALLER, ADD_SIGNED, MULTIPLY_SIGNED,     \
                 SQUARE_SIGNED, MAGNITUDE_SIGNED)
#define UNSIGNED(LOOP, T, HIGHEST) \
  EVERY_FUNCTION(LOOP, T, uint64_t, 0, HIGHEST, LARGER, SMALLER, ADD, MULTIPLY, SQUARE, SAME)

#define EVERY_TYPE(LOOP)                                     \
  switch (type) {                                            \
    case LEAP_F32: FLOATING(LOOP, float)                     \
    case LEAP_F64: FLOATING(LOOP, double)                    \
    case LEAP_I8: SIGNED(LOOP, int8_t, INT8_MIN, INT8_MAX)   \
    case LEAP_I16: SIGNED(LOOP, int16_t, INT16_MIN, INT16_MAX) \
    case LEAP_I32: SIGNED(LOOP, int32_t, INT32_MIN, INT32_MAX) \
    case LEAP_I64: SIGNED(LOOP, int64_t, INT64_MIN, INT64_MAX) \
    case LEAP_U8: UNSIGNED(LOOP, uint8_t, UINT8_MAX)         \
    case LEAP_BOOL: UNSIGNED(LOOP, uint8_t, 1)               \
    case LEAP_U16: UNSIGNED(LOOP, uint16_t, UINT16_MAX)      \
    case LEAP_U32: UNSIGNED(LOOP, uint32_t, UINT32_MAX)      \
    case LEAP_U64: UNSIGNED(LOOP, uint64_t, UINT64_MAX)      \
    default: return;                                         \
  }

static void fill(int32_t type, enum leap_reduction function, void *accumulators, ptrdiff_t count) {
  EVERY_TYPE(FILL)
}

enum leap_status leap_reduce_start(
    int32_t type, enum leap_reduction function, void *accumulators, ptrdiff_t count) {
  const int isNumber =
      type == LEAP_F32 || type == LEAP_F64 || type == LEAP_U32 || type == LEAP_U64
      || (type >= LEAP_U8 && type <= LEAP_I64);
  const int hasOrder = function == LEAP_REDUCE_MAX || function == LEAP_REDUCE_MIN;
  if (!isNumber && !(type == LEAP_BOOL && hasOrder)) return LEAP_UNSUPPORTED;
  fill(type, function, accumulators, count);
  return LEAP_OK;
}

#define INSTANCE(ISA, TARGET, VECTOR, WIDTH, MULTIPLY_ADD)                                                     \
  TARGET static void run_##ISA(                                                                                \
      int32_t type, enum leap_reduction function, const void *x, ptrdiff_t count, void *accumulators) {        \
    EVERY_TYPE(RUN)                                                                                            \
  }                                                                                                            \
  TARGET static void rows_##ISA(                                                                               \
      int32_t type, enum leap_reduction function, const void *x, ptrdiff_t rows, ptrdiff_t row_stride,         \
      ptrdiff_t columns, void *accumulators) {                                                                 \
    EVERY_TYPE(ROWS)                                                                                           \
  }

LEAP_FOR_EACH_ISA(INSTANCE)
#undef INSTANCE

void leap_reduce_run(
    int32_t type, enum leap_reduction function, const void *x, ptrdiff_t count, void *accumulators) {
  LEAP_CALL(leap_isa_preferred(), run, type, function, x, count, accumulators)
}

void leap_reduce_rows(
    int32_t type, enum leap_reduction function, const void *x, ptrdiff_t rows, ptrdiff_t row_stride,
    ptrdiff_t columns, void *accumulators) {
  LEAP_CALL(leap_isa_preferred(), rows, type, function, x, rows, row_stride, columns, accumulators)
}

void leap_reduce_join(
    int32_t type, enum leap_reduction function, void *accumulators, const void *later, ptrdiff_t count) {
  EVERY_TYPE(JOIN_ALL)
}

// Exponentials. Differences from the maximum are exact enough in the element's own precision, and never large.

#define FINITE_DOUBLE(m) ((m) - (m) == 0 ? (m) : 0)
#define EXP_FLOAT(v, m) ((double)leap_expf((v) - (float)FINITE_DOUBLE(m)))
#define EXP_DOUBLE(v, m) (exp((v) - FINITE_DOUBLE(m)))
#define EXP_INTEGER(v, m) (exp((double)(v) - (double)(m)))

#define EXP_RUN(T, A, EXP)                                                                    \
  {                                                                                           \
    const T *p = x;                                                                           \
    const A m = *(const A *)maxima;                                                           \
    double lanes[LANES] = {0};                                                                \
    const ptrdiff_t whole = count / LANES * LANES;                                            \
    for (ptrdiff_t i = 0; i < whole; i += LANES)                                              \
      for (int lane = 0; lane < LANES; lane++) lanes[lane] += EXP(p[i + lane], m);            \
    for (ptrdiff_t i = whole; i < count; i++) lanes[i - whole] += EXP(p[i], m);               \
    for (int lane = 0; lane < LANES; lane++) *sums += lanes[lane];                            \
    return;                                                                                   \
  }

#define EXP_ROWS(T, A, EXP)                                                  \
  {                                                                          \
    for (ptrdiff_t row = 0; row < rows; row++) {                             \
      const T *p = (const T *)x + row * row_stride;                          \
      LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < columns; i++) {             \
        const A m = ((const A *)maxima)[i];                                  \
        sums[i] += EXP(p[i], m);                                             \
      }                                                                      \
    }                                                                        \
    return;                                                                  \
  }

#define EVERY_EXP_TYPE(LOOP)                                 \
  switch (type) {                                            \
    case LEAP_F32: LOOP(float, double, EXP_FLOAT)            \
    case LEAP_F64: LOOP(double, double, EXP_DOUBLE)          \
    case LEAP_I8: LOOP(int8_t, int64_t, EXP_INTEGER)         \
    case LEAP_I16: LOOP(int16_t, int64_t, EXP_INTEGER)       \
    case LEAP_I32: LOOP(int32_t, int64_t, EXP_INTEGER)       \
    case LEAP_I64: LOOP(int64_t, int64_t, EXP_INTEGER)       \
    case LEAP_U8: LOOP(uint8_t, uint64_t, EXP_INTEGER)       \
    case LEAP_U16: LOOP(uint16_t, uint64_t, EXP_INTEGER)     \
    case LEAP_U32: LOOP(uint32_t, uint64_t, EXP_INTEGER)     \
    case LEAP_U64: LOOP(uint64_t, uint64_t, EXP_INTEGER)     \
    default: return;                                         \
  }

#define INSTANCE(ISA, TARGET, VECTOR, WIDTH, MULTIPLY_ADD)                                                     \
  TARGET static void exp_run_##ISA(                                                                            \
      int32_t type, const void *x, ptrdiff_t count, const void *maxima, double *sums) {                        \
    EVERY_EXP_TYPE(EXP_RUN)                                                                                    \
  }                                                                                                            \
  TARGET static void exp_rows_##ISA(                                                                           \
      int32_t type, const void *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, const void *maxima, \
      double *sums) {                                                                                          \
    EVERY_EXP_TYPE(EXP_ROWS)                                                                                   \
  }

LEAP_FOR_EACH_ISA(INSTANCE)

void leap_reduce_exp_run(int32_t type, const void *x, ptrdiff_t count, const void *maxima, double *sums) {
  LEAP_CALL(leap_isa_preferred(), exp_run, type, x, count, maxima, sums)
}

void leap_reduce_exp_rows(
    int32_t type, const void *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, const void *maxima,
    double *sums) {
  LEAP_CALL(leap_isa_preferred(), exp_rows, type, x, rows, row_stride, columns, maxima, sums)
}

/// The value of an accumulator.
static double value(int32_t type, const void *accumulators, ptrdiff_t i) {
  switch (type) {
    case LEAP_F32:
    case LEAP_F64: return ((const double *)accumulators)[i];
    case LEAP_I8:
    case LEAP_I16:
    case LEAP_I32:
    case LEAP_I64: return (double)((const int64_t *)accumulators)[i];
    default: return (double)((const uint64_t *)accumulators)[i];
  }
}

/// A sum of exponentials that were taken relative to `from`, relative to `to`.
static double rescaled(double sum, double from, double to) {
  return sum == 0 ? 0 : sum * exp(FINITE_DOUBLE(from) - FINITE_DOUBLE(to));
}

void leap_reduce_exp_join(
    int32_t type, double *sums, void *maxima, const double *later_sums, const void *later_maxima,
    ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const double first = value(type, maxima, i);
    leap_reduce_join(
        type, LEAP_REDUCE_MAX, (char *)maxima + i * LEAP_ACCUMULATOR_WIDTH,
        (const char *)later_maxima + i * LEAP_ACCUMULATOR_WIDTH, 1);
    const double both = value(type, maxima, i);
    sums[i] = rescaled(sums[i], first, both) + rescaled(later_sums[i], value(type, later_maxima, i), both);
  }
}

/// What an accumulator stands for, for the functions that leave the integers.
static double finished(
    int32_t type, enum leap_reduction function, const void *accumulators, const void *maxima, ptrdiff_t i) {
  switch (function) {
    case LEAP_REDUCE_L2: return sqrt(value(type, accumulators, i));
    case LEAP_REDUCE_LOG_SUM: return log(value(type, accumulators, i));
    default: {
      const double maximum = value(type, maxima, i);
      return log(((const double *)accumulators)[i]) + FINITE_DOUBLE(maximum);
    }
  }
}

#define SAME_FLOAT(T, LOWEST, HIGHEST, v) ((T)(v))
// Cut towards zero; what is out of range becomes the end of the range, NaN becomes 0.
#define INTEGER_OF(T, LOWEST, HIGHEST, v) \
  ((v) <= (double)(LOWEST) ? (T)(LOWEST) : (v) >= (double)(HIGHEST) ? (T)(HIGHEST) : (v) != (v) ? (T)0 : (T)(v))

#define FINISH(T, A, CONVERT, LOWEST, HIGHEST)                                             \
  {                                                                                        \
    const A *accumulator = accumulators;                                                   \
    T *r = y;                                                                              \
    switch (function) {                                                                    \
      case LEAP_REDUCE_MEAN:                                                               \
        for (ptrdiff_t i = 0; i < count; i++) r[i] = (T)(accumulator[i] / (A)reduced);     \
        return;                                                                            \
      case LEAP_REDUCE_L2:                                                                 \
      case LEAP_REDUCE_LOG_SUM:                                                            \
      case LEAP_REDUCE_LOG_SUM_EXP:                                                        \
        for (ptrdiff_t i = 0; i < count; i++) {                                            \
          const double v = finished(type, function, accumulators, maxima, i);              \
          r[i] = CONVERT(T, LOWEST, HIGHEST, v);                                           \
        }                                                                                  \
        return;                                                                            \
      default:                                                                             \
        for (ptrdiff_t i = 0; i < count; i++) r[i] = (T)accumulator[i];                    \
        return;                                                                            \
    }                                                                                      \
  }

void leap_reduce_finish(
    int32_t type, enum leap_reduction function, const void *accumulators, const void *maxima,
    ptrdiff_t reduced, void *y, ptrdiff_t count) {
  switch (type) {
    case LEAP_F32: FINISH(float, double, SAME_FLOAT, 0, 0)
    case LEAP_F64: FINISH(double, double, SAME_FLOAT, 0, 0)
    case LEAP_I8: FINISH(int8_t, int64_t, INTEGER_OF, INT8_MIN, INT8_MAX)
    case LEAP_I16: FINISH(int16_t, int64_t, INTEGER_OF, INT16_MIN, INT16_MAX)
    case LEAP_I32: FINISH(int32_t, int64_t, INTEGER_OF, INT32_MIN, INT32_MAX)
    case LEAP_I64: FINISH(int64_t, int64_t, INTEGER_OF, INT64_MIN, INT64_MAX)
    case LEAP_U8:
    case LEAP_BOOL: FINISH(uint8_t, uint64_t, INTEGER_OF, 0, UINT8_MAX)
    case LEAP_U16: FINISH(uint16_t, uint64_t, INTEGER_OF, 0, UINT16_MAX)
    case LEAP_U32: FINISH(uint32_t, uint64_t, INTEGER_OF, 0, UINT32_MAX)
    case LEAP_U64: FINISH(uint64_t, uint64_t, INTEGER_OF, 0, UINT64_MAX)
    default: return;
  }
}
