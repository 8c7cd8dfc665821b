// byte_winograd.c: F(4x4, 3x3) of quantised images, exact.
//
// The transforms of pixels, B, and of filters, G with its rows multiplied by 4, 6, 6, 24, 24 and 1, are integers of 16 bits. Their
// products are summed modulo 2^32, and so is what becomes of them: 24, 12, 6 and 6 times a result in each dimension. Three of
// these factors has an inverse modulo 2^32; what is left is a power of two of at most 2^6, so that the result is known modulo
// 2^26, and is the number of that residue next to the middle of its range.
#include "byte_pairs.h"
#include "byte_results.h"

enum { POSITIONS = 36, TILE = 4, TAPS = 3, EDGE = TILE + TAPS - 1 };

// y = Bᵗ x along one dimension; elements of y lie STEP apart.
#define INPUT_LINE(T, X, Y, STEP)                                                                                   \
  {                                                                                                                 \
    const T x0 = X[0], x1 = X[1], x2 = X[2], x3 = X[3], x4 = X[4], x5 = X[5];                                       \
    const T even = x4 - 4 * x2, odd = x3 - 4 * x1, a = x4 - x2, b = 2 * (x3 - x1);                                  \
    Y[0] = 4 * x0 - 5 * x2 + x4;                                                                                    \
    Y[STEP] = even + odd, Y[2 * STEP] = even - odd;                                                                 \
    Y[3 * STEP] = a + b, Y[4 * STEP] = a - b;                                                                       \
    Y[5 * STEP] = 4 * x1 - 5 * x3 + x5;                                                                             \
  }

// The rows of G, multiplied, times three elements; elements of the result lie STEP apart.
#define FILTER_LINE(T, W0, W1, W2, Y, STEP)                                                                         \
  {                                                                                                                 \
    const T w0 = W0, w1 = W1, w2 = W2, sum = w0 + w2, far = w0 + 4 * w2, twice = 2 * w1;                            \
    *(T *)(Y) = w0;                                                                                                 \
    *(T *)((Y) + (STEP)) = -(sum + w1), *(T *)((Y) + 2 * (STEP)) = w1 - sum;                                        \
    *(T *)((Y) + 3 * (STEP)) = far + twice, *(T *)((Y) + 4 * (STEP)) = far - twice;                                 \
    *(T *)((Y) + 5 * (STEP)) = w2;                                                                                  \
  }

// 24, 12, 6 and 6 times the four results of a line.
#define RESULT_LINE(T, M, STEP, Y, TO)                                                                              \
  {                                                                                                                 \
    const T p = M[STEP] + M[2 * STEP], q = M[STEP] - M[2 * STEP];                                                   \
    const T r = M[3 * STEP] + M[4 * STEP], s = M[3 * STEP] - M[4 * STEP];                                           \
    Y[0] = 6 * M[0] + 4 * p + r;                                                                                    \
    Y[TO] = 2 * q + s;                                                                                              \
    Y[2 * TO] = p + r;                                                                                              \
    Y[3 * TO] = q + 2 * s + 6 * M[5 * STEP];                                                                        \
  }

static const int powers[TILE] = {3, 2, 1, 1};

// The pixels of channels first...end, L at a time.
#define INPUTS(NAME, TARGET, L)                                                                                     \
  TARGET static void NAME(                                                                                          \
      const int16_t *panel, ptrdiff_t columns, ptrdiff_t channels, ptrdiff_t first, ptrdiff_t end, ptrdiff_t rows,  \
      ptrdiff_t across, ptrdiff_t plane, int16_t *v) {                                                              \
    typedef int16_t H __attribute__((ext_vector_type(L), aligned(2)));                                              \
    for (ptrdiff_t tile = 0; tile < rows * across; tile++) {                                                        \
      const int16_t *x = panel + (tile / across * columns + tile % across) * TILE * channels;                       \
      for (ptrdiff_t c = first; c < end; c += L) {                                                                  \
        H pixels[EDGE], half[POSITIONS], all[EDGE];                                                                 \
        for (int j = 0; j < EDGE; j++) {                                                                            \
          LEAP_UNROLL for (int i = 0; i < EDGE; i++) pixels[i] = *(const H *)(x + (i * columns + j) * channels + c); \
          INPUT_LINE(H, pixels, (half + j), EDGE)                                                                   \
        }                                                                                                           \
        for (int i = 0; i < EDGE; i++) {                                                                            \
          H *line = half + i * EDGE;                                                                                \
          INPUT_LINE(H, line, all, 1)                                                                               \
          LEAP_UNROLL for (int j = 0; j < EDGE; j++) *(H *)(v + (i * EDGE + j) * plane + tile * channels + c) = all[j]; \
        }                                                                                                           \
      }                                                                                                             \
    }                                                                                                               \
  }

