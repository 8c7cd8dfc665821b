// What pictures of a graph show: the ways around layers with their families, and what repeats itself.

import LeapTensors
import LeapTestSupport
import LeapTools
import Testing

@Suite struct InspectPictureTests {
  /// A model of nodes `(operator, inputs, output)`, each named as its output; `x` is its input of 1 x 8 x 16 x 16, the last its output.
  private func picture(
    _ nodes: [(operator: String, inputs: [String], output: String)], filters: [String] = ["w"]
  ) throws -> GraphPicture {
    let bytes = WireWriter.model {
      for node in nodes {
        $0.node(node.operator, node.inputs, [node.output], name: node.output)
      }
      for name in filters {
        $0.weights(name, [Float](repeating: 0.5, count: 64), shape: [8, 8, 1, 1])
      }
      $0.value(11, "x", shape: [1, 8, 16, 16])
      $0.value(12, nodes.last?.output ?? "x", shape: nil)
    }
    return GraphPicture(try inspected(["-"], input: bytes).graph)
  }

  private func picture(_ model: String) throws -> GraphPicture {
    GraphPicture(try inspected([model]).graph)
  }

  private func names(_ picture: GraphPicture, _ link: SkipLink) -> String {
    func name(_ vertex: Int) -> String { picture.wiring.made(vertex).first ?? "?" }
    let way = [link.from] + link.via + [link.to]
    return "\(link.family.rawValue) \(way.map(name).joined(separator: " "))"
  }

  // MARK: wiring

  @Test func edgesGoForwardAndConstantsAreNotThere() throws {
    for model in smallModels() {
      let wiring = try picture(model).wiring
      #expect(wiring.edges.allSatisfy { $0.from < $0.to && !$0.value.isConstant }, "\(model)")
      #expect(wiring.vertices.count > 3)
      for vertex in wiring.vertices.indices {
        #expect(wiring.incoming[vertex].allSatisfy { wiring.edges[$0].to == vertex })
        #expect(wiring.outgoing[vertex].allSatisfy { wiring.edges[$0].from == vertex })
      }
    }
    let found = try picture([
      ("Conv", ["x", "w"], "a"), ("Neg", ["w"], "k"), ("Conv", ["a", "k"], "b"),
    ])
    // The input, two nodes, the output.
    #expect(found.wiring.vertices.count == 4 && found.wiring.constantNodes == 1)
    #expect(found.wiring.edges.map { [$0.from, $0.to] } == [[0, 1], [1, 2], [2, 3]])
  }

  // MARK: skips

  @Test(
    arguments: [
      // An identity, of a node and of the input.
      (
        [
          ("Relu", ["x"], "r"), ("Conv", ["r", "w"], "a"), ("Conv", ["a", "w"], "b"),
          ("Add", ["b", "r"], "y"),
        ], ["add r y"]
      ),
      ([("Conv", ["x", "w"], "a"), ("Add", ["x", "a"], "y")], ["add x y"]),
      // A projection has one layer, where the other way has more.
      (
        [
          ("Relu", ["x"], "r"), ("Conv", ["r", "w"], "a"), ("Conv", ["a", "w"], "b"),
          ("Conv", ["r", "w"], "s"), ("Relu", ["s"], "t"), ("Add", ["b", "t"], "y"),
        ], ["add r s t y"]
      ),
      // Two ways of one layer are branches.
      ([("Conv", ["x", "w"], "a"), ("Conv", ["x", "w"], "b"), ("Add", ["a", "b"], "y")], []),
      // An activation in several nodes goes around no layer.
      ([("Sigmoid", ["x"], "s"), ("Mul", ["x", "s"], "m"), ("Add", ["m", "x"], "y")], []),
      // A dense layer reads what came before the last one.
      (
        [
          ("Conv", ["x", "w"], "a"), ("Concat", ["x", "a"], "c"), ("Conv", ["a", "w"], "b"),
          ("Concat", ["x", "a", "b"], "y"),
        ], ["concat x c", "concat x y", "concat a y"]
      ),
      // Branches of an Inception block are none.
      (
        [
          ("Conv", ["x", "w"], "a"), ("Conv", ["x", "w"], "b"), ("Conv", ["b", "w"], "c"),
          ("Concat", ["a", "c"], "y"),
        ], []
      ),
      // A gate: pooled, computed, and multiplied.
      (
        [
          ("Relu", ["x"], "r"), ("GlobalAveragePool", ["r"], "p"), ("Conv", ["p", "w"], "a"),
          ("Sigmoid", ["a"], "s"), ("Mul", ["r", "s"], "y"),
        ], ["gate r y"]
      ),
      // Down and up again, into a sum.
      (
        [
          ("Relu", ["x"], "r"), ("GlobalAveragePool", ["r"], "p"), ("Conv", ["p", "w"], "a"),
          ("Upsample16", ["a"], "u"), ("Add", ["u", "r"], "y"),
        ], ["encoder-decoder r y"]
      ),
    ] as [([(String, [String], String)], [String])])
  func skipsHaveFamilies(nodes: [(String, [String], String)], expected: [String]) throws {
    let bytes = WireWriter.model {
      for (name, inputs, output) in nodes {
        // What samples up reads the factors too.
        if name == "Upsample16" {
          $0.node("Resize", inputs + ["", "scales"], [output], name: output)
        } else {
          let axis = name == "Concat" ? [attribute("axis", Int64(1))] : []
          $0.node(name, inputs, [output], name: output, attributes: axis)
        }
      }
      $0.weights("w", [Float](repeating: 0.5, count: 64), shape: [8, 8, 1, 1])
      $0.weights("scales", [1, 1, 16, 16])
      $0.value(11, "x", shape: [1, 8, 16, 16])
      $0.value(12, "y", shape: nil)
    }
    let picture = GraphPicture(try inspected(["-"], input: bytes).graph)
    #expect(picture.links.map { names(picture, $0) } == expected)
  }

