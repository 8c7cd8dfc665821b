// Scan: a graph that runs once for each slice of its inputs, and makes a slice of each output.

import LeapGraph
import LeapKernels
import LeapTensors

/// How the slices of one input or output of a Scan lie in it.
private struct SliceAxis {
  var axis: Int
  var isReversed: Bool
}

/// What the two forms of Scan have in common.
private struct ScanRule {
  let stateCount: Int
  let inputs: [SliceAxis]
  let outputs: [SliceAxis]

  /// - Parameters:
  ///   - inputCount: states and scanned inputs together.
  ///   - names: of the attributes with axes and directions; nil for those that a form does not have.
  init(
    _ node: NodeReader, inputCount: Int, inputDirections: String, inputAxes: String?,
    outputDirections: String?, outputAxes: String?
  ) throws {
    let scanned = try node.required("num_scan_inputs", node.int("num_scan_inputs"))
    guard scanned > 0, scanned <= inputCount else {
      throw OperatorError("num_scan_inputs is \(scanned); expected 1 to \(inputCount) inputs")
    }
    stateCount = inputCount - scanned
    let body = try node.required("body", node.graph("body"))
    guard body.inputs.count == inputCount, body.outputs.count >= stateCount,
      node.outputCount <= body.outputs.count
    else {
      throw OperatorError(
        "body has \(body.inputs.count) inputs and \(body.outputs.count) outputs: expected "
          + "\(inputCount) inputs, and outputs for \(stateCount) states and all that the node makes"
      )
    }
    inputs = try ScanRule.axes(
      node, count: scanned, axes: inputAxes, directions: inputDirections)
    outputs = try ScanRule.axes(
      node, count: body.outputs.count - stateCount, axes: outputAxes, directions: outputDirections)
  }

  private static func axes(
    _ node: NodeReader, count: Int, axes: String?, directions: String?
  ) throws -> [SliceAxis] {
    func values(_ name: String?) throws -> [Int] {
      let values = try name.flatMap { try node.ints($0) } ?? Array(repeating: 0, count: count)
      guard values.count == count else {
        throw OperatorError("\(name ?? "") has \(values.count) values; expected \(count)")
      }
      return values
    }
    return try zip(values(axes), values(directions)).map { axis, direction in
      guard direction == 0 || direction == 1 else {
        throw OperatorError("\(directions ?? "") has \(direction); expected 0 or 1")
      }
      return SliceAxis(axis: axis, isReversed: direction == 1)
    }
  }

  /// Types of the outputs, from those of states and scanned inputs.
  func inferred(_ given: [ValueType?], _ body: BodyInference) throws -> [ValueType?] {
    let (slices, length) = try sliceTypes(given)
    let (states, made) = try steadyTypes(Array(given[..<stateCount]), at: 0..<stateCount) {
      try body($0 + slices)
    }
    return try states
      + zip(made[stateCount...], outputs).map { type, place in
        guard case .tensor(let dataType, let slice)? = type else { return nil }
        guard var shape = slice else { return type }
        let axis = try normalizedAxis(place.axis, rank: shape.count + 1, name: "scan_output_axes")
        shape.insert(length ?? .unknown, at: axis)
        return .tensor(dataType, shape: shape)
      }
  }

  /// The types of the slices of scanned inputs, and how many slices there are.
  private func sliceTypes(
    _ given: [ValueType?]
  ) throws -> (slices: [ValueType?], length: Dimension?) {
    var length: Dimension?
    let slices = try zip(given[stateCount...], inputs).map { type, place -> ValueType? in
      guard let type else { return nil }
      guard case .tensor(let dataType, let shape) = type else {
        throw OperatorError("a scanned input is \(type); expected a tensor")
      }
      guard var shape else { return type }
      guard !shape.isEmpty else { throw OperatorError("a scalar has no slices") }
      let axis = try normalizedAxis(place.axis, rank: shape.count, name: "scan_input_axes")
      length = length?.value == nil ? shape[axis] : length
      shape.remove(at: axis)
      return .tensor(dataType, shape: shape)
    }
    return (slices, length)
  }

