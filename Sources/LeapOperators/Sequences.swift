// Sequences: operators that make sequences of tensors, change them and take tensors out of them. ONNX opset 11 on.
//
// 1. Tensors are handed on, not copied, wherever they stay as they are.
// 2. A position that a sequence does not have is an error that says which it has.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Sequences: OperatorFamily {
  package static let operators: [any Operator.Type] = [
    SequenceConstruct.self, SequenceEmpty.self, SequenceAt.self, SequenceInsert.self,
    SequenceErase.self, SequenceLength.self, ConcatFromSequence.self, SplitToSequence.self,
  ]
}

private func sinceOpset11(_ name: String) -> [OperatorDeclaration] {
  [OperatorDeclaration(name, opsets: 11...OperatorTable.latestOpset)]
}

extension InferenceContext {
  /// Checks that an input, where it is given, is of integers that a position is made of.
  fileprivate func checkPosition(_ index: Int) throws {
    if hasInput(index) { _ = try dataType(index, among: [.int32, .int64]) }
  }
}

/// SequenceConstruct: a sequence of the inputs, which are tensors of one type.
package struct SequenceConstruct: HostOperator {
  package static let declarations = sinceOpset11("SequenceConstruct")

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...max(node.inputCount, 1))
    for index in 0..<node.inputCount where !node.hasInput(index) {
      throw OperatorError("input \(index) is left out")
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    for index in context.inputs.indices where try context.dataType(index) != type {
      throw OperatorError("input \(index) is \(try context.dataType(index)); input 0 is \(type)")
    }
    context.setOutput(0, type: .sequence(.tensor(type, shape: nil)))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [] }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    let tensors = try inputs.indices.map { try inputs.tensor($0) }
    let type = try inputs.tensor(0).dataType
    return [.sequence(tensors.map(RunValue.tensor), of: .tensor(type, shape: nil))]
  }
}

/// SequenceEmpty: a sequence without items, of float tensors unless the attribute `dtype` tells another type.
package struct SequenceEmpty: HostOperator {
  package static let declarations = sinceOpset11("SequenceEmpty")

  private let type: ValueType

  package init(_ node: NodeReader) throws {
    try node.requireInputs(0...0)
    let number = try node.int("dtype", default: Int(DataType.float32.rawValue))
    guard let raw = Int32(exactly: number), let dataType = DataType(rawValue: raw) else {
      throw OperatorError("attribute 'dtype' is \(number); expected the number of an element type")
    }
    type = .tensor(dataType, shape: nil)
  }

  package func infer(_ context: inout InferenceContext) throws {
    context.setOutput(0, type: .sequence(type))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [] }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] { [.sequence([], of: type)] }
}

/// SequenceAt: the tensor at a position.
package struct SequenceAt: HostOperator {
  package static let declarations = sinceOpset11("SequenceAt")

  package init(_ node: NodeReader) throws { try node.requireInputs(2...2) }

  package func infer(_ context: inout InferenceContext) throws {
    try context.checkPosition(1)
    context.setOutput(0, type: try context.itemType(0))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [] }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    let items = try inputs.sequence(0).items
    guard let position = try inputs.position(1, count: items.count, end: items.count - 1) else {
      throw OperatorError("input 1 is required")
    }
    return [items[position]]
  }
}

/// SequenceInsert: a sequence with one tensor more, before the one at a position, or at the end.
package struct SequenceInsert: HostOperator {
  package static let declarations = sinceOpset11("SequenceInsert")

  package init(_ node: NodeReader) throws { try node.requireInputs(2...3) }

  package func infer(_ context: inout InferenceContext) throws {
    try context.checkPosition(2)
    let (item, type) = (try context.itemType(0), try context.dataType(1))
    guard item.dataType == type else {
      throw OperatorError("input 1 is \(type); input 0 is a sequence of \(item)")
    }
    context.setOutput(0, type: .sequence(item))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [] }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    var (items, type) = try inputs.sequence(0)
    let tensor = try inputs.tensor(1)
    guard type.dataType == tensor.dataType else {
      throw OperatorError("input 1 is \(tensor); input 0 is a sequence of \(type)")
    }
    let position = try inputs.position(2, count: items.count, end: items.count) ?? items.count
    items.insert(.tensor(tensor), at: position)
    return [.sequence(items, of: type)]
  }
}

/// SequenceErase: a sequence without the tensor at a position, or without the last.
package struct SequenceErase: HostOperator {
  package static let declarations = sinceOpset11("SequenceErase")

  package init(_ node: NodeReader) throws { try node.requireInputs(1...2) }

  package func infer(_ context: inout InferenceContext) throws {
    try context.checkPosition(1)
    context.setOutput(0, type: .sequence(try context.itemType(0)))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [] }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    var (items, type) = try inputs.sequence(0)
    let last = items.count - 1
    let position = try inputs.position(1, count: items.count, end: last) ?? last
    guard items.indices.contains(position) else {
      throw OperatorError("the sequence has no item to erase")
    }
    items.remove(at: position)
    return [.sequence(items, of: type)]
  }
}

/// SequenceLength: the number of items, an int64 scalar.
package struct SequenceLength: HostOperator {
  package static let declarations = sinceOpset11("SequenceLength")

  package init(_ node: NodeReader) throws { try node.requireInputs(1...1) }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.itemType(0)
    context.setOutput(0, .int64, [])
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { [Operand(.int64, [])] }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    [.tensor(try Tensor(scalar: Int64(try inputs.sequence(0).items.count)))]
  }
}

