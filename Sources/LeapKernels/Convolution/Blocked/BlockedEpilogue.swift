// BlockedEpilogue: what a convolution in a blocked layout does to its results: bias, one residual and a clip while they are
// in registers, anything else in a second look at what was just stored.

import CLeapKernels
import LeapTensors

struct BlockedEpilogue: Sendable {
  /// The input whose numbers are added to each channel, packed to whole vectors.
  private(set) var bias: Int?
  private(set) var residual: Int?
  private(set) var low = -Float.infinity
  private(set) var high = Float.infinity
  /// Floats between images and groups of the residual.
  private(set) var residualStrides: (image: Int, group: Int) = (0, 0)
  private let rest: EpilogueProgram
  private let channels: Int
  private let width: Int
  /// Floats between images and groups of the output.
  let outputStrides: (image: Int, group: Int)

  /// - Throws: `OperatorError` where an operand does not fit the output.
  init(_ request: KernelRequest, channels: Int, width: Int) throws {
    guard let output = request.outputs.first ?? nil else {
      throw OperatorError("output 0 is required")
    }
    self.channels = channels
    self.width = width
    outputStrides = BlockedEpilogue.strides(output)
    var stages = request.epilogue[...]
    if request.ownInputCount > 2, request.inputs[2] != nil { bias = 2 }
    if bias == nil, case .bias(let input)? = stages.first {
      bias = input
      stages = stages.dropFirst()
    }
    if case .residual(let input)? = stages.first {
      let operand = try request.requiredInput(input)
      residual = input
      residualStrides = BlockedEpilogue.strides(operand)
      stages = stages.dropFirst()
    }
    if case .activation(let activation)? = stages.first, let range = activation.range {
      (low, high) = range
      stages = stages.dropFirst()
    }
    var remaining = request
    remaining.epilogue = Array(stages)
    rest = try EpilogueProgram(remaining, dataType: .float32, channels: channels, axis: .columns)
  }

  private static func strides(_ operand: Operand) -> (image: Int, group: Int) {
    (operand.imageStride, operand.shape.inner(from: 2) * (operand.blocks?.width ?? 1))
  }

  /// The input that must be packed to whole vectors, for a request whose layouts are not settled yet.
  static func biasInput(_ request: KernelRequest) -> Int? {
    if request.ownInputCount > 2, request.inputs[2] != nil { return 2 }
    if case .bias(let input)? = request.epilogue.first { return input }
    return nil
  }

  /// The recipe that fills a bias up to whole vectors.
  static func biasRecipe(channels: Int, width: Int) -> PackingRecipe {
    let slots = ChannelBlocks(width: width, channels: channels).slots
    return PackingRecipe(key: "vectors of \(width)", byteCount: slots * 4) { source, target in
      target.initializeMemory(as: UInt8.self, repeating: 0, count: slots * 4)
      target.copyMemory(from: source, byteCount: channels * 4)
    }
  }

  func biasPointer(_ invocation: Invocation, group: Int) -> UnsafePointer<Float>? {
    bias.map { invocation.input($0).assumingMemoryBound(to: Float.self) + group * width }
  }

  /// The residual's first pixel of a group.
  func residualPointer(
    _ invocation: Invocation, image: Int, group: Int
  ) -> UnsafePointer<Float>? {
    residual.map {
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
  var isFinished: Bool { rest.isEmpty }

  /// The second look: the stages that were not done in registers, for runs of pixels of some groups.
  func finish(_ invocation: Invocation, image: Int, groups: Range<Int>, pixels: Range<Int>) {
    if rest.isEmpty || pixels.isEmpty { return }
    for group in groups {
      let lanes = min(width, channels - group * width)
      let first =
        outputPointer(invocation, image: image, group: group)
        + pixels.lowerBound * width
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
