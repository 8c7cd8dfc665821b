// BlockedEpilogue: what a convolution in a blocked layout does to its results: bias, one residual and a clip while they are
// in registers, anything else in a second look at what was just stored.

import CLeapKernels
import LeapTensors

/// The stages of an epilogue that are done in registers, and those that are left for a second look.
struct EpilogueSplit: Sendable {
  /// The input whose numbers are added to each channel, packed to whole vectors.
  private(set) var bias: Int?
  /// The input that is added where the results are stored, and so the only one that they may overwrite: a second look
  /// would find results in its place.
  private(set) var residual: Int?
  private(set) var low = -Float.infinity
  private(set) var high = Float.infinity
  let rest: [EpilogueStage]

  /// - Parameter request: one whose layouts need not be settled yet.
  init(_ request: KernelRequest) {
    var stages = request.epilogue[...]
    if request.ownInputCount > 2, request.inputs[2] != nil { bias = 2 }
    if bias == nil, case .bias(let input)? = stages.first {
      bias = input
      stages = stages.dropFirst()
    }
    if case .residual(let input)? = stages.first {
      residual = input
      stages = stages.dropFirst()
    }
    if case .activation(let activation)? = stages.first, let range = activation.range {
      (low, high) = range
      stages = stages.dropFirst()
    }
    rest = Array(stages)
  }
}

struct BlockedEpilogue: Sendable {
  private let split: EpilogueSplit
  /// Floats between images and groups of the residual.
  let residualStrides: (image: Int, group: Int)
  private let rest: EpilogueProgram
  private let channels: Int
  private let width: Int
  /// Floats between images and groups of the output.
  let outputStrides: (image: Int, group: Int)

  /// - Throws: `OperatorError` where an operand does not fit the output.
  init(_ request: KernelRequest, channels: Int, width: Int) throws {
    self.channels = channels
    self.width = width
    split = EpilogueSplit(request)
    outputStrides = BlockedEpilogue.strides(try request.requiredOutput(0))
    residualStrides =
      try split.residual.map { BlockedEpilogue.strides(try request.requiredInput($0)) } ?? (0, 0)
    var remaining = request
    remaining.epilogue = split.rest
    rest = try EpilogueProgram(remaining, dataType: .float32, channels: channels, axis: .columns)
  }

  /// The bounds of a clip that is done in registers.
  var low: Float { split.low }
  var high: Float { split.high }

  private static func strides(_ operand: Operand) -> (image: Int, group: Int) {
    (operand.imageStride, operand.shape.inner(from: 2) * (operand.blocks?.width ?? 1))
  }

  /// The recipe that fills a bias up to whole vectors.
  static func biasRecipe(channels: Int, width: Int) -> PackingRecipe {
    let slots = ChannelBlocks(width: width, channels: channels).slots
    return PackingRecipe(
      key: PackingKey("vectors", [width]), byteCount: slots * 4
    ) { _, source, target in
      target.initializeMemory(as: UInt8.self, repeating: 0, count: slots * 4)
      target.copyMemory(from: source, byteCount: channels * 4)
    }
  }

  func biasPointer(_ invocation: Invocation, group: Int) -> UnsafePointer<Float>? {
    split.bias.map { invocation.input($0).assumingMemoryBound(to: Float.self) + group * width }
  }

  /// The residual's first pixel of a group.
  func residualPointer(
    _ invocation: Invocation, image: Int, group: Int
  ) -> UnsafePointer<Float>? {
    split.residual.map {
      invocation.input($0).assumingMemoryBound(to: Float.self) + image * residualStrides.image
        + group * residualStrides.group
    }
  }

  /// The output's first pixel of a group.
  func outputPointer(
    _ invocation: Invocation, image: Int, group: Int
  ) -> UnsafeMutablePointer<Float> {
    invocation.output(0).assumingMemoryBound(to: Float.self) + image * outputStrides.image
      + group * outputStrides.group
  }

  /// Whether there is no second look.
  var isFinished: Bool { rest.isEmpty && channels % width == 0 }

  /// The second look: the stages that were not done in registers, for runs of pixels of some groups. Lanes that no channel
  /// uses are cleared: their filters are zeros, but an infinite pixel times zero is none.
  func finish(_ invocation: Invocation, image: Int, groups: Range<Int>, pixels: Range<Int>) {
    if isFinished || pixels.isEmpty { return }
    for group in groups {
      let lanes = min(width, channels - group * width)
      let first =
        outputPointer(invocation, image: image, group: group)
        + pixels.lowerBound * width
      if lanes < width { leap_clear_lanes(width, lanes, pixels.count, first) }
      if rest.isEmpty { continue }
      // Without operands, and with all lanes in use, a run of pixels is one row.
      let isFlat = !rest.hasOperands && lanes == width
      let offset = group * outputStrides.group + pixels.lowerBound * width
      rest.apply(
        invocation,
        .init(
          image: image, channel: group * width, offset: offset, rows: isFlat ? 1 : pixels.count,
          columns: isFlat ? pixels.count * width : lanes, rowStride: width),
        source: first, sourceStride: width, destination: first, destinationStride: width)
    }
  }
}

extension Activation {
  /// The bounds of an activation that clips and keeps zero; nil for any other.
  fileprivate var range: (Float, Float)? {
    switch self {
    case .relu: (0, .infinity)
    case .clip(let minimum, let maximum) where minimum <= 0 && maximum >= 0:
      (Float(minimum), Float(maximum))
    default: nil
    }
  }
}
