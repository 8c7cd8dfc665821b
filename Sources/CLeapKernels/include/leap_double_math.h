// leap_double_math.h: elementary functions of one double, for loops that a compiler turns into vector code.
//
// 1. Units in the last place from the exact result, as sampled: see the functions; 2.3 at most
//    but for GELU's far tail.
// 2. No branches, no calls, no tables: an element gets the same bits in a vector lane and in a scalar tail.
// 3. NaN stays NaN; infinities give the limit.
//
// Polynomials are minimax fits on the ranges named beside them. Reductions keep what they lose in a second term.
#ifndef LEAP_DOUBLE_MATH_H
#define LEAP_DOUBLE_MATH_H

#include "leap_wide_math.h"

// ln 2 in two parts, the first of 41 bits: times an exponent it is exact.
#define LEAP_LN2_HIGH 0.693147180559663
#define LEAP_LN2_LOW 2.8235290563031577e-13
// What pi / 2 is more than the double next to it.
#define LEAP_HALF_PI_LOW 6.123233995736766e-17

// MARK: exponentials

/// A power of e as (1 + rest) * low * high, the last two powers of two.
struct leap_double_power {
  double rest, low, high;
};

/// e to the x; x counts as -760 below and as 760 above, where a double is 0 or infinite anyway.
LEAP_INLINE struct leap_double_power leap_double_power(double x) {
  x = x > 760.0 ? 760.0 : x;
  x = x < -760.0 ? -760.0 : x;
  // x = n ln 2 + r with |r| <= ln(2) / 2.
  const double shifted = x * 1.4426950408889634 + LEAP_ROUNDER;
  const double n = shifted - LEAP_ROUNDER;
  const double whole_part = x - n * LEAP_LN2_HIGH;
  const double correction = n * LEAP_LN2_LOW;
  const double r = whole_part - correction;
  const double lost = (whole_part - r) - correction;
  // (e^r - 1 - r) / r^2
  double q = 2.0924670237722007e-9;
  q = q * r + 2.5109261417483657e-8;
  q = q * r + 2.7557242001972404e-7;
  q = q * r + 2.7557243610401211e-6;
  q = q * r + 2.4801587361473601e-5;
  q = q * r + 0.0001984126988667209;
  q = q * r + 0.0013888888888866353;
  q = q * r + 0.0083333333333214368;
  q = q * r + 0.041666666666666702;
  q = q * r + 0.16666666666666677;
  q = q * r + 0.5;
  // n + 2048 in two halves, each less 1 the field of an exponent that is less by 1024 - 1023.
  const uint64_t biased = (leap_bits_from_double(shifted) + 2048) & 4095;
  const uint64_t half = biased >> 1;
  return (struct leap_double_power){
      r + (lost + r * r * q), leap_double_from_bits((half - 1) << 52),
      leap_double_from_bits((biased - half - 1) << 52)};
}

/// Beyond this, hyperbolic sines and cosines are infinite.
#define LEAP_HYPERBOLIC_LIMIT 711.0

/// The hyperbolic sine; 2.2 units.
LEAP_INLINE double leap_sinhd(double x) {
  // An eighth of e^|x| - 1, which does not overflow where the result does not.
  const double a = fabs(x) > LEAP_HYPERBOLIC_LIMIT ? LEAP_HYPERBOLIC_LIMIT : fabs(x);
  const struct leap_double_power power = leap_double_power(a);
  const double scale = 0.125 * power.low * power.high;
  const double eighth = scale * power.rest + (scale - 0.125);
  const double result = 4.0 * (eighth + eighth / (8.0 * eighth + 1.0));
  return fabs(x) < 0x1p-30 ? x : copysign(result, x);
}

/// The hyperbolic cosine; 1.3 units.
LEAP_INLINE double leap_coshd(double x) {
  const double a = fabs(x) > LEAP_HYPERBOLIC_LIMIT ? LEAP_HYPERBOLIC_LIMIT : fabs(x);
  const struct leap_double_power power = leap_double_power(a);
  const double scale = 0.125 * power.low * power.high;
  const double eighth = scale + scale * power.rest;
  return 4.0 * eighth + 0.0625 / eighth;
}

