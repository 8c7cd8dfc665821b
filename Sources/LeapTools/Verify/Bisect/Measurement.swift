// Measurement: a run with every step's value measured, and what of that is no longer rounding.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors
import Leapstone
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// A step of a run, measured.
struct MeasuredStep: Sendable {
  let number: Int
  /// The node, as the model calls it.
  let name: String
  let origins: [String]
  let operatorType: String
  let algorithm: String
  let algorithms: [String]
  /// Products that are summed up for one element, about.
  let terms: Int
  /// What it made.
  let value: String
  let dataType: DataType
  /// The traced values that it read; where no step made what it read (a concatenation in place), those which that is made of.
  let reads: [String]
  /// By itself, computed from what it had; nil where there is no exact path.
  var own: Drift?
  /// With all that went before; nil where the reference has no such value.
  var total: Drift?
}

/// What is worse than rounding.
enum DriftLimit {
  /// Decibels that a step of its own keeps at least: less where it sums up more terms, since in a sum of numbers of one sign the
  /// roundings add up too. Measured over the project's networks and ONNX's light models, whose weights are all equal: 95 dB at
  /// 512 terms, 90 dB at 9216.
  static func snr(_ type: DataType, terms: Int) -> Double {
    let loss = 10 * log10(Double(max(terms, fewestTerms)))
    switch type {
    case .float64: return 260 - loss
    case .float32: return 112 - loss
    case .float16: return 60 - loss / 2
    case .bfloat16: return 42 - loss / 2
    // Integers, whose rounding may go the other way.
    default: return 30
    }
  }

  /// What functions of one number are taken for: they are made of some operations themselves.
  private static let fewestTerms = 64

  /// The largest error of one element, in proportion to the root mean square of all.
  static func peak(_ type: DataType) -> Double {
    switch type {
    case .float64: 1e-11
    case .float32: 1e-3
    case .float16, .bfloat16: 0.1
    default: 1
    }
  }

  /// Whether a step by itself is worse than rounding.
  static func isExceeded(by drift: Drift, of step: MeasuredStep) -> Bool {
    drift.snr < snr(step.dataType, terms: step.terms) || drift.peak > peak(step.dataType)
  }

  /// Whether a value, with all that went before, is worse than rounding through many layers.
  static func isExceeded(byTotal drift: Drift, _ type: DataType) -> Bool {
    switch type {
    case .float64: drift.snr < 200
    case .float32: drift.snr < 70 || drift.peak > 1e-2
    default: drift.snr < 20
    }
  }
}

/// What values are compared with.
enum ReferenceValues: Sendable {
  /// The exact path of the model itself.
  case exact
  /// Tensors by name, of another runtime or model.
  case named([String: Tensor])
}

/// A run, measured.
struct Measurement: Sendable {
  /// In the order of the plan.
  var steps: [MeasuredStep] = []
  /// Copies of the planner's that are not what they copy.
  var wrongCopies: [BoundStep] = []
  var outputs: [(name: String, drift: Drift?)] = []
  /// Outputs that no step makes and that drift all the same.
  var driftingOutputs: [(name: String, drift: Drift)] = []
  /// Values that cannot be compared with what the reference has by their names.
  var mismatches: [Mismatch] = []
  /// What the reference path says of itself.
  var note: String?
  /// The traced tensors.
  var values: [String: TracedValue] = [:]

  /// Of another shape or type in the reference.
  struct Mismatch: Sendable {
    let value: String
    let got: String
    let expected: String
  }

  /// Whether the reference says anything of any value.
  var hasComparison: Bool {
    !mismatches.isEmpty || outputs.contains { $0.drift != nil }
      || steps.contains { $0.own != nil || $0.total != nil }
  }
}

