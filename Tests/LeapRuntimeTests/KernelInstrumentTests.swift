// Instruments: that they see every value as it is, in any layout, and change nothing unless asked.

import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors
import LeapTestSupport
import Synchronization
import Testing

@Suite struct KernelInstrumentTests {
  /// Two convolutions of odd channels with a concat between: blocked, strided and plain operands.
  private func network() throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 5, 9, 7])
    func weights(_ name: String, _ shape: Shape) throws -> ValueID {
      let count = shape.elementCount
      let numbers = (0..<count).map { Float(($0 * 37 + 11) % 17) / 17 - 0.5 }
      return builder.constant(name, try Tensor(numbers, shape: shape))
    }
    let a = builder.node(
      "Conv", [x, try weights("w1", [6, 5, 3, 3])], attributes: ["pads": .ints([1, 1, 1, 1])],
      output: "a")
    let b = builder.node("Relu", [a], output: "b")
    let c = builder.node("Concat", [x, b], attributes: ["axis": .int(1)], output: "c")
    let d = builder.node("Conv", [c, try weights("w2", [21, 11, 1, 1])], output: "d")
    let e = builder.node("Sigmoid", [d], output: "e")
    let f = builder.node("Flatten", [e], output: "f")
    return builder.model(outputs: [f, b])
  }

  private var input: Tensor {
    get throws { try Tensor((0..<315).map { Float($0 % 23) / 23 }, shape: [1, 5, 9, 7]) }
  }

  private func run(
    _ instruments: [KernelInstrument], outputs: [String]? = nil,
    _ change: (inout SessionConfiguration) -> Void = { _ in }
  ) throws -> [String: Tensor] {
    var configuration = SessionConfiguration()
    configuration.width = 2
    change(&configuration)
    configuration.plan.instruments = instruments
    return try SessionCore(model: try network(), configuration: configuration)
      .run(["x": try input], outputs: outputs)
  }

  @Test(arguments: [PlanOptions.Reuse.full, .none], [true, false])
  func whatIsSeenIsWhatIsComputed(reuse: PlanOptions.Reuse, passes: Bool) throws {
    let seen = Mutex<[String: Tensor]>([:])
    let numbers = Mutex<[Int]>([])
    let watching = KernelInstrument.visiting { number, step, output, tensor in
      numbers.withLock { $0.append(number) }
      if let name = step.outputValues[output] { seen.withLock { $0[name] = tensor } }
      return nil
    }
    let change: (inout SessionConfiguration) -> Void = {
      $0.plan.reuse = reuse
      $0.disablesAllPasses = !passes
    }
    let watched = try run([watching], change)
    let values = seen.withLock { $0 }
    #expect(values.keys.contains("b") && values.keys.contains("d") == !passes)
    #expect(Set(numbers.withLock { $0 }).count == values.count)
    // Without an instrument: the same bits, and each value is what was seen of it.
    let plain = try run([], change)
    #expect(Comparison.identical(watched["f"], plain["f"]))
    let all = try run([], outputs: Array(values.keys), change)
    for (name, tensor) in values {
      #expect(Comparison.identical(tensor, all[name]), "\(name)")
    }
  }

  @Test func whatIsGivenReplacesWhatWasMade() throws {
    let replacing = KernelInstrument.visiting { _, step, _, tensor in
      guard step.outputValues.first == "b" else { return nil }
      return try Tensor(zeros: tensor.dataType, shape: tensor.shape)
    }
    let replaced = try run([replacing])
    #expect(replaced["b"]?.elements(as: Float.self)?.allSatisfy { $0 == 0 } == true)
    // What reads it reads the replacement: the same as a network whose first weights are zero.
    #expect(!Comparison.identical(replaced["f"], try run([])["f"]))
    let wrong = KernelInstrument.visiting { _, _, _, _ in try Tensor([Float(1)]) }
    #expect(throws: RunError.self) { try run([wrong]) }
  }

  @Test func instrumentsWrapInOrderAndTellPlansApart() throws {
    let order = Mutex<[Int]>([])
    func noting(_ number: Int) -> KernelInstrument {
      KernelInstrument { step, kernel in
        if step.operatorType == "Sigmoid" { order.withLock { $0.append(number) } }
        return kernel
      }
    }
    _ = try run([noting(1), noting(2)]) { $0.disablesAllPasses = true }
    #expect(order.withLock { $0 } == [1, 2])
    let (a, b) = (noting(1), noting(1))
    #expect(a == a && a != b)
    var (one, other) = (PlanOptions(), PlanOptions())
    one.instruments = [a]
    #expect(one != other)
    other.instruments = [a]
    #expect(one == other)
  }

  @Test func stepsSayWhatTheyAre() throws {
    // Channels and pixels enough to be blocked, an output that must be plain.
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 32, 16, 16])
    let numbers = [Float](repeating: 0.25, count: 9216)
    let w = builder.constant("w", try Tensor(numbers, shape: [32, 32, 3, 3]))
    let pads = ["pads": Attribute.ints([1, 1, 1, 1])]
    let a = builder.node("Conv", [x, w], attributes: pads, output: "a")
    let b = builder.node("Conv", [a, w], attributes: pads, output: "b")
    let steps = Mutex<[BoundStep]>([])
    var configuration = SessionConfiguration()
    configuration.plan.instruments = [
      KernelInstrument { step, kernel in
        steps.withLock { $0.append(step) }
        return kernel
      }
    ]
    _ = try SessionCore(model: builder.model(outputs: [b]), configuration: configuration)
      .run(["x": try Tensor(zeros: .float32, shape: [1, 32, 16, 16])])
    let seen = steps.withLock { $0 }
    let convolutions = seen.filter { $0.operatorType == "Conv" }
    #expect(convolutions.map(\.name) == ["Conv_a", "Conv_b"])
    #expect(convolutions.map(\.origins) == [["Conv_a"], ["Conv_b"]])
    #expect(convolutions.map(\.outputValues) == [["a"], ["b"]])
    for step in convolutions {
      #expect(step.algorithms.count > 1 && step.algorithms.contains(step.algorithm))
      #expect(step.inputs[1]?.shape == [32, 32, 3, 3] && !step.isCopy)
    }
    // What the planner added holds values of the graph too.
    let copies = seen.filter(\.isCopy)
    #expect(!copies.isEmpty)
    for copy in copies {
      let value = copy.inputValues.first ?? nil
      #expect(["x", "a", "b"].contains(value) && copy.outputValues.first == value, "\(copy)")
    }
  }

  @Test(arguments: [DataType.int4, .uint2, .bool, .float16])
  func narrowElementsAreRead(type: DataType) throws {
    let access = try OperandAccess(Operand(type, [3]), place: 0)
    let tensor = try Tensor(dataType: type, shape: [3]) { bytes in
      for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index * 91 + 1) }
    }
    let address = try #require(tensor.address)
    let read = try access.read(address)
    #expect(Comparison.identical(read, tensor))
    let target = try Tensor(zeros: type, shape: [3])
    try access.write(read, to: try #require(target.address))
    #expect(Comparison.identical(target, tensor))
  }
}
