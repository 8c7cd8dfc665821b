// Filtering: operators whose results are as many as the data says: Compress, Unique, NonMaxSuppression.

import LeapGraph
import LeapKernels
import LeapTensors

package enum Filtering: OperatorFamily {
  package static var operators: [any Operator.Type] {
    [Compress.self, Unique.self, NonMaxSuppression.self]
  }
}

/// Compress, from ONNX opset 9 on: the slices along an axis, or the elements, whose condition is true.
package struct Compress: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Compress", opsets: 9...OperatorTable.latestOpset)]
  }
  private let axis: Int?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...2)
    axis = try node.int("axis")
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    _ = try context.dataType(1, among: [.bool])
    _ = try context.shape(1, ranks: 1...1)
    guard let axis else { return context.setOutput(0, type, [.unknown]) }
    guard var shape = try context.shape(0, ranks: 1...64) else {
      return context.setOutput(0, type, nil)
    }
    shape[try normalizedAxis(axis, rank: shape.count)] = .unknown
    context.setOutput(0, type, shape)
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let input = inputs.first ?? nil, input.dataType != .string else { return nil }
    return [
      Operand(input.dataType, axis == nil ? [input.shape.elementCount] : input.shape)
    ]
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard inputs.count == 2, let input = inputs[0], let condition = inputs[1]?.integers else {
      throw OperatorError("inputs 0 and 1 are required")
    }
    let whole = axis == nil ? input.reshaped([input.elementCount]) : input
    let place = try normalizedAxis(axis ?? 0, rank: whole.shape.rank)
    let chosen = condition.indices.filter { condition[$0] != 0 }
    if let last = chosen.last, last >= whole.shape[place] {
      throw OperatorError(
        "condition \(last) is true; there are \(whole.shape[place]) slices along the axis")
    }
    return [try Gather.slices(of: whole, axis: place, at: chosen)]
  }
}

/// Unique, from ONNX opset 11 on: of elements, or of slices along an axis; NaN is one value, and the largest.
package struct Unique: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("Unique", opsets: 11...OperatorTable.latestOpset)]
  }
  private let axis: Int?
  private let isSorted: Bool
  private let outputCount: Int

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    axis = try node.int("axis")
    isSorted = try node.flag("sorted", default: true)
    outputCount = node.outputCount
  }

  package func infer(_ context: inout InferenceContext) throws {
    let type = try context.dataType(0)
    guard type == .string || type.isInteger || type.isFloatingPoint || type == .bool else {
      throw OperatorError.unsupported("there is no order of \(type)")
    }
    for index in 1...3 { context.setOutput(index, .int64, [.unknown]) }
    guard let axis else { return context.setOutput(0, type, [.unknown]) }
    guard var shape = try context.shape(0, ranks: 1...64) else {
      return context.setOutput(0, type, nil)
    }
    shape[try normalizedAxis(axis, rank: shape.count)] = .unknown
    context.setOutput(0, type, shape)
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard let input = inputs.first ?? nil, input.dataType != .string else { return nil }
    let count = input.shape.elementCount
    let whole = Operand(input.dataType, axis == nil ? [count] : input.shape)
    return [whole] + (1..<max(outputCount, 1)).map { _ in Operand(.int64, [count]) }
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil else { throw OperatorError("input 0 is required") }
    let whole = axis == nil ? input.reshaped([input.elementCount]) : input
    let place = try normalizedAxis(axis ?? 0, rank: whole.shape.rank)
    let keys = try Unique.keys(of: whole)
    let (outer, extent) = (whole.shape.outer(place), whole.shape[place])
    let inner = whole.shape.inner(from: place + 1)
    func order(_ a: Int, _ b: Int) -> Int {
      for row in 0..<outer {
        let (first, second) = ((row * extent + a) * inner, (row * extent + b) * inner)
        for column in 0..<inner where keys[first + column] != keys[second + column] {
          return keys[first + column] < keys[second + column] ? -1 : 1
        }
      }
      return 0
    }
    // Of equals the first comes first.
    let sorted = (0..<extent).sorted { a, b in
      let relation = order(a, b)
      return relation == 0 ? a < b : relation < 0
    }
    var groups: [[Int]] = []
    for slice in sorted {
      if let last = groups.last?.first, order(last, slice) == 0 {
        groups[groups.count - 1].append(slice)
      } else {
        groups.append([slice])
      }
    }
    if !isSorted { groups.sort { $0[0] < $1[0] } }
    var inverse = [Int64](repeating: 0, count: extent)
    for (index, group) in groups.enumerated() {
      for slice in group { inverse[slice] = Int64(index) }
    }
    let firsts = groups.map { $0[0] }
    return try Array(
      [
        Gather.slices(of: whole, axis: place, at: firsts), Tensor(firsts.map(Int64.init)),
        Tensor(inverse), Tensor(groups.map { Int64($0.count) }),
      ].prefix(max(outputCount, 1)))
  }

  /// Numbers in the order of the elements, equal where they are.
  private static func keys(of tensor: Tensor) throws -> [Int] {
    if let texts = tensor.strings {
      let known = Set(texts).sorted {
        $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars)
      }
      var places: [String: Int] = [:]
      for (index, text) in known.enumerated() { places[text] = index }
      return texts.map { places[$0] ?? 0 }
    }
    if let values = tensor.elements(as: UInt64.self) {
      return values.map { Int(bitPattern: UInt($0)) &+ .min }
    }
    if let integers = tensor.integers { return integers }
    let wide = try Cast(to: .float64).convert(tensor).elements(as: Double.self) ?? []
    return wide.map { value in
      if value.isNaN { return .max }
      // Signed magnitudes as integers; both zeros are one.
      let bits = Int(bitPattern: UInt((value == 0 ? 0 : value).bitPattern))
      return bits < 0 ? .min &- bits : bits
    }
  }
}

