// window_range.h: which positions of a window lie on an axis; what convolutions and poolings share.
#ifndef LEAP_WINDOW_RANGE_H
#define LEAP_WINDOW_RANGE_H

#include <stddef.h>

typedef struct range {
  ptrdiff_t begin, end;
} range;

// The positions p in [0, count) for which 0 <= p * stride + offset < extent.
static inline range inside(ptrdiff_t count, ptrdiff_t stride, ptrdiff_t offset, ptrdiff_t extent) {
  ptrdiff_t begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  ptrdiff_t end = extent - offset <= 0 ? 0 : (extent - offset + stride - 1) / stride;
  if (end > count) end = count;
  if (begin > end) begin = end;
  return (range){begin, end};
}

#endif
