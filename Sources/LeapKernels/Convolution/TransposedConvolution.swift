// TransposedConvolution: for a few output channels at a time, one product gives every tap's contribution to them, and
// col2im sums those into the planes. Blocks own their planes, so that nothing is added by two workers.

import CLeapBLAS
import CLeapKernels
import LeapTensors

package enum TransposedConvolution {
  /// Makes the kernel.
  ///
  /// - Parameters:
  ///   - geometry: the transposed convolution: `input` is what it reads, `output` what it makes.
  ///   - request: inputs X, W [input channels, output channels / groups, kernel...] and perhaps B; X and Y row-major
  ///     from the channels on.
  /// - Throws: `OperatorError`.
  package static func kernel(_ geometry: ConvolutionGeometry, _ request: KernelRequest) throws
    -> Kernel
  {
    let (x, y) = (request.inputs[0]!, request.outputs[0]!)
    let width = x.dataType.byteWidth
    let isDouble = x.dataType == .float64
    let epilogue = try convolutionEpilogue(geometry, request)
    let shape = geometry.cValue
    let (taps, pixels, inputPixels) = (geometry.taps, geometry.outputPixels, geometry.inputPixels)
    let outputs = geometry.groupOutputs
    if pixels == 0 || outputs == 0 { return Kernel(phases: []) }
    // Channels a block: about 128 Ki elements of contributions.
    let planes = max(1, min(outputs, 131_072 / max(1, taps * inputPixels)))
    let blocks = (outputs + planes - 1) / planes
    let rowBytes = (planes * taps * inputPixels * width + 63) / 64 * 64
    let (xStride, yStride) = (x.imageStride, y.imageStride)
    let depth = geometry.groupInputs
    let largest = BLASProduct(
      x.dataType, transposesA: true, rows: planes * taps, columns: inputPixels, depth: depth)
    return Kernel(
      blocks: geometry.batch * geometry.groups * blocks,
      scratchPerWorker: rowBytes + (epilogue.hasResidual ? pixels * width : 0),
      blasPerWorker: largest.workspace
    ) { invocation, block in
      let (first, rest) = (block % blocks * planes, block / blocks)
      let (group, image) = (rest % geometry.groups, rest / geometry.groups)
      let count = min(planes, outputs - first)
      BLASProduct(
        x.dataType, transposesA: true, rows: count * taps, columns: inputPixels, depth: depth
      ).run(
        a: invocation.input(1) + (group * depth * outputs + first) * taps * width,
        leadingA: outputs * taps,
        b: invocation.input(0) + (image * xStride + group * depth * inputPixels) * width,
        leadingB: inputPixels, c: invocation.scratch, leadingC: max(1, inputPixels))
      for index in 0..<count {
        let channel = group * outputs + first + index
        let rows = invocation.scratch + index * taps * inputPixels * width
        let destination = invocation.output(0) + (image * yStride + channel * pixels) * width
        let result = epilogue.hasResidual ? invocation.scratch + rowBytes : destination
        withUnsafePointer(to: shape) {
          if isDouble {
            leap_f64_col2im(
              $0, rows.assumingMemoryBound(to: Double.self),
              result.assumingMemoryBound(to: Double.self))
          } else {
            leap_f32_col2im(
              $0, rows.assumingMemoryBound(to: Float.self),
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
