// Col2ImTests: where columns land, what overlaps, and shapes that do not go together. Operator cases have types and settings.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct Col2ImTests {
  private func run(
    _ columns: Tensor, image: [Int64], block: [Int64], _ attributes: [String: Attribute] = [:]
  ) throws -> Tensor {
    try OperatorCase("Col2Im", attributes).run([columns, Tensor(image), Tensor(block)])[0]
  }

  @Test func pixelsAreSumsOfWhatWasTakenFromThem() throws {
    // Each pixel is in as many windows of 2 x 2 as are counted here.
    let ones = try Tensor([Float](repeating: 1, count: 16), shape: [1, 4, 4])
    let y = try run(ones, image: [3, 3], block: [2, 2])
    expectClose(y, [1, 2, 1, 2, 4, 2, 1, 2, 1], shape: [1, 1, 3, 3])
  }

  @Test func whatLiesInThePaddingIsDropped() throws {
    let ones = try Tensor([Float](repeating: 1, count: 4 * 9), shape: [1, 4, 9])
    let y = try run(
      ones, image: [4, 4], block: [2, 2], ["pads": .ints([1, 1, 1, 1]), "strides": .ints([2, 2])])
    expectClose(y, [Double](repeating: 1, count: 16), shape: [1, 1, 4, 4])
  }

  @Test func boolsAreJoined() throws {
    let columns = try Tensor([true, false, true, true], shape: [1, 2, 2])
    let y = try run(columns, image: [3], block: [2])
    #expect(y.elements(as: Bool.self) == [true, true, true])
  }

  @Test func extentsThatAreNotKnownYetStaySymbols() throws {
    let harness = OperatorHarness("Col2Im")
    let columns = InferredValue(.tensor(.float32, shape: [.symbol("n"), 12, .unknown]))
    let image = InferredValue(
      .tensor(.int64, shape: [2]), known: .dimensions([.symbol("h"), .symbol("w")]))
    let block = InferredValue(
      .tensor(.int64, shape: [2]), known: .tensor(try Tensor([Int64(2), 2])))
    let made = try harness.infer([columns, image, block])[0]
    #expect(
      made?.type
        == .tensor(.float32, shape: [.symbol("n"), 3, .symbol("h"), .symbol("w")]))
  }

  @Test(
    arguments: [
      ([3, 3], [2, 3]), ([3, 3], [2]), ([0, 3], [2, 2]), ([-1, 3], [2, 2]), ([3, 3], [0, 4]),
      ([1, 1], [2, 2]), ([], []), ([4, 4], [2, 2]), ([.max, .max], [2, 2]),
      ([3, 3], [.max, .max]), ([.min, 3], [2, 2]),
    ] as [([Int64], [Int64])])
  func shapesThatDoNotFitAreRefused(image: [Int64], block: [Int64]) throws {
    let columns = try Tensor([Float](repeating: 1, count: 16), shape: [1, 4, 4])
    #expect(throws: OperatorError.self) { try run(columns, image: image, block: block) }
  }
}
