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

  /// Multiplies weights in place: in double precision, rounded once.
  ///
  /// - Parameters:
  ///   - weights: row-major, aligned to an element: a run of them, made of whole `inner` elements.
  ///   - firstElement: the index of the first of them among all.
  ///   - factors: one for each output channel, groups one after the other.
  /// - Throws: `OperatorError` where the weights or factors do not fit, or are neither float32 nor float64.
  package func apply(
    _ factors: [Double], to weights: UnsafeMutableRawBufferPointer, of dataType: DataType,
    firstElement: Int = 0
  ) throws {
    let count = weights.count / max(1, dataType.byteWidth)
    guard let all = elementCount, dataType.byteCount(elements: count) == weights.count,
      inner == 0 || count % inner == 0 && firstElement % inner == 0,
      firstElement >= 0, count <= all, firstElement <= all - count,
      factors.count == (outer / groupOuter) * channels || all == 0
    else {
      throw OperatorError(
        "\(weights.count) bytes of weights and \(factors.count) factors do not go together")
    }
    guard count > 0, let base = weights.baseAddress else { return }
    try factors.withUnsafeBufferPointer { factors in
      var line = firstElement / inner
      let end = line + count / inner
      var target = base
      while line < end {
        let (row, channel) = line.quotientAndRemainder(dividingBy: channels)
        let run = min(channels - channel, end - line)
        let own = factors.baseAddress! + row / groupOuter * channels + channel
        switch dataType {
        case .float32:
          leap_f32_scale_channels(target.assumingMemoryBound(to: Float.self), own, run, inner)
        case .float64:
          leap_f64_scale_channels(target.assumingMemoryBound(to: Double.self), own, run, inner)
        default: throw OperatorError("weights are \(dataType); expected float32 or float64")
        }
        target += run * inner * dataType.byteWidth
        line += run
      }
    }
  }
}
