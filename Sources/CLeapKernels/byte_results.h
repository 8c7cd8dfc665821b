// byte_results.h: vectors of 32-bit sums for each instruction set, and what becomes of them.
#ifndef LEAP_BYTE_RESULTS_H
#define LEAP_BYTE_RESULTS_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "instruction_sets.h"
#include "leap_byte_product.h"

#pragma clang fp contract(off)

#define LEAP_INLINE static inline __attribute__((always_inline))

typedef uint32_t leap_u32x4 __attribute__((ext_vector_type(4), aligned(4)));
typedef int32_t leap_i32x4 __attribute__((ext_vector_type(4), aligned(4)));
typedef int16_t leap_i16x4 __attribute__((ext_vector_type(4), aligned(2)));
typedef int8_t leap_i8x4 __attribute__((ext_vector_type(4), aligned(1)));
typedef int8_t leap_i8x8 __attribute__((ext_vector_type(8), aligned(1)));

/// What the results of a vector's lanes are computed with, in registers.
typedef struct leap_finish_portable {
  leap_u32x4 bias, filter_zero;
  const float *scale;
  float low, high, zero;
} leap_finish_portable;

LEAP_INLINE leap_finish_portable leap_finish_for_portable(const leap_byte_results *q, ptrdiff_t lane) {
  return (leap_finish_portable){
      *(const leap_u32x4 *)(q->bias + lane),
      q->filter_zero ? *(const leap_u32x4 *)(q->filter_zero + lane) : (leap_u32x4)(0), q->scale + lane,
      q->low - q->zero, q->high - q->zero, q->zero};
}

/// What a filter's zero point adds to a sum too much; `window`: the sum of the pixels.
LEAP_INLINE leap_u32x4 leap_less_portable(leap_u32x4 sum, leap_finish_portable f, uint32_t window) {
  return sum - f.filter_zero * window;
}

LEAP_INLINE void leap_store_portable(leap_u32x4 sum, leap_finish_portable f, uint8_t *y) {
  sum += f.bias;
  for (int i = 0; i < 4; i++) {
    float v = (float)(int32_t)sum[i] * f.scale[i];
    v = v > f.low ? v : f.low;
    v = v < f.high ? v : f.high;
    y[i] = (uint8_t)(int32_t)((v + 12582912.0f) - 12582912.0f + f.zero);
  }
}

#if defined(__x86_64__)

typedef struct leap_finish_avx2 {
  __m256i bias, filter_zero, zero;
  __m256 scale, low, high;
} leap_finish_avx2;

LEAP_TARGET_AVX2 LEAP_INLINE leap_finish_avx2 leap_finish_for_avx2(const leap_byte_results *q, ptrdiff_t lane) {
  return (leap_finish_avx2){
      _mm256_loadu_si256((const __m256i *)(q->bias + lane)),
      q->filter_zero ? _mm256_loadu_si256((const __m256i *)(q->filter_zero + lane)) : _mm256_setzero_si256(),
      _mm256_set1_epi32((int)q->zero), _mm256_loadu_ps(q->scale + lane), _mm256_set1_ps(q->low - q->zero),
      _mm256_set1_ps(q->high - q->zero)};
}

LEAP_TARGET_AVX2 LEAP_INLINE __m256i leap_less_avx2(__m256i sum, leap_finish_avx2 f, uint32_t window) {
  return _mm256_sub_epi32(sum, _mm256_mullo_epi32(f.filter_zero, _mm256_set1_epi32((int)window)));
}

LEAP_TARGET_AVX2 LEAP_INLINE void leap_store_avx2(__m256i sum, leap_finish_avx2 f, uint8_t *y) {
  __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(sum, f.bias)), f.scale);
  v = _mm256_min_ps(_mm256_max_ps(v, f.low), f.high);
  const __m256i whole = _mm256_add_epi32(_mm256_cvtps_epi32(v), f.zero);
  const __m256i low_bytes = _mm256_shuffle_epi8(
      whole, _mm256_setr_epi32(0x0c080400, -1, -1, -1, -1, 0x0c080400, -1, -1));
  const __m128i bytes = _mm_or_si128(_mm256_castsi256_si128(low_bytes), _mm256_extracti128_si256(low_bytes, 1));
  _mm_storel_epi64((__m128i *)y, bytes);
}

typedef struct leap_finish_avx512 {
  __m512i bias, filter_zero, zero;
  __m512 scale, low, high;
} leap_finish_avx512;

LEAP_TARGET_AVX512 LEAP_INLINE leap_finish_avx512 leap_finish_for_avx512(const leap_byte_results *q, ptrdiff_t lane) {
  return (leap_finish_avx512){
      _mm512_loadu_si512(q->bias + lane),
      q->filter_zero ? _mm512_loadu_si512(q->filter_zero + lane) : _mm512_setzero_si512(),
      _mm512_set1_epi32((int)q->zero), _mm512_loadu_ps(q->scale + lane), _mm512_set1_ps(q->low - q->zero),
      _mm512_set1_ps(q->high - q->zero)};
}

LEAP_TARGET_AVX512 LEAP_INLINE __m512i leap_less_avx512(__m512i sum, leap_finish_avx512 f, uint32_t window) {
  return _mm512_sub_epi32(sum, _mm512_mullo_epi32(f.filter_zero, _mm512_set1_epi32((int)window)));
}

LEAP_TARGET_AVX512 LEAP_INLINE void leap_store_avx512(__m512i sum, leap_finish_avx512 f, uint8_t *y) {
  __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(sum, f.bias)), f.scale);
  v = _mm512_min_ps(_mm512_max_ps(v, f.low), f.high);
  const __m512i whole = _mm512_add_epi32(_mm512_cvtps_epi32(v), f.zero);
  _mm_storeu_si128((__m128i *)y, _mm512_cvtepi32_epi8(whole));
}

#endif

#endif
