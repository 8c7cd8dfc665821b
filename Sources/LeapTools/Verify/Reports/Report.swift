// Report: what a command of onnx-verify found out, for every format: text, CSV, JUnit, Markdown and HTML are made of it.
//
// 1. A command says what it found once; formats need to know nothing of commands.
// 2. What models and files call things is escaped where it is written, for what it is written into.

import LeapstoneImage

/// How a check ended.
enum Verdict: Int, Sendable, Comparable {
  case passed, failed
  /// It could not be made: the model, an input or a run failed.
  case error

  static func < (a: Verdict, b: Verdict) -> Bool { a.rawValue < b.rawValue }

  /// What reports call it.
  var word: String {
    switch self {
    case .passed: "ok"
    case .failed: "FAILED"
    case .error: "ERROR"
    }
  }

  /// What JSON calls it.
  var name: String {
    switch self {
    case .passed: "passed"
    case .failed: "failed"
    case .error: "error"
    }
  }

  var style: Console.Style {
    switch self {
    case .passed: .green
    case .failed, .error: .red
    }
  }

  var exitCode: Int32 {
    switch self {
    case .passed: ExitCode.success
    case .failed: ExitCode.checkFailed
    case .error: ExitCode.failure
    }
  }
}

/// A cell of a table.
struct ReportCell: Sendable, ExpressibleByStringLiteral {
  /// For people.
  var text: String
  /// For programs, in CSV: all digits.
  var raw: String
  /// How the check ended that it speaks of.
  var verdict: Verdict?

  init(_ text: String, raw: String? = nil, verdict: Verdict? = nil) {
    self.text = text
    self.raw = raw ?? text
    self.verdict = verdict
  }

  init(stringLiteral value: String) { self.init(value) }

  init(_ verdict: Verdict) { self.init(verdict.word, raw: verdict.name, verdict: verdict) }

  /// A number; nothing where there is none.
  init(_ value: Double?, _ show: (Double) -> String = significant) {
    guard let value else {
      self.init("")
      return
    }
    self.init(show(value), raw: value.isNaN ? "nan" : "\(value)")
  }

  init(_ count: Int) { self.init(String(count)) }

  /// A file: its last name for people, its path for programs.
  static func file(_ path: String) -> ReportCell {
    ReportCell(path.split(separator: "/").last.map(String.init) ?? path, raw: path)
  }
}

/// A table of a report.
struct ReportTable: Sendable {
  struct Column: Sendable {
    var title: String
    /// The title for programs.
    var key: String
    var alignment: Table.Alignment
    /// Which columns a narrow terminal does without: the highest first; those of 0 stay.
    var rank: Int
    /// Whether what it holds may be shortened where there is no room.
    var isName: Bool

    init(
      _ title: String, key: String? = nil, _ alignment: Table.Alignment = .right, rank: Int = 0,
      isName: Bool = false
    ) {
      self.title = title
      self.key = key ?? String(title.lowercased().map { $0 == " " || $0 == "-" ? "_" : $0 })
      self.alignment = alignment
      self.rank = rank
      self.isName = isName
    }

    /// A column of names that models or files chose.
    static func name(_ title: String, rank: Int = 0) -> Column {
      Column(title, .left, rank: rank, isName: true)
    }
  }

  var title: String
  var columns: [Column]
  var rows: [[ReportCell]] = []
  /// Rows that text shows at most; files have all of them.
  var shownRows = Int.max
  /// Rows that text speaks of; those behind them it passes over. nil for all.
  var relevantRows: Int?

  init(_ title: String, _ columns: [Column]) {
    self.title = title
    self.columns = columns
  }
}

/// A check as JUnit knows it.
struct ReportCase: Sendable {
  /// What was checked: a model.
  var suite: String
  var name: String
  var seconds: Double
  var verdict: Verdict
  /// Why it did not pass.
  var message: String
}

struct Report: Sendable {
  /// The command: `check`.
  var command: String
  /// The model's path.
  var model: String
  var verdict = Verdict.passed
  /// What was found, in sentences; the first says it all.
  var summary: [String] = []
  /// What it was found with: a name and a text each.
  var facts: [(name: String, text: String)] = []
  /// Failures in detail, each of one or more lines.
  var details: [String] = []
  var tables: [ReportTable] = []
  /// Pictures for pages: SVG, with a title.
  var figures: [(title: String, svg: String)] = []
  var cases: [ReportCase] = []
  /// What the command says to programs, under its own name.
  var result: JSON = .object([])

  init(command: String, model: String) {
    self.command = command
    self.model = model
  }
}
