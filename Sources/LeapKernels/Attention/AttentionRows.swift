// AttentionRows: from scores to probabilities, a row for each query: cap, mask, softmax.

import CLeapKernels
import LeapTensors

struct AttentionRows: Sendable {
  private let settings: AttentionSettings
  private let shape: AttentionShape
  private let type: DataType
  private let hasScores: Bool
  private let mask: Mask?

  /// A mask that is broadcast to [batch, heads, queries, keys]; keys behind its last are masked.
  private struct Mask: Sendable {
    let isBool: Bool
    let strides: (batch: Int, head: Int, query: Int)
    let keys: Int

    init(_ operand: Operand, _ shape: AttentionShape) throws {
      isBool = operand.dataType == .bool
      let extents = Array(repeating: 1, count: max(0, 4 - operand.shape.rank)) + operand.shape
      let wanted = [shape.batch, shape.queryHeads, shape.queries, shape.total]
      guard (1...4).contains(operand.shape.rank),
        zip(extents, wanted).prefix(3).allSatisfy({ $0 == 1 || $0 == $1 }),
        extents[3] <= shape.total
      else {
        throw OperatorError(
          "the mask has shape \(operand.shape); expected one that is broadcast to \(Shape(wanted))")
      }
      keys = extents[3]
      let strides = Shape(extents).rowMajorStrides
      func stride(_ axis: Int) -> Int { extents[axis] == 1 ? 0 : strides[axis] }
      self.strides = (stride(0), stride(1), stride(2))
    }
  }

  init(_ settings: AttentionSettings, _ shape: AttentionShape, _ request: KernelRequest) throws {
    self.settings = settings
    self.shape = shape
    type = try request.requiredInput(0).dataType
    hasScores = request.outputs.count > 3 && request.outputs[3] != nil
    mask =
      request.inputs.count > 3 ? try request.inputs[3].map { try Mask($0, shape) } : nil
  }

  /// The phase that turns the scores [batch, heads, queries, keys] into probabilities where they lie.
  ///
  /// - Throws: `OperatorError.unsupported` for a type other than float32 and float64.
  func phase(_ scores: OperandPlace) throws -> Phase {
    switch type {
    case .float32: phase(scores, Float.self)
    case .float64: phase(scores, Double.self)
    default: throw OperatorError.unsupported("there is no attention of \(type)")
    }
  }

  private func phase<Element: BinaryFloatingPoint & BitwiseCopyable & Sendable>(
    _ scores: OperandPlace, _ element: Element.Type
  ) -> Phase {
    let rows = shape.batch * shape.queryHeads * shape.queries
    let grain = max(1, 16_384 / max(shape.total, 1))
    let isEmpty = shape.total == 0
    return Phase(blockCount: rows == 0 || isEmpty ? 0 : (rows - 1) / grain + 1) {
      invocation, block in
      let base = scores.address(invocation).assumingMemoryBound(to: Element.self)
      for row in block * grain..<min((block + 1) * grain, rows) {
        compute(invocation, base + row * shape.total, row)
      }
    }
  }

  private func compute<Element: BinaryFloatingPoint & BitwiseCopyable>(
    _ invocation: Invocation, _ row: UnsafeMutablePointer<Element>, _ index: Int
  ) {
    func show(_ stage: AttentionSettings.Scores) {
      guard hasScores, settings.scores == stage else { return }
      let bytes = shape.total * type.byteWidth
      (invocation.output(3) + index * bytes).copyMemory(from: row, byteCount: bytes)
    }
    show(.raw)
    if settings.softcap > 0 {
      let math = VectorMath(type)
      math.apply(.scale, row, shape.total, a: 1 / settings.softcap)
      math.apply(.tanh, row, shape.total)
      math.apply(.scale, row, shape.total, a: settings.softcap)
    }
    show(.capped)
    let isMasked = addBias(invocation, row, index)
    show(.biased)
    var largest = -Element.infinity
    for key in 0..<shape.total where row[key] > largest { largest = row[key] }
    if isMasked || largest == -.infinity && !row[0].isNaN {
      for key in 0..<shape.total { row[key] = 0 }
    } else {
      leap_softmax_run(type.rawValue, LEAP_SOFTMAX, row, row, shape.total)
    }
    show(.probabilities)
  }

  /// Adds what mask, causality, window and the number of keys say to a row of scores. Whether that leaves no key.
  private func addBias<Element: BinaryFloatingPoint & BitwiseCopyable>(
    _ invocation: Invocation, _ row: UnsafeMutablePointer<Element>, _ index: Int
  ) -> Bool {
    let query = index % shape.queries
    let head = index / shape.queries % shape.queryHeads
    let image = index / shape.queries / shape.queryHeads
    var keys = shape.total
    var offset = shape.past
    if let lengths = invocation.optionalInput(6) {
      let length = Int(lengths.load(fromByteOffset: 8 * image, as: Int64.self))
      keys = min(max(length, 0), shape.total)
      // Of no use beyond these bounds, and safe to subtract.
      offset = min(max(length, -1 << 40), 1 << 40) - shape.queries
    }
    var (low, high) = (0, keys)
    let place = offset + query
    if settings.isCausal { high = min(high, place + 1) }
    if let right = settings.rightWindow { high = min(high, place + min(right, 1 << 40) + 1) }
    if let left = settings.leftWindow { low = max(low, place - min(left, 1 << 40)) }
    if let mask { high = min(high, mask.keys) }
    for key in 0..<shape.total where key < low || key >= high { row[key] = -.infinity }
    guard low < high else { return true }
    guard let mask, let given = invocation.optionalInput(3) else { return false }
    let start =
      image * mask.strides.batch + head * mask.strides.head + query * mask.strides.query
    var isMasked = true
    if mask.isBool {
      let allowed = given.assumingMemoryBound(to: UInt8.self) + start
      for key in low..<high {
        if allowed[key] == 0 { row[key] = -.infinity } else { isMasked = false }
      }
    } else {
      let bias = given.assumingMemoryBound(to: Element.self) + start
      for key in low..<high {
        row[key] += bias[key]
        if bias[key] != -.infinity { isMasked = false }
      }
    }
    return isMasked
  }
}
