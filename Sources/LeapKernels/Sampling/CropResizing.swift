// CropResizing: parts of images, by boxes, as images of one size, whose corner pixels lie on the corners of the boxes: CropAndResize.
//
// Boxes are numbers of the input: whatever they are, NaN and infinity too, no index leaves the image.

import LeapTensors

package struct CropResizing: Sendable, Hashable {
  package enum Mode: String, Sendable, CaseIterable { case bilinear, nearest }

  package var mode: Mode
  /// What lies outside an image.
  package var outside: Float

  package init(mode: Mode, outside: Float) {
    self.mode = mode
    self.outside = outside
  }

  /// The kernel: input 0 [images, channels, h, w]; input 1 [boxes, 4]: y1, x1, y2, x2, where 0 and 1 are the first and the last
  /// pixels; input 2 the image of each box, int32. Output 0 [boxes, channels, height, width].
  ///
  /// - Throws: `OperatorError` for a type other than float32 and float64. When it runs, an image out of range is one.
  package func kernel(_ request: KernelRequest) throws -> Kernel {
    let (x, y) = (try request.requiredInput(0), try request.requiredOutput(0))
    switch x.dataType {
    case .float32: return kernel(x.shape, y.shape, Float.self)
    case .float64: return kernel(x.shape, y.shape, Double.self)
    default: throw OperatorError.unsupported("there is no kernel for \(x.dataType)")
    }
  }

  private func kernel<Element: BinaryFloatingPoint & BitwiseCopyable & Sendable>(
    _ x: Shape, _ y: Shape, _ type: Element.Type
  ) -> Kernel {
    let (channels, height, width) = (y[1], y[2], y[3])
    let (planeSize, resultSize) = (x[2] * x[3], height * width)
    return Kernel(blocks: y.elementCount == 0 ? 0 : y[0]) { invocation, box in
      let image = Int(invocation.input(2).load(fromByteOffset: 4 * box, as: Int32.self))
      guard image >= 0, image < x[0] else {
        throw OperatorError("box \(box) is of image \(image); there are \(x[0])")
      }
      let corners = invocation.input(1).assumingMemoryBound(to: Element.self) + 4 * box
      let source =
        invocation.input(0).assumingMemoryBound(to: Element.self) + image * channels * planeSize
      let target =
        invocation.output(0).assumingMemoryBound(to: Element.self) + box * channels * resultSize
      for row in 0..<height {
        let rows = taps(corners[0], corners[2], row, height, x[2])
        for column in 0..<width {
          let columns = rows == nil ? nil : taps(corners[1], corners[3], column, width, x[3])
          for channel in 0..<channels {
            let place = channel * resultSize + row * width + column
            guard let rows, let columns else {
              target[place] = Element(outside)
              continue
            }
            target[place] = value(source + channel * planeSize, x[3], rows, columns)
          }
        }
      }
    }
  }

  /// Two pixels along an axis, and the weight of the second.
  private struct Taps<Element> {
    let first: Int
    let second: Int
    let weight: Element
  }

  /// The pixels of place `index` of `count` between two corners; nil outside the image.
  private func taps<Element: BinaryFloatingPoint>(
    _ start: Element, _ end: Element, _ index: Int, _ count: Int, _ extent: Int
  ) -> Taps<Element>? {
    let last = Element(extent - 1)
    let place =
      count > 1
      ? start * last + Element(index) * ((end - start) * last / Element(count - 1))
      : (start + end) * last / 2
    guard place >= 0, place <= last else { return nil }
    if mode == .nearest {
      let pixel = Int(place.rounded(.toNearestOrAwayFromZero))
      return Taps(first: pixel, second: pixel, weight: 0)
    }
    let below = place.rounded(.down)
    return Taps(first: Int(below), second: Int(place.rounded(.up)), weight: place - below)
  }

  private func value<Element: BinaryFloatingPoint>(
    _ plane: UnsafePointer<Element>, _ width: Int, _ rows: Taps<Element>, _ columns: Taps<Element>
  ) -> Element {
    func across(_ row: Int) -> Element {
      let (left, right) = (plane[row * width + columns.first], plane[row * width + columns.second])
      return left + (right - left) * columns.weight
    }
    let top = across(rows.first)
    return rows.weight == 0 ? top : top + (across(rows.second) - top) * rows.weight
  }
}
