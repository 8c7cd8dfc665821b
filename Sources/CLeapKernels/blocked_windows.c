// Windows over blocked images: maxima, averages.
//
// 1. An output vector is the same sequence of operations whichever rows are asked for and wherever it lies in one: the
//    taps that lie on the image, in order.
// 2. Four pixels at a time where all their taps lie on the image; one at a time at the edges.
#include "leap_blocked_windows.h"

#include <math.h>

#include "instruction_sets.h"
#include "window_range.h"

#define PIXELS 4

// The taps of one axis that lie on the image, for the window at `position`.
static range taps(const leap_blocked_windows *w, int axis, ptrdiff_t position) {
  return inside(w->kernel[axis], w->dilation[axis], position * w->stride[axis] - w->pad[axis],
                w->input[axis]);
}

// The taps of one axis that an average divides by.
static ptrdiff_t counted(const leap_blocked_windows *w, int axis, ptrdiff_t position) {
  const range on_image = taps(w, axis, position);
  if (!w->counts_padding) return on_image.end - on_image.begin;
  const ptrdiff_t rest = w->padded[axis] - (position * w->stride[axis] - w->pad[axis]);
  const ptrdiff_t count = rest <= 0 ? 0 : (rest + w->dilation[axis] - 1) / w->dilation[axis];
  return count < w->kernel[axis] ? count : w->kernel[axis];
}

// COUNT output pixels from column `o` on, taps `height` x `width`. TERM(all, x) gathers a pixel, `all` begins with EMPTY; FINISH
// turns it into the value that is stored.
#define PIXELS_OF_ROW(COUNT, EMPTY, TERM, FINISH)                                                 \
  {                                                                                               \
    V all[COUNT];                                                                                 \
    LEAP_UNROLL for (int p = 0; p < COUNT; p++) all[p] = EMPTY;                                   \
    for (ptrdiff_t r = height.begin; r < height.end; r++)                                         \
      for (ptrdiff_t c = width.begin; c < width.end; c++) {                                       \
        const float *from = image + ((row * w->stride[0] - w->pad[0] + r * w->dilation[0])        \
                                         * w->input[1]                                            \
                                     + o * w->stride[1] - w->pad[1] + c * w->dilation[1])         \
                                        * LANES;                                                  \
        LEAP_UNROLL for (int p = 0; p < COUNT; p++) {                                             \
          const V x = *(const V *)(from + p * w->stride[1] * LANES);                              \
          all[p] = TERM(all[p], x);                                                               \
        }                                                                                         \
      }                                                                                           \
    LEAP_UNROLL for (int p = 0; p < COUNT; p++) {                                                 \
      const ptrdiff_t at = (row * w->output[1] + o + p) * LANES;                                  \
      *(V *)(output + at) = FINISH(all[p]);                                                       \
    }                                                                                             \
    o += COUNT;                                                                                   \
  }

// All pixels of output rows [first, first + rows). COUNTED(taps of a row) says what an average divides by.
#define ROWS(EMPTY, TERM, COUNTED, FINISH)                                                    \
  const range whole = inside(w->output[1], w->stride[1], -w->pad[1],                          \
                             w->input[1] - (w->kernel[1] - 1) * w->dilation[1]);              \
  for (ptrdiff_t row = first; row < first + rows; row++) {                                    \
    const range height = taps(w, 0, row);                                                     \
    const V all_taps = COUNTED(w->kernel[1]);                                                 \
    for (ptrdiff_t o = 0; o < w->output[1];) {                                                \
      if (o >= whole.begin && o + PIXELS <= whole.end) {                                      \
        const range width = {0, w->kernel[1]};                                                \
        const V divisor = all_taps;                                                           \
        PIXELS_OF_ROW(PIXELS, EMPTY, TERM, FINISH)                                            \
      } else {                                                                                \
        const range width = taps(w, 1, o);                                                    \
        const V divisor = COUNTED(counted(w, 1, o));                                          \
        PIXELS_OF_ROW(1, EMPTY, TERM, FINISH)                                                 \
      }                                                                                       \
    }                                                                                         \
  }

