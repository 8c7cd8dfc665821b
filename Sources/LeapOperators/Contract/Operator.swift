// Operator: all there is to say of one ONNX operator, in one type: its names and versions, its attributes, what it
// infers, and how it may be computed.
//
// 1. One place each: adding an operator edits one file, its family's.
// 2. Attributes are parsed once, in `init`; a node that breaks the operator's rules does not become one.
// 3. Inference is the same function for symbolic and for known shapes.

import LeapGraph
import LeapKernels
import LeapTensors

/// A name that an operator goes by, and the opsets in which the declaring type knows its meaning.
package struct OperatorDeclaration: Sendable, Hashable {
  package let domain: String
  package let name: String
  /// The opset versions of the domain, from the first this type knows to the last.
  package let opsets: ClosedRange<Int>

  /// - Parameters:
  ///   - name: the operator's type as nodes spell it.
  ///   - opsets: where the type starts (and ends) to have this meaning; the default is all there are.
  package init(
    _ name: String, domain: String = "", opsets: ClosedRange<Int> = 1...OperatorTable.latestOpset
  ) {
    self.domain = domain
    self.name = name
    self.opsets = opsets
  }
}

/// One ONNX operator, made from one node.
package protocol Operator: Sendable {
  /// Every name and version range that this type stands for. No two types overlap.
  static var declarations: [OperatorDeclaration] { get }

  /// Reads the node's attributes. Throws `OperatorError` for one that is missing, of another type, or out of range.
  init(_ node: NodeReader) throws

  /// Inputs whose values, not just shapes, must be known before the node can be planned: Reshape's shape, Slice's
  /// starts. A node whose such input is computed from data waits for it in a later segment of the plan.
  var valueInputs: [Int] { get }

  /// The inputs that kernels pack where they are constants: filters. A model that computes them from nothing but constants
  /// has them folded, however large they are.
  var packedInputs: [Int] { get }

  /// False where the same inputs may give other outputs, so that the node is never folded or merged.
  var isDeterministic: Bool { get }

  /// Whether halves that it takes must reach it as the model has them, and never widened to float32.
  var keepsHalves: Bool { get }

  /// The input whose bytes, in row-major order, are output 0's under another shape (Reshape, Squeeze): the planner
  /// then lets both lie in one place. nil where the operator computes anything.
  var viewInput: Int? { get }

  /// How many outputs the node has where the operator does nothing but move elements, so that it can move those of any type;
  /// 0 where it computes.
  var movedOutputs: Int { get }

  /// Outputs that are float32 where the inputs are halves: what a normalisation found, say. All others are then halves too.
  var singleOutputs: Set<Int> { get }

  /// What computes the outputs for inputs of these types where no kernel does: the operator itself where it is a
  /// `HostOperator`, another one where elements are strings or take less than a byte. nil where kernels do. An input without an element type is left
  /// out, or is a sequence or an optional.
  func hostOperator(for inputs: [DataType?]) -> (any HostOperator)?

  /// Says types and shapes of the outputs, as far as those of the inputs allow. Throws `OperatorError` for inputs
  /// that the operator does not take.
  func infer(_ context: inout InferenceContext) throws

  /// The multiply-adds that the operator's definition asks for with operands of these shapes: products that are summed, each
  /// with its sum counted once, whatever algorithm computes them and wherever padding makes one of the factors zero. 0 where no
  /// products are summed: averages, comparisons and element-wise maths count none, as in the figures that papers give. nil where
  /// a shape that decides it is not known; `Int.max` on overflow.
  ///
  /// - Parameters:
  ///   - inputs: nil where an input is left out, is no tensor, or is not known in full.
  ///   - outputs: likewise.
  func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int?

  /// The ways to compute it, for these operands. Never empty: throws `OperatorError` for a type it does not take.
  func candidates(_ request: KernelRequest) throws -> [KernelCandidate]
}

