// Progress: a bar on stderr for work that takes a while: how much is done, how fast, how long still.

/// A progress bar. Shows nothing where stderr is no terminal.
package struct Progress: Sendable {
  private let console: Console
  /// nil where nobody knows how much there is.
  private let total: Int?
  private let unit: String
  private let started = ContinuousClock.now
  private var lastShown: ContinuousClock.Instant?

  /// How often it is drawn at most.
  private static let interval = Duration.milliseconds(100)

  package init(_ console: Console, total: Int?, unit: String) {
    self.console = console
    self.total = total
    self.unit = unit
  }

  /// Shows how much is done.
  package mutating func update(_ done: Int) {
    guard console.showsProgress, total != 1 else { return }
    let now = ContinuousClock.now
    if let lastShown, now - lastShown < Progress.interval { return }
    lastShown = now
    let seconds = (now - started) / .seconds(1)
    console.showBar(
      Progress.text(
        done: done, total: total, seconds: seconds, unit: unit,
        columns: console.environment.columns))
  }

  /// Removes the bar.
  package func finish() { console.hideBar() }

  /// `[######      ]  12/50 pictures  8.1/s  5 s left`, in one line of the terminal.
  static func text(done: Int, total: Int?, seconds: Double, unit: String, columns: Int) -> String {
    let rate = seconds > 0 ? Double(done) / seconds : 0
    let speed = rate > 0 ? "  \(fixed(rate, 1))/s" : ""
    guard let total, total > 0 else { return "\(done) \(unit)\(speed)" }
    let left = rate > 0 ? "  \(Int((Double(total - done) / rate).rounded(.up))) s left" : ""
    let text = "  \(done)/\(total) \(unit)\(speed)\(left)"
    let width = min(40, columns - text.count - 3)
    guard width >= 8 else { return String(text.dropFirst(2).prefix(max(columns - 1, 0))) }
    let filled = min(width, width * done / total)
    let bar = String(repeating: "#", count: filled) + String(repeating: " ", count: width - filled)
    return "[\(bar)]\(text)"
  }
}
