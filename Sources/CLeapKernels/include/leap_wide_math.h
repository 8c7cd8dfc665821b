// leap_wide_math.h: elementary functions of one float by way of double, for loops that a compiler turns into vector code.
//
// 1. Within 0.51 units in the last place of the exact result, subnormal results included.
// 2. No branches, no calls, no tables: an element gets the same bits in a vector lane and in a scalar tail.
// 3. NaN stays NaN; infinities give the limit.
//
// Doubles have 29 bits more than the results need: sums and reductions need no second term, and what would over- or
// underflow on the way does not. Polynomials are minimax fits on the ranges named beside them.
#ifndef LEAP_WIDE_MATH_H
#define LEAP_WIDE_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LEAP_INLINE static inline __attribute__((always_inline))

LEAP_INLINE double leap_double_from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

LEAP_INLINE uint64_t leap_bits_from_double(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Unlike sqrt, which a negative operand makes set errno, no call.
#define LEAP_SQUARE_ROOT(X) __builtin_elementwise_sqrt(X)

/// Added to a number below 2^51 it rounds it to an integer, which then stands in the low bits.
#define LEAP_ROUNDER 6755399441055744.0

// MARK: exponentials

/// A power of e as scale * (1 + rest).
struct leap_wide_power {
  double scale, rest;
};

/// e to the x; x counts as -200 below and as 200 above, where a float is 0 or infinite anyway.
LEAP_INLINE struct leap_wide_power leap_wide_power(double x) {
  x = x > 200.0 ? 200.0 : x;
  x = x < -200.0 ? -200.0 : x;
  // x = n ln 2 + r with |r| <= ln(2) / 2.
  const double shifted = x * 1.4426950408889634 + LEAP_ROUNDER;
  const double r = x - (shifted - LEAP_ROUNDER) * 0.69314718055994531;
  // (e^r - 1 - r) / r^2
  double q = 0.0001984594130199192;
  q = q * r + 0.0013941652176985045;
  q = q * r + 0.0083333916706202275;
  q = q * r + 0.041666348716653187;
  q = q * r + 0.1666666635224229;
  q = q * r + 0.50000000468175481;
  const uint64_t exponent = leap_bits_from_double(shifted) << 52;
  return (struct leap_wide_power){leap_double_from_bits(exponent + (UINT64_C(1023) << 52)), r + r * r * q};
}

LEAP_INLINE double leap_wide_exp(double x) {
  const struct leap_wide_power power = leap_wide_power(x);
  return power.scale + power.scale * power.rest;
}

/// e to the x, less 1.
LEAP_INLINE double leap_wide_expm1(double x) {
  const struct leap_wide_power power = leap_wide_power(x);
  return power.scale * power.rest + (power.scale - 1.0);
}

/// 1 / (1 + e^-x).
LEAP_INLINE double leap_wide_sigmoid(double x) {
  const double e = leap_wide_exp(x > 0.0 ? -x : x);
  return (x > 0.0 ? 1.0 : e) / (1.0 + e);
}

LEAP_INLINE float leap_sinhf(float x) {
  const double e = leap_wide_expm1(fabs((double)x));
  return copysignf((float)(0.5 * (e + e / (e + 1.0))), x);
}

LEAP_INLINE float leap_coshf(float x) {
  const double e = leap_wide_exp(fabs((double)x));
  return (float)(0.5 * (e + 1.0 / e));
}

// MARK: logarithms

/// The logarithm of `x`, with `lost` added to what it is relative to 1: log(x + lost) for x near 1.
LEAP_INLINE double leap_wide_log(double x, double lost) {
  // x = 2^n m with sqrt(1/2) <= m < sqrt(2). 2^52 + k holds the integer k in its low bits.
  const uint64_t bits = leap_bits_from_double(x);
  const uint64_t above = bits - UINT64_C(0x3fe6a09e667f3bcd);
  const double m = leap_double_from_bits(bits - (above & UINT64_C(0xfff0000000000000)));
  const uint64_t biased = (above + (UINT64_C(1024) << 52)) >> 52;
  const double n = leap_double_from_bits(biased | UINT64_C(0x4330000000000000)) - (4503599627370496.0 + 1024.0);
  // log m = 2 atanh s with s = (m - 1) / (m + 1): (2 atanh(s) / s - 2) / s^2 in s^2 <= 0.0296.
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double w = s * s;
  double q = 0.2358999136249223;
  q = q * w + 0.28536919289794181;
  q = q * w + 0.40000340905222677;
  q = q * w + 0.66666665622265154;
  double result = n * 0.69314718055994531 + (s * (2.0 + w * q) + lost);
  result = x < (double)INFINITY ? result : x;
  return x > 0.0 ? result : x == 0.0 ? -(double)INFINITY : (double)NAN;
}

/// log(1 + x) for x >= 0.
LEAP_INLINE double leap_wide_log1p(double x) {
  const double sum = 1.0 + x;
  return leap_wide_log(sum, x < 0.5 ? x - (sum - 1.0) : 0.0);
}

LEAP_INLINE float leap_logf(float x) { return (float)leap_wide_log(x, 0.0); }

/// Whether leap_wide_pow takes these: a positive base; both finite.
LEAP_INLINE int leap_is_wide_pow(double x, double y) {
  return x > 0.0 && x < (double)INFINITY && fabs(y) < (double)INFINITY;
}

/// x to the y, with 30 bits.
LEAP_INLINE double leap_wide_pow(double x, double y) { return leap_wide_exp(y * leap_wide_log(x, 0.0)); }

LEAP_INLINE float leap_asinhf(float x) {
  const double a = fabs((double)x);
  // The square of a finite float is finite.
  const double u = a < (double)INFINITY ? a * a : 0.0;
  return copysignf((float)leap_wide_log1p(a + u / (1.0 + LEAP_SQUARE_ROOT(1.0 + u))), x);
}

LEAP_INLINE float leap_acoshf(float x) {
  const double above = (double)x - 1.0;
  const double result = leap_wide_log1p(above + LEAP_SQUARE_ROOT(above * ((double)x + 1.0)));
  return x >= 1.0f ? (float)result : NAN;
}

LEAP_INLINE float leap_atanhf(float x) {
  const double a = fabs((double)x);
  const double result = 0.5 * leap_wide_log1p(2.0 * a / (1.0 - a));
  return a <= 1.0 ? copysignf((float)result, x) : NAN;
}

/// log(1 + e^x).
LEAP_INLINE float leap_softplusf(float x) {
  const double v = x;
  return (float)((v > 0.0 ? v : 0.0) + leap_wide_log1p(leap_wide_exp(v > 0.0 ? -v : v)));
}

// MARK: circular functions

/// Magnitudes below which the reduction is exact enough: two of the three parts of pi / 2, of 30 bits each, times the
/// quotient are exact.
#define LEAP_CIRCULAR_LIMIT 4194304.0f

/// x as quadrant * pi/2 + rest; the quadrant in the low bits.
struct leap_wide_angle {
  double rest;
  uint64_t quadrant;
};

LEAP_INLINE struct leap_wide_angle leap_wide_angle(double x) {
  const double shifted = x * 0.63661977236758134 + LEAP_ROUNDER;
  const double n = shifted - LEAP_ROUNDER;
  double r = x - n * 1.570796325802803;
  r = r - n * 9.920935791635221e-10;
  r = r - n * 5.170182981794105e-19;
  return (struct leap_wide_angle){r, leap_bits_from_double(shifted)};
}

/// sin r, |r| <= pi / 4.
LEAP_INLINE double leap_wide_sin(double r) {
  const double u = r * r;
  double q = 2.7181625469523655e-6;
  q = q * u - 0.00019839319366620874;
  q = q * u + 0.0083333293384053371;
  q = q * u - 0.16666666641223924;
  return r * (1.0 + u * q);
}

/// cos r, |r| <= pi / 4.
LEAP_INLINE double leap_wide_cos(double r) {
  const double u = r * r;
  double q = 2.4388814208130239e-5;
  q = q * u - 0.0013886746798454923;
  q = q * u + 0.041666622802672943;
  q = q * u - 0.49999999720685507;
  return 1.0 + u * q;
}

/// The sine of an angle of `quadrant` quarter turns and r.
LEAP_INLINE float leap_wide_turned(double r, uint64_t quadrant) {
  const double value = quadrant & 1 ? leap_wide_cos(r) : leap_wide_sin(r);
  return (float)leap_double_from_bits(leap_bits_from_double(value) ^ (quadrant & 2) << 62);
}

/// The sine; |x| < LEAP_CIRCULAR_LIMIT, as for those that follow.
LEAP_INLINE float leap_near_sinf(float x) {
  const struct leap_wide_angle angle = leap_wide_angle(x);
  return leap_wide_turned(angle.rest, angle.quadrant);
}

LEAP_INLINE float leap_near_cosf(float x) {
  const struct leap_wide_angle angle = leap_wide_angle(x);
  return leap_wide_turned(angle.rest, angle.quadrant + 1);
}

LEAP_INLINE float leap_near_tanf(float x) {
  const struct leap_wide_angle angle = leap_wide_angle(x);
  const double s = leap_wide_sin(angle.rest), c = leap_wide_cos(angle.rest);
  return (float)((angle.quadrant & 1 ? -c : s) / (angle.quadrant & 1 ? s : c));
}

/// asin x, |x| <= 1/2. Beyond that, asin x = pi/2 - 2 asin of the square root of (1 - x) / 2.
LEAP_INLINE double leap_wide_asin(double x) {
  // (asin(x) / x - 1) / x^2 in x^2 <= 1/4.
  const double u = x * x;
  double q = 0.03469272005530104;
  q = q * u + 0.0074693227121989042;
  q = q * u + 0.024618302909437322;
  q = q * u + 0.030110261537383639;
  q = q * u + 0.044660162899776519;
  q = q * u + 0.074999481582850397;
  q = q * u + 0.16666667189808134;
  return x * (1.0 + u * q);
}

#define LEAP_HALF_PI 1.5707963267948966

LEAP_INLINE float leap_asinf(float x) {
  const double a = fabs((double)x);
  const double s = leap_wide_asin(a > 0.5 ? LEAP_SQUARE_ROOT((1.0 - a) * 0.5) : a);
  return copysignf((float)(a > 0.5 ? LEAP_HALF_PI - 2.0 * s : s), x);
}

LEAP_INLINE float leap_acosf(float x) {
  const double v = x, a = fabs(v);
  const double s = leap_wide_asin(a > 0.5 ? LEAP_SQUARE_ROOT((1.0 - a) * 0.5) : v);
  const double far = v < 0.0 ? 2.0 * LEAP_HALF_PI - 2.0 * s : 2.0 * s;
  return (float)(a > 0.5 ? far : LEAP_HALF_PI - s);
}

LEAP_INLINE float leap_atanf(float x) {
  const double v = fabs((double)x);
  const double a = v > 1e18 ? 1e18 : v;
  // tan(pi / 8), tan(3 pi / 8)
  const int small = a < 0.41421356237309503, large = a > 2.4142135623730949;
  const double t = (small ? a : large ? -1.0 : a - 1.0) / (small ? 1.0 : large ? a : a + 1.0);
  // (atan(t) / t - 1) / t^2 in t^2 <= 0.1716.
  const double u = t * t;
  double q = 0.047480588629215962;
  q = q * u - 0.084783061758513581;
  q = q * u + 0.11045076498897495;
  q = q * u - 0.14282040771173267;
  q = q * u + 0.19999905143958028;
  q = q * u - 0.33333332514158109;
  const double offset = small ? 0.0 : large ? LEAP_HALF_PI : 0.5 * LEAP_HALF_PI;
  return copysignf((float)(offset + t * (1.0 + u * q)), x);
}

// MARK: activations

/// alpha (e^x - 1) below 0, x elsewhere.
LEAP_INLINE float leap_eluf(float x, float alpha) {
  return x < 0.0f ? (float)(alpha * leap_wide_expm1(x)) : x;
}

/// The same, times gamma.
LEAP_INLINE float leap_seluf(float x, float alpha, float gamma) {
  return x < 0.0f ? (float)(gamma * (alpha * leap_wide_expm1(x))) : gamma * x;
}

/// alpha (e^(x / alpha) - 1) below 0, x elsewhere.
LEAP_INLINE float leap_celuf(float x, float alpha) {
  return x < 0.0f ? (float)(alpha * leap_wide_expm1((double)x / alpha)) : x;
}

/// x / (1 + e^(-alpha x)).
LEAP_INLINE float leap_swishf(float x, float alpha) {
  const double y = (double)alpha * x;
  // An infinite number times a sigmoid of 0.
  const double factor = y < -200.0 ? fmin(fabs((double)x), 1.0) * (x < 0.0f ? -1.0 : 1.0) : x;
  return (float)(factor * leap_wide_sigmoid(y));
}

/// x tanh(log(1 + e^x)) = x n / (n + 2) with n = e^x (e^x + 2).
LEAP_INLINE float leap_mishf(float x) {
  const double e = leap_wide_exp(x > 40.0f ? 40.0f : x);
  const double n = e * (e + 2.0);
  return (float)((x < -200.0f ? -200.0f : x) * (n / (n + 2.0)));
}

/// x times the share of a normal distribution below x.
LEAP_INLINE float leap_geluf(float x) {
  // The share beyond a, times e^(a^2 / 2), in t = (a - 4) / (a + 4), a <= 15; beyond that a float is 0.
  const double v = x < -15.0f ? -15.0f : x;
  const double size = fabs(v), a = size > 15.0 ? 15.0 : size;
  const double t = (a - 4.0) / (a + 4.0);
  double q = 7.639177352806787e-6;
  q = q * t + 2.5469107978197682e-5;
  q = q * t - 4.9222629387855482e-5;
  q = q * t - 0.00018640059603034109;
  q = q * t + 0.0006403418538681943;
  q = q * t + 0.00050749957449442922;
  q = q * t - 0.0084923810660424066;
  q = q * t + 0.030864806153459413;
  q = q * t - 0.071707384915949827;
  q = q * t + 0.12437925498904472;
  q = q * t - 0.17039772203984947;
  q = q * t + 0.094410641310025331;
  const double beyond = q * leap_wide_exp(-0.5 * a * a);
  return (float)(v * (v < 0.0 ? beyond : 1.0 - beyond));
}

/// The same with (1 + tanh u) / 2 for the share, u = sqrt(2 / pi) (x + 0.044715 x^3).
LEAP_INLINE float leap_gelu_tanhf(float x) {
  const double v = x < -30.0f ? -30.0f : x;
  return (float)(v * leap_wide_sigmoid(1.5957691216057308 * (v + 0.044715 * v * v * v)));
}

#endif
