// Windows over planes: maxima, averages and power means.
//
// 1. An output element is the same sequence of operations whatever lines are asked for: columns of the window first,
//    then across the columns.
// 2. Whole rows are combined first, so that loops over contiguous elements do most of the work.
// 3. Taps are clipped to the plane once for each row, so that a window of any size costs no more than its pixels.
#include "leap_pooling.h"

#include <math.h>

#include "elementwise_types.h"
#include "window_range.h"

// The taps of one axis that lie on the plane, for the window at `position`.
static range taps(const leap_pooling *p, int axis, ptrdiff_t position) {
  return inside(p->kernel[axis], p->dilation[axis], position * p->stride[axis] - p->pad[axis],
                p->input[axis]);
}

// The taps of one axis that an average divides by, for the window at `position`.
static double counted(const leap_pooling *p, int axis, ptrdiff_t position) {
  const range on_plane = taps(p, axis, position);
  if (!p->counts_padding) return (double)(on_plane.end - on_plane.begin);
  const ptrdiff_t rest = p->padded[axis] - (position * p->stride[axis] - p->pad[axis]);
  const ptrdiff_t count = rest <= 0 ? 0 : (rest + p->dilation[axis] - 1) / p->dilation[axis];
  return (double)(count < p->kernel[axis] ? count : p->kernel[axis]);
}

// The positions along the width whose taps all lie on the plane.
static range whole_windows(const leap_pooling *p) {
  return inside(p->output[2], p->stride[2], -p->pad[2],
                p->input[2] - (p->kernel[2] - 1) * p->dilation[2]);
}

// The input index of the first pixel in the row that tap (d, h) of an output line reads.
static ptrdiff_t row_start(const leap_pooling *p, ptrdiff_t line, ptrdiff_t d, ptrdiff_t h) {
  const ptrdiff_t z = line / p->output[1] * p->stride[0] - p->pad[0] + d * p->dilation[0];
  const ptrdiff_t y = line % p->output[1] * p->stride[1] - p->pad[1] + h * p->dilation[1];
  return (z * p->input[1] + y) * p->input[2];
}

// T: elements. A: what they are gathered in, from EMPTY on, by JOIN(a, TERM(p, v)). RESULT(p, a, n): the output element
// of n counted taps.
#define POOL(NAME, T, A, EMPTY, TERM, JOIN, RESULT)                                              \
  static void NAME##_columns(const leap_pooling *p, const T *x, ptrdiff_t line, A *row) {        \
    const range depth = taps(p, 0, line / p->output[1]), height = taps(p, 1, line % p->output[1]); \
    const ptrdiff_t width = p->input[2];                                                         \
    for (ptrdiff_t i = 0; i < width; i++) row[i] = EMPTY;                                        \
    for (ptrdiff_t d = depth.begin; d < depth.end; d++)                                          \
      for (ptrdiff_t h = height.begin; h < height.end; h++) {                                    \
        const T *source = x + row_start(p, line, d, h);                                          \
        for (ptrdiff_t i = 0; i < width; i++) row[i] = JOIN(row[i], TERM(p, source[i]));         \
      }                                                                                          \
  }                                                                                              \
  static void NAME##_border(const leap_pooling *p, const A *row, ptrdiff_t begin, ptrdiff_t end, \
                            double rows, T *y) {                                                 \
    for (ptrdiff_t o = begin; o < end; o++) {                                                    \
      const range width = taps(p, 2, o);                                                         \
      const ptrdiff_t start = o * p->stride[2] - p->pad[2];                                      \
      A all = EMPTY;                                                                             \
      for (ptrdiff_t t = width.begin; t < width.end; t++)                                        \
        all = JOIN(all, row[start + t * p->dilation[2]]);                                        \
      y[o] = RESULT(p, all, rows * counted(p, 2, o));                                            \
    }                                                                                            \
  }                                                                                              \
  static void NAME##_whole(const leap_pooling *p, const A *row, range whole, double rows,        \
                           A *all, T *y) {                                                       \
    const ptrdiff_t count = whole.end - whole.begin, stride = p->stride[2];                      \
    const double n = rows * (double)p->kernel[2];                                                \
    for (ptrdiff_t i = 0; i < count; i++) all[i] = EMPTY;                                        \
    for (ptrdiff_t t = 0; t < p->kernel[2] && count > 0; t++) {                                  \
      const A *from = row + whole.begin * stride - p->pad[2] + t * p->dilation[2];               \
      if (stride == 1) {                                                                         \
        for (ptrdiff_t i = 0; i < count; i++) all[i] = JOIN(all[i], from[i]);                    \
      } else {                                                                                   \
        for (ptrdiff_t i = 0; i < count; i++) all[i] = JOIN(all[i], from[i * stride]);           \
      }                                                                                          \
    }                                                                                            \
    for (ptrdiff_t i = 0; i < count; i++) y[whole.begin + i] = RESULT(p, all[i], n);             \
  }                                                                                              \
  static void NAME(const leap_pooling *p, const T *x, ptrdiff_t first, ptrdiff_t lines, A *row,  \
                   T *y) {                                                                       \
    const range whole = whole_windows(p);                                                        \
    for (ptrdiff_t line = first; line < first + lines; line++) {                                 \
      T *to = y + line * p->output[2];                                                           \
      const double rows =                                                                        \
          counted(p, 0, line / p->output[1]) * counted(p, 1, line % p->output[1]);               \
      NAME##_columns(p, x, line, row);                                                           \
      NAME##_border(p, row, 0, whole.begin, rows, to);                                           \
      NAME##_whole(p, row, whole, rows, row + p->input[2], to);                                  \
      NAME##_border(p, row, whole.end, p->output[2], rows, to);                                  \
    }                                                                                            \
  }

