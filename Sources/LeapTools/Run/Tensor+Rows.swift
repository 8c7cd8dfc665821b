// Parts of outputs: rows of a tensor along its first dimension, tensors put together along it, and the tensors of a sequence.

import LeapTensors
import Leapstone

extension Tensor {
  /// Some rows along the first dimension, without a copy; nil for a scalar, rows that are not there, and elements that
  /// are packed several to a byte.
  package func rows(_ range: Range<Int>) -> Tensor? {
    guard let count = shape.first, range.lowerBound >= 0, range.upperBound <= count else {
      return nil
    }
    let row = count == 0 ? 0 : elementCount / count
    let part = Shape([range.count] + shape.dimensions.dropFirst())
    switch contents {
    case .bytes(let storage, let offset):
      guard dataType.bitWidth >= 8 else { return nil }
      let start = offset + range.lowerBound * row * dataType.byteWidth
      return Tensor(dataType: dataType, shape: part, storage: storage, byteOffset: start)
    case .strings(let strings):
      let own = strings[(range.lowerBound * row)..<(range.upperBound * row)]
      return try? Tensor(strings: Array(own), shape: part)
    }
  }

  /// Tensors put one behind the other along the first dimension; scalars become a vector.
  ///
  /// - Throws: `ToolError` where types or other dimensions differ; `ModelError.outOfMemory`.
  package static func joined(_ tensors: [Tensor], name: String) throws -> Tensor {
    guard let first = tensors.first else { return try Tensor([] as [Float]) }
    if tensors.count == 1 { return first }
    let parts = tensors.map { $0.shape.rank == 0 ? $0.reshaped([1]) : $0 }
    let (type, rest) = (parts[0].dataType, parts[0].shape.dropFirst())
    for part in parts where part.dataType != type || !part.shape.dropFirst().elementsEqual(rest) {
      throw ToolError(
        "--save: output '\(escaped(name))' is \(parts[0]) for one picture and \(part) for another; "
          + "put {index} into the path, for a file for each")
    }
    let shape = Shape([parts.reduce(0) { $0 + $1.shape[0] }] + Array(rest))
    if type == .string {
      return try Tensor(strings: parts.flatMap { $0.strings ?? [] }, shape: shape)
    }
    guard type.bitWidth >= 8 else {
      throw ToolError("--save: output '\(escaped(name))' of type \(type) cannot be put together")
    }
    return try Tensor(dataType: type, shape: shape) { bytes in
      var offset = 0
      for part in parts {
        part.withUnsafeBytes { source in
          UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + source.count)])
            .copyMemory(from: source)
          offset += source.count
        }
      }
    }
  }
}

extension NamedTensor {
  /// The tensors of an output: the items of a sequence are NAME_0, NAME_1 and so on; what an optional does not hold is none.
  static func parts(of value: RunValue, _ name: String) -> [NamedTensor] {
    switch value {
    case .tensor(let tensor): [NamedTensor(name, tensor)]
    case .sequence(let items, _):
      items.enumerated().flatMap { parts(of: $1, "\(name)_\($0)") }
    case .optional(let item, _): item.map { parts(of: $0, name) } ?? []
    }
  }
}
