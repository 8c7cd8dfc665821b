// half.h: float16 and bfloat16 to and from float, for loops that a compiler turns into vector code.
//
// 1. Exact: decoding loses nothing; encoding rounds to nearest, ties to even, once, wider sources included.
// 2. No branches, no calls, no tables.
#ifndef LEAP_HALF_H
#define LEAP_HALF_H

#include "leap_math.h"

/// The value of a float16.
LEAP_INLINE float leap_float_from_half(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7fff;
  // Bringing a subnormal's mantissa over as an integer keeps it right where subnormal floats are flushed.
  const uint32_t small = (uint32_t)leap_bits_from_float((float)(int32_t)magnitude * 0x1p-24f);
  const uint32_t normal = (magnitude << 13) + (112u << 23);
  const uint32_t special = normal + (112u << 23);
  const uint32_t bits = magnitude < 0x0400 ? small : magnitude < 0x7c00 ? normal : special;
  return leap_float_from_bits((int32_t)(bits | sign));
}

/// The float16 nearest to a float; NaN becomes the quiet one without a payload.
LEAP_INLINE uint16_t leap_half_from_float(float value) {
  const uint32_t bits = (uint32_t)leap_bits_from_float(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  // Adding one half leaves the units of the smallest subnormal in the lowest bits.
  const float shifted = leap_float_from_bits((int32_t)(magnitude < 0x38800000 ? magnitude : 0)) + 0.5f;
  const uint32_t small = (uint32_t)leap_bits_from_float(shifted) - 0x3f000000;
  const uint32_t normal = (magnitude + 0xfff + (magnitude >> 13 & 1) - (112u << 23)) >> 13;
  const uint32_t finite = magnitude < 0x38800000 ? small : normal;
  const uint32_t large = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
  return (uint16_t)(sign | (magnitude < 0x477ff000 ? finite : large));
}

/// The value of a bfloat16.
LEAP_INLINE float leap_float_from_bfloat(uint16_t bits) {
  return leap_float_from_bits((int32_t)((uint32_t)bits << 16));
}

/// The bfloat16 nearest to a float; NaN becomes the quiet one without a payload.
LEAP_INLINE uint16_t leap_bfloat_from_float(float value) {
  const uint32_t bits = (uint32_t)leap_bits_from_float(value);
  const uint32_t nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const uint32_t nan = (bits >> 16 & 0x8000) | 0x7fc0;
  return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : nearest);
}

/// The float next to a number towards zero, its last bit set where it is not the number itself: rounding that again to a type
/// of at most 22 bits of precision gives what rounding the number once does.
LEAP_INLINE float leap_odd_from_double(double value) {
  const float nearest = (float)value;
  const int32_t bits = leap_bits_from_float(nearest);
  const int32_t cut = bits - (fabs((double)nearest) > fabs(value) ? 1 : 0);
  // Equal, or NaN.
  return (double)nearest == value || value != value ? nearest : leap_float_from_bits(cut | 1);
}

// Integers of 64 bits, so that going through double changes nothing that matters to leap_odd_from_double.
LEAP_INLINE double leap_sticky_from_signed(int64_t value) {
  const int64_t limit = INT64_C(1) << 53;
  if (value >= -limit && value <= limit) return (double)value;
  return (double)((value & ~INT64_C(0x7ff)) | ((value & 0x7ff) != 0 ? 0x800 : 0));
}

LEAP_INLINE double leap_sticky_from_unsigned(uint64_t value) {
  if (value <= UINT64_C(1) << 53) return (double)value;
  return (double)((value & ~UINT64_C(0x7ff)) | ((value & 0x7ff) != 0 ? 0x800 : 0));
}

#endif
