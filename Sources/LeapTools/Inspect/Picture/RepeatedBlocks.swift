// RepeatedBlocks: parts of a graph that are the same several times in a row, so that pictures show one of them and a number.
//
// Two parts are the same if they have the same operators with the same attributes, read each other in the same way, and read as much
// from outside; extents, weights, and the number of groups and of operands of a concatenation may differ, as they do where
// channels become more from layer to layer. Copies stand one behind the other in the order of the file, without gaps.

import LeapGraph

/// A part of a graph, and how often it comes.
package struct RepeatedBlock: Sendable, Equatable {
  package enum Kind: String, Sendable {
    /// Something is added to what went around it.
    case residual = "residual block"
    /// Its results are concatenated to what went around it.
    case dense = "dense layer"
    /// A tensor is multiplied with what was made of it.
    case gated = "gated block"
    case plain = "block"
  }

  /// Its first vertex, and how many each copy has.
  package var first: Int
  package var period: Int
  package var count: Int
  package var kind: Kind
  /// What the names of all its nodes begin with, and those of each copy's.
  package var scope: String
  package var copies: [String]

  /// All its vertices.
  package var vertices: Range<Int> { first..<first + period * count }
}

/// Finds repeated blocks. The wider apart two copies may be, the longer it takes: O(vertices · `longest`).
struct BlockFinder {
  /// Vertices that a copy has at most.
  private static let longest = 256
  /// Vertices that a copy usually has at most.
  private static let usualPeriod = 24.0
  /// Vertices that folding must save.
  private static let leastSaved = 7

  private let wiring: GraphWiring
  private let links: [SkipLink]
  /// What a vertex does, as a number.
  private var keys: [Int] = []
  /// Values that are alive before each vertex, without those that concatenations read later; and whether the one of them is read
  /// several times.
  private var crossing: [Int] = []
  private var isFork: [Bool] = []
  /// Skips between encoder and decoder begin or end at so many vertices before each: they are not folded away.
  private var ends: [Int] = []

  private init(_ wiring: GraphWiring, _ links: [SkipLink]) {
    self.wiring = wiring
    self.links = links
    setKeys()
    setCrossing()
  }

  /// The blocks, none of which overlap, in the order of the graph.
  static func blocks(_ wiring: GraphWiring, _ links: [SkipLink]) -> [RepeatedBlock] {
    let finder = BlockFinder(wiring, links)
    return finder.chosen(from: finder.stretches()).map(finder.block)
      .sorted { $0.first < $1.first }
  }

  // MARK: what is compared

  private mutating func setKeys() {
    var numbers: [String: Int] = [:]
    keys = wiring.vertices.indices.map { vertex in
      guard let node = wiring.node(vertex) else { return -1 - vertex }
      let attributes = node.attributes.map { name, value in
        "\(name)=\(name == "group" && value != "1" ? "many" : value)"
      }
      let key = ([node.operatorName] + attributes).joined(separator: "\u{0}")
      return numbers[key]
        ?? {
          numbers[key] = numbers.count
          return numbers.count - 1
        }()
    }
  }

  private mutating func setCrossing() {
    var skipped = Set<[Int]>()
    for link in links where link.family == .concat || link.family == .encoderDecoder {
      skipped.insert([link.from, link.to])
    }
    var changes = [Int](repeating: 0, count: wiring.vertices.count + 2)
    var readers = [Int](repeating: 0, count: wiring.vertices.count)
    for vertex in wiring.vertices.indices {
      let ends = Set(wiring.outgoing[vertex].map { wiring.edges[$0].to })
        .filter { !skipped.contains([vertex, $0]) }
      readers[vertex] = ends.count
      guard let last = ends.max() else { continue }
      changes[vertex + 1] += 1
      changes[last + 1] -= 1
    }
    var live = 0
    crossing = wiring.vertices.indices.map { vertex in
      live += changes[vertex]
      return live
    }
    var isEnd = [Bool](repeating: false, count: wiring.vertices.count)
    for link in links where link.family == .encoderDecoder {
      isEnd[link.from] = true
      isEnd[link.to] = true
    }
    ends = isEnd.reduce(into: [0]) { $0.append($0[$0.count - 1] + ($1 ? 1 : 0)) }
    isFork = wiring.vertices.indices.map { $0 > 0 && readers[$0 - 1] > 1 }
  }

  // MARK: candidates

  /// Vertices in which everything equals what comes `period` vertices later.
  private struct Stretch {
    var range: Range<Int>
    var period: Int
    var best: Choice?

    /// What folding it is good for: vertices saved, but less where copies are so long that they are no blocks but halves of a
    /// network.
    var worth: Double {
      Double(best?.saved ?? 0) / (1 + Double(period) / BlockFinder.usualPeriod)
    }

    func isWorse(than other: Stretch) -> Bool {
      if worth != other.worth { return worth < other.worth }
      if period != other.period { return period > other.period }
      return range.lowerBound > other.range.lowerBound
    }
  }

  private struct Choice {
    var first: Int
    var count: Int
    var saved: Int
  }

  private func stretches() -> [Stretch] {
    var found: [Stretch] = []
    // A stretch that is a good one with a shorter period is no news.
    var known: [Range<Int>: [Int]] = [:]
    for period in 1..<max(min(keys.count / 2, BlockFinder.longest) + 1, 1) {
      var first = 0
      for place in 0...keys.count - period {
        if place + period < keys.count, keys[place] == keys[place + period] { continue }
        let range = first..<place + period
        first = place + 1
        guard range.count >= 2 * period, range.count - period >= BlockFinder.leastSaved,
          !(known[range] ?? []).contains(where: { period % $0 == 0 })
        else { continue }
        guard let stretch = evaluated(Stretch(range: range, period: period)) else { continue }
        known[range, default: []].append(period)
        found.append(stretch)
      }
    }
    return found
  }

