// Allocations: counts what the process allocates, for tests in processes of their own.

import CLeapAllocationCounter

package enum Allocations {
  /// What was allocated over a while.
  package struct Counts: Sendable {
    package var calls: Int
    package var bytes: Int
    /// Bytes of blocks that are aligned to a cache line, as tensors are.
    package var alignedBytes: Int
    /// Bytes of pages that the program's own code, not a library that it loads, took from the system.
    package var pageBytes: Int
  }

  /// Whether they can be counted here; where not, a line says that the test does nothing.
  package static func areCounted() -> Bool {
    if leap_allocations_are_counted() != 0 { return true }
    TestData.skip("allocations: the C library does not let a program count them")
    return false
  }

  /// What all threads allocate while `body` runs. Not for several at once.
  package static func during(_ body: () throws -> Void) rethrows -> Counts {
    leap_allocations_begin()
    defer { leap_allocations_end() }
    try body()
    return soFar()
  }

  /// What was allocated since `during` began. Allocates nothing.
  package static func soFar() -> Counts {
    let counts = leap_allocations_so_far()
    return Counts(
      calls: Int(counts.calls), bytes: Int(counts.bytes), alignedBytes: Int(counts.aligned_bytes),
      pageBytes: Int(counts.page_bytes))
  }
}
