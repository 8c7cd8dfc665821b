// integer_product.c: products of 16-bit rows, a tile of a few rows and columns at a time.
#include "leap_integer_product.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "instruction_sets.h"

static uint32_t dot(const int16_t *a, const int16_t *b, ptrdiff_t depth) {
  uint32_t sum = 0;
  for (ptrdiff_t k = 0; k < depth; k++) sum += (uint32_t)((int32_t)a[k] * (int32_t)b[k]);
  return sum;
}

static void product_portable(
    const int16_t *a, ptrdiff_t rows, const int16_t *b, ptrdiff_t columns, ptrdiff_t depth, int32_t *sums,
    ptrdiff_t stride) {
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t c = 0; c < columns; c++)
      sums[r * stride + c] = (int32_t)dot(a + r * depth, b + c * depth, depth);
}

#if defined(__x86_64__)

#define AVX512VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma")))

// One tile of R rows and C columns; what is beyond the last row or column repeats it, and is written first.
#define TILE(NAME, TARGET, R, C, VECTOR, LANES, LOAD, ZERO, MULTIPLY_ADD, TOTAL)                                  \
  TARGET static void NAME(                                                                                       \
      const int16_t *const a[R], const int16_t *const b[C], ptrdiff_t depth, int32_t *const y[R][C]) {            \
    VECTOR sum[R][C];                                                                                            \
    LEAP_UNROLL for (int r = 0; r < R; r++) LEAP_UNROLL for (int c = 0; c < C; c++) sum[r][c] = ZERO();           \
    for (ptrdiff_t k = 0; k < depth; k += LANES) {                                                               \
      VECTOR q[C];                                                                                               \
      LEAP_UNROLL for (int c = 0; c < C; c++) q[c] = LOAD((const VECTOR *)(b[c] + k));                            \
      LEAP_UNROLL for (int r = 0; r < R; r++) {                                                                  \
        const VECTOR p = LOAD((const VECTOR *)(a[r] + k));                                                        \
        LEAP_UNROLL for (int c = 0; c < C; c++) sum[r][c] = MULTIPLY_ADD(sum[r][c], p, q[c]);                     \
      }                                                                                                          \
    }                                                                                                            \
    LEAP_UNROLL for (int r = 0; r < R; r++) LEAP_UNROLL for (int c = 0; c < C; c++) *y[r][c] = TOTAL(sum[r][c]);  \
  }

#define PRODUCT(NAME, TARGET, TILE_NAME, R, C)                                                                    \
  TARGET static void NAME(                                                                                       \
      const int16_t *a, ptrdiff_t rows, const int16_t *b, ptrdiff_t columns, ptrdiff_t depth, int32_t *sums,      \
      ptrdiff_t stride) {                                                                                        \
    for (ptrdiff_t c = 0; c < columns; c += C) {                                                                 \
      const int16_t *q[C];                                                                                       \
      ptrdiff_t column[C];                                                                                       \
      for (int j = 0; j < C; j++) {                                                                              \
        column[j] = c + j < columns ? c + j : columns - 1;                                                       \
        q[j] = b + column[j] * depth;                                                                            \
      }                                                                                                          \
      for (ptrdiff_t r = 0; r < rows; r += R) {                                                                  \
        const int16_t *p[R];                                                                                     \
        int32_t *y[R][C];                                                                                        \
        for (int i = 0; i < R; i++) {                                                                            \
          const ptrdiff_t row = r + i < rows ? r + i : rows - 1;                                                 \
          p[i] = a + row * depth;                                                                                \
          for (int j = 0; j < C; j++) y[i][j] = sums + row * stride + column[j];                                 \
        }                                                                                                        \
        TILE_NAME(p, q, depth, y);                                                                               \
      }                                                                                                          \
    }                                                                                                            \
  }

#define ADD_PAIRS_256(SUM, P, Q) _mm256_add_epi32(SUM, _mm256_madd_epi16(P, Q))
#define ADD_PAIRS_512(SUM, P, Q) _mm512_add_epi32(SUM, _mm512_madd_epi16(P, Q))

LEAP_TARGET_AVX2 static inline int32_t total_256(__m256i sum) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
  return _mm_cvtsi128_si32(half);
}

