// PlanningState: what is known of a program's values at one point of a run, and which nodes can be planned with it.
//
// A plan is made of segments. A node waits for a later segment where the value of an input must be known first
// (Reshape to a shape that the model computes from data), or where an operator before it makes outputs of a size that only
// running tells (NonZero).

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

/// What a segment starts from. A value type: planning a segment makes the next one's from it.
package struct PlanningState: Sendable {
  let program: Program
  /// Types with all extents known; of containers, without the shapes of what they hold.
  var types: ValueTable<ValueType>
  /// Elements that are known.
  var known: ValueTable<Tensor>
  /// Values that exist when the segment begins: inputs, and what earlier segments left.
  var available: Set<ValueID>
  /// Positions of the nodes still to be planned, ascending.
  var remaining: [Int]

  /// - Parameter inputs: the type of every input that the caller gives, with all extents known where it is a tensor.
  ///   Constants serve for the others.
  package init(program: Program, inputs: [ValueID: ValueType]) {
    self.program = program
    types = program.constantTypes
    known = program.knownConstants
    available = Set(inputs.keys)
    remaining = Array(program.graph.nodes.indices)
    for (id, type) in inputs {
      known[id] = nil
      types[id] = type
    }
  }

  /// Whether a value is a constant of the graph that the caller did not replace.
  func isConstant(_ value: ValueID) -> Bool {
    program.constantTypes[value] != nil && !available.contains(value)
  }

  /// Adds what a segment's run found out: values that it left behind.
  package mutating func learn(_ values: [ValueID: RunValue], elementsOf wanted: Set<ValueID>) {
    for (id, value) in values {
      types[id] = value.valueType
      available.insert(id)
      if wanted.contains(id) { known[id] = value.tensor }
    }
  }
}

/// Which nodes one segment runs.
struct SegmentSelection: Sendable {
  /// Positions of nodes with kernels, ascending.
  var kernelNodes: [Int] = []
  /// Positions of nodes that make their own outputs, after the kernels.
  var hostNodes: [Int] = []
  /// Values whose elements the next segment must know.
  var observed: Set<ValueID> = []
}

extension PlanningState {
  /// Decides what the next segment runs, and moves it from `remaining` to the selection.
  ///
  /// - Throws: `ModelError.inference`, or `.planning` where nothing can go on.
  mutating func select() throws -> SegmentSelection {
    var selection = SegmentSelection()
    var waiting: [Int] = []
    for position in remaining {
      if try !place(position, in: &selection) { waiting.append(position) }
    }
    let stuck = waiting.count == remaining.count && selection.observed.isEmpty
    if stuck, let first = waiting.first {
      throw ModelError.planning(
        program.description(at: first, types: types),
        reason: "the shapes of its inputs cannot be found")
    }
    remaining = waiting
    return selection
  }

  /// Takes one node into the selection, or computes it at once; false where it must wait.
  private mutating func place(_ position: Int, in selection: inout SegmentSelection) throws -> Bool
  {
    let node = program.graph.nodes[position]
    let operation = program.operators[position]
    let inputs = node.inputs.compactMap { $0 } + (program.captured[position] ?? [])
    guard inputs.allSatisfy({ types[$0] != nil }) else { return false }
    let undecided = operation.valueInputs.compactMap { index in
      index < node.inputs.count ? node.inputs[index] : nil
    }.filter { known[$0] == nil }
    guard undecided.isEmpty else {
      for value in undecided {
        if isConstant(value) {
          known[value] = try program.graph.constants[value]?.tensor()
        } else {
          selection.observed.insert(value)
        }
      }
      return try undecided.allSatisfy { known[$0] != nil } && place(position, in: &selection)
    }
    if try fold(position) { return true }
    if hostOperator(position) != nil {
      selection.hostNodes.append(position)
      // What reads a container is a host too, and may follow at once: it runs after this one, and needs no shapes to be planned.
      for (output, type) in zip(node.outputs, try hostOutputs(position)) {
        if let output, let type, type.isContainer { types[output] = type }
      }
      return true
    }
    for (output, inferred) in zip(node.outputs, try infer(position).outputs) {
      guard let output else { continue }
      guard let type = inferred?.type, let shape = type.fixedShape else {
        throw ModelError.planning(
          program.description(at: position, types: types),
          reason: "the shape of output '\(program.graph[output].name)' cannot be inferred")
      }
      try checkSize(of: output, type, shape, madeBy: position)
      types[output] = type
    }
    selection.kernelNodes.append(position)
    return true
  }

