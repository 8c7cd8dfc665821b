// leap_quantization.h: from numbers to quantised numbers and back: q = round(x / scale) + zero point, half to even.
//
// All numbers between are floats, which hold every quantised number of 16 bits or less. Bounds are integers of at most 17 bits.
#ifndef LEAP_QUANTIZATION_H
#define LEAP_QUANTIZATION_H

#include <stddef.h>
#include <stdint.h>

#include "leap_cpu.h"

/// y = round(x / scale) + zero within low...high; NaN gives `low`. Strides are in elements, 0 repeats one. y may be x.
void leap_quantize_run(
    const float *x, const float *scale, ptrdiff_t scale_stride, const float *zero, ptrdiff_t zero_stride, float low,
    float high, float *y, ptrdiff_t count);

/// y = x / scale + zero, not rounded: for floats of few bits. y may be x.
void leap_scale_down_run(
    const float *x, const float *scale, ptrdiff_t scale_stride, const float *zero, ptrdiff_t zero_stride, float *y,
    ptrdiff_t count);

/// y = (x - zero) scale. y may be x.
void leap_dequantize_run(
    const float *x, const float *scale, ptrdiff_t scale_stride, const float *zero, ptrdiff_t zero_stride, float *y,
    ptrdiff_t count);

/// The same for integers of 32 bits, whose differences to a zero point are exact.
void leap_dequantize_integers_run(
    const int32_t *x, const float *scale, ptrdiff_t scale_stride, const float *zero, ptrdiff_t zero_stride, float *y,
    ptrdiff_t count);

/// The smallest and the largest of `count` elements and of what `bounds` holds; NaN is passed over.
void leap_extend_bounds(leap_isa isa, const float *x, ptrdiff_t count, float *bounds);

/// As leap_quantize_run with one scale and zero point, as bytes.
void leap_quantize_bytes(leap_isa isa, const float *x, float scale, float zero, float low, float high, uint8_t *y, ptrdiff_t count);

/// y = round((sum + bias) scale) + zero within low...high, as a byte.
void leap_requantize_run(
    const int32_t *sums, int32_t bias, float scale, float zero, float low, float high, uint8_t *y, ptrdiff_t count);

/// The same with a scale for each element.
void leap_requantize_columns(
    const int32_t *sums, const float *scales, float zero, float low, float high, uint8_t *y, ptrdiff_t count);

/// How quantised bytes stand for numbers: (q - zero) scale.
typedef struct leap_quantization {
  float scale;
  float zero;
} leap_quantization;

/// y = quantised (a + b) or, where `multiplies` is 1, (a b), of bytes that are signed or not; strides as above.
void leap_quantized_binary_run(
    leap_isa isa, int multiplies, int is_signed, const uint8_t *a, ptrdiff_t sa, leap_quantization qa, const uint8_t *b,
    ptrdiff_t sb, leap_quantization qb, uint8_t *y, leap_quantization qy, ptrdiff_t count);

/// y = table[x].
void leap_lookup_run(const uint8_t *table, const uint8_t *x, uint8_t *y, ptrdiff_t count);

/// The sum of bytes that are signed or not, as signed numbers; it wraps.
int32_t leap_sum_bytes(int is_signed, const uint8_t *x, ptrdiff_t count, ptrdiff_t stride);

#endif
