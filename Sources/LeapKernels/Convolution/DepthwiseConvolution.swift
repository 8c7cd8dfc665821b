// DepthwiseConvolution: each output channel reads one input channel; directly, without matrices.

import CLeapKernels
import LeapTensors

package enum DepthwiseConvolution {
  /// Whether a convolution is of this kind.
  package static func applies(to geometry: ConvolutionGeometry) -> Bool {
    geometry.groupInputs == 1 && geometry.groups > 1
  }

  /// Makes the kernel, for requests as `Im2colConvolution.kernel` takes them. A block is a few planes of one image.
  ///
  /// - Throws: `OperatorError`.
  package static func kernel(_ geometry: ConvolutionGeometry, _ request: KernelRequest) throws
    -> Kernel
  {
    let (x, y) = (request.inputs[0]!, request.outputs[0]!)
    let width = x.dataType.byteWidth
    let isDouble = x.dataType == .float64
    let epilogue = try convolutionEpilogue(geometry, request)
    let shape = geometry.cValue
    let (channels, pixels, taps) = (geometry.outputChannels, geometry.outputPixels, geometry.taps)
    let (xStride, yStride) = (x.imageStride, y.imageStride)
    let planes = max(1, min(channels, 262_144 / max(1, pixels * taps)))
    let blocks = (channels + planes - 1) / max(1, planes)
    if pixels == 0 || channels == 0 { return Kernel(phases: []) }
    return Kernel(
      blocks: geometry.batch * blocks,
      scratchPerWorker: epilogue.hasResidual ? pixels * width : 0
    ) { invocation, block in
      let (image, first) = (block / blocks, block % blocks * planes)
      for channel in first..<min(first + planes, channels) {
        let inputChannel = channel / geometry.groupOutputs
        let source =
          invocation.input(0) + (image * xStride + inputChannel * geometry.inputPixels) * width
        let filter = invocation.input(1) + channel * taps * width
        let destination = invocation.output(0) + (image * yStride + channel * pixels) * width
        let result = epilogue.hasResidual ? invocation.scratch : destination
        withUnsafePointer(to: shape) {
          if isDouble {
            leap_f64_depthwise(
              $0, source.assumingMemoryBound(to: Double.self),
              filter.assumingMemoryBound(to: Double.self),
              result.assumingMemoryBound(to: Double.self))
          } else {
            leap_f32_depthwise(
              $0, source.assumingMemoryBound(to: Float.self),
              filter.assumingMemoryBound(to: Float.self),
              result.assumingMemoryBound(to: Float.self))
          }
        }
        if epilogue.isEmpty { continue }
        epilogue.apply(
          invocation,
          .init(
            image: image, channel: channel, offset: channel * pixels, rows: 1, columns: pixels,
            rowStride: pixels),
          source: result, sourceStride: pixels, destination: destination,
          destinationStride: pixels)
      }
    }
  }
}
