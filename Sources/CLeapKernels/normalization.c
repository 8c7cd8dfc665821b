// Loops over the pixels of one channel, for float and double.
#include "leap_normalization.h"

#define AFFINE(name, type)                                                          \
  void name(const type *x, type *y, size_t count, type scale, type shift) {         \
    for (size_t i = 0; i < count; i++) y[i] = x[i] * scale + shift;                 \
  }

#define SUM(name, type)                                                             \
  double name(const type *x, size_t count) {                                        \
    double partial[8] = {0};                                                        \
    size_t whole = count / 8 * 8;                                                   \
    for (size_t i = 0; i < whole; i += 8)                                           \
      for (size_t lane = 0; lane < 8; lane++) partial[lane] += x[i + lane];         \
    for (size_t i = whole; i < count; i++) partial[i - whole] += x[i];              \
    double sum = 0;                                                                 \
    for (size_t lane = 0; lane < 8; lane++) sum += partial[lane];                   \
    return sum;                                                                     \
  }

#define SCALE_CHANNELS(name, type)                                                  \
  void name(type *weights, const double *factors, size_t channels, size_t inner) {  \
    for (size_t c = 0; c < channels; c++, weights += inner)                         \
      for (size_t i = 0; i < inner; i++)                                            \
        weights[i] = (type)(weights[i] * factors[c]);                               \
  }

AFFINE(leap_f32_affine, float)
AFFINE(leap_f64_affine, double)
SUM(leap_f32_sum, float)
SUM(leap_f64_sum, double)
SCALE_CHANNELS(leap_f32_scale_channels, float)
SCALE_CHANNELS(leap_f64_scale_channels, double)
