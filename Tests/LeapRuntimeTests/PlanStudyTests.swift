// PlanStudy: the plan that a session makes, without a session and without weights.

import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors
import Testing

@Suite struct PlanStudyTests {
  /// Two convolutions with the same weights, a product, and constants that are read as they are.
  private func model() throws -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 8, 9, 9])
    let w = builder.constant("w", try ramp([8, 8, 3, 3]))
    let pads: [String: Attribute] = ["pads": .ints([1, 1, 1, 1])]
    let a = builder.node("Conv", [x, w], attributes: pads, output: "a")
    let b = builder.node("Conv", [a, w], attributes: pads, output: "b")
    let c = builder.node("Add", [b, builder.constant("c", try ramp([8, 9, 9]))], output: "c1")
    let y = builder.node("Flatten", [c], output: "y")
    let z = builder.node("MatMul", [y, builder.constant("m", try ramp([648, 5]))], output: "z")
    return builder.model(outputs: [z])
  }

  private func study(
    _ model: Model, _ configuration: SessionConfiguration, batch: Int
  ) throws -> PlanStudy {
    let graph = try configuration.optimized(configuration.prepared(model).graph)
    let type = ValueType.tensor(.float32, shape: [.fixed(batch), 8, 9, 9])
    return try PlanStudy(graph, configuration, inputs: [model.graph.inputs[0]: type])
  }

  @Test(arguments: InstructionSet.available, [1, 3])
  func predictsWhatASessionPredicts(instructionSet: InstructionSet, width: Int) throws {
    for policy in MemoryPolicy.allCases {
      var configuration = SessionConfiguration()
      configuration.width = width
      configuration.plan.instructionSet = instructionSet
      configuration.plan.memoryPolicy = policy
      let study = try study(try model(), configuration, batch: 2)
      configuration.instructionSet = instructionSet.rawValue
      let session = try SessionCore(model: try model(), configuration: configuration)
      let predicted = try session.predictedMemory(inputs: ["x": (.float32, [2, 8, 9, 9])])
      #expect(study.memory == predicted)
      // What is predicted is what is held: weights that two steps share are there once.
      let held = session.weights.byteCounts
      #expect(held == (predicted.mappedWeights, predicted.ownedWeights))
      let segment = try session.plan(inputs: ["x": (.float32, [2, 8, 9, 9])])
      #expect(study.segment.steps.map(\.algorithm) == segment.steps.map(\.algorithm))
      #expect(study.segment.steps.map(\.stage) == segment.steps.map(\.stage))
    }
  }

  /// A product with a matrix that is too large to be known while planning, and whose elements nobody can read.
  @Test func readsNoWeights() throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 648])
    let m = builder.graph.addValue(Value(name: "m", type: .tensor(.float32, shape: [648, 50])))
    builder.graph.constants[m] = Constant(
      dataType: .float32, shape: [648, 50],
      source: .absent(.unreadable(path: "weights", reason: "they were read")))
    let y = builder.node("MatMul", [x, m], output: "y")
    var configuration = SessionConfiguration()
    configuration.width = 1
    let graph = try configuration.optimized(builder.model(outputs: [y]).graph)
    let study = try PlanStudy(
      graph, configuration, inputs: [x: .tensor(.float32, shape: [1, 648])])
    #expect(study.memory.ownedWeights >= 648 * 50 * 4)
    #expect(study.segment.steps.map(\.operatorType) == ["MatMul"])
  }

  @Test(arguments: InstructionSet.allCases)
  func plansForEveryInstructionSet(instructionSet: InstructionSet) throws {
    var configuration = SessionConfiguration()
    configuration.width = 4
    configuration.plan.instructionSet = instructionSet
    let study = try study(try model(), configuration, batch: 1)
    #expect(study.memory.arena > 0 && study.memory.scratch > 0 && !study.segment.steps.isEmpty)
  }

  /// The channels of a group, wherever this runs.
  @Test func blocksAreAsWideAsVectors() {
    #expect(InstructionSet.allCases.map(\.blockWidth) == [16, 8, 4, 4])
  }

  @Test func optionsThatMeanNothingAreErrors() throws {
    var threads = SessionConfiguration()
    threads.width = 0
    var algorithm = SessionConfiguration()
    algorithm.plan.algorithms = ["": "magic"]
    for configuration in [threads, algorithm] {
      #expect(throws: ModelError.self) { try study(try model(), configuration, batch: 1) }
    }
  }
}