  /// How often the body runs for inputs of some types; nil where that is not known.
  func repetition(_ given: [ValueType?]) -> Repetition? {
    guard let (slices, length) = try? sliceTypes(given) else { return nil }
    return Repetition(
      count: length?.value, isExact: true, inputs: Array(given[..<stateCount]) + slices,
      carriedInputs: 0..<stateCount, carriedOutputs: 0..<stateCount, sliceAxes: outputs.map(\.axis))
  }

  /// - Parameters:
  ///   - values: states and scanned inputs.
  ///   - limit: how many slices are looked at; nil for all.
  ///   - kept: bytes that the operator keeps besides.
  func run(
    _ values: [RunValue], _ body: any Body, limit: Int? = nil, keeping kept: Int = 0
  ) throws -> [RunValue] {
    let scanned = try sliced(Array(values[stateCount...]), limit)
    var states = Array(values[..<stateCount])
    let count = scanned.first?.count ?? 0
    var slices = outputs.map {
      Slices(.exactly(count), axis: $0.axis, isReversed: $0.isReversed)
    }
    for index in 0..<count {
      let given = states + scanned.map { .tensor($0[index]) }
      // The run may write over what it alone holds.
      states = []
      let made = try body.run(
        consume given, keeping: saturatingSum(kept, slices.byteCount),
        into: slices.places(from: stateCount))
      states = Array(made[..<stateCount])
      for (number, value) in made[stateCount...].enumerated() {
        try slices[number].append(value, output: stateCount + number, charge: body.charge)
      }
    }
    let types = body.outputTypes[stateCount...]
    return try states
      + zip(slices, types).map { .tensor(try $0.joined(type: $1, charge: body.charge)) }
  }

  /// The slices of each scanned input, in the order in which they are looked at.
  private func sliced(_ values: [RunValue], _ limit: Int?) throws -> [[Tensor]] {
    var length: Int?
    return try zip(values, inputs).map { value, place in
      guard let tensor = value.tensor, tensor.shape.rank > 0 else {
        throw OperatorError("a scanned input is \(value); expected a tensor with slices")
      }
      let axis = try normalizedAxis(
        place.axis, rank: tensor.shape.rank, name: "scan_input_axes")
      let extent = tensor.shape[axis]
      guard extent == length ?? extent else {
        throw OperatorError("scanned inputs have \(length ?? 0) and \(extent) slices")
      }
      length = extent
      var shape = tensor.shape.dimensions
      shape.remove(at: axis)
      let pieces = try tensor.pieces(Array(repeating: 1, count: extent), axis: axis).map {
        $0.reshaped(Shape(shape))
      }
      // A part of a reversed sequence is its beginning, reversed.
      let part = Array(pieces.prefix(limit ?? extent))
      return place.isReversed ? part.reversed() : part
    }
  }
}

/// Scan, ONNX opsets 9 to 27.
package struct Scan: BodyOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Scan", opsets: 9...OperatorTable.latestOpset)]
  }
  package static let bodyNames = ["body"]
  private let rule: ScanRule

  package init(_ node: NodeReader) throws {
    rule = try ScanRule(
      node, inputCount: node.inputCount, inputDirections: "scan_input_directions",
      inputAxes: "scan_input_axes", outputDirections: "scan_output_directions",
      outputAxes: "scan_output_axes")
  }

  package func infer(_ context: inout InferenceContext, bodies: [BodyInference]) throws {
    let types = try rule.inferred(context.inputs.map { $0?.type }, bodies[0])
    for (index, type) in types.enumerated() { type.map { context.setOutput(index, type: $0) } }
  }

  package func run(_ inputs: [RunValue?], bodies: [any Body]) throws -> [RunValue] {
    try rule.run(inputs.allGiven(), bodies[0])
  }

  package func repetition(_ inputs: [ValueType?], known: [Tensor?]) -> Repetition? {
    rule.repetition(inputs)
  }
}

