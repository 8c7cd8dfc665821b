// Blocked products: one description, instantiated for each instruction set.
//
// 1. Every element is one chain of multiply-adds in the order of groups, taps and lanes: tile sizes change no bit.
// 2. A tile of pixels x vectors stays in registers over the whole sum; filters stream, pixels are broadcast.
// 3. While a chunk's filters are used, each tile asks for its share of those that follow them in memory: reading them costs no
//    time of its own.
#include "leap_blocked_product.h"

#include "instruction_sets.h"

#define CACHE_LINE 64

// One channel of one tap: a vector of filters for each V, and one value of each pixel.
#define STEP(VECTOR, W, P, V, LANE, MULTIPLY_ADD)                                        \
  {                                                                                      \
    VECTOR w[V];                                                                         \
    LEAP_UNROLL for (int v = 0; v < V; v++) w[v] = *(const VECTOR *)(filter + v * W);         \
    LEAP_UNROLL for (int p = 0; p < P; p++) {                                                 \
      const VECTOR value = (VECTOR)(x[p][LANE]);                                         \
      LEAP_UNROLL for (int v = 0; v < V; v++) sum[p][v] = MULTIPLY_ADD(value, w[v], sum[p][v]); \
    }                                                                                    \
    filter += V * W;                                                                     \
  }

// A tile of P pixels and V vectors of W lanes. `in` and `to` are the pixels' offsets in panel and output; of `ahead`, `lines`
// cache lines are asked for with each tap.
#define TILE(NAME, TARGET, VECTOR, W, P, V, MULTIPLY_ADD)                                        \
  TARGET static void NAME##_##P##x##V(const leap_blocked_product *d, const float *panel,         \
                                      const ptrdiff_t *in, const float *filter,                  \
                                      const float *bias, const float *residual, float *out,      \
                                      const ptrdiff_t *to, uintptr_t ahead, ptrdiff_t lines) {   \
    VECTOR sum[P][V];                                                                            \
    const float *x[P];                                                                           \
    LEAP_UNROLL for (int p = 0; p < P; p++) {                                                         \
      x[p] = panel + in[p];                                                                      \
      LEAP_UNROLL for (int v = 0; v < V; v++) sum[p][v] = (VECTOR)(0);                                \
    }                                                                                            \
    const ptrdiff_t lanes = d->lanes;                                                            \
    for (ptrdiff_t g = 0; g < d->groups; g++) {                                                  \
      for (ptrdiff_t t = 0; t < d->tap_count; t++) {                                             \
        const ptrdiff_t begin = d->taps[t];                                                      \
        for (ptrdiff_t n = 0; n < lines; n++, ahead += CACHE_LINE) {                             \
          __builtin_prefetch((const void *)ahead, 0, 2);                                         \
        }                                                                                        \
        if (lanes == W) {                                                                        \
          LEAP_UNROLL for (int l = 0; l < W; l++) STEP(VECTOR, W, P, V, begin + l, MULTIPLY_ADD)      \
        } else {                                                                                 \
          for (ptrdiff_t l = 0; l < lanes; l++) STEP(VECTOR, W, P, V, begin + l, MULTIPLY_ADD)   \
        }                                                                                        \
      }                                                                                          \
      LEAP_UNROLL for (int p = 0; p < P; p++) x[p] += d->group_stride;                                \
    }                                                                                            \
    const VECTOR low = (VECTOR)(d->low), high = (VECTOR)(d->high);                               \
    LEAP_UNROLL for (int v = 0; v < V; v++) {                                                         \
      const VECTOR b = bias ? *(const VECTOR *)(bias + v * W) : (VECTOR)(0);                     \
      LEAP_UNROLL for (int p = 0; p < P; p++) {                                                       \
        VECTOR y = bias ? sum[p][v] + b : sum[p][v];                                             \
        if (residual) y += *(const VECTOR *)(residual + v * d->residual_group + to[p]);          \
        y = y < low ? low : y;                                                                   \
        y = y > high ? high : y;                                                                 \
        *(VECTOR *)(out + v * d->out_group + to[p]) = y;                                         \
      }                                                                                          \
    }                                                                                            \
  }

#define CASE(NAME, P, V)                                                                   \
  case P: NAME##_##P##x##V(d, panel, in, filter, bias, residual, out, to, ahead, lines); break;

