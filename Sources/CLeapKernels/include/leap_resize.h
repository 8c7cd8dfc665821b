// leap_resize: the loops of resizing, one row at a time. Rows of the source are weighed and summed in double precision,
// then taps along the row make the target's elements.
#ifndef LEAP_RESIZE_H
#define LEAP_RESIZE_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
  LEAP_RESIZE_F32,
  LEAP_RESIZE_F64,
  LEAP_RESIZE_I8,
  LEAP_RESIZE_U8,
  LEAP_RESIZE_I16,
  LEAP_RESIZE_U16,
  LEAP_RESIZE_I32,
  LEAP_RESIZE_U32,
  LEAP_RESIZE_I64,
  LEAP_RESIZE_U64
} leap_resize_type;

// row[i] = source[i * stride] * weight, or += where add is not 0. stride counts elements.
void leap_resize_weigh(leap_resize_type type, const void *source, ptrdiff_t stride, double weight,
                       int add, double *row, size_t count);

// target[i * stride] = sum over t of row[first[i] - origin + t] * weights[i * taps + t], added from t = 0 on. Integers are cut
// towards zero, or rounded to nearest, ties to even, where round is not 0; either way they saturate.
// weights may be NULL, for weights of 1; first may be NULL, for i + origin.
void leap_resize_row(leap_resize_type type, const double *row, const int32_t *first, int32_t origin,
                     const double *weights, size_t taps, int round, void *target, ptrdiff_t stride,
                     size_t count);

// target[i * target_stride] = source[index[i] * source_stride], for elements of width 1, 2, 4, 8 or 16 bytes.
void leap_gather_row(const void *source, ptrdiff_t source_stride, const int32_t *index, void *target,
                     ptrdiff_t target_stride, size_t count, size_t width);

#endif
