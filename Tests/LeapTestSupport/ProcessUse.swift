// ProcessUse: time and memory of the test's own process, for tests that bound them.

import Foundation
import LeapTools

/// What a process has used since it began.
package struct ProcessUse {
  /// Processor time of all its threads.
  package var seconds: Double
  /// The most memory that was resident at once.
  package var peakBytes: Int

  package static func now() -> ProcessUse {
    ProcessUse(seconds: Double(clock()) / Double(CLOCKS_PER_SEC), peakBytes: ResidentMemory.peak())
  }
}
