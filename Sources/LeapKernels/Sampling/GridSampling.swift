// GridSampling: images read at places that a grid says, between their pixels, in up to any number of dimensions.
//
// Places are numbers of the input: whatever they are, NaN and infinity too, no index leaves the image.

import LeapTensors

package struct GridSampling: Sendable, Hashable {
  package enum Interpolation: Sendable { case nearest, linear, cubic }
  package enum Padding: String, Sendable, CaseIterable { case zeros, border, reflection }

  package var interpolation: Interpolation
  package var padding: Padding
  package var alignsCorners: Bool

  package init(interpolation: Interpolation, padding: Padding, alignsCorners: Bool) {
    self.interpolation = interpolation
    self.padding = padding
    self.alignsCorners = alignsCorners
  }

  /// Pixels along an axis that a place is made of.
  private var tapCount: Int {
    switch interpolation {
    case .nearest: 1
    case .linear: 2
    case .cubic: 4
    }
  }

  /// Output places of one block.
  private static let grain = 256

  /// The types whose elements can be interpolated: what is not between two of an integer type is cut towards zero.
  package static let interpolated: Set<DataType> = [
    .float32, .float64, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64,
  ]

  /// The kernel: input 0 [images, channels, spatial...], input 1 [images, places..., axes], the innermost axis first; of float32
  /// or float64.
  ///
  /// - Throws: `OperatorError` for a type without a kernel, and too many dimensions.
  package func kernel(_ request: KernelRequest) throws -> Kernel {
    let (x, grid) = (try request.requiredInput(0), try request.requiredInput(1))
    let taps = (2..<x.shape.rank).reduce(1) { total, _ in min(total * tapCount, 1 << 20) }
    guard x.shape.rank <= 6, taps <= 256 else {
      throw OperatorError.unsupported("\(x.shape.rank - 2) spatial dimensions of this mode")
    }
    switch grid.dataType {
    case .float32: return try kernel(x, places: Places<Float>(grid.shape, x.shape))
    case .float64: return try kernel(x, places: Places<Double>(grid.shape, x.shape))
    default: throw OperatorError.unsupported("there is no kernel for a grid of \(grid.dataType)")
    }
  }

  private func kernel<Place: BinaryFloatingPoint>(
    _ x: Operand, places: Places<Place>
  ) throws -> Kernel {
    if interpolation == .nearest {
      switch x.dataType.byteWidth {
      case 1: return nearest(places, UInt8.self)
      case 2: return nearest(places, UInt16.self)
      case 4: return nearest(places, UInt32.self)
      case 8: return nearest(places, UInt64.self)
      case 16: return nearest(places, SIMD2<UInt64>.self)
      default: throw OperatorError.unsupported("there is no kernel for \(x.dataType)")
      }
    }
    switch x.dataType {
    case .float32: return between(places, Float.self)
    case .float64: return between(places, Double.self)
    case .int8: return between(places, Int8.self)
    case .int16: return between(places, Int16.self)
    case .int32: return between(places, Int32.self)
    case .int64: return between(places, Int64.self)
    case .uint8: return between(places, UInt8.self)
    case .uint16: return between(places, UInt16.self)
    case .uint32: return between(places, UInt32.self)
    case .uint64: return between(places, UInt64.self)
    default:
      throw OperatorError.unsupported("there is no kernel for \(x.dataType) but by nearest pixels")
    }
  }

  /// Pixels as they are; all zero bits where there is none.
  private func nearest<Place, Pixel: Zeroed>(_ places: Places<Place>, _ type: Pixel.Type) -> Kernel
  {
    kernel(places, type) { source, taps, target in
      let offset = taps.offsets[0]
      for channel in 0..<places.channels {
        target[channel * places.count] =
          offset < 0 ? Pixel.zero : source[channel * places.pixels + offset]
      }
    }
  }

  private func between<Place, Pixel: GridPixel>(
    _ places: Places<Place>, _ type: Pixel.Type
  ) -> Kernel {
    kernel(places, type) { source, taps, target in
      for channel in 0..<places.channels {
        let plane = source + channel * places.pixels
        var sum: Pixel.Sum = 0
        for tap in 0..<taps.count where taps.offsets[tap] >= 0 {
          sum += Pixel.Sum(taps.weights[tap]) * plane[taps.offsets[tap]].number
        }
        target[channel * places.count] = Pixel(cut: sum)
      }
    }
  }

  /// The pixels that a place is made of: an offset of -1 is no pixel.
  private struct Taps<Place> {
    let count: Int
    let offsets: UnsafeMutablePointer<Int>
    let weights: UnsafeMutablePointer<Place>
  }

  /// Where the images are read, all of a type.
  private struct Places<Place: BinaryFloatingPoint & BitwiseCopyable & Sendable>: Sendable {
    let images: Int
    let channels: Int
    let spatial: [Int]
    /// Pixels of a channel.
    let pixels: Int
    /// Places of an image.
    let count: Int

    init(_ grid: Shape, _ x: Shape) {
      (images, channels, spatial) = (x[0], x[1], Array(x[2...]))
      pixels = Shape.product(spatial[...])
      count = Shape.product(grid.dimensions[1..<(grid.rank - 1)])
    }
  }

  /// - Parameter sample: computes one place of all channels, from an image's first pixel on, and writes it to where the first
  ///   channel has it.
  private func kernel<Place, Pixel: BitwiseCopyable>(
    _ places: Places<Place>, _ type: Pixel.Type,
    sample:
      @escaping @Sendable (
        _ source: UnsafePointer<Pixel>, Taps<Place>, _ target: UnsafeMutablePointer<Pixel>
      ) -> Void
  ) -> Kernel {
    let (channels, spatial, count) = (places.channels, places.spatial, places.count)
    let parts = count == 0 ? 0 : (count - 1) / GridSampling.grain + 1
    let tapsOfPlace = spatial.reduce(1) { total, _ in total * tapCount }
    // Where the taps of one place lie, and their weights.
    let offsetBytes = tapsOfPlace * MemoryLayout<Int>.stride
    return Kernel(
      blocks: channels == 0 ? 0 : places.images * parts,
      scratchPerWorker: offsetBytes + tapsOfPlace * 8
    ) { invocation, block in
      let (image, part) = block.quotientAndRemainder(dividingBy: parts)
      let source =
        invocation.input(0).assumingMemoryBound(to: Pixel.self) + image * channels * places.pixels
      let grid =
        invocation.input(1).assumingMemoryBound(to: Place.self) + image * count * spatial.count
      let target =
        invocation.output(0).assumingMemoryBound(to: Pixel.self) + image * channels * count
      let taps = Taps(
        count: tapsOfPlace, offsets: invocation.scratch.assumingMemoryBound(to: Int.self),
        weights: (invocation.scratch + offsetBytes).assumingMemoryBound(to: Place.self))
      let first = part * GridSampling.grain
      for place in first..<min(first + GridSampling.grain, count) {
        prepare(grid + place * spatial.count, spatial, taps)
        sample(source, taps, target + place)
      }
    }
  }

  /// Writes the offsets and weights of all taps of a place.
  private func prepare<Element: BinaryFloatingPoint>(
    _ place: UnsafePointer<Element>, _ spatial: [Int], _ taps: Taps<Element>
  ) {
    let (offsets, weights) = (taps.offsets, taps.weights)
    var count = 1
    (offsets[0], weights[0]) = (0, 1)
    for (axis, extent) in spatial.enumerated() {
      let coordinate = adjusted(
        position(place[spatial.count - 1 - axis], extent), extent)
      let start = coordinate.rounded(.down)
      let fraction = coordinate - start
      // The taps so far are spread over those of this axis, from the last one back.
      for before in stride(from: count - 1, through: 0, by: -1) {
        let (offset, weight) = (offsets[before], weights[before])
        for tap in 0..<tapCount {
          let shift = interpolation == .cubic ? tap - 1 : tap
          let index = pixel(start + Element(shift), extent)
          let slot = before * tapCount + tap
          offsets[slot] = offset < 0 || index < 0 ? -1 : offset * extent + index
          weights[slot] = weight * tapWeight(tap, fraction)
        }
      }
      count *= tapCount
    }
  }

  /// The place of a normalised coordinate, in pixels.
  private func position<Element: BinaryFloatingPoint>(_ n: Element, _ extent: Int) -> Element {
    let length = Element(extent)
    let place =
      alignsCorners ? (n + 1) / 2 * (length - 1) : ((n + 1) * length - 1) / 2
    // What is no number lies nowhere; what is far off stays far off.
    if place.isNaN { return -1e9 }
    let bounded = max(min(place, 1e9), -1e9)
    return interpolation == .nearest ? bounded.rounded(.toNearestOrEven) : bounded
  }

  private func bounds<Element: BinaryFloatingPoint>(_ extent: Int) -> (Element, Element) {
    alignsCorners ? (0, Element(extent) - 1) : (-0.5, Element(extent) - 0.5)
  }

  private func adjusted<Element: BinaryFloatingPoint>(_ x: Element, _ extent: Int) -> Element {
    let (low, high): (Element, Element) = bounds(extent)
    guard x < low || x > high else { return x }
    switch padding {
    case .zeros: return x
    // A cubic's pixels are clamped one by one, as in PyTorch and ONNX Runtime; onnx.reference clamps the place.
    case .border where interpolation == .cubic: return x
    case .border: return max(0, min(x, Element(extent) - 1))
    case .reflection: return reflected(x, low, high)
    }
  }

  /// x reflected at the borders until it lies within.
  private func reflected<Element: BinaryFloatingPoint>(
    _ x: Element, _ low: Element, _ high: Element
  ) -> Element {
    let range = high - low
    guard range > 0 else { return low }
    let isBelow = x < low
    guard isBelow || x > high else { return x }
    let distance = isBelow ? low - x : x - high
    let turns = (distance / range).rounded(.towardZero)
    let rest = distance - turns * range
    let isEven = turns.truncatingRemainder(dividingBy: 2) == 0
    return isBelow == isEven ? low + rest : high - rest
  }

  /// The pixel of a tap along an axis; -1 for none.
  private func pixel<Element: BinaryFloatingPoint>(_ index: Element, _ extent: Int) -> Int {
    if extent == 0 { return -1 }
    switch padding {
    case .zeros: return index >= 0 && index < Element(extent) ? Int(index) : -1
    case .border: return Int(max(0, min(index, Element(extent - 1))))
    case .reflection:
      let (low, high): (Element, Element) = bounds(extent)
      return min(max(Int(reflected(index, low, high)), 0), extent - 1)
    }
  }

  /// The weight of a tap; a cubic's is Keys's with a = -0.75.
  private func tapWeight<Element: BinaryFloatingPoint>(_ tap: Int, _ x: Element) -> Element {
    switch interpolation {
    case .nearest: return 1
    case .linear: return tap == 0 ? 1 - x : x
    case .cubic:
      let a: Element = -0.75
      let distance = tap == 0 ? x + 1 : tap == 1 ? x : tap == 2 ? 1 - x : 2 - x
      if tap == 1 || tap == 2 {
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1
      }
      return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    }
  }
}