#define TRANSFORMS(ISA, TARGET, VECTOR, LANES, FMA)                                                                 \
  INPUTS(inputs_##ISA##_1, TARGET, LANES)                                                                           \
  INPUTS(inputs_##ISA##_2, TARGET, 2 * LANES)                                                                       \
  TARGET static void inputs_##ISA(                                                                                  \
      const int16_t *panel, ptrdiff_t columns, ptrdiff_t channels, ptrdiff_t rows, ptrdiff_t across, ptrdiff_t plane, int16_t *v) { \
    const ptrdiff_t whole = channels / (2 * LANES) * (2 * LANES);                                                   \
    inputs_##ISA##_2(panel, columns, channels, 0, whole, rows, across, plane, v);                                   \
    inputs_##ISA##_1(panel, columns, channels, whole, channels, rows, across, plane, v);                            \
  }                                                                                                                 \
  TARGET static void filters_##ISA(const int8_t *w, ptrdiff_t tap_stride, ptrdiff_t count, ptrdiff_t plane, int16_t *u) { \
    typedef int16_t H __attribute__((ext_vector_type(2 * LANES), aligned(2)));                                      \
    typedef int8_t B __attribute__((ext_vector_type(2 * LANES), aligned(1)));                                       \
    for (ptrdiff_t e = 0; e < count; e += 2 * LANES) {                                                              \
      H t[TAPS * TAPS];                                                                                             \
      LEAP_UNROLL for (int k = 0; k < TAPS * TAPS; k++)                                                             \
        t[k] = __builtin_convertvector(*(const B *)(w + k * tap_stride + e), H);                                    \
      int16_t *line = u + e;                                                                                        \
      const ptrdiff_t row = EDGE * plane;                                                                           \
      FILTER_LINE(H, t[0], t[1], t[2], line, plane)                                                                 \
      FILTER_LINE(H, -(t[0] + t[3] + t[6]), -(t[1] + t[4] + t[7]), -(t[2] + t[5] + t[8]), line + row, plane)        \
      FILTER_LINE(H, t[3] - t[0] - t[6], t[4] - t[1] - t[7], t[5] - t[2] - t[8], line + 2 * row, plane)             \
      FILTER_LINE(                                                                                                  \
          H, t[0] + 2 * t[3] + 4 * t[6], t[1] + 2 * t[4] + 4 * t[7], t[2] + 2 * t[5] + 4 * t[8], line + 3 * row, plane) \
      FILTER_LINE(                                                                                                  \
          H, t[0] - 2 * t[3] + 4 * t[6], t[1] - 2 * t[4] + 4 * t[7], t[2] - 2 * t[5] + 4 * t[8], line + 4 * row, plane) \
      FILTER_LINE(H, t[6], t[7], t[8], line + 5 * row, plane)                                                       \
    }                                                                                                               \
  }                                                                                                                 \
  TARGET static void results_##ISA(                                                                                 \
      const leap_byte_tiles *d, const uint32_t *sums, ptrdiff_t lanes, const int32_t *middle,                       \
      const leap_byte_results *q, uint8_t *y) {                                                                     \
    typedef uint32_t U __attribute__((ext_vector_type(LANES), aligned(4)));                                         \
    typedef int32_t S __attribute__((ext_vector_type(LANES), aligned(4)));                                          \
    const leap_finish_##ISA finish = leap_finish_for_##ISA(q, 0);                                                   \
    const U centre = *(const U *)middle, start = centre + *(const U *)q->bias;                                      \
    const ptrdiff_t plane = d->rows * d->across * lanes;                                                            \
    for (ptrdiff_t tile = 0; tile < d->rows * d->across; tile++) {                                                  \
      const ptrdiff_t top = tile / d->across * TILE, left = tile % d->across * TILE;                                \
      U all[POSITIONS], half[TILE * EDGE], line[TILE];                                                              \
      for (int i = 0; i < POSITIONS; i++) all[i] = *(const U *)(sums + i * plane + tile * lanes);                   \
      for (int j = 0; j < EDGE; j++) RESULT_LINE(U, (all + j), EDGE, (half + j), EDGE)                              \
      for (int i = 0; i < TILE && top + i < d->height; i++) {                                                       \
        RESULT_LINE(U, (half + i * EDGE), 1, line, 1)                                                               \
        leap_sum_##ISA all_sums[TILE];                                                                              \
        LEAP_UNROLL for (int j = 0; j < TILE; j++) {                                                                \
          const int power = powers[i] + powers[j];                                                                  \
          const U residue = line[j] * 954437177u - (centre << power);                                               \
          all_sums[j] = (leap_sum_##ISA)((U)((S)residue >> power) + start);                                         \
        }                                                                                                           \
        uint8_t *to = y + ((top + i) * d->width + left) * LANES;                                                    \
        if (left + TILE <= d->width) leap_store_##ISA(all_sums, 1, TILE, finish, to);                               \
        else for (int j = 0; left + j < d->width; j++) leap_store_##ISA(all_sums + j, 1, 1, finish, to + j * LANES); \
      }                                                                                                             \
    }                                                                                                               \
  }
LEAP_FOR_EACH_ISA(TRANSFORMS)

void leap_byte_winograd_inputs(leap_isa isa, const int16_t *panel, ptrdiff_t columns, ptrdiff_t channels, ptrdiff_t rows,
                               ptrdiff_t across, ptrdiff_t plane, int16_t *v) {
  LEAP_CALL(isa, inputs, panel, columns, channels, rows, across, plane, v)
}

void leap_byte_winograd_filters(leap_isa isa, const int8_t *filter, ptrdiff_t tap_stride, ptrdiff_t count,
                                ptrdiff_t plane, int16_t *u) {
  LEAP_CALL(isa, filters, filter, tap_stride, count, plane, u)
}

void leap_byte_winograd_results(leap_isa isa, const leap_byte_tiles *tiles, const uint32_t *sums, ptrdiff_t lanes,
                                const int32_t *middle, const leap_byte_results *results, uint8_t *y) {
  LEAP_CALL(isa, results, tiles, sums, lanes, middle, results, y)
}

// A tile of P rows of `x`, `stride` apart, and V vectors; added to what is there unless it is the first.
#define SUMS(ISA, TARGET, SUM, PAIRS, W, P, V)                                                                      \
  TARGET static void sums_##ISA##_##P##x##V(                                                                        \
      const int16_t *x, ptrdiff_t stride, const int16_t *u, ptrdiff_t pairs, int is_first, uint32_t *y) {           \
    SUM sum[P][V];                                                                                                  \
    LEAP_UNROLL for (int p = 0; p < P; p++) LEAP_UNROLL for (int v = 0; v < V; v++)                                 \
      sum[p][v] = is_first ? zero_##ISA() : load_##ISA(y + (p * V + v) * W);                                        \
    LEAP_ALIGNED for (ptrdiff_t k = 0; k < pairs; k++, u += 2 * V * W) {                                            \
      PAIRS w[V];                                                                                                   \
      LEAP_UNROLL for (int v = 0; v < V; v++) w[v] = pairs_at_##ISA(u + 2 * v * W);                                 \
      LEAP_UNROLL for (int p = 0; p < P; p++) {                                                                     \
        const PAIRS pair = repeat_##ISA(x + p * stride + 2 * k);                                                    \
        LEAP_UNROLL for (int v = 0; v < V; v++) sum[p][v] = add_##ISA(sum[p][v], pair, w[v]);                       \
      }                                                                                                             \
    }                                                                                                               \
    LEAP_UNROLL for (int p = 0; p < P; p++) LEAP_UNROLL for (int v = 0; v < V; v++)                                 \
      store_##ISA(y + (p * V + v) * W, sum[p][v]);                                                                  \
  }

