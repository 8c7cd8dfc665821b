// leap_movement: copies of elements by their width in bytes, whatever their type.
#ifndef LEAP_MOVEMENT_H
#define LEAP_MOVEMENT_H

#include <stddef.h>

// Copies count elements of width 1, 2, 4, 8 or 16 bytes between places that do not overlap. Strides count elements;
// a source stride of 0 repeats one element, negative ones walk backwards. No alignment asked for.
void leap_copy_strided(const void *source, ptrdiff_t source_stride, void *target,
                       ptrdiff_t target_stride, size_t count, size_t width);

#endif
