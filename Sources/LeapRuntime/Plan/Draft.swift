// Draft: one segment of a plan while it is made: steps with their candidates, over values with their layouts,
// before anything has a place in memory.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

/// A value of a draft. Reordered copies of a value are values of their own.
struct DraftValue: Sendable {
  enum Kind: Sendable, Hashable {
    /// A step makes it.
    case computed
    /// It exists when the segment begins.
    case given(ValueID)
    /// A constant, packed for the step that reads it, or as it is.
    case constant(ValueID, packing: Int?)
    /// Planning computed its elements itself.
    case known(ValueID)
  }

  var operand: Operand
  var kind: Kind
  /// The graph's value that it holds; nil for a copy in another layout.
  var source: ValueID?
}

/// A step of a draft.
struct DraftStep: Sendable {
  enum Role: Sendable {
    case kernel
    /// The output is this input's bytes under another shape: a step only where that cannot be.
    case view(input: Int)
    /// The inputs side by side along an axis.
    case concat(axis: Int)
  }

  /// The node's place in the graph's order; nil for a copy or reorder that the planner added.
  var node: Int?
  var role: Role
  var candidate: KernelCandidate
  /// Whether other extents might have made another candidate the cheapest.
  var hasAlternatives = false
  /// The names of all candidates, where an instrument asks.
  var algorithms: [Algorithm] = []
  /// Whether the planner added it, to put its input into another place or layout.
  var isCopy = false
  var request: KernelRequest
  /// Indices of draft values.
  var inputs: [Int?]
  var outputs: [Int?]

  /// The values that it reads when it runs: those whose elements were bound at planning are not among them.
  var readValues: [Int] {
    zip(inputs, candidate.inputs).compactMap { $1 == .planned ? nil : $0 }
  }
}

/// One segment, drafted.
struct Draft: Sendable {
  var values: [DraftValue] = []
  var steps: [DraftStep] = []
  var recipes: [PackingRecipe] = []
  /// The elements that planning computed and steps read.
  var known: [ValueID: Tensor] = [:]
  /// The draft value that holds a value of the graph in its plain layout.
  var plainValue: [ValueID: Int] = [:]
  /// Values that must outlive the segment: outputs of the graph, and what later segments read.
  var results: [ValueID] = []
}

/// Drafts a segment: chooses a candidate for every node and adds the reorders between layouts.
struct DraftBuilder {
  let program: Program
  let state: PlanningState
  let options: PlanOptions
  private var draft = Draft()
  /// Draft values in other layouts, by the plain or first one and the layout.
  private var reordered: [Int: [(Layout, Int)]] = [:]
  /// The draft value that a value of the graph was computed into, whatever its layout.
  private var current: ValueTable<Int>

  init(program: Program, state: PlanningState, options: PlanOptions) {
    self.program = program
    self.state = state
    self.options = options
    current = ValueTable(count: program.graph.values.count)
  }

  /// - Throws: `ModelError.planning` where a node has no fitting kernel.
  mutating func build(_ selection: SegmentSelection, results: [ValueID]) throws -> Draft {
    draft.steps.reserveCapacity(selection.kernelNodes.count * 5 / 4)
    draft.values.reserveCapacity(selection.kernelNodes.count * 4)
    for position in selection.kernelNodes { try addNode(position) }
    draft.results = results
    for result in results {
      if let value = try reading(result) { draft.plainValue[result] = try plain(value) }
    }
    return draft
  }

  private mutating func addNode(_ position: Int) throws {
    let node = program.graph.nodes[position]
    let operation = program.operators[position]
    do {
      let inputs = try node.inputs.map { try $0.flatMap { try reading($0) } }
      let request = makeRequest(node, operation, inputs)
      let candidates = try candidates(node, operation, request)
      let candidate = cheapest(candidates, inputs)
      try addStep(position, node, operation, request, candidate, inputs)
      draft.steps[draft.steps.count - 1].hasAlternatives = candidates.count > 1
      if !options.instruments.isEmpty {
        draft.steps[draft.steps.count - 1].algorithms = try operation.candidates(request).map(
          \.name)
      }
    } catch let error as OperatorError {
      throw ModelError.planning(
        program.description(at: position, types: state.types), reason: error.reason)
    }
  }

