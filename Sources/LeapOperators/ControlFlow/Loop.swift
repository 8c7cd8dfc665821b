// Loop: a graph that runs while a condition holds, so many times at most.

import LeapGraph
import LeapKernels
import LeapTensors

/// Loop, ONNX opsets 1 to 27. Values go from one run to the next; what a run makes besides is a slice of an output.
package struct Loop: BodyOperator {
  package static var declarations: [OperatorDeclaration] { [OperatorDeclaration("Loop")] }
  package static let bodyNames = ["body"]

  /// Values that go from one run to the next.
  private let carriedCount: Int
  private let sliceCount: Int
  /// Whether the body leaves the condition as it is, so that the trip count alone says how often it runs.
  private let isCounted: Bool

  package init(_ node: NodeReader) throws {
    guard node.inputCount >= 2 else {
      throw OperatorError("it has \(node.inputCount) inputs; expected 2 at least")
    }
    let body = try node.required("body", node.graph("body"))
    carriedCount = node.inputCount - 2
    sliceCount = body.outputs.count - 1 - carriedCount
    isCounted = Loop.keepsCondition(body)
    guard body.inputs.count == 2 + carriedCount, sliceCount >= 0,
      node.outputCount <= carriedCount + sliceCount
    else {
      throw OperatorError(
        "body has \(body.inputs.count) inputs and \(body.outputs.count) outputs: with "
          + "\(carriedCount) carried values expected \(2 + carriedCount) inputs, and 1 output more "
          + "than the node's \(node.outputCount)")
    }
  }

  /// Whether a body's condition is the one that it is given, or always true.
  private static func keepsCondition(_ body: Graph) -> Bool {
    guard var condition = body.outputs.first, body.inputs.count > 1 else { return false }
    let maker = body.nodes.first { $0.outputs.contains(condition) }
    if let maker, maker.domain.isEmpty, maker.operatorType == "Identity" {
      condition = maker.inputs.first.flatMap { $0 } ?? condition
    }
    if condition == body.inputs[1] { return true }
    guard !body.inputs.contains(condition), let constant = body.constants[condition],
      constant.byteCount == 1
    else { return false }
    return (try? constant.tensor().elements(as: Bool.self)) == [true]
  }

  package func infer(_ context: inout InferenceContext, bodies: [BodyInference]) throws {
    if context.hasInput(0), context.inputs[0] != nil {
      _ = try context.dataType(0, among: [.int64, .int32])
    }
    if context.hasInput(1), context.inputs[1] != nil { _ = try context.dataType(1, among: [.bool]) }
    let first = context.inputs[2...].map { $0?.type }
    let (carried, outputs) = try steadyTypes(first, at: 1..<1 + carriedCount) {
      try bodies[0]([.tensor(.int64, shape: []), .tensor(.bool, shape: [])] + $0)
    }
    for (index, type) in carried.enumerated() { type.map { context.setOutput(index, type: $0) } }
    for (index, type) in outputs[(1 + carriedCount)...].enumerated() {
      guard let type else { continue }
      guard case .tensor(let dataType, let slice) = type else {
        throw OperatorError("slice \(index) of the body is \(type); expected a tensor")
      }
      context.setOutput(carriedCount + index, dataType, slice.map { [.unknown] + $0 })
    }
  }

  package func run(_ inputs: [RunValue?], bodies: [any Body]) throws -> [RunValue] {
    let limit = try inputs[0].map { _ in try inputs.tripCount(0) }
    var goesOn = try inputs[1] == nil || inputs.condition(1)
    var carried = try inputs[2...].enumerated().map { index, value in
      guard let value else { throw OperatorError("input \(2 + index) is required") }
      return value
    }
    let count = limit.map { Int(clamping: $0) }
    let expected = isCounted ? count.map { RunCount.exactly($0) } : nil
    var slices = (0..<sliceCount).map { _ in Slices(expected ?? .atMost(count)) }
    let firstSlice = 1 + carriedCount
    var iteration: Int64 = 0
    while goesOn, limit.map({ iteration < $0 }) ?? true {
      let given =
        [try .scalar(iteration), try .scalar(true)]
        + zip(carried, inputs[2...]).map { $0.wrapped(like: $1) }
      // The run may write over what it alone holds.
      carried = []
      let made = try bodies[0].run(
        consume given, keeping: slices.byteCount, into: slices.places(from: firstSlice))
      goesOn = try [made[0]].condition(0)
      carried = Array(made[1..<firstSlice])
      for (index, value) in made[firstSlice...].enumerated() {
        try slices[index].append(value, output: firstSlice + index, charge: bodies[0].charge)
      }
      iteration += 1
    }
    let types = bodies[0].outputTypes[firstSlice...]
    return try carried
      + zip(slices, types).map { .tensor(try $0.joined(type: $1, charge: bodies[0].charge)) }
  }
}

extension Loop {
  package func repetition(_ inputs: [ValueType?], known: [Tensor?]) -> Repetition? {
    let count = known.first.flatMap { $0 }?.integers?.first
    return Repetition(
      count: count.map { max($0, 0) }, isExact: isCounted && count != nil,
      inputs: [.tensor(.int64, shape: []), .tensor(.bool, shape: [])] + inputs.dropFirst(2),
      carriedInputs: 2..<2 + carriedCount, carriedOutputs: 1..<1 + carriedCount,
      sliceAxes: Array(repeating: 0, count: sliceCount))
  }
}

extension [RunValue?] {
  /// The only element of an integer input.
  fileprivate func tripCount(_ index: Int) throws -> Int64 {
    guard let value = self[index]?.tensor?.integers, value.count == 1 else {
      throw OperatorError("input \(index) is no trip count: expected one integer")
    }
    return Int64(value[0])
  }
}

extension RunValue {
  /// As an optional where a value that came before was one.
  fileprivate func wrapped(like first: RunValue?) -> RunValue {
    guard case .optional(_, let type)? = first else { return self }
    if case .optional = self { return self }
    return .optional(self, of: type ?? valueType?.withoutShapes)
  }
}
