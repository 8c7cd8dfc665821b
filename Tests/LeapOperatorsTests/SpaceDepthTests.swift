// SpaceDepthTests: DepthToSpace and SpaceToDepth, in both orders, and that they undo each other.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct SpaceDepthTests {
  private func node(_ name: String, _ mode: String?, block: Int = 2) -> OperatorHarness {
    var attributes: [String: Attribute] = ["blocksize": .int(Int64(block))]
    if let mode { attributes["mode"] = .string(Array(mode.utf8)) }
    return OperatorHarness(name, attributes: attributes)
  }

  @Test(
    arguments: [
      (nil, [0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15]),
      ("DCR", [0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15]),
      ("CRD", [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15]),
    ] as [(String?, [Double])])
  func movesChannelsIntoBlocks(_ mode: String?, _ expected: [Double]) throws {
    let x = try Tensor((0..<16).map { Float($0) }, shape: [1, 8, 1, 2])
    expectClose(try node("DepthToSpace", mode).run([x])[0], expected, shape: [1, 2, 2, 4])
  }

  @Test(arguments: ["DCR", "CRD"])
  func undoEachOther(_ mode: String) throws {
    let x = try Tensor((0..<216).map { Int16($0) }, shape: [2, 3, 6, 6])
    let deep = try node("SpaceToDepth", mode, block: 3).run([x])[0]
    #expect(deep.shape == [2, 27, 2, 2])
    let back = try node("DepthToSpace", mode, block: 3).run([deep])[0]
    #expect(back.shape == x.shape)
    #expect(back.elements(as: Int16.self) == x.elements(as: Int16.self))
  }

  @Test func refusesWhatDoesNotDivide() throws {
    let x = try Tensor(zeros: .float32, shape: [1, 6, 3, 4])
    #expect(throws: OperatorError.self) { try node("DepthToSpace", nil).run([x]) }
    #expect(throws: OperatorError.self) { try node("SpaceToDepth", nil).run([x]) }
    #expect(throws: OperatorError.self) { try node("SpaceToDepth", nil, block: 0).run([x]) }
    #expect(throws: OperatorError.self) { try node("SpaceToDepth", nil, block: .max).run([x]) }
  }

  @Test func keepsSymbols() throws {
    let x = InferredValue(.tensor(.float32, shape: [.symbol("N"), 8, .symbol("H"), 5]))
    #expect(
      try node("DepthToSpace", nil).infer([x])[0]?.type.shape
        == [.symbol("N"), 2, .symbol("H") * 2, 10])
  }
}
