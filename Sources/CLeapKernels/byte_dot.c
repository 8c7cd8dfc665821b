// byte_dot.c: dot products of quantised images with packed filters: one description, instantiated for each instruction set.
//
// 1. A step is eight input channels of a tap: two fours of bytes of a pixel, broadcast, and those of each output channel.
// 2. vpmaddubsw sums two products of bytes in 16 bits, and saturates. What a pixel can reach at most in this part of the image,
//    and the signs and sizes of a step's filters, say beforehand which sums cannot leave 16 bits: those of four products in most
//    steps, of two in nearly all others. The rest is multiplied in 16 bits. Where one instruction sums four products in 32
//    bits (AVX-512 VNNI), all steps are alike.
// 3. A tile of four pixels x two vectors keeps its sums and a step's filters in registers. Tiles are inlined: as functions of
//    their own they keep more in memory.
#include "byte_results.h"
#include "leap_byte_dot.h"

enum { TILE_PIXELS = 4 };

typedef struct bytes_portable {
  leap_u32x4 byte[4];
} bytes_portable;
typedef int8_t leap_i8x16 __attribute__((ext_vector_type(16), aligned(1)));

LEAP_INLINE bytes_portable repeat_portable(const uint8_t *x) {
  return (bytes_portable){{(leap_u32x4)(x[0]), (leap_u32x4)(x[1]), (leap_u32x4)(x[2]), (leap_u32x4)(x[3])}};
}
#define EVERY_FOURTH(FIRST)                                                                              \
  (leap_u32x4) __builtin_convertvector(                                                                  \
      __builtin_shufflevector(w, w, FIRST, FIRST + 4, FIRST + 8, FIRST + 12), leap_i32x4)
LEAP_INLINE bytes_portable filters_portable(const int8_t *at) {
  const leap_i8x16 w = *(const leap_i8x16 *)at;
  return (bytes_portable){{EVERY_FOURTH(0), EVERY_FOURTH(1), EVERY_FOURTH(2), EVERY_FOURTH(3)}};
}
LEAP_INLINE leap_u32x4 pairs_portable(leap_u32x4 sum, bytes_portable x, bytes_portable w) {
  return sum + x.byte[0] * w.byte[0] + x.byte[1] * w.byte[1] + x.byte[2] * w.byte[2] + x.byte[3] * w.byte[3];
}

/// All steps are alike where four products are summed in 32 bits.
#define ALIKE(ISA, TARGET, SUM, FOUR)                                                                    \
  TARGET LEAP_INLINE SUM fours_##ISA(SUM sum, FOUR x, FOUR y, FOUR w, FOUR v) {                          \
    return pairs_##ISA(pairs_##ISA(sum, x, w), y, v);                                                    \
  }                                                                                                      \
  TARGET LEAP_INLINE SUM singles_##ISA(SUM sum, FOUR x, FOUR w) { return pairs_##ISA(sum, x, w); }
ALIKE(portable, , leap_u32x4, bytes_portable)

#if defined(__x86_64__)

LEAP_INLINE int four_at(const uint8_t *x) {
  int four;
  memcpy(&four, x, sizeof four);
  return four;
}

