// Encoders: operators that turn words and labels into numbers: TfIdfVectorizer, and of ai.onnx.ml LabelEncoder, Binarizer,
// ArrayFeatureExtractor.

import LeapGraph
import LeapKernels
import LeapTensors

/// TfIdfVectorizer, from ONNX opset 9 on: how often n-grams of a pool, with skips between their items, occur in each row.
package struct TfIdfVectorizer: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("TfIdfVectorizer", opsets: 9...OperatorTable.latestOpset)]
  }

  private enum Mode: String, CaseIterable {
    case frequency = "TF"
    case inverse = "IDF"
    case both = "TFIDF"
  }

  /// An item of a row: a text, or an integer.
  private enum Item: Hashable, Sendable {
    case text(String)
    case number(Int)
  }

  private let mode: Mode
  private let lengths: ClosedRange<Int>
  private let largestSkip: Int
  /// Where each n-gram is counted, and its weight.
  private let grams: [[Item]: (column: Int, weight: Float)]
  private let columns: Int
  private let isOfText: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    guard let mode = Mode(rawValue: try node.required("mode", node.string("mode"))) else {
      throw OperatorError("attribute 'mode' is not known; expected TF, IDF or TFIDF")
    }
    self.mode = mode
    let shortest = try node.required("min_gram_length", node.int("min_gram_length"))
    let longest = try node.required("max_gram_length", node.int("max_gram_length"))
    largestSkip = try node.required("max_skip_count", node.int("max_skip_count"))
    guard shortest >= 1, longest >= shortest, longest <= 1 << 20, largestSkip >= 0,
      largestSkip <= 1 << 20
    else {
      throw OperatorError(
        "n-grams of \(shortest) to \(longest) items with up to \(largestSkip) skips")
    }
    lengths = shortest...longest
    let texts = try node.strings("pool_strings")
    let numbers = try node.ints("pool_int64s")
    guard (texts == nil) != (numbers == nil) else {
      throw OperatorError("one of 'pool_strings' and 'pool_int64s' is required")
    }
    isOfText = texts != nil
    let pool = texts.map { $0.map(Item.text) } ?? (numbers ?? []).map(Item.number)
    let places = try node.required("ngram_indexes", node.ints("ngram_indexes"))
    guard let last = places.max(), places.allSatisfy({ $0 >= 0 }), last < 1 << 31 else {
      throw OperatorError("attribute 'ngram_indexes' is empty or out of range")
    }
    columns = last + 1
    grams = try TfIdfVectorizer.grams(
      pool, starts: node.required("ngram_counts", node.ints("ngram_counts")), places: places,
      weights: node.floats("weights"), lengths: lengths)
  }

  /// The n-grams of a pool: those of one item, then those of two and so on, from `starts` on.
  private static func grams(
    _ pool: [Item], starts: [Int], places: [Int], weights: [Float]?, lengths: ClosedRange<Int>
  ) throws -> [[Item]: (column: Int, weight: Float)] {
    if let weights, weights.count != places.count {
      throw OperatorError("\(weights.count) weights for \(places.count) n-grams")
    }
    var grams: [[Item]: (column: Int, weight: Float)] = [:]
    var count = 0
    for (index, start) in starts.enumerated() {
      let (size, end) = (index + 1, index + 1 < starts.count ? starts[index + 1] : pool.count)
      guard start >= 0, start <= end, end <= pool.count, (end - start) % size == 0 else {
        throw OperatorError(
          "attribute 'ngram_counts' says that \(size)-grams are at \(start) to \(end) of \(pool.count)"
        )
      }
      for first in stride(from: start, to: end, by: size) {
        guard count < places.count else {
          throw OperatorError("there are more n-grams than the \(places.count) 'ngram_indexes'")
        }
        if lengths.contains(size) {
          grams[Array(pool[first..<first + size])] = (places[count], weights?[count] ?? 1)
        }
        count += 1
      }
    }
    return grams
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: isOfText ? [.string] : [.int32, .int64])
    let shape = try context.shape(0, ranks: 1...2)
    context.setOutput(0, .float32, shape.map { $0.dropLast() + [.fixed(columns)] })
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let shape = inputs.first??.shape, shape.rank > 0 else { return nil }
    return [Operand(.float32, Shape(shape.dimensions.dropLast() + [columns]))]
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil, (1...2).contains(input.shape.rank) else {
      throw OperatorError("expected a vector or a matrix")
    }
    let items =
      input.strings.map { $0.map(Item.text) } ?? (input.integers ?? []).map(Item.number)
    let width = input.shape[input.shape.rank - 1]
    let rows = input.shape.rank == 2 ? input.shape[0] : 1
    let output = Shape(input.shape.dimensions.dropLast() + [columns])
    return [
      try Tensor(dataType: .float32, shape: output) { bytes in
        let counts = bytes.bindMemory(to: Float.self)
        counts.initialize(repeating: 0)
        for row in 0..<rows {
          count(
            items[(row * width)..<((row + 1) * width)],
            into: UnsafeMutableBufferPointer(
              rebasing: counts[(row * columns)..<((row + 1) * columns)]))
        }
      }
    ]
  }

  private func count(_ row: ArraySlice<Item>, into counts: UnsafeMutableBufferPointer<Float>) {
    for length in lengths where length <= row.count {
      // Single items have nothing between them.
      for skip in 0...(length == 1 ? 0 : largestSkip) {
        let reach = (length - 1) * (skip + 1)
        guard reach < row.count else { break }
        for start in row.startIndex..<(row.endIndex - reach) {
          let gram = (0..<length).map { row[start + $0 * (skip + 1)] }
          guard let (column, weight) = grams[gram] else { continue }
          switch mode {
          case .frequency: counts[column] += 1
          case .inverse: counts[column] = weight
          case .both: counts[column] += weight
          }
        }
      }
    }
  }
}

