// IntegerConvolution: convolutions of bytes: ConvInteger, QLinearConv. Exact sums, as in IntegerProduct.

import CLeapKernels
import LeapTensors

package struct IntegerConvolution: Sendable {
  package var geometry: ConvolutionGeometry
  /// The places of image and filters among the inputs, and of their zero points: the filters' one, or one for each.
  package var image = 0
  package var filters = 1
  package var imageZero: Int?
  package var filterZero: Int?
  package var requantization: Requantization?

  package init(_ geometry: ConvolutionGeometry) { self.geometry = geometry }

  /// Output channels that are computed at once.
  private static let channelTile = 16

  /// The pixels of a tile: their rows take at most 256 KiB, unless few are longer.
  private func pixelTile(_ padded: Int) -> Int {
    min(geometry.outputPixels, max(16, min(256, 131_072 / max(padded, 1))))
  }

  /// Makes the kernel: operands row-major; output 0 int32, or bytes where there is a requantisation.
  ///
  /// - Throws: `OperatorError` for sizes beyond the limits.
  package func kernel(_ request: KernelRequest) throws -> Kernel {
    let geometry = geometry
    let (pixels, groups) = (geometry.outputPixels, geometry.groups)
    if Shape.product([geometry.batch, geometry.outputChannels, pixels]) == 0 {
      return Kernel(phases: [])
    }
    if geometry.groups > 1, geometry.groupInputs == 1 { return try depthwise(request) }
    let padded = try IntegerProduct.padded(geometry.depth)
    let tile = pixelTile(padded)
    let tiles = (pixels - 1) / tile + 1
    let channels = min(IntegerConvolution.channelTile, geometry.groupOutputs)
    let blocks = Shape.product([geometry.batch, groups, tiles])
    let rowBytes = Shape.product([tile + channels, padded, 2])
    guard blocks < .max, rowBytes < .max / 2 else {
      throw OperatorError("a convolution with sums of \(geometry.depth) products is too large")
    }
    let xIsSigned = try request.requiredInput(image).dataType == .int8
    let wIsSigned = try request.requiredInput(filters).dataType == .int8
    let zeros = filterZero.flatMap { $0 < request.inputs.count ? request.inputs[$0] : nil }
    let zeroStride = (zeros?.shape.elementCount ?? 0) > 1 ? 1 : 0
    let finish = try requantization.map { try Requantization.Bound($0, request) }
    let instructionSet = request.instructionSet.cValue
    let shape = geometry.cValue
    let imageBytes = geometry.inputPixels * geometry.groupInputs
    return Kernel(blocks: blocks, scratchPerWorker: rowBytes + channels * tile * 4) {
      invocation, block in
      let (part, plane) = (block % tiles, block / tiles)
      let (group, pixel) = (plane % groups, part * tile)
      let count = min(tile, pixels - pixel)
      let rows = invocation.scratch.assumingMemoryBound(to: Int16.self)
      let wide = rows + tile * padded
      let sums = (invocation.scratch + rowBytes).assumingMemoryBound(to: Int32.self)
      widenPixels(
        invocation, shape, xIsSigned, from: plane * imageBytes, pixel, count, padded, into: rows)
      for first in stride(from: 0, to: geometry.groupOutputs, by: channels) {
        let own = min(channels, geometry.groupOutputs - first)
        let channel = group * geometry.groupOutputs + first
        let w = (invocation.input(filters) + channel * geometry.depth)
          .assumingMemoryBound(to: UInt8.self)
        let zero = filterZero.flatMap { invocation.optionalInput($0) }?
          .assumingMemoryBound(to: UInt8.self)
        leap_integer_widen(
          wIsSigned ? 1 : 0, w, own, geometry.depth, geometry.depth, 1,
          zero.map { $0 + channel * zeroStride }, zeroStride, padded, wide)
        leap_integer_product(instructionSet, wide, own, rows, count, padded, sums, tile)
        let place = (plane / groups * geometry.outputChannels + channel) * pixels + pixel
        for index in 0..<own {
          store(
            invocation, finish, sums + index * tile, channel: channel + index, count: count,
            at: place + index * pixels)
        }
      }
    }
  }

  /// A filter for each plane: a row of pixels at a time.
  private func depthwise(_ request: KernelRequest) throws -> Kernel {
    let geometry = geometry
    let padded = try IntegerProduct.padded(geometry.depth)
    let xIsSigned = try request.requiredInput(image).dataType == .int8
    let wIsSigned = try request.requiredInput(filters).dataType == .int8
    let zeros = filterZero.flatMap { $0 < request.inputs.count ? request.inputs[$0] : nil }
    let zeroStride = (zeros?.shape.elementCount ?? 0) > 1 ? 1 : 0
    let finish = try requantization.map { try Requantization.Bound($0, request) }
    let instructionSet = request.instructionSet.cValue
    let shape = geometry.cValue
    let width = geometry.output[geometry.output.count - 1]
    let rows = width == 0 ? 0 : geometry.outputPixels / width
    return Kernel(
      blocks: geometry.batch * geometry.outputChannels, scratchPerWorker: padded * 2 + width * 4
    ) { invocation, block in
      let (batch, channel) = block.quotientAndRemainder(dividingBy: geometry.outputChannels)
      let filter = invocation.scratch.assumingMemoryBound(to: Int16.self)
      let sums = (invocation.scratch + padded * 2).assumingMemoryBound(to: Int32.self)
      let w = (invocation.input(filters) + channel * geometry.depth)
        .assumingMemoryBound(to: UInt8.self)
      let less = filterZero.flatMap { invocation.optionalInput($0) }?
        .assumingMemoryBound(to: UInt8.self)
      leap_integer_widen(
        wIsSigned ? 1 : 0, w, 1, geometry.depth, geometry.depth, 1,
        less.map { $0 + channel * zeroStride }, 0, padded, filter)
      let plane = batch * geometry.inputChannels + channel / geometry.groupOutputs
      let x = (invocation.input(image) + plane * geometry.inputPixels)
        .assumingMemoryBound(to: UInt8.self)
      let zero = pixelZero(invocation, xIsSigned)
      for row in 0..<rows {
        withUnsafePointer(to: shape) {
          leap_integer_depthwise_row(
            instructionSet, xIsSigned ? 1 : 0, $0, row, x, zero, filter, sums)
        }
        store(
          invocation, finish, sums, channel: channel, count: width,
          at: block * geometry.outputPixels + row * width)
      }
    }
  }

  private func pixelZero(_ invocation: Invocation, _ isSigned: Bool) -> Int32 {
    guard let zero = imageZero.flatMap({ invocation.optionalInput($0) }) else { return 0 }
    return isSigned ? Int32(zero.load(as: Int8.self)) : Int32(zero.load(as: UInt8.self))
  }

  private func widenPixels(
    _ invocation: Invocation, _ shape: leap_convolution, _ isSigned: Bool, from offset: Int,
    _ pixel: Int, _ count: Int, _ padded: Int, into rows: UnsafeMutablePointer<Int16>
  ) {
    let x = (invocation.input(image) + offset).assumingMemoryBound(to: UInt8.self)
    let zero = imageZero.flatMap { invocation.optionalInput($0) }
    if geometry.isPointwise {
      leap_integer_widen(
        isSigned ? 1 : 0, x + pixel, count, 1, geometry.depth, geometry.inputPixels,
        zero?.assumingMemoryBound(to: UInt8.self), 0, padded, rows)
      return
    }
    withUnsafePointer(to: shape) {
      leap_integer_im2row(
        isSigned ? 1 : 0, $0, geometry.groupInputs, pixel, count, x,
        pixelZero(invocation, isSigned), padded, rows)
    }
  }

  private func store(
    _ invocation: Invocation, _ finish: Requantization.Bound?, _ sums: UnsafePointer<Int32>,
    channel: Int, count: Int, at place: Int
  ) {
    guard let finish else {
      (invocation.output(0) + 4 * place).copyMemory(from: sums, byteCount: 4 * count)
      return
    }
    leap_requantize_run(
      sums, finish.bias(invocation, at: channel),
      finish.scale(invocation, left: 0, right: channel), finish.zero(invocation), finish.low,
      finish.high, (invocation.output(0) + place).assumingMemoryBound(to: UInt8.self), count)
  }
}
