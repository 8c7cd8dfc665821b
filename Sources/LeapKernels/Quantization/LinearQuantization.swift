// LinearQuantization: QuantizeLinear and DequantizeLinear: one scale and zero point for a tensor, an axis or a block of it.

import CLeapKernels
import LeapTensors

/// Which scale and zero point belong to an element.
package enum QuantizationGranularity: Sendable, Hashable {
  case tensor
  /// One for each index of an axis of `extent`, of which `inner` elements follow each other.
  case axis(extent: Int, inner: Int)
  /// One for each `size` indices of an axis, and for each index of every other.
  case block(extent: Int, inner: Int, size: Int)

  /// Calls `body` for runs of elements from `first` on that have one scale, or scales side by side.
  @inline(__always)
  func forEachRun(
    from first: Int, count: Int,
    _ body: (_ offset: Int, _ count: Int, _ scale: Int, _ stride: Int) -> Void
  ) {
    var done = 0
    while done < count {
      let (index, length, scale, stride) = run(at: first + done)
      let taken = min(length, count - done)
      body(done, taken, scale + (stride == 0 ? 0 : index), stride)
      done += taken
    }
  }

  /// Whether every element of a run has the same scale.
  var hasRunsOfOneScale: Bool {
    switch self {
    case .tensor: true
    case .axis(_, let inner): inner > 1
    case .block(_, let inner, _): inner == 1
    }
  }

  /// The run at an element: its place among scales side by side, elements to its end, its first scale, and their stride.
  private func run(at element: Int) -> (index: Int, length: Int, scale: Int, stride: Int) {
    switch self {
    case .tensor: return (0, .max, 0, 0)
    case .axis(let extent, 1):
      let place = element % extent
      return (place, extent - place, 0, 1)
    case .axis(let extent, let inner):
      let place = element % inner
      return (place, inner - place, element / inner % extent, 0)
    case .block(let extent, let inner, let size):
      let blocks = (extent - 1) / size + 1
      let (row, place) = (element / inner, element % inner)
      let scale = row / extent * blocks + row % extent / size
      if inner > 1 { return (place, inner - place, scale * inner, 1) }
      return (0, min(size - row % extent % size, extent - row % extent), scale, 0)
    }
  }
}

/// A kernel that quantises or dequantises.
package struct LinearQuantization: Sendable {
  private let count: Int
  private let scaleCount: Int
  private let hasZeros: Bool
  private let granularity: QuantizationGranularity
  private let reader: NumberReader
  private let scaleReader: NumberReader
  private let zeroReader: NumberReader
  private let writer: NumberWriter
  private let from: DataType
  private let kind: Kind
  private let set: leap_isa
  /// Whether floats become bytes.
  private let makesBytes: Bool

  private enum Kind: Sendable {
    case toIntegers(low: Float, high: Float)
    case toFloats
    case back
  }

  /// Elements of one block: a multiple of 8.
  private static let grain = 4096

  /// - Parameters:
  ///   - request: inputs x, scale, and perhaps the zero point, of scale's shape; output y, of x's shape.
  ///   - isBack: whether x is quantised, and not y.
  ///   - saturate: see `NumberWriter`.
  /// - Throws: `OperatorError` for a type without a kernel.
  package init(
    _ request: KernelRequest, granularity: QuantizationGranularity, isBack: Bool,
    saturate: Bool = true
  ) throws {
    let (x, scale, y) = (
      try request.requiredInput(0), try request.requiredInput(1), try request.requiredOutput(0)
    )
    count = x.shape.elementCount
    scaleCount = scale.shape.elementCount
    hasZeros = request.inputs.count > 2 && request.inputs[2] != nil
    self.granularity = granularity
    from = x.dataType
    set = request.instructionSet.cValue
    makesBytes = !isBack && x.dataType == .float32 && [.uint8, .int8].contains(y.dataType)
    reader = try NumberReader(x.dataType)
    scaleReader = try NumberReader(scale.dataType)
    zeroReader = try NumberReader(isBack ? x.dataType : y.dataType)
    writer = try NumberWriter(y.dataType, saturate: saturate)
    if isBack {
      kind = .back
    } else if let range = LinearQuantization.range(of: y.dataType) {
      kind = .toIntegers(low: Float(range.lowerBound), high: Float(range.upperBound))
    } else {
      kind = .toFloats
    }
  }

  /// The numbers of an integer type that tensors are quantised to; nil for other types.
  package static func range(of type: DataType) -> ClosedRange<Int>? {
    switch type {
    case .uint8: 0...255
    case .int8: -128...127
    case .uint16: 0...65535
    case .int16: -32768...32767
    case .uint4: 0...15
    case .int4: -8...7
    case .uint2: 0...3
    case .int2: -2...1
    default: nil
    }
  }

  /// A phase that reads scales and zero points, then one of blocks of elements.
  package var kernel: Kernel {
    let grain = LinearQuantization.grain
    let scaleBytes = scaleCount * MemoryLayout<Float>.stride
    let prepare = Phase(blockCount: count == 0 ? 0 : 1) { invocation, _ in
      prepareScales(invocation)
    }
    let convert = Phase(blockCount: count == 0 ? 0 : (count - 1) / grain + 1) {
      invocation, block in
      convertBlock(invocation, block * grain, min(grain, count - block * grain))
    }
    return Kernel(
      phases: [prepare, convert], scratchPerWorker: grain * 5,
      sharedScratch: 2 * scaleBytes + scaleCount)
  }

  private func prepareScales(_ invocation: Invocation) {
    let scales = invocation.sharedScratch.assumingMemoryBound(to: Float.self)
    let patterns = (invocation.sharedScratch + 8 * scaleCount).assumingMemoryBound(to: UInt8.self)
    scaleReader.read(
      invocation.input(1), from: 0, count: scaleCount, to: scales, patterns: patterns)
    if hasZeros {
      zeroReader.read(
        invocation.input(2), from: 0, count: scaleCount, to: scales + scaleCount,
        patterns: patterns)
    } else {
      for index in 0..<scaleCount { scales[scaleCount + index] = 0 }
    }
  }

  private func convertBlock(_ invocation: Invocation, _ first: Int, _ count: Int) {
    if makesBytes, case .toIntegers(let low, let high) = kind, granularity.hasRunsOfOneScale {
      return makeBytes(invocation, first, count, low: low, high: high)
    }
    let scales = invocation.sharedScratch.assumingMemoryBound(to: Float.self)
    let zeros = scales + scaleCount
    let floats = invocation.scratch.assumingMemoryBound(to: Float.self)
    let patterns = (invocation.scratch + 4 * LinearQuantization.grain)
      .assumingMemoryBound(to: UInt8.self)
    let isWide = from == .int32 && isBack
    let x = invocation.input(0)
    if !isWide { reader.read(x, from: first, count: count, to: floats, patterns: patterns) }
    granularity.forEachRun(from: first, count: count) { offset, length, scale, stride in
      let run = floats + offset
      let (s, z) = (scales + scale, zeros + scale)
      switch kind {
      case .toIntegers(let low, let high):
        leap_quantize_run(run, s, stride, z, stride, low, high, run, length)
      case .toFloats: leap_scale_down_run(run, s, stride, z, stride, run, length)
      case .back where isWide:
        let integers = x.assumingMemoryBound(to: Int32.self) + first + offset
        leap_dequantize_integers_run(integers, s, stride, z, stride, run, length)
      case .back: leap_dequantize_run(run, s, stride, z, stride, run, length)
      }
    }
    writer.write(
      floats, count: count, to: invocation.output(0), from: first, patterns: patterns)
  }

  private func makeBytes(
    _ invocation: Invocation, _ first: Int, _ count: Int, low: Float, high: Float
  ) {
    let scales = invocation.sharedScratch.assumingMemoryBound(to: Float.self)
    let x = invocation.input(0).assumingMemoryBound(to: Float.self) + first
    let y = invocation.output(0).assumingMemoryBound(to: UInt8.self) + first
    granularity.forEachRun(from: first, count: count) { offset, length, scale, _ in
      leap_quantize_bytes(
        set, x + offset, scales[scale], scales[scaleCount + scale], low, high, y + offset, length)
    }
  }

  private var isBack: Bool { if case .back = kind { true } else { false } }
}

