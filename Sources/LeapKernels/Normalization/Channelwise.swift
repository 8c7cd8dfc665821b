// Channelwise: kernels whose work is one channel of one image at a time: batch normalisation and global averages.
//
// A block is a run of channels of one image, so what it computes does not depend on the batch.

import CLeapKernels
import LeapTensors

package enum Channelwise {
  /// Elements that one block should touch.
  private static let blockElements = 32 << 10

  /// How the channels of an operand are cut into blocks.
  private struct Cut: Sendable {
    let channels: Int
    let pixels: Int
    let channelsPerBlock: Int
    let blocksPerImage: Int
    let blocks: Int

    init(_ shape: Shape) {
      channels = shape[1]
      pixels = shape.inner(from: 2)
      channelsPerBlock = max(1, min(channels, Channelwise.blockElements / max(pixels, 1)))
      blocksPerImage = (channels + channelsPerBlock - 1) / channelsPerBlock
      blocks = pixels == 0 ? 0 : shape[0] * blocksPerImage
    }

    func range(_ block: Int) -> (image: Int, channels: Range<Int>) {
      let first = block % blocksPerImage * channelsPerBlock
      return (block / blocksPerImage, first..<min(first + channelsPerBlock, channels))
    }
  }

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

  /// y = (x - mean) / sqrt(variance + epsilon) * scale + bias, with inputs x, scale, bias, mean, variance. Factor and
  /// shift of a channel are computed in double precision. y may lie where x lies.
  ///
  /// - Throws: `OperatorError` for a type other than float32 and float64, or parameters of another type than x.
  package static func batchNormalization(
    _ request: KernelRequest, epsilon: Double
  ) throws -> KernelCandidate {
    let (x, y) = try checked(request)
    guard request.inputs.dropFirst().allSatisfy({ $0?.dataType == x.dataType }) else {
      throw OperatorError("scale, bias, mean and variance must be \(x.dataType), as the input is")
    }
    let cut = Cut(y.shape)
    return KernelCandidate(
      name: "channelwise",
      inputs: [.innerContiguous(from: 2)] + request.inputs.dropFirst().map { _ in .contiguous },
      outputs: request.outputs.map { _ in .innerContiguous(from: 2) },
      inPlace: [InPlacePair(input: 0, output: 0)],
      cost: Cost(operations: 2 * Double(y.shape.elementCount), bytes: 2 * Double(y.byteCount))
    ) { settled in
      let from = try strides(settled.inputs[0])
      let to = try strides(settled.outputs[0])
      return Kernel(blocks: cut.blocks) { invocation, block in
        let (image, channels) = cut.range(block)
        for channel in channels {
          let source = image * from.image + channel * from.channel
          let target = image * to.image + channel * to.channel
          if x.dataType == .float32 {
            let (scale, shift) = affine(Float.self, invocation, channel, epsilon)
            leap_f32_affine(
              invocation.input(0).assumingMemoryBound(to: Float.self) + source,
              invocation.output(0).assumingMemoryBound(to: Float.self) + target, cut.pixels,
              Float(scale), Float(shift))
          } else {
            let (scale, shift) = affine(Double.self, invocation, channel, epsilon)
            leap_f64_affine(
              invocation.input(0).assumingMemoryBound(to: Double.self) + source,
              invocation.output(0).assumingMemoryBound(to: Double.self) + target, cut.pixels,
              scale, shift)
          }
        }
      }
    }
  }

  /// The factor and shift of one channel.
  private static func affine<Element: BinaryFloatingPoint>(
    _ type: Element.Type, _ invocation: Invocation, _ channel: Int, _ epsilon: Double
  ) -> (scale: Double, shift: Double) {
    func parameter(_ index: Int) -> Double {
      Double(invocation.input(index).assumingMemoryBound(to: type)[channel])
    }
    let scale = parameter(1) / (parameter(4) + epsilon).squareRoot()
    return (scale, parameter(2) - parameter(3) * scale)
  }

  /// The mean of each channel's pixels, summed in double precision: [N, C, ...] to [N, C, 1, ...].
  ///
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package static func globalAverage(_ request: KernelRequest) throws -> KernelCandidate {
    let (x, _) = try checked(request)
    let cut = Cut(x.shape)
    return KernelCandidate(
      name: "channelwise", inputs: [.innerContiguous(from: 2)],
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
