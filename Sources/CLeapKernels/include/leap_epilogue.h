// What happens to a tile of results before it is stored: stages applied in order to each element.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "leap_cpu.h"

typedef enum leap_stage_kind {
  LEAP_STAGE_FACTOR,        // y = a x
  LEAP_STAGE_SCALE,         // y = x operand[row or column]
  LEAP_STAGE_ADD,           // y = x + a operand[row, column]
  LEAP_STAGE_RELU,          // NaN stays NaN
  LEAP_STAGE_LEAKY_RELU,    // y = x < 0 ? a x : x
  LEAP_STAGE_CLIP,          // y = min(max(x, a), b); NaN stays NaN
  LEAP_STAGE_SIGMOID,
  LEAP_STAGE_TANH,
  LEAP_STAGE_HARD_SIGMOID,  // y = clip(a x + b, 0, 1)
  LEAP_STAGE_HARD_SWISH,    // y = x clip(x / 6 + 1/2, 0, 1)
  LEAP_STAGE_SILU           // y = x sigmoid(x)
} leap_stage_kind;

/// One stage. `operand` points at the element for the tile's first row and column.
typedef struct leap_stage {
  leap_stage_kind kind;
  const void *operand;
  ptrdiff_t row_stride;     // of the operand, in elements; 0 where all rows share it
  ptrdiff_t column_stride;  // likewise
  double a, b;
} leap_stage;

/// Applies `count` stages to a tile of `rows` x `columns` in `source`, which is overwritten, and writes `destination`.
/// The two may be the same, or else a residual operand and the destination. Strides are counted in elements.
void leap_f32_epilogue(leap_isa isa, const leap_stage *stages, ptrdiff_t count, float *source,
                       ptrdiff_t source_stride, float *destination, ptrdiff_t destination_stride,
                       ptrdiff_t rows, ptrdiff_t columns);
void leap_f64_epilogue(leap_isa isa, const leap_stage *stages, ptrdiff_t count, double *source,
                       ptrdiff_t source_stride, double *destination, ptrdiff_t destination_stride,
                       ptrdiff_t rows, ptrdiff_t columns);
/// Integers take FACTOR, SCALE and ADD alone, with integral factors, modulo 2^32 or 2^64.
void leap_u32_epilogue(const leap_stage *stages, ptrdiff_t count, uint32_t *source,
                       ptrdiff_t source_stride, uint32_t *destination,
                       ptrdiff_t destination_stride, ptrdiff_t rows, ptrdiff_t columns);
void leap_u64_epilogue(const leap_stage *stages, ptrdiff_t count, uint64_t *source,
                       ptrdiff_t source_stride, uint64_t *destination,
                       ptrdiff_t destination_stride, ptrdiff_t rows, ptrdiff_t columns);
