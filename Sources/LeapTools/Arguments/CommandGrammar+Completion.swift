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

  /// The name of the shell function that completes it.
  var functionName: String {
    "_" + tool.map { $0 == "-" || $0 == " " ? "_" : String($0) }.joined()
  }

  private func names(of flag: Flag) -> [String] { [flag.name] + (flag.short.map { [$0] } ?? []) }

  private var bashScript: String {
    bashFunction + "complete -o filenames -F \(functionName) \(tool)\n"
  }

  /// The function that offers words to bash.
  var bashFunction: String {
    var cases = ""
    for flag in flags where flag.arity != .none {
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
    let all = flags.flatMap(names).joined(separator: " ")
    return """
      \(functionName)() {
        local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
        case "$previous" in
      \(cases)  esac
        if [[ "$current" == -* ]]; then
          COMPREPLY=($(compgen -W '\(all)' -- "$current"))
        else
          COMPREPLY=($(compgen -f -- "$current"))
        fi
      }

      """
  }

  private var zshScript: String {
    "#compdef \(tool)\n" + zshFunction + "compdef \(functionName) \(tool)\n"
  }

  /// The function that offers words to zsh.
  var zshFunction: String {
    var lines: [String] = []
    for flag in flags {
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
    return """
      \(functionName)() {
        _arguments \\
      \(lines.joined(separator: "\n"))
          '*:file:_files'
      }

      """
  }

  private var fishScript: String { fishLines() }

  /// Lines that offer words to fish, where a condition holds.
  func fishLines(when condition: String? = nil) -> String {
    flags.map { flag in
      var line = "complete -c \(program)"
      if let condition { line += " -n '\(condition)'" }
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

extension CommandSet {
  /// A script that teaches a shell the commands and their options.
  package func completionScript(for shell: Shell) -> String {
    switch shell {
    case .bash: bashScript
    case .zsh: zshScript
    case .fish: fishScript
    }
  }

  private var functionName: String { "_" + tool.map { $0 == "-" ? "_" : String($0) }.joined() }

  private var names: String { commands.map(\.name).joined(separator: " ") }

  /// The lines of a shell's `case` that call the function of the command that a line begins with.
  private var dispatch: String {
    commands.dropFirst().map { "    \($0.name)) \($0.grammar.functionName) ;;\n" }.joined()
      + "    *) \(commands[0].grammar.functionName) ;;"
  }

  private var bashScript: String {
    commands.map(\.grammar.bashFunction).joined() + """
      \(functionName)() {
        case "${COMP_WORDS[1]}" in
      \(dispatch)
        esac
        if [[ $COMP_CWORD == 1 ]]; then
          COMPREPLY+=($(compgen -W '\(names) help' -- "${COMP_WORDS[1]}"))
        fi
      }
      complete -o filenames -F \(functionName) \(tool)

      """
  }

  private var zshScript: String {
    "#compdef \(tool)\n" + commands.map(\.grammar.zshFunction).joined() + """
      \(functionName)() {
        if (( CURRENT == 2 )); then compadd \(names) help; fi
        case "$words[2]" in
      \(dispatch)
        esac
      }
      compdef \(functionName) \(tool)

      """
  }

  private var fishScript: String {
    let others = commands.dropFirst().map(\.name).joined(separator: " ")
    var text = "complete -c \(tool) -n '__fish_use_subcommand' -a '\(names) help'\n"
    text += commands[0].grammar.fishLines(when: "not __fish_seen_subcommand_from \(others)")
    for command in commands.dropFirst() {
      text += command.grammar.fishLines(when: "__fish_seen_subcommand_from \(command.name)")
    }
    return text
  }
}
