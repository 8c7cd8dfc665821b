// Randoms: operators that draw numbers: RandomNormal, RandomUniform and their Like forms, Bernoulli, Multinomial.
//
// Numbers come from the Mersenne Twister MT19937 with 53 bits each, as NumPy's legacy generator draws them: with a seed every
// run draws the same ones, without one every run others. Nothing drawn is computed before a run.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Randoms: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [RandomTensor.self, Bernoulli.self, Multinomial.self]
  }

  /// The seed of an attribute; nil for another in every run.
  static func seed(_ node: NodeReader) throws -> UInt32? {
    guard let seed = try node.float("seed") else { return nil }
    guard seed.isFinite, seed.magnitude < 1e18 else {
      throw OperatorError("attribute 'seed' is \(seed); expected a number")
    }
    return UInt32(truncatingIfNeeded: Int(seed))
  }
}

/// RandomNormal, RandomUniform, RandomNormalLike, RandomUniformLike, ONNX opsets 1 to 22.
package struct RandomTensor: Operator {
  package static var declarations: [OperatorDeclaration] {
    ["RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"].map {
      OperatorDeclaration($0)
    }
  }
  private let distribution: RandomDistribution
  private let shape: [Dimension]?
  private let type: DataType?
  private let seed: UInt32?

  package init(_ node: NodeReader) throws {
    let isLike = node.operatorType.hasSuffix("Like")
    try node.requireInputs(isLike ? 1...1 : 0...0)
    let given = try Quantization.type(node, "dtype")
    type = given ?? (isLike ? nil : .float32)
    if let type, !type.isFloatingPoint {
      throw OperatorError("attribute 'dtype' is \(type); expected a type of floats")
    }
    if isLike {
      shape = nil
    } else {
      let extents = try node.required("shape", node.ints("shape"))
      if let extent = extents.first(where: { $0 < 0 }) {
        throw OperatorError("attribute 'shape' has the extent \(extent)")
      }
      shape = extents.map(Dimension.fixed)
    }
    seed = try Randoms.seed(node)
    if node.operatorType.hasPrefix("RandomNormal") {
      distribution = .normal(
        mean: Double(try node.float("mean", default: 0)),
        deviation: Double(try node.float("scale", default: 1)))
    } else {
      distribution = .uniform(
        low: Double(try node.float("low", default: 0)),
        high: Double(try node.float("high", default: 1)))
    }
  }

  package var isDeterministic: Bool { false }

  package func infer(_ context: inout InferenceContext) throws {
    if let shape { return context.setOutput(0, type ?? .float32, shape) }
    let own = try context.dataType(0)
    let result = type ?? own
    guard result.isFloatingPoint else {
      throw OperatorError.unsupported("there are no random numbers of \(result)")
    }
    context.setOutput(0, result, context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (distribution, seed) = (distribution, seed)
    let y = try request.requiredOutput(0)
    _ = try RandomKernel.fill(y, distribution, seed: seed)
    return [
      KernelCandidate(
        name: .random, inputs: request.inputs.map { _ in .planned }, outputs: [.contiguous],
        cost: elementwiseCost(request, operations: 40)
      ) { try RandomKernel.fill(try $0.requiredOutput(0), distribution, seed: seed) }
    ]
  }
}

/// Bernoulli, from ONNX opset 15 on: 1 where a number drawn from 0..<1 is below the input, else 0.
package struct Bernoulli: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Bernoulli", opsets: 15...OperatorTable.latestOpset)]
  }
  private let type: DataType?
  private let seed: UInt32?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    type = try Quantization.type(node, "dtype")
    seed = try Randoms.seed(node)
    if let type, !(type.isFloatingPoint || type.isInteger || type == .bool) {
      throw OperatorError("attribute 'dtype' is \(type); expected a type of numbers")
    }
  }

  package var isDeterministic: Bool { false }

  package func infer(_ context: inout InferenceContext) throws {
    let own = try context.dataType(0, among: [.float32, .float64, .float16, .bfloat16])
    context.setOutput(0, type ?? own, context.shape(0))
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let seed = seed
    return [
      try rowMajorCandidate(
        .random, request, cost: elementwiseCost(request, operations: 20)
      ) {
        try RandomKernel.bernoulli(
          try $0.requiredInput(0), try $0.requiredOutput(0), seed: seed)
      }
    ]
  }
}

/// Multinomial, from ONNX opset 7 on: classes drawn by unnormalised logarithms of their probabilities.
package struct Multinomial: Operator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Multinomial", opsets: 7...OperatorTable.latestOpset)]
  }
  private let type: DataType
  private let count: Int
  private let seed: UInt32?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    type = try Quantization.type(node, "dtype") ?? .int32
    guard type == .int32 || type == .int64 else {
      throw OperatorError("attribute 'dtype' is \(type); expected int32 or int64")
    }
    count = try node.int("sample_size", default: 1)
    guard count >= 0, count <= Int(Int32.max) else {
      throw OperatorError("attribute 'sample_size' is \(count); expected 0 or more")
    }
    seed = try Randoms.seed(node)
  }

  package var isDeterministic: Bool { false }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.float32, .float64, .float16, .bfloat16])
    let shape = try context.shape(0, ranks: 2...2)
    if shape?[1].value == 0 { throw OperatorError("there are no classes to draw from") }
    context.setOutput(0, type, [shape?[0] ?? .unknown, .fixed(count)])
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let seed = seed
    return [
      try rowMajorCandidate(
        .random, request, cost: elementwiseCost(request, operations: 200)
      ) {
        try RandomKernel.multinomial(
          try $0.requiredInput(0), try $0.requiredOutput(0), seed: seed)
      }
    ]
  }
}