extension Operator {
  package var valueInputs: [Int] { [] }
  package var packedInputs: [Int] { [] }
  package var isDeterministic: Bool { true }
  package var keepsHalves: Bool { false }
  package var viewInput: Int? { nil }
  package var movedOutputs: Int { 0 }
  package var singleOutputs: Set<Int> { [] }
  package func multiplyAdds(inputs: [Shape?], outputs: [Shape?]) -> Int? { 0 }
  package func hostOperator(for inputs: [DataType?]) -> (any HostOperator)? {
    if let host = self as? any HostOperator { return host }
    let isAddressable = inputs.allSatisfy { $0?.isAddressable ?? true }
    return movedOutputs == 0 || isAddressable ? nil : MoveOnHost(self, outputCount: movedOutputs)
  }
}

/// The multiply-adds of as many sums as a tensor has elements.
///
/// - Parameters:
///   - sums: the tensor's shape; nil where it is not known.
///   - terms: extents whose product is the number of terms of each sum; nil where they are not known.
func sumsOfProducts(_ sums: Shape?, terms: ArraySlice<Int>?) -> Int? {
  guard let sums, let terms else { return nil }
  return Shape.product([sums.elementCount, Shape.product(terms)])
}

/// An operator whose output shapes follow from data (NonZero, Unique), or whose values are no numbers: it makes its own
/// outputs when it runs, and ends a segment of the plan. Hosts alone read and make sequences and optionals.
package protocol HostOperator: Operator {
  /// Computes the outputs. Throws `OperatorError` for values that it cannot take.
  func run(_ inputs: [RunValue?]) throws -> [RunValue]

  /// The tensors that it makes, with the largest extents that they may have for inputs of these shapes; nil where there is no
  /// bound. None where it hands on what there is already.
  func largestOutputs(_ inputs: [Operand?]) -> [Operand]?

  /// A bound on the bytes that it takes for these very inputs, which may say more than their shapes do; nil where there is none.
  /// Throws `OperatorError` for values that it cannot take.
  func memoryBound(_ inputs: [RunValue?]) throws -> Int?
}

/// A host that reads and makes tensors alone.
package protocol TensorHostOperator: HostOperator {
  /// Computes the outputs. Throws `OperatorError` for values that it cannot take.
  func run(_ inputs: [Tensor?]) throws -> [Tensor]
}

extension TensorHostOperator {
  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    let tensors = try inputs.enumerated().map { index, value -> Tensor? in
      guard let value else { return nil }
      guard let tensor = value.tensor else {
        throw OperatorError("input \(index) is \(value); expected a tensor")
      }
      return tensor
    }
    return try run(tensors).map(RunValue.tensor)
  }
}

extension HostOperator {
  /// A bound on the bytes of all outputs, from the shapes of the inputs; nil where there is none.
  package func outputBound(_ inputs: [Operand?]) -> Int? {
    guard let outputs = largestOutputs(inputs) else { return nil }
    let bytes = outputs.reduce(0) { saturatingSum($0, $1.byteCount) }
    return bytes == .max ? nil : bytes
  }

  package func memoryBound(_ inputs: [RunValue?]) throws -> Int? {
    outputBound(inputs.map { $0?.tensor.map { Operand($0.dataType, $0.shape) } })
  }

  package func candidates(_ request: KernelRequest) throws -> [KernelCandidate] { [] }
}

/// An operator whose results may pass through stages that fusion appends to its node (Conv, Gemm).
package protocol EpilogueOperator: Operator {
  /// The stages that at least one candidate takes for any operands.
  var epilogueCapabilities: EpilogueCapabilities { get }

  /// The axis of output 0 along which scale and bias have a value each; nil where these shapes leave none.
  ///
  /// - Parameter ranks: of the inputs; nil where a rank is not known.
  func epilogueAxis(ranks: [Int?]) -> Int?
}

extension EpilogueOperator {
  /// The channels of images, and the columns of a matrix.
  package func epilogueAxis(ranks: [Int?]) -> Int? { 1 }
}

/// An operator that lays its inputs side by side along one axis (Concat): the planner lets them be computed in their
/// places where it can.
package protocol ConcatOperator: Operator {
  /// The axis, for inputs of this rank. Throws `OperatorError` where it is out of range.
  func concatAxis(rank: Int) throws -> Int
}

/// An operator whose one output, int64, follows from the shape of its input alone (Shape, Size): inference says its
/// elements, and it never runs where the shape is known.
package protocol ShapeReader: Operator {}
