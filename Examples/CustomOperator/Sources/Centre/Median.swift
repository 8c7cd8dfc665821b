// Median: an operator that ONNX does not have, as a program gives it to Leapstone.

import Leapstone

/// The median of each row: of the elements along the last axis.
///
/// Input 0: float32, of one dimension or more. Output 0: float32, without the last axis; with an extent of 1 in its place where
/// the attribute `keepdims` is 1.
struct Median: CustomOperator {
  // What nodes call it. `version` and `isDeterministic` have defaults.
  let domain = "org.example"
  let name = "Median"

  /// What comes out, as far as it is known before a run: extents may be symbols of the model's.
  func infer(_ node: CustomNode) throws -> [ValueType] {
    let type = try node.dataType(0, among: [.float32])
    guard let shape = node.shape(0) else { return [.tensor(type, shape: nil)] }
    if shape.isEmpty { throw MedianError.scalar }
    return [.tensor(type, shape: try shape.dropLast() + lastAxis(of: node).map(Dimension.fixed))]
  }

  /// What is computed. Elements are in row-major order: a row is a stretch of them.
  func run(_ node: CustomNode, _ inputs: CustomInputs) throws -> [Tensor] {
    let shape = try inputs.tensor(0).shape
    let elements = try inputs.elements(0, as: Float.self)
    guard let length = shape.last, length > 0 else { throw MedianError.emptyRow }
    let medians = stride(from: 0, to: elements.count, by: length).map { start in
      median(elements[start..<start + length])
    }
    return [try Tensor(medians, shape: Shape(shape.dropLast() + lastAxis(of: node)))]
  }

  /// What takes the last axis' place.
  private func lastAxis(of node: CustomNode) throws -> [Int] {
    try node.int("keepdims") == 1 ? [1] : []
  }

  private func median(_ row: ArraySlice<Float>) -> Float {
    let sorted = row.sorted()
    let upper = sorted[sorted.count / 2]
    return sorted.count.isMultiple(of: 2) ? (sorted[sorted.count / 2 - 1] + upper) / 2 : upper
  }
}

/// What Median does not take. A session's error says it, with the node's name before it.
enum MedianError: Error, CustomStringConvertible {
  case scalar, emptyRow

  var description: String {
    switch self {
    case .scalar: "a scalar has no rows"
    case .emptyRow: "a row without elements has no median"
    }
  }
}
