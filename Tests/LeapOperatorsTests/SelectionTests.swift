// SelectionTests: Where, Cast, Identity, Dropout.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct SelectionTests {
  @Test func whereBroadcastsAllThree() throws {
    let result = try OperatorHarness("Where").run([
      Tensor([true, false], shape: [2, 1]), Tensor([Float(1), 2, 3]), Tensor(scalar: Float(9)),
    ])[0]
    expectClose(result, [1, 2, 3, 9, 9, 9], shape: [2, 3])
  }

  private func cast(to type: DataType) -> OperatorHarness {
    OperatorHarness("Cast", attributes: ["to": .int(Int64(type.rawValue))])
  }

  @Test func castsCutTowardsZero() throws {
    let x = try Tensor([Float(-1.9), 1.9, 300.5, .nan])
    expectClose(try cast(to: .int32).run([x])[0], [-1, 1, 300, 0])
    expectClose(try cast(to: .uint8).run([x])[0], [255, 1, 44, 0])
    #expect(
      try cast(to: .bool).run([Tensor([Float(0), 0.1, .nan])])[0].elements(as: Bool.self) == [
        false, true, true,
      ])
    expectClose(
      try cast(to: .int64).run([Tensor([1e30, -1e30])])[0], [Double(Int64.max), Double(Int64.min)])
    expectClose(try cast(to: .float32).run([Tensor([true, false])])[0], [1, 0])
  }

  @Test func oldCastsNameTheirType() throws {
    let old = OperatorHarness("Cast", opset: 1, attributes: ["to": .string(Array("INT64".utf8))])
    expectClose(try old.run([Tensor([Float(2.5)])])[0], [2])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Cast", attributes: ["to": .int(99)]).run([Tensor([Float(1)])])
    }
  }

  @Test func castLikeTakesTheTypeOfItsSecondInput() throws {
    let result = try OperatorHarness("CastLike").run([Tensor([Float(2.5)]), Tensor([Int8(0)])])[0]
    #expect(result.elements(as: Int8.self) == [2])
  }

  @Test(arguments: [1, 7, 10, 13])
  func dropoutCopiesInInference(_ opset: Int) throws {
    let outputs = try OperatorHarness("Dropout", opset: opset, outputCount: 2)
      .run([Tensor([Float(1), 2])])
    expectClose(outputs[0], [1, 2])
    #expect(outputs[1].dataType == (opset < 10 ? .float32 : .bool))
    if opset >= 10 { #expect(outputs[1].elements(as: Bool.self) == [true, true]) }
  }

  @Test func dropoutRefusesTraining() throws {
    let dropout = OperatorHarness("Dropout", opset: 13)
    let x = try Tensor([Float(1), 2])
    #expect(throws: OperatorError.self) {
      try dropout.run([x, Tensor(scalar: Float(0.5)), Tensor(scalar: true)])
    }
    expectClose(try dropout.run([x, Tensor(scalar: Float(0)), Tensor(scalar: true)])[0], [1, 2])
  }

  @Test func identityKeepsEveryType() throws {
    #expect(
      try OperatorHarness("Identity").run([Tensor([UInt16(7), 8])])[0].elements(as: UInt16.self)
        == [7, 8])
  }
}