#define SELF(p, v) (v)
#define LARGER(m, v) ((v) > (m) || (v) != (v) ? (v) : (m))
#define SUM(a, b) ((a) + (b))
#define GATHERED(p, a, n) ((void)(n), (a))
#define MEAN(p, a, n) ((a) / (n))
#define POWER(p, v) power(fabs((double)(v)), (p)->exponent)
#define ROOT(p, a, n) ((void)(n), root((a), (p)->exponent))

static inline double power(double v, double exponent) {
  return exponent == 2 ? v * v : exponent == 1 ? v : pow(v, exponent);
}

static inline double root(double v, double exponent) {
  return exponent == 2 ? sqrt(v) : exponent == 1 ? v : pow(v, 1 / exponent);
}

POOL(f32_max, float, float, -INFINITY, SELF, LARGER, GATHERED)
POOL(f64_max, double, double, -INFINITY, SELF, LARGER, GATHERED)
POOL(i8_max, int8_t, int8_t, INT8_MIN, SELF, LARGER, GATHERED)
POOL(u8_max, uint8_t, uint8_t, 0, SELF, LARGER, GATHERED)
POOL(f32_average, float, double, 0, SELF, SUM, MEAN)
POOL(f64_average, double, double, 0, SELF, SUM, MEAN)
POOL(f32_power, float, double, 0, POWER, SUM, ROOT)
POOL(f64_power, double, double, 0, POWER, SUM, ROOT)

ptrdiff_t leap_pool_scratch(const leap_pooling *p) {
  return (p->input[2] + p->output[2]) * (ptrdiff_t)sizeof(double);
}

void leap_pool(leap_pool_kind kind, int type, const leap_pooling *p, const void *x,
               ptrdiff_t first, ptrdiff_t lines, void *scratch, void *y) {
  switch (kind) {
    case LEAP_POOL_MAX:
      switch (type) {
        case LEAP_F32: f32_max(p, x, first, lines, scratch, y); return;
        case LEAP_F64: f64_max(p, x, first, lines, scratch, y); return;
        case LEAP_I8: i8_max(p, x, first, lines, scratch, y); return;
        case LEAP_U8: u8_max(p, x, first, lines, scratch, y); return;
      }
      return;
    case LEAP_POOL_AVERAGE:
      switch (type) {
        case LEAP_F32: f32_average(p, x, first, lines, scratch, y); return;
        case LEAP_F64: f64_average(p, x, first, lines, scratch, y); return;
      }
      return;
    case LEAP_POOL_POWER:
      switch (type) {
        case LEAP_F32: f32_power(p, x, first, lines, scratch, y); return;
        case LEAP_F64: f64_power(p, x, first, lines, scratch, y); return;
      }
      return;
  }
}

