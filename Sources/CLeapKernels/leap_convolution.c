// Convolutions: im2col, col2im and the depthwise kernel.
//
// 1. Each output element's sum runs over the taps in row-major order, whatever range of pixels is asked for.
// 2. Ranges are clipped once for each row, so that inner loops carry no conditions.
#include "leap_convolution.h"

#include <stdint.h>
#include <string.h>

#include "window_range.h"

static ptrdiff_t tap_offset(const leap_convolution *c, int axis, ptrdiff_t tap) {
  return tap * c->dilation[axis] - c->pad[axis];
}

static int is_inside(ptrdiff_t position, ptrdiff_t extent) {
  return position >= 0 && position < extent;
}

// Pixels [first, last) of one tap of one channel.
#define IM2COL(NAME, T)                                                                       \
  static void NAME(const leap_convolution *c, const T *image, const ptrdiff_t tap[3],         \
                   ptrdiff_t first, ptrdiff_t pixels, T *to) {                                \
    const ptrdiff_t columns = c->output[2], last = first + pixels, stride = c->stride[2];     \
    const ptrdiff_t offset = tap_offset(c, 2, tap[2]);                                        \
    const range valid = inside(columns, stride, offset, c->input[2]);                         \
    for (ptrdiff_t pixel = first; pixel < last;) {                                            \
      const ptrdiff_t line = pixel / columns, x = pixel % columns;                            \
      const ptrdiff_t end = x + (last - pixel) < columns ? x + (last - pixel) : columns;      \
      const ptrdiff_t d = line / c->output[1] * c->stride[0] + tap_offset(c, 0, tap[0]);      \
      const ptrdiff_t h = line % c->output[1] * c->stride[1] + tap_offset(c, 1, tap[1]);      \
      ptrdiff_t from = valid.begin > x ? valid.begin : x;                                     \
      ptrdiff_t until = valid.end < end ? valid.end : end;                                    \
      if (!is_inside(d, c->input[0]) || !is_inside(h, c->input[1]) || from >= until)          \
        from = until = end;                                                                   \
      ptrdiff_t o = x;                                                                        \
      for (; o < from; o++) to[o - x] = 0;                                                    \
      if (until > from) {                                                                     \
        const T *row = image + (d * c->input[1] + h) * c->input[2] + offset;                  \
        if (stride == 1) {                                                                    \
          memcpy(to + (from - x), row + from, (size_t)(until - from) * sizeof(T));            \
        } else {                                                                              \
          for (o = from; o < until; o++) to[o - x] = row[o * stride];                         \
        }                                                                                     \
        for (o = until; o < end; o++) to[o - x] = 0;                                          \
      }                                                                                       \
      to += end - x;                                                                          \
      pixel += end - x;                                                                       \
    }                                                                                         \
  }

IM2COL(im2col_4, uint32_t)
IM2COL(im2col_8, uint64_t)

void leap_im2col(int width, const leap_convolution *c, ptrdiff_t channels, ptrdiff_t first,
                 ptrdiff_t pixels, const void *image, void *matrix) {
  const ptrdiff_t plane = c->input[0] * c->input[1] * c->input[2];
  ptrdiff_t row = 0, tap[3];
  for (ptrdiff_t channel = 0; channel < channels; channel++)
    for (tap[0] = 0; tap[0] < c->kernel[0]; tap[0]++)
      for (tap[1] = 0; tap[1] < c->kernel[1]; tap[1]++)
        for (tap[2] = 0; tap[2] < c->kernel[2]; tap[2]++, row++) {
          if (width == 4)
            im2col_4(c, (const uint32_t *)image + channel * plane, tap, first, pixels,
                     (uint32_t *)matrix + row * pixels);
          else
            im2col_8(c, (const uint64_t *)image + channel * plane, tap, first, pixels,
                     (uint64_t *)matrix + row * pixels);
        }
}

