// Destination: memory of the caller's that an output is to end up in.

import LeapGraph
import LeapTensors

extension Tensor {
  /// This tensor, after a result was copied into its memory; where the result was computed there, nothing is copied.
  ///
  /// - Throws: `RunError.outputMismatch` where kind, type or shape differ; strings fit no memory of the caller's.
  func receiving(_ value: RunValue, output name: String) throws -> Tensor {
    guard let address, let result = value.tensor, result.dataType == dataType,
      result.shape == shape
    else {
      throw RunError.outputMismatch(name, expected: value.description, got: description)
    }
    result.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress, base != UnsafeRawPointer(address) {
        address.copyMemory(from: base, byteCount: bytes.count)
      }
    }
    return self
  }
}
