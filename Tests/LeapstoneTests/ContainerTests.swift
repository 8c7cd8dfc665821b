// Sequences and optionals as a program gives them to a session and gets them.

import LeapTestSupport
import Leapstone
import Testing

@Suite struct ContainerTests {
  private func session(_ bytes: [UInt8]) throws -> InferenceSession {
    try bytes.withUnsafeBytes { try InferenceSession(bytes: $0) }
  }

  private func vector(_ elements: Float...) throws -> RunValue {
    .tensor(try Tensor(elements))
  }

  @Test func aSessionTellsTypes() throws {
    let inserting = try session(ContainerModel.inserting)
    #expect(inserting.inputs.first?.type == .sequence(.tensor(.float32, shape: nil)))
    #expect(inserting.outputs.first?.type == .sequence(.tensor(.float32, shape: nil)))
    let looking = try session(ContainerModel.looking)
    #expect(looking.inputs.first?.type == .optional(.sequence(.tensor(.float32, shape: nil))))
  }

  @Test func sequencesGoThroughARun() throws {
    let session = try session(ContainerModel.inserting)
    for items in [[], [try vector(1, 2), try vector(3)]] {
      let results = try session.run(values: ["s": .sequence(items), "x": vector(4, 5, 6)])
      guard case .sequence(let longer, of: .tensor(.float32, shape: nil)?) = results["longer"]
      else {
        Issue.record("\(results)")
        return
      }
      #expect(longer.map(\.description) == (items + [try vector(4, 5, 6)]).map(\.description))
      #expect(results["length"]?.tensor?.elements(as: Int64.self) == [Int64(items.count) + 1])
      #expect(results["last"]?.tensor?.elements(as: Float.self) == [-4, -5, -6])
    }
  }

  @Test func optionalsGoThroughARun() throws {
    let session = try session(ContainerModel.looking)
    let type = ValueType.sequence(.tensor(.float32, shape: nil))
    for (value, has) in [
      (.optional(nil), false), (.optional(nil, of: type), false),
      (.optional(.sequence([])), true), (.optional(.sequence([try vector(1)])), true),
    ] as [(RunValue, Bool)] {
      let results = try session.run(values: ["o": value])
      #expect(results["has"]?.tensor?.elements(as: Bool.self) == [has])
      #expect(results["same"]?.valueType == .optional(type))
    }
  }

  @Test func runsOnAThreadOfTheSessionsOwn() async throws {
    let session = try session(ContainerModel.inserting)
    let inputs: [String: RunValue] = ["s": .sequence([]), "x": try vector(7)]
    let counts = try await withThrowingTaskGroup(of: [Int64]?.self) { group in
      for _ in 0..<8 {
        group.addTask {
          try await session.run(values: inputs)["length"]?.tensor?.elements(as: Int64.self)
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(counts == Array(repeating: [1], count: 8))
  }

  @Test func outputsThatAreTensorsComeAsTensors() throws {
    let session = try session(ContainerModel.inserting)
    let inputs: [String: RunValue] = ["s": .sequence([]), "x": try vector(7)]
    let results = try session.run(values: inputs, outputs: ["last"])
    #expect(results["last"]?.tensor?.elements(as: Float.self) == [-7])
    let plain = try #require(throws: RunError.self) { try session.run(["x": Tensor([Float(7)])]) }
    #expect("\(plain)".contains("input 's' is missing"), "\(plain)")
  }

  @Test func errorsNameWhatIsExpectedAndWhatIsGiven() throws {
    let session = try session(ContainerModel.inserting)
    let integers = RunValue.tensor(try Tensor([Int32(1)]))
    for (wrong, text) in [
      (try vector(1), "got float32 1"), (.sequence([integers]), "got a sequence of 1: int32 1"),
      (.optional(nil), "got an optional without value"),
    ] as [(RunValue, String)] {
      let error = try #require(throws: RunError.self) {
        try session.run(values: ["s": wrong, "x": vector(1)])
      }
      #expect("\(error)".contains("expected sequence(float32 of unknown rank)"), "\(error)")
      #expect("\(error)".contains(text), "\(error)")
    }
  }

  @Test func descriptionsAreShort() throws {
    let items = try (1...5).map { RunValue.tensor(try Tensor(zeros: .int8, shape: [$0])) }
    #expect(RunValue.sequence(items).description == "a sequence of 5: int8 1, int8 2, int8 3, …")
    #expect(RunValue.sequence([]).description == "an empty sequence")
    #expect(RunValue.optional(items[0]).description == "an optional with int8 1")
  }

  @Test func whatIsEmptyHasATypeWhereItIsTold() throws {
    let type = ValueType.tensor(.int8, shape: nil)
    #expect(RunValue.sequence([]).valueType == nil)
    #expect(RunValue.optional(nil).valueType == nil)
    #expect(RunValue.sequence([], of: type).valueType == .sequence(type))
    #expect(RunValue.optional(nil, of: .sequence(type)).valueType == .optional(.sequence(type)))
    let nested = RunValue.sequence([.sequence([]), .sequence([try vector(1)])])
    #expect(nested.valueType == .sequence(.sequence(.tensor(.float32, shape: nil))))
  }
}