  /// The draft value that holds a value of the graph as it stands; made for inputs and constants when they are first read.
  private mutating func reading(_ id: ValueID) throws -> Int? {
    if let value = current[id] { return value }
    guard let type = state.types[id], let dataType = type.dataType, let shape = type.fixedShape
    else { return nil }
    let kind = kind(of: id)
    if case .known = kind { draft.known[id] = state.known[id] }
    draft.values.append(DraftValue(operand: Operand(dataType, shape), kind: kind, source: id))
    current[id] = draft.values.count - 1
    return current[id]
  }

  private func kind(of id: ValueID) -> DraftValue.Kind {
    if state.available.contains(id) { return .given(id) }
    return state.isConstant(id) ? .constant(id, packing: nil) : .known(id)
  }

  private func makeRequest(
    _ node: Node, _ operation: any Operator, _ inputs: [Int?]
  ) -> KernelRequest {
    var known: [Int: Tensor] = [:]
    for (index, id) in node.inputs.enumerated() { known[index] = id.flatMap { state.known[$0] } }
    let constant = node.inputs.indices.filter { index in
      node.inputs[index].map { state.isConstant($0) } ?? false
    }
    var request = KernelRequest(
      inputs: inputs.map { value in
        value.map {
          let operand = draft.values[$0].operand
          return Operand(operand.dataType, operand.shape)
        }
      },
      outputs: node.outputs.map { id in
        guard let id, let type = state.types[id], let dataType = type.dataType,
          let shape = type.fixedShape
        else { return nil }
        return Operand(dataType, shape)
      }, values: known, constantInputs: Set(constant), epilogue: node.epilogue,
      instructionSet: options.instructionSet, memoryPolicy: options.memoryPolicy)
    request.prologue = node.prologue
    request.available = inputs.map { $0.map { draft.values[$0].operand.layout } }
    return request
  }

  /// The candidates that the options admit, never empty.
  private func candidates(
    _ node: Node, _ operation: any Operator, _ request: KernelRequest
  ) throws -> [KernelCandidate] {
    let all = try operation.candidates(request)
    var candidates = all.filter { candidate in
      !options.forbidden.contains { candidate.name.isMeant(by: $0) }
    }
    let wanted =
      options.algorithms[node.name] ?? options.algorithms[node.origin.names.first ?? ""]
    if let wanted {
      candidates = candidates.filter { $0.name.isMeant(by: wanted) }
    } else if let general = options.algorithms[""],
      candidates.contains(where: { $0.name.isMeant(by: general) })
    {
      candidates = candidates.filter { $0.name.isMeant(by: general) }
    }
    if candidates.isEmpty {
      let names = all.map(\.name.rawValue).joined(separator: ", ")
      throw OperatorError(
        wanted.map { "it has no algorithm '\($0)'; it has \(names)" }
          ?? "every algorithm that it has is forbidden: \(names)")
    }
    return candidates
  }

  /// The candidate that costs least, the reorders it needs counted.
  private func cheapest(_ candidates: [KernelCandidate], _ inputs: [Int?]) -> KernelCandidate {
    var best = candidates[0]
    var bestCost = Double.infinity
    for candidate in candidates {
      let cost = candidate.cost.nanoseconds + reorderCost(candidate, inputs)
      if cost < bestCost { (best, bestCost) = (candidate, cost) }
    }
    return best
  }

  /// Nanoseconds that bringing the inputs into the layouts that a candidate takes costs: 6 bytes each.
  private func reorderCost(_ candidate: KernelCandidate, _ inputs: [Int?]) -> Double {
    var cost = 0.0
    for (value, requirement) in zip(inputs, candidate.inputs) {
      guard let value else { continue }
      // Constants are packed once.
      if case .constant = draft.values[value].kind { continue }
      let operand = draft.values[value].operand
      if !requirement.admits(operand) { cost += Double(operand.byteCount) / 6 }
    }
    return cost
  }

