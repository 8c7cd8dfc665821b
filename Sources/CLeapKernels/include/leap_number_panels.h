// Panels of integers of a few bits, which become panels of floats when they are multiplied.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "leap_cpu.h"

/// Writes lanes `first` to `end` of the rows of a panel [rows][columns], of numbers that lie in fields of 1, 2, 4 or 8 bits,
/// the lowest of a byte first, at row * row_stride + (lane - first) * column_stride; zeros in the lanes from `used` on. What
/// is written is the number with the bits of `flip` turned over.
///
/// A number of the panel takes `to_bits`, 8 or 4. Of 4, each byte of a row holds lane i, and in its upper half lane
/// i + columns / 2: lanes are to be written in ascending order.
void leap_pack_numbers(
    int bits, int to_bits, uint8_t flip, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t used, ptrdiff_t end, ptrdiff_t columns,
    const uint8_t *source, ptrdiff_t row_stride, ptrdiff_t column_stride, uint8_t *panel);

/// Writes (number - zero) * scale for rows of a panel that `leap_pack_numbers` made, each operation rounded as
/// `leap_dequantize_run` does.
///
/// `columns` is that of the panel kernel of the instruction set. There is a scale for each column, and in `zeros` a byte; where
/// it is NULL all have `zero`.
void leap_expand_numbers(
    leap_isa isa, int bits, ptrdiff_t rows, ptrdiff_t columns, const uint8_t *panel, const float *scales,
    const uint8_t *zeros, float zero, float *floats);
