// quantization.c: loops that quantise and dequantise.
#include "leap_quantization.h"

#include "byte_results.h"
#include "elementwise_types.h"
#include "instruction_sets.h"

/// The nearest integer, half to even, of a number of at most 22 bits: the sum with 1.5 * 2^23 has no fraction.
static inline __attribute__((always_inline)) float nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }

/// x within low...high; NaN gives `low`.
static inline __attribute__((always_inline)) float within(float x, float low, float high) {
  x = x > low ? x : low;
  return x < high ? x : high;
}

/// Since the bounds are integers, what is beyond them may be cut off before it is rounded.
static inline __attribute__((always_inline)) float quantized(float x, float zero, float low, float high) {
  return nearest(within(x, low - zero, high - zero)) + zero;
}

// EXPR of x[i], s and z, with loops of their own for one scale and for a scale each.
#define SCALED_LOOP(EXPR)                                                 \
  if (scale_stride == 0 && zero_stride == 0 && count > 0) {               \
    const float s = *scale, z = *zero;                                    \
    LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) y[i] = (EXPR); \
  } else {                                                                \
    for (ptrdiff_t i = 0; i < count; i++) {                               \
      const float s = scale[i * scale_stride], z = zero[i * zero_stride]; \
      y[i] = (EXPR);                                                      \
    }                                                                     \
  }

void leap_quantize_run(
    const float *x, const float *scale, ptrdiff_t scale_stride, const float *zero, ptrdiff_t zero_stride, float low,
    float high, float *y, ptrdiff_t count) {
  SCALED_LOOP(quantized(x[i] / s, z, low, high))
}

void leap_scale_down_run(
    const float *x, const float *scale, ptrdiff_t scale_stride, const float *zero, ptrdiff_t zero_stride, float *y,
    ptrdiff_t count) {
  SCALED_LOOP(x[i] / s + z)
}

void leap_dequantize_run(
    const float *x, const float *scale, ptrdiff_t scale_stride, const float *zero, ptrdiff_t zero_stride, float *y,
    ptrdiff_t count) {
  SCALED_LOOP((x[i] - z) * s)
}

void leap_dequantize_integers_run(
    const int32_t *x, const float *scale, ptrdiff_t scale_stride, const float *zero, ptrdiff_t zero_stride, float *y,
    ptrdiff_t count) {
  SCALED_LOOP((float)((double)x[i] - z) * s)
}

// Several bounds at once, which are one in the end: NaN never takes part.
enum { BOUND_LANES = 32 };
typedef float bound_vector __attribute__((ext_vector_type(BOUND_LANES), aligned(4)));

#define EXTEND_BOUNDS(ISA, TARGET, VECTOR, LANES, FMA)                                  \
  TARGET static void extend_bounds_##ISA(const float *x, ptrdiff_t count, float *bounds) { \
    float low = bounds[0], high = bounds[1];                                            \
    bound_vector lows = low, highs = high;                                              \
    ptrdiff_t i = 0;                                                                    \
    for (; i + BOUND_LANES <= count; i += BOUND_LANES) {                                \
      const bound_vector v = *(const bound_vector *)(x + i);                            \
      lows = v < lows ? v : lows;                                                       \
      highs = v > highs ? v : highs;                                                    \
    }                                                                                   \
    for (int lane = 0; lane < BOUND_LANES; lane++) {                                    \
      low = lows[lane] < low ? lows[lane] : low;                                        \
      high = highs[lane] > high ? highs[lane] : high;                                   \
    }                                                                                   \
    for (; i < count; i++) {                                                            \
      low = x[i] < low ? x[i] : low;                                                    \
      high = x[i] > high ? x[i] : high;                                                 \
    }                                                                                   \
    bounds[0] = low;                                                                    \
    bounds[1] = high;                                                                   \
  }
LEAP_FOR_EACH_ISA(EXTEND_BOUNDS)

void leap_extend_bounds(leap_isa isa, const float *x, ptrdiff_t count, float *bounds) {
  LEAP_CALL(isa, extend_bounds, x, count, bounds)
}

