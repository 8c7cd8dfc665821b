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

  package init(_ node: NodeReader) throws {
    guard node.inputCount >= 2 else {
      throw OperatorError("it has \(node.inputCount) inputs; expected 2 at least")
    }
    let body = try node.required("body", node.graph("body"))
    carriedCount = node.inputCount - 2
    sliceCount = body.outputs.count - 1 - carriedCount
    guard body.inputs.count == 2 + carriedCount, sliceCount >= 0,
      node.outputCount <= carriedCount + sliceCount
    else {
      throw OperatorError(
        "body has \(body.inputs.count) inputs and \(body.outputs.count) outputs: with "
          + "\(carriedCount) carried values expected \(2 + carriedCount) inputs, and 1 output more "
          + "than the node's \(node.outputCount)")
    }
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
    var slices = [Slices](repeating: Slices(), count: sliceCount)
    var iteration: Int64 = 0
    while goesOn, limit.map({ iteration < $0 }) ?? true {
      let kept = slices.reduce(0) { saturatingSum($0, $1.byteCount) }
      let given = zip(carried, inputs[2...]).map { $0.wrapped(like: $1) }
      let made = try bodies[0].run([.scalar(iteration), .scalar(true)] + given, keeping: kept)
      goesOn = try [made[0]].condition(0)
      carried = Array(made[1..<1 + carriedCount])
      for (index, value) in made[(1 + carriedCount)...].enumerated() {
        try slices[index].append(value, output: 1 + carriedCount + index)
      }
      iteration += 1
    }
    try bodies[0].charge(slices.reduce(0) { saturatingSum($0, $1.byteCount) })
    let types = bodies[0].outputTypes[(1 + carriedCount)...]
    return try carried
      + zip(slices, types).map { .tensor(try $0.stacked(axis: 0, type: $1)) }
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
