// ModelDiff: in what two models differ: nodes, constants, inputs and outputs.
//
// 1. What computes the same is the same: the order of nodes, producers and comments do not count, and are told apart.
// 2. A node that is called otherwise is one that was renamed, not one that went and one that came.
// 3. Elements that are not there are neither the same nor different.

import LeapFormat
import LeapGraph
import LeapRuntime
import LeapTensors

package struct ModelDiff: Sendable {
  package enum Kind: String, Sendable { case added, removed, renamed, changed }
  package enum Subject: String, Sendable { case node, constant, input, output, opset, function }

  /// One thing in which the models differ.
  package struct Entry: Sendable, Equatable {
    package var kind: Kind
    package var subject: Subject
    /// The path of its graph.
    package var graph: String
    /// Of a node its operator; otherwise the type.
    package var type: String
    package var name: String
    /// What the other model calls it, where that is another name.
    package var otherName: String?
    package var aspects: [NodeChange.Aspect]
  }

  package var model: String
  package var other: String
  package private(set) var entries: [Entry] = []
  /// Constants of other elements.
  package private(set) var weights: [WeightDifference] = []
  /// What differs without counting: producer, comments, metadata.
  package private(set) var remarks: [NodeChange.Aspect] = []
  /// Pairs of nodes, and of constants whose elements were compared.
  package private(set) var matchedNodes = 0
  package private(set) var comparedConstants = 0
  /// Constants whose elements are not where one of the models says.
  package private(set) var uncomparedConstants: [String] = []
  private let tolerance: Double

  package var isSame: Bool { entries.isEmpty && weights.isEmpty }

  /// - Parameters:
  ///   - tolerance: of constants, see `WeightComparison`.
  /// - Throws: what reading constants throws.
  init(
    _ first: (path: String, model: Model), _ second: (path: String, model: Model),
    tolerance: Double
  ) throws {
    model = first.path
    other = second.path
    self.tolerance = tolerance
    compareHeaders(first.model, second.model)
    try compare(first.model.graph, second.model.graph, path: "main")
    try compareFunctions(first.model, second.model)
  }

  // MARK: around the graph

  /// The versions of operators, once for all nodes of a domain.
  private mutating func compareOpsets(
    _ first: [String: Int], _ second: [String: Int], path: String
  ) {
    for domain in Set(first.keys).union(second.keys).sorted() {
      let (mine, theirs) = (first[domain], second[domain])
      if mine == theirs { continue }
      entries.append(
        Entry(
          kind: mine == nil ? .added : theirs == nil ? .removed : .changed, subject: .opset,
          graph: path, type: "opset", name: domain.isEmpty ? "ai.onnx" : domain, otherName: nil,
          aspects: [
            .init(name: "version", before: mine.map(String.init), after: theirs.map(String.init))
          ]))
    }
  }

  private mutating func compareHeaders(_ first: Model, _ second: Model) {
    compareOpsets(first.opsets, second.opsets, path: "main")
    func metadata(_ model: Model) -> String {
      model.metadata.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: ", ")
    }
    for (name, mine, theirs) in [
      ("IR version", "\(first.irVersion)", "\(second.irVersion)"),
      ("producer", first.producerName, second.producerName),
      ("producer version", first.producerVersion, second.producerVersion),
      ("model version", "\(first.modelVersion)", "\(second.modelVersion)"),
      ("domain", first.domain, second.domain), ("graph name", first.graph.name, second.graph.name),
      ("documentation", first.documentation, second.documentation),
      ("metadata", metadata(first), metadata(second)),
    ] where mine != theirs {
      remarks.append(.init(name: name, before: mine, after: theirs))
    }
  }

  private mutating func compareFunctions(_ first: Model, _ second: Model) throws {
    let theirs = Dictionary(second.functions.map { ($0.qualifiedName, $0) }) { first, _ in first }
    let names = Set(first.functions.map(\.qualifiedName))
    for function in first.functions {
      let name = function.qualifiedName
      guard let match = theirs[name] else {
        add(.removed, .function, "main", "function", name)
        continue
      }
      compareOpsets(function.opsets, match.opsets, path: "function \(name)")
      try compare(function.body, match.body, path: "function \(name)")
    }
    for name in theirs.keys.sorted() where !names.contains(name) {
      add(.added, .function, "main", "function", name)
    }
  }

  private mutating func add(
    _ kind: Kind, _ subject: Subject, _ graph: String, _ type: String, _ name: String,
    otherName: String? = nil, _ aspects: [NodeChange.Aspect] = []
  ) {
    entries.append(
      Entry(
        kind: kind, subject: subject, graph: graph, type: type, name: name, otherName: otherName,
        aspects: aspects))
  }

  // MARK: graphs

  private mutating func compare(
    _ mine: Graph, _ theirs: Graph, path: String, captured: [ValueID: ValueID] = [:]
  ) throws {
    let ((first, ours), (second, others)) = (
      mine.withConstantsOfNodes(), theirs.withConstantsOfNodes()
    )
    if ours != others {
      remarks.append(
        .init(name: "Constant nodes of \(path)", before: "\(ours)", after: "\(others)"))
    }
    var matching = NodeMatching(first, second, captured: captured)
    compareInputs(first, second, matching, path)
    for (place, partner) in matching.partners.enumerated() {
      let node = first.nodes[place]
      guard let partner else {
        add(.removed, .node, path, node.qualifiedOperator, node.name)
        continue
      }
      matchedNodes += 1
      try compare(node, second.nodes[partner], first, second, &matching, path)
    }
    for place in matching.added {
      add(.added, .node, path, second.nodes[place].qualifiedOperator, second.nodes[place].name)
    }
    try compareConstants(first, second, matching, path)
    compareOutputs(first, second, matching, path)
  }

  private mutating func compareInputs(
    _ first: Graph, _ second: Graph, _ matching: NodeMatching, _ path: String
  ) {
    let mine = first.requiredInputs
    for id in mine {
      let type = first[id].type?.description ?? "of unknown type"
      guard let match = matching.values[id] else {
        add(.removed, .input, path, type, first[id].name)
        continue
      }
      compareNames(.input, path, type, first[id].name, second[match].name)
      let other = second[match].type?.description ?? "of unknown type"
      if type != other {
        add(
          .changed, .input, path, type, first[id].name,
          [.init(name: "type", before: type, after: other)])
      }
    }
    let matched = Set(mine.compactMap { matching.values[$0] })
    for id in second.requiredInputs where !matched.contains(id) {
      add(.added, .input, path, second[id].type?.description ?? "of unknown type", second[id].name)
    }
  }

  private mutating func compareNames(
    _ subject: Subject, _ path: String, _ type: String, _ name: String, _ other: String
  ) {
    if name != other { add(.renamed, subject, path, type, name, otherName: other) }
  }

  private mutating func compareOutputs(
    _ first: Graph, _ second: Graph, _ matching: NodeMatching, _ path: String
  ) {
    for place in 0..<max(first.outputs.count, second.outputs.count) {
      let mine = place < first.outputs.count ? first.outputs[place] : nil
      let theirs = place < second.outputs.count ? second.outputs[place] : nil
      guard let mine else {
        if let theirs { add(.added, .output, path, "output \(place)", second[theirs].name) }
        continue
      }
      guard let theirs else {
        add(.removed, .output, path, "output \(place)", first[mine].name)
        continue
      }
      compareNames(.output, path, "output \(place)", first[mine].name, second[theirs].name)
      if matching.values[mine] != theirs {
        add(
          .changed, .output, path, "output \(place)", first[mine].name,
          [.init(name: "it is made by another node", before: nil, after: nil)])
      }
    }
  }

  // MARK: nodes

  private mutating func compare(
    _ node: Node, _ other: Node, _ first: Graph, _ second: Graph, _ matching: inout NodeMatching,
    _ path: String
  ) throws {
    let type = node.qualifiedOperator
    if node.name != other.name, !(node.name.hasPrefix("#") && other.name.hasPrefix("#")) {
      add(.renamed, .node, path, type, node.name, otherName: other.name)
    }
    var aspects: [NodeChange.Aspect] = []
    for index in 0..<max(node.inputs.count, other.inputs.count) {
      let mine = index < node.inputs.count ? node.inputs[index] : nil
      let theirs = index < other.inputs.count ? other.inputs[index] : nil
      if let mine, let theirs, first.constants[mine] != nil, second.constants[theirs] != nil {
        matching.match(mine, theirs)
      }
      if mine.flatMap({ matching.values[$0] }) == theirs, (mine == nil) == (theirs == nil) {
        continue
      }
      aspects.append(
        .init(
          name: "input \(index)", before: mine.map { first[$0].name },
          after: theirs.map { second[$0].name }))
    }
    let (made, others) = (
      node.outputs.filter { $0 != nil }.count, other.outputs.filter { $0 != nil }.count
    )
    if made != others {
      aspects.append(.init(name: "outputs", before: "\(made)", after: "\(others)"))
    }
    aspects += try attributes(node, other, first, second, path)
    if !aspects.isEmpty {
      add(
        .changed, .node, path, type, node.name,
        otherName: node.name == other.name ? nil : other.name, aspects)
    }
    try compareSubgraphs(node, other, matching, path)
  }

  private mutating func attributes(
    _ node: Node, _ other: Node, _ first: Graph, _ second: Graph, _ path: String
  ) throws -> [NodeChange.Aspect] {
    var aspects: [NodeChange.Aspect] = []
    for name in Set(node.attributes.keys).union(other.attributes.keys).sorted() {
      let (mine, theirs) = (node.attributes[name], other.attributes[name])
      if case .tensor(let a)? = mine, case .tensor(let b)? = theirs, a.isLike(b) {
        let value = node.outputs.first.flatMap { $0 }.map { first[$0].name } ?? node.name
        try compareElements(a, b, path, value, value)
        continue
      }
      if mine == nil, other.states(defaultOf: name, in: second) { continue }
      if theirs == nil, node.states(defaultOf: name, in: first) { continue }
      let (before, after) = (mine?.summary, theirs?.summary)
      if before != after { aspects.append(.init(name: name, before: before, after: after)) }
    }
    return aspects
  }

  private mutating func compareSubgraphs(
    _ node: Node, _ other: Node, _ matching: NodeMatching, _ path: String
  ) throws {
    let theirs = other.subgraphs
    for (place, (attribute, graph)) in node.subgraphs.enumerated() where place < theirs.count {
      let match = theirs[place].graph
      var captured: [ValueID: ValueID] = [:]
      for capture in graph.captures {
        guard let outer = matching.values[capture.outer],
          let inner = match.captures.first(where: { $0.outer == outer })?.inner
        else { continue }
        captured[capture.inner] = inner
      }
      try compare(graph, match, path: "\(path)/\(node.name)/\(attribute)", captured: captured)
    }
    if node.subgraphs.count != theirs.count {
      let counts = (node.subgraphs.count, theirs.count)
      add(
        .changed, .node, path, node.qualifiedOperator, node.name,
        [.init(name: "subgraphs", before: "\(counts.0)", after: "\(counts.1)")])
    }
  }

  // MARK: constants

  private mutating func compareConstants(
    _ first: Graph, _ second: Graph, _ matching: NodeMatching, _ path: String
  ) throws {
    for (id, constant) in first.constants.sorted(by: { $0.key < $1.key }) {
      let name = first[id].name
      guard let match = matching.values[id], let other = second.constants[match] else {
        add(.removed, .constant, path, constant.typeText, name)
        continue
      }
      compareNames(.constant, path, constant.typeText, name, second[match].name)
      if !constant.isLike(other) {
        add(
          .changed, .constant, path, constant.typeText, name,
          [.init(name: "type", before: constant.typeText, after: other.typeText)])
      }
      if constant.isComparable(other) {
        try compareElements(constant, other, path, name, second[match].name)
      }
    }
    let matched = Set(first.constants.keys.compactMap { matching.values[$0] })
    for (id, constant) in second.constants.sorted(by: { $0.key < $1.key })
    where !matched.contains(id) {
      add(.added, .constant, path, constant.typeText, second[id].name)
    }
  }

  private mutating func compareElements(
    _ constant: Constant, _ other: Constant, _ path: String, _ name: String, _ otherName: String
  ) throws {
    if constant.isAbsent || other.isAbsent {
      uncomparedConstants.append(name)
      return
    }
    comparedConstants += 1
    let (mine, theirs) = (try constant.tensor(), try other.tensor())
    guard let found = WeightComparison.difference(mine, theirs, tolerance: tolerance) else {
      return
    }
    weights.append(
      WeightDifference(
        graph: path, name: name, otherName: otherName, dataType: constant.dataType,
        shape: constant.shape, count: found.count, largest: found.largest,
        relative: found.relative, overall: found.overall))
  }
}

extension Constant {
  fileprivate var typeText: String { "\(dataType) \(shape)" }

  fileprivate func isLike(_ other: Constant) -> Bool {
    dataType == other.dataType && shape == other.shape
  }

  /// Whether elements can be held against each other: those of one type, or floats of any.
  fileprivate func isComparable(_ other: Constant) -> Bool {
    isLike(other)
      || shape == other.shape && dataType.isFloatingPoint && other.dataType.isFloatingPoint
  }
}
