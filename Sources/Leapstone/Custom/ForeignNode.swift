// ForeignNode: a program's own operator as the runtime knows operators: a host that is held to what it says.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

extension ForeignOperator {
  /// A program's operator, for the table of a session.
  init(_ operation: any CustomOperator) {
    self.init(domain: operation.domain, name: operation.name, since: operation.version) {
      ForeignNode(operation, $0)
    }
  }
}

/// A node that a program computes.
struct ForeignNode: TensorHostOperator {
  static let declarations: [OperatorDeclaration] = []

  private let operation: any CustomOperator
  private let node: NodeReader

  init(_ operation: any CustomOperator, _ node: NodeReader) {
    (self.operation, self.node) = (operation, node)
  }

  init(_ node: NodeReader) throws {
    throw OperatorError("'\(node.operatorType)' is made by the program that registered it")
  }

  var isDeterministic: Bool { operation.isDeterministic }
  var keepsHalves: Bool { true }

  func infer(_ context: inout InferenceContext) throws {
    for (index, type) in try types(context).enumerated() { context.setOutput(index, type: type) }
  }

  /// Tensors whose shapes follow from the inputs' shapes, where all do. How long strings are nobody knows.
  func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    let context = InferenceContext(
      inputs: inputs.map { input in
        input.map {
          InferredValue(.tensor($0.dataType, shape: $0.shape.map(Dimension.fixed)))
        }
      },
      given: inputs.map { $0 != nil }, outputCount: node.outputCount)
    guard let types = try? types(context) else { return nil }
    let operands = types.compactMap { type -> Operand? in
      guard let dataType = type.dataType, dataType != .string, let shape = type.fixedShape else {
        return nil
      }
      return Operand(dataType, shape)
    }
    return operands.count == types.count ? operands : nil
  }

  func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    let context = InferenceContext(
      inputs: inputs.map { input in
        input.map {
          InferredValue(
            .tensor($0.dataType, shape: $0.shape.map(Dimension.fixed)), known: .tensor($0))
        }
      },
      given: inputs.map { $0 != nil }, outputCount: node.outputCount)
    let expected = try types(context)
    let made = try guarded { try operation.run(CustomNode(node, context), CustomInputs(inputs)) }
    try check(made.count, "run")
    for (index, (tensor, type)) in zip(made, expected).enumerated() where !tensor.fits(type) {
      throw OperatorError("run made \(tensor) as output \(index); infer says \(type)")
    }
    return Array(made.prefix(expected.count))
  }

  /// What the program says of the outputs, checked.
  private func types(_ context: InferenceContext) throws -> [ValueType] {
    let types = try guarded { try operation.infer(CustomNode(node, context)) }
    try check(types.count, "infer")
    for (index, type) in types.enumerated() {
      guard case .tensor(_, let shape) = type else {
        throw OperatorError("infer says \(type) of output \(index); expected a tensor")
      }
      guard shape?.allSatisfy({ $0.value.map { $0 >= 0 } ?? true }) ?? true else {
        throw OperatorError("infer says \(type) of output \(index): an extent is negative")
      }
    }
    return Array(types.prefix(node.outputCount))
  }

  private func check(_ count: Int, _ source: String) throws {
    guard count >= node.outputCount else {
      throw OperatorError("\(source) gave \(count) outputs, the node has \(node.outputCount)")
    }
  }

  /// What a program's code does, its errors turned into those of the node.
  private func guarded<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as OperatorError { throw error } catch {
      throw OperatorError("\(error)")
    }
  }
}

extension Tensor {
  /// Whether the tensor is of a type, as far as that is known.
  fileprivate func fits(_ type: ValueType) -> Bool {
    guard type.dataType == dataType else { return false }
    guard let extents = type.shape else { return true }
    return extents.count == shape.rank
      && zip(extents, shape).allSatisfy { $0.value == nil || $0.value == $1 }
  }
}