#define CASE(ISA, P, V)                                                                                             \
  case P: sums_##ISA##_##P##x##V(x, stride, u, pairs, is_first, y); break;

#define ALL_SUMS(ISA, TARGET, SUM, PAIRS, W, V)                                                                     \
  SUMS(ISA, TARGET, SUM, PAIRS, W, 1, V)                                                                            \
  SUMS(ISA, TARGET, SUM, PAIRS, W, 2, V)                                                                            \
  SUMS(ISA, TARGET, SUM, PAIRS, W, 3, V)                                                                            \
  SUMS(ISA, TARGET, SUM, PAIRS, W, 4, V)                                                                            \
  SUMS(ISA, TARGET, SUM, PAIRS, W, 5, V)                                                                            \
  SUMS(ISA, TARGET, SUM, PAIRS, W, 6, V)                                                                            \
  static void all_sums_##ISA##_##V(                                                                                 \
      const int16_t *x, ptrdiff_t count, ptrdiff_t stride, const int16_t *u, ptrdiff_t pairs, int is_first,         \
      uint32_t *y) {                                                                                                \
    for (ptrdiff_t tiles = (count + 5) / 6; tiles > 0; tiles--) {                                                   \
      const ptrdiff_t size = (count + tiles - 1) / tiles;                                                           \
      switch (size) {                                                                                               \
        CASE(ISA, 1, V) CASE(ISA, 2, V) CASE(ISA, 3, V) CASE(ISA, 4, V) CASE(ISA, 5, V) CASE(ISA, 6, V)             \
      }                                                                                                             \
      count -= size, x += size * stride, y += size * V * W;                                                         \
    }                                                                                                               \
  }

