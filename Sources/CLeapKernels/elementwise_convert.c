// elementwise_convert.c: conversions between element types, selection, copies, powers of mixed types.
#include "elementwise_types.h"

/// Cut towards zero; saturates at the ends of 64 bits; NaN gives 0.
LEAP_INLINE int64_t integer_from_double(double v) {
  if (!(v > -9223372036854775808.0)) return v != v ? 0 : INT64_MIN;
  return v < 9223372036854775808.0 ? (int64_t)v : INT64_MAX;
}

LEAP_INLINE uint64_t unsigned_from_double(double v) {
  if (v < 9223372036854775808.0) return (uint64_t)integer_from_double(v);
  return v < 18446744073709551616.0 ? (uint64_t)v : v != v ? 0 : UINT64_MAX;
}

#define TO_EVERY_TYPE(T, TO_INTEGER, TO_UNSIGNED)                         \
  switch (to) {                                                           \
    case LEAP_F32: LEAP_UNARY_LOOP(T, float, v);                          \
    case LEAP_F64: LEAP_UNARY_LOOP(T, double, v);                         \
    case LEAP_I8: LEAP_UNARY_LOOP(T, int8_t, TO_INTEGER(v));              \
    case LEAP_I16: LEAP_UNARY_LOOP(T, int16_t, TO_INTEGER(v));            \
    case LEAP_I32: LEAP_UNARY_LOOP(T, int32_t, TO_INTEGER(v));            \
    case LEAP_I64: LEAP_UNARY_LOOP(T, int64_t, TO_INTEGER(v));            \
    case LEAP_U8: LEAP_UNARY_LOOP(T, uint8_t, TO_INTEGER(v));             \
    case LEAP_U16: LEAP_UNARY_LOOP(T, uint16_t, TO_INTEGER(v));           \
    case LEAP_U32: LEAP_UNARY_LOOP(T, uint32_t, TO_INTEGER(v));           \
    case LEAP_U64: LEAP_UNARY_LOOP(T, uint64_t, TO_UNSIGNED(v));          \
    case LEAP_BOOL: LEAP_UNARY_LOOP(T, uint8_t, v != 0);                  \
    default: return LEAP_UNSUPPORTED;                                     \
  }

#define CONVERT_FROM(NAME, T, TO_INTEGER, TO_UNSIGNED)                                                   \
  static enum leap_status convert_##NAME(                                                                \
      int32_t to, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count) {                 \
    TO_EVERY_TYPE(T, TO_INTEGER, TO_UNSIGNED)                                                            \
  }

CONVERT_FROM(f32, float, integer_from_double, unsigned_from_double)
CONVERT_FROM(f64, double, integer_from_double, unsigned_from_double)
CONVERT_FROM(i8, int8_t, , )
CONVERT_FROM(i16, int16_t, , )
CONVERT_FROM(i32, int32_t, , )
CONVERT_FROM(i64, int64_t, , )
CONVERT_FROM(u8, uint8_t, , )
CONVERT_FROM(u16, uint16_t, , )
CONVERT_FROM(u32, uint32_t, , )
CONVERT_FROM(u64, uint64_t, , )

enum leap_status leap_convert_run(
    int32_t from, int32_t to, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count) {
  switch (from) {
    case LEAP_F32: return convert_f32(to, x, sx, y, sy, count);
    case LEAP_F64: return convert_f64(to, x, sx, y, sy, count);
    case LEAP_I8: return convert_i8(to, x, sx, y, sy, count);
    case LEAP_I16: return convert_i16(to, x, sx, y, sy, count);
    case LEAP_I32: return convert_i32(to, x, sx, y, sy, count);
    case LEAP_I64: return convert_i64(to, x, sx, y, sy, count);
    case LEAP_U8:
    case LEAP_BOOL: return convert_u8(to, x, sx, y, sy, count);
    case LEAP_U16: return convert_u16(to, x, sx, y, sy, count);
    case LEAP_U32: return convert_u32(to, x, sx, y, sy, count);
    case LEAP_U64: return convert_u64(to, x, sx, y, sy, count);
    default: return LEAP_UNSUPPORTED;
  }
}

typedef struct { uint64_t low, high; } wide;