// The index of a pixel, all coordinates known, by the order of leap_max_pool_indices.
static int64_t pixel_index(const leap_pooling *p, int column_major, ptrdiff_t z, ptrdiff_t y,
                           ptrdiff_t x) {
  return column_major ? z + p->input[0] * (y + p->input[1] * x)
                      : (z * p->input[1] + y) * p->input[2] + x;
}

#define MAX_INDICES(NAME, T, EMPTY)                                                           \
  static void NAME(const leap_pooling *p, const T *x, ptrdiff_t line, ptrdiff_t o,            \
                   int64_t base, int column_major, T *y, int64_t *index) {                    \
    const range depth = taps(p, 0, line / p->output[1]);                                      \
    const range height = taps(p, 1, line % p->output[1]);                                     \
    const range width = taps(p, 2, o);                                                        \
    T largest = EMPTY;                                                                        \
    ptrdiff_t place = -1;                                                                     \
    for (ptrdiff_t d = depth.begin; d < depth.end; d++)                                       \
      for (ptrdiff_t h = height.begin; h < height.end; h++) {                                 \
        const ptrdiff_t start = row_start(p, line, d, h) + o * p->stride[2] - p->pad[2];      \
        for (ptrdiff_t w = width.begin; w < width.end; w++) {                                 \
          const ptrdiff_t at = start + w * p->dilation[2];                                    \
          if (place >= 0 && !(x[at] > largest || (x[at] != x[at] && largest == largest)))     \
            continue;                                                                         \
          largest = x[at];                                                                    \
          place = at;                                                                         \
        }                                                                                     \
      }                                                                                       \
    const ptrdiff_t rows = p->input[2] > 0 ? place / p->input[2] : 0;                         \
    *y = largest;                                                                             \
    *index = place < 0 ? -1                                                                   \
                       : base + pixel_index(p, column_major, rows / p->input[1],              \
                                            rows % p->input[1], place % p->input[2]);         \
  }                                                                                           \
  static void NAME##_lines(const leap_pooling *p, const T *x, ptrdiff_t first,                \
                           ptrdiff_t lines, int64_t base, int column_major, T *y,             \
                           int64_t *indices) {                                                \
    for (ptrdiff_t line = first; line < first + lines; line++)                                \
      for (ptrdiff_t o = 0; o < p->output[2]; o++) {                                          \
        const ptrdiff_t at = line * p->output[2] + o;                                         \
        NAME(p, x, line, o, base, column_major, y + at, indices + at);                        \
      }                                                                                       \
  }

MAX_INDICES(f32_max_index, float, -INFINITY)
MAX_INDICES(f64_max_index, double, -INFINITY)
MAX_INDICES(i8_max_index, int8_t, INT8_MIN)
MAX_INDICES(u8_max_index, uint8_t, 0)

void leap_max_pool_indices(int type, const leap_pooling *p, const void *x, ptrdiff_t first,
                           ptrdiff_t lines, int64_t base, int column_major, void *y,
                           int64_t *indices) {
  switch (type) {
    case LEAP_F32: f32_max_index_lines(p, x, first, lines, base, column_major, y, indices); return;
    case LEAP_F64: f64_max_index_lines(p, x, first, lines, base, column_major, y, indices); return;
    case LEAP_I8: i8_max_index_lines(p, x, first, lines, base, column_major, y, indices); return;
    case LEAP_U8: u8_max_index_lines(p, x, first, lines, base, column_major, y, indices); return;
  }
}