/// The hyperbolic tangent; 2.0 units.
LEAP_INLINE double leap_tanhd(double x) {
  // 1 to the last bit from 20 on.
  const double a = fabs(x) > 20.0 ? 20.0 : fabs(x);
  const struct leap_double_power power = leap_double_power(2.0 * a);
  const double scale = power.low * power.high;
  const double e = scale * power.rest + (scale - 1.0);
  const double sum = e + 2.0;
  const double quotient = e / sum;
  // What rounding the sum lost, relative to it, where that shows; 1 / sum is (1 - quotient) / 2.
  const double lost = e < 2.0 ? ((2.0 - sum) + e) * (0.5 - 0.5 * quotient) : 0.0;
  return fabs(x) < 0x1p-30 ? x : copysign(quotient - quotient * lost, x);
}

// MARK: logarithms

/// log(2^more x) + lost, for x > 0.
LEAP_INLINE double leap_double_log(double x, double more, double lost) {
  // x = 2^n m with sqrt(1/2) <= m < sqrt(2). 2^52 + k holds the integer k in its low bits.
  const uint64_t bits = leap_bits_from_double(x);
  const uint64_t above = bits - UINT64_C(0x3fe6a09e667f3bcd);
  const double m = leap_double_from_bits(bits - (above & UINT64_C(0xfff0000000000000)));
  const uint64_t biased = (above + (UINT64_C(1024) << 52)) >> 52;
  const double n = leap_double_from_bits(biased | UINT64_C(0x4330000000000000)) - (4503599627370496.0 + 1024.0) + more;
  // log m = 2 atanh s with s = (m - 1) / (m + 1): (2 atanh(s) / s - 2) / s^2 in s^2 <= 0.0295. 2 s is f - s f.
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double w = s * s;
  double q = 0.14796628232298177;
  q = q * w + 0.15313986387657069;
  q = q * w + 0.18183566685414049;
  q = q * w + 0.22222198530781052;
  q = q * w + 0.28571428742770161;
  q = q * w + 0.39999999999413104;
  q = q * w + 0.66666666666667346;
  const double result = n * LEAP_LN2_HIGH + (f - (s * (f - w * q) - (n * LEAP_LN2_LOW + lost)));
  return x < (double)INFINITY ? result : x;
}

/// log(2^more (1 + x)) for x >= 0.
LEAP_INLINE double leap_double_log1p(double x, double more) {
  const double sum = 1.0 + x;
  const double lost = x < 1.0 ? x - (sum - 1.0) : 1.0 - (sum - x);
  return leap_double_log(sum, more, lost / sum);
}

/// The inverse hyperbolic sine; 1.6 units.
LEAP_INLINE double leap_asinhd(double x) {
  const double a = fabs(x), u = a * a;
  const int is_large = a > 0x1p30;
  const double near = a + u / (1.0 + LEAP_SQUARE_ROOT(1.0 + u));
  return copysign(leap_double_log1p(is_large ? a - 1.0 : near, is_large ? 1.0 : 0.0), x);
}

/// The inverse hyperbolic cosine; 1.8 units.
LEAP_INLINE double leap_acoshd(double x) {
  const double above = x - 1.0;
  const int is_large = x > 0x1p30;
  const double near = above + LEAP_SQUARE_ROOT(above * (x + 1.0));
  const double result = leap_double_log1p(is_large ? x - 1.0 : near, is_large ? 1.0 : 0.0);
  return x >= 1.0 ? result : (double)NAN;
}

/// The inverse hyperbolic tangent; 1.9 units.
LEAP_INLINE double leap_atanhd(double x) {
  const double a = fabs(x);
  const double result = 0.5 * leap_double_log1p(2.0 * a / (1.0 - a), 0.0);
  return a <= 1.0 ? copysign(result, x) : (double)NAN;
}

/// log(1 + e^x); 1.6 units.
LEAP_INLINE double leap_softplusd(double x) {
  const struct leap_double_power power = leap_double_power(-fabs(x));
  const double e = (1.0 + power.rest) * power.low * power.high;
  return (x > 0.0 ? x : 0.0) + leap_double_log1p(e, 0.0) + (x == x ? 0.0 : x);
}

// MARK: circular functions

/// Magnitudes below which the reduction is exact enough: the parts of pi / 2, of 33 bits each, times the quotient are exact.
#define LEAP_DOUBLE_CIRCULAR_LIMIT 1048576.0

/// x as quadrant * pi/2 + rest + lost; the quadrant in the low bits.
struct leap_double_angle {
  double rest, lost;
  uint64_t quadrant;
};

LEAP_INLINE struct leap_double_angle leap_double_angle(double x) {
  const double shifted = x * 0.63661977236758134 + LEAP_ROUNDER;
  const double n = shifted - LEAP_ROUNDER;
  const double first = x - n * 1.5707963267341256;
  const double second = n * 6.077100506303966e-11;
  const double both = first - second;
  // What rounding the difference lost, whichever is larger.
  const double taken = both - first;
  const double error = (first - (both - taken)) - (second + taken);
  const double rest = (error - n * 2.0222662487111665e-21) - n * 8.4784276603689e-32;
  const double r = both + rest;
  return (struct leap_double_angle){r, (both - r) + rest, leap_bits_from_double(shifted)};
}

