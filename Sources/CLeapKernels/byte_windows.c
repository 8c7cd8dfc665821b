// byte_windows.c: quantised images widened for products, and depthwise convolutions of them.
#include "byte_pairs.h"
#include "byte_results.h"
#include "window_range.h"

// COUNT pixels of every group, whose lines stay in the cache over all groups.
#define WIDEN_PIXELS(T, COUNT)                                                                      \
  for (; count - first >= COUNT; first += COUNT) {                                                  \
    const uint8_t *x = from + first * step;                                                         \
    int16_t *y = to + first * lanes;                                                                \
    for (ptrdiff_t g = 0; g < groups; g++, x += plane, y += W)                                      \
      LEAP_UNROLL for (ptrdiff_t i = 0; i < COUNT; i++)                                             \
        *(H *)(y + i * lanes) = __builtin_convertvector(*(const B *)(x + i * step), H) - (H)(zero); \
  }

// One row of a part: `count` pixels of every group, from the first that lies on the image on.
#define WIDEN_ROW(T)                                                                                \
  {                                                                                                 \
    typedef T B __attribute__((ext_vector_type(W), aligned(1)));                                    \
    ptrdiff_t first = 0;                                                                            \
    WIDEN_PIXELS(T, 4)                                                                              \
    WIDEN_PIXELS(T, 1)                                                                              \
  }

#define PANEL(ISA, TARGET, VECTOR, LANES, FMA)                                                      \
  TARGET static void panel_##ISA(                                                                   \
      int is_signed, const leap_blocked_window *d, ptrdiff_t groups, int16_t zero, const uint8_t *image, int16_t *panel) { \
    enum { W = LANES };                                                                             \
    typedef int16_t H __attribute__((ext_vector_type(LANES), aligned(2)));                          \
    const range valid = inside(d->columns, d->column_step, d->first_column, d->width);              \
    const ptrdiff_t step = d->column_step * W, lanes = groups * W, plane = d->height * d->width * W; \
    const ptrdiff_t count = valid.end - valid.begin, row = d->columns * lanes;                      \
    for (ptrdiff_t r = 0; r < d->rows; r++, panel += row) {                                         \
      const ptrdiff_t h = d->first_row + r * d->row_step;                                           \
      if (h < 0 || h >= d->height || count <= 0) {                                                  \
        memset(panel, 0, (size_t)row * sizeof *panel);                                              \
        continue;                                                                                   \
      }                                                                                             \
      memset(panel, 0, (size_t)(valid.begin * lanes) * sizeof *panel);                              \
      memset(panel + valid.end * lanes, 0, (size_t)((d->columns - valid.end) * lanes) * sizeof *panel); \
      const uint8_t *from = image + (h * d->width + d->first_column) * W + valid.begin * step;      \
      int16_t *to = panel + valid.begin * lanes;                                                    \
      if (is_signed) {                                                                              \
        WIDEN_ROW(int8_t)                                                                           \
      } else {                                                                                      \
        WIDEN_ROW(uint8_t)                                                                          \
      }                                                                                             \
    }                                                                                               \
  }
LEAP_FOR_EACH_ISA(PANEL)

void leap_byte_panel(leap_isa isa, int is_signed, const leap_blocked_window *window, ptrdiff_t groups, int32_t zero,
                     const uint8_t *image, int16_t *panel) {
  LEAP_CALL(isa, panel, is_signed, window, groups, (int16_t)zero, image, panel)
}

#define SPREAD(T)                                                                                   \
  for (ptrdiff_t x = valid.begin; x < valid.end; x++) to[x * channels] = (int16_t)(((const T *)from)[x * d->column_step] - zero);

void leap_byte_interleave(int is_signed, const leap_blocked_window *d, ptrdiff_t channels, int32_t zero,
                          const uint8_t *image, ptrdiff_t plane_stride, int16_t *panel) {
  const range valid = inside(d->columns, d->column_step, d->first_column, d->width);
  for (ptrdiff_t r = 0; r < d->rows; r++, panel += d->columns * channels) {
    const ptrdiff_t h = d->first_row + r * d->row_step;
    memset(panel, 0, (size_t)(d->columns * channels) * sizeof *panel);
    if (h < 0 || h >= d->height) continue;
    for (ptrdiff_t c = 0; c < channels; c++) {
      const uint8_t *from = image + c * plane_stride + h * d->width + d->first_column;
      int16_t *to = panel + c;
      if (is_signed) {
        SPREAD(int8_t)
      } else {
        SPREAD(uint8_t)
      }
    }
  }
}

