// leap_byte_product.h: products of quantised images whose channels are blocked with packed filters of bytes, and the way of their
// sums back to bytes.
//
// Sums have 32 bits and wrap, and each step of a requantisation is one operation on floats: the same bits on every
// instruction set, however the work is cut.
#ifndef LEAP_BYTE_PRODUCT_H
#define LEAP_BYTE_PRODUCT_H

#include <stddef.h>
#include <stdint.h>

#include "leap_blocked_image.h"
#include "leap_blocked_windows.h"
#include "leap_cpu.h"

/// Groups of output channels that one call of a product computes at most.
enum { LEAP_BYTE_VECTORS = 2 };

/// From sums to bytes: y = round((sum + bias) scale) + zero within low...high, the range of signed bytes or of others, half to
/// even. The arrays have an element for each channel slot of the groups that a call computes.
typedef struct leap_byte_results {
  const int32_t *bias;
  const float *scale;
  const int32_t *filter_zero;  // what filters are less than packed, or NULL where nothing is
  float zero, low, high;
} leap_byte_results;

/// A family of sums: for each output pixel and output channel
///
///   sum over r, k of panel[origin(pixel) + runs[r] + k] * (filter[r][k][channel] - filter_zero[channel])
///
/// where origin(pixel) = row * in_row + column * in_pixel for pixel = row * columns + column. Strides in elements.
typedef struct leap_byte_product {
  ptrdiff_t columns;  // output pixels of a row
  ptrdiff_t in_row;
  ptrdiff_t in_pixel;
  ptrdiff_t run_count;
  const ptrdiff_t *runs;
  ptrdiff_t run_length;  // even; filters are 0 from `run_used` on, and panels may be read as far
  ptrdiff_t run_used;
  ptrdiff_t out_group;  // bytes from one group of output channels to the next
} leap_byte_product;

/// Widens a part of an image to 16 bits, less its zero point, with a border of zeros: panel [rows][columns][groups][width].
/// `image`: bytes that are signed or not, [groups][height][width of the image][width].
void leap_byte_panel(leap_isa isa, int is_signed, const leap_blocked_window *window, ptrdiff_t groups,
                     int32_t zero, const uint8_t *image, int16_t *panel);

/// The same of planes, which lie `plane_stride` apart: panel [rows][columns][channels].
void leap_byte_interleave(int is_signed, const leap_blocked_window *window, ptrdiff_t channels, int32_t zero,
                          const uint8_t *image, ptrdiff_t plane_stride, int16_t *panel);

/// Computes output pixels [0, pixels) of `vectors` groups of output channels: y [group][pixel][lane].
/// `filter`: [runs][run_length / 2][vectors * lanes][2], as many lanes as blocked layouts have.
void leap_byte_convolve(leap_isa isa, const leap_byte_product *product, const int16_t *panel, const int8_t *filter,
                        const leap_byte_results *results, uint8_t *y, ptrdiff_t pixels, ptrdiff_t vectors);

/// A part of one group whose steps are 1, as pairs: panel [rows][columns][lane][2], of which the second is the pixel `apart`
/// columns further on; widened as by leap_byte_panel.
void leap_byte_pairs(leap_isa isa, int is_signed, const leap_blocked_window *window, int32_t zero, const uint8_t *image,
                     ptrdiff_t apart, int16_t *pairs);

/// Output rows [first, first + rows) of one group of a depthwise convolution: y [pixel][lane]. `panel`: what the windows of
/// these rows cover, from leap_byte_pairs, whose pixels lie a tap apart; `filter`: [tap][lane]. `scratch`: a number for each lane
/// and tap, as if rows of taps were even.
void leap_byte_depthwise(leap_isa isa, const leap_blocked_windows *windows, ptrdiff_t panel_columns, const int16_t *panel,
                         const int8_t *filter, const leap_byte_results *results, ptrdiff_t rows, int16_t *scratch, uint8_t *y);

/// Copies `channels` channels of `count` pixels from where they lie channel_from and pixel_from apart to where they do
/// channel_to and pixel_to.
void leap_byte_reorder(ptrdiff_t channels, ptrdiff_t count, const uint8_t *x, ptrdiff_t channel_from, ptrdiff_t pixel_from,
                       uint8_t *y, ptrdiff_t channel_to, ptrdiff_t pixel_to);

/// Tiles of 4 x 4 results in rows of `across`, of which those beyond `height` and `width` are left out.
typedef struct leap_byte_tiles {
  ptrdiff_t rows, across;
  ptrdiff_t height, width;
} leap_byte_tiles;

/// Transforms pixels for F(4x4, 3x3): panel [4 rows + 2][columns][channels] to v [36][rows * across][channels], `plane`
/// elements from one position to the next: no power of two, or all of them share a few lines of the cache.
void leap_byte_winograd_inputs(leap_isa isa, const int16_t *panel, ptrdiff_t columns, ptrdiff_t channels, ptrdiff_t rows,
                               ptrdiff_t across, ptrdiff_t plane, int16_t *v);

/// Transforms `count` numbers of each of nine taps, which lie `tap_stride` apart, to u [36][count], likewise
/// `plane` apart. `count`: a multiple of twice the lanes.
void leap_byte_winograd_filters(leap_isa isa, const int8_t *filter, ptrdiff_t tap_stride, ptrdiff_t count,
                                ptrdiff_t plane, int16_t *u);

/// sums [tiles][vectors][lane] of one position, modulo 2^32, added to what is there unless `is_first`: v has rows `stride`
/// apart, u is [pairs][vectors * lanes][2].
void leap_byte_winograd_products(leap_isa isa, const int16_t *v, ptrdiff_t tiles, ptrdiff_t stride, const int16_t *u,
                                 ptrdiff_t pairs, ptrdiff_t vectors, int is_first, uint32_t *sums);

/// From the sums [36][tile][lanes] of one group, each tile's `lanes` apart, to bytes. `middle`: for each lane a number next to
/// which the result lies, by less than 2^25.
void leap_byte_winograd_results(leap_isa isa, const leap_byte_tiles *tiles, const uint32_t *sums, ptrdiff_t lanes,
                                const int32_t *middle, const leap_byte_results *results, uint8_t *y);

/// Output rows [first, first + rows) of the maxima of one group's windows: y [pixel][lane], bytes that are signed or not. The
/// lowest number where a window holds no pixel.
void leap_byte_max(leap_isa isa, int is_signed, const leap_blocked_windows *windows, const uint8_t *image, ptrdiff_t first,
                   ptrdiff_t rows, uint8_t *y);

/// Where the parameters of results lie among operands: biases, scales and zero points of `channels` channels, the latter two
/// perhaps one for all, with a stride of 0.
typedef struct leap_byte_parameters {
  const int32_t *bias;  // or NULL for 0
  const float *scale;
  ptrdiff_t scale_stride;
  const uint8_t *zero;  // of filters, signed or not, or NULL for 0
  ptrdiff_t zero_stride;
  int zero_is_signed;
  float left, result;  // the scales of image and results
  const int32_t *sums;  // of filters, or NULL where pixels are less their zero point
  int32_t image_zero;   // what each pixel of such a sum is too much
} leap_byte_parameters;

/// Writes the parameters of `channels` channels, and zeros behind them up to `slots`: scale = left scale / result. Zero points
/// of filters without a sign are less 128, as packed ones are. Returns whether one of them is not 0.
int leap_byte_find_parameters(const leap_byte_parameters *from, ptrdiff_t channels, ptrdiff_t slots, int32_t *bias,
                              float *scale, int32_t *zero);

#endif
