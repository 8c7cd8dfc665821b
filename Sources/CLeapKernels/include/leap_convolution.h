// Convolutions over up to three spatial dimensions: moving pixels in and out of matrices, and the depthwise case.
#pragma once
#include <stddef.h>

/// One image of a convolution. Spatial arrays are depth, height, width; missing dimensions come first and are 1.
typedef struct leap_convolution {
  ptrdiff_t input[3];
  ptrdiff_t output[3];
  ptrdiff_t kernel[3];
  ptrdiff_t stride[3];
  ptrdiff_t dilation[3];
  ptrdiff_t pad[3];  // before the first pixel
} leap_convolution;

/// Writes the matrix [channels x kernel taps][pixels] that a convolution multiplies its weights with, for the
/// `pixels` output pixels from `first` on, in row-major order. `image`: [channels][input]. `width`: bytes of an element, 4 or 8.
void leap_im2col(int width, const leap_convolution *c, ptrdiff_t channels, ptrdiff_t first,
                 ptrdiff_t pixels, const void *image, void *matrix);

/// Convolves one plane with one filter into `plane` [output]; taps are summed in row-major order, those on the padding left out.
void leap_f32_depthwise(const leap_convolution *c, const float *image, const float *filter,
                        float *plane);
void leap_f64_depthwise(const leap_convolution *c, const double *image, const double *filter,
                        double *plane);

/// Sums the rows [kernel taps][input pixels] of a transposed convolution into `plane` [output], taps in order.
/// Here `input` is what the transposed convolution reads, `output` what it makes.
void leap_f32_col2im(const leap_convolution *c, const float *rows, float *plane);
void leap_f64_col2im(const leap_convolution *c, const double *rows, double *plane);
