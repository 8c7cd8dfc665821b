// SessionCore: a model ready to run: optimised once, planned per shape, run from any thread.

import LeapFormat
import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import LeapWorkers
import Synchronization

/// What a session is made with.
package struct SessionConfiguration: Sendable {
  /// Workers of a run; nil for as many as the process may use.
  package var width: Int?
  package var disabledPasses: Set<String> = []
  package var disablesAllPasses = false
  /// The operators that nodes may have.
  package var table = OperatorTable.standard.naming(Decomposition.operators)
  /// The passes, in order.
  package var passes: [any Pass.Type] = standardPasses
  package var plan = PlanOptions()
  /// The name of the kernels' instruction set; nil for what `LEAPSTONE_ISA` says, or the preferred one.
  package var instructionSet: String?
  package var weights = WeightPolicy.mapped
  /// Bytes that the session may use; nil for `MemoryLimit.defaultBudget()`.
  package var memoryBudget: Int?
  package var maximalConcurrentRuns = 2
  package var maximalQueuedRuns = 64
  /// Where packed weights are kept for later sessions.
  package var cache: CacheOptions?
  /// Extents for symbols in the types of the model's values.
  package var dimensions: [String: Int] = [:]
  /// Take denormal floats for zero.
  package var flushesDenormals = false
  /// Fill memory with NaN as soon as it is dead: for checking plans.
  package var poisonsDeadMemory = false

  package init() {}
}

extension SessionConfiguration {
  /// Workers of a run.
  ///
  /// - Throws: `ModelError.option` where fewer than one are asked for.
  package func workers() throws -> Int {
    if let width, width < 1 {
      throw ModelError.option(name: "threads", reason: "\(width) is not a number of threads")
    }
    return width ?? ProcessorCount.available()
  }

  /// Lets nodes have operators of a program's own.
  ///
  /// - Throws: `ModelError.option` where one cannot be registered.
  package mutating func register(_ operators: [ForeignOperator]) throws {
    do {
      table = try table.adding(operators)
    } catch let error as OperatorError {
      throw ModelError.option(name: "customOperators", reason: error.reason)
    }
  }

  /// A model with its functions put in the place of their calls, with extents for symbols, and with casts around nodes that
  /// have no kernel for halves: what is inferred and optimised.
  ///
  /// - Throws: `ModelError`.
  package func prepared(_ model: Model) throws -> Model {
    try HalfPrecision.computedInSingle(
      FunctionInliner.inlined(model).binding(dimensions), table: table)
  }

  /// A prepared model's graph after the passes that the configuration leaves.
  ///
  /// - Parameter observe: called with the graph after each pass.
  /// - Throws: `ModelError`.
  package func optimized(
    _ graph: Graph, observe: ((PassReport, Graph) -> Void)? = nil
  ) throws -> Graph {
    let graph = try optimizedItself(graph, observe: observe)
    return try Bodies.optimized(in: graph) { try optimizedItself($0) }
  }

  /// Checks that algorithms are asked for nodes that there are.
  ///
  /// - Parameter graphs: the prepared graph, and what passes made of it.
  /// - Throws: `ModelError.option` for a node that is in neither.
  package func checkNodes(of graphs: Graph...) throws {
    let wanted = Set(plan.algorithms.keys).subtracting([""])
    if wanted.isEmpty { return }
    let missing = graphs.reduce(wanted) { $0.subtracting($1.namesOfAllNodes) }
    guard let name = missing.min() else { return }
    throw ModelError.option(name: "algorithm", reason: "the model has no node '\(name)'")
  }

  private func optimizedItself(
    _ graph: Graph, observe: ((PassReport, Graph) -> Void)? = nil
  ) throws -> Graph {
    try Optimizer.optimize(
      graph, table: table, passes: disablesAllPasses ? [] : passes,
      disabled: disablesAllPasses ? [] : disabledPasses, observe: observe)
  }
}

extension Graph {
  /// Those of subgraphs too, and of nodes that others stand for.
  fileprivate var namesOfAllNodes: Set<String> {
    nodes.reduce(into: []) { names, node in
      names.insert(node.name)
      names.formUnion(node.origin.names)
      for (_, graph) in node.subgraphs { names.formUnion(graph.namesOfAllNodes) }
    }
  }
}

