// NodeMatching: which node of one graph is which of another, though names and wiring may have changed.
//
// 1. Names first, where there are any; then names of outputs; then what nodes do with values that are matched already; and
//    last the order in which the rest comes.
// 2. A node has one partner at most, of its own operator.

import LeapGraph
import LeapRuntime
import LeapTensors

/// Pairs of nodes and values of two graphs.
struct NodeMatching {
  /// For each node of the first graph its partner in the second.
  private(set) var partners: [Int?]
  /// For values of the first graph those of the second that stand for them.
  private(set) var values: [ValueID: ValueID] = [:]
  /// Values of the second graph that stand for one of the first.
  private var images: Set<ValueID> = []
  private let first: Graph
  private let second: Graph
  private var isTaken: [Bool]

  /// - Parameters:
  ///   - captured: for what the first graph captures, the second's own values for the same.
  init(_ first: Graph, _ second: Graph, captured: [ValueID: ValueID] = [:]) {
    self.first = first
    self.second = second
    partners = Array(repeating: nil, count: first.nodes.count)
    isTaken = Array(repeating: false, count: second.nodes.count)
    for (mine, theirs) in captured { assign(mine, theirs) }
    matchInputs()
    matchConstants()
    matchNames { node, _ in node.hasOwnName ? node.name : nil }
    matchNames { node, graph in node.outputs.first.flatMap { $0 }.map { graph[$0].name } }
    matchByInputs()
    matchByOrder()
    matchByInputs()
  }

  /// Nodes of the second graph without a partner.
  var added: [Int] { isTaken.indices.filter { !isTaken[$0] } }

  /// Takes two values for one another, where neither has a partner.
  mutating func match(_ value: ValueID, _ other: ValueID) {
    if values[value] == nil, !images.contains(other) { assign(value, other) }
  }

  private mutating func assign(_ value: ValueID, _ other: ValueID) {
    values[value] = other
    images.insert(other)
  }

  private mutating func pair(_ node: Int, _ other: Int) {
    partners[node] = other
    isTaken[other] = true
    for case (let mine?, let theirs?) in zip(
      first.nodes[node].outputs, second.nodes[other].outputs)
    { assign(mine, theirs) }
  }

  // MARK: values

  private mutating func matchInputs() {
    let (mine, theirs) = (first.requiredInputs, second.requiredInputs)
    let names = Dictionary(theirs.map { (second[$0].name, $0) }) { first, _ in first }
    let left = theirs.filter { id in !mine.contains { first[$0].name == second[id].name } }
    var rest = left[...]
    for id in mine {
      if let other = names[first[id].name] ?? rest.popFirst() { assign(id, other) }
    }
  }

  private mutating func matchConstants() {
    let names = Dictionary(second.constants.keys.map { (second[$0].name, $0) }) { first, _ in first
    }
    for id in first.constants.keys {
      if let other = names[first[id].name] { assign(id, other) }
    }
  }

  // MARK: nodes

  /// Pairs nodes of one operator that have the same key, where a key occurs once in each graph.
  private mutating func matchNames(_ key: (Node, Graph) -> String?) {
    func places(_ graph: Graph, _ isFree: (Int) -> Bool) -> [String: [Int]] {
      var places: [String: [Int]] = [:]
      for (place, node) in graph.nodes.enumerated() where isFree(place) {
        if let key = key(node, graph) { places[key, default: []].append(place) }
      }
      return places
    }
    let mine = places(first) { partners[$0] == nil }
    let theirs = places(second) { !isTaken[$0] }
    for (key, own) in mine {
      guard own.count == 1, let others = theirs[key], others.count == 1,
        first.nodes[own[0]].qualifiedOperator == second.nodes[others[0]].qualifiedOperator
      else { continue }
      pair(own[0], others[0])
    }
  }

