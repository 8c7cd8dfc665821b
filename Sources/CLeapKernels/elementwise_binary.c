// elementwise_binary.c: functions of two elements.
//
// 1. One instance for each instruction set. All give the same bits, powers of floats aside: no product is fused with a sum
//    that it would change.
// 2. What has no vector instruction (integer division, powers, remainders) is computed in pieces by ones that have.
#include "elementwise_half.h"
#include "elementwise_types.h"
#include "instruction_sets.h"

/// Elements that go through buffers at a time.
enum { PIECE = 256 };

#define OPERANDS const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y, ptrdiff_t sy, ptrdiff_t count

#define CASE(NAME, T, EXPR) \
  case NAME: LEAP_BINARY_LOOP(T, T, EXPR)
#define CASE_TO_BOOL(NAME, T, EXPR) \
  case NAME: LEAP_BINARY_LOOP(T, uint8_t, EXPR)

#define COMPARISONS(T)                               \
  CASE_TO_BOOL(LEAP_EQUAL, T, p == q);               \
  CASE_TO_BOOL(LEAP_GREATER, T, p > q);              \
  CASE_TO_BOOL(LEAP_LESS, T, p < q);                 \
  CASE_TO_BOOL(LEAP_GREATER_OR_EQUAL, T, p >= q);    \
  CASE_TO_BOOL(LEAP_LESS_OR_EQUAL, T, p <= q);

// A remainder with the sign of the divisor, 0 included, from the one with the dividend's.
#define FLOORED(T, S, L)                                                \
  LEAP_INLINE T floored_##S(T r, T q) {                                 \
    return r == 0 ? copysign##L(r, q) : (r < 0) != (q < 0) ? r + q : r; \
  }

FLOORED(float, f, f)
FLOORED(double, d, )

/// Elements `first` and on of a run, side by side: where they lie, or in a buffer of PIECE elements.
static const void *side_by_side(
    ptrdiff_t width, const void *x, ptrdiff_t stride, ptrdiff_t first, void *buffer, ptrdiff_t count) {
  const void *from = (const char *)x + first * stride * width;
  if (stride == 1) return from;
  leap_copy_run(width, from, stride, buffer, 1, count);
  return buffer;
}

static ptrdiff_t least(ptrdiff_t m, ptrdiff_t n) { return m < n ? m : n; }

// MARK: floats

/// Quotients of floats below which the remainder is exact in double: the whole part times the divisor has 24 + 28 bits.
#define NEAR 268435456.0

/// The remainder of floats whose quotient is below NEAR, with the sign of the dividend.
LEAP_INLINE float near_remainder(float p, float q, double quotient) {
  const double whole = (double)(int32_t)(fabs(quotient) < NEAR ? quotient : 0);
  const double r = whole == 0 ? p : p - whole * q;
  // The quotient may have been rounded up to a whole number.
  const double size = fabs(q);
  return copysignf((float)((r < 0) == (p < 0) || r == 0 ? r : r < 0 ? r + size : r - size), p);
}

