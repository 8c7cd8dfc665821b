// Operators of optionals, held to ONNX's descriptions of them.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct OptionalsTests {
  private let vector = ValueType.tensor(.float32, shape: nil)

  private func tensor() throws -> RunValue { .tensor(try Tensor([Float(1), 2])) }

  @Test func aValueBecomesAnOptional() throws {
    let harness = OperatorHarness("Optional")
    for value in [try tensor(), .sequence([try tensor()], of: vector)] {
      let made = try harness.run(values: [value])[0]
      guard case .optional(let item?, _) = made else {
        Issue.record("\(made)")
        return
      }
      #expect(item.description == value.description)
      let type = try #require(value.valueType)
      #expect(made.valueType == .optional(type.withoutShapes))
      #expect(try harness.infer([InferredValue(type)])[0]?.type == made.valueType)
    }
  }

  @Test func withoutInputThereIsATypeAndNoValue() throws {
    let type = ValueType.sequence(.tensor(.int64, shape: [3]))
    let harness = OperatorHarness("Optional", attributes: ["type": .type(type)])
    for inputs in [[], [nil]] as [[RunValue?]] {
      let made = try harness.run(values: inputs)[0]
      guard case .optional(nil, _) = made else {
        Issue.record("\(made)")
        return
      }
      #expect(made.valueType == .optional(type.withoutShapes))
    }
    #expect(try harness.infer([])[0]?.type == .optional(type.withoutShapes))
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Optional").makeOperator(given: [])
    }
  }

  @Test func anOptionalIsMadeOfWhatItsTypeSays() throws {
    let harness = OperatorHarness("Optional", attributes: ["type": .type(vector)])
    #expect(throws: OperatorError.self) {
      try harness.infer([InferredValue(.tensor(.int64, shape: [2]))])
    }
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Optional").infer([InferredValue(.optional(vector))])
    }
  }

  private func hasElement(_ inputs: [RunValue?], opset: Int = 28) throws -> [Bool]? {
    let made = try OperatorHarness("OptionalHasElement", opset: opset).run(values: inputs)[0]
    #expect(made.tensor?.shape == [])
    return made.tensor?.elements(as: Bool.self)
  }

  @Test func hasElementTellsWhetherThereIsAValue() throws {
    #expect(try hasElement([.optional(tensor(), of: vector)], opset: 15) == [true])
    #expect(try hasElement([.optional(nil, of: vector)], opset: 15) == [false])
    #expect(try hasElement([.optional(.sequence([], of: vector))]) == [true])
    #expect(try hasElement([tensor()]) == [true])
    #expect(try hasElement([.sequence([], of: vector)]) == [true])
    #expect(try hasElement([]) == [false])
    #expect(try hasElement([nil]) == [false])
  }

  @Test func getElementGivesTheValueAndItsMemory() throws {
    let value = try tensor()
    for (input, opset) in [(RunValue.optional(value, of: vector), 15), (value, 18)] {
      let got = try OperatorHarness("OptionalGetElement", opset: opset).run(values: [input])[0]
      #expect(got.tensor?.address == value.tensor?.address)
    }
    let sequence = RunValue.sequence([value, value], of: vector)
    let got = try OperatorHarness("OptionalGetElement").run(values: [sequence])[0]
    #expect(got.tensors.count == 2)
  }

  @Test func nothingComesOutOfAnOptionalWithoutValue() throws {
    let error = #expect(throws: OperatorError.self) {
      try OperatorHarness("OptionalGetElement").run(values: [.optional(nil, of: vector)])
    }
    #expect(error?.reason.contains("without value") == true)
  }

  @Test(arguments: ["OptionalHasElement", "OptionalGetElement"])
  func opset15TakesOptionalsAlone(name: String) throws {
    let plain = InferredValue(.tensor(.float32, shape: [2]))
    #expect(throws: OperatorError.self) { try OperatorHarness(name, opset: 17).infer([plain]) }
    #expect(try OperatorHarness(name, opset: 18).infer([plain])[0] != nil)
    #expect(throws: OperatorError.self) {
      try OperatorHarness("OptionalHasElement", opset: 17).makeOperator(given: [])
    }
  }

  @Test func getElementIsInferred() throws {
    let plain = ValueType.tensor(.float32, shape: [.symbol("n"), 2])
    let harness = OperatorHarness("OptionalGetElement")
    #expect(try harness.infer([InferredValue(plain)])[0]?.type == plain)
    #expect(try harness.infer([InferredValue(.optional(plain))])[0]?.type == vector)
    let sequence = ValueType.sequence(vector)
    #expect(try harness.infer([InferredValue(.optional(sequence))])[0]?.type == sequence)
  }

  @Test func identityHandsOnWhatNoKernelReads() throws {
    for opset in [16, 28] {
      let harness = OperatorHarness("Identity", opset: opset)
      let text = RunValue.tensor(try Tensor(strings: ["a", ""]))
      for value in [
        .sequence([try tensor()], of: vector), .sequence([], of: vector),
        .optional(nil, of: vector),
        .optional(.sequence([try tensor()], of: vector)), text,
      ] as [RunValue] {
        #expect(try harness.run(values: [value])[0].description == value.description)
      }
    }
  }
}