/// The sine and the cosine of an angle of at most pi / 4.
LEAP_INLINE double leap_double_sin(struct leap_double_angle angle) {
  const double r = angle.rest, u = r * r;
  double q = 1.5896504983339943e-10;
  q = q * u - 2.5050753264514915e-8;
  q = q * u + 2.7557313662051824e-6;
  q = q * u - 0.00019841269829725164;
  q = q * u + 0.008333333333322315;
  q = q * u - 0.16666666666666632;
  return r + (r * u * q + angle.lost * (1.0 - 0.5 * u));
}

LEAP_INLINE double leap_double_cos(struct leap_double_angle angle) {
  const double r = angle.rest, u = r * r;
  double q = -1.1359448927418086e-11;
  q = q * u + 2.0875719563753249e-9;
  q = q * u - 2.7557314326070968e-7;
  q = q * u + 2.4801587289395083e-5;
  q = q * u - 0.0013888888888873991;
  q = q * u + 0.041666666666666599;
  const double half = 0.5 * u, sum = 1.0 - half;
  return sum + (((1.0 - sum) - half) + (u * u * q - r * angle.lost));
}

/// The sine of an angle that is by so many quarter turns more; 0.8 units.
LEAP_INLINE double leap_double_turned(struct leap_double_angle angle, uint64_t quarters) {
  const uint64_t quadrant = angle.quadrant + quarters;
  const double value = quadrant & 1 ? leap_double_cos(angle) : leap_double_sin(angle);
  return leap_double_from_bits(leap_bits_from_double(value) ^ (quadrant & 2) << 62);
}

/// The sine; |x| < LEAP_DOUBLE_CIRCULAR_LIMIT, as for those that follow.
LEAP_INLINE double leap_near_sind(double x) {
  return fabs(x) < 0x1p-30 ? x : leap_double_turned(leap_double_angle(x), 0);
}

LEAP_INLINE double leap_near_cosd(double x) { return leap_double_turned(leap_double_angle(x), 1); }

/// The tangent; 2.3 units.
LEAP_INLINE double leap_near_tand(double x) {
  const struct leap_double_angle angle = leap_double_angle(x);
  const double s = leap_double_sin(angle), c = leap_double_cos(angle);
  const double result = (angle.quadrant & 1 ? -c : s) / (angle.quadrant & 1 ? s : c);
  return fabs(x) < 0x1p-30 ? x : result;
}

/// asin x - x, |x| <= 1/2.
LEAP_INLINE double leap_double_asin_rest(double x) {
  // (asin(x) / x - 1) / x^2 in x^2 <= 1/4.
  const double u = x * x;
  double q = 0.031958496975064029;
  q = q * u - 0.016293376717417367;
  q = q * u + 0.019573452625488805;
  q = q * u + 0.0065110229095133587;
  q = q * u + 0.012173239141366545;
  q = q * u + 0.013884604736388945;
  q = q * u + 0.017359770458660829;
  q = q * u + 0.02237175356715514;
  q = q * u + 0.030381959329385357;
  q = q * u + 0.044642856823528987;
  q = q * u + 0.075000000003429859;
  q = q * u + 0.16666666666665383;
  return x * (u * q);
}

/// The square root of (1 - a) / 2 for 1/2 < a <= 1, in two parts of which the first has 26 bits.
struct leap_double_root {
  double high, low;
};

LEAP_INLINE struct leap_double_root leap_double_root(double a) {
  const double square = (1.0 - a) * 0.5;
  const double root = LEAP_SQUARE_ROOT(square);
  const double high = leap_double_from_bits(leap_bits_from_double(root) & UINT64_C(0xfffffffff8000000));
  const double low = (square - high * high) / (root + high);
  return (struct leap_double_root){high, root > 0.0 ? low : 0.0};
}

/// The inverse sine; 0.8 units. Beyond 1/2 it is pi/2 - 2 asin of the square root of (1 - x) / 2.
LEAP_INLINE double leap_asind(double x) {
  const double a = fabs(x);
  const struct leap_double_root root = leap_double_root(a);
  const double s = a > 0.5 ? root.high + root.low : a;
  const double rest = leap_double_asin_rest(s);
  const double far = (LEAP_HALF_PI - 2.0 * root.high) - (2.0 * (rest + root.low) - LEAP_HALF_PI_LOW);
  const double result = a > 0.5 ? far : s + rest;
  return a <= 1.0 ? copysign(result, x) : (double)NAN;
}

