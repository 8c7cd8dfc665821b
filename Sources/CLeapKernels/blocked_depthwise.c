// Depthwise convolutions of blocked images.
//
// 1. An output vector is the same chain of multiply-adds whichever rows are asked for and wherever it lies in one: the taps
//    that lie on the image, in order.
// 2. Up to eight pixels at a time where all their taps lie on the image: as many chains as the units are deep. One at a time
//    at the edges.
#include "instruction_sets.h"
#include "leap_blocked_windows.h"
#include "window_range.h"

#define INLINE static inline __attribute__((always_inline))

// COUNT output pixels of a row, from column `o` on, with the taps `height` and `width` of their windows. `step` is the
// stride.
#define TILE(COUNT)                                                                              \
  {                                                                                              \
    V all[COUNT];                                                                                \
    LEAP_UNROLL for (int p = 0; p < COUNT; p++) all[p] = (V)(0);                                 \
    const float *line = image + (o * step - w->pad[1] + width.begin * dilation) * LANES;         \
    const float *weights = filter + width.begin * LANES;                                         \
    for (ptrdiff_t r = height.begin; r < height.end; r++) {                                      \
      const float *x = line, *tap = weights;                                                     \
      for (ptrdiff_t c = width.begin; c < width.end; c++) {                                      \
        const V v = *(const V *)tap;                                                             \
        LEAP_UNROLL for (int p = 0; p < COUNT; p++)                                              \
          all[p] = MULTIPLY_ADD(*(const V *)(x + p * step * LANES), v, all[p]);                  \
        x += dilation * LANES;                                                                   \
        tap += LANES;                                                                            \
      }                                                                                          \
      line += w->dilation[0] * w->input[1] * LANES;                                              \
      weights += taps * LANES;                                                                   \
    }                                                                                            \
    LEAP_UNROLL for (int p = 0; p < COUNT; p++) {                                                \
      const ptrdiff_t at = (o + p) * LANES;                                                      \
      V y = all[p];                                                                              \
      if (bias) y += *(const V *)bias;                                                           \
      if (residual) y += *(const V *)(residual + at);                                            \
      y = y < low ? low : y;                                                                     \
      y = y > high ? high : y;                                                                   \
      *(V *)(output + at) = y;                                                                   \
    }                                                                                            \
    break;                                                                                       \
  }

// A row of output, in which all taps of the columns `whole` lie on the image. `image` and `filter` are the first row that
// the taps `height` use; `step`, `taps` and `dilation` (of columns) are constants where the function is inlined.
#define ROW(ISA, TARGET, VECTOR, W)                                                              \
  TARGET INLINE void row_##ISA(const leap_blocked_windows *w, const float *image,                \
                               const float *filter, const float *bias, const float *residual,    \
                               float lowest, float highest, range height, range whole,           \
                               ptrdiff_t step, ptrdiff_t taps, ptrdiff_t dilation,               \
                               float *output) {                                                  \
    typedef VECTOR V;                                                                            \
    enum { LANES = W };                                                                          \
    const V low = (V)(lowest), high = (V)(highest);                                              \
    ptrdiff_t tiles = (whole.end - whole.begin + 7) / 8;                                         \
    for (ptrdiff_t o = 0; o < w->output[1];) {                                                   \
      if (o < whole.begin || o >= whole.end) {                                                   \
        const range width = inside(taps, dilation, o * step - w->pad[1], w->input[1]);           \
        do TILE(1) while (0);                                                                    \
        o++;                                                                                     \
        continue;                                                                                \
      }                                                                                          \
      const range width = {0, taps};                                                             \
      const ptrdiff_t size = (whole.end - o + tiles - 1) / tiles;                                \
      switch (size) {                                                                            \
        case 8: TILE(8)                                                                          \
        case 7: TILE(7)                                                                          \
        case 6: TILE(6)                                                                          \
        case 5: TILE(5)                                                                          \
        case 4: TILE(4)                                                                          \
        case 3: TILE(3)                                                                          \
        case 2: TILE(2)                                                                          \
        default: TILE(1)                                                                         \
      }                                                                                          \
      o += size;                                                                                 \
      tiles--;                                                                                   \
    }                                                                                            \
  }                                                                                              \
  TARGET static void depthwise_##ISA(const leap_blocked_windows *w, const float *image,          \
                                     const float *filter, const float *bias,                     \
                                     const float *residual, float low, float high,               \
                                     ptrdiff_t first, ptrdiff_t rows, float *output) {           \
    enum { LANES = W };                                                                          \
    const ptrdiff_t step = w->stride[1], taps = w->kernel[1], dilation = w->dilation[1];         \
    const range whole = inside(w->output[1], step, -w->pad[1],                                   \
                               w->input[1] - (taps - 1) * dilation);                             \
    const int kind = dilation == 1 && step <= 2 ? (int)(taps * 2 + step) : 0;                    \
    for (ptrdiff_t row = first; row < first + rows; row++) {                                     \
      const ptrdiff_t top = row * w->stride[0] - w->pad[0];                                      \
      const range height = inside(w->kernel[0], w->dilation[0], top, w->input[0]);               \
      const float *x = image + (top + height.begin * w->dilation[0]) * w->input[1] * LANES;      \
      const float *f = filter + height.begin * taps * LANES;                                     \
      const ptrdiff_t at = row * w->output[1] * LANES;                                           \
      const float *r = residual ? residual + at : NULL;                                          \
      float *y = output + at;                                                                    \
      switch (kind) {                                                                            \
        case 7: row_##ISA(w, x, f, bias, r, low, high, height, whole, 1, 3, 1, y); break;        \
        case 8: row_##ISA(w, x, f, bias, r, low, high, height, whole, 2, 3, 1, y); break;        \
        case 11: row_##ISA(w, x, f, bias, r, low, high, height, whole, 1, 5, 1, y); break;       \
        case 12: row_##ISA(w, x, f, bias, r, low, high, height, whole, 2, 5, 1, y); break;       \
        default:                                                                                 \
          row_##ISA(w, x, f, bias, r, low, high, height, whole, step, taps, dilation, y);        \
      }                                                                                          \
    }                                                                                            \
  }

#define MULTIPLY_ADD LEAP_SEPARATE
ROW(portable, , leap_f32x4, 4)
#undef MULTIPLY_ADD
#define MULTIPLY_ADD LEAP_FUSED
#if defined(__x86_64__)
ROW(avx2, LEAP_TARGET_AVX2, leap_f32x8, 8)
ROW(avx512, LEAP_TARGET_AVX512, leap_f32x16, 16)
#elif defined(__aarch64__)
ROW(neon, , leap_f32x4, 4)
#endif

void leap_blocked_depthwise(leap_isa isa, const leap_blocked_windows *w, const float *image,
                            const float *filter, const float *bias, const float *residual,
                            float low, float high, ptrdiff_t first, ptrdiff_t rows, float *output) {
  LEAP_CALL(isa, depthwise, w, image, filter, bias, residual, low, high, first, rows, output)
}
