// indexing.c: the loops of leap_indexing.h. memcpy of a known size is one unaligned load or store.
#include "leap_indexing.h"

#include <stdint.h>
#include <string.h>

typedef struct {
  uint64_t low, high;
} pair64;

static int64_t index_at(const void *indices, int wide, ptrdiff_t i) {
  if (wide) {
    int64_t index;
    memcpy(&index, (const char *)indices + i * 8, 8);
    return index;
  }
  int32_t index;
  memcpy(&index, (const char *)indices + i * 4, 4);
  return index;
}

// The place of a line's element i, counted in elements; leaves the loop at an index out of range.
#define PLACE                                                       \
  int64_t index = index_at(indices, wide, i);                       \
  if (index < -(int64_t)extent || index >= extent) return i;        \
  if (index < 0) index += extent;                                   \
  const ptrdiff_t place = (ptrdiff_t)index * stride + i * step

#define LOOPS(S, T)                                                                                 \
  static ptrdiff_t gather_##S(                                                                      \
      const char *x, ptrdiff_t extent, ptrdiff_t stride, ptrdiff_t step, const void *indices, int wide, \
      char *y, ptrdiff_t count) {                                                                   \
    for (ptrdiff_t i = 0; i < count; i++) {                                                         \
      PLACE;                                                                                        \
      T element;                                                                                    \
      memcpy(&element, x + place * (ptrdiff_t)sizeof(T), sizeof(T));                                \
      memcpy(y + i * (ptrdiff_t)sizeof(T), &element, sizeof(T));                                    \
    }                                                                                               \
    return count;                                                                                   \
  }                                                                                                 \
  static ptrdiff_t scatter_##S(                                                                     \
      const char *x, const void *indices, int wide, char *y, ptrdiff_t extent, ptrdiff_t stride,    \
      ptrdiff_t step, ptrdiff_t count) {                                                            \
    for (ptrdiff_t i = 0; i < count; i++) {                                                         \
      PLACE;                                                                                        \
      T element;                                                                                    \
      memcpy(&element, x + i * (ptrdiff_t)sizeof(T), sizeof(T));                                    \
      memcpy(y + place * (ptrdiff_t)sizeof(T), &element, sizeof(T));                                \
    }                                                                                               \
    return count;                                                                                   \
  }

LOOPS(8, uint8_t)
LOOPS(16, uint16_t)
LOOPS(32, uint32_t)
LOOPS(64, uint64_t)
LOOPS(128, pair64)

ptrdiff_t leap_gather_line(
    const void *x, ptrdiff_t extent, ptrdiff_t stride, ptrdiff_t step, const void *indices, int wide, void *y,
    ptrdiff_t count, ptrdiff_t width) {
  switch (width) {
    case 1: return gather_8(x, extent, stride, step, indices, wide, y, count);
    case 2: return gather_16(x, extent, stride, step, indices, wide, y, count);
    case 4: return gather_32(x, extent, stride, step, indices, wide, y, count);
    case 8: return gather_64(x, extent, stride, step, indices, wide, y, count);
    default: return gather_128(x, extent, stride, step, indices, wide, y, count);
  }
}

ptrdiff_t leap_scatter_line(
    const void *x, const void *indices, int wide, void *y, ptrdiff_t extent, ptrdiff_t stride, ptrdiff_t step,
    ptrdiff_t count, ptrdiff_t width) {
  switch (width) {
    case 1: return scatter_8(x, indices, wide, y, extent, stride, step, count);
    case 2: return scatter_16(x, indices, wide, y, extent, stride, step, count);
    case 4: return scatter_32(x, indices, wide, y, extent, stride, step, count);
    case 8: return scatter_64(x, indices, wide, y, extent, stride, step, count);
    default: return scatter_128(x, indices, wide, y, extent, stride, step, count);
  }
}

ptrdiff_t leap_scatter_join_line(
    int32_t type, enum leap_binary function, const void *x, const void *indices, int wide, void *y,
    ptrdiff_t extent, ptrdiff_t stride, ptrdiff_t step, ptrdiff_t count, ptrdiff_t width) {
  for (ptrdiff_t i = 0; i < count; i++) {
    PLACE;
    char *target = (char *)y + place * width;
    leap_binary_run(type, function, target, 1, (const char *)x + i * width, 1, target, 1, 1);
  }
  return count;
}

ptrdiff_t leap_offset_of_indices(
    const void *indices, int wide, ptrdiff_t count, const ptrdiff_t *extents, const ptrdiff_t *strides) {
  ptrdiff_t offset = 0;
  for (ptrdiff_t i = 0; i < count; i++) {
    int64_t index = index_at(indices, wide, i);
    if (index < -(int64_t)extents[i] || index >= extents[i]) return -1 - i;
    if (index < 0) index += extents[i];
    offset += (ptrdiff_t)index * strides[i];
  }
  return offset;
}
