// Panel kernels: one description, instantiated for each element type and instruction set.
//
// 1. Every element is one chain of multiply-adds in the order of k: tails and tile positions change no bit.
// 2. The tile stays in registers over all of k: rows x vectors accumulators, one row of the panel, one broadcast.
#include "leap_gemm.h"

#include "instruction_sets.h"

#define FUSED(A, B, C) __builtin_elementwise_fma(A, B, C)
#define SEPARATE(A, B, C) ((A) * (B) + (C))

// A kernel for just R rows. VECTOR is a vector of LANES elements of type T.
#define ROWS_KERNEL(NAME, TARGET, T, VECTOR, LANES, VECTORS, R, MULTIPLY_ADD)                     \
  TARGET static void NAME##_##R(ptrdiff_t groups, ptrdiff_t inner, const T *a,                    \
                                ptrdiff_t a_row_stride, ptrdiff_t a_group_stride, const T *panel, \
                                T *tile, leap_gemm_mode mode) {                                   \
    VECTOR sum[R][VECTORS];                                                                       \
    for (int r = 0; r < R; r++)                                                                   \
      for (int v = 0; v < VECTORS; v++)                                                           \
        sum[r][v] = mode == LEAP_GEMM_CONTINUE ? *(VECTOR *)(tile + (r * VECTORS + v) * LANES)    \
                                               : (VECTOR)(0);                                     \
    for (ptrdiff_t g = 0; g < groups; g++) {                                                      \
      for (ptrdiff_t k = 0; k < inner; k++) {                                                     \
        VECTOR b[VECTORS];                                                                        \
        for (int v = 0; v < VECTORS; v++) b[v] = *(const VECTOR *)(panel + v * LANES);            \
        _Pragma("clang loop unroll(full)") for (int r = 0; r < R; r++) {                          \
          VECTOR x = (VECTOR)(a[k + r * a_row_stride]);                                             \
          for (int v = 0; v < VECTORS; v++) sum[r][v] = MULTIPLY_ADD(x, b[v], sum[r][v]);         \
        }                                                                                         \
        panel += LANES * VECTORS;                                                                 \
      }                                                                                           \
      a += a_group_stride;                                                                        \
    }                                                                                             \
    for (int r = 0; r < R; r++)                                                                   \
      for (int v = 0; v < VECTORS; v++) {                                                         \
        VECTOR *to = (VECTOR *)(tile + (r * VECTORS + v) * LANES);                                \
        *to = mode == LEAP_GEMM_ADD ? *to + sum[r][v] : sum[r][v];                                \
      }                                                                                           \
  }

#define CASE(NAME, T, R)                                                                           \
  case R:                                                                                          \
    NAME##_##R(groups, inner, (const T *)a, a_row_stride, a_group_stride, (const T *)panel,        \
               (T *)tile, mode);                                                                   \
    return;

#define SIGNATURE(NAME)                                                                            \
  static void NAME(ptrdiff_t rows, ptrdiff_t groups, ptrdiff_t inner, const void *a,               \
                   ptrdiff_t a_row_stride, ptrdiff_t a_group_stride, const void *panel,            \
                   void *tile, leap_gemm_mode mode)

#define KERNEL_4(NAME, TARGET, T, V, L, VS, F)                                                     \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 1, F)                                                     \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 2, F)                                                     \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 3, F)                                                     \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 4, F)                                                     \
  SIGNATURE(NAME) {                                                                                \
    switch (rows) { CASE(NAME, T, 1) CASE(NAME, T, 2) CASE(NAME, T, 3) CASE(NAME, T, 4) }          \
  }

