// ProcessUse: time and memory of the test's own process, for tests that bound them.

import Foundation

/// What a process has used since it began.
package struct ProcessUse {
  /// Processor time of all its threads.
  package var seconds: Double
  /// The most memory that was resident at once.
  package var peakBytes: Int

  package static func now() -> ProcessUse {
    ProcessUse(seconds: Double(clock()) / Double(CLOCKS_PER_SEC), peakBytes: residentPeak())
  }

  private static func residentPeak() -> Int {
    #if os(Linux)
      // getrusage would also count what the process was before it became this program.
      let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      let kilobytes = line?.split(whereSeparator: { " \t".contains($0) }).dropFirst().first
      return kilobytes.flatMap { Int($0) }.map { $0 << 10 } ?? 0
    #else
      var usage = rusage()
      return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0
    #endif
  }
}
