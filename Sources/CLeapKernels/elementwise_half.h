// elementwise_half.h: the loops of leap_elementwise.h for float16 and bfloat16, which leap_*_run hand on.
//
// Strides and counts are those of leap_elementwise.h; `type` is LEAP_F16 or LEAP_BF16.
#ifndef LEAP_ELEMENTWISE_HALF_H
#define LEAP_ELEMENTWISE_HALF_H

#include "leap_elementwise.h"

/// A function of one element, computed in float32 and rounded once.
enum leap_status leap_half_unary(
    int32_t type, enum leap_unary function, const void *x, ptrdiff_t sx, void *y, ptrdiff_t sy, ptrdiff_t count,
    double a, double b);

/// A function of two elements, computed in float32 and rounded once.
enum leap_status leap_half_binary(
    int32_t type, enum leap_binary function, const void *a, ptrdiff_t sa, const void *b, ptrdiff_t sb, void *y,
    ptrdiff_t sy, ptrdiff_t count);

/// y = x within low...high; see leap_clip_run.
enum leap_status leap_half_clip(
    int32_t type, const void *x, ptrdiff_t sx, const void *low, const void *high, void *y, ptrdiff_t sy,
    ptrdiff_t count);

#endif
