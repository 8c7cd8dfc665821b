// InstructionSet: which of the kernels' instruction sets is used, in order of preference.

import CLeapKernels
import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An instruction set that kernels are written for.
package enum InstructionSet: String, Sendable, Hashable, CaseIterable {
  // In order of preference.
  case avx512, avx2, neon, portable

  package var cValue: leap_isa {
    switch self {
    case .avx512: LEAP_ISA_AVX512
    case .avx2: LEAP_ISA_AVX2
    case .neon: LEAP_ISA_NEON
    case .portable: LEAP_ISA_PORTABLE
    }
  }

  /// Channels of a group in blocked layouts: the lanes of a vector.
  package var blockWidth: Int { leap_blocked_kernel_for(cValue).width }

  /// Those that this processor and this system offer, the preferred one first. `portable` is always among them.
  package static let available = allCases.filter { leap_isa_available($0.cValue) != 0 }

  /// Chooses among those available.
  ///
  /// - Parameters:
  ///   - name: what `LEAPSTONE_ISA` holds; nil or empty for the preferred one.
  ///   - option: what the error calls the option.
  /// - Throws: `ModelError.option` where it is unknown or not available.
  package static func select(
    _ name: String?, option: String = "LEAPSTONE_ISA"
  ) throws -> InstructionSet {
    guard let name, !name.isEmpty else { return available[0] }
    let names = available.map(\.rawValue).joined(separator: ", ")
    guard let chosen = InstructionSet(rawValue: name) else {
      throw ModelError.option(
        name: option,
        reason: "'\(name)' is no instruction set; available here: \(names)")
    }
    guard available.contains(chosen) else {
      throw ModelError.option(
        name: option,
        reason: "this machine has no \(name); available here: \(names)")
    }
    return chosen
  }

  /// `current`, or the preferred one where the environment asks for one that is not there: a session reports
  /// that error when it is made, by calling `current`.
  package static let preferred = (try? current()) ?? available[0]

  /// What `LEAPSTONE_ISA` asks for, or the preferred one; the environment is read once. Throws as `select` does.
  package static func current() throws -> InstructionSet { try environment.get() }

  private static let environment = Result {
    try select(getenv("LEAPSTONE_ISA").map { String(cString: $0) })
  }
}
