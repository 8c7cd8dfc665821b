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
  leap_u32x4 filter_zero;
  const float *scale;
  float low, high, zero;
} leap_finish_portable;

typedef leap_u32x4 leap_sum_portable;

/// The sums that a vector starts with: biases.
LEAP_INLINE leap_u32x4 leap_start_portable(const leap_byte_results *q, ptrdiff_t lane) {
  return *(const leap_u32x4 *)(q->bias + lane);
}

LEAP_INLINE leap_finish_portable leap_finish_for_portable(const leap_byte_results *q, ptrdiff_t lane) {
  return (leap_finish_portable){
      q->filter_zero ? *(const leap_u32x4 *)(q->filter_zero + lane) : (leap_u32x4)(0), q->scale + lane,
      q->low - q->zero, q->high - q->zero, q->zero};
}

/// What a filter's zero point adds to a sum too much; `window`: the sum of the pixels.
LEAP_INLINE leap_u32x4 leap_less_portable(leap_u32x4 sum, leap_finish_portable f, uint32_t window) {
  return sum - f.filter_zero * window;
}

/// Stores the bytes of `count` pixels, whose sums lie `stride` vectors apart, one behind the other.
LEAP_INLINE void leap_store_portable(const leap_u32x4 *sums, int stride, int count, leap_finish_portable f, uint8_t *y) {
  for (int p = 0; p < count; p++)
    for (int i = 0; i < 4; i++) {
      float v = (float)(int32_t)sums[p * stride][i] * f.scale[i];
      v = v > f.low ? v : f.low;
      v = v < f.high ? v : f.high;
      y[p * 4 + i] = (uint8_t)(int32_t)((v + 12582912.0f) - 12582912.0f + f.zero);
    }
}

#if defined(__aarch64__)
// Vectors of the portable kind serve.
typedef leap_u32x4 leap_sum_neon;
#define leap_finish_neon leap_finish_portable
#define leap_finish_for_neon leap_finish_for_portable
#define leap_store_neon leap_store_portable
#endif

#if defined(__x86_64__)

#define LEAP_TARGET_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma")))

typedef struct leap_finish_avx2 {
  __m256i filter_zero, shift, low;
  __m256 scale, high;
} leap_finish_avx2;

typedef __m256i leap_sum_avx2;

LEAP_TARGET_AVX2 LEAP_INLINE __m256i leap_start_avx2(const leap_byte_results *q, ptrdiff_t lane) {
  return _mm256_loadu_si256((const __m256i *)(q->bias + lane));
}

LEAP_TARGET_AVX2 LEAP_INLINE leap_finish_avx2 leap_finish_for_avx2(const leap_byte_results *q, ptrdiff_t lane) {
  return (leap_finish_avx2){
      q->filter_zero ? _mm256_loadu_si256((const __m256i *)(q->filter_zero + lane)) : _mm256_setzero_si256(),
      _mm256_set1_epi16((short)(q->zero - q->low)), _mm256_set1_epi8((char)(int)q->low),
      _mm256_loadu_ps(q->scale + lane), _mm256_set1_ps(q->high - q->zero)};
}

LEAP_TARGET_AVX2 LEAP_INLINE __m256i leap_less_avx2(__m256i sum, leap_finish_avx2 f, uint32_t window) {
  return _mm256_sub_epi32(sum, _mm256_mullo_epi32(f.filter_zero, _mm256_set1_epi32((int)window)));
}

/// The nearest integers. What is above the range is cut off first, since it may be above all integers; NaN and what is below
/// them become the least.
LEAP_TARGET_AVX2 LEAP_INLINE __m256i leap_whole_avx2(__m256i sum, leap_finish_avx2 f) {
  return _mm256_cvtps_epi32(_mm256_min_ps(f.high, _mm256_mul_ps(_mm256_cvtepi32_ps(sum), f.scale)));
}

