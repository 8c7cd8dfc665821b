// Counts what a process allocates, for tests that promise how much that is.
#ifndef LEAP_ALLOCATION_COUNTER_H
#define LEAP_ALLOCATION_COUNTER_H

#include <stdint.h>

typedef struct {
  /// Calls that made or moved a block of memory, or mapped pages.
  int64_t calls;
  /// Bytes that they asked for.
  int64_t bytes;
  /// Bytes among these that were asked for with an alignment of a cache line or more.
  int64_t aligned_bytes;
  /// Bytes among these of pages without a file behind them, as far as the program's own code took them from the system, not a
  /// library that it loads: OpenBLAS maps 128 MiB and touches little of them.
  int64_t page_bytes;
} leap_allocation_counts;

/// Whether allocations are counted on this platform: where the C library lets a program define them.
int leap_allocations_are_counted(void);

/// Sets the counts to zero and counts from now on, in all threads. Not for several at once.
void leap_allocations_begin(void);

/// What was allocated since the last begin; counting goes on. Allocates nothing.
leap_allocation_counts leap_allocations_so_far(void);

/// Ends counting.
void leap_allocations_end(void);

#endif
