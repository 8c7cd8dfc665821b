// CommandGrammar: what a tool accepts on its command line.
//
// 1. A mistake is told with what would be right: the nearest option, the missing value, the words that are accepted.
// 2. Declared once: parsing, help (CommandGrammar+Help) and completion (CommandGrammar+Completion) agree.

import LeapTensors

/// The command line of a tool, or of one of a tool's commands.
package struct CommandGrammar: Sendable {
  /// An argument without an option's name.
  package struct Positional: Sendable {
    package let name: String
    package let help: String

    package init(_ name: String, _ help: String) {
      self.name = name
      self.help = help
    }
  }

  /// The tool; where it has several commands, the tool and the command: `onnx-verify record`.
  package let tool: String
  package let overview: String
  package let positionals: [Positional]
  package let groups: [FlagGroup]
  /// Command lines with what they do, for the help.
  package let examples: [(line: String, purpose: String)]
  /// What the exit codes mean, in the help's order.
  package let exitCodes: [(code: Int32, meaning: String)]

  package init(
    tool: String, overview: String, positionals: [Positional], groups: [FlagGroup],
    examples: [(line: String, purpose: String)], exitCodes: [(code: Int32, meaning: String)]
  ) {
    self.tool = tool
    self.overview = overview
    self.positionals = positionals
    self.groups = groups
    self.examples = examples
    self.exitCodes = exitCodes
  }

  package var flags: [Flag] { groups.flatMap(\.flags) }

  /// The tool without the command.
  package var program: String { tool.split(separator: " ").first.map(String.init) ?? tool }

  /// Sorts arguments into options and positions. `--` ends the options; `-` alone is a position or a value.
  ///
  /// - Throws: `ToolError` with exit code 64 for an unknown option, and for a value that is missing, not taken, or not
  ///   among the words that the option accepts.
  package func parse(_ arguments: [String]) throws -> ParsedArguments {
    var parsed = ParsedArguments()
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--" {
        parsed.positions += rest
        break
      }
      guard CommandGrammar.isOption(argument) else {
        parsed.positions.append(argument)
        continue
      }
      let (name, attached) = CommandGrammar.split(argument)
      guard let flag = flags.first(where: { $0.name == name || $0.short == name }) else {
        throw unknown(name)
      }
      parsed.add(flag, try values(of: flag, written: name, attached: attached, from: &rest))
    }
    return parsed
  }

  /// Whether an argument names an option: it starts with a dash and is neither `-` nor a negative number.
  private static func isOption(_ argument: String) -> Bool {
    guard argument.hasPrefix("-"), let second = argument.dropFirst().first else { return false }
    return !second.isWholeNumber && second != "."
  }

  /// `--name=value` taken apart.
  private static func split(_ argument: String) -> (name: String, value: String?) {
    guard argument.hasPrefix("--"), let sign = argument.firstIndex(of: "=") else {
      return (argument, nil)
    }
    return (String(argument[..<sign]), String(argument[argument.index(after: sign)...]))
  }

  private func values(
    of flag: Flag, written name: String, attached: String?, from rest: inout ArraySlice<String>
  ) throws -> [String] {
    let placeholder: String
    var values: [String] = []
    switch flag.arity {
    case .none:
      guard attached == nil else { throw ToolError.usage("\(name) takes no value") }
      return []
    case .one(let value):
      placeholder = value
      if let attached {
        values = [attached]
      } else if let next = rest.first, !CommandGrammar.isOption(next) {
        values = [rest.removeFirst()]
      }
    case .many(let value):
      placeholder = value
      if let attached { values = [attached] }
      while let next = rest.first, !CommandGrammar.isOption(next), attached == nil {
        values.append(rest.removeFirst())
      }
    case .several(let names):
      placeholder = names.joined(separator: "> <")
      if let attached { values = [attached] }
      while let next = rest.first, !CommandGrammar.isOption(next), values.count < names.count {
        values.append(rest.removeFirst())
      }
      guard values.count == names.count else {
        throw ToolError.usage(
          "\(name) wants \(names.count) values: \(name) <\(placeholder)>")
      }
    }
    guard let first = values.first, !first.isEmpty else {
      throw ToolError.usage("\(name) wants a value: \(name) <\(placeholder)>")
    }
    try check(values, flag.choices, name)
    return values
  }

  private func check(_ values: [String], _ choices: [String]?, _ name: String) throws {
    guard let choices, let wrong = values.first(where: { !choices.contains($0) }) else { return }
    let hint = suggestion(for: wrong, among: choices)
    throw ToolError.usage(
      "\(name): '\(escaped(wrong))' is not one of \(choices.joined(separator: ", "))\(hint)")
  }

  private func unknown(_ name: String) -> ToolError {
    let names = flags.flatMap { [$0.name] + ($0.short.map { [$0] } ?? []) }
    return .usage("unknown option '\(escaped(name))'\(suggestion(for: name, among: names))")
  }
}

/// `; did you mean X?` where one of the words is near; empty otherwise.
package func suggestion(for word: String, among words: [String]) -> String {
  let nearest = words.map { (word: $0, distance: editDistance($0, word)) }
    .min { $0.distance < $1.distance }
  guard let nearest, nearest.distance <= max(1, min(3, word.count / 3)) else { return "" }
  return "; did you mean '\(escaped(nearest.word))'?"
}

/// How many letters to add, drop, change or swap with their neighbour (optimal string alignment). Compares the first
/// 64 bytes.
func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a.utf8.prefix(64)), Array(b.utf8.prefix(64)))
  var rows = [Array(0...b.count)]
  for i in 0..<a.count {
    var row = [i + 1]
    for j in 0..<b.count {
      var best = min(rows[i][j] + (a[i] == b[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        best = min(best, rows[i - 1][j - 1] + 1)
      }
      row.append(best)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}
