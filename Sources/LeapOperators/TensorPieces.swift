// TensorPieces: tensors cut along an axis and put together again, as the operators of sequences do, for any element type but
// those of less than a byte.
//
// 1. Pieces that lie together in memory share it; nothing else is copied more than once.

import LeapTensors

extension Tensor {
  /// The tensor in pieces of these extents along an axis; together they are as long as the axis.
  ///
  /// - Throws: `OperatorError` for elements of less than a byte; `ModelError.outOfMemory`.
  func pieces(_ extents: [Int], axis: Int) throws -> [Tensor] {
    var start = 0
    return try extents.map { extent in
      defer { start += extent }
      return try piece(start, extent, axis)
    }
  }

  private func piece(_ start: Int, _ extent: Int, _ axis: Int) throws -> Tensor {
    var piece = shape
    piece[axis] = extent
    if let strings {
      let blocks = Blocks(shape, axis, unit: 1)
      let elements = (0..<blocks.count).flatMap { block in
        strings[(block * blocks.size + start * blocks.step)...].prefix(extent * blocks.step)
      }
      return try Tensor(strings: elements, shape: piece)
    }
    let blocks = Blocks(shape, axis, unit: try wholeBytes)
    guard case .bytes(let storage, let offset) = contents, piece.elementCount > 0 else {
      return try Tensor(zeros: dataType, shape: piece)
    }
    if blocks.count == 1 {
      return Tensor(
        dataType: dataType, shape: piece, storage: storage, byteOffset: offset + start * blocks.step
      )
    }
    let source = storage.base + offset + start * blocks.step
    let size = extent * blocks.step
    let copy: (UnsafeMutableRawBufferPointer) -> Void = { bytes in
      guard let target = bytes.baseAddress else { return }
      for block in 0..<blocks.count {
        (target + block * size).copyMemory(from: source + block * blocks.size, byteCount: size)
      }
    }
    return try Tensor(dataType: dataType, shape: piece, fill: copy)
  }

  /// Tensors side by side along an axis.
  ///
  /// - Throws: `OperatorError` where types or other extents differ, there is no tensor, or elements are of less than a byte;
  ///   `ModelError.outOfMemory`.
  static func joined(_ tensors: [Tensor], axis: Int) throws -> Tensor {
    guard let first = tensors.first else { throw OperatorError("there is nothing to put together") }
    var shape = first.shape
    shape[axis] = 0
    for (index, tensor) in tensors.enumerated() {
      var others = tensor.shape
      if tensor.shape.rank == shape.rank { others[axis] = shape[axis] }
      guard others == shape, tensor.dataType == first.dataType else {
        throw OperatorError(
          "item \(index) is \(tensor), which does not go with \(first) along axis \(axis)")
      }
      let (sum, overflow) = shape[axis].addingReportingOverflow(tensor.shape[axis])
      if overflow { throw ModelError.outOfMemory(bytes: .max) }
      shape[axis] = sum
    }
    if tensors.count == 1 { return first }
    return first.dataType == .string
      ? try joinedStrings(tensors, shape, axis) : try joinedBytes(tensors, shape, axis)
  }

  private static func joinedStrings(
    _ tensors: [Tensor], _ shape: Shape, _ axis: Int
  ) throws -> Tensor {
    let parts = tensors.map { ($0.strings ?? [], Blocks($0.shape, axis, unit: 1)) }
    let elements = (0..<shape.outer(axis)).flatMap { block in
      parts.flatMap { strings, blocks in
        strings[(block * blocks.size)...].prefix(blocks.size)
      }
    }
    return try Tensor(strings: elements, shape: shape)
  }

  private static func joinedBytes(
    _ tensors: [Tensor], _ shape: Shape, _ axis: Int
  ) throws -> Tensor {
    let unit = try tensors[0].wholeBytes
    guard shape.elementCount > 0 else {
      return try Tensor(zeros: tensors[0].dataType, shape: shape)
    }
    let whole = Blocks(shape, axis, unit: unit)
    let copy: (UnsafeMutableRawBufferPointer) -> Void = { bytes in
      guard var target = bytes.baseAddress else { return }
      for tensor in tensors where tensor.elementCount > 0 {
        let blocks = Blocks(tensor.shape, axis, unit: unit)
        tensor.withUnsafeBytes { source in
          guard let source = source.baseAddress else { return }
          for block in 0..<blocks.count {
            (target + block * whole.size).copyMemory(
              from: source + block * blocks.size, byteCount: blocks.size)
          }
        }
        target += blocks.size
      }
    }
    return try Tensor(dataType: tensors[0].dataType, shape: shape, fill: copy)
  }

  /// Bytes of an element.
  private var wholeBytes: Int {
    get throws {
      guard dataType.bitWidth >= 8, dataType.bitWidth % 8 == 0 else {
        throw OperatorError("elements of type \(dataType) are less than a byte: they cannot be cut")
      }
      return dataType.byteWidth
    }
  }
}

/// How a tensor lies in memory along one axis: blocks, one for each place in the axes before it.
private struct Blocks {
  let count: Int
  /// From one block to the next.
  let size: Int
  /// From one place on the axis to the next.
  let step: Int

  /// - Parameter unit: what an element takes. A tensor without elements has no blocks.
  init(_ shape: Shape, _ axis: Int, unit: Int) {
    let isEmpty = shape.elementCount == 0
    count = isEmpty ? 0 : shape.outer(axis)
    step = isEmpty ? 0 : shape.inner(from: axis + 1) * unit
    size = isEmpty ? 0 : shape[axis] * step
  }
}