/// Runs a model in some way and measures what its steps make.
struct Measurer: Sendable {
  /// Without functions of its own or nodes that compute in halves, and with inferred types.
  let model: Model
  let inputs: [String: RunValue]
  let outputs: [String]
  let reference: ReferenceValues
  let interruption: Interruption
  private let ancestry: Ancestry
  private let ownValues: Set<String>
  /// Values of graphs that run several times in a run: none of them is *the* value.
  private let repeatedValues: Set<String>

  /// - Throws: what inference throws.
  init(
    _ model: Model, inputs: [String: RunValue], outputs: [String], reference: ReferenceValues,
    interruption: Interruption
  ) throws {
    let whole = try model.withoutFunctionsAndHalves()
    self.model = whole
    self.inputs = inputs
    self.outputs = outputs
    self.reference = reference
    self.interruption = interruption
    ancestry = Ancestry(whole.graph)
    ownValues = Set(whole.graph.values.map(\.name))
    repeatedValues = whole.graph.valuesOfRepeatedBodies.subtracting(ownValues)
  }

  /// Whether a value is one of the graph's own, and no value of a node's graph.
  func isOwn(_ value: String) -> Bool { ownValues.contains(value) }

  /// A run whose steps were watched.
  struct Traced: Sendable {
    var values: [String: TracedValue]
    var results: [String: RunValue]
    var wrongCopies: [BoundStep]
  }

  /// Runs the model and keeps what its steps make.
  ///
  /// - Throws: `ModelError`, `RunError`, `ToolError.interrupted`.
  func trace(_ options: SessionOptions) throws -> Traced {
    let trace = ValueTrace()
    var watched = options
    watched.instruments += trace.instruments
    let session = try InferenceSession(model: model, options: watched)
    let results = try interruption.during { cancellation in
      try session.run(
        values: inputs, outputs: outputs, options: RunOptions(cancellation: cancellation))
    }
    return Traced(
      values: trace.values.filter { !repeatedValues.contains($0.key) }, results: results,
      wrongCopies: trace.wrongCopies)
  }

  /// Runs the model and measures every step.
  ///
  /// - Throws: `ModelError`, `RunError`, `ToolError.interrupted`.
  func measure(_ options: SessionOptions) throws -> Measurement {
    let traced = try trace(options)
    var measurement = Measurement()
    measurement.wrongCopies = traced.wrongCopies
    measurement.values = traced.values
    var errors = TraceErrors()
    switch reference {
    case .exact:
      let found = try ValueTrace.errors(
        of: traced.values, model, options, inputs, outputs: outputs, interruption)
      errors = found.errors
      measurement.note = found.note
      measurement.outputs = outputs.map { ($0, found.outputs[$0]?.drift(of: traced.results[$0])) }
    case .named(let tensors):
      let ours = traced.values.mapValues(\.tensor).merging(
        traced.results.compactMapValues(\.tensor)
      ) { traced, _ in traced }
      for (name, got) in ours.sorted(by: { $0.key < $1.key }) {
        guard let expected = tensors[name] else { continue }
        if Measurer.isComparable(got, expected), let drift = Drift(got, expected) {
          errors.total[name] = drift
        } else if !got.isIdentical(to: expected) {
          measurement.mismatches.append(
            .init(value: name, got: "\(got)", expected: "\(expected)"))
        }
      }
      measurement.outputs = outputs.map { ($0, errors.total[$0]) }
      measurement.driftingOutputs = measurement.outputs.compactMap { output in
        guard traced.values[output.name] == nil, let drift = output.drift,
          let type = traced.results[output.name]?.tensor?.dataType,
          DriftLimit.isExceeded(byTotal: drift, type)
        else { return nil }
        return (output.name, drift)
      }
    }
    measurement.steps = steps(traced.values, errors)
    return measurement
  }

  /// Whether the reference's tensor is of the same kind of numbers: floats of any width, otherwise the same type.
  private static func isComparable(_ got: Tensor, _ expected: Tensor) -> Bool {
    got.dataType == expected.dataType
      || got.dataType.isFloatingPoint && expected.dataType.isFloatingPoint
  }

