// Slices: what the runs of a graph make for one output of its node, put together as it comes.
//
// 1. Where it is known how many slices come, each is computed in its place, or copied there: nothing is held twice.
// 2. Where it is not, the tensor grows by half of what there is, so that each slice is copied a few times at most.

import LeapGraph
import LeapKernels
import LeapTensors

/// How many runs a graph has.
enum RunCount {
  case exactly(Int)
  /// No more than this; nil where nothing bounds them.
  case atMost(Int?)
}

/// A slice of each run, along a new axis.
struct Slices {
  private let axis: Int
  private let isReversed: Bool
  private let expected: RunCount
  private var count = 0
  private var first: (dataType: DataType, shape: Shape)?
  /// The slices that came, with room for others.
  private var whole: TensorStorage?
  private var capacity = 0
  /// Those that cannot be copied by bytes: strings, and elements of less than a byte.
  private var loose: [Tensor] = []
  /// Bytes that it holds.
  private(set) var byteCount = 0

  /// - Parameters:
  ///   - axis: of the result; from its end where negative. 0 where it is not known how many slices come.
  ///   - isReversed: whether the last slice comes first; only where it is known how many come.
  init(_ expected: RunCount, axis: Int = 0, isReversed: Bool = false) {
    self.expected = expected
    self.axis = axis
    self.isReversed = isReversed
  }

  /// Where the next slice belongs, as memory for a run to compute it in; nil where no such memory is there yet, or where a slice
  /// does not lie in one piece.
  var place: Tensor? {
    guard let first, let whole, count < capacity, sliceBytes > 0, outer == 1 else { return nil }
    return Tensor(
      dataType: first.dataType, shape: first.shape, storage: whole,
      byteOffset: position * sliceBytes)
  }

  /// Takes the slice of one run.
  ///
  /// - Parameters:
  ///   - index: of the output of the graph.
  ///   - charge: charges bytes before they are taken.
  /// - Throws: `OperatorError` where it is no tensor, or differs from those before; `ModelError.outOfMemory`, and what `charge`
  ///   throws.
  mutating func append(
    _ value: RunValue, output index: Int, charge: (Int) throws -> Void
  ) throws {
    guard let tensor = value.tensor else {
      throw OperatorError("output \(index) of the graph is \(value); expected a tensor")
    }
    let first = first ?? (tensor.dataType, tensor.shape)
    guard first.dataType == tensor.dataType, first.shape == tensor.shape else {
      throw OperatorError(
        "output \(index) of the graph is \(tensor); it was \(first.dataType) \(first.shape) before: "
          + "slices that differ cannot be put together")
    }
    self.first = first
    if isByBytes {
      try makeRoom(charge)
      copyIn(tensor)
    } else {
      loose.append(tensor)
      byteCount = saturatingSum(byteCount, tensor.byteCount)
    }
    count += 1
  }

  /// The slices along their axis.
  ///
  /// - Parameters:
  ///   - type: of a slice, for when there is none.
  ///   - charge: charges bytes before they are taken.
  /// - Throws: as `append`.
  func joined(type: ValueType?, charge: (Int) throws -> Void) throws -> Tensor {
    guard let first else { return try empty(type) }
    let axis = try normalizedAxis(axis, rank: first.shape.rank + 1)
    guard let whole else {
      try charge(byteCount)
      let slices = loose.map { $0.reshaped(Slices.shape(of: $0.shape, axis, extent: 1)) }
      return try Tensor.joined(isReversed ? slices.reversed() : slices, axis: axis)
    }
    let shape = Slices.shape(of: first.shape, axis, extent: count)
    if count == capacity {
      return Tensor(dataType: first.dataType, shape: shape, storage: whole)
    }
    let bytes = count * sliceBytes
    try charge(bytes)
    let exact = try TensorStorage(byteCount: bytes)
    exact.base.copyMemory(from: whole.base, byteCount: bytes)
    return Tensor(dataType: first.dataType, shape: shape, storage: exact)
  }

  // MARK: places

  private var isByBytes: Bool {
    first.map { $0.dataType != .string && $0.dataType.bitWidth % 8 == 0 } ?? false
  }

  private var sliceBytes: Int {
    first.flatMap { $0.dataType.byteCount(elements: $0.shape.elementCount) } ?? 0
  }

  /// How many pieces a slice lies in.
  private var outer: Int {
    first.map { $0.shape.outer(axis < 0 ? axis + $0.shape.rank + 1 : axis) } ?? 1
  }

  /// Where along the axis the next slice belongs.
  private var position: Int { isReversed ? capacity - 1 - count : count }

  /// Bytes by which the tensor grows at least.
  private static let leastGrowth = 4096

  private mutating func makeRoom(_ charge: (Int) throws -> Void) throws {
    if count == 0 { _ = try normalizedAxis(axis, rank: (first?.shape.rank ?? 0) + 1) }
    guard count == capacity else { return }
    var wanted = capacity + max(capacity / 2, Slices.leastGrowth / max(sliceBytes, 1), 1)
    switch expected {
    case .exactly(let count): wanted = max(count, capacity + 1)
    case .atMost(let limit): wanted = min(wanted, max(limit ?? .max, capacity + 1))
    }
    let (bytes, overflow) = sliceBytes.multipliedReportingOverflow(by: wanted)
    if overflow { throw ModelError.outOfMemory(bytes: .max) }
    try charge(bytes)
    let larger = try TensorStorage(byteCount: bytes)
    if let whole { larger.base.copyMemory(from: whole.base, byteCount: count * sliceBytes) }
    (whole, capacity, byteCount) = (larger, wanted, bytes)
  }

  /// Copies a slice to its place, where it was not computed there.
  private func copyIn(_ tensor: Tensor) {
    let outer = outer
    guard let whole, let source = tensor.address, sliceBytes > 0, outer > 0 else { return }
    let size = sliceBytes / outer
    for block in 0..<outer {
      let target = whole.base + (block * capacity + position) * size
      let piece = source + block * size
      if piece != target { target.copyMemory(from: piece, byteCount: size) }
    }
  }

  // MARK: shapes

  private static func shape(of slice: Shape, _ axis: Int, extent: Int) -> Shape {
    var dimensions = slice.dimensions
    dimensions.insert(extent, at: axis)
    return Shape(dimensions)
  }

  /// No slices. Extents that nobody knows are 0.
  private func empty(_ type: ValueType?) throws -> Tensor {
    guard case .tensor(let dataType, let slice)? = type else {
      throw OperatorError("the graph never ran, and the type of what it makes is not known")
    }
    let shape = Shape((slice ?? []).map { $0.value ?? 0 })
    let axis = try normalizedAxis(axis, rank: shape.rank + 1)
    return try Tensor(zeros: dataType, shape: Slices.shape(of: shape, axis, extent: 0))
  }
}

extension [Slices] {
  /// Bytes that all hold.
  var byteCount: Int { reduce(0) { saturatingSum($0, $1.byteCount) } }

  /// Where the next slices belong, by the outputs of a graph from `first` on.
  func places(from first: Int) -> [Int: Tensor] {
    var places: [Int: Tensor] = [:]
    for (index, slices) in enumerated() { places[first + index] = slices.place }
    return places
  }
}
