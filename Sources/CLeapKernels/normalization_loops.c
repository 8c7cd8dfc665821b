// normalization_loops.c: deviations from means, standardisation, local response normalisation.
#include "elementwise_types.h"
#include "leap_normalization.h"

enum { LANES = 8 };

#define DEVIATIONS(S, T)                                                                                   \
  static void deviations_run_##S(const T *x, ptrdiff_t count, double mean, double *sum) {                  \
    double lanes[LANES] = {0};                                                                             \
    const ptrdiff_t whole = count / LANES * LANES;                                                         \
    for (ptrdiff_t i = 0; i < whole; i += LANES)                                                           \
      for (int lane = 0; lane < LANES; lane++) {                                                           \
        const double d = (double)x[i + lane] - mean;                                                       \
        lanes[lane] += d * d;                                                                              \
      }                                                                                                    \
    for (ptrdiff_t i = whole; i < count; i++) {                                                            \
      const double d = (double)x[i] - mean;                                                                \
      lanes[i - whole] += d * d;                                                                           \
    }                                                                                                      \
    for (int lane = 0; lane < LANES; lane++) *sum += lanes[lane];                                          \
  }                                                                                                        \
                                                                                                           \
  static void deviations_rows_##S(                                                                         \
      const T *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, const double *means,            \
      double *sums) {                                                                                      \
    for (ptrdiff_t row = 0; row < rows; row++) {                                                           \
      const T *p = x + row * row_stride;                                                                   \
      LEAP_INDEPENDENT for (ptrdiff_t j = 0; j < columns; j++) {                                           \
        const double d = (double)p[j] - means[j];                                                          \
        sums[j] += d * d;                                                                                  \
      }                                                                                                    \
    }                                                                                                      \
  }                                                                                                        \
                                                                                                           \
  static void standardize_rows_##S(                                                                        \
      const T *x, T *y, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, const double *means,      \
      const double *factors) {                                                                             \
    for (ptrdiff_t row = 0; row < rows; row++) {                                                           \
      const T *p = x + row * row_stride;                                                                   \
      T *r = y + row * row_stride;                                                                         \
      LEAP_INDEPENDENT for (ptrdiff_t j = 0; j < columns; j++)                                             \
          r[j] = (T)(((double)p[j] - means[j]) * factors[j]);                                              \
    }                                                                                                      \
  }

DEVIATIONS(f, float)
DEVIATIONS(d, double)

void leap_deviations_run(int32_t type, const void *x, ptrdiff_t count, double mean, double *sum) {
  if (type == LEAP_F32) deviations_run_f(x, count, mean, sum);
  else deviations_run_d(x, count, mean, sum);
}

void leap_deviations_rows(
    int32_t type, const void *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, const double *means,
    double *sums) {
  if (type == LEAP_F32) deviations_rows_f(x, rows, row_stride, columns, means, sums);
  else deviations_rows_d(x, rows, row_stride, columns, means, sums);
}

void leap_standardize_rows(
    int32_t type, const void *x, void *y, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns,
    const double *means, const double *factors) {
  if (type == LEAP_F32) standardize_rows_f(x, y, rows, row_stride, columns, means, factors);
  else standardize_rows_d(x, y, rows, row_stride, columns, means, factors);
}

#define STANDARDIZE_LOOP(SCALE, BIAS)                                      \
  LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++)                   \
      r[i] = ((p[i] - m) * a + b) * (SCALE) + (BIAS)

