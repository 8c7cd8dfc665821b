// Reproducer: the part of a model between values that a run computed, as a model of its own with its inputs and exact outputs.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors
import Leapstone
import LeapstoneImage

/// One value of a model, with the nodes that make it of other values.
struct Reproducer: Sendable {
  let model: Model
  /// What it starts from, in the order of the model's inputs.
  let inputs: [(name: String, tensor: Tensor)]
  private let value: String
  private let interruption: Interruption

  /// Nodes, walking back from the value, until tensors of the run are met.
  ///
  /// - Throws: `ToolError` where the model has no such value; what reading constants throws.
  init(_ value: String, _ traced: [String: TracedValue], _ measurer: Measurer) throws {
    self.value = value
    interruption = measurer.interruption
    let whole = measurer.model
    let graph = whole.graph
    guard let target = graph.values.firstIndex(where: { $0.name == value }).map(ValueID.init) else {
      throw ToolError("--reproducer: the model has no value '\(escaped(value))'")
    }
    let connections = graph.connections()
    var positions: Set<Int> = []
    var given: [ValueID: Tensor] = [:]
    var open = [target]
    while let next = open.popLast() {
      if given[next] != nil || graph.constants[next] != nil && !graph.inputs.contains(next) {
        continue
      }
      if next != target, let tensor = traced[graph[next].name]?.tensor {
        given[next] = tensor
        continue
      }
      guard let producer = connections.producer(of: next) else {
        given[next] =
          try measurer.inputs[graph[next].name]?.tensor ?? graph.constants[next]?.tensor()
        continue
      }
      if positions.insert(producer).inserted { open += graph.nodes[producer].uses }
    }
    inputs = given.sorted { $0.key < $1.key }.map { (graph[$0.key].name, $0.value) }
    model = Reproducer.part(of: whole, positions.sorted(), given, target)
  }

  private static func part(
    of whole: Model, _ positions: [Int], _ given: [ValueID: Tensor], _ target: ValueID
  ) -> Model {
    let source = whole.graph
    var graph = Graph(name: "reproducer")
    for value in source.values { graph.addValue(value) }
    for (id, tensor) in given {
      graph[id].type = .tensor(tensor.dataType, shape: tensor.shape.map(Dimension.fixed))
    }
    graph.inputs = given.keys.sorted()
    graph.outputs = [target]
    var used: Set<ValueID> = []
    for position in positions {
      let node = source.nodes[position]
      used.formUnion(node.uses)
      graph.addNode(
        name: node.name, domain: node.domain, operatorType: node.operatorType,
        overload: node.overload, opset: node.opset, inputs: node.inputs, outputs: node.outputs,
        attributes: node.attributes, origin: node.origin)
    }
    graph.constants = source.constants.filter { used.contains($0.key) && given[$0.key] == nil }
    var model = Model(
      graph: graph, irVersion: max(whole.irVersion, 4), opsets: whole.opsets, source: "reproducer")
    model.producerName = "onnx-verify"
    model.producerVersion = leapstoneVersion
    return model
  }

  private var values: [String: RunValue] {
    Dictionary(uniqueKeysWithValues: inputs.map { ($0.name, RunValue.tensor($0.tensor)) })
  }

  /// The value, computed exactly from the inputs; nil where it is no tensor.
  ///
  /// - Throws: `ModelError`, `RunError`, `ToolError.interrupted`.
  func exact(_ options: SessionOptions) throws -> Tensor? {
    var own = options
    own.dimensions = [:]
    return try ReferenceSession(model, own).run(values, interruption)[value]?.tensor
  }

  /// What came of writing it.
  struct Outcome: Sendable {
    let text: String
    /// Whether the part alone drifts too.
    let reproduces: Bool
  }

  /// Writes `model.onnx` and `test_data_set_0`, and runs what was written as the whole model was run.
  ///
  /// - Throws: `FileError`, `ModelError`, `RunError`, `ToolError`.
  func write(
    to directory: String, _ culprit: Culprit, _ options: SessionOptions, worst: MeasuredStep?
  ) throws -> Outcome {
    let set = "\(directory)/test_data_set_0"
    for path in [directory, set] { try makeDirectory(path) }
    let path = "\(directory)/model.onnx"
    try FileBytes.write(ModelEncoder.encode(model), to: path)
    for (index, input) in inputs.enumerated() {
      try FileBytes.write(
        TensorEncoder.encode(input.tensor, name: input.name), to: "\(set)/input_\(index).pb")
    }
    guard let exact = try exact(options) else {
      throw ToolError("--reproducer: '\(escaped(value))' is no tensor")
    }
    let session = try InferenceSession(path: path, options: options)
    let got = try interruption.during { cancellation in
      try session.run(values: values, options: RunOptions(cancellation: cancellation))
    }[value]?.tensor
    let type = got?.dataType ?? .float32
    if let numbers = exact.numbers,
      let rounded = try Tensor.rounded(numbers, to: type, shape: exact.shape)
    {
      try FileBytes.write(
        TensorEncoder.encode(rounded, name: value), to: "\(set)/output_0.pb")
    }
    let drift = got.flatMap { Drift($0, exact) }
    let reproduces =
      drift.map { drift in worst.map { DriftLimit.isExceeded(by: drift, of: $0) } ?? false }
      ?? false
    let flags = culprit.kind == .kernel ? " --algorithm \(culprit.algorithm)" : ""
    return Outcome(
      text: reproduces
        ? "\(directory) shows it: onnx-verify \(path)\(flags) (\(drift?.text ?? ""))"
        : "\(directory) does not show it by itself (\(drift?.text ?? "no drift")): what the planner "
          + "makes of the whole model takes part",
      reproduces: reproduces)
  }
}
