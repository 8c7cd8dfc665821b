// Destination: memory of the caller's that an output is to end up in.

import LeapTensors

extension Tensor {
  /// This tensor, after `result` was copied into its memory; where the result was computed there, nothing is copied.
  ///
  /// - Throws: `RunError.outputMismatch` where type or shape differ; strings fit no memory of the caller's.
  func receiving(_ result: Tensor, output name: String) throws -> Tensor {
    guard result.dataType == dataType, result.shape == shape, let address else {
      throw RunError.outputMismatch(name, expected: result.description, got: description)
    }
    result.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress, base != UnsafeRawPointer(address) {
        address.copyMemory(from: base, byteCount: bytes.count)
      }
    }
    return self
  }
}
