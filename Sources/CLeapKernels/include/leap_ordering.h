// leap_ordering.h: which elements along an axis are the largest or the smallest.
//
// NaN is beyond any number in both directions. Of equal elements the one of the lower index comes first, unless said
// otherwise. Types: floats and the integers of 8 to 64 bits, by ONNX's numbers. Strides are in elements.
#ifndef LEAP_ORDERING_H
#define LEAP_ORDERING_H

#include "leap_elementwise.h"

/// The index of the largest (or smallest) of `rows` elements in each of `columns` columns; `last` takes the last of
/// equals. `rows` is at least 1.
enum leap_status leap_arg_extreme(
    int32_t type, int largest, int last, const void *x, ptrdiff_t rows, ptrdiff_t row_stride,
    ptrdiff_t columns, int64_t *indices);

/// The k largest (or smallest) of `rows` elements, best first.
///
/// - `values`, `indices`: where they go, `stride` apart; either may be null.
/// - `heap`: scratch for k indices. k is at most `rows`.
enum leap_status leap_top_k(
    int32_t type, int largest, const void *x, ptrdiff_t rows, ptrdiff_t row_stride, ptrdiff_t k, void *values,
    int64_t *indices, ptrdiff_t stride, int64_t *heap);

#endif