/// LabelEncoder (ai.onnx.ml), opsets 2 to 4: values for keys, and a default for all others.
package struct LabelEncoder: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [
      OperatorDeclaration(
        "LabelEncoder", domain: Texts.classical, opsets: 2...OperatorTable.latestOpset)
    ]
  }

  /// A label as something to look up.
  private enum Label: Hashable, Sendable {
    case text(String)
    case number(Double)
    case integer(Int)
    case notANumber
  }

  private let keys: Tensor
  private let values: Tensor
  /// One element of the values' type.
  private let fallback: Tensor

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    keys = try node.required("keys_*", LabelEncoder.list(node, "keys"))
    values = try node.required("values_*", LabelEncoder.list(node, "values"))
    guard keys.elementCount == values.elementCount else {
      throw OperatorError(
        "\(keys.elementCount) keys for \(values.elementCount) values")
    }
    if let tensor = try node.tensor("default_tensor") {
      fallback = tensor.reshaped([tensor.elementCount])
    } else {
      switch values.dataType {
      case .string:
        fallback = try Tensor(strings: [try node.string("default_string") ?? "_Unused"])
      case .float32: fallback = try Tensor([try node.float("default_float", default: -0.0)])
      default:
        let number = try Tensor([Int64(try node.int("default_int64", default: -1))])
        fallback = try Cast(to: values.dataType).convert(number)
      }
    }
    guard fallback.dataType == values.dataType, fallback.elementCount == 1 else {
      throw OperatorError("the default is \(fallback); expected one \(values.dataType)")
    }
  }

  private static func list(_ node: NodeReader, _ name: String) throws -> Tensor? {
    if let texts = try node.strings("\(name)_strings") { return try Tensor(strings: texts) }
    if let numbers = try node.ints("\(name)_int64s") { return try Tensor(numbers.map(Int64.init)) }
    if let numbers = try node.floats("\(name)_floats") { return try Tensor(numbers) }
    return try node.tensor("\(name)_tensor").map { $0.reshaped([$0.elementCount]) }
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [keys.dataType])
    context.setOutput(0, values.dataType, context.shape(0))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard values.dataType != .string, let shape = inputs.first??.shape else { return nil }
    return [Operand(values.dataType, shape)]
  }

  private static func labels(_ tensor: Tensor) throws -> [Label] {
    if let texts = tensor.strings { return texts.map(Label.text) }
    if let integers = tensor.integers { return integers.map(Label.integer) }
    let wide = try Cast(to: .float64).convert(tensor).elements(as: Double.self) ?? []
    return wide.map { $0.isNaN ? .notANumber : .number($0) }
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil else { throw OperatorError("input 0 is required") }
    var places: [Label: Int] = [:]
    for (index, key) in try LabelEncoder.labels(keys).enumerated() where places[key] == nil {
      places[key] = index
    }
    let missing = values.elementCount
    let chosen = try LabelEncoder.labels(input).map { places[$0] ?? missing }
    let table: Tensor
    if let texts = values.strings, let other = fallback.strings {
      table = try Tensor(strings: texts + other)
    } else {
      table = try Tensor(dataType: values.dataType, shape: [missing + 1]) { bytes in
        values.withUnsafeBytes { bytes.copyMemory(from: $0) }
        fallback.withUnsafeBytes {
          UnsafeMutableRawBufferPointer(rebasing: bytes[values.byteCount...]).copyMemory(from: $0)
        }
      }
    }
    return [try Gather.slices(of: table, axis: 0, at: chosen).reshaped(input.shape)]
  }
}

/// Binarizer (ai.onnx.ml): 1 where the input is above a threshold, else 0.
package struct Binarizer: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Binarizer", domain: Texts.classical)]
  }
  private let threshold: Float

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    threshold = try node.float("threshold", default: 0)
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0, among: [.float32, .float64, .int32, .int64])
    context.setOutput(0, type, context.shape(0))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    inputs.first?.flatMap { [$0] }
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil else { throw OperatorError("input 0 is required") }
    let wide = try Cast(to: .float64).convert(input).elements(as: Double.self) ?? []
    let ones = try Tensor(
      wide.map { $0 > Double(threshold) ? Float(1) : 0 }, shape: input.shape)
    return [try Cast(to: input.dataType).convert(ones)]
  }
}

/// ArrayFeatureExtractor (ai.onnx.ml): the columns of some indices.
package struct ArrayFeatureExtractor: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("ArrayFeatureExtractor", domain: Texts.classical)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(2...2) }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    _ = try context.dataType(1, among: [.int64])
    guard let x = try context.shape(0, ranks: 1...64), let indices = context.shape(1) else {
      return context.setOutput(0, type, nil)
    }
    let count = indices.reduce(1, *)
    context.setOutput(0, type, x.count == 1 ? [1, count] : x.dropLast() + [count])
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard inputs.count > 1, let x = inputs[0], let indices = inputs[1], x.dataType != .string,
      x.shape.rank > 0
    else { return nil }
    let rows = x.shape.rank == 1 ? [1] : Array(x.shape.dimensions.dropLast())
    return [Operand(x.dataType, Shape(rows + [indices.shape.elementCount]))]
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard inputs.count == 2, let x = inputs[0], let indices = inputs[1]?.integers else {
      throw OperatorError("inputs 0 and 1 are required")
    }
    let picked = try Gather.slices(of: x, axis: x.shape.rank - 1, at: indices)
    return [x.shape.rank == 1 ? picked.reshaped([1, indices.count]) : picked]
  }
}