#define FLOATING_FUNCTIONS(ISA, TARGET)                                                               \
  TARGET static enum leap_status remainders_##ISA(int floored, OPERANDS) {                            \
    float left[PIECE], right[PIECE], result[PIECE];                                                   \
    for (ptrdiff_t first = 0; first < count; first += PIECE) {                                        \
      const ptrdiff_t length = least(PIECE, count - first);                                           \
      const float *p = side_by_side(sizeof(float), a, sa, first, left, length);                       \
      const float *q = side_by_side(sizeof(float), b, sb, first, right, length);                      \
      int32_t far = 0;                                                                                \
      LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < length; i++) {                                       \
        const double quotient = (double)p[i] / (double)q[i];                                          \
        far |= !(fabs(quotient) < NEAR);                                                              \
        result[i] = near_remainder(p[i], q[i], quotient);                                             \
      }                                                                                               \
      for (ptrdiff_t i = 0; far && i < length; i++)                                                   \
        if (!(fabs((double)p[i] / (double)q[i]) < NEAR)) result[i] = fmodf(p[i], q[i]);               \
      if (floored) LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < length; i++)                            \
        result[i] = floored_f(result[i], q[i]);                                                       \
      leap_copy_run(sizeof(float), result, 1, (float *)y + first * sy, sy, length);                   \
    }                                                                                                 \
    return LEAP_OK;                                                                                   \
  }                                                                                                   \
  TARGET static enum leap_status powers_##ISA(OPERANDS) {                                             \
    float left[PIECE], right[PIECE], result[PIECE];                                                   \
    for (ptrdiff_t first = 0; first < count; first += PIECE) {                                        \
      const ptrdiff_t length = least(PIECE, count - first);                                           \
      const float *p = side_by_side(sizeof(float), a, sa, first, left, length);                       \
      const float *q = side_by_side(sizeof(float), b, sb, first, right, length);                      \
      int others = 0;                                                                                 \
      LEAP_INTERLEAVED for (ptrdiff_t i = 0; i < length; i++) {                                       \
        result[i] = (float)leap_wide_pow(p[i], q[i]);                                                 \
        others |= !leap_is_wide_pow(p[i], q[i]);                                                      \
      }                                                                                               \
      for (ptrdiff_t i = 0; others && i < length; i++)                                                \
        if (!leap_is_wide_pow(p[i], q[i])) result[i] = powf(p[i], q[i]);                              \
      leap_copy_run(sizeof(float), result, 1, (float *)y + first * sy, sy, length);                   \
    }                                                                                                 \
    return LEAP_OK;                                                                                   \
  }                                                                                                   \
  FLOATING_TYPE(                                                                                      \
      ISA, TARGET, float, f, return powers_##ISA(a, sa, b, sb, y, sy, count),                      \
      return remainders_##ISA(0, a, sa, b, sb, y, sy, count),               \
      return remainders_##ISA(1, a, sa, b, sb, y, sy, count))                                         \
  FLOATING_TYPE(                                                                                      \
      ISA, TARGET, double, d, LEAP_BINARY_LOOP(double, double, pow(p, q)),                           \
      LEAP_BINARY_LOOP(double, double, fmod(p, q)),                                                   \
      LEAP_BINARY_LOOP(double, double, floored_d(fmod(p, q), q)))

#define FLOATING_TYPE(ISA, TARGET, T, S, POW, FMOD, MOD)                      \
  TARGET static enum leap_status S##_##ISA(enum leap_binary function, OPERANDS) { \
    switch (function) {                                                       \
      CASE(LEAP_ADD, T, p + q);                                               \
      CASE(LEAP_SUB, T, p - q);                                               \
      CASE(LEAP_MUL, T, p *q);                                                \
      CASE(LEAP_DIV, T, p / q);                                               \
      CASE(LEAP_MIN, T, p < q || p != p ? p : q);                             \
      CASE(LEAP_MAX, T, p > q || p != p ? p : q);                             \
      case LEAP_POW:                                                          \
        /* Squaring is the common power. The exponent is one for all. */      \
        if (sb == 0 && count > 0 && *(const T *)b == 2) LEAP_BINARY_LOOP(T, T, p *p); \
        POW;                                                                  \
      case LEAP_FMOD: FMOD;                                                   \
      case LEAP_MOD: MOD;                                                     \
      CASE(LEAP_PRELU, T, p < 0 ? p * q : p);                                 \
      COMPARISONS(T)                                                          \
      default: return LEAP_UNSUPPORTED;                                       \
    }                                                                         \
  }

// MARK: integers

// Division wants every divisor looked at before the first quotient is stored: the output may lie on an operand.
#define HAS_ZERO(T)                                                                       \
  {                                                                                       \
    int zeros = 0;                                                                        \
    if (sb == 1) for (ptrdiff_t i = 0; i < count; i++) zeros |= ((const T *)b)[i] == 0;   \
    else for (ptrdiff_t i = 0; i < count; i++) zeros |= ((const T *)b)[i * sb] == 0;      \
    if (zeros) return LEAP_DIVISION_BY_ZERO;                                              \
  }

// Quotients of up to 16 bits: floats are far enough from the next whole number for cutting to be exact.
#define NARROW_QUOTIENT(T, U, SIGNED) ((T)(int32_t)((float)p / (float)q))
// A divisor of -1 is a case of its own: the smallest number has no opposite.
#define WIDE_QUOTIENT(T, U, SIGNED) (SIGNED && q == (T)-1 ? (T)(0 - (U)p) : (T)(p / q))

