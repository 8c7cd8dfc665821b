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

/// Exchanges parts of two rows.
static void swap_rows(double *a, double *b, ptrdiff_t count) {
  for (ptrdiff_t j = 0; a != b && j < count; j++) {
    const double held = a[j];
    a[j] = b[j];
    b[j] = held;
  }
}

/// The row from `column` on whose element in that column is largest.
static ptrdiff_t pivot_row(const double *m, ptrdiff_t n, ptrdiff_t column) {
  ptrdiff_t pivot = column;
  for (ptrdiff_t row = column + 1; row < n; row++)
    if (fabs(m[row * n + column]) > fabs(m[pivot * n + column])) pivot = row;
  return pivot;
}

/// The determinant of a matrix that is overwritten.
static double eliminate(double *m, ptrdiff_t n) {
  double product = 1;
  for (ptrdiff_t column = 0; column < n; column++) {
    const ptrdiff_t pivot = pivot_row(m, n, column);
    const double p = m[pivot * n + column];
    if (p == 0) return 0;
    product *= pivot == column ? p : -p;
    swap_rows(m + pivot * n + column, m + column * n + column, n - column);
    for (ptrdiff_t row = column + 1; row < n; row++) {
      const double factor = m[row * n + column] / p;
      for (ptrdiff_t j = column + 1; j < n; j++) m[row * n + j] -= factor * m[column * n + j];
    }
  }
  return product;
}

/// Makes `y`, a unit matrix, the inverse of a matrix that is overwritten.
static void invert(double *m, double *y, ptrdiff_t n) {
  for (ptrdiff_t column = 0; column < n; column++) {
    const ptrdiff_t pivot = pivot_row(m, n, column);
    swap_rows(m + pivot * n + column, m + column * n + column, n - column);
    swap_rows(y + pivot * n, y + column * n, n);
    const double p = m[column * n + column];
    for (ptrdiff_t j = column; j < n; j++) m[column * n + j] /= p;
    for (ptrdiff_t j = 0; j < n; j++) y[column * n + j] /= p;
    for (ptrdiff_t row = 0; row < n; row++) {
      const double factor = m[row * n + column];
      if (row == column || factor == 0) continue;
      for (ptrdiff_t j = column; j < n; j++) m[row * n + j] -= factor * m[column * n + j];
      for (ptrdiff_t j = 0; j < n; j++) y[row * n + j] -= factor * y[column * n + j];
    }
  }
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

enum leap_status leap_inverse(int32_t type, const void *x, ptrdiff_t n, void *y, double *scratch) {
  if (type != LEAP_F32 && type != LEAP_F64) return LEAP_UNSUPPORTED;
  double *inverse = scratch + n * n;
  for (ptrdiff_t i = 0; i < n * n; i++) {
    scratch[i] = type == LEAP_F32 ? ((const float *)x)[i] : ((const double *)x)[i];
    inverse[i] = i % (n + 1) == 0;
  }
  invert(scratch, inverse, n);
  for (ptrdiff_t i = 0; i < n * n; i++)
    if (type == LEAP_F32) ((float *)y)[i] = (float)inverse[i];
    else ((double *)y)[i] = inverse[i];
  return LEAP_OK;
}
