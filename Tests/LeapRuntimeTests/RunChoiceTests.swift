// What a caller may choose for a run or a session: memory for results, extents for symbols, what becomes of denormals.

import LeapGraph
import LeapRuntime
import LeapTensors
import Testing

@Suite struct RunChoiceTests {
  private func session(
    _ model: Model, _ change: (inout SessionConfiguration) -> Void = { _ in }
  ) throws -> SessionCore {
    var configuration = SessionConfiguration()
    change(&configuration)
    return try SessionCore(model: model, configuration: configuration)
  }

  /// A kernel's result, a value that another node reads too, an input handed through, a constant, a shape.
  private func everyOutput() throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 3])
    let a = builder.node("Neg", [x], output: "computed")
    let b = builder.node("Abs", [a], output: "last")
    let c = builder.node("Identity", [x], output: "handed through")
    let d = builder.node(
      "Identity", [builder.constant("c", try ramp([2, 2]))], output: "constant")
    let e = builder.node("Shape", [x], output: "shape")
    return builder.model(outputs: [a, b, c, d, e])
  }

  @Test(arguments: ["computed", "last", "handed through", "constant", "shape"])
  func resultsLieInTheMemoryThatWasGiven(name: String) throws {
    let session = try session(try everyOutput())
    let input = try ramp([4, 3])
    let expected = try #require(try session.run(["x": input])[name])
    let destination = try Tensor(zeros: expected.dataType, shape: expected.shape)
    let results = try session.run(["x": input], into: [name: destination])
    #expect(results[name]?.address == destination.address)
    #expect(destination.withUnsafeBytes { [UInt8]($0) } == expected.withUnsafeBytes { [UInt8]($0) })
    #expect(results.count == 5)
  }

  @Test(
    arguments: ["computed", "handed through", "constant"],
    [(.float32, [4, 2]), (.int32, [4, 3]), (.float32, [12])] as [(DataType, Shape)])
  func memoryOfAnotherTypeOrShapeIsRefused(name: String, other: (DataType, Shape)) throws {
    let session = try session(try everyOutput())
    let destination = try Tensor(zeros: other.0, shape: other.1)
    #expect {
      try session.run(["x": try ramp([4, 3])], into: [name: destination])
    } throws: { error in
      guard case RunError.outputMismatch(name, _, _) = error else { return false }
      return true
    }
  }

  @Test func aBoundSymbolIsAnExtent() throws {
    let session = try session(try everyOutput()) { $0.dimensions = ["n": 4] }
    #expect(session.model.graph[session.model.graph.inputs[0]].type?.fixedShape == [4, 3])
    #expect(session.model.warnings.isEmpty)
    #expect(try session.run(["x": try ramp([4, 3])])["computed"]?.shape == [4, 3])
    #expect(throws: RunError.self) { try session.run(["x": try ramp([5, 3])]) }
  }

  @Test func aSymbolThatNoInputHasIsAWarning() throws {
    let session = try session(try everyOutput()) { $0.dimensions = ["m": 4] }
    #expect(session.model.warnings == ["no input has an extent called 'm'"])
    #expect(try session.run(["x": try ramp([5, 3])])["computed"]?.shape == [5, 3])
  }

  @Test func aNegativeExtentIsRefused() throws {
    let model = try everyOutput()
    #expect(throws: ModelError.self) { try session(model) { $0.dimensions = ["n": -1] } }
  }

  @Test(arguments: [1, 2])
  func denormalsAreKeptUnlessTheyAreToBeFlushed(width: Int) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")])
    let half = builder.constant("half", try Tensor([Float(0.5)]))
    let y = builder.node("Mul", [x, half], output: "y")
    let model = builder.model(outputs: [y])
    let input = try Tensor([Float](repeating: .leastNormalMagnitude, count: 100_000))
    let kept = try session(model) { $0.width = width }.run(["x": input])["y"]
    let flushed = try session(model) {
      $0.width = width
      $0.flushesDenormals = true
    }.run(["x": input])["y"]
    #expect(kept?.elements(as: Float.self)?.allSatisfy { $0 == .leastNormalMagnitude / 2 } == true)
    #expect(flushed?.elements(as: Float.self)?.allSatisfy { $0 == 0 } == true)
    // The caller's thread computes as before.
    #expect(input.elements(as: Float.self)?.first.map { $0 / 2 } == .leastNormalMagnitude / 2)
  }
}
