// PlanDescription: it is what the segment does, and says why values share memory or do not.

import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors
import Testing

@Suite struct PlanDescriptionTests {
  private func study(
    _ builder: ModelBuilder, outputs: [ValueID],
    _ configure: (inout SessionConfiguration) -> Void = { _ in }
  ) throws -> PlanStudy {
    var configuration = SessionConfiguration()
    configuration.width = 1
    configure(&configuration)
    let model = builder.model(outputs: outputs)
    let graph = try configuration.optimized(model.graph)
    var inputs: [ValueID: ValueType] = [:]
    for id in model.graph.inputs { inputs[id] = model.graph[id].type }
    return try PlanStudy(graph, configuration, inputs: inputs)
  }

  /// x, and a chain of nodes that no pass removes.
  private func builder(_ shape: [Dimension] = [2, 64]) -> (ModelBuilder, ValueID) {
    var builder = ModelBuilder()
    let x = builder.input("x", shape)
    return (builder, x)
  }

  private func decision(
    _ description: PlanDescription, _ node: String, _ kind: SharingDecision.Kind, input: Int = 0
  ) -> SharingDecision? {
    description.decisions.first {
      $0.kind == kind && $0.input == input && description.steps[$0.step].name == node
    }
  }

  // MARK: memory

  @Test(arguments: [1, 4])
  func figuresAreTheSegments(width: Int) throws {
    var (builder, x) = builder([2, 8, 9, 9])
    let w = builder.constant("w", try ramp([8, 8, 3, 3]))
    let pads: [String: Attribute] = ["pads": .ints([1, 1, 1, 1])]
    let a = builder.node("Conv", [x, w], attributes: pads, output: "a")
    let b = builder.node("Sigmoid", [a], output: "b")
    let c = builder.node("Conv", [b, w], attributes: pads, output: "c")
    let d = builder.node("Concat", [a, c], attributes: ["axis": .int(1)], output: "d")
    let e = builder.node("MaxPool", [d], attributes: ["kernel_shape": .ints([2, 2])], output: "e")
    let study = try study(builder, outputs: [e]) { $0.width = width }
    let (description, memory) = (study.description, study.segment.memory)
    #expect(description.liveBytes.max() == memory.liveBound)
    #expect(description.stageCount == study.segment.stageCount)
    let placed = description.buffers.filter { $0.offset != nil && $0.byteCount > 0 }
    #expect(placed.map { $0.offset! + $0.byteCount }.max()! <= memory.arena)
    for (index, buffer) in placed.enumerated() {
      for other in placed[..<index] where buffer.first <= other.last && other.first <= buffer.last {
        let (start, otherStart) = (buffer.offset!, other.offset!)
        #expect(start + buffer.byteCount <= otherStart || otherStart + other.byteCount <= start)
      }
    }
    // Steps with work are the segment's, in its order.
    let working = description.steps.filter { $0.work == .kernel }
    #expect(working.map(\.algorithm) == study.segment.steps.map(\.algorithm))
    #expect(working.map(\.stage) == study.segment.steps.map(\.stage))
    let scratch = working.map(\.scratchPerWorker).max() ?? 0
    #expect(scratch == memory.scratchPerWorker)
    let results = description.buffers.filter { $0.offset == nil }
    #expect(results.reduce(0) { $0 + $1.byteCount } == memory.results)
    var weights: [String: Int] = [:]
    for value in description.values where !value.readers.isEmpty {
      if case .weight = value.kind { weights["\(value.name) \(value.byteCount)"] = value.byteCount }
    }
    #expect(weights.values.reduce(0, +) == memory.ownedWeights + memory.mappedWeights)
  }

  // MARK: decisions

  @Test func aSumIsNotInPlaceWhereItsInputIsReadAgain() throws {
    var (builder, x) = builder()
    let a = builder.node("Sqrt", [x], output: "a")
    let b = builder.node("Tanh", [a], output: "b")
    let c = builder.node("Mul", [b, a], output: "c")
    let y = builder.node("Erf", [c], output: "y")
    let description = try study(builder, outputs: [y]).description
    let refused = try #require(decision(description, "Tanh_b", .overwrite))
    guard case .readAgain(let step)? = refused.refusal else {
      Issue.record("expected a reader, got \(String(describing: refused.refusal))")
      return
    }
    #expect(description.steps[step].name == "Mul_c")
    // The product may, over either.
    #expect(decision(description, "Mul_c", .overwrite)?.refusal == nil)
    // The caller's memory is nobody's to write to.
    #expect(decision(description, "Sqrt_a", .overwrite)?.refusal == .givenOrConstant)
  }