/// A pixel that is moved.
private protocol Zeroed: BitwiseCopyable, Sendable { static var zero: Self { get } }

extension UInt8: Zeroed {}
extension UInt16: Zeroed {}
extension UInt32: Zeroed {}
extension UInt64: Zeroed {}
extension SIMD2<UInt64>: Zeroed {}

/// A pixel that is interpolated.
private protocol GridPixel: BitwiseCopyable, Sendable {
  associatedtype Sum: BinaryFloatingPoint
  var number: Sum { get }
  init(cut sum: Sum)
}

extension Float: GridPixel {
  fileprivate var number: Float { self }
  fileprivate init(cut sum: Float) { self = sum }
}

extension Double: GridPixel {
  fileprivate var number: Double { self }
  fileprivate init(cut sum: Double) { self = sum }
}

extension GridPixel where Self: FixedWidthInteger, Sum == Double {
  fileprivate var number: Double { Double(self) }
  /// Towards zero; what is beyond the range becomes its end.
  fileprivate init(cut sum: Double) {
    self = Self(exactly: sum.rounded(.towardZero)) ?? (sum < 0 ? .min : .max)
  }
}

extension Int8: GridPixel {}
extension Int16: GridPixel {}
extension Int32: GridPixel {}
extension Int64: GridPixel {}
extension UInt8: GridPixel {}
extension UInt16: GridPixel {}
extension UInt32: GridPixel {}
extension UInt64: GridPixel {}

