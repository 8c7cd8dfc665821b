// MoveOnHost: operators that only move elements (Transpose, Gather, Pad and so on), for elements that kernels do not address:
// strings, and types of less than a byte.

import LeapGraph
import LeapTensors

extension DataType {
  /// Whether kernels can move single elements: they take whole bytes.
  package var isAddressable: Bool { bitWidth >= 8 && bitWidth % 8 == 0 }
}

/// An operator that moves the numbers of elements in their place, which kernels can, and then looks the elements up.
struct MoveOnHost: TensorHostOperator {
  static let declarations: [OperatorDeclaration] = []

  private let operation: any Operator
  private let outputCount: Int

  /// - Parameters:
  ///   - operation: what moves the elements; it fills places that no element goes to with zero.
  ///   - outputCount: the outputs of its node.
  init(_ operation: any Operator, outputCount: Int) {
    self.operation = operation
    self.outputCount = outputCount
  }

  init(_ node: NodeReader) throws {
    throw OperatorError("'\(node.operatorType)' is made by the operator that it stands for")
  }

  func infer(_ context: inout InferenceContext) throws { try operation.infer(&context) }

  /// Values of other inputs decide the shapes, and how long texts are nobody knows.
  func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { nil }

  /// Each element that is made has a number, twice, and then itself.
  func memoryBound(_ inputs: [RunValue?]) throws -> Int? {
    try Evaluator.infer(operation, inputs.map { $0?.tensor }, outputCount).reduce(0) {
      let own = $1.dataType == .string ? ElementTable.textBytes : 1
      let (bytes, overflow) = $1.shape.elementCount.multipliedReportingOverflow(by: 16 + own)
      return saturatingSum($0, overflow ? .max : bytes)
    }
  }

  func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let type = inputs.lazy.compactMap({ $0?.dataType }).first(where: { !$0.isAddressable })
    else { throw OperatorError("expected an input whose elements kernels do not address") }
    var elements = ElementTable(type)
    let numbered = try inputs.map { input in
      guard let input, input.dataType == type else { return input }
      return try elements.number(input)
    }
    return try Evaluator.evaluate(operation, inputs: numbered, outputCount: outputCount)
      .map(elements.lookUp)
  }
}

/// Elements of one type by number; number 0 is an empty string, or zero.
private struct ElementTable {
  /// Bytes of a string, besides its text where that is long.
  static let textBytes = MemoryLayout<String>.stride

  private let type: DataType
  private var texts = [""]
  private var patterns: [UInt8] = [0]

  init(_ type: DataType) { self.type = type }

  private var count: Int { type == .string ? texts.count : patterns.count }

  /// Takes a tensor's elements in; their numbers, in its shape.
  mutating func number(_ tensor: Tensor) throws -> Tensor {
    let first = Int64(count)
    if let strings = tensor.strings {
      texts += strings
    } else {
      let width = type.bitWidth
      tensor.withUnsafeBytes { bytes in
        patterns += (0..<tensor.elementCount).map {
          PackedElements.bits(bytes, at: $0, width: width)
        }
      }
    }
    return try Tensor((0..<tensor.elementCount).map { first + Int64($0) }, shape: tensor.shape)
  }

  /// The elements that numbers stand for, in their shape.
  func lookUp(_ numbers: Tensor) throws -> Tensor {
    let places = numbers.integers ?? []
    if type == .string {
      // Swift ends the process where an array finds no memory; this throws.
      _ = try TensorStorage(byteCount: places.count * ElementTable.textBytes)
      return try Tensor(strings: places.map { texts[$0] }, shape: numbers.shape)
    }
    let width = type.bitWidth
    return try Tensor(dataType: type, shape: numbers.shape) { bytes in
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
      for (index, place) in places.enumerated() {
        PackedElements.store(patterns[place], to: bytes, at: index, width: width)
      }
    }
  }
}
