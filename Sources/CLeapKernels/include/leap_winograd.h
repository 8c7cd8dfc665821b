// Winograd's minimal filtering for blocked images (Winograd, "Arithmetic Complexity of Computations", 1980; Lavin and Gray,
// "Fast Algorithms for Convolutional Neural Networks", 2016): F(m, r) of lines and F(m x m, r x r) of squares as transforms of
// tiles; the products between them are leap_blocked_product's.
#pragma once
#include <stddef.h>

#include "leap_blocked_image.h"
#include "leap_cpu.h"

enum {
  LEAP_WINOGRAD_PAIRS = 4,
  LEAP_WINOGRAD_OUTPUTS = 4,
  LEAP_WINOGRAD_TAPS = 7,
  LEAP_WINOGRAD_INPUTS = 2 * LEAP_WINOGRAD_PAIRS + 2
};

/// F(outputs, taps) of one line: the points of its polynomials, besides infinity and, where outputs + taps - 1 is even, 0;
/// and what filters are multiplied by there.
typedef struct leap_winograd_line {
  int outputs, taps;
  int pairs;                           // of points ±p
  double points[LEAP_WINOGRAD_PAIRS];  // p > 0 of each pair
  double filter[LEAP_WINOGRAD_INPUTS][LEAP_WINOGRAD_TAPS];  // a filter's numbers from its taps
} leap_winograd_line;

/// Makes F(2, 3), F(4, 3), F(4, 5) or F(3, 7); returns whether it is one of these.
int leap_winograd_line_make(int outputs, int taps, leap_winograd_line *line);

/// Tiles of tile_height x tile_width outputs, each from patch_height x patch_width inputs; they are counted in row-major order
/// over the image. Both extents are those of the line, F(2, 3) or F(4, 3); or one is and the other is 1: not F(2, 3).
typedef struct leap_winograd {
  leap_winograd_line line;
  ptrdiff_t tile_height, tile_width;
  ptrdiff_t patch_height, patch_width;
  ptrdiff_t height, width;                // of the input image
  ptrdiff_t pad_top, pad_left;
  ptrdiff_t output_height, output_width;
  ptrdiff_t tile_columns;                 // tiles in a row
} leap_winograd;

/// Transforms tiles [first, first + count) of one group of the input: v[position][tile][lane], positions
/// `position_stride` floats apart, as many as a patch has inputs. The prologue's numbers are those of the group.
void leap_winograd_input(leap_isa isa, const leap_winograd *w, const leap_prologue *prologue,
                         const float *image, ptrdiff_t first, ptrdiff_t count, float *v,
                         ptrdiff_t position_stride);

/// Transforms sums [position][tile][lane] back into tiles of one group of the output: + bias, + residual, clip. `bias`
/// and `residual` may be NULL, `residual` may be `output`; both are the group's.
void leap_winograd_output(leap_isa isa, const leap_winograd *w, const float *sums,
                          ptrdiff_t position_stride, const float *bias, const float *residual,
                          float low, float high, ptrdiff_t first, ptrdiff_t count, float *output);

/// Transforms `count` filters, `stride` numbers apart, into as many numbers each as a patch has inputs, in double precision,
/// rounded once: number `position` of filter `i` goes to `target[position * position_stride + i]`. Of `w`, the line and the
/// extents of tiles are read.
void leap_winograd_filters(leap_isa isa, const leap_winograd *w, const float *filters,
                           ptrdiff_t stride, ptrdiff_t count, float *target,
                           ptrdiff_t position_stride);
