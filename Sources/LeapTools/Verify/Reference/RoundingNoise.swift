// RoundingNoise: disturbs the values of the exact reference path as rounding in a narrower type would, at random: what outputs then
// differ by is what any correct implementation may differ by.
//
// The idea is that of Monte Carlo arithmetic (Parker, Pierce, Eggert: Monte Carlo arithmetic, 2000). How large an operator's
// rounding is was measured: matrix products and convolutions, Winograd's algorithms included, have root mean square errors of up
// to 0.6 sqrt(K) roundings of a typical result for sums of K terms.

import LeapGraph
import LeapRuntime
import LeapTensors
import Synchronization

struct RoundingNoise: Sendable {
  /// The types that the model itself gives to its values, by name.
  private let types: [String: DataType]

  /// - Parameter model: as it was read, with inferred types.
  init(_ graph: Graph) {
    var types: [String: DataType] = [:]
    for value in graph.values { types[value.name] = value.type?.dataType }
    self.types = types
  }

  /// Operators that move, choose or clip numbers: their results need no rounding.
  private static let exact: Set<String> = [
    "Abs", "ArgMax", "ArgMin", "Cast", "CastLike", "Ceil", "Clip", "Compress", "Concat", "Constant",
    "ConstantOfShape", "DepthToSpace", "Dropout", "Expand", "Flatten", "Floor", "Gather",
    "GatherElements", "GatherND", "Identity", "Max", "MaxPool", "MaxUnpool", "Min", "Neg",
    "NonZero",
    "OneHot", "Optional", "OptionalGetElement", "Pad", "Relu", "Reshape", "ReverseSequence",
    "Round",
    "Scatter", "ScatterElements", "ScatterND", "Shape", "Sign", "Size", "Slice", "SpaceToDepth",
    "Split", "Squeeze", "Tile", "TopK", "Transpose", "Trilu", "Unique", "Unsqueeze", "Where",
  ]

  /// Half the distance from 1 to the next number, and less: what one rounding is at most; nil for types that do not round.
  private static func unit(_ type: DataType) -> Double? {
    switch type {
    case .float64: 0x1p-53
    case .float32: 0x1p-24
    case .float16: 0x1p-11
    case .bfloat16: 0x1p-8
    default: nil
    }
  }

  /// Of the square root of K, what was measured at most.
  private static let share = 0.7

  /// What a reference session needs to be disturbed. The same seed disturbs in the same way.
  func instrument(seed: Int) -> KernelInstrument {
    .visiting { number, step, output, tensor in
      guard output < step.outputValues.count, let name = step.outputValues[output],
        let unit = types[name].flatMap(RoundingNoise.unit),
        !RoundingNoise.exact.contains(step.operatorType)
      else { return nil }
      return try RoundingNoise.disturbed(tensor, step, unit, seed: seed &* 1_000_003 &+ number)
    }
  }

  private static func disturbed(
    _ tensor: Tensor, _ step: BoundStep, _ unit: Double, seed: Int
  ) throws -> Tensor? {
    guard var numbers = tensor.elements(as: Double.self), !numbers.isEmpty else { return nil }
    var generator = SplitMix64(seed: UInt64(bitPattern: Int64(seed)))
    // A sum's roundings are in proportion to its terms, which a small result does not show: those of its whole channel do.
    let share = RoundingNoise.share * Double(step.terms).squareRoot()
    let channels = tensor.shape.rank > 2 ? tensor.shape[0] * tensor.shape[1] : 1
    let length = numbers.count / max(channels, 1)
    for channel in 0..<max(channels, 1) {
      let range = channel * length..<(channel + 1) * length
      let square = numbers[range].reduce(0) { $0 + ($1.isFinite ? $1 * $1 : 0) }
      let typical = (square / Double(max(length, 1))).squareRoot()
      for index in range where numbers[index].isFinite {
        let random = Double(generator.next() >> 11) / 0x1p52 - 1
        // Evenly distributed from -1 to 1, of variance 1/3.
        let size = abs(numbers[index]) + (step.terms > 1 ? share * typical : 0)
        numbers[index] += 1.7320508 * unit * size * random
      }
    }
    return try Tensor(numbers, shape: tensor.shape)
  }
}
