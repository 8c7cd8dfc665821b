// Spectral: operators of sound: DFT, STFT, windows, MelWeightMatrix.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Spectral: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [FourierOperator.self, ShortTimeFourier.self, Window.self, MelWeightMatrix.self]
  }
  static let types: Set<DataType> = [.float32, .float64]
}

extension InferenceContext {
  /// The single integer of an input that must be known in full to be of use; nil where it is not known.
  fileprivate func integer(_ index: Int, _ what: String, _ range: ClosedRange<Int>) throws -> Int? {
    guard hasInput(index), let values = integers(index) else { return nil }
    guard values.count == 1 else {
      throw OperatorError("\(what) has \(values.count) elements; expected 1")
    }
    guard range.contains(values[0]) else {
      throw OperatorError(
        "\(what) is \(values[0]); expected \(range.lowerBound) to \(range.upperBound)")
    }
    return values[0]
  }
}

extension KernelRequest {
  fileprivate func integer(_ index: Int) -> Int? {
    index < inputs.count && inputs[index] != nil ? values[index]?.firstInteger : nil
  }
}

private let lengths = 1...Int(Int32.max)

/// DFT, ONNX opsets 17 and 20: the axis is an attribute, then an input.
package struct FourierOperator: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("DFT", opsets: 17...OperatorTable.latestOpset)]
  }
  private let axis: Int
  private let takesAxis: Bool
  private let inverse: Bool
  private let oneSided: Bool

  package init(_ node: NodeReader) throws {
    let isNew = node.opset >= 20
    try node.requireInputs(1...(isNew ? 3 : 2))
    takesAxis = isNew && node.hasInput(2)
    axis = isNew ? -2 : try node.int("axis", default: 1)
    inverse = try node.flag("inverse", default: false)
    oneSided = try node.flag("onesided", default: false)
  }

  package var valueInputs: [Int] { takesAxis ? [1, 2] : [1] }

  private func place(_ axis: Int, rank: Int) throws -> Int {
    let place = try normalizedAxis(axis, rank: rank)
    guard place < rank - 1 else {
      throw OperatorError("axis \(axis) is that of the parts of a number; expected another")
    }
    return place
  }

  /// The length of the transform, where no input says it.
  private func naturalLength(_ extent: Dimension) -> Dimension {
    inverse && oneSided ? (extent - 1) * 2 : extent
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Spectral.types)
    if context.hasInput(1) { _ = try context.dataType(1, among: [.int32, .int64]) }
    if takesAxis { _ = try context.dataType(2, among: [.int64]) }
    guard var shape = try context.shape(0, ranks: 2...64) else {
      return context.setOutput(0, type, nil)
    }
    if let parts = shape[shape.count - 1].value, parts != 1 && parts != 2 {
      throw OperatorError("numbers have \(parts) parts; expected 1 or 2")
    }
    shape[shape.count - 1] = inverse && oneSided ? 1 : 2
    guard let axis = takesAxis ? context.integers(2)?.first : self.axis else {
      return context.setOutput(0, type, shape.dropLast().map { _ in .unknown } + shape.suffix(1))
    }
    let place = try place(axis, rank: shape.count)
    let given = try context.integer(1, "dft_length", lengths)
    let length =
      context.hasInput(1)
      ? given.map(Dimension.fixed) ?? .unknown : naturalLength(shape[place])
    shape[place] = oneSided && !inverse ? length / 2 + 1 : length
    context.setOutput(0, type, shape)
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let x = try request.requiredInput(0).shape
    let place = try place(takesAxis ? request.integer(2) ?? -2 : axis, rank: x.rank)
    guard let length = request.integer(1) ?? naturalLength(.fixed(x[place])).value else {
      throw OperatorError("dft_length must be known")
    }
    let (inverse, oneSided) = (inverse, oneSided)
    return [
      try rowMajorCandidate(
        .fourier, request, cost: elementwiseCost(request, operations: 100)
      ) {
        try SpectralKernels.transform(
          $0, axis: place, length: length, inverse: inverse, oneSided: oneSided)
      }
    ]
  }
}

