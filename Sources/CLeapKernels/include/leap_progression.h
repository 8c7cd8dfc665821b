// leap_progression.h: running sums and products, arithmetic progressions, determinants and inverses.
//
// Element types are given by ONNX's numbers: floats and the integers of 8 to 64 bits. float32 is computed in double;
// integers wrap.
#ifndef LEAP_PROGRESSION_H
#define LEAP_PROGRESSION_H

#include "leap_reduction.h"

/// Running sums (or products) down `rows` rows of `columns` columns; from the last row up with `reverse`; without the
/// row's own element with `exclusive`. The output may be exactly the input.
///
/// - `function`: LEAP_REDUCE_SUM or LEAP_REDUCE_PROD.
/// - `scratch`: an accumulator a column.
enum leap_status leap_cumulate(
    int32_t type, enum leap_reduction function, int exclusive, int reverse, const void *x, void *y,
    ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t columns, void *scratch);

/// y[i] = start + (first + i) * delta; of float16 and bfloat16, too, computed in double and rounded once.
enum leap_status leap_range(
    int32_t type, const void *start, const void *delta, int64_t first, void *y, ptrdiff_t count);

/// The determinant of a matrix of n x n elements, row-major: by elimination with partial pivoting, in double. float32 and
/// float64 alone.
///
/// - `scratch`: n x n doubles.
enum leap_status leap_determinant(int32_t type, const void *x, ptrdiff_t n, void *y, double *scratch);

/// The inverse of a matrix of n x n elements, likewise; of one that has none, numbers of which some are not finite.
///
/// - `scratch`: 2 x n x n doubles.
enum leap_status leap_inverse(int32_t type, const void *x, ptrdiff_t n, void *y, double *scratch);

#endif
