// MoveOnHostTests: operators that move elements do with strings and with types of less than a byte what they do with floats.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct MoveOnHostTests {
  /// A node, and what it reads beside the elements that it moves.
  struct Form: Sendable, CustomStringConvertible {
    let name: String
    var attributes: [String: Attribute] = [:]
    var outputCount = 1
    /// Inputs: shapes of tensors whose elements are moved, or whole tensors.
    let inputs: [Input]

    enum Input: Sendable {
      case moved(Shape)
      case given(Tensor)
    }

    var description: String { name }

    /// The outputs where the moved elements are `elements` of 1, 2 and so on.
    func run(_ elements: ([Int64]) throws -> Tensor) throws -> [Tensor] {
      var next: Int64 = 1
      let tensors = try inputs.map { input -> Tensor in
        switch input {
        case .given(let tensor): return tensor
        case .moved(let shape):
          let numbers = (0..<Int64(shape.elementCount)).map { next + $0 }
          next += Int64(shape.elementCount)
          return try elements(numbers).reshaped(shape)
        }
      }
      return try OperatorHarness(name, attributes: attributes, outputCount: outputCount)
        .run(tensors)
    }
  }

  private static func integers(_ values: [Int64]) -> Form.Input {
    .given(try! Tensor(values))
  }

  static let forms = [
    Form(name: "Reshape", inputs: [.moved([2, 3]), integers([3, -1])]),
    Form(name: "Flatten", inputs: [.moved([1, 2, 3])]),
    Form(name: "Squeeze", inputs: [.moved([1, 3])]),
    Form(name: "Unsqueeze", inputs: [.moved([3]), integers([0])]),
    Form(name: "Transpose", inputs: [.moved([2, 3])]),
    Form(name: "Expand", inputs: [.moved([3, 1]), integers([3, 2])]),
    Form(name: "Tile", inputs: [.moved([2, 1]), integers([1, 2])]),
    Form(name: "Trilu", inputs: [.moved([2, 3])]),
    Form(name: "Slice", inputs: [.moved([6]), integers([1]), integers([5]), integers([0])]),
    Form(name: "Split", outputCount: 2, inputs: [.moved([3, 2])]),
    Form(name: "Concat", attributes: ["axis": .int(0)], inputs: [.moved([2]), .moved([3])]),
    Form(name: "Gather", inputs: [.moved([3, 2]), integers([2, 0, -1])]),
    Form(name: "GatherElements", inputs: [.moved([3]), integers([2, 0])]),
    Form(name: "GatherND", inputs: [.moved([2, 3]), integers([1])]),
    Form(name: "ScatterElements", inputs: [.moved([3]), integers([1]), .moved([1])]),
    Form(
      name: "ScatterND",
      inputs: [.moved([3]), .given(try! Tensor([Int64(2)], shape: [1, 1])), .moved([1])]),
    Form(name: "Pad", inputs: [.moved([3]), integers([1, 2])]),
    Form(name: "Pad", inputs: [.moved([3]), integers([1, 2]), .moved([])]),
    Form(name: "CenterCropPad", inputs: [.moved([3]), integers([5])]),
    Form(name: "DepthToSpace", attributes: ["blocksize": .int(2)], inputs: [.moved([1, 4, 1, 1])]),
    Form(name: "ReverseSequence", inputs: [.moved([3, 2]), integers([2, 3])]),
    Form(name: "OneHot", inputs: [integers([1, 0]), integers([3]), .moved([2])]),
    Form(
      name: "Where",
      inputs: [.given(try! Tensor([true, false, true])), .moved([3]), .moved([3])]),
    Form(
      name: "Resize",
      inputs: [.moved([2]), .given(try! Tensor([Float]())), .given(try! Tensor([Float(2)]))]),
  ]

  private func cast(_ tensor: Tensor, to type: DataType) throws -> Tensor {
    try OperatorHarness("Cast", attributes: ["to": .int(Int64(type.rawValue))]).run([tensor])[0]
  }

  @Test(arguments: forms)
  func movesWhatKernelsDoNotAddress(form: Form) throws {
    let wanted = try form.run { try Tensor($0.map(Float.init)) }
    let texts = try form.run { try Tensor(strings: $0.map { "text \($0)" }) }
    let nibbles = try form.run { try cast(try Tensor($0), to: .int4) }
    #expect(texts.map(\.shape) == wanted.map(\.shape))
    #expect(nibbles.map(\.shape) == wanted.map(\.shape))
    for (index, tensor) in wanted.enumerated() {
      let numbers = try #require(tensor.elements(as: Float.self)).map { Int($0) }
      // A place that nothing is moved to.
      #expect(texts[index].strings == numbers.map { $0 == 0 ? "" : "text \($0)" })
      #expect(nibbles[index].dataType == .int4)
      #expect(try cast(nibbles[index], to: .int64).integers == numbers)
    }
  }

  @Test func sumsOfTextsAreRefused() {
    let form = Form(
      name: "ScatterElements", attributes: ["reduction": .string(Array("add".utf8))],
      inputs: [.moved([3]), MoveOnHostTests.integers([1]), .moved([1])])
    #expect {
      try form.run { try Tensor(strings: $0.map { "\($0)" }) }
    } throws: {
      "\($0)" == "there is no kernel for add of string"
    }
  }
}
