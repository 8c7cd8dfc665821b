// The help page, in the form of swift-argument-parser: OVERVIEW, USAGE, ARGUMENTS, OPTIONS; then examples and exit codes.

extension CommandGrammar {
  private static let helpColumn = 26
  /// The longest lines, however wide the terminal is.
  private static let lineLimit = 96
  /// What holds the width of lines within reason.
  static func lineWidth(_ columns: Int) -> Int { min(max(columns, 40), lineLimit) }

  /// One line of usage.
  package var usage: String {
    "\(tool) " + positionals.map { "<\($0.name)> " }.joined() + "[<options>]"
  }

  /// The help page, with a line feed at the end.
  ///
  /// - Parameter columns: of the terminal.
  package func help(columns: Int) -> String {
    let width = CommandGrammar.lineWidth(columns)
    var text = CommandGrammar.overview(overview, width) + "\n\nUSAGE: \(usage)\n\nARGUMENTS:\n"
    for positional in positionals {
      text += CommandGrammar.entry("<\(positional.name)>", positional.help, width)
    }
    for group in groups {
      text += "\n\(group.title):\n"
      for flag in group.flags { text += CommandGrammar.entry(title(of: flag), flag.help, width) }
    }
    text += "\nEXAMPLES:\n"
    for example in examples { text += CommandGrammar.example(example, width) }
    text += "\nEXIT CODES:\n"
    for (code, meaning) in exitCodes { text += CommandGrammar.entry(String(code), meaning, width) }
    return text
  }

  /// The first lines of a help page.
  static func overview(_ text: String, _ width: Int) -> String {
    wrapped("OVERVIEW: \(text)", width: width).joined(separator: "\n")
  }

  /// A command line with what it does; one that is too long goes on behind a backslash, as a shell reads it.
  static func example(_ example: (line: String, purpose: String), _ width: Int) -> String {
    let command = wrapped(example.line, width: width - 4, indent: "    ")
    let purpose = wrapped(example.purpose, width: width - 6)
    return command.map { "  \($0)" }.joined(separator: " \\\n") + "\n"
      + purpose.map { "      \($0)\n" }.joined()
  }

  private func title(of flag: Flag) -> String {
    let names = [flag.short, flag.name].compactMap { $0 }.joined(separator: ", ")
    return switch flag.arity {
    case .none: names
    case .one(let value): "\(names) <\(value)>"
    case .many(let value): "\(names) <\(value)> ..."
    case .several(let values): "\(names) \(values.map { "<\($0)>" }.joined(separator: " "))"
    }
  }

  /// A word with what it means, in two columns.
  static func entry(_ title: String, _ help: String, _ width: Int) -> String {
    let indent = String(repeating: " ", count: CommandGrammar.helpColumn)
    var lines = ["  " + title]
    if title.count + 4 > CommandGrammar.helpColumn {
      lines.append(indent)
    } else {
      lines[0] += indent.dropFirst(lines[0].count)
    }
    for (index, word) in help.split(separator: " ").enumerated() {
      if lines[lines.count - 1].count + 1 + word.count > width {
        lines.append(indent + word)
      } else {
        lines[lines.count - 1] += (index == 0 ? "" : " ") + word
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