// A pixel's numbers, in 32 bits.
#define PIXEL_AT(T, X) (U)(__builtin_convertvector(*(const B *)(line + (X) * W), S) - zero)

// One row of a part of one group, each pixel next to the one `apart` columns on: on the image both, or one of them.
#define PAIR_ROW(T)                                                                                 \
  {                                                                                                 \
    typedef T B __attribute__((ext_vector_type(W), aligned(1)));                                    \
    for (ptrdiff_t c = both.begin; c < both.end; c++) {                                             \
      const ptrdiff_t x = d->first_column + c;                                                      \
      *(U *)(pairs + 2 * c * W) = (PIXEL_AT(T, x) & 0xffff) | PIXEL_AT(T, x + apart) << 16;         \
    }                                                                                               \
    for (ptrdiff_t c = 0; c < d->columns; c++) {                                                    \
      if (c == both.begin && both.begin < both.end) c = both.end;                                   \
      if (c >= d->columns) break;                                                                   \
      const ptrdiff_t x = d->first_column + c;                                                      \
      const U first = x >= 0 && x < d->width ? PIXEL_AT(T, x) & 0xffff : (U)(0);                    \
      const U second = x + apart >= 0 && x + apart < d->width ? PIXEL_AT(T, x + apart) << 16 : (U)(0); \
      *(U *)(pairs + 2 * c * W) = first | second;                                                   \
    }                                                                                               \
  }

#define PAIR_PANEL(ISA, TARGET, VECTOR, LANES, FMA)                                                 \
  TARGET static void pair_panel_##ISA(                                                              \
      int is_signed, const leap_blocked_window *d, int32_t zero, const uint8_t *image, ptrdiff_t apart, int16_t *pairs) { \
    enum { W = LANES };                                                                             \
    typedef int32_t S __attribute__((ext_vector_type(LANES), aligned(2)));                          \
    typedef uint32_t U __attribute__((ext_vector_type(LANES), aligned(2)));                         \
    const range first = inside(d->columns, 1, d->first_column, d->width);                           \
    const range second = inside(d->columns, 1, d->first_column + apart, d->width);                  \
    const range both = {                                                                            \
        first.begin > second.begin ? first.begin : second.begin, first.end < second.end ? first.end : second.end}; \
    for (ptrdiff_t r = 0; r < d->rows; r++, pairs += 2 * d->columns * W) {                          \
      const ptrdiff_t h = d->first_row + r;                                                         \
      if (h < 0 || h >= d->height) {                                                                \
        memset(pairs, 0, (size_t)(2 * d->columns * W) * sizeof *pairs);                             \
        continue;                                                                                   \
      }                                                                                             \
      const uint8_t *line = image + h * d->width * W;                                               \
      if (is_signed) PAIR_ROW(int8_t) else PAIR_ROW(uint8_t)                                        \
    }                                                                                               \
  }
LEAP_FOR_EACH_ISA(PAIR_PANEL)

void leap_byte_pairs(leap_isa isa, int is_signed, const leap_blocked_window *window, int32_t zero, const uint8_t *image,
                     ptrdiff_t apart, int16_t *pairs) {
  LEAP_CALL(isa, pair_panel, is_signed, window, zero, image, apart, pairs)
}

// Pairs of neighbouring taps of a row, less each lane's zero point; an odd one's partner is 0.
static void pair_filters(const leap_blocked_windows *w, ptrdiff_t lanes, const int8_t *filter, const int32_t *zero, int16_t *pairs) {
  const ptrdiff_t taps = w->kernel[1];
  for (ptrdiff_t r = 0; r < w->kernel[0]; r++, filter += taps * lanes)
    for (ptrdiff_t c = 0; c < taps; c += 2, pairs += 2 * lanes)
      for (ptrdiff_t i = 0; i < lanes; i++) {
        const int less = zero ? zero[i] : 0;
        pairs[2 * i] = (int16_t)(filter[c * lanes + i] - less);
        pairs[2 * i + 1] = c + 1 < taps ? (int16_t)(filter[(c + 1) * lanes + i] - less) : 0;
      }
}

