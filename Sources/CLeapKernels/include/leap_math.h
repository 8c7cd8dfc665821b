// leap_math.h: elementary functions of one float, for loops that a compiler turns into vector code.
//
// 1. Units in the last place from the exact result, subnormal results included: exp 0.8, tanh and erf 1.4,
//    sigmoid and x sigmoid(x) 1.5, HardSwish 1.9.
// 2. No branches, no calls, no tables: an element gets the same bits in a vector lane and in a scalar tail.
// 3. NaN stays NaN; infinities give the limit.
//
// Polynomials are minimax fits on the ranges named beside them. Functions that are not here go by way of double
// (leap_wide_math.h); those of double are in leap_double_math.h, or libm's.
#ifndef LEAP_MATH_H
#define LEAP_MATH_H

#include "leap_double_math.h"
#include "leap_wide_math.h"

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

/// e to the x + rest. Where `has_rest` is a constant 0 the rest costs nothing.
LEAP_INLINE float leap_exp_partsf(float x, float rest, int has_rest) {
  // Beyond these the result is infinite or zero whatever x is. Comparisons let NaN through.
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  // x = n ln 2 + r with |r| <= ln(2) / 2. Adding 1.5 * 2^23 rounds to an integer that stands in the low bits.
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float whole_part = x - n * 0.693145752f;  // The first 16 bits of ln 2: n times it is exact.
  const float correction = n * 1.42860677e-6f;
  const float r = whole_part - correction;
  const float lost = (whole_part - r) - correction;
  // (e^r - 1 - r) / r^2
  float q = 1.395171916e-3f;
  q = q * r + 8.369598221e-3f;
  q = q * r + 4.166618726e-2f;
  q = q * r + 1.666651289e-1f;
  q = q * r + 5.000000101e-1f;
  const float sum = 1.0f + r;
  const float beside = ((1.0f - sum) + r) + (lost + r * r * q);
  const float small = has_rest ? beside + rest * (sum + beside) : beside;
  // Two powers of two, so that neither over- nor underflows where the result does not.
  const int32_t exponent = leap_bits_from_float(shifted) - 0x4B400000;
  const int32_t half = exponent >> 1;
  const float low = leap_float_from_bits((int32_t)((uint32_t)(half + 127) << 23));
  const float high = leap_float_from_bits((int32_t)((uint32_t)(exponent - half + 127) << 23));
  return (sum + small) * low * high;
}

/// e to the x.
LEAP_INLINE float leap_expf(float x) { return leap_exp_partsf(x, 0.0f, 0); }

/// e to the x + rest, where rest is small beside x: what a sum that made x has lost.
LEAP_INLINE float leap_exp_sumf(float x, float rest) { return leap_exp_partsf(x, rest, 1); }

/// numerator / (1 + e^-x) for -112 <= x <= 59, or NaN.
LEAP_INLINE float leap_logistic(float x, float numerator) {
  // -x = n ln 2 + r, as in leap_expf.
  const float shifted = x * -1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = -(x + n * 0.693145752f) - n * 1.42860677e-6f;
  // (e^r - 1 - r) / r^2
  float q = 1.395171916e-3f;
  q = q * r + 8.369598221e-3f;
  q = q * r + 4.166618726e-2f;
  q = q * r + 1.666651289e-1f;
  q = q * r + 5.000000101e-1f;
  // 1 + 2^n + 2^n (e^r - 1), all times 2^-40: no power overflows, and none is subnormal.
  const float one = 0x1p-40f;
  const float power = leap_float_from_bits((int32_t)((uint32_t)(leap_bits_from_float(shifted) - 0x4B400000 + 127 - 40) << 23));
  const float whole = one + power;
  const float part = power * (r * r * q + r);
  const float sum = whole + part;
  // What the two sums gained when they were rounded, relative to the sum, whose inverse the bits give within 13 %.
  const float gained = ((sum - whole) - part) - (one - (whole - power));
  const float inverse = leap_float_from_bits(0x7EF311C7 - leap_bits_from_float(sum));
  const float quotient = numerator / sum;
  return (quotient + quotient * (gained * inverse)) * one;
}

/// `x` within the range of leap_logistic. Beyond it 1 / (1 + e^-x) and its product with x are 0, or 1 and x.
LEAP_INLINE float leap_logistic_argument(float x) {
  x = x > 59.0f ? 59.0f : x;
  return x < -112.0f ? -112.0f : x;
}

/// 1 / (1 + e^-x).
LEAP_INLINE float leap_sigmoidf(float x) { return leap_logistic(leap_logistic_argument(x), 1.0f); }

/// x / (1 + e^-x).
LEAP_INLINE float leap_siluf(float x) {
  const float v = leap_logistic_argument(x);
  const float y = leap_logistic(v, v);
  return x > 59.0f ? x : y;
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

// The same names for double; others are in leap_double_math.h.
LEAP_INLINE double leap_expd(double x) { return exp(x); }
LEAP_INLINE double leap_exp_sumd(double x, double rest) {
  const double e = exp(x);
  return e + e * rest;
}
LEAP_INLINE double leap_logd(double x) { return log(x); }
LEAP_INLINE double leap_atand(double x) { return atan(x); }
LEAP_INLINE double leap_sigmoidd(double x) {
  const double e = exp(x > 0.0 ? -x : x);
  return (x > 0.0 ? 1.0 : e) / (1.0 + e);
}
LEAP_INLINE double leap_elud(double x, double alpha) { return x < 0 ? alpha * expm1(x) : x; }
LEAP_INLINE double leap_selud(double x, double alpha, double gamma) {
  return gamma * (x < 0 ? alpha * expm1(x) : x);
}
LEAP_INLINE double leap_celud(double x, double alpha) { return x < 0 ? alpha * expm1(x / alpha) : x; }
LEAP_INLINE double leap_swishd(double x, double alpha) { return x * leap_sigmoidd(alpha * x); }
LEAP_INLINE double leap_silud(double x) { return x * leap_sigmoidd(x); }
/// tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2) with e = exp(x); 1 beyond 20.
LEAP_INLINE double leap_mishd(double x) {
  const double e = exp(x > 20 ? 20 : x);
  const double n = e * (e + 2);
  return x * (n / (n + 2));
}
LEAP_INLINE double leap_gelu_tanhd(double x) {
  return x * leap_sigmoidd(1.5957691216057308 * (x + 0.044715 * x * x * x));
}

// Functions that are the same for both.
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
  /* x times x / 6 + 1/2 within 0...1, whose digits the sum x + 3 keeps near -3. */           \
  LEAP_INLINE T leap_hard_swish##S(T x) { return x * (leap_clip##S(x + 3, (T)0, (T)6) / 6); }

LEAP_DERIVED_FUNCTIONS(float, f)
LEAP_DERIVED_FUNCTIONS(double, d)

#endif