#define KERNEL_6(NAME, TARGET, T, V, L, VS, F)                                                     \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 5, F)                                                     \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 6, F)                                                     \
  KERNEL_4(NAME##_tail, TARGET, T, V, L, VS, F)                                                    \
  SIGNATURE(NAME) {                                                                                \
    switch (rows) { CASE(NAME, T, 5) CASE(NAME, T, 6) }                                            \
    NAME##_tail(rows, groups, inner, a, a_row_stride, a_group_stride, panel, tile, mode);          \
  }

#define KERNEL_14(NAME, TARGET, T, V, L, VS, F)                                                    \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 7, F)                                                     \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 8, F)                                                     \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 9, F)                                                     \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 10, F)                                                    \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 11, F)                                                    \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 12, F)                                                    \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 13, F)                                                    \
  ROWS_KERNEL(NAME, TARGET, T, V, L, VS, 14, F)                                                    \
  KERNEL_6(NAME##_small, TARGET, T, V, L, VS, F)                                                   \
  SIGNATURE(NAME) {                                                                                \
    switch (rows) {                                                                                \
      CASE(NAME, T, 7) CASE(NAME, T, 8) CASE(NAME, T, 9) CASE(NAME, T, 10) CASE(NAME, T, 11)       \
      CASE(NAME, T, 12) CASE(NAME, T, 13) CASE(NAME, T, 14)                                        \
    }                                                                                              \
    NAME##_small(rows, groups, inner, a, a_row_stride, a_group_stride, panel, tile, mode);         \
  }

typedef float f32x4 __attribute__((ext_vector_type(4)));
typedef double f64x2 __attribute__((ext_vector_type(2)));
typedef uint32_t u32x4 __attribute__((ext_vector_type(4)));
typedef uint64_t u64x2 __attribute__((ext_vector_type(2)));

KERNEL_4(f32_panel_4x8_portable, , float, f32x4, 4, 2, SEPARATE)
KERNEL_4(f64_panel_4x4_portable, , double, f64x2, 2, 2, SEPARATE)
KERNEL_4(u32_panel_4x8_portable, , uint32_t, u32x4, 4, 2, SEPARATE)
KERNEL_4(u64_panel_4x4_portable, , uint64_t, u64x2, 2, 2, SEPARATE)

#if defined(__x86_64__)
typedef float f32x8 __attribute__((ext_vector_type(8)));
typedef double f64x4 __attribute__((ext_vector_type(4)));
typedef float f32x16 __attribute__((ext_vector_type(16)));
typedef double f64x8 __attribute__((ext_vector_type(8)));
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
KERNEL_6(f32_panel_6x16_avx2, AVX2, float, f32x8, 8, 2, FUSED)
KERNEL_6(f64_panel_6x8_avx2, AVX2, double, f64x4, 4, 2, FUSED)
KERNEL_14(f32_panel_14x32_avx512, AVX512, float, f32x16, 16, 2, FUSED)
KERNEL_14(f64_panel_14x16_avx512, AVX512, double, f64x8, 8, 2, FUSED)
#elif defined(__aarch64__)
KERNEL_6(f32_panel_6x16_neon, , float, f32x4, 4, 4, FUSED)
KERNEL_6(f64_panel_6x8_neon, , double, f64x2, 2, 4, FUSED)
#endif

leap_panel_kernel leap_panel_kernel_for(leap_isa isa, leap_gemm_type type) {
  if (isa == LEAP_ISA_AVX512 && type == LEAP_GEMM_F32)
    return (leap_panel_kernel){LEAP_ON_X86(f32_panel_14x32_avx512), 14, 32};
  if (isa == LEAP_ISA_AVX512 && type == LEAP_GEMM_F64)
    return (leap_panel_kernel){LEAP_ON_X86(f64_panel_14x16_avx512), 14, 16};
  if (isa == LEAP_ISA_AVX2 && type == LEAP_GEMM_F32)
    return (leap_panel_kernel){LEAP_ON_X86(f32_panel_6x16_avx2), 6, 16};
  if (isa == LEAP_ISA_AVX2 && type == LEAP_GEMM_F64)
    return (leap_panel_kernel){LEAP_ON_X86(f64_panel_6x8_avx2), 6, 8};
  if (isa == LEAP_ISA_NEON && type == LEAP_GEMM_F32)
    return (leap_panel_kernel){LEAP_ON_ARM(f32_panel_6x16_neon), 6, 16};
  if (isa == LEAP_ISA_NEON && type == LEAP_GEMM_F64)
    return (leap_panel_kernel){LEAP_ON_ARM(f64_panel_6x8_neon), 6, 8};
  switch (type) {
    case LEAP_GEMM_F32: return (leap_panel_kernel){f32_panel_4x8_portable, 4, 8};
    case LEAP_GEMM_F64: return (leap_panel_kernel){f64_panel_4x4_portable, 4, 4};
    case LEAP_GEMM_U32: return (leap_panel_kernel){u32_panel_4x8_portable, 4, 8};
    case LEAP_GEMM_U64: break;
  }
  return (leap_panel_kernel){u64_panel_4x4_portable, 4, 4};
}

#define PACK(T)                                                                              \
  for (ptrdiff_t row = 0; row < rows; row++) {                                               \
    const T *from = (const T *)source + row * row_stride;                                    \
    T *to = (T *)destination + row * to_stride;                                              \
    ptrdiff_t c = 0;                                                                         \
    for (; c < used; c++) to[c] = from[c * column_stride];                                   \
    for (; c < columns; c++) to[c] = 0;                                                      \
  }

void leap_pack_lanes(int width, ptrdiff_t rows, ptrdiff_t used, ptrdiff_t columns, const void *source,
                     ptrdiff_t row_stride, ptrdiff_t column_stride, void *destination,
                     ptrdiff_t to_stride) {
  if (width == 4) {
    PACK(uint32_t)
  } else {
    PACK(uint64_t)
  }
}

void leap_pack_panel(int width, ptrdiff_t k, ptrdiff_t used, ptrdiff_t columns, const void *b,
                     ptrdiff_t k_stride, ptrdiff_t column_stride, void *panel) {
  leap_pack_lanes(width, k, used, columns, b, k_stride, column_stride, panel, columns);
}

void leap_pack_rows(int width, ptrdiff_t rows, ptrdiff_t columns, const void *source,
                    ptrdiff_t row_stride, ptrdiff_t column_stride, void *destination) {
  leap_pack_lanes(width, rows, columns, columns, source, row_stride, column_stride, destination,
                  columns);
}
