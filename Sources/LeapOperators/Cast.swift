// Cast: operators that convert elements: Cast and CastLike. Kernels convert numbers, StringCast the rest.

import LeapGraph
import LeapKernels
import LeapTensors

/// The candidate that computes `output 0 = input 0` in the output's type.
///
/// - Throws: `OperatorError` for types that are no numbers, unless it is one and the same of whole bytes.
func conversionCandidates(
  _ request: KernelRequest, _ options: ConversionOptions = ConversionOptions()
) throws -> [KernelCandidate] {
  let (input, output) = try request.onlyInputAndOutput()
  let isNarrow = NarrowConversion.handles(input.dataType, output.dataType)
  let bind: @Sendable (KernelRequest) throws -> Kernel = { request in
    let (input, output) = try request.onlyInputAndOutput()
    return isNarrow
      ? try NarrowConversion(input.dataType, output.dataType, options)
        .kernel(count: output.shape.elementCount)
      : try ElementwiseKernels.convert(input: input, output: output)
  }
  _ = try bind(request)
  let layout: LayoutRequirement = isNarrow ? .contiguous : .plain
  return [
    KernelCandidate(
      name: .elementwise,
      inputs: request.inputs.indices.map { $0 == 0 ? layout : .planned }, outputs: [layout],
      inPlace: isNarrow ? [] : inPlacePairs(request, inputs: 0..<1),
      cost: elementwiseCost(request, operations: 1), bind: bind)
  ]
}

extension InferenceContext {
  /// Says that output 0 has the elements of input 0, in another type.
  fileprivate mutating func setConverted(to type: DataType) throws {
    let source = try dataType(0)
    let isOfText = source == .string || type == .string
    if source != type, !isOfText, !NarrowConversion.handles(source, type) {
      try ElementwiseKernels.requireConversion(from: source, to: type)
    }
    setOutput(0, type, shape(0))
    if source.isInteger, type == .int64 || type == .int32, let dimensions = dimensions(0) {
      setOutput(0, dimensions: dimensions)
    }
  }
}

/// The attributes that Cast and CastLike share: saturate from opset 19 on, round_mode from 24 on.
private func conversionOptions(_ node: NodeReader) throws -> ConversionOptions {
  enum Rounding: String, CaseIterable { case up, down, nearest }
  var options = ConversionOptions()
  if node.opset >= 19 { options.saturate = try node.flag("saturate", default: true) }
  if node.opset >= 24 {
    switch try node.choice("round_mode", default: Rounding.up) {
    case .up: options.rounding = .up
    case .down: options.rounding = .down
    case .nearest: options.rounding = .nearest
    }
  }
  return options
}

/// Cast, ONNX opsets 1 to 28: the type is named in opset 1 to 5, numbered from 6 on.
package struct Cast: Operator {
  package static let declarations = [OperatorDeclaration("Cast")]

  private let type: DataType
  private let options: ConversionOptions

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    type =
      node.opset < 6
      ? try Cast.type(named: try node.required("to", try node.string("to")))
      : try Cast.type(numbered: try node.required("to", try node.int("to")))
    options = try conversionOptions(node)
  }

  init(to type: DataType, _ options: ConversionOptions = ConversionOptions()) {
    self.type = type
    self.options = options
  }

  /// The tensor's elements, numbers, in the operator's type, which is one of numbers too.
  func convert(_ tensor: Tensor) throws -> Tensor {
    try Evaluator.evaluate(self, inputs: [tensor], outputCount: 1)[0]
  }

  package func hostOperator(for inputs: [DataType?]) -> (any HostOperator)? {
    inputs.first == .string || type == .string ? StringCast(to: type, options) : nil
  }

  private static func type(numbered number: Int) throws -> DataType {
    guard let raw = Int32(exactly: number), let type = DataType(rawValue: raw) else {
      throw OperatorError("attribute 'to' is \(number); expected the number of an element type")
    }
    return type
  }

  private static func type(named name: String) throws -> DataType {
    let names: [String: DataType] = [
      "FLOAT": .float32, "DOUBLE": .float64, "FLOAT16": .float16, "BOOL": .bool,
      "INT8": .int8, "INT16": .int16, "INT32": .int32, "INT64": .int64,
      "UINT8": .uint8, "UINT16": .uint16, "UINT32": .uint32, "UINT64": .uint64,
      "STRING": .string, "COMPLEX64": .complex64, "COMPLEX128": .complex128,
    ]
    guard let type = names[name] else {
      throw OperatorError("attribute 'to' is '\(name)'; expected the name of an element type")
    }
    return type
  }

  package func infer(_ context: inout InferenceContext) throws {
    try context.setConverted(to: type)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    try conversionCandidates(request, options)
  }
}

/// CastLike, from opset 15 on: the second input gives the type, and is never read.
package struct CastLike: Operator {
  package static let declarations = [
    OperatorDeclaration("CastLike", opsets: 15...OperatorTable.latestOpset)
  ]

  private let options: ConversionOptions

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    options = try conversionOptions(node)
  }

  package func hostOperator(for inputs: [DataType?]) -> (any HostOperator)? {
    guard inputs.count == 2, inputs.contains(.string), let type = inputs[1] else { return nil }
    return StringCast(to: type, options)
  }

  package func infer(_ context: inout InferenceContext) throws {
    try context.setConverted(to: try context.dataType(1))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    try conversionCandidates(request, options)
  }
}
