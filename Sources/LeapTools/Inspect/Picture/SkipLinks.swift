// SkipLinks: where tensors are passed around layers, and what for.
//
// A *layer* has weights of its own to multiply with: a convolution, a matrix product. A *join* puts several tensors together:
// an addition, a concatenation, a product. An operand of a join is a *skip* if it also goes another way to the same join, and
// meets a layer there. The families:
//
// - `add`: into an addition: the residual connection of He et al., 2015.
// - `concat`: into a concatenation: the dense connection of Huang et al., 2016.
// - `encoder-decoder`: into either, where the other way makes the picture smaller and then larger again: between the skip and its
//   join something is sampled up that has fewer elements a channel than the skip. Ronneberger et al., 2015.
// - `gate`: into a product: the other way says how much of the tensor goes on. Hu et al., 2017.
//
// Where no operand goes two ways, all paths to an addition still part somewhere: if exactly one of the ways from there has fewest
// layers, and one at most, it is a skip too, a *projection*: the convolution that a residual block has where extents change. Into a
// concatenation that counts only between encoder and decoder, and where extents are those of the fork.

import LeapGraph
import LeapTensors

/// A tensor's way around layers.
package struct SkipLink: Sendable, Hashable {
  package enum Family: String, Sendable, CaseIterable {
    case add, concat, gate
    case encoderDecoder = "encoder-decoder"
  }

  package var family: Family
  /// The vertex that makes the tensor, and the join.
  package var from: Int
  package var to: Int
  /// The vertices of a projection, in order; none where the tensor goes as it is.
  package var via: [Int]
}

/// Finds the skips of a graph. Each join looks at what lies between it and its operands.
struct SkipFinder {
  private let wiring: GraphWiring
  private let isLayer: [Bool]
  /// Of vertices that sample up: the elements of a channel before; -1 where that is not known. nil for the others.
  private let upsampled: [Int?]
  /// The vertex that all paths to a vertex have last in common, besides itself; nil where they begin at several inputs.
  private let forks: [Int?]
  /// Edges that may still be looked at: in odd graphs with very many long joins the last of them are not searched.
  private var budget: Int

  private init(_ wiring: GraphWiring) {
    self.wiring = wiring
    let nodes = wiring.vertices.indices.map { wiring.node($0) }
    isLayer = nodes.map { $0?.isLayer ?? false }
    upsampled = nodes.map { $0?.upsampled }
    budget = 1 << 20 + 256 * wiring.edges.count
    forks = SkipFinder.forks(wiring, &budget)
  }

  /// All skips, in the order of their joins. O(edges · joins) at worst, with a bound.
  static func links(_ wiring: GraphWiring) -> [SkipLink] {
    var finder = SkipFinder(wiring)
    return wiring.vertices.indices.flatMap { finder.links(into: $0) }
  }

  // MARK: one join

  private mutating func links(into join: Int) -> [SkipLink] {
    guard let family = wiring.node(join)?.joinFamily else { return [] }
    let operands = sources(join)
    guard operands.count > 1, let first = operands.first, budget > 0 else { return [] }
    // Where all operands are made by vertices one after the other nothing lies between.
    let detours = Detours(self, from: first, to: join, &budget)
    let direct = operands.filter { detours.layers(from: $0) > 0 }
    if !direct.isEmpty {
      return direct.map { source in
        let isAround = family != .gate && detours.shrinks(from: source, extent: extent(source))
        return SkipLink(
          family: isAround ? .encoderDecoder : family, from: source, to: join, via: [])
      }
    }
    return family == .gate ? [] : projection(join, operands, family).map { [$0] } ?? []
  }

  private mutating func projection(
    _ join: Int, _ operands: [Int], _ family: SkipLink.Family
  ) -> SkipLink? {
    guard let fork = forks[join], budget > 0 else { return nil }
    let layers = layers(from: fork, to: join)
    let ways = operands.map { layers[$0 - fork] }
    guard let least = ways.min(), least <= 1, ways.count(where: { $0 == least }) == 1,
      let source = zip(operands, ways).first(where: { $0.1 == least })?.0, source != fork
    else { return nil }
    let detours = Detours(self, from: fork, to: join, &budget)
    let isAround = detours.shrinks(from: fork, extent: extent(fork))
    if family == .concat {
      guard isAround, let extent = extent(fork), extent == self.extent(source) else { return nil }
    }
    return SkipLink(
      family: isAround ? .encoderDecoder : family, from: fork, to: join,
      via: between(fork, source))
  }

  /// The vertices whose data a vertex reads, ascending.
  private func sources(_ vertex: Int) -> [Int] {
    Set(wiring.incoming[vertex].filter { !wiring.edges[$0].isShape }.map { wiring.edges[$0].from })
      .sorted()
  }

  private func extent(_ vertex: Int) -> Int? {
    switch wiring.vertices[vertex] {
    case .input(let index): wiring.graph.inputs[index].spatialExtent
    case .node(let index): wiring.graph.nodes[index].outputs.first??.spatialExtent
    case .output: nil
    }
  }