// COUNT output pixels of a row: each pair of taps is read once for all of them.
#define TILE(ISA, COUNT)                                                                            \
  {                                                                                                 \
    leap_sum_##ISA sum[COUNT];                                                                      \
    LEAP_UNROLL for (int p = 0; p < COUNT; p++) sum[p] = start;                                     \
    const int16_t *line = x, *tap = filter;                                                         \
    for (ptrdiff_t r = 0; r < w->kernel[0]; r++, line += w->dilation[0] * columns * 2 * W) {        \
      const int16_t *from = line;                                                                   \
      for (ptrdiff_t c = 0; c < taps; c += 2, tap += 2 * W, from += 4 * dilation * W)               \
        LEAP_UNROLL for (int p = 0; p < COUNT; p++)                                                 \
          sum[p] = add_##ISA(sum[p], pairs_at_##ISA(from + 2 * p * step * W), pairs_at_##ISA(tap)); \
    }                                                                                               \
    leap_store_##ISA(sum, 1, COUNT, finish, y);                                                     \
    x += 2 * COUNT * step * W, y += COUNT * W, left -= COUNT;                                       \
  }

// `step` and `taps` (of a row) are constants where the function is inlined.
#define DEPTHWISE(ISA, TARGET, LANES)                                                               \
  TARGET LEAP_INLINE void depthwise_rows_##ISA(                                                     \
      const leap_blocked_windows *w, ptrdiff_t columns, const int16_t *panel, const int16_t *filter, \
      const leap_byte_results *q, ptrdiff_t rows, uint8_t *y, ptrdiff_t step, ptrdiff_t taps, ptrdiff_t dilation) { \
    enum { W = LANES };                                                                             \
    const leap_sum_##ISA start = leap_start_##ISA(q, 0);                                            \
    const leap_finish_##ISA finish = leap_finish_for_##ISA(q, 0);                                   \
    for (ptrdiff_t row = 0; row < rows; row++) {                                                    \
      const int16_t *x = panel + 2 * row * w->stride[0] * columns * W;                              \
      ptrdiff_t left = w->output[1];                                                                \
      while (left >= 8) TILE(ISA, 8)                                                                \
      while (left >= 4) TILE(ISA, 4)                                                                \
      while (left > 0) TILE(ISA, 1)                                                                 \
    }                                                                                               \
  }                                                                                                 \
  TARGET static void depthwise_##ISA(                                                               \
      const leap_blocked_windows *w, ptrdiff_t columns, const int16_t *panel, const int8_t *filter, \
      const leap_byte_results *q, ptrdiff_t rows, int16_t *taken, uint8_t *y) {                     \
    const ptrdiff_t step = w->stride[1], taps = w->kernel[1], dilation = w->dilation[1];            \
    pair_filters(w, LANES, filter, q->filter_zero, taken);                                          \
    if (taps == 3 && dilation == 1 && step == 1)                                                    \
      depthwise_rows_##ISA(w, columns, panel, taken, q, rows, y, 1, 3, 1);                          \
    else if (taps == 3 && dilation == 1 && step == 2)                                               \
      depthwise_rows_##ISA(w, columns, panel, taken, q, rows, y, 2, 3, 1);                          \
    else depthwise_rows_##ISA(w, columns, panel, taken, q, rows, y, step, taps, dilation);          \
  }
DEPTHWISE(portable, , 4)
#if defined(__x86_64__)
DEPTHWISE(avx2, LEAP_TARGET_AVX2, 8)
DEPTHWISE(avx512, LEAP_TARGET_AVX512, 16)
#endif

