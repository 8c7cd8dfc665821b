// byte_windows.c: quantised images widened for products, and depthwise convolutions of them.
#include "byte_results.h"
#include "window_range.h"

// One row of a part: `count` pixels of every group, from the first that lies on the image on. A few pixels at a time, whose
// lines stay in the cache over all groups.
#define WIDEN_ROW(T)                                                                                \
  {                                                                                                 \
    typedef T B __attribute__((ext_vector_type(W), aligned(1)));                                    \
    for (ptrdiff_t first = 0; first < count; first += NEAR) {                                       \
      const ptrdiff_t end = first + NEAR < count ? first + NEAR : count;                            \
      for (ptrdiff_t g = 0; g < groups; g++)                                                        \
        for (ptrdiff_t i = first; i < end; i++)                                                     \
          *(H *)(to + i * lanes + g * W) =                                                          \
              __builtin_convertvector(*(const B *)(from + g * plane + i * step), H) - (H)(zero);    \
    }                                                                                               \
  }

enum { NEAR = 8 };

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

// COUNT output pixels of a row: each tap's filter is widened once for all of them.
#define TILE(ISA, COUNT)                                                                            \
  {                                                                                                 \
    U sum[COUNT];                                                                                   \
    LEAP_UNROLL for (int p = 0; p < COUNT; p++) sum[p] = (U)(0);                                    \
    const int16_t *line = x;                                                                        \
    const int8_t *tap = filter;                                                                     \
    for (ptrdiff_t r = 0; r < w->kernel[0]; r++, line += w->dilation[0] * columns * W) {            \
      const int16_t *from = line;                                                                   \
      for (ptrdiff_t c = 0; c < taps; c++, tap += W, from += dilation * W) {                        \
        const U v = (U)__builtin_convertvector(*(const B *)tap, S) - less;                          \
        LEAP_UNROLL for (int p = 0; p < COUNT; p++)                                                 \
          sum[p] += (U)__builtin_convertvector(*(const H *)(from + p * step * W), S) * v;           \
      }                                                                                             \
    }                                                                                               \
    LEAP_UNROLL for (int p = 0; p < COUNT; p++) leap_store_##ISA(AS_##ISA(sum[p]), finish, y + p * W); \
    x += COUNT * step * W, y += COUNT * W, left -= COUNT;                                           \
  }

#define AS_portable(V) V
#define AS_neon(V) V
#define AS_avx2(V) (__m256i)(V)
#define AS_avx512(V) (__m512i)(V)
#define leap_finish_neon leap_finish_portable
#define leap_finish_for_neon leap_finish_for_portable
#define leap_store_neon leap_store_portable

// `step` and `taps` (of a row) are constants where the function is inlined.
#define DEPTHWISE(ISA, TARGET, VECTOR, LANES, FMA)                                                  \
  TARGET LEAP_INLINE void depthwise_rows_##ISA(                                                     \
      const leap_blocked_windows *w, ptrdiff_t columns, const int16_t *panel, const int8_t *filter, \
      const leap_byte_results *q, ptrdiff_t rows, uint8_t *y, ptrdiff_t step, ptrdiff_t taps, ptrdiff_t dilation) { \
    enum { W = LANES };                                                                             \
    typedef uint32_t U __attribute__((ext_vector_type(LANES), aligned(4)));                         \
    typedef int32_t S __attribute__((ext_vector_type(LANES), aligned(4)));                          \
    typedef int16_t H __attribute__((ext_vector_type(LANES), aligned(2)));                          \
    typedef int8_t B __attribute__((ext_vector_type(LANES), aligned(1)));                           \
    /* Each lane has a filter of its own, whose zero point is taken off at once. */                 \
    const U less = q->filter_zero ? *(const U *)q->filter_zero : (U)(0);                            \
    const leap_finish_##ISA finish = leap_finish_for_##ISA(q, 0);                                   \
    for (ptrdiff_t row = 0; row < rows; row++) {                                                    \
      const int16_t *x = panel + row * w->stride[0] * columns * W;                                  \
      ptrdiff_t left = w->output[1];                                                                \
      while (left >= 8) TILE(ISA, 8)                                                                \
      while (left >= 4) TILE(ISA, 4)                                                                \
      while (left > 0) TILE(ISA, 1)                                                                 \
    }                                                                                               \
  }                                                                                                 \
  TARGET static void depthwise_##ISA(                                                               \
      const leap_blocked_windows *w, ptrdiff_t columns, const int16_t *panel, const int8_t *filter, \
      const leap_byte_results *q, ptrdiff_t rows, uint8_t *y) {                                     \
    const ptrdiff_t step = w->stride[1], taps = w->kernel[1], dilation = w->dilation[1];            \
    if (taps == 3 && dilation == 1 && step == 1)                                                    \
      depthwise_rows_##ISA(w, columns, panel, filter, q, rows, y, 1, 3, 1);                         \
    else if (taps == 3 && dilation == 1 && step == 2)                                               \
      depthwise_rows_##ISA(w, columns, panel, filter, q, rows, y, 2, 3, 1);                         \
    else depthwise_rows_##ISA(w, columns, panel, filter, q, rows, y, step, taps, dilation);         \
  }
LEAP_FOR_EACH_ISA(DEPTHWISE)

void leap_byte_depthwise(leap_isa isa, const leap_blocked_windows *windows, ptrdiff_t panel_columns, const int16_t *panel,
                         const int8_t *filter, const leap_byte_results *results, ptrdiff_t rows, uint8_t *y) {
  LEAP_CALL(isa, depthwise, windows, panel_columns, panel, filter, results, rows, y)
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