#define LARGER(ALL, X) ((((X) > (ALL)) | ((X) != (X))) ? (X) : (ALL))
#define SUM(ALL, X) ((ALL) + (X))
#define NOT_COUNTED(COLUMNS) ((V)(1))
#define COUNTED_TAPS(COLUMNS) ((V)((float)(counted(w, 0, row) * (COLUMNS))))
#define KEEP(Y) ((void)divisor, (Y))
#define DIVIDE(Y) ((Y) / divisor)

#define INSTANCE(ISA, TARGET, VECTOR, W, MULTIPLY_ADD)                                              \
  TARGET static void max_##ISA(const leap_blocked_windows *w, const float *image, ptrdiff_t first,  \
                               ptrdiff_t rows, float *output) {                                     \
    typedef VECTOR V;                                                                               \
    enum { LANES = W };                                                                             \
    ROWS((V)(-INFINITY), LARGER, NOT_COUNTED, KEEP)                                                 \
  }                                                                                                 \
  TARGET static void average_##ISA(const leap_blocked_windows *w, const float *image,               \
                                   ptrdiff_t first, ptrdiff_t rows, float *output) {                \
    typedef VECTOR V;                                                                               \
    enum { LANES = W };                                                                             \
    ROWS((V)(0), SUM, COUNTED_TAPS, DIVIDE)                                                         \
  }                                                                                                 \
  TARGET static void mean_##ISA(ptrdiff_t rows, ptrdiff_t columns, const float *image,              \
                                float *output) {                                                    \
    typedef VECTOR V;                                                                               \
    V all = (V)(0);                                                                                 \
    for (ptrdiff_t r = 0; r < rows; r++) {                                                          \
      V row = (V)(0);                                                                               \
      for (ptrdiff_t c = 0; c < columns; c++, image += W) row += *(const V *)image;                 \
      all += row;                                                                                   \
    }                                                                                               \
    *(V *)output = all / (V)((float)(rows * columns));                                              \
  }                                                                                                 \
  TARGET static void resize_row_##ISA(                                                              \
      ptrdiff_t row_taps, const float *const *rows, const float *row_weights, ptrdiff_t columns,    \
      const int32_t *first, ptrdiff_t column_taps, const float *column_weights, float *output) {    \
    typedef VECTOR V;                                                                               \
    for (ptrdiff_t o = 0; o < columns; o++) {                                                       \
      V all = (V)(0);                                                                               \
      for (ptrdiff_t t = 0; t < column_taps; t++) {                                                 \
        const ptrdiff_t at = (first[o] + t) * W;                                                    \
        V column = *(const V *)(rows[0] + at);                                                      \
        if (row_weights) column *= (V)(row_weights[0]);                                             \
        for (ptrdiff_t r = 1; r < row_taps; r++)                                                    \
          column += (V)(row_weights[r]) * *(const V *)(rows[r] + at);                               \
        if (column_weights) column *= (V)(column_weights[o * column_taps + t]);                     \
        all = t == 0 ? column : all + column;                                                       \
      }                                                                                             \
      *(V *)(output + o * W) = all;                                                                 \
    }                                                                                               \
  }

LEAP_FOR_EACH_ISA(INSTANCE)

void leap_blocked_max(leap_isa isa, const leap_blocked_windows *w, const float *image, ptrdiff_t first,
                      ptrdiff_t rows, float *output) {
  LEAP_CALL(isa, max, w, image, first, rows, output)
}

void leap_blocked_average(leap_isa isa, const leap_blocked_windows *w, const float *image,
                          ptrdiff_t first, ptrdiff_t rows, float *output) {
  LEAP_CALL(isa, average, w, image, first, rows, output)
}

void leap_blocked_mean(leap_isa isa, ptrdiff_t rows, ptrdiff_t columns, const float *image,
                       float *output) {
  LEAP_CALL(isa, mean, rows, columns, image, output)
}

void leap_blocked_resize_row(leap_isa isa, ptrdiff_t row_taps, const float *const *rows,
                             const float *row_weights, ptrdiff_t columns, const int32_t *first,
                             ptrdiff_t column_taps, const float *column_weights, float *output) {
  LEAP_CALL(isa, resize_row, row_taps, rows, row_weights, columns, first, column_taps, column_weights,
            output)
}
