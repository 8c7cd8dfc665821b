// SelectionTests: Where, Identity, Dropout.

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

  @Test(arguments: [1, 7, 10, 13])
  func dropoutCopiesInInference(_ opset: Int) throws {
    let outputs = try OperatorHarness("Dropout", opset: opset, outputCount: 2)
      .run([Tensor([Float(1), 2])])
    expectClose(outputs[0], [1, 2])
    #expect(outputs[1].dataType == (opset < 10 ? .float32 : .bool))
    if opset >= 10 { #expect(outputs[1].elements(as: Bool.self) == [true, true]) }
  }

  /// What NumPy draws after `numpy.random.seed(0)`: 0.5488, 0.7152, 0.6028, 0.5449, 0.4237, 0.6459, 0.4376, 0.8918.
  @Test(arguments: [(0.6, [0, 1, 1, 0, 0, 1, 0, 1]), (0.8, [0, 0, 0, 0, 0, 0, 0, 1])])
  func dropoutDrawsAsNumPyDoes(_ ratio: Double, _ kept: [Int]) throws {
    var dropout = OperatorHarness(
      "Dropout", opset: 13, attributes: ["seed": .int(0)], outputCount: 2)
    let x = (1...8).map(Double.init)
    let inputs = [try Tensor(x), try Tensor(scalar: Float(ratio)), try Tensor(scalar: true)]
    let outputs = try dropout.run(inputs)
    expectClose(
      outputs[0], zip(x, kept).map { $0 * Double($1) / (1 - Double(Float(ratio))) },
      relative: 1e-9)
    #expect(outputs[1].integers == kept)
    dropout.outputCount = 1
    expectClose(try dropout.run(inputs)[0], outputs[0].doubles)
  }

  @Test func dropoutWithoutASeedIsNeverFolded() throws {
    let given = [true, true, true]
    let dropout = OperatorHarness("Dropout", opset: 13)
    #expect(try !dropout.makeOperator(given: given).isDeterministic)
    #expect(try dropout.makeOperator(given: [true]).isDeterministic)
    let x = try Tensor([Float](repeating: 1, count: 10_000))
    let inputs = [x, try Tensor(scalar: Float(0.25)), try Tensor(scalar: true)]
    let result = try dropout.run(inputs)[0].doubles
    let kept = result.count { $0 != 0 }
    #expect(result.allSatisfy { $0 == 0 || abs($0 - 4.0 / 3) < 1e-6 })
    #expect((7000...8000).contains(kept))
  }

  @Test func dropoutOfNothingOrEverything() throws {
    let dropout = OperatorHarness("Dropout", opset: 13)
    let x = try Tensor([Float(1), 2])
    expectClose(try dropout.run([x, Tensor(scalar: Float(0)), Tensor(scalar: true)])[0], [1, 2])
    expectClose(
      try dropout.run([x, Tensor(scalar: Float(0.5)), Tensor(scalar: false)])[0], [1, 2])
    for ratio: Float in [1, -0.5, .nan] {
      #expect(throws: OperatorError.self) {
        try dropout.run([x, Tensor(scalar: ratio), Tensor(scalar: true)])
      }
    }
  }

  @Test func identityKeepsEveryType() throws {
    #expect(
      try OperatorHarness("Identity").run([Tensor([UInt16(7), 8])])[0].elements(as: UInt16.self)
        == [7, 8])
  }
}
