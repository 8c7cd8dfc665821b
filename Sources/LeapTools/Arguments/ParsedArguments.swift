// ParsedArguments: what stood on a command line, read as numbers, sizes and pairs where an option means that.

import LeapTensors
import Leapstone

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

  /// The only position: the path of a model.
  ///
  /// - Throws: `ToolError` with exit code 64 where there is none, or more than one.
  package func model(of tool: String) throws -> String {
    if let model = positions.first, positions.count == 1 { return model }
    if positions.isEmpty {
      let hint =
        all("--image").contains { $0.hasSuffix(".onnx") }
        ? "; --image takes all that follows it: put the model first" : ""
      throw ToolError.usage("which model? \(tool) <model> [<options>]\(hint)")
    }
    throw ToolError.usage(
      "one model is expected, but there are \(quoted(positions)); pictures follow --image")
  }

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

  /// The last value of an option, as a share from 0 to 1: `0.84` or `84%`.
  ///
  /// - Throws: `ToolError` with exit code 64.
  package func share(_ flag: String) throws -> Double? {
    guard let text = last(flag) else { return nil }
    let isPercent = text.hasSuffix("%")
    let number = Double(isPercent ? text.dropLast() : text[...]).map { isPercent ? $0 / 100 : $0 }
    guard let number, (0...1).contains(number) else {
      throw ToolError.usage("\(flag): '\(escaped(text))' is no share from 0 to 1, like 0.84 or 84%")
    }
    return number
  }
}