  /// Those that save most, without overlaps.
  private func chosen(from stretches: [Stretch]) -> [(first: Int, period: Int, count: Int)] {
    // The best is the last.
    var open = stretches.sorted { $0.isWorse(than: $1) }
    var isTaken = [Bool](repeating: false, count: keys.count)
    var chosen: [(first: Int, period: Int, count: Int)] = []
    while let stretch = open.popLast() {
      guard let best = stretch.best else { continue }
      let range = best.first..<best.first + best.count * stretch.period
      if !range.contains(where: { isTaken[$0] }) {
        for vertex in range { isTaken[vertex] = true }
        chosen.append((best.first, stretch.period, best.count))
      }
      for rest in stretch.range.runs({ !isTaken[$0] }) {
        guard let part = evaluated(Stretch(range: rest, period: stretch.period)) else { continue }
        open.insert(part, at: open.firstIndex { part.isWorse(than: $0) } ?? open.count)
      }
    }
    return chosen
  }

  /// With its best choice; nil where there is none.
  private func evaluated(_ stretch: Stretch) -> Stretch? {
    var stretch = stretch
    let period = stretch.period
    guard stretch.range.count >= 2 * period else { return nil }
    let last = min(stretch.range.lowerBound + period, stretch.range.upperBound - 2 * period + 1)
    let starts = (stretch.range.lowerBound..<last).map { first in
      let count = (stretch.range.upperBound - first) / period
      let cuts = (1..<count).map { first + $0 * period }
      return (
        first: first, count: count, crossing: cuts.map { crossing[$0] }.max() ?? 0,
        forks: cuts.count { isFork[$0] } * 2 > cuts.count
      )
    }.sorted { a, b in
      if a.crossing != b.crossing { return a.crossing < b.crossing }
      if a.forks != b.forks { return a.forks }
      return (b.count, a.first) < (a.count, b.first)
    }
    for start in starts.prefix(3) {
      let (first, count) = sameCopies(start.first, start.count, period)
      let saved = (count - 1) * period
      // What the last copy makes is seen at the folded block.
      guard ends[first] == ends[max(first + count * period - 1, first)] else { continue }
      guard count > 1, saved >= BlockFinder.leastSaved, saved > stretch.best?.saved ?? 0,
        stretch.best == nil || start.crossing == starts[0].crossing
      else { continue }
      stretch.best = Choice(first: first, count: count, saved: saved)
      if count == start.count { break }
    }
    return stretch.best == nil ? nil : stretch
  }

  // MARK: wiring

  /// The longest run of copies that are wired in the same way.
  private func sameCopies(_ first: Int, _ count: Int, _ period: Int) -> (first: Int, count: Int) {
    let shapes = (0..<count).map { wires(of: first + $0 * period, period) }
    var best = (first: 0, count: 1)
    var start = 0
    for copy in 1..<max(count, 1) {
      if shapes[copy].inside != shapes[copy - 1].inside { start = copy }
      // The first of a run reads something else than a copy of itself.
      if copy - start > 1, shapes[copy].outside != shapes[copy - 1].outside { start = copy - 1 }
      if copy - start + 1 > best.count { best = (start, copy - start + 1) }
    }
    return (first + best.first * period, best.count)
  }

  /// What each vertex of a copy reads: in the copy, by its place there; outside, of the copy before or anything.
  private func wires(of first: Int, _ period: Int) -> (inside: [Int], outside: [Int]) {
    var (inside, outside): ([Int], [Int]) = ([], [])
    for vertex in first..<first + period {
      let isList = wiring.node(vertex)?.plainOperator.hasSuffix("Concat") ?? false
      inside.append(-1)
      for place in wiring.incoming[vertex] {
        let source = wiring.edges[place].from
        if source >= first {
          inside.append(source - first)
        } else if !isList {
          inside.append(-2)
          outside.append(source >= first - period ? source - first : -period - 1)
        }
      }
    }
    return (inside, outside)
  }

  // MARK: what it is

  private func block(_ choice: (first: Int, period: Int, count: Int)) -> RepeatedBlock {
    let all = choice.first..<choice.first + choice.period * choice.count
    let families = Set(links.filter { all.contains($0.to) }.map(\.family))
    let kind: RepeatedBlock.Kind =
      families.contains(.add)
      ? .residual : families.contains(.concat) ? .dense : families.contains(.gate) ? .gated : .plain
    let names = all.map { wiring.node($0)?.name ?? "" }
    func scope(_ copy: Int) -> String {
      names[copy * choice.period..<(copy + 1) * choice.period].commonScope
    }
    return RepeatedBlock(
      first: choice.first, period: choice.period, count: choice.count, kind: kind,
      scope: names[...].commonScope, copies: (0..<choice.count).map(scope))
  }
}

extension Range<Int> {
  /// The parts in which everything fits.
  fileprivate func runs(_ fits: (Int) -> Bool) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var start = lowerBound
    for place in lowerBound...upperBound where place == upperBound || !fits(place) {
      if start < place { found.append(start..<place) }
      start = place + 1
    }
    return found
  }
}

extension ArraySlice<String> {
  /// The longest scope, up to a `/` or `.`, that most of the names are in, so that it is told what a part is called even where
  /// it begins or ends with a node of the next.
  fileprivate var commonScope: String {
    var counts: [Substring: Int] = [:]
    for name in self {
      for place in name.indices where name[place] == "/" || name[place] == "." {
        counts[name[..<place], default: 0] += 1
      }
    }
    let common = counts.filter { $0.value * 3 >= count * 2 }.max { a, b in
      (a.key.count, b.key) < (b.key.count, a.key)
    }
    return common.map { String($0.key) } ?? ""
  }
}
