// ModelStages: a model on its way to a run, as far as it comes: read, inferred, optimised, planned.
//
// 1. Each stage is what a session would make of it: the same code does it, in the same order.
// 2. Trouble ends no stage but those that need what is missing.

import LeapFormat
import LeapGraph
import LeapKernels
import LeapOperators
import LeapRuntime
import LeapTensors
import Leapstone

/// A model, and what becomes of it.
struct ModelStages {
  /// As it was read.
  let original: Model
  /// With its functions put in the place of their calls; as it was read where that cannot be.
  private(set) var prepared: Model
  /// The prepared graph, with the types that follow from the shapes of the inputs.
  private(set) var inferred: GraphSurvey
  /// What a session would optimise it to; nil where it cannot be loaded.
  private(set) var optimized: Graph?
  /// nil where no plan can be made.
  private(set) var study: PlanStudy?
  private(set) var problems: [InspectProblem] = []
  /// The type of each input that a run must give, by its name, with the extents that the figures are for.
  private(set) var inputTypes: [String: ValueType] = [:]
  /// The options to add where the shapes of inputs are not known.
  private(set) var openShapes: ToolError?
  private let configuration: SessionConfiguration

  /// - Throws: `ToolError` with exit code 64 where SHAPES options do not fit the model, `ModelError.option` for ENGINE options
  ///   that are none.
  init(
    _ model: Model, _ shapes: ShapeOptions, _ configuration: SessionConfiguration
  ) throws {
    original = model
    prepared = model
    self.configuration = configuration
    inferred = GraphSurvey(Graph(name: ""), table: .standard)
    noteAbsent()
    do { prepared = try configuration.prepared(model) } catch {
      problems.append(.init(kind: .inference, reason: "\(error)", subject: nil, names: []))
    }
    try bindInputs(shapes)
    infer()
    try optimize()
    try makePlan()
  }

  /// Whether constants were replaced by others of their types and shapes, because their elements are not there.
  var hasStandIns: Bool { !original.absent.isEmpty }

  /// The inputs that a run must give.
  private var requiredInputs: [ValueID] {
    prepared.graph.inputs.filter { prepared.graph.constants[$0] == nil }
  }

  private mutating func noteAbsent() {
    let files = Dictionary(grouping: original.absent) { [$0.location, $0.reason] }
    for (key, tensors) in files.sorted(by: { $0.key[0] < $1.key[0] }) {
      let size = tensors.map { saturatingSum($0.offset, $0.byteCount) }.max() ?? 0
      problems.append(
        .init(
          kind: .externalData,
          reason: "\(key[1]); expected \(readableSize(size)) (\(size) bytes) at least",
          subject: key[0],
          names: tensors.map(\.name)))
    }
  }

  /// The stage that the model comes to.
  var last: ModelStage { study != nil ? .plan : optimized != nil ? .optimized : .inferred }

  /// Why the model does not come to a stage; nil where it does.
  func shortfall(before stage: ModelStage) -> ToolError? {
    do {
      if stage >= .optimized { _ = try optimizedGraph() }
      if stage >= .plan { _ = try plan() }
      return nil
    } catch { return ToolError(describing: error) }
  }

  /// - Throws: `ToolError` where the model does not come so far.
  func optimizedGraph() throws -> Graph {
    guard let optimized else { throw stops(before: "optimised") }
    return optimized
  }

  /// - Throws: `ToolError` where the model does not come so far.
  func plan() throws -> PlanStudy {
    guard let study else { throw openShapes ?? stops(before: "planned") }
    return study
  }

  private func stops(before stage: String) -> ToolError {
    let first = problems.first { $0.kind != .externalData } ?? problems.first
    let subject = first?.subject.map { "\(escaped($0)): " } ?? ""
    return ToolError(
      "the model cannot be \(stage): \(subject)\(escaped(first?.reason ?? "it has problems"))")
  }

  /// What happened between two stages, in order; where the model does not come so far, what happened until there.
  ///
  /// - Throws: `ModelError` where a pass fails.
  func changes(_ span: (from: ModelStage, to: ModelStage)) throws -> [StageChanges] {
    var changes: [StageChanges] = []
    func isBetween(_ stage: ModelStage) -> Bool {
      span.from < stage && stage <= min(span.to, last)
    }
    if isBetween(.inferred) {
      if !original.functions.isEmpty {
        changes.append(
          StageChanges(
            FunctionInliner.name, "put bodies of functions in the place of their calls",
            from: original.graph, to: prepared.graph))
      }
      changes.append(.inference(from: prepared.graph, to: inferred.graph))
    }
    if isBetween(.optimized) { changes += try passChanges() }
    if isBetween(.plan) {
      changes.append(.planning(try optimizedGraph(), try plan().description))
    }
    return changes
  }

