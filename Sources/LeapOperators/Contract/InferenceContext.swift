// InferenceContext: what is known of a node's inputs, and what its operator says of the outputs.

import LeapGraph
import LeapTensors

/// What is known of the elements of a value before the model runs.
package enum KnownValue: Sendable {
  /// All of it.
  case tensor(Tensor)
  /// The elements of an integer scalar or vector, as expressions over the model's symbols: what `Shape` gives.
  case dimensions([Dimension])
}

/// What is known of one value.
package struct InferredValue: Sendable {
  package var type: ValueType
  package var known: KnownValue?

  package init(_ type: ValueType, known: KnownValue? = nil) {
    self.type = type
    self.known = known
  }
}

/// The inputs and outputs of one node during inference.
package struct InferenceContext: Sendable {
  /// nil where an optional input is left out or nothing is known of it.
  package let inputs: [InferredValue?]
  /// Which inputs are given at all.
  package let given: [Bool]
  /// What the operator says; nil for what it could not tell.
  package private(set) var outputs: [InferredValue?]

  package init(inputs: [InferredValue?], given: [Bool], outputCount: Int) {
    // The shapes that a model declares of items in containers are not checked, and prove nothing.
    let hasContainers = inputs.contains { $0?.type.isContainer == true }
    self.inputs =
      hasContainers
      ? inputs.map { $0.map { $0.type.isContainer ? InferredValue($0.type.withoutShapes) : $0 } }
      : inputs
    self.given = given
    outputs = Array(repeating: nil, count: outputCount)
  }

  package func hasInput(_ index: Int) -> Bool { index < given.count && given[index] }

  /// The element type of a tensor input. Throws `OperatorError` where the input is no tensor or of unknown type.
  package func dataType(_ index: Int) throws -> DataType {
    let type = try type(index)
    guard let dataType = type.dataType else {
      throw OperatorError("input \(index) is \(type); expected a tensor")
    }
    return dataType
  }

  /// The element type of an input. Throws `OperatorError.unsupported` where it is none of `types`, those that there are
  /// kernels for.
  package func dataType(_ index: Int, among types: Set<DataType>) throws -> DataType {
    let type = try dataType(index)
    guard types.contains(type) else {
      let known = types.sorted { $0.rawValue < $1.rawValue }.map(\.description)
      throw OperatorError.unsupported(
        "input \(index) is \(type); expected \(known.joined(separator: ", "))")
    }
    return type
  }

  /// Checks that inputs that are extents, axes or places are int32 or int64, as far as they are known. Throws
  /// `OperatorError.unsupported` where one is not.
  package func requireIntegers(_ indices: [Int]) throws {
    for index in indices where index < inputs.count && inputs[index] != nil {
      _ = try dataType(index, among: [.int32, .int64])
    }
  }

  /// The type of an input of any kind. Throws `OperatorError` where it is not known.
  package func type(_ index: Int) throws -> ValueType {
    guard hasInput(index) else { throw OperatorError("input \(index) is required") }
    guard let type = inputs[index]?.type else {
      throw OperatorError("the type of input \(index) is not known")
    }
    return type
  }

  /// The type of the items of a sequence. Throws `OperatorError` where the input is something else.
  package func itemType(_ index: Int) throws -> ValueType {
    let type = try type(index)
    guard case .sequence(let item) = type else {
      throw OperatorError("input \(index) is \(type); expected a sequence")
    }
    return item
  }

  /// The shape of an input; nil where its rank is not known or it is not given.
  package func shape(_ index: Int) -> [Dimension]? {
    index < inputs.count ? inputs[index]?.type.shape : nil
  }

  /// The shape of an input whose rank must be in `ranks` where it is known.
  package func shape(_ index: Int, ranks: ClosedRange<Int>) throws -> [Dimension]? {
    guard let shape = shape(index) else { return nil }
    guard ranks.contains(shape.count) else {
      let expected =
        ranks.lowerBound == ranks.upperBound
        ? "\(ranks.lowerBound)" : "\(ranks.lowerBound) to \(ranks.upperBound)"
      throw OperatorError("input \(index) has rank \(shape.count); expected \(expected)")
    }
    return shape
  }

  /// The elements of an input that is known in full.
  package func tensor(_ index: Int) -> Tensor? {
    guard index < inputs.count, case .tensor(let tensor) = inputs[index]?.known else { return nil }
    return tensor
  }

  /// The elements of an integer input, as far as they are known; nil where not even their number is.
  package func dimensions(_ index: Int) -> [Dimension]? {
    guard index < inputs.count, let input = inputs[index] else { return nil }
    switch input.known {
    case .tensor(let tensor): return tensor.integers.map { $0.map(Dimension.fixed) }
    case .dimensions(let dimensions): return dimensions
    case nil: return nil
    }
  }

  /// The elements of an integer input that is known in full.
  package func integers(_ index: Int) -> [Int]? {
    guard let dimensions = dimensions(index) else { return nil }
    let values = dimensions.compactMap(\.value)
    return values.count == dimensions.count ? values : nil
  }

  /// Says what an output is; an output that the node does not ask for is passed over.
  package mutating func setOutput(_ index: Int, _ dataType: DataType, _ shape: [Dimension]?) {
    setOutput(index, type: .tensor(dataType, shape: shape))
  }

  package mutating func setOutput(_ index: Int, type: ValueType, known: KnownValue? = nil) {
    guard index < outputs.count else { return }
    outputs[index] = InferredValue(type, known: known)
  }

  /// Says the elements of an integer scalar or vector output. Call it after `setOutput`.
  package mutating func setOutput(_ index: Int, dimensions: [Dimension]) {
    guard index < outputs.count else { return }
    outputs[index]?.known = .dimensions(dimensions)
  }
}

