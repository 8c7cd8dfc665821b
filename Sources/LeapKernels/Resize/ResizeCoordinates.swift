// ResizeCoordinates: where the places of a resized axis lie on the axis it is resized from.
//
// Coordinates are single precision, computed in this order of operations, as ONNX Runtime does: rounding decides which
// element "nearest" takes. Where the two differ (`alignCorners` of a fractional length) ONNX's own tests decide.

import LeapTensors

/// ONNX's `coordinate_transformation_mode`.
package enum CoordinateTransformation: String, CaseIterable, Sendable {
  case halfPixel = "half_pixel"
  case halfPixelSymmetric = "half_pixel_symmetric"
  case pytorchHalfPixel = "pytorch_half_pixel"
  case alignCorners = "align_corners"
  case asymmetric
  case tfHalfPixelForNearest = "tf_half_pixel_for_nn"
  case tfCropAndResize = "tf_crop_and_resize"
}

/// How "nearest" rounds a coordinate, ONNX's `nearest_mode`.
package enum NearestRounding: String, CaseIterable, Sendable {
  case preferFloor = "round_prefer_floor"
  case preferCeiling = "round_prefer_ceil"
  case floor
  case ceiling = "ceil"

  /// Coordinates this close to the middle between two elements count as the middle, as in ONNX Runtime: division
  /// rarely hits it.
  private static let tolerance: Float = 1e-6

  /// The rounded coordinate.
  func apply(_ coordinate: Float) -> Float {
    let lower = coordinate.rounded(.down)
    let isMiddle = abs(coordinate - lower - 0.5) <= NearestRounding.tolerance
    switch self {
    case .preferFloor: return isMiddle ? lower : coordinate.rounded()
    case .preferCeiling: return isMiddle ? lower + 1 : coordinate.rounded()
    case .floor: return lower
    case .ceiling: return coordinate.rounded(.up)
    }
  }
}

/// One axis to be resized.
package struct ResizedAxis: Sendable, Hashable {
  /// The source's extent.
  package var source: Int
  /// The target's extent.
  package var target: Int
  /// How many places of the target one of the source becomes; `target / source` may differ, as extents are whole numbers.
  package var scale: Float
  /// The target's length before it was made a whole number.
  package var length: Float
  /// The part of the source that is shown, for `tfCropAndResize`: 0 is the first element, 1 the last.
  package var start: Float
  package var end: Float

  package init(
    source: Int, target: Int, scale: Float, length: Float, start: Float = 0, end: Float = 1
  ) {
    self.source = source
    self.target = target
    self.scale = scale
    self.length = length
    self.start = start
    self.end = end
  }

  /// Whether every element stays as it is. A scale of 1 is that in every mode, whatever region is asked for, as in
  /// ONNX Runtime.
  var isIdentity: Bool { scale == 1 && source == target }

  /// Where a place of the target lies on the source.
  func coordinate(_ place: Int, _ mode: CoordinateTransformation) -> Float {
    let x = Float(place)
    let from = Float(source)
    let to = Float(target)
    switch mode {
    case .halfPixel:
      return (x + 0.5) / scale - 0.5
    case .halfPixelSymmetric:
      let adjustment = to / (scale * from)
      let offset = from / 2 * (1 - adjustment)
      return Float(Double(offset) + (Double(x) + 0.5) / Double(scale) - 0.5)
    case .pytorchHalfPixel:
      return target > 1 ? (x + 0.5) / scale - 0.5 : 0
    case .alignCorners:
      return target > 1 ? x * (from - 1) / (length - 1) : 0
    case .asymmetric:
      return x / scale
    case .tfHalfPixelForNearest:
      return (x + 0.5) / scale
    case .tfCropAndResize:
      return target > 1
        ? start * (from - 1) + x * (end - start) * (from - 1) / (to - 1)
        : 0.5 * (start + end) * (from - 1)
    }
  }

  /// Whether a coordinate lies outside of the source, so that the extrapolation value stands there.
  func isOutside(_ coordinate: Float, _ mode: CoordinateTransformation) -> Bool {
    mode == .tfCropAndResize && !(coordinate >= 0 && coordinate <= Float(source - 1))
  }
}
