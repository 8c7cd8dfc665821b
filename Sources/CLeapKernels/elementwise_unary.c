// elementwise_unary.c: functions of one element.
#include "elementwise_half.h"
#include "elementwise_types.h"
#include "instruction_sets.h"

#define UNARY_PARAMETERS                                                                          \
  enum leap_unary function, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count, \
      double parameter_a, double parameter_b

#define CASE(NAME, T, EXPR) \
  case NAME: LEAP_UNARY_LOOP(T, T, EXPR)

/// Elements that go through a buffer at a time.
enum { PIECE = 256 };

// NEAR for angles below LIMIT, libm's FAR for all others.
#define CIRCULAR_LOOP(T, LIMIT, NEAR, FAR)                                                      \
  for (ptrdiff_t first = 0; first < count; first += PIECE) {                                    \
    const ptrdiff_t length = count - first < PIECE ? count - first : PIECE;                     \
    T angles[PIECE], result[PIECE];                                                             \
    leap_copy_run(sizeof(T), (const T *)x + first * sx, sx, angles, 1, length);                 \
    int far = 0;                                                                                \
    LEAP_INTERLEAVED for (ptrdiff_t i = 0; i < length; i++) {                                   \
      result[i] = NEAR(angles[i]);                                                              \
      far |= !(fabs(angles[i]) < LIMIT);                                                        \
    }                                                                                           \
    for (ptrdiff_t i = 0; far && i < length; i++)                                               \
      if (!(fabs(angles[i]) < LIMIT)) result[i] = FAR(angles[i]);                               \
    leap_copy_run(sizeof(T), result, 1, (T *)y + first * sy, sy, length);                       \
  }                                                                                             \
  return LEAP_OK;

#define CIRCULAR_f                                                                  \
  case LEAP_SIN: CIRCULAR_LOOP(float, LEAP_CIRCULAR_LIMIT, leap_near_sinf, sinf)    \
  case LEAP_COS: CIRCULAR_LOOP(float, LEAP_CIRCULAR_LIMIT, leap_near_cosf, cosf)    \
  case LEAP_TAN: CIRCULAR_LOOP(float, LEAP_CIRCULAR_LIMIT, leap_near_tanf, tanf)

#define CIRCULAR_d                                                                       \
  case LEAP_SIN: CIRCULAR_LOOP(double, LEAP_DOUBLE_CIRCULAR_LIMIT, leap_near_sind, sin)  \
  case LEAP_COS: CIRCULAR_LOOP(double, LEAP_DOUBLE_CIRCULAR_LIMIT, leap_near_cosd, cos)  \
  case LEAP_TAN: CIRCULAR_LOOP(double, LEAP_DOUBLE_CIRCULAR_LIMIT, leap_near_tand, tan)