void leap_byte_depthwise(leap_isa isa, const leap_blocked_windows *windows, ptrdiff_t panel_columns, const int16_t *panel,
                         const int8_t *filter, const leap_byte_results *results, ptrdiff_t rows, int16_t *scratch, uint8_t *y) {
#if defined(__x86_64__)
  if (isa == LEAP_ISA_AVX512) {
    depthwise_avx512(windows, panel_columns, panel, filter, results, rows, scratch, y);
    return;
  }
  if (isa == LEAP_ISA_AVX2) {
    depthwise_avx2(windows, panel_columns, panel, filter, results, rows, scratch, y);
    return;
  }
#else
  (void)isa;
#endif
  depthwise_portable(windows, panel_columns, panel, filter, results, rows, scratch, y);
}

void leap_byte_reorder(ptrdiff_t channels, ptrdiff_t count, const uint8_t *x, ptrdiff_t channel_from, ptrdiff_t pixel_from,
                       uint8_t *y, ptrdiff_t channel_to, ptrdiff_t pixel_to) {
  for (ptrdiff_t c = 0; c < channels; c++, x += channel_from, y += channel_to) {
    for (ptrdiff_t i = 0; i < count; i++) y[i * pixel_to] = x[i * pixel_from];
  }
}

// The largest of the pixels of a window that lie on the image; the lowest number where none does.
#define MAXIMA(T, LOWEST)                                                                           \
  {                                                                                                 \
    typedef T V __attribute__((ext_vector_type(W), aligned(1)));                                    \
    for (ptrdiff_t row = first; row < first + rows; row++) {                                        \
      const ptrdiff_t top = row * w->stride[0] - w->pad[0];                                         \
      const range height = inside(w->kernel[0], w->dilation[0], top, w->input[0]);                  \
      for (ptrdiff_t o = 0; o < w->output[1]; o++, y += W) {                                        \
        const ptrdiff_t left = o * w->stride[1] - w->pad[1];                                        \
        const range width = inside(w->kernel[1], w->dilation[1], left, w->input[1]);                \
        V most = (V)(LOWEST);                                                                       \
        for (ptrdiff_t r = height.begin; r < height.end; r++) {                                     \
          const uint8_t *x = image + ((top + r * w->dilation[0]) * w->input[1] + left) * W;         \
          for (ptrdiff_t c = width.begin; c < width.end; c++)                                       \
            most = __builtin_elementwise_max(most, *(const V *)(x + c * w->dilation[1] * W));       \
        }                                                                                           \
        *(V *)y = most;                                                                             \
      }                                                                                             \
    }                                                                                               \
  }

#define BYTE_MAX(ISA, TARGET, VECTOR, LANES, FMA)                                                   \
  TARGET static void byte_max_##ISA(                                                                \
      int is_signed, const leap_blocked_windows *w, const uint8_t *image, ptrdiff_t first, ptrdiff_t rows, uint8_t *y) { \
    enum { W = LANES };                                                                             \
    if (is_signed) MAXIMA(int8_t, -128) else MAXIMA(uint8_t, 0)                                     \
  }
LEAP_FOR_EACH_ISA(BYTE_MAX)

void leap_byte_max(leap_isa isa, int is_signed, const leap_blocked_windows *windows, const uint8_t *image,
                   ptrdiff_t first, ptrdiff_t rows, uint8_t *y) {
  LEAP_CALL(isa, byte_max, is_signed, windows, image, first, rows, y)
}

int leap_byte_find_parameters(const leap_byte_parameters *from, ptrdiff_t channels, ptrdiff_t slots, int32_t *bias,
                              float *scale, int32_t *zero) {
  const int32_t shift = from->zero_is_signed ? 0 : 128;
  int32_t any = 0;
  for (ptrdiff_t i = 0; i < channels; i++) {
    bias[i] = from->bias ? from->bias[i] : 0;
    if (from->sums) bias[i] = (int32_t)((uint32_t)bias[i] - (uint32_t)from->image_zero * (uint32_t)from->sums[i]);
    scale[i] = from->left * from->scale[i * from->scale_stride] / from->result;
    const uint8_t byte = from->zero ? from->zero[i * from->zero_stride] : 0;
    zero[i] = (from->zero_is_signed ? (int8_t)byte : byte) - shift;
    any |= zero[i];
  }
  for (ptrdiff_t i = channels; i < slots; i++) bias[i] = zero[i] = 0, scale[i] = 0;
  return any != 0;
}
