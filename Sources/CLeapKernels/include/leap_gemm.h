// Matrix products of a few rows with a packed panel of columns.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "leap_cpu.h"

typedef enum leap_gemm_type { LEAP_GEMM_F32, LEAP_GEMM_F64, LEAP_GEMM_U32, LEAP_GEMM_U64 } leap_gemm_type;

/// What becomes of the numbers that a tile holds: nothing, the sums are added to them, or the sums go on from them.
typedef enum leap_gemm_mode { LEAP_GEMM_STORE, LEAP_GEMM_ADD, LEAP_GEMM_CONTINUE } leap_gemm_mode;

/// Computes tile[r][c] = sum over k of a[r][k] panel[k][c] for `rows` rows and all columns of the panel.
///
/// k runs over `groups` runs of `inner` consecutive elements, `a_group_stride` apart. The panel is [k][columns],
/// aligned to 64 bytes, and aliases nothing; the tile is [rows][columns]. Each element is one chain of
/// multiply-adds in the order of k, whatever `rows` is; one that is cut and goes on has the bits of the whole.
typedef void (*leap_panel_function)(ptrdiff_t rows, ptrdiff_t groups, ptrdiff_t inner,
                                    const void *a, ptrdiff_t a_row_stride,
                                    ptrdiff_t a_group_stride, const void *panel, void *tile,
                                    leap_gemm_mode mode);

/// A panel kernel, and the largest tile that it makes.
typedef struct leap_panel_kernel {
  leap_panel_function function;
  ptrdiff_t rows;
  ptrdiff_t columns;
} leap_panel_kernel;

/// The kernel for an instruction set. One that has none for a type gives the portable one; one of another architecture has
/// its extents, so that plans can be made for it, and no function.
leap_panel_kernel leap_panel_kernel_for(leap_isa isa, leap_gemm_type type);

/// Writes the panel [k][columns] of `used` columns of b, zeros in the columns after them. `width`: bytes of an
/// element, 4 or 8. Strides are counted in elements.
void leap_pack_panel(int width, ptrdiff_t k, ptrdiff_t used, ptrdiff_t columns, const void *b,
                     ptrdiff_t k_stride, ptrdiff_t column_stride, void *panel);

/// Copies a matrix to rows of consecutive elements.
void leap_pack_rows(int width, ptrdiff_t rows, ptrdiff_t columns, const void *source,
                    ptrdiff_t row_stride, ptrdiff_t column_stride, void *destination);

/// Copies `used` columns of some rows, and zeros in the columns after them, to rows `to_stride` elements apart.
void leap_pack_lanes(int width, ptrdiff_t rows, ptrdiff_t used, ptrdiff_t columns, const void *source,
                     ptrdiff_t row_stride, ptrdiff_t column_stride, void *destination,
                     ptrdiff_t to_stride);