// The mean is rounded to the element's type, so that the difference from it is exact where it matters; what the rounding
// took comes back with the correction b.
#define STANDARDIZE(S, T, V, C)                                                                            \
  static void standardize_##S(                                                                             \
      const T *p, V *r, ptrdiff_t count, double mean, double factor, const V *scale, ptrdiff_t ss,         \
      const V *bias, ptrdiff_t sb) {                                                                       \
    const C m = (C)mean, a = (C)factor, b = (C)(((double)m - mean) * factor);                              \
    const C one = scale ? scale[0] : 1, zero = bias ? bias[0] : 0;                                         \
    const int scales = scale && ss != 0, shifts = bias && sb != 0;                                         \
    if (!scales && !shifts) STANDARDIZE_LOOP(one, zero);                                                   \
    else if (ss == 1 && !shifts) STANDARDIZE_LOOP(scale[i], zero);                                         \
    else if (ss == 1 && sb == 1 && scales) STANDARDIZE_LOOP(scale[i], bias[i]);                            \
    else                                                                                                   \
      STANDARDIZE_LOOP(scales ? scale[i * ss] : one, shifts ? bias[i * sb] : zero);                        \
  }

STANDARDIZE(ff, float, float, float)
STANDARDIZE(fd, float, double, double)
STANDARDIZE(df, double, float, double)
STANDARDIZE(dd, double, double, double)

void leap_standardize_run(
    int32_t type, int32_t result, const void *x, void *y, ptrdiff_t count, double mean, double factor,
    const void *scale, ptrdiff_t ss, const void *bias, ptrdiff_t sb) {
  if (count == 0) return;
  if (type == LEAP_F32) {
    if (result == LEAP_F32) standardize_ff(x, y, count, mean, factor, scale, ss, bias, sb);
    else standardize_fd(x, y, count, mean, factor, scale, ss, bias, sb);
  } else if (result == LEAP_F32) {
    standardize_df(x, y, count, mean, factor, scale, ss, bias, sb);
  } else {
    standardize_dd(x, y, count, mean, factor, scale, ss, bias, sb);
  }
}

/// The first and the last channel but one whose squares go into that of channel c.
#define FIRST(c) ((c) > (size - 1) / 2 ? (c) - (size - 1) / 2 : 0)
#define END(c) ((c) + size / 2 + 1 < channels ? (c) + size / 2 + 1 : channels)

enum { TILE = 64 };

// Powers by square roots for the exponent that ONNX takes by default: libm's pow is fifty times slower.
#define RESPONSE(S, T)                                                                                     \
  static void response_##S(                                                                                \
      const T *x, T *y, ptrdiff_t channels, ptrdiff_t stride, ptrdiff_t count, ptrdiff_t size,             \
      double alpha, double beta, double bias) {                                                            \
    const double share = alpha / (double)size;                                                             \
    for (ptrdiff_t c = 0; c < channels; c++) {                                                             \
      double base[TILE] = {0};                                                                             \
      for (ptrdiff_t near = FIRST(c); near < END(c); near++)                                               \
        for (ptrdiff_t j = 0; j < count; j++) {                                                            \
          const double v = x[near * stride + j];                                                           \
          base[j] += v * v;                                                                                \
        }                                                                                                  \
      for (ptrdiff_t j = 0; j < count; j++) base[j] = bias + share * base[j];                              \
      const T *p = x + c * stride;                                                                         \
      T *r = y + c * stride;                                                                               \
      if (beta == 0.75)                                                                                    \
        for (ptrdiff_t j = 0; j < count; j++) r[j] = (T)(p[j] / (sqrt(base[j]) * sqrt(sqrt(base[j]))));    \
      else                                                                                                 \
        for (ptrdiff_t j = 0; j < count; j++) r[j] = (T)(p[j] / pow(base[j], beta));                       \
    }                                                                                                      \
  }

RESPONSE(f, float)
RESPONSE(d, double)

void leap_response_columns(
    int32_t type, const void *x, void *y, ptrdiff_t channels, ptrdiff_t stride, ptrdiff_t columns,
    ptrdiff_t size, double alpha, double beta, double bias) {
  for (ptrdiff_t first = 0; first < columns; first += TILE) {
    const ptrdiff_t count = columns - first < TILE ? columns - first : TILE;
    if (type == LEAP_F32)
      response_f((const float *)x + first, (float *)y + first, channels, stride, count, size, alpha, beta,
                 bias);
    else
      response_d((const double *)x + first, (double *)y + first, channels, stride, count, size, alpha, beta,
                 bias);
  }
}
