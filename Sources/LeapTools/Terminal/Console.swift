// Console: results on stdout, everything else on stderr.
//
// 1. What a pipe reads is plain: colours and the progress bar are for terminals.
// 2. A progress bar and lines never mix.

import LeapTensors
import Synchronization

/// What a tool says, and how loudly.
package final class Console: Sendable {
  /// How much goes to stderr.
  package enum Verbosity: Sendable, Comparable { case quiet, normal, verbose }

  /// How a piece of text stands out on a terminal.
  package enum Style: String, Sendable {
    case bold = "1"
    case faint = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
  }

  package let tool: String
  package let environment: ToolEnvironment
  package let verbosity: Verbosity
  private let colorsOutput: Bool
  private let colorsError: Bool
  private let barIsShown = Mutex(false)

  /// - Parameter color: `auto`, `always` or `never`; `auto` asks the terminal and `NO_COLOR`.
  package init(
    tool: String, environment: ToolEnvironment, verbosity: Verbosity = .normal,
    color: String = "auto"
  ) {
    self.tool = tool
    self.environment = environment
    self.verbosity = verbosity
    let variables = environment.variables
    let isWelcome = (variables["NO_COLOR"] ?? "").isEmpty && variables["TERM"] != "dumb"
    colorsOutput = color == "always" || color == "auto" && environment.outputIsTerminal && isWelcome
    colorsError = color == "always" || color == "auto" && environment.errorIsTerminal && isWelcome
  }

  /// A line of the result. Throws `ClosedPipe` or `FileError`.
  package func line(_ text: String) throws {
    if environment.outputIsTerminal { hideBar() }
    try environment.writeOutput(Array((text + "\n").utf8))
  }

  /// Something worth knowing: not with `--quiet`.
  package func note(_ text: String) {
    if verbosity >= .normal { say(text) }
  }

  /// Something odd: not with `--quiet`.
  package func warning(_ text: String) {
    if verbosity >= .normal { say("\(paint("warning:", .yellow, colorsError)) \(text)") }
  }

  /// A detail: only with `--verbose`.
  package func detail(_ text: String) {
    if verbosity >= .verbose { say(text) }
  }

  /// Why the tool fails.
  package func error(_ text: String) { say("\(paint("error:", .red, colorsError)) \(text)") }

  /// Text for stdout that stands out on a terminal.
  package func styled(_ text: String, _ style: Style) -> String {
    paint(text, style, colorsOutput)
  }

  private func say(_ text: String) {
    hideBar()
    environment.writeError(Array("\(tool): \(text)\n".utf8))
  }

  private func paint(_ text: String, _ style: Style, _ isOn: Bool) -> String {
    isOn ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }

  // MARK: progress

  /// Whether a progress bar has somewhere to go.
  var showsProgress: Bool {
    verbosity >= .normal && environment.errorIsTerminal && environment.variables["TERM"] != "dumb"
  }

  func showBar(_ text: String) {
    barIsShown.withLock { $0 = true }
    environment.writeError(Array("\r\u{1B}[K\(text)".utf8))
  }

  func hideBar() {
    let wasShown = barIsShown.withLock { shown in
      defer { shown = false }
      return shown
    }
    if wasShown { environment.writeError(Array("\r\u{1B}[K".utf8)) }
  }
}
