// Decoding: operators of ONNX Runtime (com.microsoft) around models that write texts: NGramRepeatBlock, BifurcationDetector,
// DynamicTimeWarping.

import LeapGraph
import LeapTensors

package enum Decoding: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [NGramRepeatBlock.self, BifurcationDetector.self, DynamicTimeWarping.self]
  }
}

/// NGramRepeatBlock: scores [batch, vocabulary] with minus infinity for every token that would end an n-gram which the tokens
/// [batch, length] have already.
package struct NGramRepeatBlock: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("NGramRepeatBlock", domain: Quantization.microsoft)]
  }
  private let size: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    size = try node.required("ngram_size", node.int("ngram_size"))
    guard size > 0 else {
      throw OperatorError("attribute 'ngram_size' is \(size); expected 1 or more")
    }
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.int64])
    let type = try context.dataType(1, among: [.float32])
    let tokens = try context.shape(0, ranks: 2...2)
    let scores = try context.shape(1, ranks: 2...2)
    if let tokens, let scores {
      try check(tokens[0], equals: scores[0], "rows of tokens", "scores")
    }
    context.setOutput(0, type, scores)
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard inputs.count > 1, let scores = inputs[1] else { return nil }
    return [scores]
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let given = inputs[0], let tokens = given.integers, let scores = inputs[1],
      var values = scores.elements(as: Float.self), given.shape.rank == 2,
      scores.shape.rank == 2, given.shape[0] == scores.shape[0]
    else { throw OperatorError("expected tokens and scores with as many rows") }
    let (length, vocabulary) = (given.shape[1], scores.shape[1])
    for row in 0..<given.shape[0] where length >= size {
      let own = tokens[(row * length)..<((row + 1) * length)]
      let last = own.suffix(size - 1)
      for end in (own.startIndex + size - 1)..<own.endIndex
      where own[(end - size + 1)..<end].elementsEqual(last) {
        guard (0..<vocabulary).contains(own[end]) else {
          throw OperatorError("token \(own[end]) is out of range; there are \(vocabulary)")
        }
        values[row * vocabulary + own[end]] = -.infinity
      }
    }
    return [try Tensor(values, shape: scores.shape)]
  }
}

/// BifurcationDetector: the tokens so far, with those of a prediction up to the first that differs from the source; and where in
/// the source the tokens that then come last have been: after them, where they are there once, else -1.
package struct BifurcationDetector: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("BifurcationDetector", domain: Quantization.microsoft)]
  }
  /// How many tokens that come last are looked for.
  private let lengths: ClosedRange<Int>

  package init(_ node: NodeReader) throws {
    try node.requireInputs(3...4)
    let shortest = try node.int("min_ngram_size", default: 1)
    let longest = try node.int("max_ngram_size", default: 3)
    guard shortest > 0, longest >= shortest else {
      throw OperatorError(
        "n-grams of \(shortest) to \(longest) tokens; expected 1 or more, and no fewer at most")
    }
    lengths = shortest...longest
  }

  package func infer(_ context: inout InferenceContext) throws {
    for index in 0..<4 where context.hasInput(index) {
      _ = try context.dataType(index, among: [.int64])
    }
    context.setOutput(0, .int64, context.hasInput(3) ? [.unknown] : context.shape(1))
    context.setOutput(1, .int64, [1])
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard inputs.count > 1, let current = inputs[1] else { return nil }
    let predicted = inputs.count > 3 ? inputs[3]?.shape.elementCount ?? 0 : 0
    return [Operand(.int64, [current.shape.elementCount + predicted]), Operand(.int64, [1])]
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    let lists = inputs.map { $0?.integers }
    guard lists.count > 2, let source = lists[0], var tokens = lists[1], let start = lists[2]?.first
    else { throw OperatorError("expected source and current tokens, and an index") }
    if lists.count > 3, let predicted = lists[3] {
      guard start >= 0, start <= source.count, predicted.count == source.count + 1 - start else {
        throw OperatorError(
          "\(predicted.count) predicted tokens for \(source.count) of the source from \(start) on;"
            + " expected one more")
      }
      let same = zip(predicted, source[start...]).prefix { $0 == $1 }.count
      tokens += predicted[...same]
    }
    let found = place(of: tokens, in: source)
    return [try Tensor(tokens.map(Int64.init)), try Tensor([Int64(found)])]
  }

  /// The place after the last tokens in the source: of as few of them as are there but once; -1 for none.
  private func place(of tokens: [Int], in source: [Int]) -> Int {
    for length in lengths where length <= tokens.count {
      let last = tokens.suffix(length)
      let places = (0...max(source.count - length, 0)).lazy.filter {
        source[$0...].prefix(length).elementsEqual(last)
      }.prefix(2)
      guard let first = places.first else { return -1 }
      if places.count == 1 { return first + length }
    }
    return -1
  }
}

/// DynamicTimeWarping: the cheapest path through a matrix of costs, [rows, columns], from its first to its last element, by steps
/// of one row, one column or both: [2, steps].
package struct DynamicTimeWarping: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("DynamicTimeWarping", domain: Quantization.microsoft)]
  }

  package init(_ node: NodeReader) throws { try node.requireInputs(1...1) }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.float32])
    if let shape = try context.shape(0, ranks: 2...3), shape.count == 3 {
      try check(shape[0], equals: 1, "matrices", "paths")
    }
    context.setOutput(0, .int32, [2, .unknown])
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let shape = inputs.first??.shape, shape.rank > 1 else { return nil }
    return [Operand(.int32, [2, shape[shape.rank - 2] + shape[shape.rank - 1]])]
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil, let costs = input.elements(as: Float.self),
      (2...3).contains(input.shape.rank), input.elementCount > 0,
      input.shape.rank == 2 || input.shape[0] == 1
    else { throw OperatorError("expected one matrix of costs") }
    let (rows, columns) = (input.shape[input.shape.rank - 2], input.shape[input.shape.rank - 1])
    let totals = DynamicTimeWarping.totals(costs, rows: rows, columns: columns)
    var (row, column) = (rows - 1, columns - 1)
    var path = [(row, column)]
    while row > 0 || column > 0 {
      let step = DynamicTimeWarping.step(totals, row, column, columns)
      (row, column) = (row - step.rows, column - step.columns)
      path.append((row, column))
    }
    path.reverse()
    return [
      try Tensor(
        path.map { Int32($0.0) } + path.map { Int32($0.1) }, shape: [2, path.count])
    ]
  }

  /// What the cheapest path to each element costs.
  private static func totals(_ costs: [Float], rows: Int, columns: Int) -> [Float] {
    var totals = costs
    for row in 0..<rows {
      for column in 0..<columns where row > 0 || column > 0 {
        let step = step(totals, row, column, columns)
        totals[row * columns + column] +=
          totals[(row - step.rows) * columns + column - step.columns]
      }
    }
    return totals
  }

  /// The last step to an element: both where that alone is cheapest, else the row's where that alone is, else the column's.
  private static func step(
    _ totals: [Float], _ row: Int, _ column: Int, _ columns: Int
  ) -> (rows: Int, columns: Int) {
    if row == 0 { return (0, 1) }
    if column == 0 { return (1, 0) }
    let place = row * columns + column
    let (both, above, before) = (
      totals[place - columns - 1], totals[place - columns], totals[place - 1]
    )
    if both < above && both < before { return (1, 1) }
    return above < both && above < before ? (1, 0) : (0, 1)
  }
}
