// progression.c: the loops of leap_progression.h.
#include "leap_progression.h"

#include "elementwise_types.h"
#include "half.h"

#define ROWS(T, A, U, OPERATION)                                                \
  for (ptrdiff_t step = 0; step < rows; step++) {                               \
    const ptrdiff_t row = reverse ? rows - 1 - step : step;                     \
    const T *p = (const T *)x + row * row_stride;                               \
    T *r = (T *)y + row * row_stride;                                           \
    A *accumulator = scratch;                                                   \
    LEAP_INDEPENDENT for (ptrdiff_t j = 0; j < columns; j++) {                  \
      const A before = accumulator[j];                                          \
      const A after = (A)((U)before OPERATION (U)(A)p[j]);                      \
      accumulator[j] = after;                                                   \
      r[j] = (T)(exclusive ? before : after);                                   \
    }                                                                           \
  }

#define CUMULATE(T, A, U)                                    \
  if (function == LEAP_REDUCE_PROD) { ROWS(T, A, U, *) }     \
  else { ROWS(T, A, U, +) }                                  \
  return LEAP_OK;

enum leap_status leap_cumulate(
    int32_t type, enum leap_reduction function, int exclusive, int reverse, const void *x, void *y,
    ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, void *scratch) {
  const enum leap_status status = leap_reduce_start(type, function, scratch, columns);
  if (status != LEAP_OK) return status;
  switch (type) {
    case LEAP_F32: CUMULATE(float, double, double)
    case LEAP_F64: CUMULATE(double, double, double)
    case LEAP_I8: CUMULATE(int8_t, int64_t, uint64_t)
    case LEAP_I16: CUMULATE(int16_t, int64_t, uint64_t)
    case LEAP_I32: CUMULATE(int32_t, int64_t, uint64_t)
    case LEAP_I64: CUMULATE(int64_t, int64_t, uint64_t)
    case LEAP_U8: CUMULATE(uint8_t, uint64_t, uint64_t)
    case LEAP_U16: CUMULATE(uint16_t, uint64_t, uint64_t)
    case LEAP_U32: CUMULATE(uint32_t, uint64_t, uint64_t)
    case LEAP_U64: CUMULATE(uint64_t, uint64_t, uint64_t)
    default: return LEAP_UNSUPPORTED;
  }
}

#define RANGE(T, U)                                                              \
  for (ptrdiff_t i = 0; i < count; i++)                                          \
    ((T *)y)[i] = (T)((U)*(const T *)start + (U)(first + i) * (U)*(const T *)delta); \
  return LEAP_OK;

#define HALF_RANGE(FROM, TO)                                                     \
  for (ptrdiff_t i = 0; i < count; i++)                                          \
    ((uint16_t *)y)[i] = TO(leap_odd_from_double(                                \
        (double)FROM(*(const uint16_t *)start) + (double)(first + i) * (double)FROM(*(const uint16_t *)delta))); \
  return LEAP_OK;

enum leap_status leap_range(
    int32_t type, const void *start, const void *delta, int64_t first, void *y, ptrdiff_t count) {
  switch (type) {
    case LEAP_F32: RANGE(float, double)
    case LEAP_F64: RANGE(double, double)
    case LEAP_F16: HALF_RANGE(leap_float_from_half, leap_half_from_float)
    case LEAP_BF16: HALF_RANGE(leap_float_from_bfloat, leap_bfloat_from_float)
    case LEAP_I8: RANGE(int8_t, uint64_t)
    case LEAP_I16: RANGE(int16_t, uint64_t)
    case LEAP_I32: RANGE(int32_t, uint64_t)
    case LEAP_I64: RANGE(int64_t, uint64_t)
    case LEAP_U8: RANGE(uint8_t, uint64_t)
    case LEAP_U16: RANGE(uint16_t, uint64_t)
    case LEAP_U32: RANGE(uint32_t, uint64_t)
    case LEAP_U64: RANGE(uint64_t, uint64_t)
    default: return LEAP_UNSUPPORTED;
  }
}

/// The determinant of a matrix that is overwritten.
static double eliminate(double *m, ptrdiff_t n) {
  double product = 1;
  for (ptrdiff_t column = 0; column < n; column++) {
    ptrdiff_t pivot = column;
    for (ptrdiff_t row = column + 1; row < n; row++)
      if (fabs(m[row * n + column]) > fabs(m[pivot * n + column])) pivot = row;
    const double p = m[pivot * n + column];
    if (p == 0) return 0;
    product *= pivot == column ? p : -p;
    for (ptrdiff_t j = column; pivot != column && j < n; j++) {
      const double held = m[pivot * n + j];
      m[pivot * n + j] = m[column * n + j];
      m[column * n + j] = held;
    }
    for (ptrdiff_t row = column + 1; row < n; row++) {
      const double factor = m[row * n + column] / p;
      for (ptrdiff_t j = column + 1; j < n; j++) m[row * n + j] -= factor * m[column * n + j];
    }
  }
  return product;
}

enum leap_status leap_determinant(int32_t type, const void *x, ptrdiff_t n, void *y, double *scratch) {
  switch (type) {
    case LEAP_F32:
      for (ptrdiff_t i = 0; i < n * n; i++) scratch[i] = ((const float *)x)[i];
      *(float *)y = (float)eliminate(scratch, n);
      return LEAP_OK;
    case LEAP_F64:
      for (ptrdiff_t i = 0; i < n * n; i++) scratch[i] = ((const double *)x)[i];
      *(double *)y = eliminate(scratch, n);
      return LEAP_OK;
    default: return LEAP_UNSUPPORTED;
  }
}