TILE(tile_avx2, LEAP_TARGET_AVX2, 2, 4, __m256i, 16, _mm256_loadu_si256, _mm256_setzero_si256, ADD_PAIRS_256, total_256)
TILE(tile_avx512, LEAP_TARGET_AVX512, 4, 4, __m512i, 32, _mm512_loadu_si512, _mm512_setzero_si512, ADD_PAIRS_512,
     _mm512_reduce_add_epi32)
TILE(tile_vnni, AVX512VNNI, 4, 4, __m512i, 32, _mm512_loadu_si512, _mm512_setzero_si512, _mm512_dpwssd_epi32,
     _mm512_reduce_add_epi32)
PRODUCT(product_avx2, LEAP_TARGET_AVX2, tile_avx2, 2, 4)
PRODUCT(product_avx512, LEAP_TARGET_AVX512, tile_avx512, 4, 4)
PRODUCT(product_vnni, AVX512VNNI, tile_vnni, 4, 4)

#endif

void leap_integer_product(
    leap_isa isa, const int16_t *a, ptrdiff_t rows, const int16_t *b, ptrdiff_t columns, ptrdiff_t depth, int32_t *sums,
    ptrdiff_t stride) {
#if defined(__x86_64__)
  if (isa == LEAP_ISA_AVX512 && leap_cpu_has_vnni()) {
    product_vnni(a, rows, b, columns, depth, sums, stride);
    return;
  }
  if (isa == LEAP_ISA_AVX512) {
    product_avx512(a, rows, b, columns, depth, sums, stride);
    return;
  }
  if (isa == LEAP_ISA_AVX2) {
    product_avx2(a, rows, b, columns, depth, sums, stride);
    return;
  }
#else
  (void)isa;
#endif
  product_portable(a, rows, b, columns, depth, sums, stride);
}

enum { NEAR = 16 };

#define WIDEN(T)                                                                                     \
  for (ptrdiff_t r = 0; r < rows; r++) {                                                             \
    const T *from = (const T *)x + r * row_stride;                                                   \
    const int16_t less = zero ? ((const T *)zero)[r * zero_stride] : 0;                              \
    int16_t *to = y + r * padded;                                                                    \
    if (stride == 1) {                                                                               \
      for (ptrdiff_t k = 0; k < depth; k++) to[k] = (int16_t)(from[k] - less);                       \
    }                                                                                                \
    memset(to + depth, 0, (size_t)(padded - depth) * sizeof *to);                                    \
  }                                                                                                  \
  /* Columns that lie apart: a few at a time, whose lines stay in the cache over all rows. */        \
  if (stride == 1) return;                                                                           \
  for (ptrdiff_t first = 0; first < depth; first += NEAR) {                                          \
    const ptrdiff_t count = depth - first < NEAR ? depth - first : NEAR;                             \
    for (ptrdiff_t r = 0; r < rows; r++) {                                                           \
      const T *from = (const T *)x + r * row_stride + first * stride;                                \
      const int16_t less = zero ? ((const T *)zero)[r * zero_stride] : 0;                            \
      int16_t *to = y + r * padded + first;                                                          \
      for (ptrdiff_t k = 0; k < count; k++) to[k] = (int16_t)(from[k * stride] - less);              \
    }                                                                                                \
  }

void leap_integer_widen(
    int is_signed, const uint8_t *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t depth, ptrdiff_t stride,
    const uint8_t *zero, ptrdiff_t zero_stride, ptrdiff_t padded, int16_t *y) {
  if (is_signed) {
    WIDEN(int8_t)
  } else {
    WIDEN(uint8_t)
  }
}

// The taps of one pixel and channel, in row-major order.
#define TAPS(T)                                                                                      \
  for (ptrdiff_t d = 0; d < c->kernel[0]; d++) {                                                     \
    const ptrdiff_t z = start[0] + d * c->dilation[0];                                               \
    for (ptrdiff_t h = 0; h < c->kernel[1]; h++) {                                                   \
      const ptrdiff_t y = start[1] + h * c->dilation[1];                                             \
      const int is_inside = z >= 0 && z < c->input[0] && y >= 0 && y < c->input[1];                  \
      const T *line = (const T *)plane + (is_inside ? (z * c->input[1] + y) * c->input[2] : 0);      \
      for (ptrdiff_t w = 0; w < c->kernel[2]; w++) {                                                 \
        const ptrdiff_t x = start[2] + w * c->dilation[2];                                           \
        *to++ = is_inside && x >= 0 && x < c->input[2] ? (int16_t)(line[x] - zero) : 0;              \
      }                                                                                              \
    }                                                                                                \
  }

