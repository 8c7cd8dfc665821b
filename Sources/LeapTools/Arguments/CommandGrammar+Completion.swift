// Completion scripts for bash, zsh and fish.

/// A shell that a completion script is written for.
package enum Shell: String, Sendable, CaseIterable { case bash, zsh, fish }

extension CommandGrammar {
  /// A script that teaches a shell this command line.
  package func completionScript(for shell: Shell) -> String {
    switch shell {
    case .bash: bashScript
    case .zsh: zshScript
    case .fish: fishScript
    }
  }

  private var functionName: String { "_" + tool.map { $0 == "-" ? "_" : String($0) }.joined() }

  private func names(of flag: Flag) -> [String] { [flag.name] + (flag.short.map { [$0] } ?? []) }

  /// The words of sub-commands, which may come first.
  private var subcommandWords: String { subcommands.map(\.word).joined(separator: " ") }

  private var bashScript: String {
    var cases = ""
    for flag in allFlags where flag.arity != .none {
      let words =
        switch flag.completion {
        case .nothing: "COMPREPLY=()"
        case .file: "COMPREPLY=($(compgen -f -- \"$current\"))"
        case .directory: "COMPREPLY=($(compgen -d -- \"$current\"))"
        case .words(let words):
          "COMPREPLY=($(compgen -W '\(words.joined(separator: " "))' -- \"$current\"))"
        }
      cases += "    \(names(of: flag).joined(separator: "|"))) \(words); return ;;\n"
    }
    let all = allFlags.flatMap(names).joined(separator: " ")
    let first =
      subcommandWords.isEmpty
      ? ""
      : "    [ \"$COMP_CWORD\" = 1 ] && COMPREPLY+=($(compgen -W '\(subcommandWords)' -- \"$current\"))\n"
    return """
      \(functionName)() {
        local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
        case "$previous" in
      \(cases)  esac
        if [[ "$current" == -* ]]; then
          COMPREPLY=($(compgen -W '\(all)' -- "$current"))
        else
          COMPREPLY=($(compgen -f -- "$current"))
      \(first)  fi
      }
      complete -o filenames -F \(functionName) \(tool)

      """
  }

  private var zshScript: String {
    var lines: [String] = []
    for flag in allFlags {
      let help = quoted(flag.help, also: "[]:")
      let value =
        switch (flag.arity, flag.completion) {
        case (.none, _): ""
        case (.several(let names), .words(let words)):
          names.map { ":\($0):(\(words.joined(separator: " ")))" }.joined()
        case (.several(let names), _): names.map { ":\(quoted($0, also: ":")): " }.joined()
        case (.one(let name), .nothing), (.many(let name), .nothing):
          ":\(quoted(name, also: ":")): "
        case (_, .file): ":file:_files"
        case (_, .directory): ":directory:_files -/"
        case (_, .words(let words)): ":value:(\(words.joined(separator: " ")))"
        }
      for name in names(of: flag) {
        lines.append("    '\(flag.isRepeatable ? "*" : "")\(name)[\(help)]\(value)' \\")
      }
    }
    if !subcommands.isEmpty {
      lines.append(
        "    '1: :_alternative \"commands:command:(\(subcommandWords))\" \"files:file:_files\"' \\")
    }
    return """
      #compdef \(tool)
      \(functionName)() {
        _arguments \\
      \(lines.joined(separator: "\n"))
          '*:file:_files'
      }
      compdef \(functionName) \(tool)

      """
  }

  private var fishScript: String {
    let commands = subcommands.map { command in
      "complete -c \(tool) -n __fish_use_subcommand -a \(command.word) "
        + "-d '\(fishQuoted(command.overview))'\n"
    }
    return commands.joined()
      + allFlags.map { flag in
        var line = "complete -c \(tool)"
        for name in names(of: flag) {
          line += name.hasPrefix("--") ? " -l \(name.dropFirst(2))" : " -s \(name.dropFirst())"
        }
        switch (flag.arity, flag.completion) {
        case (.none, _): break
        case (_, .nothing): line += " -x"
        case (_, .file): line += " -r -F"
        case (_, .directory): line += " -x -a '(__fish_complete_directories)'"
        case (_, .words(let words)): line += " -x -a '\(words.joined(separator: " "))'"
        }
        return line + " -d '\(fishQuoted(flag.help))'\n"
      }.joined()
  }

  /// Safe between single quotes, with a backslash before each of `special`.
  private func quoted(_ text: String, also special: String) -> String {
    text.map { $0 == "'" ? "'\\''" : special.contains($0) ? "\\\($0)" : String($0) }.joined()
  }

  private func fishQuoted(_ text: String) -> String {
    text.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
  }
}