// All tiles of V vectors, and the loop over an even distribution of pixels to tiles.
#define ROW(NAME, TARGET, VECTOR, W, V, MULTIPLY_ADD)                                              \
  TILE(NAME, TARGET, VECTOR, W, 1, V, MULTIPLY_ADD)                                                \
  TILE(NAME, TARGET, VECTOR, W, 2, V, MULTIPLY_ADD)                                                \
  TILE(NAME, TARGET, VECTOR, W, 3, V, MULTIPLY_ADD)                                                \
  TILE(NAME, TARGET, VECTOR, W, 4, V, MULTIPLY_ADD)                                                \
  TILE(NAME, TARGET, VECTOR, W, 5, V, MULTIPLY_ADD)                                                \
  TILE(NAME, TARGET, VECTOR, W, 6, V, MULTIPLY_ADD)                                                \
  static void NAME##_##V(const leap_blocked_product *d, const float *panel, const float *filter,   \
                         const float *bias, const float *residual, float *out, ptrdiff_t first,    \
                         ptrdiff_t count) {                                                        \
    ptrdiff_t tiles = (count + 5) / 6;                                                             \
    ptrdiff_t row = first / d->columns, column = first % d->columns;                               \
    ptrdiff_t in[6], to[6];                                                                        \
    const ptrdiff_t taps = d->groups * d->tap_count;                                               \
    const ptrdiff_t tap_bytes = d->lanes * V * (ptrdiff_t)sizeof(VECTOR);                          \
    const ptrdiff_t lines = d->prefetch ? (tap_bytes / CACHE_LINE + tiles - 1) / tiles : 0;        \
    uintptr_t ahead = (uintptr_t)filter + (uintptr_t)(taps * tap_bytes);                           \
    for (; tiles > 0; tiles--) {                                                                   \
      const ptrdiff_t size = (count + tiles - 1) / tiles;                                          \
      for (ptrdiff_t p = 0; p < size; p++) {                                                       \
        in[p] = row * d->in_row + column * d->in_pixel;                                            \
        to[p] = row * d->out_row + column * d->out_pixel;                                          \
        if (++column == d->columns) column = 0, row++;                                             \
      }                                                                                            \
      switch (size) {                                                                              \
        CASE(NAME, 1, V) CASE(NAME, 2, V) CASE(NAME, 3, V) CASE(NAME, 4, V) CASE(NAME, 5, V)       \
        CASE(NAME, 6, V)                                                                           \
      }                                                                                            \
      count -= size;                                                                               \
      ahead += (uintptr_t)(taps * lines * CACHE_LINE);                                             \
    }                                                                                              \
  }

#define PART(NAME, V) \
  case V: NAME##_##V(d, panel, filter, bias, residual, out, first, count); break;

#define SIGNATURE(NAME)                                                                             \
  static void NAME(const leap_blocked_product *d, const float *panel, const float *filter,          \
                   const float *bias, const float *residual, float *out, ptrdiff_t first,           \
                   ptrdiff_t count, ptrdiff_t vectors)

#define KERNEL_2(NAME, TARGET, VECTOR, W, MULTIPLY_ADD) \
  ROW(NAME, TARGET, VECTOR, W, 1, MULTIPLY_ADD)         \
  ROW(NAME, TARGET, VECTOR, W, 2, MULTIPLY_ADD)         \
  SIGNATURE(NAME) {                                     \
    switch (vectors) { PART(NAME, 1) PART(NAME, 2) }    \
  }

#define KERNEL_4(NAME, TARGET, VECTOR, W, MULTIPLY_ADD)                              \
  ROW(NAME, TARGET, VECTOR, W, 1, MULTIPLY_ADD)                                      \
  ROW(NAME, TARGET, VECTOR, W, 2, MULTIPLY_ADD)                                      \
  ROW(NAME, TARGET, VECTOR, W, 3, MULTIPLY_ADD)                                      \
  ROW(NAME, TARGET, VECTOR, W, 4, MULTIPLY_ADD)                                      \
  SIGNATURE(NAME) {                                                                  \
    switch (vectors) { PART(NAME, 1) PART(NAME, 2) PART(NAME, 3) PART(NAME, 4) }     \
  }

KERNEL_2(f32_blocked_product_6x2_portable, , leap_f32x4, 4, LEAP_SEPARATE)
#if defined(__x86_64__)
KERNEL_2(f32_blocked_product_6x2_avx2, LEAP_TARGET_AVX2, leap_f32x8, 8, LEAP_FUSED)
KERNEL_4(f32_blocked_product_6x4_avx512, LEAP_TARGET_AVX512, leap_f32x16, 16, LEAP_FUSED)
#elif defined(__aarch64__)
KERNEL_4(f32_blocked_product_6x4_neon, , leap_f32x4, 4, LEAP_FUSED)
#endif

leap_blocked_kernel leap_blocked_kernel_for(leap_isa isa) {
  switch (isa) {
    case LEAP_ISA_AVX512:
      return (leap_blocked_kernel){LEAP_ON_X86(f32_blocked_product_6x4_avx512), 16, 4};
    case LEAP_ISA_AVX2:
      return (leap_blocked_kernel){LEAP_ON_X86(f32_blocked_product_6x2_avx2), 8, 2};
    case LEAP_ISA_NEON:
      return (leap_blocked_kernel){LEAP_ON_ARM(f32_blocked_product_6x4_neon), 4, 4};
    case LEAP_ISA_PORTABLE: break;
  }
  return (leap_blocked_kernel){f32_blocked_product_6x2_portable, 4, 2};
}
