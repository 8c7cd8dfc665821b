// Features: operators of ai.onnx.ml that prepare what models read: Normalizer, OneHotEncoder, FeatureVectorizer, CategoryMapper, and the
// first version of LabelEncoder. Scaler and Imputer are made of others.

import LeapGraph
import LeapKernels
import LeapTensors

/// Rows divided by their norms.
private struct RowNorm: RowFunction {
  enum Kind: String, CaseIterable {
    case max = "MAX"
    case l1 = "L1"
    case l2 = "L2"
  }
  let kind: Kind

  func width(features: Int) throws -> Int { features }

  func apply(_ row: UnsafeBufferPointer<Double>, _ made: UnsafeMutableBufferPointer<Double>) -> Int
  {
    let norm =
      switch kind {
      // The largest, not the largest by its absolute value.
      case .max: row.max() ?? 0
      case .l1: row.reduce(0) { $0 + abs($1) }
      case .l2: row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      }
    for index in row.indices { made[index] = norm == 0 ? row[index] : row[index] / norm }
    return 0
  }
}

/// Normalizer (ai.onnx.ml 1).
package struct Normalizer: RowOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Normalizer", domain: Texts.classical)]
  }
  package let function: any RowFunction
  package var keepsRank: Bool { true }

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    function = RowNorm(kind: try node.choice("norm", default: .max))
  }
}

/// CategoryMapper, and LabelEncoder of opset 1 (ai.onnx.ml): integers for names, and names for integers.
package struct CategoryMap: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration("CategoryMapper", domain: Texts.classical),
      OperatorDeclaration("LabelEncoder", domain: Texts.classical, opsets: 1...1),
    ]
  }

  private let numbers: [String: Int64]
  private let names: [Int64: String]
  private let otherNumber: Int64
  private let otherName: String

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let isMapper = node.operatorType == "CategoryMapper"
    let attribute = isMapper ? "cats_strings" : "classes_strings"
    let names = try node.required(attribute, node.strings(attribute))
    let numbers =
      isMapper
      ? try node.required("cats_int64s", node.ints("cats_int64s")) : Array(names.indices)
    guard names.count == numbers.count else {
      throw OperatorError("\(names.count) names for \(numbers.count) integers")
    }
    let pairs = zip(names, numbers.map(Int64.init))
    self.numbers = Dictionary(pairs) { first, _ in first }
    self.names = Dictionary(pairs.map { ($1, $0) }) { first, _ in first }
    otherNumber = Int64(try node.int("default_int64", default: -1))
    otherName = try node.string("default_string") ?? "_Unused"
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.string, .int64])
    context.setOutput(0, type == .string ? .int64 : .string, context.shape(0))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let input = inputs.first ?? nil, input.dataType == .string else { return nil }
    return [Operand(.int64, input.shape)]
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil else { throw OperatorError("input 0 is required") }
    if let texts = input.strings {
      return [try Tensor(texts.map { numbers[$0] ?? otherNumber }, shape: input.shape)]
    }
    let keys = input.integers ?? []
    return [try Tensor(strings: keys.map { names[Int64($0)] ?? otherName }, shape: input.shape)]
  }
}

