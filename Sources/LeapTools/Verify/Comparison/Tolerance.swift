// Tolerance: how far an output may be from what is expected.

import LeapTensors
import LeapstoneImage

/// An element is right where it differs by no more than `absolute + relative * |expected|`.
struct Tolerance: Sendable, Equatable {
  var relative: Double
  var absolute: Double
  /// Elements that may differ by more: where rounding decides between integers.
  var exceptions = 0
  /// Whether it came from a golden's error budget.
  var isBudget = false

  /// Whether nothing may differ.
  var isExact: Bool { relative == 0 && absolute == 0 && exceptions == 0 }

  /// For people: `0.001 |expected| + 1.2e-05`.
  var text: String {
    if isExact { return "exact" }
    if isBudget, exceptions > 0 { return "budget \(counted(exceptions, "element"))" }
    if isBudget { return "budget \(significant(absolute))" }
    if relative == 0 { return significant(absolute) }
    return "\(significant(relative)) |expected| + \(significant(absolute))"
  }

  var json: JSON {
    [
      "rtol": .number(relative), "atol": .number(absolute), "exceptions": .integer(exceptions),
      "from_golden": .bool(isBudget),
    ]
  }
}

/// What a command line says of tolerances: for all outputs, and for some by name.
struct Tolerances: Sendable {
  static let flags = [
    Flag(
      "--rtol", value: "[out:]v", repeatable: true,
      "Error that an element may have in proportion to the expected one; of one output where it is "
        + "named. (default: 0.001; 0.01 for 16-bit floats; 0 for integers)"),
    Flag(
      "--atol", value: "[out:]v", repeatable: true,
      "Error that an element may have besides. (default: the golden's budget; or 1e-4 of the largest "
        + "value expected, 1e-3 for 16-bit floats, 0 for integers)"),
  ]

  private var relative: [String: Double] = [:]
  private var absolute: [String: Double] = [:]
  /// Whether the command line says anything.
  var isGiven: Bool { !relative.isEmpty || !absolute.isEmpty }

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments) throws {
    relative = try Tolerances.values("--rtol", arguments)
    absolute = try Tolerances.values("--atol", arguments)
  }

  private static func values(
    _ flag: String, _ arguments: ParsedArguments
  ) throws -> [String: Double] {
    var values: [String: Double] = [:]
    for text in arguments.all(flag) {
      // A number holds no colon, an output's name may.
      let colon = text.lastIndex(of: ":")
      let number = colon.map { String(text[text.index(after: $0)...]) } ?? text
      guard let value = Double(number), value >= 0, !value.isNaN else {
        throw ToolError.usage(
          "\(flag): '\(escaped(text))' is no tolerance, like 1e-3 or scores:1e-3")
      }
      values[colon.map { String(text[..<$0]) } ?? ""] = value
    }
    return values
  }

  /// Refuses names that no output has.
  ///
  /// - Throws: `ToolError` with exit code 64.
  func check(outputs: [String]) throws {
    for (flag, values) in [("--rtol", relative), ("--atol", absolute)] {
      for name in values.keys.sorted() where !name.isEmpty && !outputs.contains(name) {
        throw ToolError.usage(
          "\(flag): the model has no output '\(escaped(name))'; it has \(quoted(outputs))"
            + suggestion(for: name, among: outputs))
      }
    }
  }

  /// The tolerance of an output.
  ///
  /// - Parameters:
  ///   - type: of its elements.
  ///   - largest: the largest magnitude expected.
  ///   - budget: what a golden says it may differ by.
  func tolerance(
    of output: String, _ type: DataType, largest: Double, budget: GoldenBudget? = nil
  ) -> Tolerance {
    let relative = self.relative[output] ?? self.relative[""]
    let absolute = self.absolute[output] ?? self.absolute[""]
    if let budget, relative == nil, absolute == nil {
      return Tolerance(
        relative: 0, absolute: budget.absolute, exceptions: budget.differing, isBudget: true)
    }
    let usual = Tolerances.usual(type)
    return Tolerance(
      relative: relative ?? usual.relative,
      absolute: absolute ?? usual.absolute * (largest.isFinite ? largest : 0))
  }

  /// Relative, and absolute in proportion to the largest value.
  private static func usual(_ type: DataType) -> (relative: Double, absolute: Double) {
    if type.isInteger || type == .bool { return (0, 0) }
    switch type {
    case .float32, .float64: return (1e-3, 1e-4)
    case .float16, .bfloat16: return (1e-2, 1e-3)
    default: return (0, 0)
    }
  }
}
