// TextPattern: regular expressions, matched by keeping all states at once: time grows with text and pattern, whatever they are.
//
// The syntax is RE2's as far as it says which texts match as a whole: characters, `.`, classes, groups, alternatives,
// repetitions, \d \s \w and their opposites, \b, ^ and $. Named classes and Unicode properties are refused.

import LeapTensors

struct TextPattern: Sendable {
  /// Characters that a step takes.
  private struct Class: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false

    func contains(_ scalar: UInt32) -> Bool {
      ranges.contains { $0.contains(scalar) } != isNegated
    }
  }

  private enum Step: Sendable {
    case take(Class)
    /// Goes on at both.
    case fork(Int, Int)
    case jump(Int)
    case start
    case end
    /// Where a word begins or ends, or where none does.
    case boundary(Bool)
    case match
  }

  private var steps: [Step] = []

  /// The steps that repetitions may make of a pattern.
  private static let limit = 20_000
  private static let depthLimit = 200

  /// - Throws: `OperatorError` for a pattern that is none, or is too large.
  init(_ text: String) throws {
    var parser = Parser(Array(text.unicodeScalars.map(\.value)), text)
    let tree = try parser.alternatives(depth: 0)
    guard parser.isAtEnd else { throw parser.error("')' without '('") }
    try append(tree)
    steps.append(.match)
  }

  /// Whether the pattern matches the whole of a text. O(text · pattern).
  func matchesWhole(_ text: String) -> Bool {
    let scalars = text.unicodeScalars.map(\.value)
    var current: Set<Int> = []
    add(0, &current, before: nil, behind: scalars.first)
    for (index, scalar) in scalars.enumerated() {
      let behind = index + 1 < scalars.count ? scalars[index + 1] : nil
      var next: Set<Int> = []
      for state in current {
        if case .take(let own) = steps[state], own.contains(scalar) {
          add(state + 1, &next, before: scalar, behind: behind)
        }
      }
      current = next
      if current.isEmpty { return false }
    }
    return current.contains(steps.count - 1)
  }

  /// Adds a state and all that it leads to without taking a character.
  ///
  /// - Parameters:
  ///   - before: the character before this place; nil at the start of the text.
  ///   - behind: the character behind it; nil at the end.
  private func add(_ state: Int, _ states: inout Set<Int>, before: UInt32?, behind: UInt32?) {
    func isWord(_ scalar: UInt32?) -> Bool {
      scalar.map { TextPattern.words.contains($0) } ?? false
    }
    var waiting = [state]
    while let state = waiting.popLast() {
      guard states.insert(state).inserted else { continue }
      switch steps[state] {
      case .fork(let a, let b): waiting += [a, b]
      case .jump(let target): waiting.append(target)
      case .start: if before == nil { waiting.append(state + 1) }
      case .end: if behind == nil { waiting.append(state + 1) }
      case .boundary(let isThere):
        if (isWord(before) != isWord(behind)) == isThere { waiting.append(state + 1) }
      case .take, .match: break
      }
    }
  }

  private static let words = Class(ranges: [48...57, 65...90, 95...95, 97...122])

  // MARK: making

  private indirect enum Tree {
    case empty
    case take(Class)
    case start
    case end
    case boundary(Bool)
    case sequence([Tree])
    case alternatives([Tree])
    case repeated(Tree, minimum: Int, maximum: Int?)
  }

  private mutating func append(_ tree: Tree) throws {
    guard steps.count < TextPattern.limit else {
      throw OperatorError("the pattern has more than \(TextPattern.limit) steps")
    }
    switch tree {
    case .empty: break
    case .take(let own): steps.append(.take(own))
    case .start: steps.append(.start)
    case .end: steps.append(.end)
    case .boundary(let isThere): steps.append(.boundary(isThere))
    case .sequence(let parts): for part in parts { try append(part) }
    case .alternatives(let choices):
      var ends: [Int] = []
      for (index, choice) in choices.enumerated() {
        guard index < choices.count - 1 else {
          try append(choice)
          break
        }
        let fork = steps.count
        steps.append(.fork(fork + 1, 0))
        try append(choice)
        ends.append(steps.count)
        steps.append(.jump(0))
        steps[fork] = .fork(fork + 1, steps.count)
      }
      for end in ends { steps[end] = .jump(steps.count) }
    case .repeated(let part, let minimum, let maximum):
      for _ in 0..<minimum { try append(part) }
      guard let maximum else {
        let fork = steps.count
        steps.append(.fork(fork + 1, 0))
        try append(part)
        steps.append(.jump(fork))
        steps[fork] = .fork(fork + 1, steps.count)
        return
      }
      var forks: [Int] = []
      for _ in minimum..<max(minimum, maximum) {
        forks.append(steps.count)
        steps.append(.fork(0, 0))
        try append(part)
      }
      for fork in forks { steps[fork] = .fork(fork + 1, steps.count) }
    }
  }

  // MARK: parsing

  private struct Parser {
    private let scalars: [UInt32]
    private let text: String
    private var place = 0

    init(_ scalars: [UInt32], _ text: String) {
      self.scalars = scalars
      self.text = text
    }

    var isAtEnd: Bool { place == scalars.count }

    func error(_ reason: String) -> OperatorError {
      OperatorError("the pattern '\(text.prefix(80))' is not one: \(reason)")
    }

    private func peek(_ character: Unicode.Scalar) -> Bool {
      place < scalars.count && scalars[place] == character.value
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
      guard peek(character) else { return false }
      place += 1
      return true
    }

    private mutating func next(_ what: String) throws -> UInt32 {
      guard place < scalars.count else { throw error("it ends within \(what)") }
      defer { place += 1 }
      return scalars[place]
    }

    mutating func alternatives(depth: Int) throws -> Tree {
      guard depth < TextPattern.depthLimit else { throw error("groups are nested too deeply") }
      var choices = [try sequence(depth)]
      while skip("|") { choices.append(try sequence(depth)) }
      return choices.count == 1 ? choices[0] : .alternatives(choices)
    }

    private mutating func sequence(_ depth: Int) throws -> Tree {
      var parts: [Tree] = []
      while !isAtEnd, !peek("|"), !peek(")") { parts.append(try repetition(depth)) }
      return parts.isEmpty ? .empty : .sequence(parts)
    }

    private mutating func repetition(_ depth: Int) throws -> Tree {
      var tree = try atom(depth)
      while let (minimum, maximum) = try bounds() {
        tree = .repeated(tree, minimum: minimum, maximum: maximum)
        // Whether little or much is taken first does not matter to the whole.
        _ = skip("?")
      }
      return tree
    }

    private mutating func bounds() throws -> (Int, Int?)? {
      if skip("*") { return (0, nil) }
      if skip("+") { return (1, nil) }
      if skip("?") { return (0, 1) }
      guard peek("{") else { return nil }
      let start = place
      place += 1
      let minimum = number()
      var maximum = minimum
      if minimum != nil, skip(",") { maximum = number() }
      guard let minimum, skip("}") else {
        // A brace that is no repetition stands for itself.
        place = start
        return nil
      }
      guard minimum <= 1000, maximum ?? 0 <= 1000, maximum ?? minimum >= minimum else {
        throw error("a repetition of \(minimum) to \(maximum.map(String.init) ?? "any")")
      }
      return (minimum, maximum)
    }

    private mutating func number() -> Int? {
      var value: Int?
      while place < scalars.count, (48...57).contains(scalars[place]), value ?? 0 < 100_000 {
        value = (value ?? 0) * 10 + Int(scalars[place]) - 48
        place += 1
      }
      return value
    }

    private mutating func atom(_ depth: Int) throws -> Tree {
      let scalar = try next("an expression")
      switch UnicodeScalar(scalar) ?? "\u{FFFD}" {
      case "(":
        if skip("?") {
          guard skip(":") else { throw error("only groups '(?:' are known of '(?'") }
        }
        let inner = try alternatives(depth: depth + 1)
        guard skip(")") else { throw error("'(' without ')'") }
        return inner
      case "[": return .take(try set())
      case ".": return .take(Class(ranges: [10...10], isNegated: true))
      case "^": return .start
      case "$": return .end
      case "\\": return try escaped()
      case "*", "+", "?": throw error("a repetition of nothing")
      default: return literal(scalar)
      }
    }

    private func literal(_ scalar: UInt32) -> Tree { .take(Class(ranges: [scalar...scalar])) }

    private mutating func escaped() throws -> Tree {
      let scalar = try next("an escape")
      switch UnicodeScalar(scalar) ?? "\u{FFFD}" {
      case "A": return .start
      case "z": return .end
      case "b": return .boundary(true)
      case "B": return .boundary(false)
      default: return .take(try escapedClass(scalar))
      }
    }

    private func escapedClass(_ scalar: UInt32) throws -> Class {
      let digits: [ClosedRange<UInt32>] = [48...57]
      let words = TextPattern.words.ranges
      let spaces: [ClosedRange<UInt32>] = [9...10, 12...13, 32...32]
      switch UnicodeScalar(scalar) ?? "\u{FFFD}" {
      case "d": return Class(ranges: digits)
      case "D": return Class(ranges: digits, isNegated: true)
      case "w": return Class(ranges: words)
      case "W": return Class(ranges: words, isNegated: true)
      case "s": return Class(ranges: spaces)
      case "S": return Class(ranges: spaces, isNegated: true)
      case "n": return Class(ranges: [10...10])
      case "t": return Class(ranges: [9...9])
      case "r": return Class(ranges: [13...13])
      case "f": return Class(ranges: [12...12])
      case "v": return Class(ranges: [11...11])
      default:
        let isLetter = (65...90).contains(scalar) || (97...122).contains(scalar)
        guard !isLetter, !(48...57).contains(scalar) else {
          throw error("the escape '\\\(UnicodeScalar(scalar).map(String.init) ?? "")' is not known")
        }
        return Class(ranges: [scalar...scalar])
      }
    }

    private mutating func set() throws -> Class {
      var set = Class(ranges: [], isNegated: skip("^"))
      var isFirst = true
      while isFirst || !peek("]") {
        isFirst = false
        var low = try next("a class")
        if low == 91, peek(":") { throw error("named classes are not known") }
        if low == 92 {
          let escape = try next("an escape")
          let own = try escapedClass(escape)
          guard own.ranges.count == 1, own.ranges[0].count == 1, !own.isNegated else {
            guard !own.isNegated else { throw error("an opposite within a class is not known") }
            set.ranges += own.ranges
            continue
          }
          low = own.ranges[0].lowerBound
        }
        var high = low
        if peek("-"), place + 1 < scalars.count, scalars[place + 1] != 93 {
          place += 1
          high = try next("a class")
          if high == 92 { high = try escapedClass(next("an escape")).ranges[0].lowerBound }
        }
        guard low <= high else { throw error("a range from high to low") }
        set.ranges.append(low...high)
      }
      place += 1
      return set
    }
  }
}