/// Scan, ONNX opset 8: states and inputs have a batch axis in front, and the scanned axis behind it; each batch may be shorter
/// than the others, its outputs then end in zeros.
package struct BatchedScan: BodyOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Scan", opsets: 8...8)]
  }
  package static let bodyNames = ["body"]
  private let rule: ScanRule

  package init(_ node: NodeReader) throws {
    guard node.inputCount >= 2 else {
      throw OperatorError("it has \(node.inputCount) inputs; expected 2 at least")
    }
    rule = try ScanRule(
      node, inputCount: node.inputCount - 1, inputDirections: "directions", inputAxes: nil,
      outputDirections: nil, outputAxes: nil)
  }

  package func infer(_ context: inout InferenceContext, bodies: [BodyInference]) throws {
    let batch = context.inputs.dropFirst().compactMap { $0?.type.shape?.first }.first ?? .unknown
    let inner = context.inputs.dropFirst().map { value -> ValueType? in
      guard case .tensor(let type, let shape)? = value?.type else { return nil }
      return .tensor(type, shape: shape.map { Array($0.dropFirst()) })
    }
    for (index, type) in try rule.inferred(inner, bodies[0]).enumerated() {
      guard case .tensor(let dataType, let shape)? = type else { continue }
      context.setOutput(index, dataType, shape.map { [batch] + $0 })
    }
  }

  package func run(_ inputs: [RunValue?], bodies: [any Body]) throws -> [RunValue] {
    let rows = try Array(inputs.dropFirst()).allGiven().map(BatchedScan.rows)
    let batch = rows.first?.count ?? 0
    guard rows.allSatisfy({ $0.count == batch }) else {
      throw OperatorError("inputs have batches of \(rows.map(\.count))")
    }
    let lengths = try inputs[0].map { _ in try sequenceLengths(inputs[0], batch) }
    let longest = rows.last?.first?.shape.dimensions.first ?? 0
    if let wrong = lengths?.first(where: { !(0...longest).contains($0) }) {
      throw OperatorError("sequence_lens has \(wrong); expected 0 to \(longest)")
    }
    var outputs: [[Tensor]] = []
    for row in 0..<batch {
      let made = try rule.run(
        rows.map { .tensor($0[row]) }, bodies[0], limit: lengths?[row],
        keeping: outputs.joined().reduce(0) { saturatingSum($0, $1.byteCount) })
      outputs.append(
        try made.enumerated().map { index, value in
          guard let tensor = value.tensor else {
            throw OperatorError("output \(index) of the graph is \(value); expected a tensor")
          }
          return index < rule.stateCount ? tensor : try tensor.lengthened(to: longest)
        })
    }
    guard let count = outputs.first?.count else { throw OperatorError("the batch is empty") }
    return try (0..<count).map { index in
      .tensor(
        try Tensor.joined(
          outputs.map { $0[index].reshaped(Shape([1] + $0[index].shape.dimensions)) }, axis: 0))
    }
  }

  /// The parts of an input that belong to one batch each.
  private static func rows(_ value: RunValue) throws -> [Tensor] {
    guard let tensor = value.tensor, tensor.shape.rank > 0 else {
      throw OperatorError("an input is \(value); expected a tensor with a batch axis")
    }
    let shape = Shape(Array(tensor.shape.dimensions.dropFirst()))
    return try tensor.pieces(Array(repeating: 1, count: tensor.shape[0]), axis: 0).map {
      $0.reshaped(shape)
    }
  }

  private func sequenceLengths(_ value: RunValue?, _ batch: Int) throws -> [Int] {
    guard let lengths = value?.tensor?.integers, lengths.count == batch else {
      throw OperatorError("sequence_lens is not one integer for each of \(batch) batches")
    }
    return lengths
  }
}

extension [RunValue?] {
  fileprivate func allGiven() throws -> [RunValue] {
    try enumerated().map { index, value in
      guard let value else { throw OperatorError("input \(index) is required") }
      return value
    }
  }
}

extension Tensor {
  /// The tensor with zeros behind it along axis 0.
  fileprivate func lengthened(to extent: Int) throws -> Tensor {
    guard shape[0] < extent else { return self }
    var rest = shape
    rest[0] = extent - shape[0]
    return try Tensor.joined([self, Tensor(zeros: dataType, shape: rest)], axis: 0)
  }
}