  @Test func viewsLieWhereTheirSourceLies() throws {
    var (builder, x) = builder()
    let a = builder.node("Sqrt", [x], output: "a")
    let flat = builder.node("Reshape", [a, try builder.integers("s", [128])], output: "flat")
    let y = builder.node("Softmax", [flat], output: "y")
    let z = builder.node("Reshape", [y, try builder.integers("t", [4, 32])], output: "z")
    let description = try study(builder, outputs: [y, z]).description
    #expect(decision(description, "Reshape_flat", .view)?.refusal == nil)
    let step = try #require(description.steps.first { $0.name == "Reshape_flat" })
    #expect(step.work == .none)
    let places = (
      step.inputs[0].flatMap { description.values[$0].place },
      step.outputs[0].flatMap { description.values[$0].place }
    )
    #expect(places.0?.buffer == places.1?.buffer && places.0 != nil)
    // Two results are two tensors for the caller.
    #expect(decision(description, "Reshape_z", .view)?.refusal == .isResult)
  }

  @Test func partsOfConcatsSayWhyTheyAreCopied() throws {
    var (builder, x) = builder([2, 8])
    let a = builder.node("Sqrt", [x], output: "a")
    let b = builder.node("Sigmoid", [x], output: "b")
    let twice = builder.node("Concat", [a, a, x, b], attributes: ["axis": .int(0)], output: "c")
    let y = builder.node("Softmax", [twice], output: "y")
    let description = try study(builder, outputs: [y, b]).description
    let refusals = (0..<4).map { decision(description, "Concat_c", .part, input: $0)?.refusal }
    #expect(refusals == [.occursTwice, .occursTwice, .givenOrConstant, .isResult])
    let whole = try #require(description.steps.first { $0.name == "Concat_c" })
    #expect(whole.work == .kernel)

    var (other, z) = self.builder([2, 8])
    let c = other.node("Sqrt", [z], output: "c")
    let d = other.node("Concat", [c, z], attributes: ["axis": .int(0)], output: "d")
    let e = other.node("Softmax", [d], output: "e")
    let partly = try study(other, outputs: [e]).description
    #expect(decision(partly, "Concat_d", .part, input: 0)?.refusal == nil)
    #expect(decision(partly, "Concat_d", .part, input: 1)?.refusal == .givenOrConstant)
    #expect(partly.steps.first { $0.name == "Concat_d" }?.work == .copies(1))
  }

  @Test func withoutReuseNothingIsDecided() throws {
    var (builder, x) = builder()
    let a = builder.node("Sqrt", [x], output: "a")
    let y = builder.node("Sigmoid", [a], output: "y")
    let study = try study(builder, outputs: [y]) { $0.plan.reuse = .none }
    #expect(study.description.decisions.isEmpty)
  }

  // MARK: what is no step

  @Test func nodesThatNoKernelComputesAreTold() throws {
    var (builder, x) = builder([4, 8])
    let shape = builder.node("Shape", [x], output: "shape")
    let count = builder.node("ReduceProd", [shape], attributes: ["keepdims": .int(0)], output: "n")
    let places = builder.node("NonZero", [x], output: "places")
    let turned = builder.node("Transpose", [places], output: "turned")
    let study = try study(builder, outputs: [turned, count]) { $0.disablesAllPasses = true }
    let graph = study.program.graph
    func names(_ places: [Int]) -> [String] { places.map { graph.nodes[$0].name } }
    #expect(names(study.description.computedNodes) == ["Shape_shape", "ReduceProd_n"])
    #expect(names(study.description.hostNodes) == ["NonZero_places"])
    #expect(names(study.description.laterNodes) == ["Transpose_turned"])
  }

  @Test func copiesBetweenLayoutsBearTheNameOfWhatTheyCopy() throws {
    var (builder, x) = builder([1, 16, 6, 6])
    let w = builder.constant("w", try ramp([16, 16, 3, 3]))
    let conv = builder.node("Conv", [x, w], output: "c")
    let y = builder.node("Softmax", [conv], output: "y")
    let study = try study(builder, outputs: [y]) { $0.plan.instructionSet = .avx2 }
    let copies = study.description.steps.filter { $0.node == nil }
    for copy in copies {
      let values = (copy.inputs + copy.outputs).compactMap { $0 }.map {
        study.description.values[$0]
      }
      #expect(Set(values.map(\.name)).count == 1 && values.last?.isCopy == true)
    }
    #expect(!copies.isEmpty)
  }
}