/// ConcatFromSequence: the items side by side along an axis, or along a new one, where `new_axis` is 1.
package struct ConcatFromSequence: HostOperator {
  package static let declarations = sinceOpset11("ConcatFromSequence")

  private let axis: Int
  private let isNewAxis: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    axis = try node.required("axis", node.int("axis"))
    isNewAxis = try node.flag("new_axis", default: false)
  }

  package func infer(_ context: inout InferenceContext) throws {
    context.setOutput(0, type: try context.itemType(0))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { nil }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    let items = try inputs.sequence(0).items
    var tensors = items.compactMap(\.tensor)
    guard let first = tensors.first, tensors.count == items.count else {
      throw OperatorError("input 0 is \(try inputs.value(0)); expected a sequence of tensors")
    }
    let rank = first.shape.rank + (isNewAxis ? 1 : 0)
    guard (-rank..<rank).contains(axis) else {
      throw OperatorError("axis \(axis) is out of range for a result of rank \(rank)")
    }
    let axis = axis < 0 ? axis + rank : axis
    if isNewAxis {
      tensors = try tensors.enumerated().map { index, tensor in
        guard tensor.shape == first.shape else {
          throw OperatorError("item \(index) is \(tensor); item 0 is \(first)")
        }
        var shape = tensor.shape.dimensions
        shape.insert(1, at: axis)
        return tensor.reshaped(Shape(shape))
      }
    }
    return [.tensor(try Tensor.joined(tensors, axis: axis))]
  }
}

/// SplitToSequence, ONNX opsets 11 and 24: a tensor cut along an axis: into pieces of the extents that input 1 lists, of the one
/// extent that it is (the last may be shorter), or of 1, which `keepdims` 0 then leaves out.
package struct SplitToSequence: HostOperator {
  package static let declarations = sinceOpset11("SplitToSequence")

  /// The most pieces that a tensor is cut into: pieces without elements take memory too.
  private static let pieceLimit = 1 << 20

  private let axis: Int
  private let keepsAxis: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...2)
    axis = try node.int("axis", default: 0)
    keepsAxis = try node.hasInput(1) || node.flag("keepdims", default: true)
  }

  package func infer(_ context: inout InferenceContext) throws {
    try context.checkPosition(1)
    let type = try context.dataType(0)
    if let rank = context.shape(0)?.count { _ = try axis(rank: rank) }
    if let rank = context.shape(1)?.count, rank > 1 {
      throw OperatorError("input 1 has rank \(rank); expected 0 or 1")
    }
    context.setOutput(0, type: .sequence(.tensor(type, shape: nil)))
  }

  private func axis(rank: Int) throws -> Int {
    guard rank > 0 else { throw OperatorError("a scalar cannot be cut") }
    return try normalizedAxis(axis, rank: rank)
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let input = inputs.first ?? nil, let axis = try? axis(rank: input.shape.rank) else {
      return nil
    }
    // Pieces along the outermost axis lie together, and share the input's memory.
    return input.shape.outer(axis) == 1 ? [] : [Operand(input.dataType, input.shape)]
  }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    let input = try inputs.tensor(0)
    let axis = try axis(rank: input.shape.rank)
    let sizes = inputs.count > 1 && inputs[1] != nil ? try inputs.tensor(1) : nil
    var pieces = try input.pieces(try extents(of: input.shape[axis], sizes), axis: axis)
    if !keepsAxis {
      var shape = input.shape.dimensions
      shape.remove(at: axis)
      pieces = pieces.map { $0.reshaped(Shape(shape)) }
    }
    return [.sequence(pieces.map(RunValue.tensor), of: .tensor(input.dataType, shape: nil))]
  }

  /// The extents of the pieces of an axis. Throws `OperatorError` where they do not add up, or are too many.
  private func extents(of whole: Int, _ sizes: Tensor?) throws -> [Int] {
    var extent = 1
    if let sizes {
      guard let list = sizes.integers, sizes.dataType == .int32 || sizes.dataType == .int64,
        sizes.shape.rank <= 1
      else {
        throw OperatorError("input 1 is \(sizes); expected a scalar or vector of int32 or int64")
      }
      if sizes.shape.rank == 1 { return try checked(list, whole) }
      extent = list[0]
    }
    guard extent > 0 else { throw OperatorError("pieces of \(extent) are no pieces") }
    let (full, rest) = whole.quotientAndRemainder(dividingBy: extent)
    guard full < SplitToSequence.pieceLimit else {
      throw OperatorError("\(full) pieces are more than the \(SplitToSequence.pieceLimit) allowed")
    }
    return Array(repeating: extent, count: full) + (rest > 0 ? [rest] : [])
  }

  private func checked(_ list: [Int], _ whole: Int) throws -> [Int] {
    let sum = list.reduce(0) { saturatingSum($0, max($1, 0)) }
    guard list.allSatisfy({ $0 >= 0 }), sum == whole else {
      let shown = list.prefix(20).map(String.init).joined(separator: ", ")
      throw OperatorError(
        "the pieces [\(shown)\(list.count > 20 ? ", …" : "")] do not make up the extent \(whole)")
    }
    guard list.count <= SplitToSequence.pieceLimit else {
      throw OperatorError(
        "\(list.count) pieces are more than the \(SplitToSequence.pieceLimit) allowed")
    }
    return list
  }
}
