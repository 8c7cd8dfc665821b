// ModelChecks: what is odd about a model, though nothing keeps it from running.

import LeapGraph
import LeapRuntime
import LeapTensors

/// Looks for what is odd.
struct ModelChecks {
  private(set) var findings: [InspectFinding] = []
  private let model: Model

  /// - Parameters:
  ///   - model: as it was read.
  ///   - inferred: its graph without functions, with types.
  init(_ model: Model, inferred: Graph) {
    self.model = model
    findings += model.warnings.map { .init(kind: .reader, message: $0, names: []) }
    var graphs: [Graph] = [model.graph] + model.functions.map(\.body)
    var unused: [String] = []
    var dead: [String] = []
    while let graph = graphs.popLast() {
      unused += graph.unusedConstants
      dead += graph.deadNodes
      graphs += graph.nodes.flatMap { $0.subgraphs.map(\.graph) }
    }
    add(
      .unusedInitializers, unused, one: "initializer that nothing reads",
      many: "initializers that nothing reads")
    add(
      .unusedInputs, model.graph.unusedInputs, one: "input that nothing reads",
      many: "inputs that nothing reads")
    add(
      .deadNodes, dead, one: "node that no output depends on",
      many: "nodes that no output depends on")
    checkEpsilons(inferred)
  }

  private mutating func add(
    _ kind: InspectFinding.Kind, _ names: [String], one: String, many: String
  ) {
    if names.isEmpty { return }
    let message = "\(names.count) \(names.count == 1 ? one : many)"
    findings.append(.init(kind: kind, message: message, names: names))
  }

  // MARK: epsilon

  /// An epsilon keeps a division by a deviation from failing: one that is zero does not, and a large one changes results.
  private static let largestEpsilon: Float = 0.01
  private static let smallestEpsilon: Float = 1e-12

  private mutating func checkEpsilons(_ graph: Graph) {
    for node in graph.nodes {
      for (_, subgraph) in node.subgraphs { checkEpsilons(subgraph) }
      guard node.operatorType.hasSuffix("Normalization"),
        case .float(let epsilon)? = node.attributes["epsilon"]
      else { continue }
      let reason: String
      if !(epsilon > 0) {
        reason = "a deviation of 0 gives infinities"
      } else if epsilon > ModelChecks.largestEpsilon {
        reason = "it weighs as much as a deviation; 1e-05 is usual"
      } else if epsilon < ModelChecks.smallestEpsilon {
        reason = "it is lost beside any deviation; 1e-05 is usual"
      } else if graph.readsHalves(node), epsilon < 0x1p-24 {
        reason = "float16 has no such small number"
      } else {
        continue
      }
      let message =
        "epsilon \(significant(Double(epsilon))) of \(node.qualifiedOperator): \(reason)"
      if let place = findings.firstIndex(where: { $0.message == message }) {
        findings[place].names.append(node.name)
      } else {
        findings.append(.init(kind: .suspiciousEpsilon, message: message, names: [node.name]))
      }
    }
  }

  // MARK: weights

  /// Constants of fewer bytes are not worth sharing.
  private static let smallestDuplicate = 1024