/// AffineGrid: the places of an image's pixels, from -1 to 1 along each axis, put through an affine map.
package enum AffineGridKernel {
  /// The kernel: input 0 [images, axes, axes + 1]; output 0 [images, spatial..., axes], the innermost axis first.
  ///
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package static func kernel(_ request: KernelRequest, alignsCorners: Bool) throws -> Kernel {
    let y = try request.requiredOutput(0)
    switch y.dataType {
    case .float32: return kernel(y.shape, alignsCorners, Float.self)
    case .float64: return kernel(y.shape, alignsCorners, Double.self)
    default: throw OperatorError.unsupported("there is no kernel for \(y.dataType)")
    }
  }

  private static func kernel<Element: BinaryFloatingPoint & BitwiseCopyable & Sendable>(
    _ y: Shape, _ alignsCorners: Bool, _ type: Element.Type
  ) -> Kernel {
    let spatial = Array(y[1..<(y.rank - 1)])
    let axes = spatial.count
    let places = Shape.product(spatial[...])
    let grain = 1024
    let parts = places == 0 ? 0 : (places - 1) / grain + 1
    return Kernel(blocks: y[0] * parts) { invocation, block in
      let (image, part) = block.quotientAndRemainder(dividingBy: parts)
      let theta =
        invocation.input(0).assumingMemoryBound(to: Element.self)
        + image * axes * (axes + 1)
      let target =
        invocation.output(0).assumingMemoryBound(to: Element.self)
        + image * places * axes
      for place in part * grain..<min((part + 1) * grain, places) {
        for row in 0..<axes {
          var rest = place
          var sum = theta[row * (axes + 1) + axes]
          // The innermost axis comes first in the map.
          for column in 0..<axes {
            let extent = spatial[axes - 1 - column]
            let index = rest % extent
            rest /= extent
            let coordinate = Element(
              alignsCorners
                ? extent == 1 ? -1 : 2 * Double(index) / Double(extent - 1) - 1
                : (2 * Double(index) + 1) / Double(extent) - 1)
            sum += theta[row * (axes + 1) + column] * coordinate
          }
          target[place * axes + row] = sum
        }
      }
    }
  }
}
