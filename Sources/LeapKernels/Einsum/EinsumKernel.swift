// EinsumKernel: products of operands two at a time, from left to right, each as a batch of matrix products.
//
// 1. What only one operand has and nothing later reads is summed before.
// 2. Both operands of a product are copied into the order that it wants, in scratch; the last result into the output's.
// 3. Integers of 8 and 16 bits are 32 bits wide on the way: sums modulo 2^32 have the right low bits.

import LeapTensors

package struct EinsumKernel: Sendable {
  /// A tensor on the way: labels in the order of its axes, without gaps.
  private struct Stage {
    var labels: [Int]
    var place: OperandPlace
  }

  private let axes: EinsumEquation.Axes
  private let extents: [Int: Int]
  private let dataType: DataType
  /// The type of tensors on the way.
  private let stageType: DataType
  private var shared = 0
  private var scratch = 0
  private var phases: [Phase] = []

  /// The kernel of an equation: input `i` is operand `i`, row-major.
  ///
  /// - Throws: `OperatorError` for a type without a kernel, and for sizes that no memory has.
  package static func kernel(
    _ axes: EinsumEquation.Axes, extents: [Int: Int], _ request: KernelRequest
  ) throws -> Kernel {
    let output = try request.requiredOutput(0)
    var builder = EinsumKernel(axes, extents, output.dataType)
    if output.shape.elementCount == 0 { return Kernel(phases: []) }
    try builder.build(request)
    return Kernel(
      phases: builder.phases, scratchPerWorker: builder.scratch, sharedScratch: builder.shared)
  }

  private init(_ axes: EinsumEquation.Axes, _ extents: [Int: Int], _ dataType: DataType) {
    self.axes = axes
    self.extents = extents
    self.dataType = dataType
    stageType = dataType.bitWidth < 32 ? .uint32 : dataType
  }

  private mutating func build(_ request: KernelRequest) throws {
    var stage = Stage(labels: [], place: .shared(0))
    for (index, labels) in axes.operands.enumerated() {
      let shape = try request.requiredInput(index).shape
      let later = Set(axes.operands[(index + 1)...].joined()).union(axes.result)
      let own = Set(labels)
      if index == 0 {
        // The first operand, with what nobody reads later summed.
        let kept = order(own.filter(later.contains))
        if axes.operands.count == 1 { return try finish(labels, shape, .input(0)) }
        stage = try copied(labels, shape, .input(0), to: kept)
        continue
      }
      stage = try product(
        stage, labels, shape, index: index, later: later)
    }
    try finish(stage.labels, Shape(stage.labels.map { extents[$0] ?? 1 }), stage.place)
  }

  private func order(_ labels: some Sequence<Int>) -> [Int] { Set(labels).sorted() }
  private func count(_ labels: [Int]) throws -> Int {
    let count = Shape.product(labels.map { extents[$0] ?? 1 }[...])
    guard count < 1 << 45 else {
      throw OperatorError("a product on the way has \(Shape(labels.map { extents[$0] ?? 1 }))")
    }
    return count
  }

  private mutating func allocate(_ labels: [Int]) throws -> OperandPlace {
    let offset = shared
    let bytes = try count(labels) * stageType.byteWidth
    shared += (bytes + 63) / 64 * 64
    return .shared(offset)
  }

  /// A copy in another order, summed over the labels that are left out.
  private mutating func copied(
    _ labels: [Int], _ shape: Shape, _ place: OperandPlace, to kept: [Int]
  ) throws -> Stage {
    let target = try allocate(kept)
    try append(labels, shape, from: place, kept, to: target)
    return Stage(labels: kept, place: target)
  }

  private mutating func finish(_ labels: [Int], _ shape: Shape, _ place: OperandPlace) throws {
    try append(labels, shape, from: place, axes.result, to: .output(0))
  }

  private mutating func append(
    _ labels: [Int], _ shape: Shape, from: OperandPlace, _ kept: [Int], to: OperandPlace
  ) throws {
    // The stride of a label is the sum of its axes': a label that stands twice is a diagonal.
    var strides: [Int: Int] = [:]
    for (axis, label) in labels.enumerated() {
      strides[label, default: 0] += shape[axis] == 1 ? 0 : shape.rowMajorStrides[axis]
    }
    let summed = order(labels.filter { !kept.contains($0) })
    let copy = SummedCopy(
      outer: kept.map { (extents[$0] ?? 1, strides[$0] ?? 0) },
      // An axis of extent 1 that others stretch is summed once.
      inner: summed.map { label in
        let isStretched = zip(labels, shape).allSatisfy { $0 != label || $1 == 1 }
        return (isStretched ? 1 : extents[label] ?? 1, strides[label] ?? 0)
      })
    phases.append(
      try copy.phase(from: (from, type(at: from)), to: (to, type(at: to))))
  }

  private func type(at place: OperandPlace) -> DataType {
    if case .shared = place { return stageType }
    return dataType
  }

  /// The product of what is there with operand `index`.
  private mutating func product(
    _ left: Stage, _ labels: [Int], _ shape: Shape, index: Int, later: Set<Int>
  ) throws -> Stage {
    let own = Set(labels)
    let both = order(left.labels.filter(own.contains))
    let batch = both.filter(later.contains)
    let depth = both.filter { !later.contains($0) }
    let rows = left.labels.filter { !own.contains($0) }
    let columns = order(own.filter { !left.labels.contains($0) && later.contains($0) })
    let leftShape = Shape(left.labels.map { extents[$0] ?? 1 })
    let a = try copied(left.labels, leftShape, left.place, to: batch + rows + depth)
    let b = try copied(labels, shape, .input(index), to: batch + depth + columns)
    let result = Stage(
      labels: batch + rows + columns, place: try allocate(batch + rows + columns))
    let (m, n, k) = (try count(rows), try count(columns), try count(depth))
    var product = MatrixProduct(
      stageType, rows: m, columns: n, depth: k, aStrides: (k, 1), bStrides: (n, 1),
      outputRowStride: n)
    let images = try count(batch)
    product.batch = [images]
    product.aBatchStrides = [m * k]
    product.bBatchStrides = [k * n]
    let operand = Operand(stageType, [images, m, n])
    let request = KernelRequest(inputs: [operand, operand], outputs: [operand])
    let kernel = try product.kernel(
      EpilogueProgram(request, dataType: stageType, channels: n, axis: .columns),
      instructionSet: .preferred)
    scratch = max(scratch, kernel.scratchPerWorker)
    phases += kernel.remapped(inputs: [a.place, b.place], outputs: [result.place])
    return result
  }
}