// U: the unsigned type that wraps, at least as wide as unsigned int so that promotion cannot make it signed.
#define DIVISIONS(T, U, SIGNED, QUOTIENT)                                                           \
  LEAP_INLINE T quotient_##T(T p, T q) { return QUOTIENT(T, U, SIGNED); }                           \
  LEAP_INLINE T remainder_##T(T p, T q) { return (T)((U)p - (U)quotient_##T(p, q) * (U)q); }        \
  LEAP_INLINE T modulo_##T(T p, T q) {                                                              \
    const T r = remainder_##T(p, q);                                                                \
    return r != 0 && (r < 0) != (q < 0) ? (T)((U)r + (U)q) : r;                                     \
  }                                                                                                 \
  /* Powers are taken by squaring, wrapping. A negative one is cut towards zero: of 1 and -1 it is  \
     that of the same parity, of all others the same as of 0, which is 0 as well. */                \
  LEAP_INLINE T base_##T(T p, T q) { return !SIGNED || q >= 0 || p == 1 || p == (T)-1 ? p : 0; }    \
  LEAP_INLINE T exponent_##T(T q) { return !SIGNED || q >= 0 ? q : (T)((q & 1) + 2); }

DIVISIONS(int8_t, uint32_t, 1, NARROW_QUOTIENT)
DIVISIONS(int16_t, uint32_t, 1, NARROW_QUOTIENT)
DIVISIONS(int32_t, uint32_t, 1, WIDE_QUOTIENT)
DIVISIONS(int64_t, uint64_t, 1, WIDE_QUOTIENT)
DIVISIONS(uint8_t, uint32_t, 0, NARROW_QUOTIENT)
DIVISIONS(uint16_t, uint32_t, 0, NARROW_QUOTIENT)
DIVISIONS(uint32_t, uint32_t, 0, WIDE_QUOTIENT)
DIVISIONS(uint64_t, uint64_t, 0, WIDE_QUOTIENT)

