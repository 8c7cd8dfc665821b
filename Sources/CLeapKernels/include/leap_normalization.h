// leap_normalization: loops that scale by statistics: runs of elements, rows of columns, and neighbouring channels.
//
// Element types are given by ONNX's numbers, float32 and float64 alone; strides and counts are in elements. An output may be
// exactly its input where the element widths are equal, unless it is said otherwise.
#ifndef LEAP_NORMALIZATION_H
#define LEAP_NORMALIZATION_H

#include <stddef.h>
#include <stdint.h>

// y[i] = x[i] * scale + shift. y may be x. No alignment asked for.
void leap_f32_affine(const float *x, float *y, size_t count, float scale, float shift);
void leap_f64_affine(const double *x, double *y, size_t count, double scale, double shift);

// The sum in double precision, in eight interleaved partial sums that are then added in order: the
// same for any place in memory.
double leap_f32_sum(const float *x, size_t count);
double leap_f64_sum(const double *x, size_t count);

// Multiplies weights of shape [channels, inner] in place by a factor for each channel, in double precision and rounded once.
void leap_f32_scale_channels(float *weights, const double *factors, size_t channels, size_t inner);
void leap_f64_scale_channels(double *weights, const double *factors, size_t channels, size_t inner);

/// Adds (x - mean)^2 of `count` elements that lie side by side to a sum, in eight partial sums, element i in the one of
/// i mod 8, joined in order at the end.
void leap_deviations_run(int32_t type, const void *x, ptrdiff_t count, double mean, double *sum);

/// The same for rows, one after the other, into a sum for each of `columns`.
void leap_deviations_rows(
    int32_t type, const void *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, const double *means,
    double *sums);

/// y[i] = (x[i] - mean) * factor * scale[i * scale_stride] + bias[i * bias_stride], computed in the wider of the two types.
///
/// - `result`: the type of y, scale and bias.
/// - `scale`, `bias`: null for 1 and 0.
void leap_standardize_run(
    int32_t type, int32_t result, const void *x, void *y, ptrdiff_t count, double mean, double factor,
    const void *scale, ptrdiff_t scale_stride, const void *bias, ptrdiff_t bias_stride);

/// y = (x - mean) * factor with a mean and a factor for each column; computed in double.
void leap_standardize_rows(
    int32_t type, const void *x, void *y, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns,
    const double *means, const double *factors);

/// Local response normalisation of some columns of all channels (Krizhevsky et al. 2012):
/// y = x / (bias + alpha / size * sum)^beta, the sum being that of the squares of `size` neighbouring channels. y is not x.
void leap_response_columns(
    int32_t type, const void *x, void *y, ptrdiff_t channels, ptrdiff_t stride, ptrdiff_t columns,
    ptrdiff_t size, double alpha, double beta, double bias);

#endif