/// Copies elements into row-major order, each the sum of some.
private struct SummedCopy: Sendable {
  let outer: [(extent: Int, stride: Int)]
  let inner: [(extent: Int, stride: Int)]

  private static let grain = 4096

  /// - Throws: `OperatorError.unsupported` for types without a kernel.
  func phase(
    from: (place: OperandPlace, type: DataType), to: (place: OperandPlace, type: DataType)
  ) throws -> Phase {
    let places = (from.place, to.place)
    switch (from.type, to.type) {
    case (.float32, .float32): return phase(places, FloatSum<Float>.self)
    case (.float64, .float64): return phase(places, FloatSum<Double>.self)
    default: break
    }
    switch (from.type.bitWidth, to.type.bitWidth) {
    case (8, 8): return phase(places, WrappingSum<UInt8, UInt8>.self)
    case (8, 32): return phase(places, WrappingSum<UInt8, UInt32>.self)
    case (16, 16): return phase(places, WrappingSum<UInt16, UInt16>.self)
    case (16, 32): return phase(places, WrappingSum<UInt16, UInt32>.self)
    case (32, 8): return phase(places, WrappingSum<UInt32, UInt8>.self)
    case (32, 16): return phase(places, WrappingSum<UInt32, UInt16>.self)
    case (32, 32): return phase(places, WrappingSum<UInt32, UInt32>.self)
    case (64, 64): return phase(places, WrappingSum<UInt64, UInt64>.self)
    default:
      throw OperatorError.unsupported("there is no kernel for sums of \(from.type) as \(to.type)")
    }
  }

  private func phase<Sum: Summation>(
    _ operands: (from: OperandPlace, to: OperandPlace), _ sum: Sum.Type
  ) -> Phase {
    let count = Shape.product(outer.map(\.extent)[...])
    let terms = Shape.product(inner.map(\.extent)[...])
    let places = StridedIndex(outer.map { (extent: $0.extent, input: $0.stride, output: 0) })
    let sums = StridedIndex(inner.map { (extent: $0.extent, input: $0.stride, output: 0) })
    let grain = max(1, SummedCopy.grain / max(terms, 1))
    return Phase(blockCount: count == 0 ? 0 : (count - 1) / grain + 1) { invocation, block in
      let source = operands.from.address(invocation).assumingMemoryBound(to: Sum.Term.self)
      let target = operands.to.address(invocation).assumingMemoryBound(to: Sum.Total.self)
      for index in block * grain..<min((block + 1) * grain, count) {
        let place = places.offsets(index).input
        if terms == 1 {
          target[index] = Sum.total(source[place])
          continue
        }
        var total: Sum.Total = 0
        for term in 0..<terms {
          total = Sum.add(total, Sum.total(source[place + sums.offsets(term).input]))
        }
        target[index] = total
      }
    }
  }
}

/// How elements are summed.
private protocol Summation: Sendable {
  associatedtype Term: BitwiseCopyable & Sendable
  associatedtype Total: Numeric & BitwiseCopyable & Sendable
  static func total(_ term: Term) -> Total
  static func add(_ left: Total, _ right: Total) -> Total
}

private enum FloatSum<Element: BinaryFloatingPoint & BitwiseCopyable & Sendable>: Summation {
  static func total(_ term: Element) -> Element { term }
  static func add(_ left: Element, _ right: Element) -> Element { left + right }
}

/// Sums modulo a power of two: signs make no difference.
private enum WrappingSum<
  Term: UnsignedInteger & BitwiseCopyable & Sendable,
  Total: FixedWidthInteger & BitwiseCopyable & Sendable
>: Summation {
  static func total(_ term: Term) -> Total { Total(truncatingIfNeeded: term) }
  static func add(_ left: Total, _ right: Total) -> Total { left &+ right }
}
