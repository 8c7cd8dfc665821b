// Inspector: from a model to the report on it. Nothing runs.

import LeapFormat
import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors
import LeapWorkers
import Leapstone

struct Inspector {
  private let settings: InspectSettings
  private let console: Console
  private let model: Model
  private let stages: ModelStages
  private let configuration: SessionConfiguration
  private let instructionSet: InstructionSet

  /// - Throws: `ToolError` with exit code 64, `ModelError.option`.
  init(_ model: Model, _ settings: InspectSettings, _ console: Console) throws {
    self.settings = settings
    self.console = console
    self.model = model
    var configuration = try SessionConfiguration(settings.session)
    instructionSet =
      try settings.session.instructionSet.flatMap { InstructionSet(rawValue: $0.rawValue) }
      ?? .current()
    configuration.plan.instructionSet = instructionSet
    self.configuration = configuration
    stages = try ModelStages(model, settings.shapes, configuration)
  }

  /// - Throws: what reading weights throws.
  func report() throws -> InspectReport {
    let graph = inferredGraph
    let stage = min(settings.stage ?? .inferred, stages.last)
    let constants = model.carriedConstants
    let memory = memoryKinds
    let (findings, weights) = try examine(constants)
    return InspectReport(
      model: settings.model, header: header,
      target: PlanTarget(
        instructionSet: instructionSet.rawValue, threads: try configuration.workers(),
        memoryPolicy: configuration.plan.memoryPolicy.rawValue, concurrency: settings.concurrency),
      size: size(graph, constants), operators: Inspector.operators(graph.allNodes),
      memory: memory, plan: memoryReport, problems: stages.problems + budgetProblems(memory),
      findings: findings, stage: stage,
      graph: stage == .inferred ? graph : try stagedGraph(stage), filter: settings.filter,
      functions: functions, weights: settings.needsWeights ? weights : nil,
      changes: try settings.changes.map(stages.changes),
      shortfall: stages.shortfall(before: settings.lastStage))
  }

  // MARK: graphs

  /// The model's nodes, with what becomes of them.
  private var inferredGraph: GraphReport {
    let graph = GraphReport(stages.inferred)
    guard let optimized = stages.optimized else { return graph }
    return NodePlans(configuration: configuration).planned(
      graph, stages.inferred.graph, stages.bound(optimized), stages.study?.description)
  }

  private func stagedGraph(_ stage: ModelStage) throws -> GraphReport {
    switch stage {
    case .original: return declared(model.graph, path: "main")
    case .inferred: return inferredGraph
    case .optimized, .plan: break
    }
    let survey = GraphSurvey(stages.bound(try stages.optimizedGraph()), table: .standard)
    let optimized = GraphReport(survey)
    guard stage == .plan else {
      var graph = optimized
      let index = PlanIndex(survey.graph, stages.study?.description)
      for place in graph.nodes.indices { graph.nodes[place].plan = index.plan(at: place) }
      return graph
    }
    return GraphReport(try stages.plan().description, optimized, survey.graph)
  }

  /// A graph as the file has it. Calls of the model's own functions are put in their place before anything else is asked.
  private func declared(_ graph: Graph, path: String) -> GraphReport {
    var report = GraphReport(GraphSurvey(asDeclared: graph, table: .standard), path: path)
    report.supportCalls(of: Set(model.functions.map(\.operatorName)))
    return report
  }

  private var functions: [FunctionReport] {
    let graphs = [model.graph] + model.functions.map(\.body)
    return model.functions.map { function in
      FunctionReport(
        name: function.qualifiedName, inputs: function.inputs, outputs: function.outputs,
        attributes: function.attributes.map { ($0, nil) }
          + function.defaults.sorted { $0.key < $1.key }.map { ($0.key, $0.value.summary) },
        opsets: function.opsets.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
        calls: graphs.reduce(0) { $0 + $1.calls(of: function) },
        graph: declared(function.body, path: "function \(function.qualifiedName)"))
    }
  }

  // MARK: parts

  private var header: ModelHeader {
    let graph = model.graph
    func value(_ id: ValueID) -> ModelHeader.Value {
      ModelHeader.Value(name: graph[id].name, declared: graph[id].type, planned: nil)
    }
    let (optional, required) = (
      graph.inputs.filter { graph.constants[$0] != nil },
      graph.inputs.filter { graph.constants[$0] == nil }
    )
    var inputs = required.map(value)
    for index in inputs.indices { inputs[index].planned = stages.inputTypes[inputs[index].name] }
    var outputs = graph.outputs.map(value)
    for (index, id) in stages.inferred.graph.outputs.enumerated() where index < outputs.count {
      outputs[index].planned = stages.inferred.graph[id].type
    }
    return ModelHeader(
      producer: model.producerName, producerVersion: model.producerVersion, domain: model.domain,
      modelVersion: model.modelVersion, irVersion: model.irVersion,
      opsets: model.opsets.sorted { $0.key < $1.key }.map { (domain: $0.key, version: $0.value) },
      graphName: graph.name, documentation: model.documentation, properties: model.metadata,
      inputs: inputs, optionalInputs: optional.map(value), outputs: outputs,
      functions: model.functions.map(\.qualifiedName))
  }

