// ParsedArguments: what stood on a command line, read as numbers, sizes and pairs where an option means that.

import LeapTensors

/// A command line, sorted into options and positions.
package struct ParsedArguments: Sendable {
  private var values: [String: [String]] = [:]
  package internal(set) var positions: [String] = []

  init() {}

  mutating func add(_ flag: Flag, _ new: [String]) {
    values[flag.name, default: []] += new
  }

  /// Whether an option was given.
  package func has(_ flag: String) -> Bool { values[flag] != nil }

  /// The last value of an option.
  package func last(_ flag: String) -> String? { values[flag]?.last }

  /// All values of an option, in order.
  package func all(_ flag: String) -> [String] { values[flag] ?? [] }

  /// The last value of an option, as a whole number in a range.
  ///
  /// - Throws: `ToolError` with exit code 64.
  package func integer(_ flag: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let text = last(flag) else { return nil }
    guard let value = Int(text), range.contains(value) else {
      let limits =
        range.upperBound == .max
        ? "from \(range.lowerBound) on" : "from \(range.lowerBound) to \(range.upperBound)"
      throw ToolError.usage("\(flag): '\(escaped(text))' is no whole number \(limits)")
    }
    return value
  }

  /// The last value of an option, as a finite number.
  ///
  /// - Throws: `ToolError` with exit code 64.
  package func number(_ flag: String) throws -> Double? {
    guard let text = last(flag) else { return nil }
    guard let value = Double(text), value.isFinite else {
      throw ToolError.usage("\(flag): '\(escaped(text))' is no number")
    }
    return value
  }

  /// The last value of an option, in bytes: `64MiB`, `64MB` or a number.
  ///
  /// - Throws: `ToolError` with exit code 64.
  package func size(_ flag: String) throws -> Int? {
    guard let text = last(flag) else { return nil }
    guard let size = parseSize(text) else {
      throw ToolError.usage("\(flag): '\(escaped(text))' is no size, like 64MiB, 64MB or 65536")
    }
    return size
  }
}

/// Bytes from `64MiB`, `64MB`, `64KiB`, `64kB`, `64B` or a number; nil for anything else, and beyond 2^63.
package func parseSize(_ text: String) -> Int? {
  let units = [
    ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("kB", 1000),
    ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1),
  ]
  let unit = units.first { text.hasSuffix($0.0) } ?? ("", 1)
  let digits = text.dropLast(unit.0.count)
  guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isWholeNumber }),
    let number = Int(digits)
  else { return nil }
  let (size, overflow) = number.multipliedReportingOverflow(by: unit.1)
  return overflow ? nil : size
}

/// `NAME=VALUE` taken apart at the first `=`; the name is nil where there is none.
package func splitAssignment(_ text: String) -> (name: String?, value: String) {
  guard let sign = text.firstIndex(of: "=") else { return (nil, text) }
  return (String(text[..<sign]), String(text[text.index(after: sign)...]))
}
