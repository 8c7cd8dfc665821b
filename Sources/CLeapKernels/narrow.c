// narrow.c: the loops of leap_narrow.h.
#include "leap_narrow.h"

#include "elementwise_types.h"
#include "instruction_sets.h"

/// The pattern of one number, without branches.
LEAP_INLINE uint8_t encoded(leap_narrow_format format, float value) {
  const uint32_t bits = (uint32_t)leap_bits_from_float(value);
  const uint32_t magnitude = bits & 0x7fffffff;
  const uint32_t sign = bits >> 31 ? format.sign : 0;
  const uint32_t mantissa = (uint32_t)format.mantissa_bits, bias = (uint32_t)format.bias;
  // Below the smallest normal number, adding a large one leaves the units of the smallest subnormal in the lowest bits.
  const uint32_t smallest = (128 - bias) << 23;
  const uint32_t large = smallest + ((23 - mantissa) << 23);
  const float shifted =
      leap_float_from_bits((int32_t)(magnitude < smallest ? magnitude : 0)) + leap_float_from_bits((int32_t)large);
  const uint32_t small = (uint32_t)leap_bits_from_float(shifted) - large;
  const uint32_t shift = 23 - mantissa;
  const uint32_t half = (1u << (shift - 1)) - 1;
  const uint32_t normal = ((magnitude + half + (magnitude >> shift & 1)) >> shift) - ((127 - bias) << mantissa);
  const uint32_t rounded = magnitude < smallest ? small : normal;
  const uint32_t number = rounded > format.largest ? format.overflow : rounded;
  const uint32_t kept = rounded == 0 && !format.has_minus_zero ? 0 : sign;
  return (uint8_t)(magnitude > 0x7f800000 ? sign | format.nan : kept | number);
}

#define INSTANCE(ISA, TARGET, VECTOR, LANES, MULTIPLY_ADD)                                       \
  TARGET static void encode_##ISA(                                                               \
      leap_narrow_format format, const float *x, ptrdiff_t count, uint8_t *patterns) {           \
    LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) patterns[i] = encoded(format, x[i]);  \
  }

LEAP_FOR_EACH_ISA(INSTANCE)

void leap_narrow_encode(const leap_narrow_format *format, const float *x, ptrdiff_t count, uint8_t *patterns) {
  LEAP_CALL(leap_isa_preferred(), encode, *format, x, count, patterns)
}

void leap_narrow_decode(const float *table, const uint8_t *patterns, ptrdiff_t count, float *y) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = table[patterns[i]];
}

/// Up to four patterns from `first` on, before `count`, packed into a word.
static uint32_t word(int32_t width, const uint8_t *patterns, ptrdiff_t first, ptrdiff_t count) {
  uint32_t result = 0;
  for (ptrdiff_t i = first; i < first + 4 && i < count; i++)
    result |= (uint32_t)(patterns[i] & ((1u << width) - 1)) << ((i - first) * width);
  return result;
}

void leap_narrow_pack(int32_t width, const uint8_t *patterns, ptrdiff_t count, uint8_t *bytes) {
  // Four elements take as many whole bytes as half of their width says.
  const ptrdiff_t step = width / 2, whole = count / 4, size = (count * width + 7) / 8;
  switch (width) {
    case 2:
      for (ptrdiff_t i = 0; i < whole; i++) bytes[i] = (uint8_t)word(2, patterns, 4 * i, count);
      break;
    case 4:
      LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < 2 * whole; i++)
        bytes[i] = (uint8_t)((patterns[2 * i] & 15) | (patterns[2 * i + 1] & 15) << 4);
      break;
    case 6:
      for (ptrdiff_t i = 0; i < whole; i++) {
        const uint32_t bits = word(6, patterns, 4 * i, count);
        bytes[3 * i] = (uint8_t)bits;
        bytes[3 * i + 1] = (uint8_t)(bits >> 8);
        bytes[3 * i + 2] = (uint8_t)(bits >> 16);
      }
      break;
    default: memcpy(bytes, patterns, (size_t)count); return;
  }
  const uint32_t rest = word(width, patterns, 4 * whole, count);
  for (ptrdiff_t i = step * whole; i < size; i++) bytes[i] = (uint8_t)(rest >> (i - step * whole) * 8);
}

void leap_narrow_unpack(int32_t width, const uint8_t *bytes, ptrdiff_t count, uint8_t *patterns) {
  const ptrdiff_t step = width / 2, whole = count / 4, size = (count * width + 7) / 8;
  switch (width) {
    case 2:
      for (ptrdiff_t i = 0; i < whole; i++)
        for (int k = 0; k < 4; k++) patterns[4 * i + k] = bytes[i] >> 2 * k & 3;
      break;
    case 4:
      LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < 2 * whole; i++) {
        patterns[2 * i] = bytes[i] & 15;
        patterns[2 * i + 1] = bytes[i] >> 4;
      }
      break;
    case 6:
      for (ptrdiff_t i = 0; i < whole; i++) {
        const uint32_t bits =
            bytes[3 * i] | (uint32_t)bytes[3 * i + 1] << 8 | (uint32_t)bytes[3 * i + 2] << 16;
        for (int k = 0; k < 4; k++) patterns[4 * i + k] = bits >> 6 * k & 63;
      }
      break;
    default: memcpy(patterns, bytes, (size_t)count); return;
  }
  uint32_t rest = 0;
  for (ptrdiff_t i = step * whole; i < size; i++) rest |= (uint32_t)bytes[i] << (i - step * whole) * 8;
  for (ptrdiff_t i = 4 * whole; i < count; i++)
    patterns[i] = (uint8_t)(rest >> (i - 4 * whole) * width & ((1u << width) - 1));
}
