// BodyOperator: an operator whose node has graphs of its own, and which decides when they run: If, Loop, Scan,
// SequenceMap.
//
// 1. The operator knows what goes in and what comes out; how a graph is planned, and where it finds what it reads from outside,
//    is the runtime's affair.
// 2. What a run of a graph leaves is charged to the session as long as somebody holds it.
// 3. What only a run's inputs held is written over by it, or kept for the next.

import LeapGraph
import LeapTensors

/// A graph of a node, ready to run as often as the operator wants.
package protocol Body {
  /// The types of its outputs as inference knows them; nil where it does not.
  var outputTypes: [ValueType?] { get }

  /// Runs it once.
  ///
  /// - Parameters:
  ///   - inputs: one for each input of the graph. An operator that holds none of them besides lets the run write over them.
  ///   - kept: bytes of what the operator keeps of earlier runs; nothing else that these left stays charged.
  ///   - places: memory for some outputs, by their indices, for the run to compute them in where it can: only what comes back
  ///     says whether it did. They are among the bytes kept.
  /// - Throws: `RunError`, `ModelError`.
  func run(
    _ inputs: consuming [RunValue], keeping kept: Int, into places: [Int: Tensor]
  ) throws -> [RunValue]

  /// Charges what the operator is about to make of what the runs left.
  ///
  /// - Throws: `RunError.overBudget`.
  func charge(_ bytes: Int) throws
}

/// Infers a graph of a node for inputs of some types; nil stands for one that is not known. Gives the types of its outputs.
package typealias BodyInference = (_ inputs: [ValueType?]) throws -> [ValueType?]

/// An operator that runs graphs.
package protocol BodyOperator: HostOperator {
  /// The attributes that hold the graphs, in the order in which these are handed over.
  static var bodyNames: [String] { get }

  /// Says types and shapes of the outputs. Throws `OperatorError`, and what inferring a graph throws. Each graph is inferred
  /// with the widest types that it will run with last of all.
  func infer(_ context: inout InferenceContext, bodies: [BodyInference]) throws

  /// Computes the outputs. Throws `OperatorError`, and what running a graph throws.
  func run(_ inputs: [RunValue?], bodies: [any Body]) throws -> [RunValue]

  /// How it runs its one graph again and again, where types and elements of its inputs tell. nil for what does not, and where
  /// nobody knows.
  func repetition(_ inputs: [ValueType?], known: [Tensor?]) -> Repetition?
}

/// How a node runs a graph again and again, as far as it is known before.
package struct Repetition: Sendable {
  /// How often at most; nil where nothing bounds it.
  package var count: Int?
  /// Whether it runs no less often.
  package var isExact: Bool
  /// The types of the graph's inputs in the first run.
  package var inputs: [ValueType?]
  /// Among them, and among the graph's outputs, the values that a run hands to the next: the node's first outputs.
  package var carriedInputs: Range<Int>
  package var carriedOutputs: Range<Int>
  /// The axes of the outputs that are made of a slice of each run; of the node's last outputs.
  package var sliceAxes: [Int]
}

extension BodyOperator {
  package func infer(_ context: inout InferenceContext) throws {
    throw OperatorError("its graphs are inferred with the graph around them alone")
  }

  package func run(_ inputs: [RunValue?]) throws -> [RunValue] {
    throw OperatorError("its graphs run as parts of a plan alone")
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { nil }

  package func repetition(_ inputs: [ValueType?], known: [Tensor?]) -> Repetition? { nil }
}

extension ValueType {
  /// The narrowest type that holds values of both types; nil where there is none. Shapes keep the extents that both have.
  func joined(with other: ValueType) -> ValueType? {
    switch (self, other) {
    case (.tensor(let type, let shape), .tensor(let otherType, let otherShape)):
      guard type == otherType else { return nil }
      guard let shape, let otherShape, shape.count == otherShape.count else {
        return .tensor(type, shape: nil)
      }
      return .tensor(type, shape: zip(shape, otherShape).map { $0 == $1 ? $0 : .unknown })
    case (.sequence(let item), .sequence(let otherItem)):
      return item.joined(with: otherItem).map(ValueType.sequence)
    case (.optional(let item), .optional(let otherItem)):
      return item.joined(with: otherItem).map(ValueType.optional)
    // An optional that has its value from some run on.
    case (.optional(let item), _): return item.joined(with: other).map(ValueType.optional)
    default: return nil
    }
  }
}

/// Infers a graph that is run again and again, over values that each run hands to the next, until their types hold for all runs.
///
/// - Parameters:
///   - first: the types of the values before the first run.
///   - outputs: infers the graph: from the types of the values to those of all its outputs.
///   - place: where the values are among the outputs.
/// - Returns: the types of the values, and of all outputs.
/// - Throws: `OperatorError` where a value changes its element type or kind.
func steadyTypes(
  _ first: [ValueType?], at place: Range<Int>, outputs: BodyInference
) throws -> (carried: [ValueType?], outputs: [ValueType?]) {
  var carried = first
  for round in 0... {
    let made = try outputs(carried)
    let next = try zip(carried, made[place]).enumerated().map { index, pair -> ValueType? in
      guard let before = pair.0 else { return pair.1 }
      guard let after = pair.1 else { return before }
      guard let joined = before.joined(with: after) else {
        throw OperatorError("carried value \(index) is \(before) and becomes \(after)")
      }
      // Extents that change one after the other are given up together, so that loops in loops stay cheap.
      return joined == before || round < widenedExtents ? joined : joined.withoutShapes
    }
    if next == carried { return (carried, made) }
    carried = next
  }
  preconditionFailure("types widen, and there is a widest one")
}

/// How often the extents of values that a loop carries are widened one by one.
private let widenedExtents = 3
