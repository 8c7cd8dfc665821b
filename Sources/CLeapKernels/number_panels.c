// number_panels.c: panels of integers of a few bits.
//
// 1. The floats are those of leap_dequantize_run, to the bit.
// 2. Scales and zero points of a vector of columns stay in registers over all rows.
#include "leap_number_panels.h"

#include "instruction_sets.h"

static inline __attribute__((always_inline)) void pack_numbers(
    int bits, int to_bits, uint8_t flip, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t used, ptrdiff_t end, ptrdiff_t columns,
    const uint8_t *source, ptrdiff_t row_stride, ptrdiff_t column_stride, uint8_t *panel) {
  const ptrdiff_t width = to_bits == 8 ? columns : columns / 2;
  for (ptrdiff_t row = 0; row < rows; row++) {
    uint8_t *to = panel + row * width;
    for (ptrdiff_t lane = first; lane < end; lane++) {
      uint8_t number = 0;
      if (lane < used) {
        const ptrdiff_t bit = (row * row_stride + (lane - first) * column_stride) * bits;
        number = ((source[bit >> 3] >> (bit & 7)) & ((1u << bits) - 1)) ^ flip;
      }
      if (to_bits == 8 || lane < width) {
        to[lane] = number;
      } else {
        to[lane - width] |= (uint8_t)(number << 4);
      }
    }
  }
}

void leap_pack_numbers(
    int bits, int to_bits, uint8_t flip, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t used, ptrdiff_t end, ptrdiff_t columns,
    const uint8_t *source, ptrdiff_t row_stride, ptrdiff_t column_stride, uint8_t *panel) {
  if (bits == 8 && to_bits == 8) {
    pack_numbers(8, 8, flip, rows, first, used, end, columns, source, row_stride, column_stride, panel);
  } else if (bits == 4 && to_bits == 4) {
    pack_numbers(4, 4, flip, rows, first, used, end, columns, source, row_stride, column_stride, panel);
  } else {
    pack_numbers(bits, to_bits, flip, rows, first, used, end, columns, source, row_stride, column_stride, panel);
  }
}

#define FLOATS(BYTES) __builtin_convertvector(__builtin_convertvector(BYTES, I), VECTOR)

// Two vectors of columns at a time: side by side, and of 4 bits half of the panel apart.
#define EXPAND_NUMBERS(ISA, TARGET, V, LANES, FMA)                                                  \
  TARGET static void expand_numbers_##ISA(                                                          \
      int bits, ptrdiff_t rows, ptrdiff_t columns, const uint8_t *panel, const float *scales,       \
      const uint8_t *zeros, float zero, float *floats) {                                            \
    typedef V VECTOR;                                                                               \
    typedef int32_t I __attribute__((ext_vector_type(LANES)));                                      \
    typedef uint8_t B __attribute__((ext_vector_type(LANES), aligned(1)));                          \
    const ptrdiff_t width = bits == 8 ? columns : columns / 2;                                      \
    const ptrdiff_t step = bits == 8 ? 2 * LANES : LANES, apart = bits == 8 ? LANES : width;        \
    for (ptrdiff_t c = 0; c < width; c += step) {                                                   \
      const ptrdiff_t d = c + apart;                                                                \
      const VECTOR s = *(const VECTOR *)(scales + c), t = *(const VECTOR *)(scales + d);            \
      const VECTOR y = zeros ? FLOATS(*(const B *)(zeros + c)) : (VECTOR)(zero);                    \
      const VECTOR z = zeros ? FLOATS(*(const B *)(zeros + d)) : (VECTOR)(zero);                    \
      const uint8_t *from = panel + c;                                                              \
      float *to = floats + c;                                                                       \
      if (bits == 8) {                                                                              \
        for (ptrdiff_t row = 0; row < rows; row++, from += width, to += columns) {                  \
          const VECTOR left = FLOATS(*(const B *)from), right = FLOATS(*(const B *)(from + LANES)); \
          *(VECTOR *)to = (left - y) * s;                                                           \
          *(VECTOR *)(to + LANES) = (right - z) * t;                                                \
        }                                                                                           \
      } else {                                                                                      \
        for (ptrdiff_t row = 0; row < rows; row++, from += width, to += columns) {                  \
          const I both = __builtin_convertvector(*(const B *)from, I);                              \
          *(VECTOR *)to = (__builtin_convertvector(both & 15, VECTOR) - y) * s;                     \
          *(VECTOR *)(to + apart) = (__builtin_convertvector(both >> 4, VECTOR) - z) * t;           \
        }                                                                                           \
      }                                                                                             \
    }                                                                                               \
  }
LEAP_FOR_EACH_ISA(EXPAND_NUMBERS)

void leap_expand_numbers(
    leap_isa isa, int bits, ptrdiff_t rows, ptrdiff_t columns, const uint8_t *panel, const float *scales,
    const uint8_t *zeros, float zero, float *floats) {
  LEAP_CALL(isa, expand_numbers, bits, rows, columns, panel, scales, zeros, zero, floats)
}
