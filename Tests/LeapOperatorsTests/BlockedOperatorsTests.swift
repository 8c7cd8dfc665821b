// Poolings, means, resizing, element-wise operators and concats in blocked layouts against the plain kernels, and reorders
// between all layouts.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

private func text(_ text: String) -> Attribute { .string(Array(text.utf8)) }

@Suite struct BlockedOperatorsTests {
  static let blockedLayouts: [InputLayout] = [.blocked, .scattered, .part]
  private static let channels = [1, 3, 12, 16, 17]

  /// Compares the blocked candidate with the plain one for each way in which the blocked inputs may lie.
  ///
  /// - Parameters:
  ///   - tolerance: relative to the largest magnitude; 0 asks for the same bits, NaN and signs of zeros included.
  ///   - blocked: the inputs that lie in blocks.
  private func compare(
    _ node: OperatorCase, _ inputs: [Tensor?], constants: Set<Int> = [], blocked: Set<Int> = [0],
    _ set: InstructionSet, tolerance: Double = 0, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for layout in BlockedOperatorsTests.blockedLayouts {
      var harness = CandidateHarness(
        node: node, inputs: inputs, constants: constants, instructionSet: set)
      for index in blocked { harness.available[index] = layout }
      let results = try harness.run(sourceLocation: sourceLocation)
      let shapes = inputs.map { $0.map { "\($0.shape)" } ?? "-" }.joined(separator: ", ")
      let what = "\(node.type) \(node.attributes) of \(shapes), \(layout)"
      #expect(results.map(\.isBlocked) == [false, true], "\(what)", sourceLocation: sourceLocation)
      guard let plain = results.first?.tensor, let other = results.last?.tensor else { continue }
      let isSame = plain.withUnsafeBytes { a in other.withUnsafeBytes { a.elementsEqual($0) } }
      if tolerance == 0 {
        #expect(isSame, "\(what)", sourceLocation: sourceLocation)
      } else {
        let difference = relativeDifference(other.doubles, plain.doubles)
        #expect(difference < tolerance, "\(what)", sourceLocation: sourceLocation)
      }
    }
  }

  private static let windows: [[String: Attribute]] = [
    ["kernel_shape": ints([3, 3]), "strides": ints([2, 2]), "pads": ints([1, 1, 1, 1])],
    ["kernel_shape": ints([2, 2]), "strides": ints([2, 2]), "ceil_mode": .int(1)],
    [
      "kernel_shape": ints([3, 3]), "strides": ints([2, 2]), "ceil_mode": .int(1),
      "pads": ints([1, 0, 1, 1]),
    ],
    ["kernel_shape": ints([5, 5]), "pads": ints([2, 2, 2, 2])],
    ["kernel_shape": ints([3, 2]), "strides": ints([1, 3]), "auto_pad": text("SAME_UPPER")],
    ["kernel_shape": ints([2, 3]), "dilations": ints([2, 2]), "pads": ints([0, 2, 1, 1])],
    ["kernel_shape": ints([1, 7]), "auto_pad": text("SAME_LOWER")],
  ]

  @Test(arguments: windows.indices, InstructionSet.available)
  func poolingAgrees(window: Int, set: InstructionSet) throws {
    let attributes = BlockedOperatorsTests.windows[window]
    for (index, channels) in BlockedOperatorsTests.channels.enumerated() {
      var noise = Noise(UInt64(index))
      let x = try noise.tensor(.float32, [1 + index % 2 * 2, channels, 11, 13])
      try compare(OperatorCase("MaxPool", attributes), [x], set)
      for counts in [0, 1] {
        let node = OperatorCase(
          "AveragePool", attributes.merging(["count_include_pad": .int(Int64(counts))]) { $1 })
        try compare(node, [x], set, tolerance: 1e-6)
      }
    }
  }

