// Copies of elements by their width. memcpy of a known size is one unaligned load or store.
#include "leap_movement.h"

#include <stdint.h>
#include <string.h>

typedef struct {
  uint64_t low, high;
} pair64;

#define COPY_STRIDED(name, type)                                                             \
  static void name(const char *source, ptrdiff_t source_stride, char *target,                \
                   ptrdiff_t target_stride, size_t count) {                                  \
    for (size_t i = 0; i < count; i++) {                                                     \
      type element;                                                                          \
      memcpy(&element, source + (ptrdiff_t)i * source_stride * (ptrdiff_t)sizeof(type),      \
             sizeof(type));                                                                  \
      memcpy(target + (ptrdiff_t)i * target_stride * (ptrdiff_t)sizeof(type), &element,      \
             sizeof(type));                                                                  \
    }                                                                                        \
  }

COPY_STRIDED(copy8, uint8_t)
COPY_STRIDED(copy16, uint16_t)
COPY_STRIDED(copy32, uint32_t)
COPY_STRIDED(copy64, uint64_t)
COPY_STRIDED(copy128, pair64)

void leap_copy_strided(const void *source, ptrdiff_t source_stride, void *target,
                       ptrdiff_t target_stride, size_t count, size_t width) {
  if (source_stride == 1 && target_stride == 1) {
    memcpy(target, source, count * width);
    return;
  }
  switch (width) {
    case 1: copy8(source, source_stride, target, target_stride, count); break;
    case 2: copy16(source, source_stride, target, target_stride, count); break;
    case 4: copy32(source, source_stride, target, target_stride, count); break;
    case 8: copy64(source, source_stride, target, target_stride, count); break;
    default: copy128(source, source_stride, target, target_stride, count); break;
  }
}