/// OneHotEncoder (ai.onnx.ml 1): a row of zeros for each element, with a one at the place of its category. Numbers that are no
/// integers are cut towards zero.
package struct OneHotEncoder: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("OneHotEncoder", domain: Texts.classical)]
  }

  private let names: [String: Int]
  private let numbers: [Int: Int]
  private let count: Int
  private let isOfText: Bool
  private let allowsOthers: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let texts = try node.strings("cats_strings") ?? []
    let integers = try node.ints("cats_int64s") ?? []
    guard texts.isEmpty != integers.isEmpty else {
      throw OperatorError("one of 'cats_strings' and 'cats_int64s' is required")
    }
    isOfText = !texts.isEmpty
    count = max(texts.count, integers.count)
    names = Dictionary(zip(texts, 0...)) { first, _ in first }
    numbers = Dictionary(zip(integers, 0...)) { first, _ in first }
    allowsOthers = try node.flag("zeros", default: true)
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: isOfText ? [.string] : Classical.numbers)
    context.setOutput(0, .float32, context.shape(0).map { $0 + [.fixed(count)] })
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let shape = inputs.first??.shape else { return nil }
    return [Operand(.float32, Shape(shape.dimensions + [count]))]
  }

  private func places(_ input: Tensor) throws -> [Int?] {
    if let texts = input.strings { return texts.map { names[$0] } }
    if let integers = input.integers { return integers.map { numbers[$0] } }
    return try Classical.numbers(of: input).map { value in
      Int(exactly: value.rounded(.towardZero)).flatMap { numbers[$0] }
    }
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil else { throw OperatorError("input 0 is required") }
    let places = try places(input)
    if !allowsOthers, let other = places.firstIndex(of: nil) {
      throw OperatorError(
        "element \(other) is of no category, which attribute 'zeros' does not allow")
    }
    let shape = Shape(input.shape.dimensions + [count])
    guard shape.span(of: .float32) != nil else {
      throw OperatorError("the output would have shape \(shape): no memory is as large")
    }
    return [
      try Tensor(dataType: .float32, shape: shape) { bytes in
        let ones = bytes.bindMemory(to: Float.self)
        ones.initialize(repeating: 0)
        for (row, place) in places.enumerated() {
          if let place { ones[row * count + place] = 1 }
        }
      }
    ]
  }
}

/// FeatureVectorizer (ai.onnx.ml 1): the features of all inputs side by side, each with as many as `inputdimensions` says: cut, or with
/// zeros behind them. A vector is one row.
package struct FeatureVectorizer: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("FeatureVectorizer", domain: Texts.classical)]
  }
  private let widths: [Int]

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...max(node.inputCount, 1))
    widths = try node.required("inputdimensions", node.ints("inputdimensions"))
    guard widths.count == node.inputCount, widths.allSatisfy({ (0...1 << 24).contains($0) }) else {
      throw OperatorError(
        "attribute 'inputdimensions' has \(widths.count) values; expected \(node.inputCount), of 0 to \(1 << 24)"
      )
    }
  }

  private var width: Int { widths.reduce(0, +) }

  package func infer(_ context: inout InferenceContext) throws {
    var rows: Dimension?
    for index in context.inputs.indices {
      _ = try context.dataType(index, among: Classical.numbers)
      guard let shape = try context.shape(index, ranks: 1...2) else { continue }
      let count: Dimension = shape.count == 1 ? 1 : shape[0]
      if let rows, let known = rows.value, let other = count.value, known != other {
        throw OperatorError("input \(index) has \(other) rows; others have \(known)")
      }
      rows = rows?.value == nil ? count : rows
    }
    context.setOutput(0, .float32, [rows ?? .unknown, .fixed(width)])
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let shape = inputs.first??.shape, shape.rank > 0 else { return nil }
    return [Operand(.float32, [shape.rank == 1 ? 1 : shape[0], width])]
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    let parts = try inputs.map { input -> (values: [Float], rows: Int, width: Int) in
      guard let input, (1...2).contains(input.shape.rank) else {
        throw OperatorError("expected vectors or matrices")
      }
      return (
        try Cast(to: .float32).convert(input).elements(as: Float.self) ?? [],
        input.shape.rank == 1 ? 1 : input.shape[0], input.shape[input.shape.rank - 1]
      )
    }
    let rows = parts.first?.rows ?? 0
    guard parts.allSatisfy({ $0.rows == rows }) else {
      throw OperatorError("the inputs have \(parts.map(\.rows)) rows; expected as many of each")
    }
    let shape: Shape = [rows, width]
    guard shape.span(of: .float32) != nil else {
      throw OperatorError("the output would have shape \(shape): no memory is as large")
    }
    return [
      try Tensor(dataType: .float32, shape: shape) { bytes in
        let made = bytes.bindMemory(to: Float.self)
        made.initialize(repeating: 0)
        for row in 0..<(width == 0 ? 0 : rows) {
          var first = row * width
          for (part, width) in zip(parts, widths) {
            for feature in 0..<min(part.width, width) {
              made[first + feature] = part.values[row * part.width + feature]
            }
            first += width
          }
        }
      }
    ]
  }
}
