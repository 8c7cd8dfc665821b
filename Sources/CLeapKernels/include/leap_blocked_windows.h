// Windows that move over blocked images: depthwise convolutions and poolings, a row of output at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "leap_cpu.h"

/// How windows lie on an image. Pairs are height, width.
typedef struct leap_blocked_windows {
  ptrdiff_t input[2];
  ptrdiff_t output[2];
  ptrdiff_t kernel[2];
  ptrdiff_t stride[2];
  ptrdiff_t dilation[2];
  ptrdiff_t pad[2];     // before the first pixel
  ptrdiff_t padded[2];  // from the first pixel to the end of the padding behind the last
  int counts_padding;   // whether an average divides by the taps on the padding too: 1 or 0
} leap_blocked_windows;

/// One group of a depthwise convolution, output rows [first, first + rows): each lane of a window times its lane of
/// `filter` [taps][vector], taps in order, then + bias, + residual, clip (NaN stays NaN). `bias` and `residual` may be
/// NULL; `residual` may be `output`, whose pixels lie as it does.
void leap_blocked_depthwise(leap_isa isa, const leap_blocked_windows *w, const float *image,
                            const float *filter, const float *bias, const float *residual,
                            float low, float high, ptrdiff_t first, ptrdiff_t rows, float *output);

/// The largest pixels of one group's windows; NaN where there is one, the lowest float where a window holds no pixel.
void leap_blocked_max(leap_isa isa, const leap_blocked_windows *w, const float *image, ptrdiff_t first,
                      ptrdiff_t rows, float *output);

/// The means of one group's windows; NaN where nothing is counted.
void leap_blocked_average(leap_isa isa, const leap_blocked_windows *w, const float *image,
                          ptrdiff_t first, ptrdiff_t rows, float *output);

/// The mean of one group's pixels, [rows][columns] of them: rows first, then their sums, in order.
void leap_blocked_mean(leap_isa isa, ptrdiff_t rows, ptrdiff_t columns, const float *image,
                       float *output);

/// One row of a resized group: each output vector is the weighted sum of `column_taps` vectors of each of `row_taps` rows,
/// from column first[o] on; rows first, then columns, in order. Weights NULL: all 1.
void leap_blocked_resize_row(leap_isa isa, ptrdiff_t row_taps, const float *const *rows,
                             const float *row_weights, ptrdiff_t columns, const int32_t *first,
                             ptrdiff_t column_taps, const float *column_weights, float *output);