  /// The largest number of layers on a way from the fork to each vertex up to the join, the vertex included; 0 where there is no way.
  private mutating func layers(from fork: Int, to join: Int) -> [Int] {
    var layers = [Int](repeating: 0, count: join - fork + 1)
    for vertex in fork + 1..<max(join, fork + 1) {
      for place in wiring.incoming[vertex] {
        let edge = wiring.edges[place]
        budget -= 1
        if edge.isShape || edge.from < fork { continue }
        layers[vertex - fork] = max(layers[vertex - fork], layers[edge.from - fork])
      }
      if isLayer[vertex] { layers[vertex - fork] += 1 }
    }
    return layers
  }

  /// The vertices on the ways from a fork to what it comes before, that included.
  private func between(_ fork: Int, _ end: Int) -> [Int] {
    var found: Set<Int> = [end]
    var open = [end]
    while let vertex = open.popLast() {
      for source in sources(vertex) where source > fork && found.insert(source).inserted {
        open.append(source)
      }
    }
    return found.sorted()
  }

  // MARK: forks

  /// The immediate dominators of all vertices: Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm"; one sweep is
  /// enough, since edges go forward.
  private static func forks(_ wiring: GraphWiring, _ budget: inout Int) -> [Int?] {
    var parents = [Int?](repeating: nil, count: wiring.vertices.count)
    for vertex in wiring.vertices.indices {
      let sources = wiring.incoming[vertex].map { wiring.edges[$0] }.filter { !$0.isShape }
      guard var common = sources.first?.from else { continue }
      var isCommon = true
      for edge in sources.dropFirst() {
        var other = edge.from
        while isCommon, common != other, budget > 0 {
          budget -= 1
          let later = max(common, other)
          guard let parent = parents[later] else {
            isCommon = false
            break
          }
          if common > other { common = parent } else { other = parent }
        }
      }
      if isCommon, budget > 0 { parents[vertex] = common }
    }
    return parents
  }

  /// What the ways from vertices to a join meet, the direct edge left out.
  private struct Detours {
    private let first: Int
    /// The most layers on a way; -1 where there is none but the direct edge.
    private var around: [Int]
    /// The smallest extent that is sampled up on a way; nil where none is.
    private var smallest: [Int?]

    /// One sweep over the vertices between, backward.
    init(_ finder: SkipFinder, from first: Int, to join: Int, _ budget: inout Int) {
      self.first = first
      around = [Int](repeating: -1, count: join - first)
      smallest = [Int?](repeating: nil, count: join - first)
      var reaches = [Bool](repeating: false, count: join - first)
      for vertex in (first..<join).reversed() {
        for place in finder.wiring.outgoing[vertex] {
          let edge = finder.wiring.edges[place]
          budget -= 1
          if edge.isShape || edge.to > join { continue }
          if edge.to == join {
            reaches[vertex - first] = true
            continue
          }
          let next = edge.to - first
          guard reaches[next] else { continue }
          reaches[vertex - first] = true
          let layers = max(around[next], 0) + (finder.isLayer[edge.to] ? 1 : 0)
          around[vertex - first] = max(around[vertex - first], layers)
          for extent in [smallest[next], finder.upsampled[edge.to]].compactMap({ $0 }) {
            smallest[vertex - first] = min(smallest[vertex - first] ?? .max, extent)
          }
        }
      }
    }

    func layers(from vertex: Int) -> Int { around[vertex - first] }

    /// Whether a way from a vertex samples up what has fewer elements a channel than the vertex makes.
    func shrinks(from vertex: Int, extent: Int?) -> Bool {
      guard let smallest = smallest[vertex - first] else { return false }
      return extent.map { smallest < $0 } ?? true
    }
  }
}

extension NodeReport {
  /// The operator without its domain.
  var plainOperator: Substring { operatorName.split(separator: ".").last ?? "" }

  /// Whether it has weights of its own to multiply with.
  fileprivate var isLayer: Bool {
    ["Conv", "Gemm", "MatMul", "Attention", "LSTM", "GRU", "RNN", "Einsum"].contains {
      operatorName.contains($0)
    }
  }

  /// The family of skips into it; nil where it is no join.
  fileprivate var joinFamily: SkipLink.Family? {
    switch plainOperator {
    case "Add", "Sum", "QLinearAdd", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization":
      .add
    case "Concat", "QLinearConcat": .concat
    case "Mul", "QLinearMul": .gate
    // A sum that a pass made a part of another node.
    default: epilogue?.contains("residual") ?? false ? .add : nil
    }
  }

  /// Elements of a channel before it samples up; -1 where that is not known; nil where it does not.
  fileprivate var upsampled: Int? {
    guard
      ["ConvTranspose", "Resize", "Upsample", "DepthToSpace", "MaxUnpool"]
        .contains(plainOperator)
    else { return nil }
    guard let before = inputs.first??.spatialExtent, let after = outputs.first??.spatialExtent
    else { return -1 }
    return before < after ? before : nil
  }
}