/// What an instruction set without such a sum does, in vectors of some width. Two products of a byte without and one with a sign
/// fit 16 bits by themselves: in singles, even and odd bytes are widened.
#define WIDE(ISA, TARGET, VECTOR, P, LOAD)                                                               \
  TARGET LEAP_INLINE VECTOR repeat_##ISA(const uint8_t *x) { return P##_set1_epi32(four_at(x)); }        \
  TARGET LEAP_INLINE VECTOR filters_##ISA(const int8_t *w) { return LOAD((const VECTOR *)w); }           \
  TARGET LEAP_INLINE VECTOR fours_##ISA(VECTOR sum, VECTOR x, VECTOR y, VECTOR w, VECTOR v) {            \
    const VECTOR four = P##_add_epi16(P##_maddubs_epi16(x, w), P##_maddubs_epi16(y, v));                 \
    return P##_add_epi32(sum, P##_madd_epi16(four, P##_set1_epi16(1)));                                  \
  }                                                                                                      \
  TARGET LEAP_INLINE VECTOR pairs_##ISA(VECTOR sum, VECTOR x, VECTOR w) {                                \
    return P##_add_epi32(sum, P##_madd_epi16(P##_maddubs_epi16(x, w), P##_set1_epi16(1)));               \
  }                                                                                                      \
  TARGET LEAP_INLINE VECTOR singles_##ISA(VECTOR sum, VECTOR x, VECTOR w) {                              \
    const VECTOR even = P##_srai_epi16(P##_slli_epi16(w, 8), 8), odd = P##_srai_epi16(w, 8);             \
    const VECTOR low = SINGLES_EVEN(P, x), high = P##_srli_epi16(x, 8);                                  \
    return P##_add_epi32(P##_add_epi32(sum, P##_madd_epi16(low, even)), P##_madd_epi16(high, odd));      \
  }
#define SINGLES_EVEN(P, X) P##_srli_epi16(P##_slli_epi16(X, 8), 8)
WIDE(avx2, LEAP_TARGET_AVX2, __m256i, _mm256, _mm256_loadu_si256)
WIDE(avx512, LEAP_TARGET_AVX512, __m512i, _mm512, _mm512_loadu_si512)

LEAP_TARGET_VNNI LEAP_INLINE __m512i repeat_vnni(const uint8_t *x) { return _mm512_set1_epi32(four_at(x)); }
LEAP_TARGET_VNNI LEAP_INLINE __m512i filters_vnni(const int8_t *w) { return _mm512_loadu_si512(w); }
LEAP_TARGET_VNNI LEAP_INLINE __m512i pairs_vnni(__m512i sum, __m512i x, __m512i w) { return _mm512_dpbusd_epi32(sum, x, w); }
ALIKE(vnni, LEAP_TARGET_VNNI, __m512i, __m512i)

#endif

/// The sum of the pixels of a window, each less its zero.
static uint32_t window_sum(const leap_byte_dot *d, const uint8_t *origin) {
  uint32_t sum = 0;
  for (ptrdiff_t s = 0; s < d->steps; s++)
    for (ptrdiff_t k = 0; k < d->depth; k++) sum += origin[d->pixels[s] + k];
  return sum - (uint32_t)(d->steps * d->depth) * (uint32_t)d->zero;
}

// Filters of V vectors of W lanes are read once for all pixels: those of four Q of a step.
#define FILTERS(ISA, FOUR, W, V, NAME, Q)                                                                 \
  FOUR NAME[V];                                                                                           \
  LEAP_UNROLL for (int v = 0; v < V; v++) NAME[v] = filters_##ISA(filter + step->filter + 4 * (Q * V + v) * W);

// One kind of steps, four by four.
#define EACH_FOUR(ISA, KIND, COUNT, FOUR, W, P, V, Q)                                                     \
  for (const leap_byte_step *const end = step + COUNT; step < end; step++) {                              \
    LEAP_UNROLL for (int q = 0; q < Q; q++) {                                                             \
      FILTERS(ISA, FOUR, W, V, w, q)                                                                      \
      LEAP_UNROLL for (int p = 0; p < P; p++) {                                                           \
        const FOUR x = repeat_##ISA(in[p] + step->pixel + 4 * q);                                         \
        LEAP_UNROLL for (int v = 0; v < V; v++) sum[p][v] = KIND##_##ISA(sum[p][v], x, w[v]);             \
      }                                                                                                   \
    }                                                                                                     \
  }

