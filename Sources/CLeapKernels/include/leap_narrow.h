// leap_narrow.h: loops for elements of a byte and less: float8, 6 and 4, and integers of 4 and 2 bits.
//
// A pattern is an element's bits, one to a byte. Packed elements follow each other without gaps, the first in the lowest
// bits. Operands do not overlap.
#ifndef LEAP_NARROW_H
#define LEAP_NARROW_H

#include <stddef.h>
#include <stdint.h>

/// A floating-point format of at most 8 bits with subnormal numbers. A pattern is that of the magnitude, or one of these,
/// with the sign's bit.
typedef struct leap_narrow_format {
  int32_t mantissa_bits, bias;
  /// The bit that is the sign.
  uint32_t sign;
  /// The largest number.
  uint32_t largest;
  /// What is too large becomes this.
  uint32_t overflow;
  uint32_t nan;
  /// Whether zero keeps its sign: 1 or 0.
  int32_t has_minus_zero;
} leap_narrow_format;

/// The pattern nearest to each number, ties to the even one.
void leap_narrow_encode(const leap_narrow_format *format, const float *x, ptrdiff_t count, uint8_t *patterns);

/// The number that `table` has for each pattern.
void leap_narrow_decode(const float *table, const uint8_t *patterns, ptrdiff_t count, float *y);

/// Packs the lowest `width` bits, 2, 4, 6 or 8, of each pattern; bits behind the last one are 0.
void leap_narrow_pack(int32_t width, const uint8_t *patterns, ptrdiff_t count, uint8_t *bytes);

/// The patterns of packed elements of 2, 4, 6 or 8 bits.
void leap_narrow_unpack(int32_t width, const uint8_t *bytes, ptrdiff_t count, uint8_t *patterns);

#endif
