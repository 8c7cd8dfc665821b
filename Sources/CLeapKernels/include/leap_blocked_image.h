// Images whose channels are blocked, on their way into products: what every convolution in a blocked layout starts with.
#pragma once
#include <stddef.h>

#include "leap_cpu.h"

/// What becomes of a pixel before it is multiplied: v = clip(x scale + shift), one number for each channel. `scale`
/// NULL: nothing. Padding stays zero, as an operator before the convolution leaves it.
typedef struct leap_prologue {
  const float *scale;  // [groups][width]
  const float *shift;
  float low, high;
} leap_prologue;

/// An image [groups][height][width] of vectors, and a part of it with a border of zeros.
typedef struct leap_blocked_window {
  ptrdiff_t height, width;         // of the image, in pixels
  ptrdiff_t first_row, first_column;  // of the part; may be negative
  ptrdiff_t rows, columns;         // of the part
  ptrdiff_t row_step, column_step;  // from one pixel of the part to the next
} leap_blocked_window;

/// Copies a part of `groups` groups into panel [groups][rows][columns][vector]; zeros where there is no pixel. `image`
/// is group 0's first pixel, groups follow each other.
void leap_blocked_pack(leap_isa isa, const leap_blocked_window *window, const leap_prologue *prologue,
                       ptrdiff_t groups, const float *image, float *panel);

/// Interleaves a part of `channels` planes, each [height][width], into panel [rows][columns][channels]; zeros where there
/// is no pixel.
void leap_interleave(const leap_blocked_window *window, ptrdiff_t channels, const float *image,
                     ptrdiff_t plane_stride, float *panel);

/// Copies `count` pixels of `channels` channels from planes `plane_stride` apart into vectors of `width` lanes; the lanes
/// behind the last channel become zero.
void leap_planes_to_vectors(ptrdiff_t width, ptrdiff_t channels, ptrdiff_t count, const float *planes,
                            ptrdiff_t plane_stride, float *vectors);

/// Copies `count` pixels of `channels` channels from vectors of `width` lanes into planes `plane_stride` apart.
void leap_vectors_to_planes(ptrdiff_t width, ptrdiff_t channels, ptrdiff_t count, const float *vectors,
                            float *planes, ptrdiff_t plane_stride);

/// Writes zeros to the lanes behind the first `used` ones of `count` vectors of `width` lanes.
void leap_clear_lanes(ptrdiff_t width, ptrdiff_t used, ptrdiff_t count, float *vectors);

/// y[i] = clip(x[i] scale + shift); NaN stays NaN.
void leap_scale_shift_clip(float scale, float shift, float low, float high, const float *x, float *y,
                           ptrdiff_t count);