#define PRODUCTS(ISA, TARGET, SUM, PAIRS, W)                                                                        \
  ALL_SUMS(ISA, TARGET, SUM, PAIRS, W, 1)                                                                           \
  ALL_SUMS(ISA, TARGET, SUM, PAIRS, W, 2)                                                                           \
  static void products_##ISA(                                                                                       \
      const int16_t *v, ptrdiff_t tiles, ptrdiff_t stride, const int16_t *u, ptrdiff_t pairs, ptrdiff_t vectors,    \
      int is_first, uint32_t *y) {                                                                                  \
    if (vectors == 1) all_sums_##ISA##_1(v, tiles, stride, u, pairs, is_first, y);                                  \
    else all_sums_##ISA##_2(v, tiles, stride, u, pairs, is_first, y);                                               \
  }

PRODUCTS(portable, , leap_u32x4, pairs_portable, 4)
#if defined(__x86_64__)
PRODUCTS(avx2, LEAP_TARGET_AVX2, __m256i, __m256i, 8)
PRODUCTS(avx512, LEAP_TARGET_AVX512, __m512i, __m512i, 16)
PRODUCTS(vnni, LEAP_TARGET_VNNI, __m512i, __m512i, 16)
#endif

void leap_byte_winograd_products(leap_isa isa, const int16_t *v, ptrdiff_t tiles, ptrdiff_t stride, const int16_t *u,
                                 ptrdiff_t pairs, ptrdiff_t vectors, int is_first, uint32_t *sums) {
#if defined(__x86_64__)
  if (isa == LEAP_ISA_AVX512) {
    (leap_cpu_has_vnni() ? products_vnni : products_avx512)(v, tiles, stride, u, pairs, vectors, is_first, sums);
    return;
  }
  if (isa == LEAP_ISA_AVX2) {
    products_avx2(v, tiles, stride, u, pairs, vectors, is_first, sums);
    return;
  }
#else
  (void)isa;
#endif
  products_portable(v, tiles, stride, u, pairs, vectors, is_first, sums);
}
