// leap_math.h: elementary functions of one float, for loops that a compiler turns into vector code.
//
// 1. Units in the last place from the exact result, subnormal results included: exp 1.1, tanh and erf 1.4,
//    sigmoid 2.3.
// 2. No branches, no calls, no tables: an element gets the same bits in a vector lane and in a scalar tail.
// 3. NaN stays NaN; infinities give the limit.
//
// Polynomials are minimax fits on the ranges named beside them. The functions for double are libm's.
#ifndef LEAP_MATH_H
#define LEAP_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LEAP_INLINE static inline __attribute__((always_inline))

LEAP_INLINE float leap_float_from_bits(int32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

LEAP_INLINE int32_t leap_bits_from_float(float value) {
  int32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// e to the x.
LEAP_INLINE float leap_expf(float x) {
  // Beyond these the result is infinite or zero whatever x is. Comparisons let NaN through.
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  // x = n ln 2 + r with |r| <= ln(2) / 2. Adding 1.5 * 2^23 rounds to an integer that stands in the low bits.
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  float r = x - n * 0.693145752f;  // The first 16 bits of ln 2: n times it is exact.
  r = r - n * 1.42860677e-6f;
  // (e^r - 1 - r) / r^2
  float q = 1.395171916e-3f;
  q = q * r + 8.369598221e-3f;
  q = q * r + 4.166618726e-2f;
  q = q * r + 1.666651289e-1f;
  q = q * r + 5.000000101e-1f;
  const float power = 1.0f + (r + r * r * q);
  // 2^n in two factors: neither over- nor underflows where the result does not.
  const int32_t whole = leap_bits_from_float(shifted) - 0x4B400000;
  const int32_t half = whole >> 1;
  return power * leap_float_from_bits((int32_t)((uint32_t)(half + 127) << 23))
         * leap_float_from_bits((int32_t)((uint32_t)(whole - half + 127) << 23));
}

/// 1 / (1 + e^-x).
LEAP_INLINE float leap_sigmoidf(float x) {
  // Of the two equal forms the one whose exponential is at most 1: no overflow, and small results keep their digits.
  const float e = leap_expf(x > 0.0f ? -x : x);
  const float numerator = x > 0.0f ? 1.0f : e;
  return numerator / (1.0f + e);
}

/// The hyperbolic tangent.
LEAP_INLINE float leap_tanhf(float x) {
  const float a = fabsf(x);
  // |x| < 0.625: (tanh x - x) / x^3 in x^2.
  const float u = x * x;
  float q = 2.147539747e-3f;
  q = q * u - 8.182677262e-3f;
  q = q * u + 2.170296861e-2f;
  q = q * u - 5.394720458e-2f;
  q = q * u + 1.333320977e-1f;
  q = q * u - 3.333333091e-1f;
  const float small = x + x * u * q;
  const float large = copysignf(1.0f - 2.0f / (leap_expf(2.0f * a) + 1.0f), x);
  return a < 0.625f ? small : large;
}

/// The error function.
LEAP_INLINE float leap_erff(float x) {
  const float a = fabsf(x);
  // |x| < 1: erf(x) / x - 1 in x^2.
  const float u = x * x;
  float q = -9.680139913e-6f;
  q = q * u + 1.127054572e-4f;
  q = q * u - 8.484711619e-4f;
  q = q * u + 5.221074890e-3f;
  q = q * u - 2.686544583e-2f;
  q = q * u + 1.128378275e-1f;
  q = q * u - 3.761263848e-1f;
  q = q * u + 1.283791671e-1f;
  const float small = x + x * q;
  // 1 <= |x| < 3.95: log(1 - erf |x|); beyond, erf is 1 to the last bit.
  const float c = a > 3.95f ? 3.95f : a;
  float p = 1.724756379e-7f;
  p = p * c - 2.417130196e-5f;
  p = p * c + 4.566767072e-4f;
  p = p * c - 4.257606058e-3f;
  p = p * c + 2.532064074e-2f;
  p = p * c - 1.085680333e-1f;
  p = p * c - 6.330980019e-1f;
  p = p * c - 1.129634194f;
  p = p * c + 1.990066506e-4f;
  const float large = copysignf(1.0f - leap_expf(p), x);
  return a < 1.0f ? small : large;
}

#define LEAP_SQRT_HALF 0.70710678118654752440
#define LEAP_SQRT_2_OVER_PI 0.79788456080286535588

// The same names for double, and functions built on them, for both.
LEAP_INLINE double leap_expd(double x) { return exp(x); }
LEAP_INLINE double leap_tanhd(double x) { return tanh(x); }
LEAP_INLINE double leap_erfd(double x) { return erf(x); }
LEAP_INLINE double leap_sigmoidd(double x) {
  const double e = exp(x > 0.0 ? -x : x);
  return (x > 0.0 ? 1.0 : e) / (1.0 + e);
}

#define LEAP_DERIVED_FUNCTIONS(T, S)                                                          \
  /* NaN stays NaN in each. */                                                                \
  LEAP_INLINE T leap_clip##S(T x, T lo, T hi) {                                               \
    x = x < lo ? lo : x;                                                                      \
    return x > hi ? hi : x;                                                                   \
  }                                                                                           \
  LEAP_INLINE T leap_relu##S(T x) { return x < 0 ? (T)0 : x; }                                \
  LEAP_INLINE T leap_leaky_relu##S(T x, T alpha) { return x < 0 ? alpha * x : x; }            \
  LEAP_INLINE T leap_hard_sigmoid##S(T x, T alpha, T beta) {                                  \
    return leap_clip##S(alpha * x + beta, (T)0, (T)1);                                        \
  }                                                                                           \
  LEAP_INLINE T leap_hard_swish##S(T x) {                                                     \
    return x * leap_hard_sigmoid##S(x, (T)(1.0 / 6.0), (T)0.5);                               \
  }                                                                                           \
  LEAP_INLINE T leap_swish##S(T x, T alpha) { return x * leap_sigmoid##S(alpha * x); }        \
  /* tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2) with e = exp(x); 1 beyond 20. */          \
  LEAP_INLINE T leap_mish##S(T x) {                                                           \
    const T e = leap_exp##S(x > 20 ? (T)20 : x);                                              \
    const T n = e * (e + 2);                                                                  \
    return x * (n / (n + 2));                                                                 \
  }                                                                                           \
  LEAP_INLINE T leap_gelu##S(T x) {                                                           \
    return (T)0.5 * x * (1 + leap_erf##S(x * (T)LEAP_SQRT_HALF));                             \
  }                                                                                           \
  LEAP_INLINE T leap_gelu_tanh##S(T x) {                                                      \
    return (T)0.5 * x                                                                         \
           * (1 + leap_tanh##S((T)LEAP_SQRT_2_OVER_PI * (x + (T)0.044715 * x * x * x)));      \
  }

LEAP_DERIVED_FUNCTIONS(float, f)
LEAP_DERIVED_FUNCTIONS(double, d)

#endif
