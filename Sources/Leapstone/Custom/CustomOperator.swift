// CustomOperator: an operator that a program writes itself, for nodes that Leapstone has no operator for.
//
// 1. A few lines make one: what it is called, what it makes, how it computes.
// 2. Whatever it does wrong is an error that names the node and the operator.

/// An operator of your own, for the nodes of a domain and name that Leapstone does not have.
///
/// ```swift
/// struct Scale: CustomOperator {
///   let domain = "org.example"
///   let name = "Scale"
///
///   func infer(_ node: CustomNode) throws -> [ValueType] {
///     [.tensor(try node.dataType(0, among: [.float32]), shape: node.shape(0))]
///   }
///
///   func run(_ node: CustomNode, _ inputs: CustomInputs) throws -> [Tensor] {
///     let factor = try node.float("factor") ?? 1
///     let x = try inputs.elements(0, as: Float.self)
///     return [try Tensor(x.map { $0 * factor }, shape: try inputs.tensor(0).shape)]
///   }
/// }
/// ```
///
/// It is given to a session by ``SessionOptions/customOperators``. A function of the model goes before an operator of the same
/// name. Whatever `infer` and `run` throw becomes a ``ModelError`` or a ``RunError`` that names the node and the operator.
///
/// `run` is called on the thread of the run that needs it, of several runs at once where the session is used so, and in every
/// run of a Loop whose body has such a node. A node whose outputs nobody reads never runs.
public protocol CustomOperator: Sendable {
  /// The domain that nodes name, as the model's file spells it.
  var domain: String { get }
  /// The operator's type that nodes name.
  var name: String { get }
  /// The first version of the domain in which the operator has this meaning, 1 unless you say otherwise. It holds for all that
  /// follow, up to that of another registered operator of the same domain and name.
  var version: Int { get }
  /// Whether equal inputs always give equal outputs, which they do unless you say otherwise. Such nodes may be computed once, when
  /// the session is made, where all their inputs are constants, and equal ones may be merged.
  var isDeterministic: Bool { get }

  /// Says types and shapes of the outputs, as far as those of the inputs allow.
  ///
  /// It is asked whenever more is known: when a model is loaded, for the shapes of a run, and for the tensors that `run` gets. What it
  /// says of less must hold for more.
  ///
  /// - Returns: a tensor's type for each output of the node, `node.outputCount` of them. Extents that are not known are symbols,
  ///   expressions over them, or `.unknown`; a shape that is not known at all is nil.
  /// - Throws: anything, where the operator does not take such inputs or attributes.
  func infer(_ node: CustomNode) throws -> [ValueType]

  /// Computes the outputs.
  ///
  /// - Parameters:
  ///   - node: the attributes, and the types of `inputs`.
  ///   - inputs: what the node reads, in row-major order.
  /// - Returns: a tensor for each output of the node, of the types and shapes that `infer` says.
  /// - Throws: anything, where these elements cannot be computed with.
  func run(_ node: CustomNode, _ inputs: CustomInputs) throws -> [Tensor]
}

extension CustomOperator {
  public var version: Int { 1 }
  public var isDeterministic: Bool { true }
}
