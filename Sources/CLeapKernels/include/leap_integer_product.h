// leap_integer_product.h: products of matrices of bytes with sums of 32 bits, exact but that they wrap: the same whatever the
// instruction set, and however they are cut.
//
// Bytes are widened to 16 bits, their zero points taken off, and rows filled up with zeros to LEAP_INTEGER_DEPTH elements.
#ifndef LEAP_INTEGER_PRODUCT_H
#define LEAP_INTEGER_PRODUCT_H

#include <stddef.h>
#include <stdint.h>

#include "leap_convolution.h"
#include "leap_cpu.h"

/// Rows of operands are multiples of this.
enum { LEAP_INTEGER_DEPTH = 32 };

/// sums[r * stride + c] = Σ a[r][k] b[c][k]. Rows of both lie `depth` elements apart, a multiple of LEAP_INTEGER_DEPTH.
void leap_integer_product(
    leap_isa isa, const int16_t *a, ptrdiff_t rows, const int16_t *b, ptrdiff_t columns, ptrdiff_t depth, int32_t *sums,
    ptrdiff_t stride);

/// Widens `rows` rows of `depth` bytes, signed or not: y[r][k] = x[r * row_stride + k * stride] - zero[r * zero_stride], zeros
/// behind them up to `padded` elements. `zero`: of the bytes' type, null for 0.
void leap_integer_widen(
    int is_signed, const uint8_t *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t depth, ptrdiff_t stride,
    const uint8_t *zero, ptrdiff_t zero_stride, ptrdiff_t padded, int16_t *y);

/// Writes a row for each of `pixels` output pixels from `first` on: the bytes under the kernel, channel by channel, less the
/// zero point, and zeros for padding. `image`: [channels][input].
void leap_integer_im2row(
    int is_signed, const leap_convolution *c, ptrdiff_t channels, ptrdiff_t first, ptrdiff_t pixels, const uint8_t *image,
    int32_t zero, ptrdiff_t padded, int16_t *rows);

/// The sums of one row of output pixels of one plane with one filter, widened: `row` counts those of all depths.
void leap_integer_depthwise_row(
    leap_isa isa, int is_signed, const leap_convolution *c, ptrdiff_t row, const uint8_t *plane, int32_t zero,
    const int16_t *filter, int32_t *sums);

#endif