  private func size(_ graph: GraphReport, _ constants: [ModelConstant]) -> ModelSize {
    let nodes = graph.allNodes
    return ModelSize(
      nodes: nodes.count, initializers: constants.filter(\.isInitializer).count,
      parameters: constants.reduce(0) { sum, entry in
        entry.constant.dataType.isOfParameters
          ? saturatingSum(sum, entry.constant.shape.elementCount) : sum
      },
      computedParameters: Inspector.parameters(nodes) { !$0.isInFile },
      weightBytes: constants.reduce(0) { saturatingSum($0, $1.constant.byteCount) },
      multiplyAdds: nodes.reduce(0) { saturatingSum($0, $1.multiplyAdds ?? 0) },
      uncounted: nodes.filter { $0.multiplyAdds == nil }.count)
  }

  private static func operators(_ nodes: [NodeReport]) -> [OperatorCount] {
    Dictionary(grouping: nodes, by: \.operatorName).map { name, nodes in
      OperatorCount(
        name: name, nodes: nodes.count,
        multiplyAdds: nodes.reduce(0 as Int?) { sum, node in
          guard let sum, let own = node.multiplyAdds else { return nil }
          return saturatingSum(sum, own)
        },
        parameters: parameters(nodes) { _ in true },
        isSupported: nodes.allSatisfy(\.isSupported))
    }.sorted { ($1.nodes, $0.name) < ($0.nodes, $1.name) }
  }

  /// Elements of the constants that nodes read as parameters, each counted once.
  private static func parameters(
    _ nodes: [NodeReport], where isCounted: (OperandReport) -> Bool
  ) -> Int {
    var seen: Set<[String]> = []
    return nodes.reduce(0) { sum, node in
      node.inputs.reduce(sum) { sum, operand in
        guard let operand, isCounted(operand), let elements = operand.parameters,
          seen.insert([node.graph, operand.name]).inserted
        else { return sum }
        return saturatingSum(sum, elements)
      }
    }
  }

  private var memoryKinds: MemoryKinds? {
    guard let memory = stages.study?.memory else { return nil }
    func all(_ bytes: Int) -> Int {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: settings.concurrency)
      return overflow ? .max : product
    }
    var kinds = MemoryKinds(
      mappedWeights: memory.mappedWeights, packedWeights: memory.ownedWeights,
      arena: all(memory.arena), scratch: all(memory.scratch), outputs: all(memory.results),
      blasAtMost: memory.blasWorkspace, rest: 0, unbounded: [])
    switch memory.rest {
    case .none: break
    case .atMost(let bytes): kinds.rest = all(bytes)
    case .unbounded(let nodes): (kinds.rest, kinds.unbounded) = (nil, nodes)
    }
    return kinds
  }

  private var memoryReport: MemoryReport? {
    guard let study = stages.study, let apart = stages.studyWithoutSharing,
      let workers = try? configuration.workers()
    else { return nil }
    return MemoryReport(study, apart: apart, workers: workers)
  }

  private func budgetProblems(_ memory: MemoryKinds?) -> [InspectProblem] {
    guard let budget = settings.session.memoryBudget, let peak = memory?.peak, peak > budget else {
      return []
    }
    let reason = "it needs \(readableSize(peak)), the budget is \(readableSize(budget))"
    return [InspectProblem(kind: .budget, reason: reason, subject: nil, names: [])]
  }

  /// How many parts histograms have.
  private static let bins = 16

  /// Looks at all constants: what is odd, and what each is like.
  private func examine(
    _ constants: [ModelConstant]
  ) throws -> (findings: [InspectFinding], weights: [WeightReport]) {
    var checks = ModelChecks(model, inferred: stages.inferred.graph)
    var weights: [WeightReport] = []
    var progress = Progress(console, total: constants.count, unit: "tensors")
    defer { progress.finish() }
    try checks.examine(constants) { index, tensor, statistics in
      try console.environment.interruption.check()
      progress.update(index + 1)
      let entry = constants[index]
      var weight = WeightReport(
        graph: entry.graph, name: entry.name, dataType: entry.constant.dataType,
        shape: entry.constant.shape, byteCount: entry.constant.byteCount,
        isInitializer: entry.isInitializer, readers: entry.readers, statistics: statistics,
        histogram: [])
      if settings.needsWeights, let tensor, let least = statistics?.minimum,
        let largest = statistics?.maximum
      {
        weight.histogram = WeightScan.histogram(tensor, least...largest, bins: Inspector.bins)
      }
      weights.append(weight)
    }
    return (findings(checks), weights)
  }

  private func findings(_ checks: ModelChecks) -> [InspectFinding] {
    var findings = checks.findings
    if let open = stages.openShapes {
      findings.append(.init(kind: .openShape, message: open.description, names: []))
    }
    if stages.hasStandIns, stages.study != nil {
      let message = "memory is predicted as if the tensors that are missing were there"
      findings.append(.init(kind: .standIns, message: message, names: []))
    }
    return findings
  }
}

extension LocalFunction {
  /// What nodes that call it have for an operator.
  fileprivate var operatorName: String { (domain.isEmpty ? "" : "\(domain).") + name }
}

extension GraphReport {
  /// Takes nodes of these operators for supported.
  fileprivate mutating func supportCalls(of operators: Set<String>) {
    for place in nodes.indices {
      if operators.contains(nodes[place].operatorName) { nodes[place].isSupported = true }
      for index in nodes[place].subgraphs.indices {
        nodes[place].subgraphs[index].graph.supportCalls(of: operators)
      }
    }
  }
}

extension Graph {
  /// Calls of a function, those in subgraphs included.
  fileprivate func calls(of function: LocalFunction) -> Int {
    nodes.reduce(0) { count, node in
      let isCall =
        node.domain == function.domain && node.operatorType == function.name
        && node.overload == function.overload
      return count + (isCall ? 1 : 0)
        + node.subgraphs.reduce(0) { $0 + $1.graph.calls(of: function) }
    }
  }
}
