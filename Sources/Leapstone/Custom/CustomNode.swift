// CustomNode: what an operator of a program's own sees of the node that it computes: attributes, and what is known of inputs.

import LeapGraph
import LeapOperators
import LeapTensors

/// What an operator of a program's own asks for of a node, and does not find. Its text is what the session's error says.
struct CustomOperatorFault: Error, CustomStringConvertible {
  let description: String
}

/// A node that a ``CustomOperator`` stands for.
public struct CustomNode: Sendable {
  private let reader: NodeReader
  private let context: InferenceContext

  init(_ reader: NodeReader, _ context: InferenceContext) {
    (self.reader, self.context) = (reader, context)
  }

  /// The version of the operator's domain that the model imports.
  public var version: Int { reader.opset }
  /// The number of inputs, those that are left out in the middle included.
  public var inputCount: Int { reader.inputCount }
  /// The number of outputs, those that nobody asks for in the middle included.
  public var outputCount: Int { reader.outputCount }
  /// Whether an input is there.
  public func hasInput(_ index: Int) -> Bool { reader.hasInput(index) }

  // MARK: What is known of inputs

  /// The element type of an input. Throws where it is left out or not known.
  public func dataType(_ index: Int) throws -> DataType { try context.dataType(index) }

  /// The element type of an input that must be one of some. Where it is another, the model has a node that cannot be computed;
  /// halves (float16, bfloat16) are widened for an operator that takes float32 and not them.
  public func dataType(_ index: Int, among types: Set<DataType>) throws -> DataType {
    try context.dataType(index, among: types)
  }

  /// The extents of an input as far as they are known; nil where not even their number is, or where it is left out.
  public func shape(_ index: Int) -> [Dimension]? { index < 0 ? nil : context.shape(index) }

  /// The elements of an input that are known before the model runs: those of small constants. In `run`, those of every input.
  public func constant(_ index: Int) -> Tensor? { index < 0 ? nil : context.tensor(index) }

  // MARK: Attributes

  /// Whether an attribute is given.
  public func hasAttribute(_ name: String) -> Bool { reader.has(name) }

  /// An integer attribute; nil where it is not given. Throws where it is something else.
  public func int(_ name: String) throws -> Int? { try reader.int(name) }

  /// An attribute that is a list of integers; nil where it is not given. Throws where it is something else.
  public func ints(_ name: String) throws -> [Int]? { try reader.ints(name) }

  /// A float attribute; nil where it is not given. Throws where it is something else.
  public func float(_ name: String) throws -> Float? { try reader.float(name) }

  /// An attribute that is a list of floats; nil where it is not given. Throws where it is something else.
  public func floats(_ name: String) throws -> [Float]? { try reader.floats(name) }

  /// A string attribute; nil where it is not given. Throws where it is something else, or is not UTF-8.
  public func string(_ name: String) throws -> String? { try reader.string(name) }

  /// An attribute that is a list of strings; nil where it is not given. Throws where it is something else.
  public func strings(_ name: String) throws -> [String]? { try reader.strings(name) }

  /// A tensor attribute; nil where it is not given. Throws where it is something else, or cannot be read.
  public func tensor(_ name: String) throws -> Tensor? { try reader.tensor(name) }
}

/// The tensors that a ``CustomOperator`` computes with.
public struct CustomInputs: Sendable {
  private let tensors: [Tensor?]

  init(_ tensors: [Tensor?]) { self.tensors = tensors }

  /// The number of inputs, those that are left out in the middle included.
  public var count: Int { tensors.count }

  /// An input; nil where it is left out.
  public subscript(index: Int) -> Tensor? {
    tensors.indices.contains(index) ? tensors[index] : nil
  }

  /// An input. Throws where it is left out.
  public func tensor(_ index: Int) throws -> Tensor {
    guard let tensor = self[index] else {
      throw CustomOperatorFault(description: "input \(index) is required")
    }
    return tensor
  }

  /// The elements of an input in row-major order. Throws where it is left out, or of another type.
  public func elements<Element: TensorElement>(
    _ index: Int, as type: Element.Type
  ) throws -> [Element] {
    let tensor = try tensor(index)
    guard let elements = tensor.elements(as: type) else {
      throw CustomOperatorFault(
        description: "input \(index) is \(tensor); expected \(Element.dataType)")
    }
    return elements
  }
}