void leap_integer_im2row(
    int is_signed, const leap_convolution *c, ptrdiff_t channels, ptrdiff_t first, ptrdiff_t pixels, const uint8_t *image,
    int32_t zero, ptrdiff_t padded, int16_t *rows) {
  const ptrdiff_t input = c->input[0] * c->input[1] * c->input[2];
  const ptrdiff_t depth = channels * c->kernel[0] * c->kernel[1] * c->kernel[2];
  for (ptrdiff_t pixel = first; pixel < first + pixels; pixel++) {
    const ptrdiff_t place[3] = {
        pixel / c->output[2] / c->output[1], pixel / c->output[2] % c->output[1], pixel % c->output[2]};
    ptrdiff_t start[3];
    for (int i = 0; i < 3; i++) start[i] = place[i] * c->stride[i] - c->pad[i];
    int16_t *to = rows + (pixel - first) * padded;
    for (ptrdiff_t channel = 0; channel < channels; channel++) {
      const uint8_t *plane = image + channel * input;
      if (is_signed) {
        TAPS(int8_t)
      } else {
        TAPS(uint8_t)
      }
    }
    memset(to, 0, (size_t)(padded - depth) * sizeof *to);
  }
}

// One tap over the output pixels of a row that it does not leave the image at.
#define TAP_LOOP(T)                                                             \
  if (step == 1) {                                                              \
    for (ptrdiff_t i = 0; i < count; i++)                                       \
      sums[i] += (uint32_t)(weight * ((int32_t)((const T *)line)[i] - zero));   \
  } else {                                                                      \
    for (ptrdiff_t i = 0; i < count; i++)                                       \
      sums[i] += (uint32_t)(weight * ((int32_t)((const T *)line)[i * step] - zero)); \
  }

#define TAP_RUN(SUFFIX, TARGET, VECTOR, LANES, FMA)                             \
  TARGET static void tap_run_##SUFFIX(                                          \
      int is_signed, const uint8_t *line, ptrdiff_t step, int32_t zero, int32_t weight, uint32_t *sums, \
      ptrdiff_t count) {                                                        \
    if (is_signed) {                                                            \
      TAP_LOOP(int8_t)                                                          \
    } else {                                                                    \
      TAP_LOOP(uint8_t)                                                         \
    }                                                                           \
  }
LEAP_FOR_EACH_ISA(TAP_RUN)

void leap_integer_depthwise_row(
    leap_isa isa, int is_signed, const leap_convolution *c, ptrdiff_t row, const uint8_t *plane, int32_t zero,
    const int16_t *filter, int32_t *sums) {
  memset(sums, 0, (size_t)c->output[2] * sizeof *sums);
  const ptrdiff_t depth = row / c->output[1], height = row % c->output[1];
  for (ptrdiff_t d = 0; d < c->kernel[0]; d++) {
    const ptrdiff_t z = depth * c->stride[0] - c->pad[0] + d * c->dilation[0];
    for (ptrdiff_t h = 0; h < c->kernel[1]; h++) {
      const ptrdiff_t y = height * c->stride[1] - c->pad[1] + h * c->dilation[1];
      if (z < 0 || z >= c->input[0] || y < 0 || y >= c->input[1]) continue;
      const uint8_t *line = plane + (z * c->input[1] + y) * c->input[2];
      for (ptrdiff_t w = 0; w < c->kernel[2]; w++) {
        // The pixel that the tap reads for the first output pixel; those before the image's first are passed over.
        const ptrdiff_t start = w * c->dilation[2] - c->pad[2], step = c->stride[2];
        const ptrdiff_t first = start < 0 ? (-start + step - 1) / step : 0;
        const ptrdiff_t end = c->input[2] > start ? (c->input[2] - start + step - 1) / step : 0;
        const ptrdiff_t last = end < c->output[2] ? end : c->output[2];
        if (first >= last) continue;
        LEAP_CALL(
            isa, tap_run, is_signed, line + start + first * step, step, zero,
            filter[(d * c->kernel[1] + h) * c->kernel[2] + w], (uint32_t *)sums + first, last - first)
      }
    }
  }
}
