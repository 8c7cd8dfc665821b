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
    var configuration = SessionConfiguration(settings.session)
    instructionSet =
      try settings.session.instructionSet.flatMap { InstructionSet(rawValue: $0.rawValue) }
      ?? .current()
    configuration.plan.instructionSet = instructionSet
    self.configuration = configuration
    stages = try ModelStages(model, settings.shapes, configuration)
  }

  /// - Throws: what reading weights throws.
  func report() throws -> InspectReport {
    let unsupported = Set(stages.inferred.problems.map(\.node.name))
    let graph = GraphReport(stages.inferred, unsupported: unsupported)
    let constants = model.carriedConstants
    let memory = memoryKinds
    return InspectReport(
      model: settings.model, header: header,
      target: PlanTarget(
        instructionSet: instructionSet.rawValue, threads: try configuration.workers(),
        memoryPolicy: configuration.plan.memoryPolicy.rawValue, concurrency: settings.concurrency),
      size: size(graph, constants), operators: Inspector.operators(graph.allNodes),
      memory: memory, problems: stages.problems + budgetProblems(memory),
      findings: try findings(constants))
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

  private func budgetProblems(_ memory: MemoryKinds?) -> [InspectProblem] {
    guard let budget = settings.session.memoryBudget, let peak = memory?.peak, peak > budget else {
      return []
    }
    let reason = "it needs \(readableSize(peak)), the budget is \(readableSize(budget))"
    return [InspectProblem(kind: .budget, reason: reason, subject: nil, names: [])]
  }

  private func findings(_ constants: [ModelConstant]) throws -> [InspectFinding] {
    var checks = ModelChecks(model, inferred: stages.inferred.graph)
    var progress = Progress(console, total: constants.count, unit: "tensors")
    defer { progress.finish() }
    try checks.examine(constants) { index, _ in
      try console.environment.interruption.check()
      progress.update(index + 1)
    }
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
