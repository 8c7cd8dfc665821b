// leap_indexing.h: loops whose places come from indices: int32, or int64 where `wide` is not 0. Negative ones count from the
// end. Elements are of `width` bytes: 1, 2, 4, 8 or 16; strides count elements. Nothing overlaps.
#ifndef LEAP_INDEXING_H
#define LEAP_INDEXING_H

#include "leap_elementwise.h"

/// y[i] = x[indices[i] * stride + i * step]. Returns the place of the first index that is not within `extent`, or `count`.
ptrdiff_t leap_gather_line(
    const void *x, ptrdiff_t extent, ptrdiff_t stride, ptrdiff_t step, const void *indices, int wide, void *y,
    ptrdiff_t count, ptrdiff_t width);

/// y[indices[i] * stride + i * step] = x[i], in order; returns as leap_gather_line does.
ptrdiff_t leap_scatter_line(
    const void *x, const void *indices, int wide, void *y, ptrdiff_t extent, ptrdiff_t stride, ptrdiff_t step,
    ptrdiff_t count, ptrdiff_t width);

/// The same, with a function of what is there and the new element, of a type that `leap_binary_run` takes.
ptrdiff_t leap_scatter_join_line(
    int32_t type, enum leap_binary function, const void *x, const void *indices, int wide, void *y,
    ptrdiff_t extent, ptrdiff_t stride, ptrdiff_t step, ptrdiff_t count, ptrdiff_t width);

/// The sum of indices times strides; -1 - i where index i is not within its extent.
ptrdiff_t leap_offset_of_indices(
    const void *indices, int wide, ptrdiff_t count, const ptrdiff_t *extents, const ptrdiff_t *strides);

#endif