#define SELECT(T)                                                               \
  {                                                                             \
    const T *p = a, *q = b;                                                     \
    T *r = y;                                                                   \
    LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) r[i * sy] = condition[i * sc] ? p[i * sa] : q[i * sb]; \
    return LEAP_OK;                                                             \
  }

enum leap_status leap_where_run(
    ptrdiff_t width, const uint8_t *condition, ptrdiff_t sc, const void *a, ptrdiff_t sa, const void *b,
    ptrdiff_t sb, void *y, ptrdiff_t sy, ptrdiff_t count) {
  switch (width) {
    case 1: SELECT(uint8_t)
    case 2: SELECT(uint16_t)
    case 4: SELECT(uint32_t)
    case 8: SELECT(uint64_t)
    case 16: {
      const wide *p = a, *q = b;
      wide *r = y;
      for (ptrdiff_t i = 0; i < count; i++) r[i * sy] = condition[i * sc] ? p[i * sa] : q[i * sb];
      return LEAP_OK;
    }
    default: return LEAP_UNSUPPORTED;
  }
}

#define COPY(T)                                                                     \
  {                                                                                 \
    const T *p = x;                                                                 \
    T *r = y;                                                                       \
    for (ptrdiff_t i = 0; i < count; i++) r[i * sy] = p[i * sx];                    \
    return LEAP_OK;                                                                 \
  }

enum leap_status leap_copy_run(
    ptrdiff_t width, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count) {
  if (sx == 1 && sy == 1) {
    if (count > 0 && x != y) memcpy(y, x, (size_t)(count * width));
    return LEAP_OK;
  }
  switch (width) {
    case 1: COPY(uint8_t)
    case 2: COPY(uint16_t)
    case 4: COPY(uint32_t)
    case 8: COPY(uint64_t)
    case 16: COPY(wide)
    default: return LEAP_UNSUPPORTED;
  }
}

/// One element of any number type, as double.
LEAP_INLINE double load_double(int32_t type, const void *x, ptrdiff_t i) {
  switch (type) {
    case LEAP_F32: return ((const float *)x)[i];
    case LEAP_F64: return ((const double *)x)[i];
    case LEAP_I8: return ((const int8_t *)x)[i];
    case LEAP_I16: return ((const int16_t *)x)[i];
    case LEAP_I32: return ((const int32_t *)x)[i];
    case LEAP_I64: return (double)((const int64_t *)x)[i];
    case LEAP_U8: return ((const uint8_t *)x)[i];
    case LEAP_U16: return ((const uint16_t *)x)[i];
    case LEAP_U32: return ((const uint32_t *)x)[i];
    default: return (double)((const uint64_t *)x)[i];
  }
}

static int is_number(int32_t type) {
  return type == LEAP_F32 || type == LEAP_F64 || type == LEAP_U32 || type == LEAP_U64
         || (type >= LEAP_U8 && type <= LEAP_I64);
}

enum leap_status leap_pow_mixed_run(
    int32_t type, int32_t exponent_type, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y,
    ptrdiff_t sy, ptrdiff_t count) {
  if (!is_number(type) || !is_number(exponent_type)) return LEAP_UNSUPPORTED;
  for (ptrdiff_t i = 0; i < count; i++) {
    const double power = pow(load_double(type, a, i * sa), load_double(exponent_type, b, i * sb));
    switch (type) {
      case LEAP_F32: ((float *)y)[i * sy] = (float)power; break;
      case LEAP_F64: ((double *)y)[i * sy] = power; break;
      case LEAP_I8: ((int8_t *)y)[i * sy] = (int8_t)integer_from_double(power); break;
      case LEAP_I16: ((int16_t *)y)[i * sy] = (int16_t)integer_from_double(power); break;
      case LEAP_I32: ((int32_t *)y)[i * sy] = (int32_t)integer_from_double(power); break;
      case LEAP_I64: ((int64_t *)y)[i * sy] = integer_from_double(power); break;
      case LEAP_U8: ((uint8_t *)y)[i * sy] = (uint8_t)integer_from_double(power); break;
      case LEAP_U16: ((uint16_t *)y)[i * sy] = (uint16_t)integer_from_double(power); break;
      case LEAP_U32: ((uint32_t *)y)[i * sy] = (uint32_t)integer_from_double(power); break;
      default: ((uint64_t *)y)[i * sy] = unsigned_from_double(power); break;
    }
  }
  return LEAP_OK;
}