/// The inverse cosine; 0.8 units.
LEAP_INLINE double leap_acosd(double x) {
  const double a = fabs(x);
  const struct leap_double_root root = leap_double_root(a);
  const double s = a > 0.5 ? root.high + root.low : x;
  const double rest = leap_double_asin_rest(s);
  const double below = (LEAP_HALF_PI - root.high) - ((rest + root.low) - LEAP_HALF_PI_LOW);
  const double far = 2.0 * (x < 0.0 ? below : root.high + (rest + root.low));
  const double result = a > 0.5 ? far : LEAP_HALF_PI - (s + (rest - LEAP_HALF_PI_LOW));
  return a <= 1.0 ? result : (double)NAN;
}

// MARK: the error function

/// (1 - erf z) e^(z^2), 0 <= z <= 27.5.
LEAP_INLINE double leap_double_scaled_erfc(double z) {
  const double t = (z - 4.0) / (z + 4.0);
  double q = -9.3844308598030833e-11;
  q = q * t + 2.5513532712190814e-10;
  q = q * t + 1.8230343504174991e-9;
  q = q * t - 2.4989126824490265e-9;
  q = q * t - 1.5182589691080975e-8;
  q = q * t + 2.5575754299699698e-8;
  q = q * t + 9.6104442501144799e-8;
  q = q * t - 2.8427237528009865e-7;
  q = q * t - 4.0863380356009243e-7;
  q = q * t + 2.9446412401934888e-6;
  q = q * t - 1.9032739072611752e-6;
  q = q * t - 2.2556070162923236e-5;
  q = q * t + 7.8983204387328972e-5;
  q = q * t - 2.1761713020741631e-5;
  q = q * t - 0.00079912681820805861;
  q = q * t + 0.0040602636227504912;
  q = q * t - 0.012843946030851868;
  q = q * t + 0.031299056518776589;
  q = q * t - 0.063107815639766021;
  q = q * t + 0.10896317739890182;
  q = q * t - 0.16425781669730835;
  q = q * t + 0.21871967891826494;
  q = q * t - 0.25906804876017165;
  q = q * t + 0.13699945762506139;
  return q;
}

/// The error function; 1.5 units.
LEAP_INLINE double leap_erfd(double x) {
  // erf(x) / x - 1 in x^2 <= 1; beyond 6, erf is 1 to the last bit.
  const double a = fabs(x) > 6.0 ? 6.0 : fabs(x);
  const double u = a * a;
  double q = -7.8011866597970876e-10;
  q = q * u + 1.3722973871725642e-8;
  q = q * u - 1.6209175031560166e-7;
  q = q * u + 1.6447517512932121e-6;
  q = q * u - 1.492474464520564e-5;
  q = q * u + 0.000120552953192587;
  q = q * u - 0.0008548325989643933;
  q = q * u + 0.0052239776074220822;
  q = q * u - 0.026866170643276009;
  q = q * u + 0.11283791670945252;
  q = q * u - 0.37612638903183547;
  q = q * u + 0.12837916709551257;
  const struct leap_double_power power = leap_double_power(-u);
  const double scale = power.low * power.high;
  const double large = 1.0 - leap_double_scaled_erfc(a) * (scale + scale * power.rest);
  return a < 1.0 ? x + x * q : copysign(large, x);
}

/// x times the share of a normal distribution below x; 16 units, at -35.
LEAP_INLINE double leap_gelud(double x) {
  // The share beyond a is half of 1 - erf(a / sqrt 2); a double is 0 from 39 on.
  const double v = x < -39.0 ? -39.0 : x;
  const double a = fabs(v) > 39.0 ? 39.0 : fabs(v);
  // a^2 / 2 in two parts: the square of 26 bits is exact.
  const double high = leap_double_from_bits(leap_bits_from_double(a) & UINT64_C(0xfffffffff8000000));
  const double low = -0.5 * ((a - high) * (a + high));
  const struct leap_double_power power = leap_double_power(-0.5 * high * high);
  const double rest = 1.0 + low * (1.0 + low * (0.5 + low * (1.0 / 6.0)));
  const double beyond =
      0.5 * leap_double_scaled_erfc(a * 0.70710678118654752) * rest * ((1.0 + power.rest) * power.low);
  return v < 0.0 ? v * beyond * power.high : v * (1.0 - beyond * power.high);
}

#endif
