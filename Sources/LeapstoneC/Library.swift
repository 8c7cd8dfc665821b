// Library: what C can ask without a handle.

import LeapKernels
import Leapstone

private let version = ConstantText(leapstoneVersion)
private let instructionSets = ConstantText(
  InstructionSet.available.map(\.rawValue).joined(separator: ","))

@_cdecl("leapstone_version")
public func libraryVersion() -> UnsafePointer<CChar> { version.pointer }

@_cdecl("leapstone_instruction_sets")
public func libraryInstructionSets() -> UnsafePointer<CChar> { instructionSets.pointer }

@_cdecl("leapstone_error_message")
public func libraryErrorMessage() -> UnsafePointer<CChar> { ErrorMessage.current }
