// PrologueFusion: a normalisation and an activation that only convolutions read, as in pre-activation ResNets and DenseNets,
// become part of those: they are computed while pixels are copied, not in a pass over memory of their own.
//
// 1. Only where every reader is a convolution that can: the normalised tensor is then never made.
// 2. Padding stays zero, as it is where the activation stands before the convolution.

import LeapGraph
import LeapOperators
import LeapTensors

package struct PrologueFusion: Pass {
  package static let name = "prologue-fusion"
  package static let summary =
    "apply a normalisation and activation before convolutions while they read their input"

  package init() {}

  /// Convolutions that may compute the same prologue, each for itself.
  private static let readerLimit = 2

  package func run(_ context: inout PassContext) throws {
    var merger = NodeMerger(context, pass: PrologueFusion.name)
    for position in merger.positions { try fuse(position, &merger) }
    merger.finish(&context)
  }

  private func fuse(_ position: Int, _ merger: inout NodeMerger) throws {
    guard let node = merger.node(position), node.epilogue.isEmpty,
      let input = ChannelAffine.input(of: position, in: merger),
      let output = node.outputs.first ?? nil, node.outputs.compactMap({ $0 }).count == 1,
      let type = merger.type(input), type.dataType == .float32, let shape = type.shape,
      (3...4).contains(shape.count), let count = shape[1].value, count <= NodeMerger.vectorLimit
    else { return }
    let channels = ChannelAffine.Channels(count: count, axis: 1, rank: shape.count)
    let (last, bounds) = end(of: position, output, merger)
    guard let readers = convolutions(reading: last.value, merger),
      let affine = try ChannelAffine(position, of: input, channels, in: merger)
    else { return }
    let scale = affine.scale ?? Array(repeating: 1, count: count)
    let shift = affine.shift ?? Array(repeating: 0, count: count)
    for reader in readers {
      let scaleInput = try merger.addVector(scale, .float32, from: affine.sources)
      let shiftInput = try merger.addVector(shift, .float32, from: affine.sources)
      merger.absorb(last.positions, into: reader) {
        $0.inputs[0] = input
        $0.inputs += [scaleInput, shiftInput]
        $0.prologue = Prologue(
          scaleInput: $0.inputs.count - 2, shiftInput: $0.inputs.count - 1,
          minimum: bounds.minimum, maximum: bounds.maximum)
      }
    }
  }

  /// The nodes from the affine one to what convolutions read, that value, and what it is clipped to.
  private func end(
    of position: Int, _ output: ValueID, _ merger: NodeMerger
  ) -> (last: (positions: [Int], value: ValueID), bounds: (minimum: Float, maximum: Float)) {
    let alone = (([position], output), (-Float.infinity, Float.infinity))
    guard let readers = merger.readers(of: output), readers.count == 1,
      let node = merger.node(readers[0]), node.inputs.first == output, node.epilogue.isEmpty,
      let value = node.outputs.first ?? nil,
      let activation = Activation(node, merger.operation(readers[0]), in: merger)
    else { return alone }
    switch activation {
    case .relu: return (([position, readers[0]], value), (0, .infinity))
    case .clip(let minimum, let maximum):
      return (([position, readers[0]], value), (Float(minimum), Float(maximum)))
    default: return alone
    }
  }

  /// The readers of a value, where all are convolutions that take a prologue.
  private func convolutions(reading value: ValueID, _ merger: NodeMerger) -> [Int]? {
    guard let readers = merger.readers(of: value),
      (1...PrologueFusion.readerLimit).contains(readers.count)
    else { return nil }
    for reader in readers {
      guard let node = merger.node(reader), node.prologue == nil,
        let conv = merger.operation(reader) as? Conv, conv.takesPrologue,
        node.inputs.first == value, node.inputs.dropFirst().allSatisfy({ $0 != value })
      else { return nil }
    }
    return readers
  }
}
