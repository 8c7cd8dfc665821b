// The loops of resizing. Every element is summed in the order of its taps.
#include "leap_resize.h"

#include <math.h>
#include <string.h>

#define WEIGH(name, type)                                                                     \
  static void weigh_##name(const type *source, ptrdiff_t stride, double weight, int add,      \
                           double *restrict row, size_t count) {                              \
    if (stride == 1 && add)                                                                   \
      for (size_t i = 0; i < count; i++) row[i] += source[i] * weight;                        \
    else if (stride == 1)                                                                     \
      for (size_t i = 0; i < count; i++) row[i] = source[i] * weight;                         \
    else if (add)                                                                             \
      for (size_t i = 0; i < count; i++) row[i] += source[(ptrdiff_t)i * stride] * weight;    \
    else                                                                                      \
      for (size_t i = 0; i < count; i++) row[i] = source[(ptrdiff_t)i * stride] * weight;     \
  }

// One place of the row for each number of taps that linear and cubic interpolation have, and for any.
#define ROW(name, type, finish)                                                               \
  static void row_##name(const double *restrict row, const int32_t *first, int32_t origin,    \
                         const double *weights, size_t taps, int round, type *target,         \
                         ptrdiff_t stride, size_t count) {                                    \
    (void)round;                                                                              \
    if (!weights) {                                                                           \
      for (size_t i = 0; i < count; i++)                                                      \
        target[(ptrdiff_t)i * stride] = finish(row[first ? (size_t)(first[i] - origin) : i]); \
    } else if (taps == 2) {                                                                   \
      for (size_t i = 0; i < count; i++) {                                                    \
        const double *x = row + (first[i] - origin), *w = weights + 2 * i;                    \
        target[(ptrdiff_t)i * stride] = finish(x[0] * w[0] + x[1] * w[1]);                    \
      }                                                                                       \
    } else {                                                                                  \
      for (size_t i = 0; i < count; i++) {                                                    \
        const double *x = row + (first[i] - origin), *w = weights + taps * i;                 \
        double sum = x[0] * w[0];                                                             \
        for (size_t t = 1; t < taps; t++) sum += x[t] * w[t];                                 \
        target[(ptrdiff_t)i * stride] = finish(sum);                                          \
      }                                                                                       \
    }                                                                                         \
  }

// A sum that is a whole number but for its last digits counts as that number before it is cut: single precision says so.
static inline double cut(double sum) {
  const double near = fabs(sum) < 16777216.0 ? (double)(float)sum : sum;
  return trunc(near);
}

// From low on and below high, both of which double holds exactly; NaN is low's neighbour 0.
#define INTEGER(name, type, low, high, last)                                                  \
  static inline type finish_##name(double sum, int round) {                                   \
    const double whole = round ? nearbyint(sum) : cut(sum);                                   \
    if (whole >= high) return last;                                                           \
    if (whole <= low) return (type)low;                                                       \
    return whole == whole ? (type)whole : (type)0;                                            \
  }

INTEGER(i8, int8_t, -128.0, 128.0, INT8_MAX)
INTEGER(u8, uint8_t, 0.0, 256.0, UINT8_MAX)
INTEGER(i16, int16_t, -32768.0, 32768.0, INT16_MAX)
INTEGER(u16, uint16_t, 0.0, 65536.0, UINT16_MAX)
INTEGER(i32, int32_t, -2147483648.0, 2147483648.0, INT32_MAX)
INTEGER(u32, uint32_t, 0.0, 4294967296.0, UINT32_MAX)
INTEGER(i64, int64_t, -9223372036854775808.0, 9223372036854775808.0, INT64_MAX)
INTEGER(u64, uint64_t, 0.0, 18446744073709551616.0, UINT64_MAX)

#define FINISH_F32(sum) ((float)(sum))
#define FINISH_F64(sum) (sum)
#define FINISH_I8(sum) finish_i8(sum, round)
#define FINISH_U8(sum) finish_u8(sum, round)
#define FINISH_I16(sum) finish_i16(sum, round)
#define FINISH_U16(sum) finish_u16(sum, round)
#define FINISH_I32(sum) finish_i32(sum, round)
#define FINISH_U32(sum) finish_u32(sum, round)
#define FINISH_I64(sum) finish_i64(sum, round)
#define FINISH_U64(sum) finish_u64(sum, round)

// Calls X(enumerator, name, type, finish) for each element type.
#define FOR_EACH_TYPE(X)                     \
  X(LEAP_RESIZE_F32, f32, float, FINISH_F32) \
  X(LEAP_RESIZE_F64, f64, double, FINISH_F64) \
  X(LEAP_RESIZE_I8, i8, int8_t, FINISH_I8)   \
  X(LEAP_RESIZE_U8, u8, uint8_t, FINISH_U8)  \
  X(LEAP_RESIZE_I16, i16, int16_t, FINISH_I16) \
  X(LEAP_RESIZE_U16, u16, uint16_t, FINISH_U16) \
  X(LEAP_RESIZE_I32, i32, int32_t, FINISH_I32) \
  X(LEAP_RESIZE_U32, u32, uint32_t, FINISH_U32) \
  X(LEAP_RESIZE_I64, i64, int64_t, FINISH_I64) \
  X(LEAP_RESIZE_U64, u64, uint64_t, FINISH_U64)

#define DEFINE(enumerator, name, type, finish) WEIGH(name, type) ROW(name, type, finish)
FOR_EACH_TYPE(DEFINE)

void leap_resize_weigh(leap_resize_type element, const void *source, ptrdiff_t stride,
                       double weight, int add, double *row, size_t count) {
#define CASE(enumerator, name, type, finish) \
  case enumerator: weigh_##name(source, stride, weight, add, row, count); break;
  switch (element) { FOR_EACH_TYPE(CASE) }
#undef CASE
}

void leap_resize_row(leap_resize_type element, const double *row, const int32_t *first,
                     int32_t origin, const double *weights, size_t taps, int round, void *target,
                     ptrdiff_t stride, size_t count) {
#define CASE(enumerator, name, type, finish)                                           \
  case enumerator:                                                                     \
    row_##name(row, first, origin, weights, taps, round, target, stride, count);       \
    break;
  switch (element) { FOR_EACH_TYPE(CASE) }
#undef CASE
}

typedef struct {
  uint64_t low, high;
} pair64;

#define GATHER(name, type)                                                                    \
  static void name(const char *source, ptrdiff_t source_stride, const int32_t *index,         \
                   char *target, ptrdiff_t target_stride, size_t count) {                     \
    for (size_t i = 0; i < count; i++)                                                        \
      memcpy(target + (ptrdiff_t)i * target_stride * (ptrdiff_t)sizeof(type),                 \
             source + index[i] * source_stride * (ptrdiff_t)sizeof(type), sizeof(type));      \
  }

GATHER(gather8, uint8_t)
GATHER(gather16, uint16_t)
GATHER(gather32, uint32_t)
GATHER(gather64, uint64_t)
GATHER(gather128, pair64)

void leap_gather_row(const void *source, ptrdiff_t source_stride, const int32_t *index, void *target,
                     ptrdiff_t target_stride, size_t count, size_t width) {
  switch (width) {
    case 1: gather8(source, source_stride, index, target, target_stride, count); break;
    case 2: gather16(source, source_stride, index, target, target_stride, count); break;
    case 4: gather32(source, source_stride, index, target, target_stride, count); break;
    case 8: gather64(source, source_stride, index, target, target_stride, count); break;
    default: gather128(source, source_stride, index, target, target_stride, count); break;
  }
}
