// Texts: operators of strings: StringNormalizer, StringConcat, StringSplit, RegexFullMatch; those of other files are listed here.

import LeapGraph
import LeapTensors

package enum Texts: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [
      StringNormalizer.self, StringConcat.self, StringSplit.self, RegexFullMatch.self,
      TfIdfVectorizer.self, LabelEncoder.self, Binarizer.self, ArrayFeatureExtractor.self,
      MurmurHash.self,
    ]
  }

  /// The domain of ONNX's classical machine learning.
  static let classical = "ai.onnx.ml"
}

extension [Tensor?] {
  /// The texts of an input, and their shape. Throws `OperatorError` where it is something else.
  fileprivate func texts(_ index: Int) throws -> ([String], Shape) {
    guard index < count, let tensor = self[index], let texts = tensor.strings else {
      throw OperatorError("input \(index) is no tensor of strings")
    }
    return (texts, tensor.shape)
  }
}

/// StringNormalizer, from ONNX opset 10 on: words without stop words, in another case. Case follows Unicode, whatever the locale.
package struct StringNormalizer: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("StringNormalizer", opsets: 10...OperatorTable.latestOpset)]
  }

  private enum Action: String, CaseIterable {
    case lower = "LOWER"
    case upper = "UPPER"
    case none = "NONE"
  }

  private let action: Action
  private let isCaseSensitive: Bool
  private let stopWords: Set<String>

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    action = try node.choice("case_change_action", default: .none)
    let isCaseSensitive = try node.flag("is_case_sensitive", default: false)
    self.isCaseSensitive = isCaseSensitive
    let words = try node.strings("stopwords") ?? []
    stopWords = Set(words.map { isCaseSensitive ? $0 : $0.lowercased() })
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.string])
    let shape = try context.shape(0, ranks: 1...2)
    if shape?.count == 2, let rows = shape?[0].value, rows != 1 {
      throw OperatorError("input 0 has \(rows) rows; expected 1")
    }
    context.setOutput(0, .string, shape.map { $0.count == 2 ? [1, .unknown] : [.unknown] })
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { nil }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    let (texts, shape) = try inputs.texts(0)
    guard shape.rank == 1 || shape.rank == 2 && shape[0] == 1 else {
      throw OperatorError("input 0 has shape \(shape); expected a vector, or one row")
    }
    var kept = texts.filter { !stopWords.contains(isCaseSensitive ? $0 : $0.lowercased()) }
    switch action {
    case .lower: kept = kept.map { $0.lowercased() }
    case .upper: kept = kept.map { $0.uppercased() }
    case .none: break
    }
    if kept.isEmpty { kept = [""] }
    return [try Tensor(strings: kept, shape: shape.rank == 2 ? [1, kept.count] : [kept.count])]
  }
}

/// StringConcat, from ONNX opset 20 on.
package struct StringConcat: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("StringConcat", opsets: 20...OperatorTable.latestOpset)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(2...2) }

  package func infer(_ context: inout InferenceContext) throws {
    for index in 0...1 { _ = try context.dataType(index, among: [.string]) }
    guard let a = context.shape(0), let b = context.shape(1) else {
      return context.setOutput(0, .string, nil)
    }
    context.setOutput(0, .string, try broadcast(a, b))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { nil }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    let ((left, leftShape), (right, rightShape)) = (try inputs.texts(0), try inputs.texts(1))
    guard let shape = leftShape.broadcast(with: rightShape) else {
      throw OperatorError("shapes \(leftShape) and \(rightShape) cannot be broadcast")
    }
    let places = zip(
      StringEquality.places(of: leftShape, in: shape),
      StringEquality.places(of: rightShape, in: shape))
    return [try Tensor(strings: places.map { left[$0] + right[$1] }, shape: shape)]
  }
}

/// StringSplit, from ONNX opset 20 on: parts between delimiters, or between runs of white space; and how many there are.
package struct StringSplit: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("StringSplit", opsets: 20...OperatorTable.latestOpset)]
  }
  /// nil for white space.
  private let delimiter: [UInt8]?
  private let limit: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let text = try node.string("delimiter") ?? ""
    delimiter = text.isEmpty ? nil : Array(text.utf8)
    let limit = try node.int("maxsplit", default: -1)
    self.limit = limit < 0 ? .max : limit
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.string])
    let shape = context.shape(0)
    context.setOutput(0, .string, shape.map { $0 + [.unknown] })
    context.setOutput(1, .int64, shape)
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { nil }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    let (texts, shape) = try inputs.texts(0)
    let parts = texts.map { delimiter == nil ? words(of: $0) : pieces(of: $0) }
    let width = parts.map(\.count).max() ?? 0
    let count = Shape.product([texts.count, width])
    guard count < 1 << 31 else {
      throw OperatorError("\(texts.count) texts of up to \(width) parts are too many")
    }
    let padded = parts.flatMap { $0 + Array(repeating: "", count: width - $0.count) }
    return [
      try Tensor(strings: padded, shape: Shape(shape.dimensions + [width])),
      try Tensor(parts.map { Int64($0.count) }, shape: shape),
    ]
  }

  private func words(of text: String) -> [String] {
    var words: [String] = []
    var rest = text.drop { $0.isWhitespace }
    while !rest.isEmpty {
      guard words.count < limit else {
        words.append(String(rest))
        break
      }
      let word = rest.prefix { !$0.isWhitespace }
      words.append(String(word))
      rest = rest[word.endIndex...].drop { $0.isWhitespace }
    }
    return words
  }

  private func pieces(of text: String) -> [String] {
    let (bytes, delimiter) = (Array(text.utf8), self.delimiter ?? [])
    var pieces: [String] = []
    var (start, place) = (0, 0)
    while place + delimiter.count <= bytes.count, pieces.count < limit {
      if bytes[place..<(place + delimiter.count)].elementsEqual(delimiter) {
        pieces.append(String(decoding: bytes[start..<place], as: UTF8.self))
        place += delimiter.count
        start = place
      } else {
        place += 1
      }
    }
    return pieces + [String(decoding: bytes[start...], as: UTF8.self)]
  }
}

/// RegexFullMatch, from ONNX opset 20 on: whether a pattern of RE2's syntax matches the whole of each text.
package struct RegexFullMatch: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("RegexFullMatch", opsets: 20...OperatorTable.latestOpset)]
  }
  private let pattern: TextPattern

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    pattern = try TextPattern(node.required("pattern", node.string("pattern")))
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.string])
    context.setOutput(0, .bool, context.shape(0))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let shape = inputs.first??.shape else { return nil }
    return [Operand(.bool, shape)]
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    let (texts, shape) = try inputs.texts(0)
    return [try Tensor(texts.map(pattern.matchesWhole), shape: shape)]
  }
}