// A tile of P pixels and V vectors of W lanes, whose steps have Q fours.
#define TILE(ISA, FINISH, TARGET, SUM, FOUR, W, P, V, Q)                                                  \
  TARGET LEAP_INLINE void tile_##ISA##_##P##x##V(                                                              \
      const leap_byte_dot *d, const uint8_t *const *in, const leap_byte_steps *all, const int8_t *filter, \
      const leap_byte_results *r, uint8_t *y, int32_t *sums, ptrdiff_t stride) {                          \
    SUM sum[P][V];                                                                                        \
    LEAP_UNROLL for (int p = 0; p < P; p++) LEAP_UNROLL for (int v = 0; v < V; v++)                       \
      sum[p][v] = leap_start_##FINISH(r, v * W);                                                          \
    const leap_byte_step *step = all->steps;                                                              \
    for (const leap_byte_step *const end = step + all->fours; step < end; step++) {                       \
      FILTERS(ISA, FOUR, W, V, w, 0)                                                                      \
      FILTERS(ISA, FOUR, W, V, u, (Q - 1))                                                                \
      LEAP_UNROLL for (int p = 0; p < P; p++) {                                                           \
        const uint8_t *const at = in[p] + step->pixel;                                                    \
        const FOUR x = repeat_##ISA(at), z = repeat_##ISA(at + 4 * (Q - 1));                              \
        LEAP_UNROLL for (int v = 0; v < V; v++) sum[p][v] = fours_##ISA(sum[p][v], x, z, w[v], u[v]);     \
      }                                                                                                   \
    }                                                                                                     \
    EACH_FOUR(ISA, pairs, all->pairs, FOUR, W, P, V, Q)                                                   \
    EACH_FOUR(ISA, singles, all->singles, FOUR, W, P, V, Q)                                               \
    if (sums) {                                                                                           \
      LEAP_UNROLL for (int p = 0; p < P; p++) LEAP_UNROLL for (int v = 0; v < V; v++)                     \
        memcpy(sums + p * stride + v * W, &sum[p][v], 4 * W);                                             \
      return;                                                                                             \
    }                                                                                                     \
    LEAP_UNROLL for (int v = 0; v < V; v++) {                                                             \
      const leap_finish_##FINISH f = leap_finish_for_##FINISH(r, v * W);                                  \
      if (r->filter_zero) {                                                                               \
        LEAP_UNROLL for (int p = 0; p < P; p++)                                                           \
          sum[p][v] = leap_less_##FINISH(sum[p][v], f, window_sum(d, in[p]));                          \
      }                                                                                                   \
      leap_store_##FINISH(&sum[0][v], V, P, f, y + v * d->out_group);                                     \
    }                                                                                                     \
  }

#define CASE(ISA, P, V)                                                                                   \
  case P: tile_##ISA##_##P##x##V(d, in, steps, filter, r, y, sums, stride); break;

// All tiles of V vectors, and the loop over an even distribution of pixels to tiles.
#define ROW(ISA, FINISH, TARGET, SUM, FOUR, W, V, Q)                                                      \
  TILE(ISA, FINISH, TARGET, SUM, FOUR, W, 1, V, Q)                                                        \
  TILE(ISA, FINISH, TARGET, SUM, FOUR, W, 2, V, Q)                                                        \
  TILE(ISA, FINISH, TARGET, SUM, FOUR, W, 3, V, Q)                                                        \
  TILE(ISA, FINISH, TARGET, SUM, FOUR, W, 4, V, Q)                                                        \
  TARGET static void row_##ISA##_##V(                                                                            \
      const leap_byte_dot *d, const uint8_t *panel, const leap_byte_steps *steps, const int8_t *filter,   \
      const leap_byte_results *r, uint8_t *y, int32_t *sums, ptrdiff_t stride, ptrdiff_t pixels) {        \
    if (pixels <= 0) return;                                                                              \
    const ptrdiff_t tiles = (pixels + TILE_PIXELS - 1) / TILE_PIXELS;                                     \
    const ptrdiff_t least = pixels / tiles, larger = pixels % tiles;                                      \
    ptrdiff_t column = 0;                                                                                 \
    const uint8_t *in[TILE_PIXELS];                                                                       \
    for (ptrdiff_t tile = 0; tile < tiles; tile++) {                                                      \
      const ptrdiff_t size = least + (tile < larger);                                                     \
      for (ptrdiff_t p = 0; p < size; p++) {                                                              \
        in[p] = panel + column * d->in_pixel;                                                             \
        if (++column == d->columns) column = 0, panel += d->in_row;                                       \
      }                                                                                                   \
      switch (size) { CASE(ISA, 1, V) CASE(ISA, 2, V) CASE(ISA, 3, V) CASE(ISA, 4, V) }                   \
      if (sums) sums += size * stride;                                                                    \
      else y += size * W;                                                                                 \
    }                                                                                                     \
  }

