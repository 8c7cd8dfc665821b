// SpectralKernels: DFT along an axis, STFT of frames, windows, and the weights of mel filters.

import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

package enum SpectralKernels {
  /// How a real or complex signal lies in a row: elements from number to number, and whether there are imaginary parts.
  private struct Row<Element: BinaryFloatingPoint & BitwiseCopyable> {
    let base: UnsafePointer<Element>
    let stride: Int
    let isComplex: Bool

    func value(_ index: Int) -> Complex {
      let place = base + index * stride
      return Complex(Double(place[0]), isComplex ? Double(place[1]) : 0)
    }
  }

  /// DFT of input 0 along an axis; the last axis has one (real) or two numbers.
  ///
  /// - Parameters:
  ///   - length: of the transform: the signal is cut, or filled with zeros.
  ///   - oneSided: half of a real signal's spectrum: of the result, or where it is inverse of the signal.
  /// - Throws: `OperatorError` for a type other than float32 and float64, or a length beyond the limit.
  package static func transform(
    _ request: KernelRequest, axis: Int, length: Int, inverse: Bool, oneSided: Bool
  ) throws -> Kernel {
    let (x, y) = (try request.requiredInput(0), try request.requiredOutput(0))
    if y.shape.elementCount == 0 { return Kernel(phases: []) }
    let transform = try FourierTransform(length)
    let form = TransformForm(
      x: x.shape, y: y.shape, axis: axis, inverse: inverse, oneSided: oneSided)
    switch x.dataType {
    case .float32: return kernel(transform, form, Float.self)
    case .float64: return kernel(transform, form, Double.self)
    default: throw OperatorError.unsupported("there is no transform of \(x.dataType)")
    }
  }

  private struct TransformForm: Sendable {
    let x: Shape
    let y: Shape
    let axis: Int
    let inverse: Bool
    let oneSided: Bool
  }

  private static func kernel<Element: BinaryFloatingPoint & BitwiseCopyable & Sendable>(
    _ transform: FourierTransform, _ form: TransformForm, _ type: Element.Type
  ) -> Kernel {
    let (x, y, axis) = (form.x, form.y, form.axis)
    let parts = x[x.rank - 1]
    let results = y[y.rank - 1]
    // Axes between the transformed one and the parts of a number.
    let inner = Shape.product(x.dimensions[(axis + 1)..<(x.rank - 1)])
    let (extent, bins) = (x[axis], y[axis])
    return Kernel(
      blocks: x.outer(axis) * inner,
      scratchPerWorker: transform.scratchCount * MemoryLayout<Complex>.stride
    ) { invocation, block in
      let (outer, place) = block.quotientAndRemainder(dividingBy: inner)
      let source = invocation.input(0).assumingMemoryBound(to: Element.self)
      let row = Row<Element>(
        base: source + (outer * extent * inner + place) * parts, stride: inner * parts,
        isComplex: parts == 2)
      let values = invocation.scratch.assumingMemoryBound(to: Complex.self)
      let length = transform.length
      for index in 0..<length { values[index] = index < extent ? row.value(index) : .zero }
      if form.inverse, form.oneSided {
        // The other half mirrors this one.
        for index in 0..<(length / 2 + 1) where index > 0 && index < length - index {
          let value = values[index]
          values[length - index] = Complex(value.x, -value.y)
        }
        values[0].y = 0
        if length % 2 == 0 { values[length / 2].y = 0 }
      }
      transform.apply(values, inverse: form.inverse)
      let target =
        invocation.output(0).assumingMemoryBound(to: Element.self)
        + (outer * bins * inner + place) * results
      for bin in 0..<bins {
        let result = target + bin * inner * results
        result[0] = Element(values[bin].x)
        if results == 2 { result[1] = Element(values[bin].y) }
      }
    }
  }

  /// STFT: input 0 [batch, samples, 1 or 2], input 2 a window or nothing; output 0 [batch, frames, bins, 2].
  ///
  /// - Throws: as `transform`.
  package static func frames(_ request: KernelRequest, step: Int, length: Int) throws -> Kernel {
    let (x, y) = (try request.requiredInput(0), try request.requiredOutput(0))
    if y.shape.elementCount == 0 { return Kernel(phases: []) }
    let transform = try FourierTransform(length)
    switch x.dataType {
    case .float32: return frames(transform, x.shape, y.shape, step, Float.self)
    case .float64: return frames(transform, x.shape, y.shape, step, Double.self)
    default: throw OperatorError.unsupported("there is no transform of \(x.dataType)")
    }
  }

  private static func frames<Element: BinaryFloatingPoint & BitwiseCopyable & Sendable>(
    _ transform: FourierTransform, _ x: Shape, _ y: Shape, _ step: Int, _ type: Element.Type
  ) -> Kernel {
    let (samples, parts) = (x[1], x.rank > 2 ? x[2] : 1)
    let (frames, bins) = (y[1], y[2])
    return Kernel(
      blocks: y[0] * frames,
      scratchPerWorker: transform.scratchCount * MemoryLayout<Complex>.stride
    ) { invocation, block in
      let (image, frame) = block.quotientAndRemainder(dividingBy: frames)
      let row = Row<Element>(
        base: invocation.input(0).assumingMemoryBound(to: Element.self)
          + (image * samples + frame * step) * parts,
        stride: parts, isComplex: parts == 2)
      let window = invocation.optionalInput(2)?.assumingMemoryBound(to: Element.self)
      let values = invocation.scratch.assumingMemoryBound(to: Complex.self)
      for index in 0..<transform.length {
        values[index] = row.value(index) * (window.map { Double($0[index]) } ?? 1)
      }
      transform.apply(values, inverse: false)
      let target = invocation.output(0).assumingMemoryBound(to: Element.self) + block * bins * 2
      for bin in 0..<bins {
        target[2 * bin] = Element(values[bin].x)
        target[2 * bin + 1] = Element(values[bin].y)
      }
    }
  }

  /// A window: sums of cosines, `terms[k]` cos(2πki / period) each.
  ///
  /// - Throws: `OperatorError.unsupported` for a type that is no number.
  package static func window(_ y: Operand, terms: [Double], period: Int) throws -> Kernel {
    let count = y.shape.elementCount
    let grain = 4096
    let writer = try NumberWriter(y.dataType)
    let isDouble = y.dataType == .float64
    return Kernel(
      blocks: count == 0 ? 0 : (count - 1) / grain + 1, scratchPerWorker: grain * 5
    ) { invocation, block in
      let first = block * grain
      let own = min(grain, count - first)
      let floats = invocation.scratch.assumingMemoryBound(to: Float.self)
      for index in 0..<own {
        let angle = 2 * Double.pi * Double(first + index) / Double(period)
        var sum = 0.0
        for (order, term) in terms.enumerated() { sum += term * cos(Double(order) * angle) }
        if isDouble {
          invocation.output(0).storeBytes(
            of: sum, toByteOffset: 8 * (first + index), as: Double.self)
        } else {
          floats[index] = Float(sum)
        }
      }
      if isDouble { return }
      writer.write(
        floats, count: own, to: invocation.output(0), from: first,
        patterns: (invocation.scratch + 4 * grain).assumingMemoryBound(to: UInt8.self))
    }
  }

  /// The bins of a spectrum where mel filters begin, peak and end: two more than there are filters.
  ///
  /// - Throws: `OperatorError` where one lies outside the spectrum.
  package static func melEdges(
    filters: Int, length: Int, sampleRate: Double, lower: Double, upper: Double
  ) throws -> [Int] {
    let bins = length / 2 + 1
    func mel(_ hertz: Double) -> Double { 2595 * log1p(hertz / 700) / log(10) }
    let (low, high) = (mel(lower), mel(upper))
    let step = (high - low) / Double(filters + 2)
    return try (0..<(filters + 2)).map { index in
      let hertz = 700 * expm1((Double(index) * step + low) / 2595 * log(10))
      let bin = (Double(length + 1) * hertz / sampleRate).rounded(.down)
      guard bin >= 0, bin < Double(bins) else {
        throw OperatorError(
          "\(hertz) Hz is beyond a spectrum of \(bins) bins at \(sampleRate) samples a second")
      }
      return Int(bin)
    }
  }

  /// MelWeightMatrix: triangles over the bins of a spectrum, a column for each filter; towards integers they are cut.
  ///
  /// - Throws: `OperatorError.unsupported` for a type that is no number.
  package static func melWeights(_ y: Operand, edges: [Int]) throws -> Kernel {
    let (bins, filters) = (y.shape[0], y.shape[1])
    let grain = 1024
    let writer = try NumberWriter(y.dataType)
    let isDouble = y.dataType == .float64
    return Kernel(blocks: filters == 0 ? 0 : bins, scratchPerWorker: grain * 5) {
      invocation, bin in
      if isDouble {
        let row = invocation.output(0).assumingMemoryBound(to: Double.self) + bin * filters
        for filter in 0..<filters { row[filter] = melWeight(bin, edges[filter...]) }
        return
      }
      let floats = invocation.scratch.assumingMemoryBound(to: Float.self)
      for first in stride(from: 0, to: filters, by: grain) {
        let count = min(grain, filters - first)
        for index in 0..<count { floats[index] = Float(melWeight(bin, edges[(first + index)...])) }
        writer.write(
          floats, count: count, to: invocation.output(0), from: bin * filters + first,
          patterns: (invocation.scratch + 4 * grain).assumingMemoryBound(to: UInt8.self))
      }
    }
  }

  /// The weight of a bin in the filter that begins, peaks and ends at the first three edges.
  private static func melWeight(_ bin: Int, _ edges: ArraySlice<Int>) -> Double {
    let first = edges.startIndex
    let (left, centre, right) = (edges[first], edges[first + 1], edges[first + 2])
    if bin >= centre, bin < right { return Double(right - bin) / Double(right - centre) }
    guard bin >= left, bin <= centre else { return 0 }
    return left == centre ? 1 : Double(bin - left) / Double(centre - left)
  }
}
