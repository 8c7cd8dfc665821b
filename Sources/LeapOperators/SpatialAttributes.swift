// SpatialAttributes: kernel_shape, strides, dilations, pads and auto_pad, as convolutions and poolings
// share them.

import LeapGraph
import LeapTensors

/// The attributes that say how a kernel moves over an image.
struct SpatialAttributes: Sendable {
  enum AutoPad: String, CaseIterable, Sendable {
    case notSet = "NOTSET"
    case sameUpper = "SAME_UPPER"
    case sameLower = "SAME_LOWER"
    case valid = "VALID"
  }

  let autoPad: AutoPad
  let kernelShape: [Int]?
  private let givenStrides: [Int]?
  private let givenDilations: [Int]?
  private let givenPads: [Int]?

  /// Throws `OperatorError` for a value out of range.
  init(_ node: NodeReader) throws {
    autoPad = try node.choice("auto_pad", default: .notSet)
    kernelShape = try SpatialAttributes.list(node, "kernel_shape", minimum: 1)
    givenStrides = try SpatialAttributes.list(node, "strides", minimum: 1)
    givenDilations = try SpatialAttributes.list(node, "dilations", minimum: 1)
    givenPads = try SpatialAttributes.list(node, "pads", minimum: 0)
  }

  /// A list of integers from `minimum` to 2^31 - 1; nil where it is not given, or empty.
  static func list(_ node: NodeReader, _ name: String, minimum: Int) throws -> [Int]? {
    guard let values = try node.ints(name), !values.isEmpty else { return nil }
    for value in values where value < minimum || value > Int(Int32.max) {
      throw OperatorError("attribute '\(name)' holds \(value); expected \(minimum) to \(Int32.max)")
    }
    return values
  }

  /// The attributes for a number of spatial dimensions.
  struct Resolved: Sendable {
    var strides: [Int]
    var dilations: [Int]
    /// Begin and end for each dimension; meaningless where `autoPad` says them.
    var pads: [(begin: Int, end: Int)]
  }

  /// Throws `OperatorError` where a list has another length than the rank asks for.
  func resolved(rank: Int) throws -> Resolved {
    func checked(_ name: String, _ values: [Int]?, _ count: Int, _ fill: Int) throws -> [Int] {
      guard let values else { return Array(repeating: fill, count: count) }
      guard values.count == count else {
        throw OperatorError(
          "attribute '\(name)' has \(values.count) values; expected \(count) for \(rank) spatial dimensions"
        )
      }
      return values
    }
    let pads = try checked("pads", givenPads, 2 * rank, 0)
    return Resolved(
      strides: try checked("strides", givenStrides, rank, 1),
      dilations: try checked("dilations", givenDilations, rank, 1),
      pads: (0..<rank).map { (pads[$0], pads[$0 + rank]) })
  }

  /// The kernel's extents: those of the weights, which `kernel_shape` must agree with. Throws `OperatorError`.
  func kernel(weights: [Dimension]) throws -> [Dimension] {
    guard let kernelShape else { return weights }
    guard kernelShape.count == weights.count,
      zip(kernelShape, weights).allSatisfy({ ($1.value ?? $0) == $0 })
    else {
      throw OperatorError(
        "attribute 'kernel_shape' is \(Shape(kernelShape)); the weights' kernel is \(describe(weights))"
      )
    }
    return kernelShape.map(Dimension.fixed)
  }

  /// The extent that a kernel covers: (kernel - 1) · dilation + 1.
  static func covered(_ kernel: Dimension, _ dilation: Int) -> Dimension {
    (kernel - 1) * .fixed(dilation) + 1
  }

  /// The extent of the output along one axis.
  ///
  /// - Parameter roundingUp: whether a last window may reach beyond the padding, as `ceil_mode` says; one that would
  ///   start in the padding behind the last pixel is dropped.
  /// - Throws: `OperatorError` where the kernel does not fit.
  func outputExtent(
    input: Dimension, kernel: Dimension, axis: Int, _ resolved: Resolved,
    roundingUp: Bool = false
  ) throws -> Dimension {
    let step = resolved.strides[axis]
    let stride = Dimension.fixed(step)
    if autoPad == .sameUpper || autoPad == .sameLower {
      return (input + (stride - 1)) / stride
    }
    let (begin, end) = autoPad == .valid ? (0, 0) : resolved.pads[axis]
    let padded = input + .fixed(begin + end)
    let covered = SpatialAttributes.covered(kernel, resolved.dilations[axis])
    var extent = (padded - covered) / stride + 1
    if roundingUp {
      extent = (padded - covered + .fixed(step - 1)) / stride + 1
      // Where stride and padding together are no larger than a window, none can start in the padding.
      if (covered.value ?? 0) < step + end {
        extent = .combine(.minimum, extent, (input + .fixed(begin - 1)) / stride + 1)
      }
    }
    if let known = extent.value, known < 1 {
      throw OperatorError(
        "a kernel that covers \(covered) does not fit the padded extent \(padded) of spatial axis \(axis)"
      )
    }
    return extent
  }

  /// The padding before the first pixel along one axis, all extents known.
  func padBegin(input: Int, output: Int, kernel: Int, axis: Int, _ resolved: Resolved) -> Int {
    padding(input: input, output: output, kernel: kernel, axis: axis, resolved).begin
  }

  /// The padding before the first and behind the last pixel along one axis, all extents known.
  func padding(
    input: Int, output: Int, kernel: Int, axis: Int, _ resolved: Resolved
  ) -> (begin: Int, end: Int) {
    switch autoPad {
    case .notSet: return resolved.pads[axis]
    case .valid: return (0, 0)
    case .sameUpper, .sameLower:
      let covered = (kernel - 1) * resolved.dilations[axis] + 1
      let total = max(0, (output - 1) * resolved.strides[axis] + covered - input)
      let half = total / 2
      return autoPad == .sameUpper ? (half, total - half) : (total - half, half)
    }
  }
}
