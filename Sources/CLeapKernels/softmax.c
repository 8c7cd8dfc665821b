// softmax.c: the loops of leap_softmax.h.
#include "leap_softmax.h"

#include "elementwise_types.h"

/// Elements after which a sum is cut.
enum { LONGEST = 64 << 10 };

/// The sum of a run, or of the exponentials of its differences from a maximum.
static double total(int32_t type, ptrdiff_t width, const void *x, ptrdiff_t count, const double *maximum) {
  double sum = 0;
  for (ptrdiff_t start = 0; start < count; start += LONGEST) {
    const ptrdiff_t length = count - start < LONGEST ? count - start : LONGEST;
    const char *piece = (const char *)x + start * width;
    if (maximum) leap_reduce_exp_run(type, piece, length, maximum, &sum);
    else leap_reduce_run(type, LEAP_REDUCE_SUM, piece, length, &sum);
  }
  return sum;
}

// The exponential of a difference. What the difference loses to rounding, up to 8 units in the last place of e^-20, is put back
// (the error of a sum: Knuth, The Art of Computer Programming 2, 4.2.2); so little is left of less that it does not matter.
#define SHIFTED_EXP(T, S)                                                                                  \
  static inline T shifted_exp_##S(T x, T maximum) {                                                        \
    const T difference = x - maximum, part = difference - x;                                               \
    const T lost = (x - (difference - part)) + (-maximum - part);                                          \
    return leap_exp_sum##S(difference, difference > -88 ? lost : 0);                                       \
  }

SHIFTED_EXP(float, f)
SHIFTED_EXP(double, d)

// Whether an element takes the place of the largest before it: NaN counts as larger than any number.
#define IS_LARGER(v, best) ((v) > (best) || ((v) != (v) && (best) == (best)))

#define FUNCTIONS(T, S, TYPE)                                                                              \
  static void softmax_run_##S(enum leap_softmax function, const T *x, T *y, ptrdiff_t count) {             \
    if (function == LEAP_HARDMAX) {                                                                        \
      ptrdiff_t best = 0;                                                                                  \
      for (ptrdiff_t i = 1; i < count; i++)                                                                \
        if (IS_LARGER(x[i], x[best])) best = i;                                                            \
      for (ptrdiff_t i = 0; i < count; i++) y[i] = i == best;                                              \
      return;                                                                                              \
    }                                                                                                      \
    double maximum = -(double)INFINITY;                                                                    \
    leap_reduce_run(TYPE, LEAP_REDUCE_MAX, x, count, &maximum);                                            \
    const T m = (T)maximum;                                                                                \
    if (function == LEAP_LOG_SOFTMAX) {                                                                    \
      const T shift = (T)log(total(TYPE, sizeof(T), x, count, &maximum));                                  \
      LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) y[i] = (x[i] - m) - shift;                    \
      return;                                                                                              \
    }                                                                                                      \
    LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) y[i] = shifted_exp_##S(x[i], m);                \
    const double scale = 1 / total(TYPE, sizeof(T), y, count, 0);                                          \
    LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) y[i] = (T)(y[i] * scale);                       \
  }                                                                                                        \
                                                                                                           \
  static void hardmax_columns_##S(                                                                         \
      const T *x, T *y, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, int64_t *best) {          \
    for (ptrdiff_t j = 0; j < columns; j++) best[j] = 0;                                                   \
    for (ptrdiff_t row = 1; row < rows; row++)                                                             \
      for (ptrdiff_t j = 0; j < columns; j++)                                                              \
        if (IS_LARGER(x[row * row_stride + j], x[best[j] * row_stride + j])) best[j] = row;                \
    for (ptrdiff_t row = 0; row < rows; row++)                                                             \
      for (ptrdiff_t j = 0; j < columns; j++) y[row * row_stride + j] = best[j] == row;                    \
  }                                                                                                        \
                                                                                                           \
  static void log_softmax_columns_##S(                                                                     \
      const T *x, T *y, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, const double *maxima,     \
      double *sums) {                                                                                      \
    leap_reduce_exp_rows(TYPE, x, rows, row_stride, columns, maxima, sums);                                \
    for (ptrdiff_t j = 0; j < columns; j++) sums[j] = log(sums[j]);                                        \
    for (ptrdiff_t row = 0; row < rows; row++) {                                                           \
      const T *p = x + row * row_stride;                                                                   \
      T *r = y + row * row_stride;                                                                         \
      LEAP_INDEPENDENT for (ptrdiff_t j = 0; j < columns; j++) r[j] = (p[j] - (T)maxima[j]) - (T)sums[j];  \
    }                                                                                                      \
  }                                                                                                        \
                                                                                                           \
  static void softmax_columns_##S(                                                                         \
      const T *x, T *y, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, const double *maxima,     \
      double *sums) {                                                                                      \
    for (ptrdiff_t row = 0; row < rows; row++) {                                                           \
      const T *p = x + row * row_stride;                                                                   \
      T *r = y + row * row_stride;                                                                         \
      LEAP_INDEPENDENT for (ptrdiff_t j = 0; j < columns; j++) {                                           \
        const T e = shifted_exp_##S(p[j], (T)maxima[j]);                                                   \
        r[j] = e;                                                                                          \
        sums[j] += e;                                                                                      \
      }                                                                                                    \
    }                                                                                                      \
    for (ptrdiff_t j = 0; j < columns; j++) sums[j] = 1 / sums[j];                                         \
    for (ptrdiff_t row = 0; row < rows; row++) {                                                           \
      T *r = y + row * row_stride;                                                                         \
      LEAP_INDEPENDENT for (ptrdiff_t j = 0; j < columns; j++) r[j] = (T)(r[j] * sums[j]);                 \
    }                                                                                                      \
  }                                                                                                        \
                                                                                                           \
  static void columns_##S(                                                                                 \
      enum leap_softmax function, const T *x, T *y, ptrdiff_t rows, ptrdiff_t row_stride,                  \
      ptrdiff_t columns, void *scratch) {                                                                  \
    if (function == LEAP_HARDMAX) {                                                                        \
      hardmax_columns_##S(x, y, rows, row_stride, columns, scratch);                                       \
      return;                                                                                              \
    }                                                                                                      \
    double *maxima = scratch;                                                                              \
    double *sums = maxima + columns;                                                                       \
    leap_reduce_start(TYPE, LEAP_REDUCE_MAX, maxima, columns);                                             \
    leap_reduce_rows(TYPE, LEAP_REDUCE_MAX, x, rows, row_stride, columns, maxima);                         \
    leap_reduce_start(TYPE, LEAP_REDUCE_SUM, sums, columns);                                               \
    if (function == LEAP_LOG_SOFTMAX) log_softmax_columns_##S(x, y, rows, row_stride, columns, maxima, sums); \
    else softmax_columns_##S(x, y, rows, row_stride, columns, maxima, sums);                               \
  }

FUNCTIONS(float, f, LEAP_F32)
FUNCTIONS(double, d, LEAP_F64)

void leap_softmax_run(int32_t type, enum leap_softmax function, const void *x, void *y, ptrdiff_t count) {
  if (type == LEAP_F32) softmax_run_f(function, x, y, count);
  else softmax_run_d(function, x, y, count);
}

void leap_softmax_columns(
    int32_t type, enum leap_softmax function, const void *x, void *y, ptrdiff_t rows, ptrdiff_t row_stride,
    ptrdiff_t columns, void *scratch) {
  if (type == LEAP_F32) columns_f(function, x, y, rows, row_stride, columns, scratch);
  else columns_d(function, x, y, rows, row_stride, columns, scratch);
}
