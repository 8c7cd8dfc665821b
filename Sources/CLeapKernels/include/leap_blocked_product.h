// Products of channel-blocked images with packed filters: what every convolution in a blocked layout is made of.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "leap_cpu.h"

/// A family of sums over groups, taps and lanes: for each output pixel and output channel
///
///   y[pixel][channel] = sum over g, t, l of panel[origin(pixel) + g group_stride + taps[t] + l] * filter[g][t][l][channel]
///
/// where origin(pixel) = row * in_row + column * in_pixel for pixel = row * columns + column. All strides in floats.
typedef struct leap_blocked_product {
  ptrdiff_t columns;       // output pixels of a row
  ptrdiff_t in_row;        // from one output row's origin to the next
  ptrdiff_t in_pixel;      // from one output column's origin to the next
  ptrdiff_t groups;
  ptrdiff_t group_stride;
  ptrdiff_t tap_count;
  const ptrdiff_t *taps;
  ptrdiff_t lanes;         // channels of a group that are summed over
  ptrdiff_t out_row;       // from one output row to the next
  ptrdiff_t out_pixel;     // from one output column to the next
  ptrdiff_t out_group;     // from one group of output channels to the next
  ptrdiff_t residual_group;  // likewise of the residual, whose pixels lie as the output's
  float low, high;         // results are clipped to these; -INFINITY and INFINITY where they are not
  int prefetch;            // whether what follows the filters in memory is fetched while they are used
} leap_blocked_product;

/// Computes pixels [first, first + count) of `vectors` groups of output channels.
///
/// Each element is one chain of multiply-adds in the order g, t, l, then + bias, + residual, clip (NaN stays NaN).
/// `filter` is [groups][taps][lanes][vectors * width], aligned to a vector; `bias` [vectors * width] or NULL; `residual` is
/// the residual's element for pixel 0 of the first group, or NULL; it may be `out`.
typedef void (*leap_blocked_product_function)(const leap_blocked_product *product,
                                              const float *panel, const float *filter,
                                              const float *bias, const float *residual, float *out,
                                              ptrdiff_t first, ptrdiff_t count, ptrdiff_t vectors);

typedef struct leap_blocked_kernel {
  leap_blocked_product_function function;
  ptrdiff_t width;    // lanes of a vector: channels of a group
  ptrdiff_t vectors;  // output groups that one call computes at most
} leap_blocked_kernel;

/// The kernel for an instruction set. One of another architecture has its extents, so that plans can be made for it, and no
/// function.
leap_blocked_kernel leap_blocked_kernel_for(leap_isa isa);
