// ChannelScaling: multiplies weights by a factor for each output channel, so that a normalisation after a convolution or
// product costs nothing at run time.

import CLeapKernels
import LeapTensors

/// How the output channels lie in a tensor of weights, taken as [outer, channels, inner].
package struct ChannelScaling: Sendable {
  package var outer: Int
  /// How many of the outermost indices make one group; each group has output channels of its own.
  package var groupOuter: Int
  /// Output channels of a group.
  package var channels: Int
  package var inner: Int

  package init(outer: Int, groupOuter: Int, channels: Int, inner: Int) {
    self.outer = outer
    self.groupOuter = groupOuter
    self.channels = channels
    self.inner = inner
  }

  /// The number of weights; nil where the groups do not divide `outer`, or on overflow.
  private var elementCount: Int? {
    guard groupOuter > 0, outer % groupOuter == 0 else { return nil }
    let count = Shape.product([outer, channels, inner])
    return count == .max ? nil : count
  }

  /// Multiplies the weights in place: in double precision, rounded once.
  ///
  /// - Parameters:
  ///   - weights: row-major, aligned to an element.
  ///   - factors: one for each output channel, groups one after the other.
  /// - Throws: `OperatorError` where the weights or factors have another count, or are neither float32 nor float64.
  package func apply(
    _ factors: [Double], to weights: UnsafeMutableRawBufferPointer, of dataType: DataType
  ) throws {
    guard let count = elementCount, dataType.byteCount(elements: count) == weights.count,
      factors.count == (outer / groupOuter) * channels || count == 0
    else {
      throw OperatorError(
        "\(weights.count) bytes of weights and \(factors.count) factors do not go together")
    }
    guard count > 0, let base = weights.baseAddress else { return }
    switch dataType {
    case .float32:
      leap_f32_scale_channels(
        base.assumingMemoryBound(to: Float.self), factors, outer, groupOuter, channels, inner)
    case .float64:
      leap_f64_scale_channels(
        base.assumingMemoryBound(to: Double.self), factors, outer, groupOuter, channels, inner)
    default: throw OperatorError("weights are \(dataType); expected float32 or float64")
    }
  }
}
