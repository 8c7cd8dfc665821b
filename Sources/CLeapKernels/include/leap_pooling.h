// leap_pooling: windows that move over planes of up to three spatial dimensions.
#ifndef LEAP_POOLING_H
#define LEAP_POOLING_H

#include <stddef.h>
#include <stdint.h>

/// How windows lie on a plane. Arrays are depth, height, width; missing dimensions come first and are 1.
typedef struct leap_pooling {
  ptrdiff_t input[3];
  ptrdiff_t output[3];
  ptrdiff_t kernel[3];
  ptrdiff_t stride[3];
  ptrdiff_t dilation[3];
  ptrdiff_t pad[3];     // before the first pixel
  ptrdiff_t padded[3];  // from the first pixel to the end of the padding behind the last
  int counts_padding;   // whether an average divides by the taps on the padding too: 1 or 0
  double exponent;      // of a power pooling
} leap_pooling;

/// What becomes of the pixels in a window.
typedef enum leap_pool_kind {
  LEAP_POOL_MAX,      // the largest; NaN where there is one
  LEAP_POOL_AVERAGE,  // their mean, summed in double precision
  LEAP_POOL_POWER     // (sum of |x|^exponent)^(1 / exponent), in double precision
} leap_pool_kind;

/// Pools `lines` output lines (depth times height of them make a plane) of one plane, from line `first` on. A window
/// that lies on the padding alone gives the lowest value, NaN (0 where padding counts) and 0.
///
/// `type`: TensorProto.DataType; float and double, and for the maximum int8 and uint8. `x`: the plane [input];
/// `y`: the plane [output]; they do not overlap. `scratch`: leap_pool_scratch bytes, aligned to 8.
/// Each column of a window is reduced first, taps in order, and then the columns in order, whatever the lines asked for.
void leap_pool(leap_pool_kind kind, int type, const leap_pooling *p, const void *x,
               ptrdiff_t first, ptrdiff_t lines, void *scratch, void *y);

/// Bytes of scratch that leap_pool needs.
ptrdiff_t leap_pool_scratch(const leap_pooling *p);

/// The largest pixel of each window and `base` plus its index in the plane, in row-major order or, where `column_major`,
/// with the first spatial dimension running fastest. Of equal pixels the first in row-major order is taken, and the
/// first NaN before any number; -1 where the window lies on the padding alone.
void leap_max_pool_indices(int type, const leap_pooling *p, const void *x, ptrdiff_t first,
                           ptrdiff_t lines, int64_t base, int column_major, void *y,
                           int64_t *indices);

#endif