  @Test(
    arguments: [
      ("@resnet-digits.onnx", ["add": 6], 2), ("@preresnet-digits.onnx", ["add": 6], 2),
      // A block of four layers, the last of which a concatenation follows: 1 + 2 + 3 + 4 features go around.
      ("@densenet-digits.onnx", ["concat": 30], 0),
      ("@inception-resnet-digits.onnx", ["add": 4], 0),
      ("@unet-shapes.onnx", ["encoder-decoder": 3], 0),
    ] as [(String, [String: Int], Int)])
  func networksHaveTheirSkips(model: String, expected: [String: Int], projections: Int) throws {
    let picture = try picture(model)
    let found = picture.families.map { ($0.family.rawValue, $0.count) }
    #expect(Dictionary(uniqueKeysWithValues: found) == expected)
    #expect(picture.links.count { !$0.via.isEmpty } == projections)
  }

  @Test(
    arguments: [
      ("resnet50", ["add": 16], [2, 3, 5, 2]),
      ("densenet121", ["concat": 21 + 78 + 300 + 136], [6, 12, 24, 16]),
      ("unet", ["encoder-decoder": 4], []),
      ("inception_resnet_v2", ["add": 40], [10, 20, 9]),
      ("inception_v3", [:], nil), ("unet_resnet34", ["add": 16, "encoder-decoder": 4], nil),
      ("efficientnet_b0", ["add": 9, "gate": 16], nil),
      ("mobilenet_v3_large", ["add": 10, "gate": 8], nil),
    ] as [(String, [String: Int], [Int]?)])
  func fullSizeNetworksHaveTheirs(name: String, skips: [String: Int], blocks: [Int]?) throws {
    guard let folder = FullSizeNetworks.folder() else { return }
    let picture = try picture("\(folder)/\(name).onnx")
    let found = picture.families.map { ($0.family.rawValue, $0.count) }
    #expect(Dictionary(uniqueKeysWithValues: found) == skips, "\(name)")
    if let blocks { #expect(picture.blocks.map(\.count) == blocks, "\(name)") }
  }

  /// After the passes sums are a part of convolutions, and still go around some.
  @Test func fusedSumsAreJoinsToo() throws {
    let report = try inspected(["@resnet-digits.onnx", "--stage", "optimized"])
    let picture = GraphPicture(report.graph)
    #expect(!report.graph.nodes.contains { $0.operatorName == "Add" })
    #expect(picture.families.map(\.family) == [.add])
    #expect(picture.links.count == 6)
  }

  /// Values that go around layers are the ones that live long: the picture of the memory gives them their colour.
  @Test func theirMemoryHasTheirColour() throws {
    let picture = onnxInspect(["@unet-shapes.onnx", "--memory", "--format", "svg"]).output
    #expect(picture.contains("class=\"buffer encoder-decoder\""))
    #expect(!picture.contains("class=\"buffer concat\""))
  }

  // MARK: blocks

  @Test func denseLayersAreFolded() throws {
    let blocks = try picture("@densenet-digits.onnx").blocks
    #expect(blocks.map(\.count) == [4, 4, 4] && blocks.map(\.period) == [7, 7, 7])
    #expect(blocks.map(\.kind) == [.dense, .dense, .dense])
    #expect(blocks.map(\.scope) == ["/block1", "/block2", "/block3"])
    #expect(blocks[0].copies == ["/block1/0", "/block1/1", "/block1/2", "/block1/3"])
  }

  @Test func blocksBeginWhereOneValueIsAlive() throws {
    let picture = try picture("@inception-resnet-digits.onnx")
    #expect(picture.blocks.map(\.count) == [2, 2])
    #expect(picture.blocks.map(\.kind) == [.residual, .residual])
    for block in picture.blocks {
      let first = try #require(picture.wiring.node(block.first))
      let last = try #require(picture.wiring.node(block.first + block.period - 1))
      #expect(first.operatorName == "Conv" && last.operatorName == "Relu", "\(block)")
    }
  }

  /// Chains of the same: what differs in an attribute, or in what it reads, is another block.
  @Test func copiesMustBeTheSame() throws {
    func chain(_ count: Int, _ layer: (Int, String, String) -> [(String, [String], String)])
      throws -> [RepeatedBlock]
    {
      let nodes = (0..<count).flatMap { layer($0, $0 == 0 ? "x" : "y\($0 - 1)", "y\($0)") }
      return try picture(nodes.map { (operator: $0.0, inputs: $0.1, output: $0.2) }).blocks
    }
    let same = try chain(6) { index, input, output in
      [("Conv", [input, "w"], "c\(index)"), ("Relu", ["c\(index)"], output)]
    }
    #expect(same.map(\.count) == [6] && same.map(\.period) == [2] && same[0].kind == .plain)
    // Two runs, since one in between reads something else; the first of a run may.
    let broken = try chain(9) { index, input, output in
      [
        ("Conv", [input, "w"], "c\(index)"), ("Relu", ["c\(index)"], "r\(index)"),
        ("Add", ["r\(index)", index == 4 ? "x" : input], output),
      ]
    }
    #expect(broken.map(\.count) == [4, 5], "\(broken)")
    #expect(broken.allSatisfy { $0.kind == .residual && $0.period == 3 })
    // Two of two nodes save nothing.
    let few = try chain(2) { index, input, output in
      [("Conv", [input, "w"], "c\(index)"), ("Relu", ["c\(index)"], output)]
    }
    #expect(few.isEmpty)
  }

  @Test func blocksDoNotOverlap() throws {
    for model in smallModels() {
      let picture = try picture(model)
      var end = 0
      for block in picture.blocks {
        #expect(block.first >= end && block.count > 1, "\(model): \(block)")
        end = block.vertices.upperBound
      }
      #expect(end <= picture.wiring.vertices.count)
    }
  }

  /// A thousand joins over a thousand layers, and a long chain of one operator: what takes more than some steps for each pair
  /// of nodes would hold up all tests.
  @Test func largeGraphsEnd() throws {
    var nodes: [(operator: String, inputs: [String], output: String)] = []
    for index in 0..<3000 {
      let input = index == 0 ? "x" : "y\(index - 1)"
      nodes.append(("Relu", [input], "r\(index)"))
      nodes.append(("Add", ["r\(index)", index % 3 == 0 ? "x" : input], "y\(index)"))
    }
    let report = try inspected(
      ["-"],
      input: WireWriter.model {
        for node in nodes { $0.node(node.operator, node.inputs, [node.output], name: node.output) }
        $0.value(11, "x", shape: [1, 8])
        $0.value(12, "y2999", shape: nil)
      })
    let picture = GraphPicture(report.graph)
    #expect(picture.wiring.vertices.count == 6002)
    #expect((picture.blocks.first?.count ?? 0) > 500)
  }
}