// One tap over one output row.
#define DEPTHWISE(NAME, T)                                                                     \
  static void NAME##_row(const leap_convolution *c, const T *source, T weight, ptrdiff_t tap,  \
                         T *to) {                                                              \
    const ptrdiff_t offset = tap_offset(c, 2, tap), stride = c->stride[2];                     \
    const range valid = inside(c->output[2], stride, offset, c->input[2]);                     \
    if (stride == 1) {                                                                         \
      for (ptrdiff_t x = valid.begin; x < valid.end; x++) to[x] += weight * source[x + offset]; \
    } else {                                                                                   \
      for (ptrdiff_t x = valid.begin; x < valid.end; x++)                                      \
        to[x] += weight * source[x * stride + offset];                                         \
    }                                                                                          \
  }                                                                                            \
  void NAME(const leap_convolution *c, const T *image, const T *filter, T *plane) {            \
    for (ptrdiff_t z = 0; z < c->output[0]; z++)                                               \
      for (ptrdiff_t y = 0; y < c->output[1]; y++) {                                           \
        T *to = plane + (z * c->output[1] + y) * c->output[2];                                 \
        memset(to, 0, (size_t)c->output[2] * sizeof(T));                                       \
        for (ptrdiff_t kd = 0; kd < c->kernel[0]; kd++)                                        \
          for (ptrdiff_t kh = 0; kh < c->kernel[1]; kh++) {                                    \
            const ptrdiff_t d = z * c->stride[0] + tap_offset(c, 0, kd);                       \
            const ptrdiff_t h = y * c->stride[1] + tap_offset(c, 1, kh);                       \
            if (!is_inside(d, c->input[0]) || !is_inside(h, c->input[1])) continue;            \
            const T *source = image + (d * c->input[1] + h) * c->input[2];                     \
            const T *weights = filter + (kd * c->kernel[1] + kh) * c->kernel[2];               \
            for (ptrdiff_t kw = 0; kw < c->kernel[2]; kw++)                                    \
              NAME##_row(c, source, weights[kw], kw, to);                                      \
          }                                                                                    \
      }                                                                                        \
  }

DEPTHWISE(leap_f32_depthwise, float)
DEPTHWISE(leap_f64_depthwise, double)

// One tap: every input pixel lands at most once, so that no sum depends on the order of pixels.
#define COL2IM(NAME, T)                                                                         \
  static void NAME##_tap(const leap_convolution *c, const T *source, const ptrdiff_t tap[3],    \
                         T *plane) {                                                            \
    const ptrdiff_t columns = c->input[2], stride = c->stride[2];                               \
    const ptrdiff_t offset = tap_offset(c, 2, tap[2]);                                          \
    const range valid = inside(columns, stride, offset, c->output[2]);                          \
    for (ptrdiff_t z = 0; z < c->input[0]; z++)                                                 \
      for (ptrdiff_t y = 0; y < c->input[1]; y++) {                                             \
        const ptrdiff_t d = z * c->stride[0] + tap_offset(c, 0, tap[0]);                        \
        const ptrdiff_t h = y * c->stride[1] + tap_offset(c, 1, tap[1]);                        \
        if (!is_inside(d, c->output[0]) || !is_inside(h, c->output[1])) continue;               \
        const T *from = source + (z * c->input[1] + y) * columns;                               \
        T *to = plane + (d * c->output[1] + h) * c->output[2];                                  \
        for (ptrdiff_t x = valid.begin; x < valid.end; x++) to[x * stride + offset] += from[x]; \
      }                                                                                         \
  }                                                                                             \
  void NAME(const leap_convolution *c, const T *rows, T *plane) {                               \
    const ptrdiff_t inputs = c->input[0] * c->input[1] * c->input[2];                           \
    memset(plane, 0, (size_t)(c->output[0] * c->output[1] * c->output[2]) * sizeof(T));         \
    ptrdiff_t tap[3];                                                                           \
    for (tap[0] = 0; tap[0] < c->kernel[0]; tap[0]++)                                           \
      for (tap[1] = 0; tap[1] < c->kernel[1]; tap[1]++)                                         \
        for (tap[2] = 0; tap[2] < c->kernel[2]; tap[2]++) {                                     \
          NAME##_tap(c, rows, tap, plane);                                                      \
          rows += inputs;                                                                       \
        }                                                                                       \
  }

COL2IM(leap_f32_col2im, float)
COL2IM(leap_f64_col2im, double)
