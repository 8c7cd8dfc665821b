// IndexedAccess: kernels that read or write at places which indices name. All operands are contiguous.
//
// 1. An index out of range is an error, and nothing is read or written there.
// 2. Elements that are written to one place are joined in the order of their indices.

import CLeapKernels
import LeapTensors

/// What becomes of an element that another is written to.
package enum ScatterFunction: String, Sendable, CaseIterable {
  case none, add, mul, max, min

  /// nil where the new element takes the place.
  var binary: BinaryFunction? {
    switch self {
    case .none: nil
    case .add: .add
    case .mul: .mul
    case .max: .max
    case .min: .min
    }
  }

  /// Throws `OperatorError.unsupported` where elements of this type cannot be joined so.
  package func require(_ type: DataType) throws { try binary?.require(type, type) }
}

package enum IndexedAccess {
  /// Bytes that one block writes at least, where there are as many.
  private static let grain = 64 << 10

  private static func outOfRange(_ index: Int, _ extent: Int) -> OperatorError {
    OperatorError("index \(index) is out of range for an extent of \(extent)")
  }

  private static func index(_ base: UnsafeRawPointer, _ isWide: Bool, _ place: Int) -> Int {
    isWide
      ? Int(base.loadUnaligned(fromByteOffset: place * 8, as: Int64.self))
      : Int(base.loadUnaligned(fromByteOffset: place * 4, as: Int32.self))
  }

  private static func width(_ operand: Operand) throws -> Int {
    guard operand.dataType.byteWidth > 0 else {
      throw OperatorError.unsupported("elements of type \(operand.dataType) cannot be moved")
    }
    return operand.dataType.byteWidth
  }

  /// Lines along the last axis of the indices, and where they lie in the data.
  private struct Lines: Sendable {
    let width: Int
    let isWide: Bool
    /// Data strides (without the axis) and index strides, of all axes but the last.
    let outer: StridedIndex
    let count: Int
    let extent: Int
    let stride: Int
    let step: Int

    init(_ data: Operand, _ indices: Operand, axis: Int) throws {
      let rank = data.shape.rank
      guard rank > 0, indices.shape.rank == rank else {
        throw OperatorError(
          "the indices have rank \(indices.shape.rank); expected \(rank), that of the data")
      }
      for other in 0..<rank where other != axis && indices.shape[other] > data.shape[other] {
        throw OperatorError(
          "the indices have shape \(indices.shape), which is larger than \(data.shape) along axis "
            + "\(other)")
      }
      width = try IndexedAccess.width(data)
      isWide = indices.dataType == .int64
      let (from, to) = (data.shape.rowMajorStrides, indices.shape.rowMajorStrides)
      outer = StridedIndex(
        (0..<rank - 1).map { (indices.shape[$0], $0 == axis ? 0 : from[$0], to[$0]) })
      count = indices.shape[rank - 1]
      extent = data.shape[axis]
      stride = from[axis]
      step = axis == rank - 1 ? 0 : 1
    }

    /// Throws the error of the first index that is out of range.
    func check(_ done: Int, _ indices: UnsafeRawPointer) throws {
      if done < count {
        throw IndexedAccess.outOfRange(IndexedAccess.index(indices, isWide, done), extent)
      }
    }
  }

  /// y[i][j] = x[indices[i][j]][j] along an axis: inputs x and indices, output 0 of the indices' shape.
  package static func gatherElements(
    _ data: Operand, _ indices: Operand, axis: Int
  ) throws -> Kernel {
    let lines = try Lines(data, indices, axis: axis)
    let perBlock = Swift.max(1, grain / Swift.max(lines.count &* lines.width, 1))
    let units = lines.count == 0 ? 0 : lines.outer.count
    return Kernel(blocks: units == 0 ? 0 : (units - 1) / perBlock + 1) { invocation, block in
      for line in block * perBlock..<Swift.min((block + 1) * perBlock, units) {
        let offsets = lines.outer.offsets(line)
        let places = invocation.input(1) + offsets.output * (lines.isWide ? 8 : 4)
        try lines.check(
          leap_gather_line(
            invocation.input(0) + offsets.input * lines.width, lines.extent, lines.stride,
            lines.step, places, lines.isWide ? 1 : 0,
            invocation.output(0) + offsets.output * lines.width, lines.count, lines.width), places)
      }
    }
  }

  /// y = x, then y[indices[i][j]][j] = updates[i][j] along an axis, in order. Output 0 may lie where x lies.
  ///
  /// - Throws: `OperatorError` for shapes that do not go together, and for a type that the function does not take.
  package static func scatterElements(
    _ function: ScatterFunction, _ data: Operand, _ indices: Operand, _ updates: Operand,
    _ output: Operand, axis: Int
  ) throws -> Kernel {
    let lines = try Lines(data, indices, axis: axis)
    guard updates.shape == indices.shape, updates.dataType == data.dataType else {
      throw OperatorError(
        "the updates are \(updates.dataType) \(updates.shape); expected \(data.dataType) "
          + "\(indices.shape)")
    }
    try function.require(data.dataType)
    // Lines of different places before the axis never meet; those of one are written in order.
    let units = indices.shape.contains(0) ? 0 : indices.shape.outer(axis)
    let linesPerUnit = lines.outer.count / Swift.max(units, 1)
    let bytes = Shape.product([linesPerUnit, lines.count, lines.width])
    let perBlock = Swift.max(1, grain / Swift.max(bytes, 1)) &* linesPerUnit
    let all = units &* linesPerUnit
    let type = data.dataType.rawValue
    let blocks = all == 0 ? 0 : (all - 1) / perBlock + 1
    let write = Phase(blockCount: blocks) { invocation, block in
      for line in block * perBlock..<Swift.min((block + 1) * perBlock, all) {
        let offsets = lines.outer.offsets(line)
        let places = invocation.input(1) + offsets.output * (lines.isWide ? 8 : 4)
        let source = invocation.input(2) + offsets.output * lines.width
        let target = invocation.output(0) + offsets.input * lines.width
        let wide: Int32 = lines.isWide ? 1 : 0
        let done =
          if let binary = function.binary {
            leap_scatter_join_line(
              type, binary.raw, source, places, wide, target, lines.extent, lines.stride,
              lines.step, lines.count, lines.width)
          } else {
            leap_scatter_line(
              source, places, wide, target, lines.extent, lines.stride, lines.step, lines.count,
              lines.width)
          }
        try lines.check(done, places)
      }
    }
    return Kernel(phases: try ElementwiseKernels.copy(data, output: output).phases + [write])
  }

  /// Runs of elements behind tuples of indices.
  private struct Tuples: Sendable {
    let isWide: Bool
    /// The length of a tuple, and how many there are for each of the batch.
    let length: Int
    let count: Int
    let batches: Int
    let extents: [Int]
    let strides: [Int]
    /// Elements of a batch of the data, and of a run.
    let batch: Int
    let run: Int
    let width: Int

    init(_ data: Operand, _ indices: Operand, batchAxes: Int) throws {
      let rank = data.shape.rank
      guard indices.shape.rank > batchAxes, rank >= batchAxes, let length = indices.shape.last,
        length >= 0, batchAxes + length <= rank,
        data.shape[..<batchAxes].elementsEqual(indices.shape[..<batchAxes])
      else {
        throw OperatorError(
          "indices of shape \(indices.shape) do not fit data of shape \(data.shape)")
      }
      width = try IndexedAccess.width(data)
      isWide = indices.dataType == .int64
      self.length = length
      batches = data.shape.outer(batchAxes)
      count = Shape.product(indices.shape.dimensions[batchAxes..<indices.shape.rank - 1])
      extents = Array(data.shape[batchAxes..<batchAxes + length])
      strides = Array(data.shape.rowMajorStrides[batchAxes..<batchAxes + length])
      batch = data.shape.inner(from: batchAxes)
      run = data.shape.inner(from: batchAxes + length)
    }

    /// The first element of a tuple's run in its batch of the data.
    func offset(_ indices: UnsafeRawPointer, _ tuple: Int) throws -> Int {
      let places = indices + tuple * length * (isWide ? 8 : 4)
      let offset = leap_offset_of_indices(places, isWide ? 1 : 0, length, extents, strides)
      guard offset >= 0 else {
        let place = -1 - offset
        throw IndexedAccess.outOfRange(
          IndexedAccess.index(places, isWide, place), extents[place])
      }
      return offset
    }
  }

  /// Output 0: for each tuple of indices (input 1, along its last axis) the run of the data (input 0) that it names.
  ///
  /// - Parameter batchAxes: leading axes that data and indices share.
  /// - Throws: `OperatorError` for shapes that do not go together.
  package static func gatherTuples(
    _ data: Operand, _ indices: Operand, batchAxes: Int
  ) throws -> Kernel {
    let tuples = try Tuples(data, indices, batchAxes: batchAxes)
    let units = Shape.product([tuples.batches, tuples.count])
    let bytes = tuples.run &* tuples.width
    let perBlock = Swift.max(1, grain / Swift.max(bytes, 64))
    return Kernel(blocks: units == 0 ? 0 : (units - 1) / perBlock + 1) { invocation, block in
      for tuple in block * perBlock..<Swift.min((block + 1) * perBlock, units) {
        let offset =
          try tuples.offset(invocation.input(1), tuple) + tuple / tuples.count * tuples.batch
        (invocation.output(0) + tuple * bytes).copyMemory(
          from: invocation.input(0) + offset * tuples.width, byteCount: bytes)
      }
    }
  }

  /// y = x, then for each tuple of indices (input 1) the run that it names becomes one of the updates (input 2), in order.
  /// Output 0 may lie where x lies.
  ///
  /// - Throws: `OperatorError` for shapes that do not go together, and for a type that the function does not take.
  package static func scatterTuples(
    _ function: ScatterFunction, _ data: Operand, _ indices: Operand, _ updates: Operand,
    _ output: Operand
  ) throws -> Kernel {
    let tuples = try Tuples(data, indices, batchAxes: 0)
    let expected = Shape(indices.shape.dropLast() + data.shape.dropFirst(tuples.length))
    guard updates.shape == expected, updates.dataType == data.dataType else {
      throw OperatorError(
        "the updates are \(updates.dataType) \(updates.shape); expected \(data.dataType) "
          + "\(expected)")
    }
    try function.require(data.dataType)
    let type = data.dataType.rawValue
    let bytes = tuples.run &* tuples.width
    // Any two tuples may name one place, and their order counts.
    let write = Phase(blockCount: tuples.count == 0 || bytes == 0 ? 0 : 1) { invocation, _ in
      for tuple in 0..<tuples.count {
        let offset = try tuples.offset(invocation.input(1), tuple)
        let source = invocation.input(2) + tuple * bytes
        let target = invocation.output(0) + offset * tuples.width
        if let binary = function.binary {
          _ = leap_binary_run(type, binary.raw, target, 1, source, 1, target, 1, tuples.run)
        } else {
          target.copyMemory(from: source, byteCount: bytes)
        }
      }
    }
    return Kernel(phases: try ElementwiseKernels.copy(data, output: output).phases + [write])
  }

  /// Throws `OperatorError.unsupported` where elements of this type cannot be compared with 0.
  package static func requireTruth(of type: DataType) throws {
    try check(
      leap_convert_run(type.rawValue, DataType.bool.rawValue, nil, 1, nil, 1, 0),
      "comparing \(type) with 0")
  }

  /// Whether each element is other than 0. Of the tensor's elements, in order.
  ///
  /// - Throws: `OperatorError` for a type that is no number.
  package static func truth(of tensor: Tensor) throws -> [Bool] {
    let (type, bool) = (tensor.dataType.rawValue, DataType.bool.rawValue)
    try requireTruth(of: tensor.dataType)
    let count = tensor.elementCount
    return tensor.withUnsafeBytes { bytes in
      [Bool](unsafeUninitializedCapacity: count) { buffer, initialized in
        if count > 0 {
          _ = leap_convert_run(type, bool, bytes.baseAddress, 1, buffer.baseAddress, 1, count)
        }
        initialized = count
      }
    }
  }
}
