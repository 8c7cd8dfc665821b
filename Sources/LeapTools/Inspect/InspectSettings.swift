// InspectSettings: what a command line of onnx-inspect asks for. All wrong usage that needs no model is told here.

import LeapTensors
import Leapstone

/// A part of the report that text shows where it is asked for.
enum InspectSection: String, Sendable, CaseIterable {
  case nodes, weights, attributes, functions, memory

  var flag: Flag {
    switch self {
    case .nodes:
      Flag(
        "--nodes",
        "A row for each node: index, operator, name, type and shape of its outputs, multiply-adds, "
          + "parameters, bytes read and written, algorithm, stage, place in the arena.")
    case .weights:
      Flag("--weights", "A row for each constant: range, mean, deviation, zeros, histogram.")
    case .attributes: Flag("--attributes", "A row for each attribute of each node.")
    case .functions: Flag("--functions", "The model's own functions, with their nodes.")
    case .memory:
      Flag(
        "--memory",
        "Where the memory of a run goes: the arena beside what it would take without reuse, what is "
          + "live at its fullest, a timeline, weights, and who shares whose memory and why not. As svg: "
          + "the timeline.")
    }
  }
}

struct InspectSettings: Sendable {
  static let formats = ["text", "json", "csv", "dot", "svg", "html"]
  static let reportKinds = ["json", "csv", "dot", "svg", "html"]

  static let sectionGroup = FlagGroup(
    "SECTIONS",
    InspectSection.allCases.map(\.flag) + [
      Flag(
        "--filter", value: "op=|name=|graph=pattern", repeatable: true,
        "Only what fits: * stands for any letters, ? for one. Patterns of one kind are "
          + "alternatives. Repeatable."),
      Flag(
        "--stage", choices: ModelStage.allCases.map(\.rawValue),
        "The nodes at this stage: as in the file, with all types, after the passes, or as the steps of "
          + "the plan. Implies --nodes. (default: inferred, with what becomes of each node)"),
      Flag(
        "--changes", value: "stage", twoOf: ModelStage.allCases.map(\.rawValue),
        "What happened to the nodes between two stages, pass by pass."),
    ])

  static let checkGroup = FlagGroup(
    "CHECKING OPTIONS",
    [
      Flag("--assert-supported", "Exit with 1 where something keeps the model from running."),
      Flag(
        "--assert-peak", value: "size",
        "Exit with 1 where a run takes more than this, or has no bound: 64MiB, 64MB or bytes."),
      Flag("--assert-arena", value: "size", "Exit with 1 where the arena takes more than this."),
    ])

  /// The path; `-` for stdin.
  let model: String
  let common: CommonOptions
  let shapes: ShapeOptions
  let session: SessionOptions
  let concurrency: Int
  let sections: Set<InspectSection>
  /// The stage that is asked for.
  let stage: ModelStage?
  let changes: (from: ModelStage, to: ModelStage)?
  let filter: NodeFilter
  let assertsSupport: Bool
  /// Bytes that a run, and its arena, may take.
  let peakLimit: Int?
  let arenaLimit: Int?

  /// The section that a table shows; nil for what the passes did.
  var tableSection: InspectSection? { sections.first ?? (changes == nil ? .nodes : nil) }

  /// Whether weights are looked at one by one: a page shows each beside the node that reads it.
  var needsWeights: Bool {
    sections.contains(.weights) || common.format == "html"
      || common.reports.contains { $0.kind == "html" }
  }

  /// The stage that the model must come to, so that all that is asked for can be said.
  var lastStage: ModelStage {
    let needsPlan = sections.contains(.memory) || peakLimit != nil || arenaLimit != nil
    return needsPlan ? .plan : max(stage ?? .original, changes?.to ?? .original)
  }

  /// - Throws: `ToolError` with exit code 64.
  init(_ arguments: ParsedArguments) throws {
    common = try CommonOptions(
      arguments, formats: InspectSettings.formats, reportKinds: InspectSettings.reportKinds)
    model = try arguments.model(of: "onnx-inspect")
    shapes = try ShapeOptions(arguments)
    session = try EngineOptions.session(arguments, shapes: shapes)
    concurrency = try EngineOptions.concurrency(arguments)
    stage = arguments.last("--stage").flatMap { ModelStage(rawValue: $0) }
    var sections = Set(InspectSection.allCases.filter { arguments.has($0.flag.name) })
    if stage != nil, sections.isDisjoint(with: [.attributes, .memory]) { sections.insert(.nodes) }
    self.sections = sections
    changes = try InspectSettings.changes(arguments)
    filter = try NodeFilter(arguments.all("--filter"))
    if !filter.isEmpty, sections.isEmpty, changes == nil {
      throw ToolError.usage(
        "--filter goes with --nodes, --attributes, --weights, --memory or --changes")
    }
    assertsSupport = arguments.has("--assert-supported")
    peakLimit = try arguments.size("--assert-peak")
    arenaLimit = try arguments.size("--assert-arena")
    let isTable = common.format == "csv" || common.reports.contains { $0.kind == "csv" }
    guard !isTable || sections.count + (changes == nil ? 0 : 1) <= 1 else {
      throw ToolError.usage("csv is one table: ask for one section")
    }
  }

  private static func changes(
    _ arguments: ParsedArguments
  ) throws -> (from: ModelStage, to: ModelStage)? {
    let stages = arguments.all("--changes").suffix(2).compactMap { ModelStage(rawValue: $0) }
    guard stages.count == 2 else { return nil }
    guard stages[0] < stages[1] else {
      let order = ModelStage.allCases.map(\.rawValue).joined(separator: ", ")
      throw ToolError.usage(
        "--changes: \(stages[0].rawValue) does not come before \(stages[1].rawValue); the order is "
          + order)
    }
    return (stages[0], stages[1])
  }
}