// T: the type; S: the suffix of leap_math.h; L: that of libm.
#define FLOATING_FUNCTIONS(NAME, TARGET, T, S, L)                                                 \
  TARGET static enum leap_status NAME(UNARY_PARAMETERS) {                                         \
    const T a = (T)parameter_a, b = (T)parameter_b;                                               \
    switch (function) {                                                                           \
      CASE(LEAP_ABS, T, fabs##L(v));                                                              \
      CASE(LEAP_NEG, T, -v);                                                                      \
      CASE(LEAP_SIGN, T, v != v ? v : (T)((v > 0) - (v < 0)));                                    \
      CASE(LEAP_SQRT, T, LEAP_SQUARE_ROOT(v));                                                    \
      CASE(LEAP_RECIPROCAL, T, 1 / v);                                                            \
      CASE(LEAP_EXP, T, leap_exp##S(v));                                                          \
      CASE(LEAP_LOG, T, leap_log##S(v));                                                          \
      CIRCULAR_##S                                                                                \
      CASE(LEAP_ASIN, T, leap_asin##S(v));                                                        \
      CASE(LEAP_ACOS, T, leap_acos##S(v));                                                        \
      CASE(LEAP_ATAN, T, leap_atan##S(v));                                                        \
      CASE(LEAP_SINH, T, leap_sinh##S(v));                                                        \
      CASE(LEAP_COSH, T, leap_cosh##S(v));                                                        \
      CASE(LEAP_TANH, T, leap_tanh##S(v));                                                        \
      CASE(LEAP_ASINH, T, leap_asinh##S(v));                                                      \
      CASE(LEAP_ACOSH, T, leap_acosh##S(v));                                                      \
      CASE(LEAP_ATANH, T, leap_atanh##S(v));                                                      \
      CASE(LEAP_ERF, T, leap_erf##S(v));                                                          \
      CASE(LEAP_FLOOR, T, floor##L(v));                                                           \
      CASE(LEAP_CEIL, T, ceil##L(v));                                                             \
      CASE(LEAP_ROUND, T, rint##L(v));                                                            \
      CASE(LEAP_RELU, T, leap_relu##S(v));                                                        \
      CASE(LEAP_LEAKY_RELU, T, leap_leaky_relu##S(v, a));                                         \
      CASE(LEAP_ELU, T, leap_elu##S(v, a));                                                       \
      CASE(LEAP_SELU, T, leap_selu##S(v, a, b));                                                  \
      CASE(LEAP_CELU, T, leap_celu##S(v, a));                                                     \
      CASE(LEAP_THRESHOLDED_RELU, T, v > a || v != v ? v : 0);                                    \
      CASE(LEAP_SIGMOID, T, leap_sigmoid##S(v));                                                  \
      CASE(LEAP_HARD_SIGMOID, T, leap_hard_sigmoid##S(v, a, b));                                  \
      CASE(LEAP_HARD_SWISH, T, leap_hard_swish##S(v));                                            \
      case LEAP_SWISH:                                                                            \
        if (a == 1) LEAP_UNARY_LOOP(T, T, leap_silu##S(v));                                       \
        LEAP_UNARY_LOOP(T, T, leap_swish##S(v, a));                                               \
      CASE(LEAP_SOFTPLUS, T, leap_softplus##S(v));                                                \
      CASE(LEAP_SOFTSIGN, T, v / (1 + fabs##L(v)));                                               \
      CASE(LEAP_MISH, T, leap_mish##S(v));                                                        \
      CASE(LEAP_GELU, T, leap_gelu##S(v));                                                        \
      CASE(LEAP_GELU_TANH, T, leap_gelu_tanh##S(v));                                              \
      CASE(LEAP_SHRINK, T, v != v ? v : v < -a ? v + b : v > a ? v - b : 0);                      \
      CASE(LEAP_CLIP, T, leap_clip##S(v, a, b));                                                  \
      CASE(LEAP_SCALE, T, v * a);                                                                 \
      case LEAP_IS_NAN: LEAP_UNARY_LOOP(T, uint8_t, v != v);                                      \
      case LEAP_IS_INF:                                                                           \
        LEAP_UNARY_LOOP(T, uint8_t, (v == (T)INFINITY && a != 0) || (v == -(T)INFINITY && b != 0));\
      default: return LEAP_UNSUPPORTED;                                                           \
    }                                                                                             \
  }

#define FLOATS(ISA, TARGET)                              \
  FLOATING_FUNCTIONS(unary_f_##ISA, TARGET, float, f, f) \
  FLOATING_FUNCTIONS(unary_d_##ISA, TARGET, double, d, )
FLOATS(portable, )
#if defined(__x86_64__)
FLOATS(avx2, LEAP_TARGET_AVX2)
FLOATS(avx512, LEAP_TARGET_AVX512)
#elif defined(__aarch64__)
FLOATS(neon, )
#endif

static enum leap_status unary_f(UNARY_PARAMETERS) {
  LEAP_RETURN(leap_isa_preferred(), unary_f, function, x, sx, y, sy, count, parameter_a, parameter_b)
}

static enum leap_status unary_d(UNARY_PARAMETERS) {
  LEAP_RETURN(leap_isa_preferred(), unary_d, function, x, sx, y, sy, count, parameter_a, parameter_b)
}

// U: the unsigned type in which arithmetic wraps.
#define INTEGER_FUNCTIONS(T, U)                                                    \
  static enum leap_status unary_##T(UNARY_PARAMETERS) {                            \
    const double a = parameter_a, b = parameter_b;                                 \
    switch (function) {                                                            \
      CASE(LEAP_ABS, T, v < 0 ? (T)(0 - (U)v) : v);                                \
      CASE(LEAP_NEG, T, 0 - (U)v);                                                 \
      CASE(LEAP_SIGN, T, (v > 0) - (v < 0));                                       \
      CASE(LEAP_BITWISE_NOT, T, ~v);                                               \
      CASE(LEAP_RELU, T, v < 0 ? 0 : v);                                           \
      CASE(LEAP_SHRINK, T, (int64_t)((double)v < -a ? (double)v + b : (double)v > a ? (double)v - b : 0)); \
      default: return LEAP_UNSUPPORTED;                                            \
    }                                                                              \
  }

INTEGER_FUNCTIONS(int8_t, uint8_t)
INTEGER_FUNCTIONS(int16_t, uint16_t)
INTEGER_FUNCTIONS(int32_t, uint32_t)
INTEGER_FUNCTIONS(int64_t, uint64_t)
INTEGER_FUNCTIONS(uint8_t, uint8_t)
INTEGER_FUNCTIONS(uint16_t, uint16_t)
INTEGER_FUNCTIONS(uint32_t, uint32_t)
INTEGER_FUNCTIONS(uint64_t, uint64_t)

static enum leap_status unary_bool(
    enum leap_unary function, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count) {
  switch (function) {
    case LEAP_NOT: LEAP_UNARY_LOOP(uint8_t, uint8_t, v == 0);
    default: return LEAP_UNSUPPORTED;
  }
}

// What a pattern of a byte is. Those with two zeros less (FNUZ) have one NaN, in the place of -0; E5M2 alone has infinities.
static enum leap_status unary_float8(
    int32_t type, enum leap_unary function, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count,
    double a, double b) {
  if (function == LEAP_IS_NAN) {
    switch (type) {
      case LEAP_F8_E4M3FN: LEAP_UNARY_LOOP(uint8_t, uint8_t, (v & 0x7F) == 0x7F);
      case LEAP_F8_E5M2: LEAP_UNARY_LOOP(uint8_t, uint8_t, (v & 0x7F) > 0x7C);
      default: LEAP_UNARY_LOOP(uint8_t, uint8_t, v == 0x80);
    }
  }
  if (function != LEAP_IS_INF) return LEAP_UNSUPPORTED;
  if (type != LEAP_F8_E5M2) LEAP_UNARY_LOOP(uint8_t, uint8_t, v != v);
  LEAP_UNARY_LOOP(uint8_t, uint8_t, (v == 0x7C && a != 0) || (v == 0xFC && b != 0));
}

enum leap_status leap_unary_run(
    int32_t type, enum leap_unary function, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count,
    double a, double b) {
  switch (type) {
    case LEAP_F32: return unary_f(function, x, sx, y, sy, count, a, b);
    case LEAP_F64: return unary_d(function, x, sx, y, sy, count, a, b);
    case LEAP_F16:
    case LEAP_BF16: return leap_half_unary(type, function, x, sx, y, sy, count, a, b);
    case LEAP_I8: return unary_int8_t(function, x, sx, y, sy, count, a, b);
    case LEAP_I16: return unary_int16_t(function, x, sx, y, sy, count, a, b);
    case LEAP_I32: return unary_int32_t(function, x, sx, y, sy, count, a, b);
    case LEAP_I64: return unary_int64_t(function, x, sx, y, sy, count, a, b);
    case LEAP_U8: return unary_uint8_t(function, x, sx, y, sy, count, a, b);
    case LEAP_U16: return unary_uint16_t(function, x, sx, y, sy, count, a, b);
    case LEAP_U32: return unary_uint32_t(function, x, sx, y, sy, count, a, b);
    case LEAP_U64: return unary_uint64_t(function, x, sx, y, sy, count, a, b);
    case LEAP_BOOL: return unary_bool(function, x, sx, y, sy, count);
    case LEAP_F8_E4M3FN:
    case LEAP_F8_E4M3FNUZ:
    case LEAP_F8_E5M2:
    case LEAP_F8_E5M2FNUZ: return unary_float8(type, function, x, sx, y, sy, count, a, b);
    default: return LEAP_UNSUPPORTED;
  }
}

#define CLIP_FUNCTION(T, LOWEST, HIGHEST)                                                \
  {                                                                                      \
    const T lo = low ? *(const T *)low : LOWEST, hi = high ? *(const T *)high : HIGHEST; \
    LEAP_UNARY_LOOP(T, T, (v < lo ? lo : v) > hi ? hi : (v < lo ? lo : v));              \
  }

enum leap_status leap_clip_run(
    int32_t type, const void *x, ptrdiff_t sx, const void *low, const void *high, void *y, ptrdiff_t sy,
    ptrdiff_t count) {
  switch (type) {
    case LEAP_F32: CLIP_FUNCTION(float, -INFINITY, INFINITY)
    case LEAP_F64: CLIP_FUNCTION(double, -(double)INFINITY, (double)INFINITY)
    case LEAP_F16:
    case LEAP_BF16: return leap_half_clip(type, x, sx, low, high, y, sy, count);
    case LEAP_I8: CLIP_FUNCTION(int8_t, INT8_MIN, INT8_MAX)
    case LEAP_I16: CLIP_FUNCTION(int16_t, INT16_MIN, INT16_MAX)
    case LEAP_I32: CLIP_FUNCTION(int32_t, INT32_MIN, INT32_MAX)
    case LEAP_I64: CLIP_FUNCTION(int64_t, INT64_MIN, INT64_MAX)
    case LEAP_U8: CLIP_FUNCTION(uint8_t, 0, UINT8_MAX)
    case LEAP_U16: CLIP_FUNCTION(uint16_t, 0, UINT16_MAX)
    case LEAP_U32: CLIP_FUNCTION(uint32_t, 0, UINT32_MAX)
    case LEAP_U64: CLIP_FUNCTION(uint64_t, 0, UINT64_MAX)
    default: return LEAP_UNSUPPORTED;
  }
}
