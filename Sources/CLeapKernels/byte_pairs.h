// byte_pairs.h: sums of products of pairs of 16-bit numbers, as each instruction set has them.
#ifndef LEAP_BYTE_PAIRS_H
#define LEAP_BYTE_PAIRS_H

#include "byte_results.h"

/// The first and the second of pairs, each of 16 bits.
typedef int16_t leap_i16x8 __attribute__((ext_vector_type(8), aligned(2)));

typedef struct pairs_portable {
  leap_u32x4 first, second;
} pairs_portable;

LEAP_INLINE leap_u32x4 zero_portable(void) { return (leap_u32x4)(0); }
LEAP_INLINE pairs_portable widen_portable(const int8_t *w) {
  const leap_i8x8 v = *(const leap_i8x8 *)w;
  const leap_i8x4 first = __builtin_shufflevector(v, v, 0, 2, 4, 6), second = __builtin_shufflevector(v, v, 1, 3, 5, 7);
  return (pairs_portable){
      (leap_u32x4)__builtin_convertvector(first, leap_i32x4), (leap_u32x4)__builtin_convertvector(second, leap_i32x4)};
}
LEAP_INLINE pairs_portable repeat_portable(const int16_t *x) {
  return (pairs_portable){(leap_u32x4)((uint32_t)(int32_t)x[0]), (leap_u32x4)((uint32_t)(int32_t)x[1])};
}
LEAP_INLINE leap_u32x4 add_portable(leap_u32x4 sum, pairs_portable x, pairs_portable w) {
  return sum + x.first * w.first + x.second * w.second;
}
LEAP_INLINE pairs_portable pairs_at_portable(const int16_t *w) {
  const leap_i16x8 v = *(const leap_i16x8 *)w;
  const leap_i16x4 first = __builtin_shufflevector(v, v, 0, 2, 4, 6), second = __builtin_shufflevector(v, v, 1, 3, 5, 7);
  return (pairs_portable){
      (leap_u32x4)__builtin_convertvector(first, leap_i32x4), (leap_u32x4)__builtin_convertvector(second, leap_i32x4)};
}
LEAP_INLINE leap_u32x4 load_portable(const uint32_t *y) { return *(const leap_u32x4 *)y; }
LEAP_INLINE void store_portable(uint32_t *y, leap_u32x4 sum) { *(leap_u32x4 *)y = sum; }

#if defined(__x86_64__)

LEAP_INLINE int both(const int16_t *x) {
  int pair;
  memcpy(&pair, x, sizeof pair);
  return pair;
}

LEAP_TARGET_AVX2 LEAP_INLINE __m256i zero_avx2(void) { return _mm256_setzero_si256(); }
LEAP_TARGET_AVX2 LEAP_INLINE __m256i widen_avx2(const int8_t *w) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w));
}
LEAP_TARGET_AVX2 LEAP_INLINE __m256i repeat_avx2(const int16_t *x) { return _mm256_set1_epi32(both(x)); }
LEAP_TARGET_AVX2 LEAP_INLINE __m256i add_avx2(__m256i sum, __m256i x, __m256i w) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}
LEAP_TARGET_AVX2 LEAP_INLINE __m256i pairs_at_avx2(const int16_t *w) { return _mm256_loadu_si256((const __m256i *)w); }
LEAP_TARGET_AVX2 LEAP_INLINE __m256i load_avx2(const uint32_t *y) { return _mm256_loadu_si256((const __m256i *)y); }
LEAP_TARGET_AVX2 LEAP_INLINE void store_avx2(uint32_t *y, __m256i sum) { _mm256_storeu_si256((__m256i *)y, sum); }

#define WIDE(ISA, TARGET)                                                                                     \
  TARGET LEAP_INLINE __m512i zero_##ISA(void) { return _mm512_setzero_si512(); }                              \
  TARGET LEAP_INLINE __m512i widen_##ISA(const int8_t *w) {                                                   \
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)w));                                      \
  }                                                                                                           \
  TARGET LEAP_INLINE __m512i pairs_at_##ISA(const int16_t *w) { return _mm512_loadu_si512(w); }               \
  TARGET LEAP_INLINE __m512i load_##ISA(const uint32_t *y) { return _mm512_loadu_si512(y); }                  \
  TARGET LEAP_INLINE void store_##ISA(uint32_t *y, __m512i sum) { _mm512_storeu_si512(y, sum); }              \
  TARGET LEAP_INLINE __m512i repeat_##ISA(const int16_t *x) { return _mm512_set1_epi32(both(x)); }
WIDE(avx512, LEAP_TARGET_AVX512)
WIDE(vnni, LEAP_TARGET_VNNI)
LEAP_TARGET_AVX512 LEAP_INLINE __m512i add_avx512(__m512i sum, __m512i x, __m512i w) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(x, w));
}
LEAP_TARGET_VNNI LEAP_INLINE __m512i add_vnni(__m512i sum, __m512i x, __m512i w) { return _mm512_dpwssd_epi32(sum, x, w); }

#endif

#endif
