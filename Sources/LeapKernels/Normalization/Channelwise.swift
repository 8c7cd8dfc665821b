// Channelwise: kernels whose work is one channel of one image at a time: global averages.
//
// A block is a run of channels of one image, so what it computes does not depend on the batch.

import CLeapKernels
import LeapTensors

/// How the channels of images are cut into blocks.
struct ChannelCut: Sendable {
  /// Elements that one block should touch.
  private static let blockElements = 32 << 10

  let channels: Int
  let pixels: Int
  let blocks: Int
  private let channelsPerBlock: Int
  private let blocksPerImage: Int

  init(images: Int, channels: Int, pixels: Int) {
    self.channels = channels
    self.pixels = pixels
    channelsPerBlock = max(1, min(channels, ChannelCut.blockElements / max(pixels, 1)))
    blocksPerImage = (channels + channelsPerBlock - 1) / channelsPerBlock
    blocks = pixels == 0 ? 0 : Shape.product([images, blocksPerImage])
  }

  func range(_ block: Int) -> (image: Int, channels: Range<Int>) {
    let first = block % blocksPerImage * channelsPerBlock
    return (block / blocksPerImage, first..<min(first + channelsPerBlock, channels))
  }
}

package enum Channelwise {
  private static func checked(_ request: KernelRequest) throws -> (x: Operand, y: Operand) {
    guard let x = request.inputs.first ?? nil, let y = request.outputs.first ?? nil else {
      throw OperatorError("input 0 and output 0 are required")
    }
    guard [.float32, .float64].contains(x.dataType), x.dataType == y.dataType else {
      throw OperatorError("elements are \(x.dataType); expected float32 or float64")
    }
    return (x, y)
  }

  /// Strides of images and channels, counted in elements.
  private static func strides(_ operand: Operand?) throws -> (image: Int, channel: Int) {
    guard let strides = operand?.strides else { throw OperatorError("expected a plain layout") }
    return (strides[0], strides[1])
  }

  /// The mean of each channel's pixels, summed in double precision: [N, C, ...] to [N, C, 1, ...].
  ///
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package static func globalAverage(_ request: KernelRequest) throws -> KernelCandidate {
    let (x, _) = try checked(request)
    let cut = ChannelCut(
      images: x.shape[0], channels: x.shape[1], pixels: x.shape.inner(from: 2))
    return KernelCandidate(
      name: .channelwise, inputs: [.innerContiguous(from: 2)],
      outputs: [.innerContiguous(from: 2)],
      cost: Cost(operations: Double(x.shape.elementCount), bytes: Double(x.byteCount))
    ) { settled in
      let from = try strides(settled.inputs[0])
      let to = try strides(settled.outputs[0])
      return Kernel(blocks: cut.blocks) { invocation, block in
        let (image, channels) = cut.range(block)
        for channel in channels {
          let source = image * from.image + channel * from.channel
          let target = image * to.image + channel * to.channel
          if x.dataType == .float32 {
            let pixels = invocation.input(0).assumingMemoryBound(to: Float.self) + source
            invocation.output(0).assumingMemoryBound(to: Float.self)[target] =
              Float(leap_f32_sum(pixels, cut.pixels) / Double(cut.pixels))
          } else {
            let pixels = invocation.input(0).assumingMemoryBound(to: Double.self) + source
            invocation.output(0).assumingMemoryBound(to: Double.self)[target] =
              leap_f64_sum(pixels, cut.pixels) / Double(cut.pixels)
          }
        }
      }
    }
  }
}