#define QUANTIZE_BYTES(ISA, TARGET, VECTOR, LANES, FMA)                                  \
  TARGET static void quantize_bytes_##ISA(                                              \
      const float *x, float scale, float zero, float low, float high, uint8_t *y, ptrdiff_t count) { \
    typedef int32_t I __attribute__((ext_vector_type(LANES)));                          \
    typedef uint8_t B __attribute__((ext_vector_type(LANES), aligned(1)));              \
    const VECTOR least = low - zero, most = high - zero, magic = 12582912.0f;           \
    ptrdiff_t i = 0;                                                                    \
    for (; i + LANES <= count; i += LANES) {                                            \
      VECTOR v = *(const VECTOR *)(x + i) / scale;                                      \
      v = v > least ? v : least;                                                        \
      v = v < most ? v : most;                                                          \
      v = ((v + magic) - magic) + zero;                                                 \
      *(B *)(y + i) = __builtin_convertvector(__builtin_convertvector(v, I), B);        \
    }                                                                                   \
    for (; i < count; i++) y[i] = (uint8_t)(int32_t)quantized(x[i] / scale, zero, low, high); \
  }
LEAP_FOR_EACH_ISA(QUANTIZE_BYTES)

void leap_quantize_bytes(
    leap_isa isa, const float *x, float scale, float zero, float low, float high, uint8_t *y, ptrdiff_t count) {
  LEAP_CALL(isa, quantize_bytes, x, scale, zero, low, high, y, count)
}

void leap_requantize_run(
    const int32_t *sums, int32_t bias, float scale, float zero, float low, float high, uint8_t *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const float sum = (float)(int32_t)((uint32_t)sums[i] + (uint32_t)bias);
    y[i] = (uint8_t)(int32_t)quantized(sum * scale, zero, low, high);
  }
}

void leap_requantize_columns(
    const int32_t *sums, const float *scales, float zero, float low, float high, uint8_t *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++)
    y[i] = (uint8_t)(int32_t)quantized((float)sums[i] * scales[i], zero, low, high);
}

#define BINARY_LOOP(T, LOW, HIGH, STEP_A, STEP_B)                                             \
  LEAP_INDEPENDENT for (ptrdiff_t i = 0; i < count; i++) {                                    \
    const float p = (float)(T)a[i * STEP_A], q = (float)(T)b[i * STEP_B];                     \
    const float value = multiplies ? (p - za) * (q - zb) * left : p * left + q * right + fixed; \
    y[i] = (uint8_t)(int32_t)quantized(value, zy, LOW, HIGH);                                 \
  }

#define BINARY_LOOPS(T, LOW, HIGH)           \
  if (sa == 1 && sb == 1) {                  \
    BINARY_LOOP(T, LOW, HIGH, 1, 1)          \
  } else {                                   \
    BINARY_LOOP(T, LOW, HIGH, sa, sb)        \
  }

#if defined(__x86_64__)

enum { BINARY_AVX2 = 32 };

// Eight bytes as floats.
LEAP_TARGET_AVX2 LEAP_INLINE __m256 floats_avx2(int is_signed, const uint8_t *x) {
  const __m128i bytes = _mm_loadl_epi64((const __m128i *)x);
  return _mm256_cvtepi32_ps(is_signed ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes));
}

// The nearest integers of eight results of BINARY_LOOP. What is above the range is cut off first, as in leap_whole_avx2.
#define WHOLE_AVX2(AT)                                                                                    \
  {                                                                                                       \
    const __m256 p = floats_avx2(is_signed, a + (AT)), q = floats_avx2(is_signed, b + (AT));              \
    const __m256 value =                                                                                  \
        multiplies ? _mm256_mul_ps(_mm256_mul_ps(_mm256_sub_ps(p, za), _mm256_sub_ps(q, zb)), left)       \
                   : _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(p, left), _mm256_mul_ps(q, right)), fixed); \
    whole[((AT) - i) / 8] = _mm256_cvtps_epi32(_mm256_min_ps(high, value));                                     \
  }