  private func passChanges() throws -> [StageChanges] {
    _ = try optimizedGraph()
    var changes: [StageChanges] = []
    var before = graphToOptimize
    let summaries = Dictionary(standardPasses.map { ($0.name, $0.summary) }) { first, _ in first }
    _ = try configuration.optimized(before) { report, after in
      changes.append(
        StageChanges(report.name, summaries[report.name] ?? "", from: before, to: after))
      before = after
    }
    return changes
  }

  // MARK: inputs

  private mutating func bindInputs(_ shapes: ShapeOptions) throws {
    let graph = prepared.graph
    let inputs = requiredInputs.map { id in
      ValueInfo(name: graph[id].name, type: graph[id].type ?? .tensor(.float32, shape: nil))
    }
    inputTypes = try shapes.apply(to: inputs)
    let tensors = inputs.compactMap { input -> ValueInfo? in
      guard let type = inputTypes[input.name], type.dataType != nil else { return nil }
      return ValueInfo(name: input.name, type: type)
    }
    do {
      let (chosen, _) = try ShapeOptions.choose(tensors, given: [])
      for input in tensors {
        guard let shape = chosen[input.name], let dataType = input.type.dataType else { continue }
        inputTypes[input.name] = .tensor(dataType, shape: shape.map(Dimension.fixed))
      }
    } catch let error as ToolError { openShapes = error }
  }

  /// The extents of the model's symbols, as far as inputs say them.
  private var symbols: [String: Int] {
    var symbols: [String: Int] = [:]
    for id in requiredInputs {
      let declared = prepared.graph[id].type?.shape ?? []
      let bound = inputTypes[prepared.graph[id].name]?.shape ?? []
      for case (.symbol(let name), .fixed(let extent)) in zip(declared, bound) {
        symbols[name] = extent
      }
    }
    return symbols
  }

  /// A graph with the types of the inputs that figures are for.
  func bound(_ graph: Graph) -> Graph {
    var graph = graph.substituting(symbols)
    for id in graph.inputs where graph.constants[id] == nil {
      graph[id].type = inputTypes[graph[id].name] ?? graph[id].type
    }
    return graph
  }

  // MARK: stages

  private mutating func infer() {
    inferred = GraphSurvey(bound(prepared.graph), table: .standard)
    // One for all nodes of an operator that lack the same.
    var places: [InspectProblem: Int] = [:]
    for found in inferred.problems {
      let problem = InspectProblem(
        kind: found.isUnsupported ? .unsupported : .inference, reason: found.reason,
        subject: found.node.qualifiedOperator, names: [])
      if places[problem] == nil {
        places[problem] = problems.count
        problems.append(problem)
      }
      places[problem].map { problems[$0].names.append(found.node.name) }
    }
  }

  /// The prepared graph, with something in the place of constants that are not there.
  private var graphToOptimize: Graph {
    hasStandIns ? prepared.graph.withStandIns() : prepared.graph
  }

  private mutating func optimize() throws {
    guard inferred.problems.isEmpty else { return }
    do { optimized = try configuration.optimized(graphToOptimize) } catch {
      if case ModelError.option = error { throw error }
      problems.append(.init(kind: .optimization, reason: "\(error)", subject: nil, names: []))
    }
    if let optimized { try configuration.checkNodes(of: prepared.graph, optimized) }
  }

  private mutating func makePlan() throws {
    guard optimized != nil, openShapes == nil else { return }
    do { study = try study(configuration) } catch {
      if case ModelError.option = error { throw error }
      problems.append(.init(kind: .planning, reason: "\(error)", subject: nil, names: []))
    }
  }

  private func study(_ configuration: SessionConfiguration) throws -> PlanStudy {
    var inputs: [ValueID: ValueType] = [:]
    for id in requiredInputs { inputs[id] = inputTypes[prepared.graph[id].name]?.planned }
    return try PlanStudy(try optimizedGraph(), configuration, inputs: inputs)
  }

  /// The plan if no values shared memory; nil where no plan can be made.
  var studyWithoutSharing: PlanStudy? {
    var apart = configuration
    apart.plan.reuse = .none
    return study == nil ? nil : try? study(apart)
  }
}

extension ValueType {
  /// As planning takes it: of a container no shape counts.
  fileprivate var planned: ValueType { isContainer ? withoutShapes : self }
}

extension NodeDescription {
  var qualifiedOperator: String { domain.isEmpty ? operatorType : "\(domain).\(operatorType)" }
}

extension Graph {
  /// The graph with extents for symbols in all types, those of subgraphs too.
  fileprivate func substituting(_ symbols: [String: Int]) -> Graph {
    if symbols.isEmpty { return self }
    var graph = self
    for index in graph.values.indices {
      let id = ValueID(index)
      graph[id].type = graph[id].type?.substituting(symbols)
    }
    for position in graph.nodes.indices where !graph.nodes[position].subgraphs.isEmpty {
      graph.updateNode(at: position) { node in
        node.attributes = node.attributes.mapValues { $0.mapGraphs { $0.substituting(symbols) } }
      }
    }
    return graph
  }
}
