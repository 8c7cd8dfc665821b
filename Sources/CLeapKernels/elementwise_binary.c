// elementwise_binary.c: functions of two elements.
#include "elementwise_half.h"
#include "elementwise_types.h"

#define BINARY_PARAMETERS                                                                                \
  enum leap_binary function, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y, ptrdiff_t sy, \
      ptrdiff_t count

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

// The remainder with the sign of the divisor, 0 included.
#define FLOORED(T, S, L)                                              \
  static T floored_##S(T p, T q) {                                    \
    const T r = fmod##L(p, q);                                        \
    return r == 0 ? copysign##L(r, q) : (r < 0) != (q < 0) ? r + q : r; \
  }

FLOORED(float, f, f)
FLOORED(double, d, )

#define FLOATING_FUNCTIONS(T, S, L)                                       \
  static enum leap_status binary_##S(BINARY_PARAMETERS) {                 \
    switch (function) {                                                   \
      CASE(LEAP_ADD, T, p + q);                                           \
      CASE(LEAP_SUB, T, p - q);                                           \
      CASE(LEAP_MUL, T, p * q);                                           \
      CASE(LEAP_DIV, T, p / q);                                           \
      CASE(LEAP_MIN, T, p < q || p != p ? p : q);                         \
      CASE(LEAP_MAX, T, p > q || p != p ? p : q);                         \
      case LEAP_POW:                                                      \
        /* Squaring is the common power. The exponent is one for all. */ \
        if (sb == 0 && count > 0 && *(const T *)b == 2) LEAP_BINARY_LOOP(T, T, p *p); \
        LEAP_BINARY_LOOP(T, T, pow##L(p, q));                             \
      CASE(LEAP_FMOD, T, fmod##L(p, q));                                  \
      CASE(LEAP_MOD, T, floored_##S(p, q));                               \
      CASE(LEAP_PRELU, T, p < 0 ? p * q : p);                             \
      COMPARISONS(T)                                                      \
      default: return LEAP_UNSUPPORTED;                                   \
    }                                                                     \
  }

FLOATING_FUNCTIONS(float, f, f)
FLOATING_FUNCTIONS(double, d, )

/// Integer power by squaring, wrapping; a negative exponent gives the power cut towards zero.
static uint64_t integer_power(uint64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 1) return 1;
    if (base == UINT64_MAX) return exponent % 2 ? UINT64_MAX : 1;
    return 0;
  }
  uint64_t result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result *= base;
    base *= base;
  }
  return result;
}

// Division wants every divisor looked at before the first quotient is stored: the output may lie on an operand.
#define HAS_ZERO(T)                                 \
  for (ptrdiff_t i = 0; i < count; i++)             \
    if (((const T *)b)[i * sb] == 0) return LEAP_DIVISION_BY_ZERO;

