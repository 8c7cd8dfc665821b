// The help page, in the form of swift-argument-parser: OVERVIEW, USAGE, ARGUMENTS, OPTIONS; then examples and exit codes.

extension CommandGrammar {
  private static let helpColumn = 26
  private static let lineWidth = 96

  /// One line of usage.
  package var usage: String {
    "\(tool) " + positionals.map { "<\($0.name)> " }.joined() + "[<options>]"
  }

  /// The help page, with a line feed at the end.
  package var help: String {
    var text = CommandGrammar.overview(overview) + "\n\nUSAGE: \(usage)\n\nARGUMENTS:\n"
    for positional in positionals {
      text += CommandGrammar.entry("<\(positional.name)>", positional.help)
    }
    for group in groups {
      text += "\n\(group.title):\n"
      for flag in group.flags { text += CommandGrammar.entry(title(of: flag), flag.help) }
    }
    text += "\nEXAMPLES:\n"
    for example in examples { text += "  \(example.line)\n      \(example.purpose)\n" }
    text += "\nEXIT CODES:\n"
    for (code, meaning) in exitCodes { text += CommandGrammar.entry(String(code), meaning) }
    return text
  }

  /// The first lines of a help page.
  static func overview(_ text: String) -> String {
    wrapped("OVERVIEW: \(text)", width: lineWidth).joined(separator: "\n")
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
  static func entry(_ title: String, _ help: String) -> String {
    let indent = String(repeating: " ", count: CommandGrammar.helpColumn)
    var lines = ["  " + title]
    if title.count + 4 > CommandGrammar.helpColumn {
      lines.append(indent)
    } else {
      lines[0] += indent.dropFirst(lines[0].count)
    }
    for (index, word) in help.split(separator: " ").enumerated() {
      if lines[lines.count - 1].count + 1 + word.count > CommandGrammar.lineWidth {
        lines.append(indent + word)
      } else {
        lines[lines.count - 1] += (index == 0 ? "" : " ") + word
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