  @Test(arguments: InstructionSet.available)
  func poolingOfLinesAndOfNaNAgrees(set: InstructionSet) throws {
    var noise = Noise(1)
    let line = try noise.tensor(.float32, [2, 5, 31])
    let attributes = [
      "kernel_shape": ints([3]), "strides": ints([2]), "pads": ints([1, 1]),
    ]
    try compare(OperatorCase("MaxPool", attributes), [line], set)
    try compare(OperatorCase("AveragePool", attributes), [line], set, tolerance: 1e-6)
    var values = (0..<2 * 5 * 49).map { _ in Float(noise.next()) }
    for place in stride(from: 0, to: values.count, by: 17) { values[place] = .nan }
    for place in stride(from: 3, to: values.count, by: 19) { values[place] = -.infinity }
    let x = try Tensor(values, shape: [2, 5, 7, 7])
    let node = OperatorCase(
      "MaxPool", ["kernel_shape": ints([3, 3]), "pads": ints([1, 1, 1, 1])])
    for layout in BlockedOperatorsTests.blockedLayouts {
      let results = try CandidateHarness(
        node: node, inputs: [x], available: [0: layout], instructionSet: set
      ).run()
      #expect(results.count == 2)
      for (a, b) in zip(results[0].tensor.doubles, results[1].tensor.doubles) {
        #expect(a == b || (a.isNaN && b.isNaN))
      }
    }
  }

  @Test(arguments: channels, InstructionSet.available)
  func meanOfPixelsAgrees(channels: Int, set: InstructionSet) throws {
    var noise = Noise(UInt64(channels))
    let image = try noise.tensor(.float32, [3, channels, 9, 13])
    let line = try noise.tensor(.float32, [2, channels, 37])
    try compare(OperatorCase("GlobalAveragePool"), [image], set, tolerance: 2e-6)
    try compare(OperatorCase("GlobalAveragePool"), [line], set, tolerance: 2e-6)
    for keeps in [0, 1] {
      try compare(
        OperatorCase("ReduceMean", ["keepdims": .int(Int64(keeps))]),
        [image, try Tensor([Int64(-1), 2])], constants: [1], set, tolerance: 2e-6)
    }
  }

  private static let resizes: [(mode: String, attributes: [String: Attribute])] = [
    ("nearest", [:]),
    (
      "nearest",
      ["coordinate_transformation_mode": text("asymmetric"), "nearest_mode": text("floor")]
    ),
    ("linear", [:]), ("linear", ["coordinate_transformation_mode": text("align_corners")]),
    ("linear", ["antialias": .int(1)]), ("cubic", [:]), ("cubic", ["exclude_outside": .int(1)]),
  ]

  @Test(arguments: resizes.indices, InstructionSet.available)
  func resizeAgrees(index: Int, set: InstructionSet) throws {
    let (mode, attributes) = BlockedOperatorsTests.resizes[index]
    let node = OperatorCase("Resize", attributes.merging(["mode": text(mode)]) { $1 })
    for (place, channels) in BlockedOperatorsTests.channels.enumerated() {
      var noise = Noise(UInt64(place))
      for (input, output) in [([7, 9], [14, 18]), ([7, 9], [10, 5]), ([9, 8], [9, 13])] {
        let x = try noise.tensor(.float32, Shape([1 + place % 2 * 2, channels] + input))
        let sizes = try Tensor([Int64(x.shape[0]), Int64(channels)] + output.map(Int64.init))
        try compare(
          node, [x, nil, nil, sizes], constants: [3], set, tolerance: mode == "nearest" ? 0 : 1e-6)
      }
    }
  }