  /// The types of what a host makes, as far as they are known.
  private func hostOutputs(_ position: Int) throws -> [ValueType?] {
    guard program.operators[position] is any BodyOperator else {
      return try infer(position).outputs.map { $0?.type }
    }
    // Its graphs were inferred when the model was loaded: no extent says more of containers.
    return program.graph.nodes[position].outputs.map { output in
      output.flatMap { program.graph[$0].type?.withoutShapes }
    }
  }

  /// What computes a node on the host, its inputs' types being known; nil where kernels do.
  private func hostOperator(_ position: Int) -> (any HostOperator)? {
    program.operators[position].hostOperator(
      for: program.graph.nodes[position].inputs.map { $0.flatMap { types[$0]?.dataType } })
  }

  /// Refuses a value that is larger than the machine's memory before any kernel computes with its extents.
  private func checkSize(
    of output: ValueID, _ type: ValueType, _ shape: Shape, madeBy position: Int
  ) throws {
    let limit = program.largestValue
    guard let dataType = type.dataType, let span = shape.span(of: dataType), span <= limit else {
      throw ModelError.planning(
        program.description(at: position, types: types),
        reason: "output '\(program.graph[output].name)' is \(type): more than the \(limit) bytes "
          + "of memory that there are")
    }
  }

  private func infer(_ position: Int) throws -> InferenceContext {
    let node = program.graph.nodes[position]
    var context = InferenceContext(
      inputs: node.inputs.map { id in
        guard let id, let type = types[id] else { return nil }
        return InferredValue(type, known: known[id].map(KnownValue.tensor))
      },
      given: node.inputs.map { $0 != nil }, outputCount: node.outputs.count)
    do { try program.operators[position].infer(&context) } catch let error as OperatorError {
      throw ModelError.inference(error, at: program.description(at: position, types: types))
    }
    return context
  }

  /// Computes a node whose outputs depend on known elements alone, shapes above all.
  private mutating func fold(_ position: Int) throws -> Bool {
    let node = program.graph.nodes[position]
    let operation = program.operators[position]
    guard node.prologue == nil, operation.isDeterministic, hostOperator(position) == nil else {
      return false
    }
    var context: InferenceContext?
    if !node.inputs.allSatisfy({ $0 == nil || known[$0!] != nil }) {
      // Shape and Size know their output from the input's shape alone.
      guard operation is any ShapeReader else { return false }
      context = try infer(position)
    }
    if let context { return adopt(context, of: node) }
    let outputs: [Tensor]
    do {
      let inferred = try infer(position)
      guard inferred.outputs.allSatisfy({ isSmall($0?.type) }) else { return false }
      outputs = try Evaluator.evaluate(
        operation, inputs: node.inputs.map { $0.flatMap { known[$0] } },
        outputCount: node.outputs.count, epilogue: node.epilogue)
    } catch let error as OperatorError {
      throw ModelError.planning(
        program.description(at: position, types: types), reason: error.reason)
    }
    for (id, tensor) in zip(node.outputs, outputs) {
      guard let id else { continue }
      known[id] = tensor
      types[id] = .tensor(tensor.dataType, shape: tensor.shape.map(Dimension.fixed))
    }
    return true
  }

  /// Takes over the elements that inference knows for all outputs.
  private mutating func adopt(_ context: InferenceContext, of node: Node) -> Bool {
    guard case .dimensions(let dimensions)? = context.outputs.first??.known,
      let type = context.outputs.first??.type, let shape = type.fixedShape,
      let id = node.outputs.first ?? nil
    else { return false }
    let values = dimensions.compactMap { $0.value.map(Int64.init) }
    guard values.count == dimensions.count, values.count == shape.elementCount,
      let tensor = try? Tensor(values, shape: shape)
    else { return false }
    known[id] = tensor
    types[id] = type
    return true
  }

  private func isSmall(_ type: ValueType?) -> Bool {
    guard let type, let shape = type.fixedShape, let dataType = type.dataType,
      shape.span(of: dataType) != nil
    else { return false }
    return shape.elementCount <= Program.foldedElementLimit
  }
}
