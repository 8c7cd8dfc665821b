// RegionPooling: parts of images, by boxes, as images of one size: RoiAlign and MaxRoiPool.
//
// Boxes are numbers of the input: what they say bounds neither memory nor indices.

import LeapTensors

package struct RegionPooling: Sendable {
  package enum Kind: Sendable {
    /// Averages, or maxima, of samples between pixels; boxes may begin half a pixel earlier.
    case align(takesMaximum: Bool, halfPixel: Bool, samplingRatio: Int)
    /// Maxima of whole pixels; boxes carry their image's index in front.
    case maximum
  }

  package var kind: Kind
  package var scale: Float
  package var height: Int
  package var width: Int

  package init(_ kind: Kind, scale: Float, height: Int, width: Int) {
    self.kind = kind
    self.scale = scale
    self.height = height
    self.width = width
  }

  /// Samples of one box along an axis and bin, at most.
  private static let sampleLimit = 4096.0

  /// The kernel: input 0 [images, channels, h, w], input 1 [boxes, 4 or 5], input 2 for `align` the image of each box, int64.
  ///
  /// - Throws: `OperatorError` for a type other than float32 and float64. When it runs, an image out of range is one, and a box
  ///   that asks for more samples than the limit.
  package func kernel(_ request: KernelRequest) throws -> Kernel {
    let (x, boxes) = (try request.requiredInput(0), try request.requiredInput(1))
    guard boxes.dataType == x.dataType else {
      throw OperatorError("the boxes are \(boxes.dataType); expected \(x.dataType)")
    }
    switch x.dataType {
    case .float32: return kernel(x.shape, boxes.shape[0], Float.self)
    case .float64: return kernel(x.shape, boxes.shape[0], Double.self)
    default: throw OperatorError.unsupported("there is no kernel for \(x.dataType)")
    }
  }

  private func kernel<Element: BinaryFloatingPoint & BitwiseCopyable & Sendable>(
    _ x: Shape, _ boxes: Int, _ type: Element.Type
  ) -> Kernel {
    let channels = x[1]
    let isEmpty = Shape.product([channels, height, width]) == 0
    return Kernel(blocks: isEmpty ? 0 : boxes) { invocation, box in
      let boxes = invocation.input(1).assumingMemoryBound(to: Element.self)
      let source = invocation.input(0).assumingMemoryBound(to: Element.self)
      let target =
        invocation.output(0).assumingMemoryBound(to: Element.self)
        + box * channels * height * width
      switch kind {
      case .align(let takesMaximum, let halfPixel, let ratio):
        let image = Int(invocation.input(2).load(fromByteOffset: 8 * box, as: Int64.self))
        try check(image, x[0], box)
        let region = try AlignedRegion(
          self, boxes + box * 4, halfPixel: halfPixel, ratio: ratio, extents: (x[2], x[3]))
        for channel in 0..<channels {
          let plane = source + (image * channels + channel) * x[2] * x[3]
          let result = target + channel * height * width
          for row in 0..<height {
            for column in 0..<width {
              result[row * width + column] = region.value(
                plane, row, column, takesMaximum: takesMaximum)
            }
          }
        }
      case .maximum:
        let own = boxes + box * 5
        let image = own[0] >= 0 && own[0] < 1e9 ? Int(own[0]) : -1
        try check(image, x[0], box)
        for channel in 0..<channels {
          maxima(
            source + (image * channels + channel) * x[2] * x[3], own + 1, (x[2], x[3]),
            target + channel * height * width)
        }
      }
    }
  }

  private func check(_ image: Int, _ count: Int, _ box: Int) throws {
    guard image >= 0, image < count else {
      throw OperatorError("box \(box) is of image \(image); expected 0 to \(count - 1)")
    }
  }

  // MARK: whole pixels

  private func maxima<Element: BinaryFloatingPoint>(
    _ plane: UnsafePointer<Element>, _ box: UnsafePointer<Element>, _ extents: (Int, Int),
    _ result: UnsafeMutablePointer<Element>
  ) {
    func rounded(_ value: Element) -> Double {
      let scaled = (Double(value) * Double(scale)).rounded(.toNearestOrAwayFromZero)
      return scaled.isNaN ? 0 : max(min(scaled, 1e9), -1e9)
    }
    let (left, top) = (rounded(box[0]), rounded(box[1]))
    let binWidth = max(rounded(box[2]) - left + 1, 1) / Double(width)
    let binHeight = max(rounded(box[3]) - top + 1, 1) / Double(height)
    func range(_ bin: Int, _ size: Double, _ start: Double, _ extent: Int) -> Range<Int> {
      let low = min(max((Double(bin) * size).rounded(.down) + start, 0), Double(extent))
      let high = min(max((Double(bin + 1) * size).rounded(.up) + start, 0), Double(extent))
      return Int(low)..<Int(max(low, high))
    }
    for row in 0..<height {
      let rows = range(row, binHeight, top, extents.0)
      for column in 0..<width {
        let columns = range(column, binWidth, left, extents.1)
        var largest: Element? = nil
        for y in rows {
          for x in columns {
            let value = plane[y * extents.1 + x]
            largest = largest.map { value > $0 ? value : $0 } ?? value
          }
        }
        result[row * width + column] = largest ?? 0
      }
    }
  }

  // MARK: samples

  /// A box, cut into bins of samples.
  private struct AlignedRegion<Element: BinaryFloatingPoint> {
    let start: (y: Element, x: Element)
    let bin: (y: Element, x: Element)
    let samples: (y: Int, x: Int)
    let extents: (Int, Int)

    init(
      _ pooling: RegionPooling, _ box: UnsafePointer<Element>, halfPixel: Bool, ratio: Int,
      extents: (Int, Int)
    ) throws {
      let scale = Element(pooling.scale)
      let offset: Element = halfPixel ? 0.5 : 0
      start = (box[1] * scale - offset, box[0] * scale - offset)
      var size = (y: box[3] * scale - offset - start.y, x: box[2] * scale - offset - start.x)
      // Boxes of less than a pixel counted as one before half pixels were known.
      if !halfPixel { size = (max(size.y, 1), max(size.x, 1)) }
      bin = (size.y / Element(pooling.height), size.x / Element(pooling.width))
      self.extents = extents
      func count(_ bin: Element) throws -> Int {
        if ratio > 0 { return ratio }
        let count = Double(bin).rounded(.up)
        guard !(count > RegionPooling.sampleLimit) else {
          throw OperatorError(
            "a box asks for \(count) samples along an axis of a bin; at most"
              + " \(RegionPooling.sampleLimit) are taken")
        }
        return count.isNaN ? 0 : Int(max(count, 0))
      }
      samples = (try count(bin.y), try count(bin.x))
    }

    func value(
      _ plane: UnsafePointer<Element>, _ row: Int, _ column: Int, takesMaximum: Bool
    ) -> Element {
      var sum: Element = 0
      var largest: Element?
      for i in 0..<samples.y {
        let y = start.y + Element(row) * bin.y + (Element(i) + 0.5) * bin.y / Element(samples.y)
        for j in 0..<samples.x {
          let x =
            start.x + Element(column) * bin.x + (Element(j) + 0.5) * bin.x / Element(samples.x)
          let (total, maximum) = sample(plane, y, x)
          sum += total
          largest = largest.map { maximum > $0 ? maximum : $0 } ?? maximum
        }
      }
      if takesMaximum { return largest ?? 0 }
      return sum / Element(max(samples.y * samples.x, 1))
    }

    /// The sum of the weighted pixels around a place, and the largest of them.
    private func sample(
      _ plane: UnsafePointer<Element>, _ y: Element, _ x: Element
    ) -> (Element, Element) {
      let (height, width) = extents
      guard height > 0, width > 0, y >= -1, y <= Element(height), x >= -1, x <= Element(width)
      else { return (0, 0) }
      func taps(_ place: Element, _ extent: Int) -> (Int, Int, Element) {
        let inside = max(place, 0)
        let low = Int(inside)
        if low >= extent - 1 { return (extent - 1, extent - 1, 0) }
        return (low, low + 1, inside - Element(low))
      }
      let (top, bottom, fy) = taps(y, height)
      let (left, right, fx) = taps(x, width)
      let a = (1 - fy) * (1 - fx) * plane[top * width + left]
      let b = (1 - fy) * fx * plane[top * width + right]
      let c = fy * (1 - fx) * plane[bottom * width + left]
      let d = fy * fx * plane[bottom * width + right]
      return (a + b + c + d, max(max(a, b), max(c, d)))
    }
  }
}