  @Test(arguments: channels, InstructionSet.available)
  func elementwiseAgrees(channels: Int, set: InstructionSet) throws {
    var noise = Noise(UInt64(channels))
    let x = try noise.tensor(.float32, [3, channels, 5, 7])
    for (type, attributes) in [
      ("Relu", [:]), ("Sigmoid", [:]), ("Exp", [:]), ("Cos", [:]), ("HardSwish", [:]),
      ("LeakyRelu", ["alpha": Attribute.float(0.1)]), ("Sqrt", [:]),
    ] {
      try compare(OperatorCase(type, attributes), [x], set)
    }
    try compare(
      OperatorCase("Clip"), [x, try Tensor(scalar: Float(0.25)), try Tensor(scalar: Float(0.5))],
      constants: [1, 2], set)
    try compare(
      OperatorCase("Clip"), [x, nil, try Tensor(scalar: Float(-0.5))], constants: [2], set)
    let alike = try noise.tensor(.float32, x.shape)
    let one = try noise.tensor(.float32, [1, channels, 5, 7])
    let perImage = try noise.tensor(.float32, [3, channels, 1, 1])
    let perChannel = try noise.tensor(.float32, [channels, 1, 1])
    for type in ["Add", "Sub", "Mul", "Div", "Pow", "PRelu"] {
      let node = OperatorCase(type)
      if type != "PRelu" || channels > 1 {
        try compare(node, [x, alike], blocked: [0, 1], set)
      }
      try compare(node, [x, one], blocked: [0, 1], set)
      try compare(node, [x, perImage], blocked: [0, 1], set)
      try compare(node, [x, perImage], blocked: [0], set)
      try compare(node, [x, perChannel], constants: [1], set)
      try compare(node, [x, try noise.tensor(.float32, [1])], constants: [1], set)
      if type == "PRelu" { continue }
      try compare(node, [perChannel, x], constants: [0], blocked: [1], set)
      try compare(node, [perImage, x], blocked: [0, 1], set)
      try compare(node, [try noise.tensor(.float32, []), x], blocked: [1], set)
    }
    let line = try noise.tensor(.float32, [2, channels, 9])
    try compare(
      OperatorCase("Mul"), [line, try noise.tensor(.float32, [1, channels, 1])], constants: [1], set
    )
  }

  @Test(
    arguments: [[12, 20], [1, 3, 5], [16, 7, 16], [8, 8], [0, 5, 4]], InstructionSet.available)
  func concatMoves(parts: [Int], set: InstructionSet) throws {
    var noise = Noise(UInt64(parts.count))
    for (batch, pixels) in [(1, [5, 7]), (3, [9, 5]), (2, [13])] {
      let inputs = try parts.map {
        try noise.tensor(.float32, Shape([batch, $0] + pixels)) as Tensor?
      }
      let node = OperatorCase("Concat", ["axis": .int(1)])
      try compare(node, inputs, blocked: Set(parts.indices), set)
      try compare(node, inputs, blocked: [parts.count - 1], set)
      try compare(node, inputs, constants: [0], blocked: [parts.count - 1], set)
    }
  }

  @Test(arguments: [1, 3, 4, 12, 16, 17, 24, 64], InstructionSet.available)
  func reordersMoveEveryElement(channels: Int, set: InstructionSet) throws {
    var noise = Noise(UInt64(channels))
    for spatial in [[1, 1], [5, 7], [67, 33], [9], []] {
      let x = try noise.tensor(.float32, Shape([2, channels] + spatial))
      for from in InputLayout.allCases {
        for to in InputLayout.allCases {
          let source = try OperandBuffer(x, from.layout(x.shape, width: set.blockWidth))
          let target = try OperandBuffer(
            Operand(.float32, x.shape, layout: to.layout(x.shape, width: set.blockWidth)))
          defer { withExtendedLifetime(source) {} }
          let kernel = try Reorder.kernel(from: source.operand, to: target.operand)
          let operands: [UnsafeMutableRawPointer?] = [source.pointer, target.pointer]
          try operands.withUnsafeBufferPointer {
            let invocation = Invocation(
              operands: $0.baseAddress!, inputCount: 1, scratch: source.pointer,
              sharedScratch: source.pointer)
            for phase in kernel.phases {
              for block in (0..<phase.blockCount).reversed() { try phase.body(invocation, block) }
            }
          }
          let what = "\(x.shape) from \(from) to \(to)"
          #expect(
            try target.tensor().elements(as: Float.self) == x.elements(as: Float.self), "\(what)")
          #expect(target.flaw() == nil, "\(what)")
        }
      }
    }
  }
}
