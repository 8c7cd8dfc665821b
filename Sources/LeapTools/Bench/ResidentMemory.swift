// ResidentMemory: the most memory that the process has had since some moment.

import LeapstoneImage

#if canImport(Darwin)
  import Darwin
#endif

/// Counts resident memory from the moment at which it is made.
package struct ResidentMemory: Sendable {
  private let start: Int

  init() { start = ResidentMemory.peak() }

  /// The most that was resident at once, above the peak until the start; nil where the system does not say. For a process
  /// that has done little before, that is what it had at the start.
  var growth: Int? {
    let peak = ResidentMemory.peak()
    return start > 0 && peak > 0 ? max(peak - start, 0) : nil
  }

  /// The most that was ever resident, in bytes; 0 where the system does not say.
  package static func peak() -> Int {
    #if os(Linux)
      // getrusage would also count what the process was before it became this program.
      guard let bytes = try? FileBytes.read("/proc/self/status", limit: 1 << 20) else { return 0 }
      let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        .first { $0.hasPrefix("VmHWM:") }
      return (line?.split { " \t".contains($0) }.dropFirst().first).flatMap { Int($0) }
        .map { $0 << 10 } ?? 0
    #else
      var usage = rusage()
      return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0
    #endif
  }
}