/// Two vectors of integers as bytes of a range whose lowest is 0, in 16 bits: `shift` is what they are less. Halves of 128 bits
/// stay apart.
LEAP_TARGET_AVX2 LEAP_INLINE __m256i leap_halves_avx2(__m256i a, __m256i b, __m256i shift) {
  return _mm256_adds_epi16(_mm256_packs_epi32(a, b), shift);
}

/// Such halves as bytes, one vector behind the other, `low` the lowest of their range: narrowing saturates as the range does.
LEAP_TARGET_AVX2 LEAP_INLINE __m256i leap_narrow_avx2(__m256i first, __m256i second, __m256i low) {
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  return _mm256_add_epi8(_mm256_permutevar8x32_epi32(_mm256_packus_epi16(first, second), order), low);
}

LEAP_TARGET_AVX2 LEAP_INLINE void leap_store_avx2(
    const __m256i *sums, int stride, int count, leap_finish_avx2 f, uint8_t *y) {
  int p = 0;
  LEAP_UNROLL for (; p + 4 <= count; p += 4) {
    const __m256i *at = sums + p * stride;
    const __m256i a = leap_halves_avx2(leap_whole_avx2(at[0], f), leap_whole_avx2(at[stride], f), f.shift);
    const __m256i b = leap_halves_avx2(leap_whole_avx2(at[2 * stride], f), leap_whole_avx2(at[3 * stride], f), f.shift);
    _mm256_storeu_si256((__m256i *)(y + p * 8), leap_narrow_avx2(a, b, f.low));
  }
  LEAP_UNROLL for (; p < count; p += 2) {
    const __m256i *at = sums + p * stride;
    const int is_pair = p + 1 < count;
    const __m256i half = leap_halves_avx2(leap_whole_avx2(at[0], f), leap_whole_avx2(at[is_pair ? stride : 0], f), f.shift);
    const __m128i bytes = _mm256_castsi256_si128(leap_narrow_avx2(half, half, f.low));
    if (is_pair) _mm_storeu_si128((__m128i *)(y + p * 8), bytes);
    else _mm_storel_epi64((__m128i *)(y + p * 8), bytes);
  }
}

typedef struct leap_finish_avx512 {
  __m512i filter_zero, zero;
  __m512 scale, low, high;
} leap_finish_avx512;

typedef __m512i leap_sum_avx512;

LEAP_TARGET_AVX512 LEAP_INLINE __m512i leap_start_avx512(const leap_byte_results *q, ptrdiff_t lane) {
  return _mm512_loadu_si512(q->bias + lane);
}

LEAP_TARGET_AVX512 LEAP_INLINE leap_finish_avx512 leap_finish_for_avx512(const leap_byte_results *q, ptrdiff_t lane) {
  return (leap_finish_avx512){
      q->filter_zero ? _mm512_loadu_si512(q->filter_zero + lane) : _mm512_setzero_si512(),
      _mm512_set1_epi32((int)q->zero), _mm512_loadu_ps(q->scale + lane), _mm512_set1_ps(q->low - q->zero),
      _mm512_set1_ps(q->high - q->zero)};
}

LEAP_TARGET_AVX512 LEAP_INLINE __m512i leap_less_avx512(__m512i sum, leap_finish_avx512 f, uint32_t window) {
  return _mm512_sub_epi32(sum, _mm512_mullo_epi32(f.filter_zero, _mm512_set1_epi32((int)window)));
}

LEAP_TARGET_AVX512 LEAP_INLINE void leap_store_avx512(
    const __m512i *sums, int stride, int count, leap_finish_avx512 f, uint8_t *y) {
  LEAP_UNROLL for (int p = 0; p < count; p++) {
    __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[p * stride]), f.scale);
    v = _mm512_min_ps(_mm512_max_ps(v, f.low), f.high);
    const __m512i whole = _mm512_add_epi32(_mm512_cvtps_epi32(v), f.zero);
    _mm_storeu_si128((__m128i *)(y + p * 16), _mm512_cvtepi32_epi8(whole));
  }
}

#endif

#endif