// U: the unsigned type that wraps, at least as wide as unsigned int so that promotion cannot make it signed.
// A divisor of -1 is a case of its own: the smallest number has no opposite.
#define INTEGER_FUNCTIONS(T, U, BITS, SIGNED)                                                     \
  static enum leap_status binary_##T(BINARY_PARAMETERS) {                                         \
    switch (function) {                                                                           \
      CASE(LEAP_ADD, T, (U)p + (U)q);                                                             \
      CASE(LEAP_SUB, T, (U)p - (U)q);                                                             \
      CASE(LEAP_MUL, T, (U)p *(U)q);                                                              \
      case LEAP_DIV:                                                                              \
        HAS_ZERO(T)                                                                               \
        LEAP_BINARY_LOOP(T, T, SIGNED && q == (T)-1 ? (T)(0 - (U)p) : (T)(p / q));                \
      case LEAP_FMOD:                                                                             \
        HAS_ZERO(T)                                                                               \
        LEAP_BINARY_LOOP(T, T, SIGNED && q == (T)-1 ? 0 : p % q);                                 \
      case LEAP_MOD:                                                                              \
        HAS_ZERO(T)                                                                               \
        LEAP_BINARY_LOOP(                                                                         \
            T, T, SIGNED && q == (T)-1 ? 0 : p % q != 0 && ((p % q < 0) != (q < 0)) ? p % q + q : p % q); \
      CASE(LEAP_MIN, T, p < q ? p : q);                                                           \
      CASE(LEAP_MAX, T, p > q ? p : q);                                                           \
      CASE(LEAP_POW, T, integer_power((uint64_t)p, (int64_t)q));                                  \
      CASE(LEAP_PRELU, T, p < 0 ? (T)((U)p * (U)q) : p);                                          \
      CASE(LEAP_BITWISE_AND, T, p &q);                                                            \
      CASE(LEAP_BITWISE_OR, T, p | q);                                                            \
      CASE(LEAP_BITWISE_XOR, T, p ^ q);                                                           \
      CASE(LEAP_SHIFT_LEFT, T, (uint64_t)q < BITS ? (T)((U)p << (uint64_t)q) : 0);                \
      CASE(LEAP_SHIFT_RIGHT, T, (uint64_t)q < BITS ? (T)(p >> (uint64_t)q) : SIGNED && p < 0 ? (T)-1 : 0); \
      COMPARISONS(T)                                                                              \
      default: return LEAP_UNSUPPORTED;                                                           \
    }                                                                                             \
  }

INTEGER_FUNCTIONS(int8_t, uint32_t, 8, 1)
INTEGER_FUNCTIONS(int16_t, uint32_t, 16, 1)
INTEGER_FUNCTIONS(int32_t, uint32_t, 32, 1)
INTEGER_FUNCTIONS(int64_t, uint64_t, 64, 1)
INTEGER_FUNCTIONS(uint8_t, uint32_t, 8, 0)
INTEGER_FUNCTIONS(uint16_t, uint32_t, 16, 0)
INTEGER_FUNCTIONS(uint32_t, uint32_t, 32, 0)
INTEGER_FUNCTIONS(uint64_t, uint64_t, 64, 0)

static enum leap_status binary_bool(BINARY_PARAMETERS) {
  switch (function) {
    CASE(LEAP_AND, uint8_t, p && q);
    CASE(LEAP_OR, uint8_t, p || q);
    CASE(LEAP_XOR, uint8_t, !p != !q);
    CASE(LEAP_EQUAL, uint8_t, !p == !q);
    default: return LEAP_UNSUPPORTED;
  }
}

enum leap_status leap_binary_run(
    int32_t type, enum leap_binary function, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y,
    ptrdiff_t sy, ptrdiff_t count) {
  switch (type) {
    case LEAP_F32: return binary_f(function, a, sa, b, sb, y, sy, count);
    case LEAP_F64: return binary_d(function, a, sa, b, sb, y, sy, count);
    case LEAP_F16:
    case LEAP_BF16: return leap_half_binary(type, function, a, sa, b, sb, y, sy, count);
    case LEAP_I8: return binary_int8_t(function, a, sa, b, sb, y, sy, count);
    case LEAP_I16: return binary_int16_t(function, a, sa, b, sb, y, sy, count);
    case LEAP_I32: return binary_int32_t(function, a, sa, b, sb, y, sy, count);
    case LEAP_I64: return binary_int64_t(function, a, sa, b, sb, y, sy, count);
    case LEAP_U8: return binary_uint8_t(function, a, sa, b, sb, y, sy, count);
    case LEAP_U16: return binary_uint16_t(function, a, sa, b, sb, y, sy, count);
    case LEAP_U32: return binary_uint32_t(function, a, sa, b, sb, y, sy, count);
    case LEAP_U64: return binary_uint64_t(function, a, sa, b, sb, y, sy, count);
    case LEAP_BOOL: return binary_bool(function, a, sa, b, sb, y, sy, count);
    default: return LEAP_UNSUPPORTED;
  }
}