/// NonMaxSuppression, ONNX opsets 10 and 11: of boxes that overlap much, the one of the highest score.
package struct NonMaxSuppression: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("NonMaxSuppression", opsets: 10...OperatorTable.latestOpset)]
  }
  private let isCentred: Bool

  package init(_ node: NodeReader) throws {
    try node.requireInputs(2...5)
    let form = try node.int("center_point_box", default: 0)
    guard form == 0 || form == 1 else {
      throw OperatorError("attribute 'center_point_box' is \(form); expected 0 or 1")
    }
    isCentred = form == 1
  }

  package func infer(_ context: inout InferenceContext) throws {
    for index in [0, 1, 3, 4] where context.hasInput(index) {
      _ = try context.dataType(index, among: [.float32])
    }
    if context.hasInput(2) { _ = try context.dataType(2, among: [.int64, .int32]) }
    let boxes = try context.shape(0, ranks: 3...3)
    let scores = try context.shape(1, ranks: 3...3)
    if let boxes {
      try check(boxes[2], equals: 4, "numbers of a box", "boxes")
      if let scores {
        try check(scores[0], equals: boxes[0], "images of scores", "boxes")
        try check(scores[2], equals: boxes[1], "scores of a class", "boxes")
      }
    }
    context.setOutput(0, .int64, [.unknown, 3])
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    guard inputs.count > 1, let scores = inputs[1]?.shape else { return nil }
    return [Operand(.int64, [scores.elementCount, 3])]
  }

  /// A box by its corners.
  private struct Box {
    let low: (x: Float, y: Float)
    let high: (x: Float, y: Float)

    init(_ numbers: ArraySlice<Float>, isCentred: Bool) {
      let n = Array(numbers)
      if isCentred {
        low = (n[0] - n[2] / 2, n[1] - n[3] / 2)
        high = (n[0] + n[2] / 2, n[1] + n[3] / 2)
      } else {
        low = (min(n[1], n[3]), min(n[0], n[2]))
        high = (max(n[1], n[3]), max(n[0], n[2]))
      }
    }

    private var area: Float { (high.x - low.x) * (high.y - low.y) }

    /// Whether the intersection is more than this part of the union.
    func overlaps(_ other: Box, by threshold: Float) -> Bool {
      let width = min(high.x, other.high.x) - max(low.x, other.low.x)
      let height = min(high.y, other.high.y) - max(low.y, other.low.y)
      guard width > 0, height > 0, area > 0, other.area > 0 else { return false }
      let common = width * height
      let union = area + other.area - common
      return union > 0 && common / union > threshold
    }
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard inputs.count >= 2, let boxes = inputs[0], let scores = inputs[1],
      let numbers = boxes.elements(as: Float.self), let values = scores.elements(as: Float.self),
      boxes.shape.rank == 3, scores.shape.rank == 3, boxes.shape[2] == 4,
      boxes.shape[0] == scores.shape[0], boxes.shape[1] == scores.shape[2]
    else { throw OperatorError("expected boxes [n, b, 4] and scores [n, c, b] of float32") }
    func number(_ index: Int) -> Float? {
      index < inputs.count ? inputs[index]?.elements(as: Float.self)?.first : nil
    }
    let limit = inputs.count > 2 ? inputs[2]?.integers?.first ?? 0 : 0
    let overlap = number(3) ?? 0
    guard overlap >= 0, overlap <= 1 else {
      throw OperatorError("iou_threshold is \(overlap); expected 0 to 1")
    }
    let threshold = number(4)
    let (classes, count) = (scores.shape[1], boxes.shape[1])
    var chosen: [Int64] = []
    for image in 0..<boxes.shape[0] where limit > 0 {
      let own = (0..<count).map { box in
        Box(
          numbers[((image * count + box) * 4)..<((image * count + box) * 4 + 4)],
          isCentred: isCentred)
      }
      for kind in 0..<classes {
        let first = (image * classes + kind) * count
        // Of equal scores the first box comes first.
        let order = (0..<count).filter { values[first + $0] > threshold ?? -.infinity }
          .sorted { a, b in
            let (left, right) = (values[first + a], values[first + b])
            return left == right ? a < b : left > right
          }
        var kept: [Int] = []
        for box in order where kept.count < limit {
          if !kept.contains(where: { own[$0].overlaps(own[box], by: overlap) }) {
            kept.append(box)
          }
        }
        chosen += kept.flatMap { [Int64(image), Int64(kind), Int64($0)] }
      }
    }
    return [try Tensor(chosen, shape: [chosen.count / 3, 3])]
  }
}