package final class SessionCore: Sendable {
  package let model: Model
  package let planned: PlannedProgram
  package let ledger: MemoryLedger
  package let pool: WorkingMemoryPool
  let width: Int
  private let configuration: SessionConfiguration
  private let cache: PackingCache?
  let inputIDs: [String: ValueID]
  private let variants = Mutex<[Set<String>: SessionCore]>([:])

  /// - Throws: `ModelError`.
  package convenience init(model: Model, configuration: SessionConfiguration) throws {
    let ledger = MemoryLedger(budget: configuration.memoryBudget ?? MemoryLimit.defaultBudget())
    let pool = WorkingMemoryPool(
      limit: configuration.maximalConcurrentRuns, queueLimit: configuration.maximalQueuedRuns,
      ledger: ledger)
    try self.init(model: model, configuration: configuration, ledger: ledger, pool: pool)
    if cache != nil { planAsDeclared() }
  }

  private init(
    model: Model, configuration: SessionConfiguration, ledger: MemoryLedger,
    pool: WorkingMemoryPool
  ) throws {
    var configuration = configuration
    configuration.plan.instructionSet =
      try configuration.instructionSet.map { try .select($0, option: "instruction set") }
      ?? .current()
    let model = try configuration.prepared(model)
    self.ledger = ledger
    self.pool = pool
    self.model = model
    self.configuration = configuration
    try configuration.plan.checkAlgorithms()
    width = try configuration.workers()
    let graph = try configuration.optimized(model.graph)
    try configuration.checkNodes(of: model.graph, graph)
    let cache = SessionCore.cache(model, configuration)
    self.cache = cache
    var options = configuration.plan
    options.width = width
    planned = try PlannedProgram(graph, options, table: configuration.table) { graph, path in
      WeightStore(
        graph: graph, at: path, policy: configuration.weights, ledger: ledger, cache: cache)
    }
    var ids: [String: ValueID] = [:]
    for id in graph.inputs { ids[graph[id].name] = id }
    inputIDs = ids
  }

  /// Plans for the shapes that the model declares, a free first extent taken for 1, so that weights are there, checked and
  /// kept before the first run. Packings depend on no batch. Where there is no such plan, the runs say why.
  private func planAsDeclared() {
    var shapes: [String: (DataType, Shape)] = [:]
    for id in model.graph.inputs where model.graph.constants[id] == nil {
      guard case .tensor(let dataType, let declared?) = model.graph[id].type else { return }
      let extents = declared.enumerated().compactMap { axis, extent in
        extent.value ?? (axis == 0 ? 1 : nil)
      }
      guard extents.count == declared.count else { return }
      shapes[model.graph[id].name] = (dataType, Shape(extents))
    }
    _ = try? plan(inputs: shapes)
  }

  /// The cache that was asked for; none for a model from bytes, which would have to be read to be known, and none with
  /// operators of the program's own: weights that these compute follow from code that no key names.
  private static func cache(
    _ model: Model, _ configuration: SessionConfiguration
  ) -> PackingCache? {
    guard let options = configuration.cache, let identity = model.identity,
      !configuration.table.hasForeign
    else { return nil }
    let outputs = model.graph.outputs.map { model.graph[$0].name }
    return PackingCache(
      options, CacheKey(identity, configuration, version: options.version, outputs: outputs))
  }

  /// Keeps the weights that plans hold for later sessions, where there is a cache that lacks any.
  private func keepWeights() { cache?.save { planned.keptWeights } }

  /// What was odd so far, but no error.
  package var warnings: [String] {
    if configuration.cache != nil && cache == nil {
      let reason =
        configuration.table.hasForeign
        ? "the session has operators of the program's own" : "the model is not in a file"
      return model.warnings + ["the cache keeps nothing: \(reason)"]
    }
    return model.warnings + [cache?.warning].compactMap { $0 }
  }

  /// Runs the model.
  ///
  /// - Parameters:
  ///   - inputs: values by name.
  ///   - outputs: names of values of the graph; nil for the model's outputs.
  ///   - destinations: tensors, by the names of outputs, whose memory is to hold the results; it is written into.
  /// - Throws: `RunError`, `ModelError`.
  package func run(
    values inputs: [String: RunValue], outputs: [String]? = nil,
    into destinations: [String: Tensor] = [:],
    interrupt: Interrupt = Interrupt(), observe: (@Sendable (StageTiming) -> Void)? = nil
  ) throws -> [String: RunValue] {
    let names = outputs ?? outputNames
    let session = try computing(names)
    guard session === self else {
      return try session.run(
        values: inputs, outputs: names, into: destinations, interrupt: interrupt, observe: observe)
    }
    let given = try checked(inputs)
    let memory = try pool.take(interrupt)
    defer { pool.giveBack(memory) }
    var options = ExecutionOptions(width: width, interrupt: interrupt)
    options.poison = configuration.poisonsDeadMemory
    options.flushesDenormals = configuration.flushesDenormals
    options.observe = observe
    return try execute(given, names, destinations, memory, options)
  }

  private func execute(
    _ given: GivenInputs, _ names: [String], _ destinations: [String: Tensor],
    _ memory: WorkingMemory, _ options: ExecutionOptions
  ) throws -> [String: RunValue] {
    let wanted = outputIDs(names)
    let written = wanted.compactMap { name, id in destinations[name].map { (id, $0) } }
    let values = try planned.run(
      given, wanted.map(\.id), into: Dictionary(written) { first, _ in first }, memory, options)
    keepWeights()
    var results: [String: RunValue] = [:]
    for ((name, _), result) in zip(wanted, values) {
      results[name] =
        try destinations[name].map { .tensor(try $0.receiving(result, output: name)) } ?? result
    }
    return results
  }

  private func outputIDs(_ names: [String]) -> [(name: String, id: ValueID)] {
    // Optimisation may let an output be another value: outputs keep their place in the list.
    let declared = model.graph.outputs.map { model.graph[$0].name }
    return names.compactMap { name in
      declared.firstIndex(of: name).map { (name, program.graph.outputs[$0]) }
    }
  }

  /// The plan's first segment for inputs of these types and shapes, kept for the runs that follow. Sequences and optionals are
  /// not among them: nothing that they hold decides it.
  ///
  /// - Parameter outputs: names of values of the graph; nil for the model's outputs.
  /// - Throws: `ModelError`; `RunError` where the model does not take such inputs.
  package func plan(
    inputs: [String: (DataType, Shape)], outputs: [String]? = nil
  ) throws -> Segment {
    try planned(inputs: inputs, outputs: outputs).root.segment
  }

  /// The same, with what it starts from, and the planner of all that follows.
  func planned(
    inputs: [String: (DataType, Shape)], outputs: [String]?
  ) throws -> (root: PlannedSegment, planner: Planner) {
    let names = outputs ?? outputNames
    let session = try computing(names)
    guard session === self else { return try session.planned(inputs: inputs, outputs: names) }
    let wanted = outputIDs(names).map(\.id)
    let root = try planned.root(checked(inputs), wanted, Interrupt())
    keepWeights()
    return (root, planned.planner(wanted))
  }

  package var program: Program { planned.program }
  package var weights: WeightStore { planned.weights }

  private var outputNames: [String] { model.graph.outputs.map { model.graph[$0].name } }
}

extension SessionCore {
  /// This session, or one on the same model that has further values as outputs.
  private func computing(_ names: [String]) throws -> SessionCore {
    let further = Set(names).subtracting(outputNames)
    return further.isEmpty ? self : try variant(with: further)
  }

  /// A session on the same model that has further values as outputs. Made once for each set of names.
  private func variant(with names: Set<String>) throws -> SessionCore {
    if let made = variants.guarded({ $0[names] }) { return made }
    var extended = model
    var added = extended.graph.outputs
    for name in names.sorted() {
      guard let index = extended.graph.values.firstIndex(where: { $0.name == name }) else {
        throw RunError.unknownOutput(name, known: extended.graph.values.map(\.name))
      }
      added.append(ValueID(index))
    }
    extended.graph.outputs = added
    let made = try SessionCore(
      model: extended, configuration: configuration, ledger: ledger, pool: pool)
    variants.guarded { variants in
      if variants.count >= PlannedProgram.planLimit { variants.removeAll() }
      variants[names] = made
    }
    return made
  }
}
