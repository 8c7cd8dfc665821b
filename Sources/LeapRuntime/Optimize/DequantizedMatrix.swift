// DequantizedMatrix: a constant matrix of integers, of which a DequantizeLinear makes floats, and perhaps a Transpose turns them.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

struct DequantizedMatrix {
  /// Which numbers have a scale of their own.
  enum Granularity: Equatable {
    case matrix
    /// The indices of an axis.
    case axis(Int)
    /// Some numbers along an axis, and each index of the other.
    case block(axis: Int, size: Int)
  }

  let numbers: ValueID
  let scale: ValueID
  let zero: ValueID?
  let type: DataType
  /// Of the numbers.
  let shape: Shape
  let granularity: Granularity
  /// Whether it is read with its axes exchanged.
  var isTransposed: Bool
  /// The nodes that make the floats.
  let nodes: [Int]
  private let floats: ValueID

  /// - Parameter value: the floats, as they are read.
  init?(_ value: ValueID, in merger: NodeMerger) {
    guard let last = merger.producer(of: value) else { return nil }
    var (position, floats) = (last, value)
    isTransposed = false
    if let source = DequantizedMatrix.source(ofTranspose: last, merger) {
      guard let producer = merger.producer(of: source) else { return nil }
      (position, floats, isTransposed) = (producer, source, true)
    }
    guard let node = merger.node(position), node.operatorType == "DequantizeLinear",
      node.domain.isEmpty || node.domain == "com.microsoft", node.inputs.count >= 2,
      merger.type(floats)?.dataType == .float32, let numbers = node.inputs[0],
      let constant = merger.constant(numbers), NumberPanels.types.contains(constant.dataType),
      constant.shape.rank == 2, !constant.shape.contains(0), let scale = node.inputs[1],
      let scales = merger.constant(scale), scales.dataType == .float32
    else { return nil }
    zero = node.inputs.count > 2 ? node.inputs[2] : nil
    if let zero {
      guard let zeros = merger.constant(zero), zeros.shape == scales.shape else { return nil }
    }
    guard let found = DequantizedMatrix.granularity(node, constant.shape, scales.shape) else {
      return nil
    }
    (self.numbers, self.scale, self.floats) = (numbers, scale, floats)
    (type, shape, granularity) = (constant.dataType, constant.shape, found)
    nodes = isTransposed ? [position, last] : [position]
  }

  /// What a Transpose of a matrix reads; nil for other nodes.
  private static func source(ofTranspose position: Int, _ merger: NodeMerger) -> ValueID? {
    guard let node = merger.node(position), node.domain.isEmpty,
      node.operatorType == "Transpose", let source = node.inputs[0]
    else { return nil }
    switch node.attributes["perm"] {
    case nil: return source
    case .ints([1, 0])?: return source
    default: return nil
    }
  }

  private static func granularity(_ node: Node, _ matrix: Shape, _ scale: Shape) -> Granularity? {
    if scale.rank <= 1, scale.elementCount == 1 { return .matrix }
    var axis = 1
    if case .int(let given)? = node.attributes["axis"] { axis = Int(given) }
    if axis < 0 { axis += 2 }
    guard (0...1).contains(axis) else { return nil }
    var size = 0
    if case .int(let given)? = node.attributes["block_size"] { size = Int(given) }
    if scale.rank == 1 { return size == 0 ? .axis(axis) : nil }
    guard scale.rank == 2, scale[axis] > 0 else { return nil }
    if size == 0 { size = (matrix[axis] - 1) / scale[axis] + 1 }
    return .block(axis: axis, size: size)
  }

  /// The nodes that read the floats, turned or not; nil where somebody else does too.
  func readers(in merger: NodeMerger) -> [Int]? {
    guard let direct = merger.readers(of: floats) else { return nil }
    var all: [Int] = []
    for position in direct {
      guard DequantizedMatrix.source(ofTranspose: position, merger) != nil,
        let output = merger.node(position)?.outputs[0]
      else {
        all.append(position)
        continue
      }
      guard let turned = merger.readers(of: output) else { return nil }
      all += turned
    }
    return all
  }
}