  private func steps(
    _ values: [String: TracedValue], _ errors: TraceErrors
  ) -> [MeasuredStep] {
    values.map { name, value in
      MeasuredStep(
        number: value.number, name: value.step.name, origins: value.step.origins,
        operatorType: value.step.operatorType, algorithm: value.step.algorithm,
        algorithms: value.step.algorithms, terms: value.step.terms, value: name,
        dataType: value.tensor.dataType,
        reads: ancestry.nearest(to: value.step.inputValues.compactMap { $0 }, from: name) {
          values[$0] != nil
        },
        own: errors.own[name], total: errors.total[name])
    }.sorted { ($0.number, $0.value) < ($1.number, $1.value) }
  }

  // MARK: single values

  /// The exact value of a name, with all that goes before computed exactly; the other side's, where it is named. nil where it is
  /// no tensor, or not there.
  ///
  /// - Throws: `ModelError`, `RunError`, `ToolError.interrupted`.
  func expected(_ value: String, _ options: SessionOptions) throws -> Tensor? {
    switch reference {
    case .named(let tensors): return tensors[value]
    case .exact:
      return try ReferenceSession(model, options).run(inputs, outputs: [value], interruption)[
        value]?
        .tensor
    }
  }

  /// The steps of a run that compute a part of some nodes of the model, each with its own drift: the nodes between the values
  /// that the run has are computed exactly from these.
  ///
  /// - Throws: `ModelError`, `RunError`, `ToolError.interrupted`.
  func related(
    to step: MeasuredStep, in traced: Traced, _ options: SessionOptions
  ) throws -> [MeasuredStep] {
    let origins = Set(step.origins)
    var related = steps(traced.values, TraceErrors()).filter {
      $0.value == step.value || !origins.isDisjoint(with: $0.origins)
    }
    guard case .exact = reference else { return related }
    for index in related.indices {
      let name = related[index].value
      // What a pass made has no counterpart in the model.
      guard model.graph.values.contains(where: { $0.name == name }) else { continue }
      let part = try Reproducer(name, traced.values, self)
      if let exact = try part.exact(options), let own = traced.values[name]?.tensor {
        related[index].own = Drift(own, exact)
      }
    }
    return related
  }
}

extension Graph {
  /// The names of values in graphs of loops.
  fileprivate var valuesOfRepeatedBodies: Set<String> {
    nodes.reduce(into: []) { names, node in
      for (_, body) in node.subgraphs {
        names.formUnion(
          node.operatorType == "If" ? body.valuesOfRepeatedBodies : body.namesOfAllValues)
      }
    }
  }

  private var namesOfAllValues: Set<String> {
    nodes.reduce(into: Set(values.map(\.name))) { names, node in
      for (_, body) in node.subgraphs { names.formUnion(body.namesOfAllValues) }
    }
  }
}

/// What each value of a graph is made of.
private struct Ancestry: Sendable {
  private let parents: [String: [String]]

  init(_ graph: Graph) {
    var parents: [String: [String]] = [:]
    for node in graph.nodes {
      let uses = node.uses.map { graph[$0].name }
      for output in node.outputs { if let output { parents[graph[output].name] = uses } }
    }
    self.parents = parents
  }

  /// The values for which a condition holds, in place of those for which it does not, walking back from these.
  ///
  /// - Parameter value: the one that is made of them; not an answer itself.
  func nearest(
    to names: [String], from value: String, where condition: (String) -> Bool
  ) -> [String] {
    var (found, open): ([String], [String]) = ([], names)
    var seen: Set<String> = [value]
    while let name = open.popLast() {
      guard seen.insert(name).inserted else { continue }
      if condition(name) { found.append(name) } else { open += parents[name] ?? [] }
    }
    return found
  }
}

extension RunValue {
  /// How far a result is from this; nil where they cannot be compared.
  fileprivate func drift(of result: RunValue?) -> Drift? {
    guard let got = result?.tensor, let expected = tensor else { return nil }
    return Drift(got, expected)
  }
}
