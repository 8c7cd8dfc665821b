// ResidentMemory: the most memory that the process has had since some moment.

import LeapstoneImage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Counts resident memory from the moment at which it is made.
struct ResidentMemory: Sendable {
  private let start: Int

  init() {
    ResidentMemory.resetPeak()
    start = ResidentMemory.peak()
  }

  /// The most that was resident at once, above what was at the start; nil where the system does not say.
  var growth: Int? {
    let peak = ResidentMemory.peak()
    return start > 0 && peak > 0 ? max(peak - start, 0) : nil
  }

  private static func peak() -> Int {
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

  /// Has Linux forget an earlier peak (proc(5), clear_refs). Where that may not be, the earlier one is the start.
  private static func resetPeak() {
    #if os(Linux)
      let descriptor = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return }
      _ = write(descriptor, "5", 1)
      close(descriptor)
    #endif
  }
}