/// DynamicQuantizeLinear: uint8 with a scale and a zero point of the tensor's own range.
package enum DynamicQuantization {
  private static let grain = 16_384

  /// The kernel: input 0 float32; outputs uint8 of its shape, a float32 scale and a uint8 zero point. The scale of nothing but
  /// zeros is 1.
  /// Outputs behind the first may be missing.
  package static func kernel(_ x: Operand, outputCount: Int, _ set: InstructionSet) -> Kernel {
    let set = set.cValue
    let count = x.shape.elementCount
    let blocks = count == 0 ? 0 : (count - 1) / grain + 1
    let bounds = Phase(blockCount: blocks) { invocation, block in
      let own = invocation.sharedScratch.assumingMemoryBound(to: Float.self) + 2 * block
      (own[0], own[1]) = (0, 0)
      let x = invocation.input(0).assumingMemoryBound(to: Float.self)
      leap_extend_bounds(set, x + block * grain, min(grain, count - block * grain), own)
    }
    let parameters = Phase(blockCount: 1) { invocation, _ in
      let all = invocation.sharedScratch.assumingMemoryBound(to: Float.self)
      var (low, high): (Float, Float) = (0, 0)
      for block in 0..<blocks {
        low = min(low, all[2 * block])
        high = max(high, all[2 * block + 1])
      }
      let scale = low == high ? 1 : (high - low) / 255
      let place = (0 - low / scale).rounded(.toNearestOrEven)
      // Not a number where an element is infinite.
      let zero = place >= 0 ? min(place, 255) : 0
      all[2 * blocks] = scale
      all[2 * blocks + 1] = zero
      if outputCount > 1 {
        invocation.optionalOutput(1)?.storeBytes(of: scale, as: Float.self)
      }
      if outputCount > 2 {
        invocation.optionalOutput(2)?.storeBytes(of: UInt8(zero), as: UInt8.self)
      }
    }
    let quantize = Phase(blockCount: blocks) { invocation, block in
      guard let y = invocation.optionalOutput(0) else { return }
      let found = invocation.sharedScratch.assumingMemoryBound(to: Float.self) + 2 * blocks
      let x = invocation.input(0).assumingMemoryBound(to: Float.self) + block * grain
      leap_quantize_bytes(
        set, x, found[0], found[1], 0, 255, y.assumingMemoryBound(to: UInt8.self) + block * grain,
        min(grain, count - block * grain))
    }
    return Kernel(
      phases: [bounds, parameters, quantize],
      sharedScratch: (2 * blocks + 2) * 4)
  }
}