#define CONVOLVE(ISA, FINISH, TARGET, SUM, FOUR, W, Q)                                                    \
  ROW(ISA, FINISH, TARGET, SUM, FOUR, W, 1, Q)                                                            \
  ROW(ISA, FINISH, TARGET, SUM, FOUR, W, 2, Q)                                                            \
  static void convolve_##ISA(                                                                             \
      const leap_byte_dot *d, const uint8_t *panel, const leap_byte_steps *steps, const int8_t *filter,   \
      const leap_byte_results *r, uint8_t *y, int32_t *sums, ptrdiff_t stride, ptrdiff_t pixels,          \
      ptrdiff_t vectors) {                                                                                \
    if (vectors == 1) row_##ISA##_1(d, panel, steps, filter, r, y, sums, stride, pixels);                 \
    else row_##ISA##_2(d, panel, steps, filter, r, y, sums, stride, pixels);                              \
  }

CONVOLVE(portable, portable, , leap_u32x4, bytes_portable, 4, 1)
#if defined(__x86_64__)
CONVOLVE(avx2, avx2, LEAP_TARGET_AVX2, __m256i, __m256i, 8, 2)
CONVOLVE(avx512, avx512, LEAP_TARGET_AVX512, __m512i, __m512i, 16, 2)
CONVOLVE(vnni, avx512, LEAP_TARGET_VNNI, __m512i, __m512i, 16, 2)
#endif

static void multiply(
    leap_isa isa, const leap_byte_dot *d, const uint8_t *panel, const leap_byte_steps *steps, const int8_t *filter,
    const leap_byte_results *r, uint8_t *y, int32_t *sums, ptrdiff_t stride, ptrdiff_t pixels, ptrdiff_t vectors) {
#if defined(__x86_64__)
  if (isa == LEAP_ISA_AVX512) {
    (leap_cpu_has_vnni() ? convolve_vnni : convolve_avx512)(d, panel, steps, filter, r, y, sums, stride, pixels, vectors);
    return;
  }
  if (isa == LEAP_ISA_AVX2) {
    convolve_avx2(d, panel, steps, filter, r, y, sums, stride, pixels, vectors);
    return;
  }
#else
  (void)isa;
#endif
  convolve_portable(d, panel, steps, filter, r, y, sums, stride, pixels, vectors);
}

void leap_byte_dot_convolve(leap_isa isa, const leap_byte_dot *dot, const uint8_t *panel, const leap_byte_steps *steps,
                            const int8_t *filter, const leap_byte_results *results, uint8_t *y, ptrdiff_t pixels,
                            ptrdiff_t vectors) {
  multiply(isa, dot, panel, steps, filter, results, y, NULL, 0, pixels, vectors);
}

void leap_byte_dot_sums(leap_isa isa, const leap_byte_dot *dot, const uint8_t *panel, const leap_byte_steps *steps,
                        const int8_t *filter, int32_t *sums, ptrdiff_t stride, ptrdiff_t pixels, ptrdiff_t vectors) {
  static const int32_t no_bias[LEAP_BYTE_VECTORS * 16];
  const leap_byte_results bare = {.bias = no_bias};
  multiply(isa, dot, panel, steps, filter, &bare, NULL, sums, stride, pixels, vectors);
}