  /// Adds what the elements of the constants show. Reads all of them.
  ///
  /// - Parameters:
  ///   - constants: those of the model.
  ///   - examined: called after each, with its elements where they are there.
  /// - Throws: what reading a constant throws, and what `examined` throws.
  mutating func examine(
    _ constants: [ModelConstant],
    examined: (Int, Tensor?, WeightStatistics?) throws -> Void
  ) throws {
    var odd: [InspectFinding.Kind: (elements: Int, names: [String])] = [:]
    var seen: [ContentKey: ModelConstant] = [:]
    var (doubles, bytes) = ([String](), 0)
    let variances = model.graph.variances
    for (index, entry) in constants.enumerated() {
      guard !entry.constant.isAbsent else {
        try examined(index, nil, nil)
        continue
      }
      let tensor = try entry.constant.tensor()
      let statistics = WeightScan.statistics(tensor)
      for (kind, count) in statistics?.oddities ?? [] where count > 0 {
        odd[kind, default: (0, [])].elements += count
        odd[kind]?.names.append(entry.name)
      }
      if variances.contains(entry.name), (statistics?.minimum ?? 0) < 0 {
        odd[.negativeVariance, default: (0, [])].names.append(entry.name)
      }
      if entry.constant.byteCount >= ModelChecks.smallestDuplicate, let key = ContentKey(tensor) {
        if let first = seen[key] {
          doubles.append("\(entry.name) = \(first.name)")
          bytes = saturatingSum(bytes, entry.constant.byteCount)
        } else {
          seen[key] = entry
        }
      }
      try examined(index, tensor, statistics)
    }
    report(odd)
    if !doubles.isEmpty {
      add(
        .duplicateConstants, doubles, one: "constant repeats another (\(readableSize(bytes)))",
        many: "constants repeat others (\(readableSize(bytes)))")
    }
  }

  private mutating func report(
    _ odd: [InspectFinding.Kind: (elements: Int, names: [String])]
  ) {
    let texts: [(InspectFinding.Kind, String)] = [
      (.notANumber, "NaN"), (.infinite, "infinite"),
      (.denormalWeights, "denormal, which many processors are slow with"),
    ]
    for (kind, what) in texts {
      guard let (elements, names) = odd[kind] else { continue }
      let subject = elements == 1 ? "1 weight is" : "\(elements) weights are"
      findings.append(.init(kind: kind, message: "\(subject) \(what)", names: names))
    }
    if let names = odd[.negativeVariance]?.names {
      findings.append(
        .init(
          kind: .negativeVariance, message: "variances below 0: their square roots are NaN",
          names: names))
    }
  }
}

extension WeightStatistics {
  fileprivate var oddities: [(InspectFinding.Kind, Int)] {
    [(.denormalWeights, denormals), (.notANumber, notNumbers), (.infinite, infinities)]
  }
}

/// What makes two tensors the same.
private struct ContentKey: Hashable {
  let dataType: DataType
  let shape: Shape
  let digest: [UInt64]

  /// nil for strings.
  init?(_ tensor: Tensor) {
    guard tensor.dataType != .string else { return nil }
    dataType = tensor.dataType
    shape = tensor.shape
    digest = tensor.withUnsafeBytes { Digest.wide($0) }
  }
}

extension Graph {
  /// Names of the constants that neither a node reads nor the graph returns. Those that are inputs belong to the caller.
  fileprivate var unusedConstants: [String] {
    let used = Set(nodes.flatMap(\.uses) + outputs + inputs)
    return constants.keys.filter { !used.contains($0) }.sorted().map { self[$0].name }
  }

  /// Names of the inputs that neither a node reads nor the graph returns.
  fileprivate var unusedInputs: [String] {
    let used = Set(nodes.flatMap(\.uses) + outputs)
    return inputs.filter { !used.contains($0) }.map { self[$0].name }
  }

  /// Names of the nodes that no output depends on.
  fileprivate var deadNodes: [String] {
    var needed = Set(outputs)
    var dead: [String] = []
    for node in nodes.reversed() {
      if node.outputs.contains(where: { $0.map(needed.contains) ?? false }) {
        needed.formUnion(node.uses)
      } else {
        dead.append(node.name)
      }
    }
    return dead.reversed()
  }

  fileprivate func readsHalves(_ node: Node) -> Bool {
    guard let input = node.inputs.first ?? nil else { return false }
    return self[input].type?.dataType == .float16
  }

  /// Names of the constants that normalisations read as variances.
  fileprivate var variances: Set<String> {
    Set(
      nodes.compactMap { node in
        guard node.domain.isEmpty, node.operatorType == "BatchNormalization",
          node.inputs.count > 4
        else { return nil }
        return node.inputs[4].map { self[$0].name }
      })
  }
}