/// Turns a possibly negative axis into an index. Throws `OperatorError` where it is out of range.
package func normalizedAxis(_ axis: Int, rank: Int, name: String = "axis") throws -> Int {
  guard axis >= -rank, axis < max(rank, 1) || axis == 0 else {
    throw OperatorError("\(name) \(axis) is out of range for rank \(rank)")
  }
  return axis < 0 ? axis + rank : axis
}

/// Turns axes, of which none may be given twice, into indices; nil stands for all. Throws `OperatorError` where one is out of
/// range or repeated.
package func distinctAxes(_ axes: [Int]?, rank: Int) throws -> [Int] {
  guard let axes else { return Array(0..<rank) }
  var seen: Set<Int> = []
  return try axes.map { axis in
    guard rank > 0 else { throw OperatorError("a scalar has no axis \(axis)") }
    let place = try normalizedAxis(axis, rank: rank)
    guard seen.insert(place).inserted else { throw OperatorError("axis \(axis) is given twice") }
    return place
  }
}

/// The shape of an elementwise result of symbolic shapes, by ONNX's multidirectional broadcasting. Throws
/// `OperatorError` where known extents do not go together.
package func broadcast(_ left: [Dimension], _ right: [Dimension]) throws -> [Dimension] {
  var result: [Dimension] = []
  for back in 1..<(max(left.count, right.count) + 1) {
    let a = back <= left.count ? left[left.count - back] : 1
    let b = back <= right.count ? right[right.count - back] : 1
    switch (a, b) {
    case (1, let other), (let other, 1): result.append(other)
    case (.fixed(let m), .fixed(let n)) where m != n:
      throw OperatorError(
        "shapes \(describe(left)) and \(describe(right)) cannot be broadcast together")
    case (.fixed, _): result.append(a)
    case (_, .fixed): result.append(b)
    default: result.append(a == b && a != .unknown ? a : .unknown)
    }
  }
  return result.reversed()
}

/// A symbolic shape as text: `batch x 64 x 56 x 56`.
package func describe(_ shape: [Dimension]) -> String {
  shape.isEmpty ? "scalar" : shape.map(\.description).joined(separator: "x")
}
