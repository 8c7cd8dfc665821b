// Flag: one option of a tool, declared once: parsing, help, completion and error messages all read this.

/// An option of a tool.
package struct Flag: Sendable {
  /// How many values follow it.
  package enum Arity: Sendable, Equatable {
    /// None: it is there or not.
    case none
    /// One, by this name in the help.
    case one(String)
    /// All arguments up to the next option, by this name in the help.
    case many(String)
    /// Just so many, by these names in the help.
    case several([String])
  }

  /// What a shell offers as its value.
  package enum Completion: Sendable, Equatable {
    case nothing, file, directory
    case words([String])
  }

  /// `--top`, or `-o` where there is no long form.
  package let name: String
  /// `-q`, beside the long form.
  package let short: String?
  package let arity: Arity
  package let help: String
  package let completion: Completion
  /// Whether each occurrence adds a value; otherwise the last one counts.
  package let isRepeatable: Bool

  /// A switch.
  package init(_ name: String, short: String? = nil, _ help: String) {
    self.name = name
    self.short = short
    arity = .none
    self.help = help
    completion = .nothing
    isRepeatable = false
  }

  /// An option with a value, or with several where `isVariadic`.
  package init(
    _ name: String, short: String? = nil, value: String, isVariadic: Bool = false,
    repeatable: Bool = false, completion: Completion = .nothing, _ help: String
  ) {
    self.name = name
    self.short = short
    arity = isVariadic ? .many(value) : .one(value)
    self.help = help
    self.completion = completion
    isRepeatable = repeatable || isVariadic
  }

  /// An option whose value is one of these words.
  package init(_ name: String, choices: [String], _ help: String) {
    self.init(
      name, value: choices.joined(separator: "|"), completion: .words(choices), help)
  }

  /// An option that takes two of these words.
  package init(_ name: String, value: String, twoOf words: [String], _ help: String) {
    self.name = name
    short = nil
    arity = .several([value, value])
    self.help = help
    completion = .words(words)
    isRepeatable = false
  }

  /// The words it accepts; nil where it accepts more than a list.
  var choices: [String]? {
    guard case .words(let words) = completion else { return nil }
    switch arity {
    case .one(let value): return value == words.joined(separator: "|") ? words : nil
    case .several: return words
    case .none, .many: return nil
    }
  }
}

/// Options that belong together, under a heading of the help.
package struct FlagGroup: Sendable {
  package let title: String
  package let flags: [Flag]

  package init(_ title: String, _ flags: [Flag]) {
    self.title = title
    self.flags = flags
  }
}
