// leap_byte_dot.h: convolutions of quantised images whose channels are blocked, as dot products of four bytes.
//
// Sums have 32 bits and wrap: the same bits on every instruction set, however the work is cut.
#ifndef LEAP_BYTE_DOT_H
#define LEAP_BYTE_DOT_H

#include "leap_byte_product.h"

/// Input channels of a step at most: two fours. Groups of fewer channels make steps of their own.
enum { LEAP_BYTE_DEPTH = 8 };

/// A family of sums: for each output pixel and output channel, over steps and the `depth` input channels of each,
///
///   panel[origin(pixel) + pixels[step] + k] * filter[step][k][channel]
///
/// where origin(pixel) = row * in_row + column * in_pixel for pixel = row * columns + column. Strides in bytes. Steps follow each
/// other tap by tap, those of a tap group by group.
typedef struct leap_byte_dot {
  ptrdiff_t columns;  // output pixels of a row
  ptrdiff_t in_row;
  ptrdiff_t in_pixel;
  ptrdiff_t steps;
  ptrdiff_t tap_steps;      // steps of one tap
  const ptrdiff_t *pixels;  // for each step
  ptrdiff_t depth;
  ptrdiff_t out_group;  // bytes from one group of output channels to the next
  int32_t zero;         // the number of a pixel's byte that stands for 0
} leap_byte_dot;

/// For the filters of a step: the largest pixel with which all sums of four products fit 16 bits, and of two.
typedef struct leap_byte_limits {
  uint8_t fours, pairs;
} leap_byte_limits;

/// Where a step's pixels and filters lie, in bytes.
typedef struct leap_byte_step {
  ptrdiff_t pixel, filter;
} leap_byte_step;

/// The steps of a part of an image with the filters of a chunk, in the order in which they are computed.
typedef struct leap_byte_steps {
  leap_byte_step *steps;
  ptrdiff_t fours, pairs, singles;  // how many there are of each kind, one behind the other
} leap_byte_steps;

/// Copies a part of an image: panel [groups][rows][columns][width], groups `group_stride` bytes apart. Bytes with a sign are
/// 128 more; beyond the border lies `zero`, as a byte of the panel. `peaks`: the largest byte of each group, once for each of
/// the steps that it makes.
void leap_byte_dot_panel(leap_isa isa, int is_signed, const leap_blocked_window *window, ptrdiff_t groups, uint8_t zero,
                         const uint8_t *image, ptrdiff_t group_stride, uint8_t *panel, ptrdiff_t group_steps, uint8_t *peaks);

/// Packs one output channel: target [step][four][lanes][4], at `lane`. `sources`: for each input slot of each step the index of
/// its byte in `filter`, or -1 for 0; `flip` is what bytes are changed by to have a sign.
void leap_byte_dot_pack(const uint8_t *filter, uint8_t flip, const int32_t *sources, ptrdiff_t steps, ptrdiff_t depth,
                        ptrdiff_t lanes, ptrdiff_t lane, int8_t *target);

/// Packs row `k` of a matrix of `columns` output channels: chunks of at most `lanes` of them, target [chunk][step][four][lanes][4].
/// The last chunk has whole groups of `width` lanes.
void leap_byte_dot_pack_row(const uint8_t *row, uint8_t flip, ptrdiff_t columns, ptrdiff_t k, ptrdiff_t steps, ptrdiff_t depth,
                            ptrdiff_t lanes, ptrdiff_t width, int8_t *target);

/// The sums of the filters of a packed chunk, and the limits of its steps.
void leap_byte_dot_describe(const int8_t *filter, ptrdiff_t steps, ptrdiff_t depth, ptrdiff_t lanes, int32_t *sums,
                            leap_byte_limits *limits);

/// Sorts the steps of a chunk of `lanes` output channels by what the peaks of a panel allow. `kinds`: a byte for each step, for
/// this function alone.
void leap_byte_dot_sort(leap_isa isa, const leap_byte_dot *dot, ptrdiff_t lanes, const leap_byte_limits *limits,
                        const uint8_t *peaks, uint8_t *kinds, leap_byte_steps *sorted);

/// Computes output pixels [0, pixels) of `vectors` groups of output channels: y [group][pixel][lane]. The biases of the results
/// hold what the zero of pixels makes with the filters, too.
void leap_byte_dot_convolve(leap_isa isa, const leap_byte_dot *dot, const uint8_t *panel, const leap_byte_steps *steps,
                            const int8_t *filter, const leap_byte_results *results, uint8_t *y, ptrdiff_t pixels,
                            ptrdiff_t vectors);

/// The bare sums: sums [pixel][vectors * lanes], pixels `stride` apart. Bytes count as they are.
void leap_byte_dot_sums(leap_isa isa, const leap_byte_dot *dot, const uint8_t *panel, const leap_byte_steps *steps,
                        const int8_t *filter, int32_t *sums, ptrdiff_t stride, ptrdiff_t pixels, ptrdiff_t vectors);

/// Copies `rows` rows of `depth` bytes, `stride` apart: panel [row][steps of `step` bytes], zeros behind the last. Bytes with a
/// sign are 128 more. `peaks`: the largest of each step.
void leap_byte_dot_rows(leap_isa isa, int is_signed, const uint8_t *x, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t depth,
                        ptrdiff_t step, uint8_t *panel, uint8_t *peaks);

/// What zero points make of the sums of a row: sum - zero column - filter_zero total, `columns` the sums of the filters, `total`
/// the sum of the row's bytes, each less `zero`. `filter_zero` is one number for all columns where `zero_stride` is 0.
void leap_byte_dot_correct(int32_t *sums, ptrdiff_t count, int32_t zero, const int32_t *columns, const int32_t *filter_zero,
                           ptrdiff_t zero_stride, int32_t total);

#endif
