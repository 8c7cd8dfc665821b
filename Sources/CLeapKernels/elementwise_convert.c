// elementwise_convert.c: conversions between element types, selection, copies, powers of mixed types.
#include "elementwise_types.h"
#include "half.h"

/// Cut towards zero; saturates at the ends of 64 bits; NaN gives 0.
LEAP_INLINE int64_t integer_from_double(double v) {
  if (!(v > -9223372036854775808.0)) return v != v ? 0 : INT64_MIN;
  return v < 9223372036854775808.0 ? (int64_t)v : INT64_MAX;
}

LEAP_INLINE uint64_t unsigned_from_double(double v) {
  if (v < 9223372036854775808.0) return (uint64_t)integer_from_double(v);
  return v < 18446744073709551616.0 ? (uint64_t)v : v != v ? 0 : UINT64_MAX;
}

// VALUE gives an element as a number, SINGLE as a float that may be rounded again (see leap_odd_from_double).
#define TO_EVERY_TYPE(T, VALUE, SINGLE, TO_INTEGER, TO_UNSIGNED)                     \
  switch (to) {                                                                      \
    case LEAP_F32: LEAP_UNARY_LOOP(T, float, VALUE(v));                              \
    case LEAP_F64: LEAP_UNARY_LOOP(T, double, VALUE(v));                             \
    case LEAP_I8: LEAP_UNARY_LOOP(T, int8_t, TO_INTEGER(VALUE(v)));                  \
    case LEAP_I16: LEAP_UNARY_LOOP(T, int16_t, TO_INTEGER(VALUE(v)));                \
    case LEAP_I32: LEAP_UNARY_LOOP(T, int32_t, TO_INTEGER(VALUE(v)));                \
    case LEAP_I64: LEAP_UNARY_LOOP(T, int64_t, TO_INTEGER(VALUE(v)));                \
    case LEAP_U8: LEAP_UNARY_LOOP(T, uint8_t, TO_INTEGER(VALUE(v)));                 \
    case LEAP_U16: LEAP_UNARY_LOOP(T, uint16_t, TO_INTEGER(VALUE(v)));               \
    case LEAP_U32: LEAP_UNARY_LOOP(T, uint32_t, TO_INTEGER(VALUE(v)));               \
    case LEAP_U64: LEAP_UNARY_LOOP(T, uint64_t, TO_UNSIGNED(VALUE(v)));              \
    case LEAP_BOOL: LEAP_UNARY_LOOP(T, uint8_t, VALUE(v) != 0);                      \
    case LEAP_F16: LEAP_UNARY_LOOP(T, uint16_t, leap_half_from_float(SINGLE(v)));    \
    case LEAP_BF16: LEAP_UNARY_LOOP(T, uint16_t, leap_bfloat_from_float(SINGLE(v))); \
    default: return LEAP_UNSUPPORTED;                                                \
  }

#define ODD_FROM_SIGNED(v) leap_odd_from_double(leap_sticky_from_signed(v))
#define ODD_FROM_UNSIGNED(v) leap_odd_from_double(leap_sticky_from_unsigned(v))

#define CONVERT_FROM(NAME, T, VALUE, SINGLE, TO_INTEGER, TO_UNSIGNED)                                    \
  static enum leap_status convert_##NAME(                                                                \
      int32_t to, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count) {                 \
    TO_EVERY_TYPE(T, VALUE, SINGLE, TO_INTEGER, TO_UNSIGNED)                                             \
  }                                                                                                      \
  static enum leap_status single_##NAME(const void *x, ptrdiff_t sx, float *y, ptrdiff_t count) {        \
    const ptrdiff_t sy = 1;                                                                              \
    LEAP_UNARY_LOOP(T, float, SINGLE(v));                                                                \
  }

CONVERT_FROM(f32, float, , , integer_from_double, unsigned_from_double)
CONVERT_FROM(f64, double, , leap_odd_from_double, integer_from_double, unsigned_from_double)
CONVERT_FROM(f16, uint16_t, leap_float_from_half, leap_float_from_half, integer_from_double, unsigned_from_double)
CONVERT_FROM(bf16, uint16_t, leap_float_from_bfloat, leap_float_from_bfloat, integer_from_double, unsigned_from_double)
CONVERT_FROM(i8, int8_t, , , , )
CONVERT_FROM(i16, int16_t, , , , )
CONVERT_FROM(i32, int32_t, , leap_odd_from_double, , )
CONVERT_FROM(i64, int64_t, , ODD_FROM_SIGNED, , )
CONVERT_FROM(u8, uint8_t, , , , )
CONVERT_FROM(u16, uint16_t, , , , )
CONVERT_FROM(u32, uint32_t, , leap_odd_from_double, , )
CONVERT_FROM(u64, uint64_t, , ODD_FROM_UNSIGNED, , )

