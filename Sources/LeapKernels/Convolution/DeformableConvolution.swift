// DeformableConvolution: convolutions whose taps are moved by offsets of their own, and weighted, before the image is read between
// its pixels. Two spatial dimensions, in the plain layout.

import LeapTensors

package struct DeformableConvolution: Sendable {
  private let geometry: ConvolutionGeometry
  /// Groups of input channels that share offsets.
  private let offsetGroups: Int

  package init(_ geometry: ConvolutionGeometry, offsetGroups: Int) {
    self.geometry = geometry
    self.offsetGroups = offsetGroups
  }

  /// The kernel: inputs X, W, offsets [batch, groups · taps · 2, output] (along the height, then the width), and perhaps a bias and a
  /// mask [batch, groups · taps, output].
  ///
  /// - Throws: `OperatorError.unsupported` for a type other than float32 and float64.
  package func kernel(_ request: KernelRequest) throws -> Kernel {
    switch try request.requiredInput(0).dataType {
    case .float32: kernel(.float32, Float.self)
    case .float64: kernel(.float64, Double.self)
    case let type: throw OperatorError.unsupported("there is no kernel for \(type)")
    }
  }

  private func kernel<Element: BinaryFloatingPoint & BitwiseCopyable & Sendable>(
    _ type: DataType, _ element: Element.Type
  ) -> Kernel {
    let geometry = geometry
    let (depth, pixels) = (geometry.depth, geometry.outputPixels)
    if Shape.product([geometry.batch, geometry.outputChannels, pixels]) == 0 {
      return Kernel(phases: [])
    }
    let grid = Im2colConvolution.Grid(geometry)
    let tile = grid.pixelTile
    let tiles = pixels == 0 ? 0 : (pixels - 1) / tile + 1
    let rows = geometry.groupOutputs
    let width = type.byteWidth
    let largest = BLASProduct(type, transposesA: false, rows: rows, columns: tile, depth: depth)
    return Kernel(
      blocks: geometry.batch * geometry.groups * tiles, scratchPerWorker: depth * tile * width,
      blasPerWorker: largest.workspace
    ) { invocation, block in
      let (part, plane) = (block % tiles, block / tiles)
      let (group, image) = (plane % geometry.groups, plane / geometry.groups)
      let first = part * tile
      let columns = min(tile, pixels - first)
      let matrix = invocation.scratch.assumingMemoryBound(to: Element.self)
      gather(invocation, image, group, first, columns, matrix)
      let channel = group * rows
      let target =
        invocation.output(0)
        + ((image * geometry.outputChannels + channel) * pixels + first) * width
      BLASProduct(type, transposesA: false, rows: rows, columns: columns, depth: depth).run(
        a: invocation.input(1) + channel * depth * width, leadingA: depth,
        b: UnsafeRawPointer(matrix), leadingB: columns, c: target, leadingC: pixels)
      guard let bias = invocation.optionalInput(3) else { return }
      let values = bias.assumingMemoryBound(to: Element.self) + channel
      let results = target.assumingMemoryBound(to: Element.self)
      for row in 0..<rows {
        for column in 0..<columns { results[row * pixels + column] += values[row] }
      }
    }
  }

  /// Writes the matrix [group's channels x taps][pixels].
  private func gather<Element: BinaryFloatingPoint & BitwiseCopyable>(
    _ invocation: Invocation, _ image: Int, _ group: Int, _ first: Int, _ columns: Int,
    _ matrix: UnsafeMutablePointer<Element>
  ) {
    let (taps, pixels) = (geometry.taps, geometry.outputPixels)
    let perOffset = geometry.inputChannels / offsetGroups
    let x = invocation.input(0).assumingMemoryBound(to: Element.self)
    let offsets = invocation.input(2).assumingMemoryBound(to: Element.self)
    let mask = invocation.optionalInput(4)?.assumingMemoryBound(to: Element.self)
    for own in 0..<geometry.groupInputs {
      let channel = group * geometry.groupInputs + own
      let plane = x + (image * geometry.inputChannels + channel) * geometry.inputPixels
      let shared = (image * offsetGroups + channel / perOffset) * taps
      for tap in 0..<taps {
        let row = matrix + (own * taps + tap) * columns
        let (tapY, tapX) = tap.quotientAndRemainder(dividingBy: geometry.kernel[1])
        let moves = offsets + (shared + tap) * 2 * pixels
        for column in 0..<columns {
          let pixel = first + column
          let (placeY, placeX) = pixel.quotientAndRemainder(dividingBy: geometry.output[1])
          func coordinate(_ place: Int, _ tap: Int, _ axis: Int) -> Element {
            Element(
              place * geometry.strides[axis] - geometry.pads[axis] + tap * geometry.dilations[axis])
          }
          let value = sample(
            plane, coordinate(placeY, tapY, 0) + moves[pixel],
            coordinate(placeX, tapX, 1) + moves[pixels + pixel])
          row[column] = value * (mask?[(shared + tap) * pixels + pixel] ?? 1)
        }
      }
    }
  }

  /// The image between its pixels; zero outside.
  private func sample<Element: BinaryFloatingPoint & BitwiseCopyable>(
    _ plane: UnsafePointer<Element>, _ y: Element, _ x: Element
  ) -> Element {
    let (height, width) = (geometry.input[0], geometry.input[1])
    guard y > -1, y < Element(height), x > -1, x < Element(width) else { return 0 }
    let (top, left) = (y.rounded(.down), x.rounded(.down))
    let (fy, fx) = (y - top, x - left)
    let (row, column) = (Int(top), Int(left))
    func pixel(_ y: Int, _ x: Int) -> Element {
      y >= 0 && y < height && x >= 0 && x < width ? plane[y * width + x] : 0
    }
    return (1 - fy) * ((1 - fx) * pixel(row, column) + fx * pixel(row, column + 1))
      + fy * ((1 - fx) * pixel(row + 1, column) + fx * pixel(row + 1, column + 1))
  }
}
