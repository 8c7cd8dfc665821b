// EinsumEquation: the text of an Einsum, and what it says of its operands' axes.

import LeapTensors

/// A parsed equation: labels of the axes of each term and of the result. Labels below 0 stand for the axes of an ellipsis, -1 for
/// the last of them.
package struct EinsumEquation: Sendable, Hashable {
  /// Labels of each term; nil in the place of an ellipsis.
  private let terms: [[Int?]]
  /// Labels of the result; nil where the equation has none.
  private let result: [Int?]?

  /// The number of operands.
  package var operandCount: Int { terms.count }

  /// - Throws: `OperatorError` for text that is no equation.
  package init(_ text: String) throws {
    let compact = text.filter { !$0.isWhitespace }
    guard compact.utf8.count <= 1024 else {
      throw OperatorError("the equation has \(compact.utf8.count) characters; at most 1024")
    }
    var sides: [Substring] = [compact[...]]
    if let arrow = compact.firstIndex(of: "-") {
      let rest = compact[compact.index(after: arrow)...]
      guard rest.first == ">" else {
        throw OperatorError("the equation '\(text)' has '-' without '>'")
      }
      sides = [compact[..<arrow], rest.dropFirst()]
    }
    terms = try sides[0].split(separator: ",", omittingEmptySubsequences: false)
      .map { try EinsumEquation.labels($0, text) }
    result = sides.count == 2 ? try EinsumEquation.labels(sides[1], text) : nil
  }

  private static func labels(_ term: Substring, _ text: String) throws -> [Int?] {
    var labels: [Int?] = []
    var rest = term
    while let character = rest.first {
      if rest.hasPrefix("...") {
        guard !labels.contains(nil) else {
          throw OperatorError("the equation '\(text)' has two ellipses in one term")
        }
        labels.append(nil)
        rest = rest.dropFirst(3)
        continue
      }
      guard let value = character.asciiValue, character.isLetter else {
        throw OperatorError("the equation '\(text)' has the character '\(character)'")
      }
      labels.append(Int(value))
      rest = rest.dropFirst()
    }
    return labels
  }

  /// The labels of all axes, once ranks are known.
  package struct Axes: Sendable, Hashable {
    package var operands: [[Int]]
    package var result: [Int]
  }

  /// - Throws: `OperatorError` where a rank does not fit its term.
  package func axes(ranks: [Int]) throws -> Axes {
    guard ranks.count == terms.count else {
      throw OperatorError("the equation has \(terms.count) terms for \(ranks.count) inputs")
    }
    var longest = 0
    let operands = try zip(terms, ranks).enumerated().map { index, pair in
      let (term, rank) = pair
      let named = term.count { $0 != nil }
      let more = rank - named
      guard term.contains(nil) ? more >= 0 : more == 0 else {
        throw OperatorError(
          "input \(index) has rank \(rank); its term in the equation has \(named) labels")
      }
      longest = max(longest, more)
      return EinsumEquation.spread(term, more)
    }
    if let result {
      return Axes(operands: operands, result: EinsumEquation.spread(result, longest))
    }
    // Without a result: the ellipsis, and all labels that occur once, in alphabetical order.
    let all = operands.flatMap { $0 }.filter { $0 >= 0 }
    let once = Set(all).filter { label in all.count { $0 == label } == 1 }
    return Axes(operands: operands, result: Array(-longest..<0) + once.sorted())
  }

  private static func spread(_ term: [Int?], _ count: Int) -> [Int] {
    term.flatMap { label in label.map { [$0] } ?? Array(-count..<0) }
  }
}

extension EinsumEquation.Axes {
  /// Checks that each label of the result is one of an operand's, and stands there once.
  ///
  /// - Throws: `OperatorError`.
  package func checkResult() throws {
    let known = Set(operands.joined())
    for label in result where !known.contains(label) {
      throw OperatorError("the result has the label '\(Self.name(label))', which no input has")
    }
    guard Set(result).count == result.count else {
      throw OperatorError("a label stands twice in the result")
    }
  }

  package static func name(_ label: Int) -> String {
    label < 0 ? "..." : UInt8(exactly: label).map { String(UnicodeScalar($0)) } ?? "?"
  }
}
