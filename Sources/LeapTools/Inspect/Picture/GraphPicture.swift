// GraphPicture: what a picture of a graph shows: its wiring, the ways around layers, what repeats itself.

package struct GraphPicture: Sendable {
  package let wiring: GraphWiring
  package let links: [SkipLink]
  package let blocks: [RepeatedBlock]

  package init(_ graph: GraphReport) {
    wiring = GraphWiring(graph)
    links = SkipFinder.links(wiring)
    blocks = BlockFinder.blocks(wiring, links)
  }

  /// Skips by family, the families that occur.
  package var families: [(family: SkipLink.Family, count: Int)] {
    SkipLink.Family.allCases.map { family in (family, links.count { $0.family == family }) }
      .filter { $0.count > 0 }
  }

  /// The families of skips that go from what makes a value, by the value's name.
  var familiesOfValues: [String: SkipLink.Family] {
    var found: [String: SkipLink.Family] = [:]
    for link in links where link.via.isEmpty {
      for name in wiring.made(link.from) where found[name] == nil { found[name] = link.family }
    }
    return found
  }
}