  private mutating func addStep(
    _ position: Int, _ node: Node, _ operation: any Operator, _ request: KernelRequest,
    _ candidate: KernelCandidate, _ inputs: [Int?]
  ) throws {
    var request = request
    var inputs = inputs
    for (index, requirement) in candidate.inputs.enumerated() {
      guard let value = inputs[index], candidate.packing[index] == nil else { continue }
      inputs[index] = try adapt(value, to: requirement)
    }
    for index in inputs.indices {
      request.inputs[index] = inputs[index].map { draft.values[$0].operand }
    }
    let blocks = candidate.outputBlocks?(request) ?? []
    let outputs = zip(node.outputs, candidate.outputs).enumerated().map {
      index, pair -> Int? in
      guard let id = pair.0, var operand = request.outputs[index] else { return nil }
      if case .blocked(let width) = pair.1 {
        let own = index < blocks.count ? blocks[index] : nil
        operand.layout = .blocked(own ?? ChannelBlocks(width: width, channels: operand.shape[1]))
      }
      request.outputs[index] = operand
      draft.values.append(DraftValue(operand: operand, kind: .computed, source: id))
      current[id] = draft.values.count - 1
      return draft.values.count - 1
    }
    // A recipe may depend on the layouts of the other operands, which are settled only here.
    for (index, recipe) in candidate.packing.sorted(by: { $0.key < $1.key }) {
      guard let value = inputs[index] else { continue }
      inputs[index] = pack(value, try recipe(request))
    }
    draft.steps.append(
      DraftStep(
        node: position, role: try role(operation, request), candidate: candidate,
        request: request, inputs: inputs, outputs: outputs))
  }

  private func role(_ operation: any Operator, _ request: KernelRequest) throws -> DraftStep.Role {
    guard request.epilogue.isEmpty, let rank = request.outputs[0]?.shape.rank else {
      return .kernel
    }
    let operands = (request.inputs + request.outputs).compactMap { $0 }
    let isPlain = operands.allSatisfy { $0.blocks == nil }
    if isPlain, let input = operation.viewInput { return .view(input: input) }
    if let concat = operation as? any ConcatOperator {
      let axis = try concat.concatAxis(rank: rank)
      if isPlain || axis == 1 && operands.allSatisfy({ $0.blocks != nil }) {
        return .concat(axis: axis)
      }
    }
    return .kernel
  }

  private mutating func pack(
    _ value: Int, _ recipe: PackingRecipe, as operand: Operand? = nil
  ) -> Int {
    guard case .constant(let id, _) = draft.values[value].kind else { return value }
    draft.recipes.append(recipe)
    var packed = draft.values[value]
    if let operand { packed.operand = operand }
    packed.kind = .constant(id, packing: draft.recipes.count - 1)
    draft.values.append(packed)
    return draft.values.count - 1
  }

  private mutating func plain(_ value: Int) throws -> Int {
    try adapt(value, to: .contiguous)
  }

  /// The value in a layout that the requirement admits, through a reorder where it lies in another.
  private mutating func adapt(_ value: Int, to requirement: LayoutRequirement) throws -> Int {
    let operand = draft.values[value].operand
    if requirement.admits(operand) { return value }
    var target = operand
    switch requirement {
    case .blocked(let width):
      target.layout = .blocked(ChannelBlocks(width: width, channels: operand.shape[1]))
    case .blockedAs(let blocks): target.layout = .blocked(blocks)
    default: target.layout = .contiguous
    }
    if case .constant = draft.values[value].kind {
      return pack(value, Reorder.recipe(from: operand, to: target), as: target)
    }
    if let (_, made) = reordered[value, default: []].first(where: { $0.0 == target.layout }) {
      return made
    }
    draft.values.append(DraftValue(operand: target, kind: .computed, source: nil))
    let made = draft.values.count - 1
    reordered[value, default: []].append((target.layout, made))
    draft.steps.append(Draft.copyStep(from: value, operand, to: made, target))
    return made
  }
}

extension Draft {
  /// A step that copies a value into another layout.
  static func copyStep(from value: Int, _ source: Operand, to copy: Int, _ target: Operand)
    -> DraftStep
  {
    let requirement: (Operand) -> LayoutRequirement = { operand in
      operand.blocks.map { .blockedAs($0) } ?? .plain
    }
    let bytes = Double(source.byteCount) + Double(target.byteCount)
    let candidate = KernelCandidate(
      name: source.strides != nil && target.strides != nil ? .copy : .reorder,
      inputs: [requirement(source)], outputs: [requirement(target)],
      cost: Cost(operations: 0, bytes: bytes)
    ) { request in
      guard let source = request.inputs[0], let target = request.outputs[0] else {
        throw OperatorError("a copy needs a source and a target")
      }
      return try Reorder.kernel(from: source, to: target)
    }
    var step = DraftStep(
      node: nil, role: .kernel, candidate: candidate,
      request: KernelRequest(inputs: [source], outputs: [target]), inputs: [value],
      outputs: [copy])
    step.isCopy = true
    return step
  }
}