// The elements of whole vectors; returns how many they are.
LEAP_TARGET_AVX2 LEAP_INLINE ptrdiff_t binary_vectors_avx2(
    int multiplies, int is_signed, const uint8_t *a, const uint8_t *b, float l, float r, float f, float za1, float zb1, float zy,
    uint8_t *y, ptrdiff_t count) {
  const float low = is_signed ? -128 : 0;
  const __m256 left = _mm256_set1_ps(l), right = _mm256_set1_ps(r), fixed = _mm256_set1_ps(f);
  const __m256 za = _mm256_set1_ps(za1), zb = _mm256_set1_ps(zb1), high = _mm256_set1_ps(low + 255 - zy);
  const __m256i shift = _mm256_set1_epi16((short)(zy - low)), lowest = _mm256_set1_epi8((char)(int)low);
  ptrdiff_t i = 0;
  for (; i + BINARY_AVX2 <= count; i += BINARY_AVX2) {
    __m256i whole[BINARY_AVX2 / 8];
    WHOLE_AVX2(i) WHOLE_AVX2(i + 8) WHOLE_AVX2(i + 16) WHOLE_AVX2(i + 24)
    _mm256_storeu_si256(
        (__m256i *)(y + i), leap_narrow_avx2(
                                leap_halves_avx2(whole[0], whole[1], shift), leap_halves_avx2(whole[2], whole[3], shift), lowest));
  }
  return i;
}

#endif

// Vectors are the AVX2 kernel's own; the loops have the rest.
#define binary_vectors_portable(...) 0
#define binary_vectors_avx512(...) 0
#define binary_vectors_neon(...) 0

// Each operation rounds: the same bits on every instruction set.
#define BINARY_RUN(ISA, TARGET, VECTOR, LANES, FMA)                                           \
  TARGET static void binary_run_##ISA(                                                        \
      int multiplies, int is_signed, const uint8_t *a, ptrdiff_t sa, leap_quantization qa, const uint8_t *b, \
      ptrdiff_t sb, leap_quantization qb, uint8_t *y, leap_quantization qy, ptrdiff_t count) { \
    _Pragma("clang fp contract(off)")                                                         \
    const float left = multiplies ? qa.scale * qb.scale / qy.scale : qa.scale / qy.scale;     \
    const float right = qb.scale / qy.scale;                                                  \
    const float fixed = -(left * qa.zero + right * qb.zero);                                  \
    const float za = qa.zero, zb = qb.zero, zy = qy.zero;                                     \
    if (sa == 1 && sb == 1) {                                                                 \
      const ptrdiff_t done =                                                                  \
          multiplies                                                                          \
              ? is_signed ? binary_vectors_##ISA(1, 1, a, b, left, right, fixed, za, zb, zy, y, count)  \
                          : binary_vectors_##ISA(1, 0, a, b, left, right, fixed, za, zb, zy, y, count)  \
          : is_signed ? binary_vectors_##ISA(0, 1, a, b, left, right, fixed, za, zb, zy, y, count)      \
                      : binary_vectors_##ISA(0, 0, a, b, left, right, fixed, za, zb, zy, y, count);     \
      a += done, b += done, y += done, count -= done;                                         \
    }                                                                                         \
    if (is_signed) {                                                                          \
      BINARY_LOOPS(int8_t, -128, 127)                                                         \
    } else {                                                                                  \
      BINARY_LOOPS(uint8_t, 0, 255)                                                           \
    }                                                                                         \
  }
LEAP_FOR_EACH_ISA(BINARY_RUN)

void leap_quantized_binary_run(
    leap_isa isa, int multiplies, int is_signed, const uint8_t *a, ptrdiff_t sa, leap_quantization qa, const uint8_t *b,
    ptrdiff_t sb, leap_quantization qb, uint8_t *y, leap_quantization qy, ptrdiff_t count) {
  LEAP_CALL(isa, binary_run, multiplies, is_signed, a, sa, qa, b, sb, qb, y, qy, count)
}

void leap_lookup_run(const uint8_t *table, const uint8_t *x, uint8_t *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = table[x[i]];
}

int32_t leap_sum_bytes(int is_signed, const uint8_t *x, ptrdiff_t count, ptrdiff_t stride) {
  uint32_t sum = 0;
  if (is_signed) {
    for (ptrdiff_t i = 0; i < count; i++) sum += (uint32_t)(int8_t)x[i * stride];
  } else {
    for (ptrdiff_t i = 0; i < count; i++) sum += x[i * stride];
  }
  return (int32_t)sum;
}
