// Winograd's minimal filtering F(m x m, 3 x 3) for blocked images (Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2016): transforms of tiles; the products between them are leap_blocked_product's.
#pragma once
#include <stddef.h>

#include "leap_blocked_image.h"
#include "leap_cpu.h"

/// Tiles of m x m outputs, each from (m + 2) x (m + 2) inputs; they are counted in row-major order over the image.
typedef struct leap_winograd {
  ptrdiff_t height, width;                // of the input image
  ptrdiff_t pad_top, pad_left;
  ptrdiff_t output_height, output_width;
  ptrdiff_t tile_columns;                 // tiles in a row
} leap_winograd;

/// Transforms tiles [first, first + count) of one group of the input: v[position][tile][lane], positions
/// `position_stride` floats apart. `m` is 2 or 4. The prologue's numbers are those of the group.
void leap_winograd_input(leap_isa isa, int m, const leap_winograd *w, const leap_prologue *prologue,
                         const float *image, ptrdiff_t first, ptrdiff_t count, float *v,
                         ptrdiff_t position_stride);

/// Transforms sums [position][tile][lane] back into tiles of one group of the output: + bias, + residual, clip. `bias`
/// and `residual` may be NULL, `residual` may be `output`; both are the group's.
void leap_winograd_output(leap_isa isa, int m, const leap_winograd *w, const float *sums,
                          ptrdiff_t position_stride, const float *bias, const float *residual,
                          float low, float high, ptrdiff_t first, ptrdiff_t count, float *output);

/// Transforms `count` filters, 3 x 3 numbers each, `stride` numbers apart, into (m + 2)^2 numbers each, in double precision,
/// rounded once: number `position` of filter `i` goes to `target[position * position_stride + i]`.
void leap_winograd_filters(int m, const float *filters, ptrdiff_t stride, ptrdiff_t count,
                           float *target, ptrdiff_t position_stride);
