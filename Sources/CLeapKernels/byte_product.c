// byte_product.c: products of quantised images with packed filters: one description, instantiated for each instruction set.
//
// 1. Pixels are widened to 16 bits once, filters when they are read: pairs of products of 16 bits are summed to 32, exactly.
// 2. A tile of pixels x vectors stays in registers over the whole sum; filters stream, pairs of a pixel are broadcast.
#include "byte_pairs.h"
#include "byte_results.h"

enum { TILE_PIXELS = 6 };

static uint32_t window_sum(const leap_byte_product *d, const int16_t *origin) {
  uint32_t sum = 0;
  for (ptrdiff_t r = 0; r < d->run_count; r++)
    for (ptrdiff_t k = 0; k < d->run_used; k++) sum += (uint32_t)(int32_t)origin[d->runs[r] + k];
  return sum;
}

// A tile of P pixels and V vectors of W lanes. `in`: the pixels' first elements; results follow each other.
#define TILE(ISA, FINISH, TARGET, SUM, PAIRS, W, P, V)                                                            \
  TARGET static void tile_##ISA##_##P##x##V(                                                                      \
      const leap_byte_product *d, const int16_t *const *in, const int8_t *filter, const leap_byte_results *q,     \
      uint8_t *y) {                                                                                               \
    SUM sum[P][V];                                                                                                \
    LEAP_UNROLL for (int p = 0; p < P; p++) LEAP_UNROLL for (int v = 0; v < V; v++)                               \
      sum[p][v] = leap_start_##FINISH(q, v * W);                                                                  \
    const ptrdiff_t length = d->run_length;                                                                       \
    for (ptrdiff_t r = 0; r < d->run_count; r++) {                                                                \
      const int16_t *x[P];                                                                                        \
      LEAP_UNROLL for (int p = 0; p < P; p++) x[p] = in[p] + d->runs[r];                                          \
      LEAP_ALIGNED for (ptrdiff_t k = 0; k < length; k += 2, filter += 2 * V * W) {                               \
        PAIRS w[V];                                                                                               \
        LEAP_UNROLL for (int v = 0; v < V; v++) w[v] = widen_##ISA(filter + 2 * v * W);                           \
        LEAP_UNROLL for (int p = 0; p < P; p++) {                                                                 \
          const PAIRS pair = repeat_##ISA(x[p] + k);                                                              \
          LEAP_UNROLL for (int v = 0; v < V; v++) sum[p][v] = add_##ISA(sum[p][v], pair, w[v]);                   \
        }                                                                                                         \
      }                                                                                                           \
    }                                                                                                             \
    LEAP_UNROLL for (int v = 0; v < V; v++) {                                                                     \
      const leap_finish_##FINISH f = leap_finish_for_##FINISH(q, v * W);                                          \
      if (q->filter_zero) {                                                                                       \
        LEAP_UNROLL for (int p = 0; p < P; p++)                                                                   \
          sum[p][v] = leap_less_##FINISH(sum[p][v], f, window_sum(d, in[p]));                                     \
      }                                                                                                           \
      leap_store_##FINISH(&sum[0][v], V, P, f, y + v * d->out_group);                                             \
    }                                                                                                             \
  }

#define CASE(ISA, P, V)                                                                                           \
  case P: tile_##ISA##_##P##x##V(d, in, filter, q, y); break;

// All tiles of V vectors, and the loop over an even distribution of pixels to tiles.
#define ROW(ISA, FINISH, TARGET, SUM, PAIRS, W, V)                                                                \
  TILE(ISA, FINISH, TARGET, SUM, PAIRS, W, 1, V)                                                                  \
  TILE(ISA, FINISH, TARGET, SUM, PAIRS, W, 2, V)                                                                  \
  TILE(ISA, FINISH, TARGET, SUM, PAIRS, W, 3, V)                                                                  \
  TILE(ISA, FINISH, TARGET, SUM, PAIRS, W, 4, V)                                                                  \
  TILE(ISA, FINISH, TARGET, SUM, PAIRS, W, 5, V)                                                                  \
  TILE(ISA, FINISH, TARGET, SUM, PAIRS, W, 6, V)                                                                  \
  static void row_##ISA##_##V(                                                                                    \
      const leap_byte_product *d, const int16_t *panel, const int8_t *filter, const leap_byte_results *q,         \
      uint8_t *y, ptrdiff_t pixels) {                                                                             \
    if (pixels <= 0) return;                                                                                      \
    const ptrdiff_t tiles = (pixels + TILE_PIXELS - 1) / TILE_PIXELS;                                             \
    const ptrdiff_t least = pixels / tiles, larger = pixels % tiles;                                              \
    ptrdiff_t column = 0;                                                                                         \
    const int16_t *in[TILE_PIXELS];                                                                               \
    for (ptrdiff_t tile = 0; tile < tiles; tile++) {                                                              \
      const ptrdiff_t size = least + (tile < larger);                                                             \
      for (ptrdiff_t p = 0; p < size; p++) {                                                                      \
        in[p] = panel + column * d->in_pixel;                                                                     \
        if (++column == d->columns) column = 0, panel += d->in_row;                                               \
      }                                                                                                           \
      switch (size) {                                                                                             \
        CASE(ISA, 1, V) CASE(ISA, 2, V) CASE(ISA, 3, V) CASE(ISA, 4, V) CASE(ISA, 5, V) CASE(ISA, 6, V)           \
      }                                                                                                           \
      y += size * W;                                                                                              \
    }                                                                                                             \
  }

#define PRODUCT(ISA, FINISH, TARGET, SUM, PAIRS, W)                                                               \
  ROW(ISA, FINISH, TARGET, SUM, PAIRS, W, 1)                                                                      \
  ROW(ISA, FINISH, TARGET, SUM, PAIRS, W, 2)                                                                      \
  static void convolve_##ISA(                                                                                     \
      const leap_byte_product *d, const int16_t *panel, const int8_t *filter, const leap_byte_results *q,         \
      uint8_t *y, ptrdiff_t pixels, ptrdiff_t vectors) {                                                          \
    if (vectors == 1) row_##ISA##_1(d, panel, filter, q, y, pixels);                                              \
    else row_##ISA##_2(d, panel, filter, q, y, pixels);                                                           \
  }

PRODUCT(portable, portable, , leap_u32x4, pairs_portable, 4)
#if defined(__x86_64__)
PRODUCT(avx2, avx2, LEAP_TARGET_AVX2, __m256i, __m256i, 8)
PRODUCT(avx512, avx512, LEAP_TARGET_AVX512, __m512i, __m512i, 16)
PRODUCT(vnni, avx512, LEAP_TARGET_VNNI, __m512i, __m512i, 16)
#endif

void leap_byte_convolve(leap_isa isa, const leap_byte_product *product, const int16_t *panel, const int8_t *filter,
                        const leap_byte_results *results, uint8_t *y, ptrdiff_t pixels, ptrdiff_t vectors) {
#if defined(__x86_64__)
  if (isa == LEAP_ISA_AVX512) {
    (leap_cpu_has_vnni() ? convolve_vnni : convolve_avx512)(product, panel, filter, results, y, pixels, vectors);
    return;
  }
  if (isa == LEAP_ISA_AVX2) {
    convolve_avx2(product, panel, filter, results, y, pixels, vectors);
    return;
  }
#else
  (void)isa;
#endif
  convolve_portable(product, panel, filter, results, y, pixels, vectors);
}
