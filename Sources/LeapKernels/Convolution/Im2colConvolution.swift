// Im2colConvolution: convolution in the plain layout, as matrix products on a grid that one image's shape decides.
//
// 1. The bits of an image's result depend on nothing but that image: not on the batch, its place in it, or the workers.
// 2. The matrix of a tile stays near the second-level cache: at most 128 Ki elements, unless one pixel's column is longer.

import CLeapBLAS
import CLeapKernels
import LeapTensors

package enum Im2colConvolution {
  /// How one image and group is cut: ranges of pixels, and of output channels, of nearly equal size.
  struct Grid: Sendable {
    let pixels: Int
    let pixelTile: Int
    let channels: Int
    let channelTile: Int

    init(_ geometry: ConvolutionGeometry) {
      pixels = geometry.outputPixels
      channels = geometry.groupOutputs
      let depth = max(1, geometry.depth)
      let cached = max(32, min(4096, 131_072 / depth / 8 * 8))
      // Enough tiles that each is about 4 million multiply-adds, but not so narrow that a product is slow.
      let work = Double(channels) * Double(pixels) * Double(depth)
      let wanted = Int(min(8, work / 4e6))
      let forWork = max(96, (pixels / max(1, wanted) + 15) / 16 * 16)
      pixelTile = Grid.even(pixels, atMost: min(cached, forWork))
      let tiles = (pixels + pixelTile - 1) / pixelTile
      let cuts = max(1, min(4, wanted / max(1, tiles)))
      channelTile = max(16, (channels / cuts + 15) / 16 * 16)
    }

    var pixelTiles: Int { (pixels + pixelTile - 1) / pixelTile }
    var channelTiles: Int { (channels + channelTile - 1) / channelTile }
    var count: Int { pixelTiles * channelTiles }

    /// A tile of at most `limit` that cuts `extent` into nearly equal parts, a multiple of 8.
    private static func even(_ extent: Int, atMost limit: Int) -> Int {
      if extent <= limit { return max(1, extent) }
      let parts = (extent + limit - 1) / limit
      return min(extent, ((extent + parts - 1) / parts + 7) / 8 * 8)
    }
  }

  /// Elements that are copied into matrices: none where the image is its own matrix.
  package static func matrixElements(_ geometry: ConvolutionGeometry) -> Double {
    if geometry.isPointwise { return 0 }
    return Double(geometry.batch * geometry.groups) * Double(geometry.depth)
      * Double(geometry.outputPixels)
  }

  /// Makes the kernel.
  ///
  /// - Parameters:
  ///   - geometry: the convolution.
  ///   - request: inputs X, W and perhaps B; X and Y row-major from the channels on, W and B row-major.
  /// - Throws: `OperatorError`.
  package static func kernel(_ geometry: ConvolutionGeometry, _ request: KernelRequest) throws
    -> Kernel
  {
    let (x, y) = (request.inputs[0]!, request.outputs[0]!)
    let width = x.dataType.byteWidth
    let grid = Grid(geometry)
    let epilogue = try convolutionEpilogue(geometry, request)
    let matrixBytes = geometry.isPointwise ? 0 : aligned(geometry.depth * grid.pixelTile * width)
    let resultBytes = epilogue.hasResidual ? grid.channelTile * grid.pixelTile * width : 0
    let shape = geometry.cValue
    let (depth, pixels) = (geometry.depth, geometry.outputPixels)
    let (xStride, yStride) = (x.imageStride, y.imageStride)
    if geometry.outputChannels == 0 || pixels == 0 || geometry.batch == 0 {
      return Kernel(phases: [])
    }
    let largest = BLASProduct(
      x.dataType, transposesA: false, rows: grid.channelTile, columns: grid.pixelTile, depth: depth)
    return Kernel(
      blocks: geometry.batch * geometry.groups * grid.count,
      scratchPerWorker: matrixBytes + resultBytes, blasPerWorker: largest.workspace
    ) { invocation, block in
      let (tile, rest) = (block % grid.count, block / grid.count)
      let (group, image) = (rest % geometry.groups, rest / geometry.groups)
      let pixel = tile % grid.pixelTiles * grid.pixelTile
      let channel = tile / grid.pixelTiles * grid.channelTile
      let columns = min(grid.pixelTile, pixels - pixel)
      let rows = min(grid.channelTile, grid.channels - channel)
      let firstInput = image * xStride + group * geometry.groupInputs * geometry.inputPixels
      let source = invocation.input(0) + firstInput * width
      var matrix = source + pixel * width
      if !geometry.isPointwise {
        withUnsafePointer(to: shape) {
          leap_im2col(
            Int32(width), $0, geometry.groupInputs, pixel, columns, source, invocation.scratch)
        }
        matrix = UnsafeRawPointer(invocation.scratch)
      }
      let outputChannel = group * grid.channels + channel
      let offset = outputChannel * pixels + pixel
      let destination = invocation.output(0) + (image * yStride + offset) * width
      let result = epilogue.hasResidual ? invocation.scratch + matrixBytes : destination
      let resultStride = epilogue.hasResidual ? columns : pixels
      BLASProduct(x.dataType, transposesA: false, rows: rows, columns: columns, depth: depth).run(
        a: invocation.input(1) + outputChannel * depth * width, leadingA: depth,
        b: matrix, leadingB: geometry.isPointwise ? pixels : columns,
        c: result, leadingC: resultStride)
      if epilogue.isEmpty { return }
      epilogue.apply(
        invocation,
        .init(
          image: image, channel: outputChannel, offset: offset, rows: rows, columns: columns,
          rowStride: pixels),
        source: result, sourceStride: resultStride, destination: destination,
        destinationStride: pixels)
    }
  }

  private static func aligned(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }
}

/// The epilogue of a convolution in the plain layout: its own bias (input 2), then the stages of the request.
func convolutionEpilogue(_ geometry: ConvolutionGeometry, _ request: KernelRequest) throws
  -> EpilogueProgram
{
  var epilogue = try EpilogueProgram(
    request, dataType: request.inputs[0]!.dataType, channels: geometry.outputChannels, axis: .rows)
  if request.ownInputCount > 2, request.inputs[2] != nil { epilogue.prepend(biasInput: 2) }
  return epilogue
}

extension KernelRequest {
  /// The number of inputs that are the operator's own, not what fusion added.
  package var ownInputCount: Int {
    inputs.count
      - epilogue.reduce(prologue == nil ? 0 : 2) { count, stage in
        if case .activation = stage { count } else { count + 1 }
      }
  }
}
