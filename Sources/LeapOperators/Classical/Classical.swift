// The operators of ONNX's classical machine learning, ai.onnx.ml: what they have in common. Those that turn words and labels into
// numbers are in Encoders.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Classical: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [
      TreeEnsemble.self, TreeEnsembleRegressor.self, TreeEnsembleClassifier.self,
      LinearRegressor.self, LinearClassifier.self, SVMRegressor.self, SVMClassifier.self,
      Normalizer.self, CategoryMap.self, OneHotEncoder.self, FeatureVectorizer.self,
    ]
  }

  /// The numbers that rows are made of.
  static let numbers: Set<DataType> = [.float32, .float64, .int32, .int64]

  /// The one of ONNX's two attributes for the same numbers that is given: a list, or a tensor.
  static func numbers(_ node: NodeReader, _ name: String) throws -> [Double]? {
    if let tensor = try node.tensor("\(name)_as_tensor"), tensor.elementCount > 0 {
      return try numbers(of: tensor)
    }
    return try node.floats(name).map { $0.map(Double.init) }
  }

  /// The elements of a tensor of floats. Throws `OperatorError` for another.
  static func numbers(of tensor: Tensor) throws -> [Double] {
    try Cast(to: .float64).convert(tensor).elements(as: Double.self) ?? []
  }
}

/// The names of a classifier's classes.
package struct ClassLabels: Sendable {
  /// What is written for each class.
  let numbers: [Int64]
  /// The names, which `numbers` count, where classes have some.
  let names: [String]?
  var count: Int { numbers.count }

  /// - Parameter integers: the attribute with labels that are integers.
  /// - Throws: `OperatorError` where there are none, or both kinds.
  init(_ node: NodeReader, integers: String) throws {
    let numbers = try node.ints(integers) ?? []
    let names = try node.strings("classlabels_strings") ?? []
    guard numbers.isEmpty != names.isEmpty else {
      throw OperatorError("one of '\(integers)' and 'classlabels_strings' is required")
    }
    self.names = names.isEmpty ? nil : names
    self.numbers = names.isEmpty ? numbers.map(Int64.init) : names.indices.map { Int64($0) }
  }

  private init(_ numbers: [Int64], _ names: [String]?) {
    (self.numbers, self.names) = (numbers, names)
  }

  /// The same classes by number.
  var numbered: ClassLabels { ClassLabels(numbers, nil) }

  /// What one score decides among, where there is but one label: as ONNX Runtime has it, 0 and 1 where labels are numbers.
  var decidedByOne: ClassLabels {
    if count > 1 { return self }
    return ClassLabels(names == nil ? [0, 1] : [0, 0], names)
  }
}

/// An operator that makes a row of numbers of each row of input 0: `[N, features]`, or one row.
package protocol RowOperator: Operator {
  var function: any RowFunction { get }
  /// The classes of a classifier, whose output 0 is a label for each row, and output 1 the rows.
  var labels: ClassLabels? { get }
  /// The type of the rows that it makes of numbers of a type.
  func resultType(_ input: DataType) -> DataType
  var inputTypes: Set<DataType> { get }
  /// Whether what becomes of one row is one row, and not a matrix of one.
  var keepsRank: Bool { get }
}

extension RowOperator {
  package var labels: ClassLabels? { nil }
  package var inputTypes: Set<DataType> { Classical.numbers }
  package var keepsRank: Bool { false }
  package func resultType(_ input: DataType) -> DataType { .float32 }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: inputTypes)
    let shape = try context.shape(0, ranks: 1...2)
    let rows = shape.map { $0.count == 1 ? 1 : $0[0] }
    var width = Dimension.unknown
    if let features = shape?.last?.value { width = .fixed(try function.width(features: features)) }
    if let labels {
      context.setOutput(0, labels.names == nil ? .int64 : .string, [rows ?? .unknown])
    }
    let isRow = keepsRank && shape?.count == 1
    let result: [Dimension]? =
      keepsRank && shape == nil ? nil : isRow ? [width] : [rows ?? .unknown, width]
    context.setOutput(labels == nil ? 0 : 1, resultType(type), result)
  }

  package func hostOperator(for inputs: [DataType?]) -> (any HostOperator)? {
    labels.flatMap { labels in
      labels.names.map { NamedClasses(NumberedClasses(function, labels.numbered), names: $0) }
    }
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] {
    let (function, labels) = (function, labels)
    let place = labels == nil ? 0 : 1
    let features = try request.requiredInput(0).shape.last ?? 1
    return [
      try rowMajorCandidate(
        .rows, request,
        cost: elementwiseCost(request, operations: Double(2 * Swift.max(features, 8)))
      ) { request in
        let scores = place < request.outputs.count ? request.outputs[place] : nil
        let classes = request.outputs.first ?? nil
        return try RowKernel.kernel(
          function, try request.requiredInput(0),
          scores: scores.map { (place, $0.dataType) },
          labels: labels.flatMap { labels in classes.map { _ in (0, labels.numbers) } })
      }
    ]
  }
}

/// A classifier whose labels are the numbers of the classes.
private struct NumberedClasses: RowOperator {
  static let declarations: [OperatorDeclaration] = []
  let function: any RowFunction
  let labels: ClassLabels?

  init(_ function: any RowFunction, _ labels: ClassLabels) {
    (self.function, self.labels) = (function, labels)
  }

  init(_ node: NodeReader) throws {
    throw OperatorError("'\(node.operatorType)' is made by the operator that it stands for")
  }
}

/// A classifier whose labels are texts: the numbers of the classes, looked up.
struct NamedClasses: TensorHostOperator {
  static let declarations: [OperatorDeclaration] = []
  private let operation: any Operator
  private let names: [String]

  init(_ operation: any Operator, names: [String]) {
    (self.operation, self.names) = (operation, names)
  }

  init(_ node: NodeReader) throws {
    throw OperatorError("'\(node.operatorType)' is made by the operator that it stands for")
  }

  func infer(_ context: inout InferenceContext) throws { try operation.infer(&context) }

  /// How long texts are nobody knows.
  func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { nil }

  func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    let made = try Evaluator.evaluate(operation, inputs: inputs, outputCount: 2)
    let classes = made[0].integers ?? []
    return [try Tensor(strings: classes.map { names[$0] }, shape: made[0].shape), made[1]]
  }
}