#define INTEGER_TYPE(ISA, TARGET, T, U, BITS, SIGNED)                                                   \
  TARGET static enum leap_status powers_##T##_##ISA(OPERANDS) {                                         \
    T left[PIECE], right[PIECE], base[PIECE], exponent[PIECE], result[PIECE];                           \
    for (ptrdiff_t first = 0; first < count; first += PIECE) {                                          \
      const ptrdiff_t length = least(PIECE, count - first);                                             \
      const T *p = side_by_side(sizeof(T), a, sa, first, left, length);                                 \
      const T *q = side_by_side(sizeof(T), b, sb, first, right, length);                                \
      T bits = 0;                                                                                       \
      for (ptrdiff_t i = 0; i < length; i++) {                                                          \
        base[i] = base_##T(p[i], q[i]);                                                                 \
        exponent[i] = exponent_##T(q[i]);                                                               \
        bits |= exponent[i];                                                                            \
        result[i] = 1;                                                                                  \
      }                                                                                                 \
      for (; bits; bits = (T)(bits >> 1))                                                               \
        for (ptrdiff_t i = 0; i < length; i++) {                                                        \
          result[i] = (T)((U)result[i] * (exponent[i] & 1 ? (U)base[i] : 1));                           \
          base[i] = (T)((U)base[i] * (U)base[i]);                                                       \
          exponent[i] = (T)(exponent[i] >> 1);                                                          \
        }                                                                                               \
      leap_copy_run(sizeof(T), result, 1, (T *)y + first * sy, sy, length);                             \
    }                                                                                                   \
    return LEAP_OK;                                                                                     \
  }                                                                                                     \
  TARGET static enum leap_status T##_##ISA(enum leap_binary function, OPERANDS) {                       \
    switch (function) {                                                                                 \
      CASE(LEAP_ADD, T, (U)p + (U)q);                                                                   \
      CASE(LEAP_SUB, T, (U)p - (U)q);                                                                   \
      CASE(LEAP_MUL, T, (U)p *(U)q);                                                                    \
      case LEAP_DIV: HAS_ZERO(T) LEAP_BINARY_LOOP(T, T, quotient_##T(p, q));                            \
      case LEAP_FMOD: HAS_ZERO(T) LEAP_BINARY_LOOP(T, T, remainder_##T(p, q));                          \
      case LEAP_MOD: HAS_ZERO(T) LEAP_BINARY_LOOP(T, T, modulo_##T(p, q));                              \
      CASE(LEAP_MIN, T, p < q ? p : q);                                                                 \
      CASE(LEAP_MAX, T, p > q ? p : q);                                                                 \
      case LEAP_POW: return powers_##T##_##ISA(a, sa, b, sb, y, sy, count);                             \
      CASE(LEAP_PRELU, T, p < 0 ? (T)((U)p * (U)q) : p);                                                \
      CASE(LEAP_BITWISE_AND, T, p &q);                                                                  \
      CASE(LEAP_BITWISE_OR, T, p | q);                                                                  \
      CASE(LEAP_BITWISE_XOR, T, p ^ q);                                                                 \
      CASE(LEAP_SHIFT_LEFT, T, (uint64_t)q < BITS ? (T)((U)p << (uint64_t)q) : 0);                      \
      CASE(LEAP_SHIFT_RIGHT, T, (uint64_t)q < BITS ? (T)(p >> (uint64_t)q) : SIGNED && p < 0 ? (T)-1 : 0); \
      COMPARISONS(T)                                                                                    \
      default: return LEAP_UNSUPPORTED;                                                                 \
    }                                                                                                   \
  }

#define INSTANCE(ISA, TARGET, VECTOR, LANES, MULTIPLY_ADD)                                               \
  FLOATING_FUNCTIONS(ISA, TARGET)                                                                        \
  INTEGER_TYPE(ISA, TARGET, int8_t, uint32_t, 8, 1)                                                      \
  INTEGER_TYPE(ISA, TARGET, int16_t, uint32_t, 16, 1)                                                    \
  INTEGER_TYPE(ISA, TARGET, int32_t, uint32_t, 32, 1)                                                    \
  INTEGER_TYPE(ISA, TARGET, int64_t, uint64_t, 64, 1)                                                    \
  INTEGER_TYPE(ISA, TARGET, uint8_t, uint32_t, 8, 0)                                                     \
  INTEGER_TYPE(ISA, TARGET, uint16_t, uint32_t, 16, 0)                                                   \
  INTEGER_TYPE(ISA, TARGET, uint32_t, uint32_t, 32, 0)                                                   \
  INTEGER_TYPE(ISA, TARGET, uint64_t, uint64_t, 64, 0)                                                   \
  TARGET static enum leap_status boolean_##ISA(enum leap_binary function, OPERANDS) {                    \
    switch (function) {                                                                                  \
      CASE(LEAP_AND, uint8_t, p && q);                                                                   \
      CASE(LEAP_OR, uint8_t, p || q);                                                                    \
      CASE(LEAP_XOR, uint8_t, !p != !q);                                                                 \
      CASE(LEAP_EQUAL, uint8_t, !p == !q);                                                               \
      default: return LEAP_UNSUPPORTED;                                                                  \
    }                                                                                                    \
  }                                                                                                      \
  static enum leap_status binary_##ISA(int32_t type, enum leap_binary function, OPERANDS) {              \
    switch (type) {                                                                                      \
      case LEAP_F32: return f_##ISA(function, a, sa, b, sb, y, sy, count);                               \
      case LEAP_F64: return d_##ISA(function, a, sa, b, sb, y, sy, count);                               \
      case LEAP_F16:                                                                                     \
      case LEAP_BF16: return leap_half_binary(type, function, a, sa, b, sb, y, sy, count);               \
      case LEAP_I8: return int8_t_##ISA(function, a, sa, b, sb, y, sy, count);                           \
      case LEAP_I16: return int16_t_##ISA(function, a, sa, b, sb, y, sy, count);                         \
      case LEAP_I32: return int32_t_##ISA(function, a, sa, b, sb, y, sy, count);                         \
      case LEAP_I64: return int64_t_##ISA(function, a, sa, b, sb, y, sy, count);                         \
      case LEAP_U8: return uint8_t_##ISA(function, a, sa, b, sb, y, sy, count);                          \
      case LEAP_U16: return uint16_t_##ISA(function, a, sa, b, sb, y, sy, count);                        \
      case LEAP_U32: return uint32_t_##ISA(function, a, sa, b, sb, y, sy, count);                        \
      case LEAP_U64: return uint64_t_##ISA(function, a, sa, b, sb, y, sy, count);                        \
      case LEAP_BOOL: return boolean_##ISA(function, a, sa, b, sb, y, sy, count);                        \
      default: return LEAP_UNSUPPORTED;                                                                  \
    }                                                                                                    \
  }

LEAP_FOR_EACH_ISA(INSTANCE)

enum leap_status leap_binary_run(
    int32_t type, enum leap_binary function, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y,
    ptrdiff_t sy, ptrdiff_t count) {
  LEAP_RETURN(leap_isa_preferred(), binary, type, function, a, sa, b, sb, y, sy, count)
}