/// STFT, from ONNX opset 17 on.
package struct ShortTimeFourier: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("STFT", opsets: 17...OperatorTable.latestOpset)]
  }
  private let oneSided: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...4)
    oneSided = try node.flag("onesided", default: true)
    guard node.hasInput(2) || node.hasInput(3) else {
      throw OperatorError("a window or frame_length is required")
    }
  }

  package var valueInputs: [Int] { [1, 3] }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: Spectral.types)
    _ = try context.dataType(1, among: [.int32, .int64])
    if context.hasInput(2) { _ = try context.dataType(2, among: [type]) }
    if context.hasInput(3) { _ = try context.dataType(3, among: [.int32, .int64]) }
    let x = try context.shape(0, ranks: 2...3)
    let window = try context.shape(2, ranks: 1...1)?[0]
    if let parts = x?.count == 3 ? x?[2].value : 1, parts != 1 && parts != 2 {
      throw OperatorError("samples have \(parts) parts; expected 1 or 2")
    }
    let step = try context.integer(1, "frame_step", lengths)
    let given = try context.integer(3, "frame_length", lengths)
    if let given, let known = window?.value, given != known {
      throw OperatorError("the window has \(known) numbers; frame_length is \(given)")
    }
    let length = given.map(Dimension.fixed) ?? window ?? .unknown
    let samples = x?[1] ?? .unknown
    if let known = samples.value, let frame = length.value, frame > known || frame < 1 {
      throw OperatorError("a frame of \(frame) does not fit \(known) samples")
    }
    let frames = step.map { (samples - length) / .fixed($0) + 1 } ?? .unknown
    context.setOutput(
      0, type, [x?[0] ?? .unknown, frames, oneSided ? length / 2 + 1 : length, 2])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let window = request.inputs.count > 2 ? request.inputs[2]?.shape[0] : nil
    guard let step = request.integer(1), let length = request.integer(3) ?? window else {
      throw OperatorError("frame_step and frame_length must be known")
    }
    return [
      try rowMajorCandidate(
        .fourier, request, cost: elementwiseCost(request, operations: 100)
      ) { try SpectralKernels.frames($0, step: step, length: length) }
    ]
  }
}

/// HannWindow, HammingWindow and BlackmanWindow, from ONNX opset 17 on.
package struct Window: Operator {
  /// The coefficients of cos(k · angle).
  private static let terms: [String: [Double]] = [
    "HannWindow": [0.5, -0.5], "HammingWindow": [25.0 / 46, 25.0 / 46 - 1],
    "BlackmanWindow": [0.42, -0.5, 0.08],
  ]

  package static var declarations: [OperatorDeclaration] {
    terms.keys.map { OperatorDeclaration($0, opsets: 17...OperatorTable.latestOpset) }
  }

  private let terms: [Double]
  private let type: DataType
  private let isPeriodic: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    guard let terms = Window.terms[node.operatorType] else {
      throw OperatorError("the operator is not known")
    }
    self.terms = terms
    type = try Quantization.type(node, "output_datatype") ?? .float32
    isPeriodic = try node.flag("periodic", default: true)
    guard type.isFloatingPoint || type.isInteger else {
      throw OperatorError("attribute 'output_datatype' is \(type); expected a type of numbers")
    }
  }

  package var valueInputs: [Int] { [0] }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.int32, .int64])
    let size = try context.integer(0, "size", 0...Int(Int32.max))
    context.setOutput(0, type, [size.map(Dimension.fixed) ?? .unknown])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (terms, isPeriodic) = (terms, isPeriodic)
    return [
      try rowMajorCandidate(
        .fill, request, cost: elementwiseCost(request, operations: 50)
      ) {
        let y = try $0.requiredOutput(0)
        let count = y.shape.elementCount
        return try SpectralKernels.window(
          y, terms: terms, period: isPeriodic ? count : count - 1)
      }
    ]
  }
}

/// MelWeightMatrix, from ONNX opset 17 on, as any type of numbers; towards integers weights are cut.
package struct MelWeightMatrix: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("MelWeightMatrix", opsets: 17...OperatorTable.latestOpset)]
  }
  private static let types: Set<DataType> = Spectral.types.union([
    .float16, .bfloat16, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64,
  ])
  private let type: DataType

  package init(_ node: NodeReader) throws {
    try node.requireInputs(5...5)
    type = try Quantization.type(node, "output_datatype") ?? .float32
    guard MelWeightMatrix.types.contains(type) else {
      throw OperatorError.unsupported("attribute 'output_datatype' is \(type)")
    }
  }

  package var valueInputs: [Int] { [0, 1, 2, 3, 4] }

  package func infer(_ context: inout InferenceContext) throws {
    for index in 0..<3 { _ = try context.dataType(index, among: [.int32, .int64]) }
    for index in 3..<5 {
      _ = try context.dataType(index, among: [.float32, .float64, .float16, .bfloat16])
    }
    let filters = try context.integer(0, "num_mel_bins", 0...1 << 24)
    let length = try context.integer(1, "dft_length", 1...1 << 24)
    _ = try context.integer(2, "sample_rate", lengths)
    context.setOutput(
      0, type,
      [length.map { .fixed($0 / 2 + 1) } ?? .unknown, filters.map(Dimension.fixed) ?? .unknown])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    guard let filters = request.integer(0), let length = request.integer(1),
      let rate = request.integer(2), let lower = request.values[3]?.firstFloat,
      let upper = request.values[4]?.firstFloat
    else { throw OperatorError("all inputs must be known") }
    let edges = try SpectralKernels.melEdges(
      filters: filters, length: length, sampleRate: Double(rate), lower: lower, upper: upper)
    return [
      try rowMajorCandidate(
        .fill, request, cost: elementwiseCost(request, operations: 4)
      ) { try SpectralKernels.melWeights(try $0.requiredOutput(0), edges: edges) }
    ]
  }
}