  /// Pairs nodes that do the same with values that have partners. Constants may be any.
  private mutating func matchByInputs() {
    var candidates: [[String]: [Int]] = [:]
    for (place, node) in second.nodes.enumerated() where !isTaken[place] {
      let key = key(of: node, constants: second) { $0 }
      if let key { candidates[key, default: []].append(place) }
    }
    for (place, node) in first.nodes.enumerated() where partners[place] == nil {
      guard let key = key(of: node, constants: first, { values[$0] }),
        let alike = candidates[key]?.filter({ !isTaken[$0] }), let any = alike.first
      else { continue }
      let signature = node.signature
      pair(place, alike.first { second.nodes[$0].signature == signature } ?? any)
    }
  }

  /// The operator and the second graph's values for what a node reads; nil where one has none, or it reads constants alone.
  private func key(
    of node: Node, constants graph: Graph, _ partner: (ValueID) -> ValueID?
  ) -> [String]? {
    var key = [node.qualifiedOperator]
    var readsValues = false
    for input in node.inputs {
      guard let input else {
        key.append("-")
        continue
      }
      if graph.constants[input] != nil {
        key.append("constant")
        continue
      }
      guard let value = partner(input) else { return nil }
      readsValues = true
      key.append("\(value.index)")
    }
    return readsValues ? key : nil
  }

  /// A node that is left, with a number that stands for its operator and attributes.
  private typealias Rest = (place: Int, signature: Int)

  /// Pairs the nodes that are left in the order in which they come, where operators and attributes are alike.
  private mutating func matchByOrder() {
    var numbers: [String: Int] = [:]
    func rest(_ places: [Int], _ graph: Graph) -> [Rest] {
      places.map { place in
        let signature = graph.nodes[place].signature
        let number = numbers[signature] ?? numbers.count
        numbers[signature] = number
        return (place, number)
      }
    }
    var mine = rest(partners.indices.filter { partners[$0] == nil }, first)
    var theirs = rest(added, second)
    // Most of what is in one graph alone has nothing like it in the other.
    let (own, others) = (Set(mine.map(\.signature)), Set(theirs.map(\.signature)))
    mine.removeAll { !others.contains($0.signature) }
    theirs.removeAll { !own.contains($0.signature) }
    let pairs =
      mine.count + theirs.count <= NodeMatching.alignedNodes
      ? NodeMatching.aligned(mine, theirs) : NodeMatching.ranked(mine, theirs)
    for (node, other) in pairs { pair(node, other) }
  }

  /// Nodes that are aligned at most: time and memory grow with the square of those that do not fit.
  private static let alignedNodes = 8000

  /// The longest series of pairs in the order of both.
  private static func aligned(_ mine: [Rest], _ theirs: [Rest]) -> [(Int, Int)] {
    var (removed, inserted): (Set<Int>, Set<Int>) = ([], [])
    for change in theirs.map(\.signature).difference(from: mine.map(\.signature)) {
      switch change {
      case .remove(let offset, _, _): removed.insert(offset)
      case .insert(let offset, _, _): inserted.insert(offset)
      }
    }
    let kept = mine.indices.filter { !removed.contains($0) }.map { mine[$0].place }
    let found = theirs.indices.filter { !inserted.contains($0) }.map { theirs[$0].place }
    return Array(zip(kept, found))
  }

  /// The first of each kind with the first of its kind, and so on.
  private static func ranked(_ mine: [Rest], _ theirs: [Rest]) -> [(Int, Int)] {
    let others = Dictionary(grouping: theirs, by: \.signature)
    return Dictionary(grouping: mine, by: \.signature).flatMap { signature, own in
      zip(own.map(\.place), (others[signature] ?? []).map(\.place))
    }
  }
}

extension Graph {
  /// Inputs without a default.
  var requiredInputs: [ValueID] { inputs.filter { constants[$0] == nil } }
}

extension Node {
  /// Whether the file names it; otherwise its name is its place.
  fileprivate var hasOwnName: Bool {
    !(name.hasPrefix("#") && name.dropFirst().allSatisfy(\.isNumber))
  }

  /// Operator and attributes.
  fileprivate var signature: String {
    let list = attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.summary ?? "")" }
    return ([qualifiedOperator] + list).joined(separator: "\u{0}")
  }
}