#define FROM_EVERY_TYPE(FUNCTION, ...)                       \
  switch (from) {                                            \
    case LEAP_F32: return FUNCTION##_f32(__VA_ARGS__);       \
    case LEAP_F64: return FUNCTION##_f64(__VA_ARGS__);       \
    case LEAP_F16: return FUNCTION##_f16(__VA_ARGS__);       \
    case LEAP_BF16: return FUNCTION##_bf16(__VA_ARGS__);     \
    case LEAP_I8: return FUNCTION##_i8(__VA_ARGS__);         \
    case LEAP_I16: return FUNCTION##_i16(__VA_ARGS__);       \
    case LEAP_I32: return FUNCTION##_i32(__VA_ARGS__);       \
    case LEAP_I64: return FUNCTION##_i64(__VA_ARGS__);       \
    case LEAP_U8:                                            \
    case LEAP_BOOL: return FUNCTION##_u8(__VA_ARGS__);       \
    case LEAP_U16: return FUNCTION##_u16(__VA_ARGS__);       \
    case LEAP_U32: return FUNCTION##_u32(__VA_ARGS__);       \
    case LEAP_U64: return FUNCTION##_u64(__VA_ARGS__);       \
    default: return LEAP_UNSUPPORTED;                        \
  }

enum leap_status leap_convert_run(
    int32_t from, int32_t to, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count) {
  FROM_EVERY_TYPE(convert, to, x, sx, y, sy, count)
}

enum leap_status leap_single_run(int32_t from, const void *x, ptrdiff_t sx, float *y, ptrdiff_t count) {
  FROM_EVERY_TYPE(single, x, sx, y, count)
}

typedef struct { uint64_t low, high; } wide;

// Both operands are read whatever the condition says, so that the loop has no branches.
#define SELECT_LOOP(T, PRAGMA, SC, SA, SB, SY)                        \
  PRAGMA for (ptrdiff_t i = 0; i < count; i++) {                      \
    const T u = p[i * (SA)], v = q[i * (SB)];                         \
    r[i * (SY)] = condition[i * (SC)] ? u : v;                        \
  }

#define SELECT(T)                                                     \
  {                                                                   \
    const T *p = a, *q = b;                                           \
    T *r = y;                                                         \
    const int is_dense = sc == 1 && sy == 1;                          \
    if (is_dense && sa == 1 && sb == 1) {                             \
      SELECT_LOOP(T, LEAP_INDEPENDENT, 1, 1, 1, 1)                    \
    } else if (is_dense && sa == 0 && sb == 1) {                      \
      SELECT_LOOP(T, LEAP_INDEPENDENT, 1, 0, 1, 1)                    \
    } else if (is_dense && sa == 1 && sb == 0) {                      \
      SELECT_LOOP(T, LEAP_INDEPENDENT, 1, 1, 0, 1)                    \
    } else {                                                          \
      SELECT_LOOP(T, LEAP_ONE_BY_ONE, sc, sa, sb, sy)                 \
    }                                                                 \
    return LEAP_OK;                                                   \
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

static int is_number(int32_t type) {
  return type == LEAP_F16 || type == LEAP_BF16 || type == LEAP_F32 || type == LEAP_F64 || type == LEAP_U32
         || type == LEAP_U64 || (type >= LEAP_U8 && type <= LEAP_I64);
}

/// The place of element i of a type that leap_convert_run knows.
static const void *element(int32_t type, const void *x, ptrdiff_t i) {
  switch (type) {
    case LEAP_I8:
    case LEAP_U8: return (const uint8_t *)x + i;
    case LEAP_I16:
    case LEAP_U16:
    case LEAP_F16:
    case LEAP_BF16: return (const uint16_t *)x + i;
    case LEAP_I32:
    case LEAP_U32:
    case LEAP_F32: return (const uint32_t *)x + i;
    default: return (const uint64_t *)x + i;
  }
}

enum leap_status leap_pow_mixed_run(
    int32_t type, int32_t exponent_type, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y,
    ptrdiff_t sy, ptrdiff_t count) {
  enum { PIECE = 256 };
  if (!is_number(type) || !is_number(exponent_type)) return LEAP_UNSUPPORTED;
  for (ptrdiff_t first = 0; first < count; first += PIECE) {
    const ptrdiff_t length = count - first < PIECE ? count - first : PIECE;
    double powers[PIECE], exponents[PIECE];
    leap_convert_run(type, LEAP_F64, element(type, a, first * sa), sa, powers, 1, length);
    // One exponent for all stays one, which the loop looks at.
    leap_convert_run(
        exponent_type, LEAP_F64, element(exponent_type, b, first * sb), sb, exponents, 1, sb ? length : 1);
    leap_binary_run(LEAP_F64, LEAP_POW, powers, 1, exponents, sb != 0, powers, 1, length);
    leap_convert_run(LEAP_F64, type, powers, 1, (void *)element(type, y, first * sy), sy, length);
  }
  return LEAP_OK;
}
