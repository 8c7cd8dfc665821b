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

// COUNT output pixels of a row, from column `o` on; `step` is the stride, a constant where the function is inlined.
#define TILE(COUNT)                                                                              \
  {                                                                                              \
    V all[COUNT];                                                                                \
    LEAP_UNROLL for (int p = 0; p < COUNT; p++) all[p] = (V)(0);                                 \
    const float *line = image                                                                    \
                        + ((row * w->stride[0] - w->pad[0] + height.begin * w->dilation[0])      \
                               * w->input[1]                                                     \
                           + o * step - w->pad[1] + width.begin * w->dilation[1])                \
                              * LANES;                                                           \
    const float *weights = filter + (height.begin * w->kernel[1] + width.begin) * LANES;         \
    for (ptrdiff_t r = height.begin; r < height.end; r++) {                                      \
      const float *x = line, *tap = weights;                                                     \
      for (ptrdiff_t c = width.begin; c < width.end; c++) {                                      \
        const V v = *(const V *)tap;                                                             \
        LEAP_UNROLL for (int p = 0; p < COUNT; p++)                                              \
          all[p] = MULTIPLY_ADD(*(const V *)(x + p * step * LANES), v, all[p]);                  \
        x += w->dilation[1] * LANES;                                                             \
        tap += LANES;                                                                            \
      }                                                                                          \
      line += w->dilation[0] * w->input[1] * LANES;                                              \
      weights += w->kernel[1] * LANES;                                                           \
    }                                                                                            \
    LEAP_UNROLL for (int p = 0; p < COUNT; p++) {                                                \
      const ptrdiff_t at = (row * w->output[1] + o + p) * LANES;                                 \
      V y = all[p];                                                                              \
      if (bias) y += *(const V *)bias;                                                           \
      if (residual) y += *(const V *)(residual + at);                                            \
      y = y < low ? low : y;                                                                     \
      y = y > high ? high : y;                                                                   \
      *(V *)(output + at) = y;                                                                   \
    }                                                                                            \
    o += COUNT;                                                                                  \
    break;                                                                                       \
  }

#define ROW(ISA, TARGET, VECTOR, W)                                                              \
  TARGET INLINE void row_##ISA(const leap_blocked_windows *w, const float *image,                \
                               const float *filter, const float *bias, const float *residual,    \
                               float lowest, float highest, ptrdiff_t row, ptrdiff_t step,       \
                               float *output) {                                                  \
    typedef VECTOR V;                                                                            \
    enum { LANES = W };                                                                          \
    const V low = (V)(lowest), high = (V)(highest);                                              \
    const range height = inside(w->kernel[0], w->dilation[0], row * w->stride[0] - w->pad[0],    \
                                w->input[0]);                                                    \
    const range whole = inside(w->output[1], step, -w->pad[1],                                   \
                               w->input[1] - (w->kernel[1] - 1) * w->dilation[1]);               \
    for (ptrdiff_t o = 0; o < w->output[1];) {                                                   \
      const range width = inside(w->kernel[1], w->dilation[1], o * step - w->pad[1], w->input[1]); \
      const ptrdiff_t count = o < whole.begin ? 0 : whole.end - o;                               \
      const ptrdiff_t tiles = (count + 7) / 8;                                                   \
      switch (count <= 0 ? 1 : (count + tiles - 1) / tiles) {                                    \
        case 8: TILE(8)                                                                          \
        case 7: TILE(7)                                                                          \
        case 6: TILE(6)                                                                          \
        case 5: TILE(5)                                                                          \
        case 4: TILE(4)                                                                          \
        case 3: TILE(3)                                                                          \
        case 2: TILE(2)                                                                          \
        default: TILE(1)                                                                         \
      }                                                                                          \
    }                                                                                            \
  }                                                                                              \
  TARGET static void depthwise_##ISA(const leap_blocked_windows *w, const float *image,          \
                                     const float *filter, const float *bias,                     \
                                     const float *residual, float low, float high,               \
                                     ptrdiff_t first, ptrdiff_t rows, float *output) {           \
    for (ptrdiff_t row = first; row < first + rows; row++) {                                     \
      switch (w->stride[1]) {                                                                    \
        case 1: row_##ISA(w, image, filter, bias, residual, low, high, row, 1, output); break;   \
        case 2: row_##ISA(w, image, filter, bias, residual, low, high, row, 2, output); break;   \
        default:                                                                                 \
          row_##ISA(w, image, filter, bias, residual, low, high, row, w->stride[1], output);     \
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
