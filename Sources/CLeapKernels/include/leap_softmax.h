// leap_softmax.h: softmax, its logarithm, and the one-hot vector of the largest element, for float32 and float64.
//
// The maximum is subtracted before exponentials are taken; sums are in double. The output may be exactly the input.
#ifndef LEAP_SOFTMAX_H
#define LEAP_SOFTMAX_H

#include "leap_reduction.h"

enum leap_softmax { LEAP_SOFTMAX, LEAP_LOG_SOFTMAX, LEAP_HARDMAX };

/// Over `count` elements that lie side by side.
void leap_softmax_run(int32_t type, enum leap_softmax function, const void *x, void *y, ptrdiff_t count);

/// Over `rows` elements of each of `columns` columns; strides in elements.
///
/// - `scratch`: two accumulators a column.
void leap_softmax_columns(
    int32_t type, enum leap_softmax function, const void *x, void *y, ptrdiff_t rows, ptrdiff_t row_stride,
    ptrdiff_t columns, void *scratch);

#endif
