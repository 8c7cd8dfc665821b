// Every way to compute QLinearConv, and QLinearAdd, on every instruction set that is there: the same bytes, whatever the layout.
// The plain way is held to sums in integers.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

/// A QLinearConv whose filters, scales and zero points are constants.
struct ByteConvolutionCase {
  var batch = 1
  var channels: Int
  var outputs: Int
  var groups = 1
  var input: [Int]
  var kernel: [Int]
  var attributes: [String: Attribute] = [:]
  var types: (x: DataType, w: DataType, y: DataType) = (.uint8, .int8, .uint8)
  var zeros = (x: 0, w: 0, y: 0)
  var isPerChannel = true
  var hasBias = true
  /// Whether all bytes are at the ends of their range.
  var isExtreme = false
  /// The largest pixel of every eight channels, again and again; empty: that of the type.
  var peaks: [Int] = []
  /// The scale of results; nil: one that they fill their range with.
  var resultScale: Float?
  var seed: UInt64 = 1

  var node: OperatorCase {
    OperatorCase("QLinearConv", attributes.merging(["group": .int(Int64(groups))]) { $1 })
  }

  func inputs() throws -> [Tensor?] {
    var noise = Noise(seed)
    let count = isPerChannel ? outputs : 1
    let depth = Double(channels / groups * kernel.reduce(1, *))
    let scales = (0..<count).map { _ in Float(0.003 * (1.2 + noise.next())) }
    var inputs: [Tensor?] = [
      try pixels(&noise),
      try Tensor(scalar: Float(0.02)), try zero(types.x, [zeros.x], []),
      try bytes(types.w, Shape([outputs, channels / groups] + kernel), &noise),
      try Tensor(scales, shape: isPerChannel ? [count] : []),
      try zero(
        types.w, (0..<count).map { zeros.w == 0 ? 0 : zeros.w + $0 % 3 },
        isPerChannel ? [count] : []),
      try Tensor(scalar: resultScale ?? Float(0.01 * depth.squareRoot())),
      try zero(types.y, [zeros.y], []),
    ]
    if hasBias {
      inputs.append(try Tensor((0..<outputs).map { _ in Int32(20_000 * noise.next()) }))
    }
    return inputs
  }

  private func pixels(_ noise: inout Noise) throws -> Tensor {
    let all = try bytes(types.x, Shape([batch, channels] + input), &noise)
    guard !peaks.isEmpty, let numbers = all.integers else { return all }
    let plane = input.reduce(1, *)
    let lowest = types.x == .int8 ? -128 : 0
    let cut = numbers.enumerated().map { index, number in
      min(number, lowest + peaks[index / plane % channels / 8 % peaks.count])
    }
    return try tensor(types.x, cut, all.shape)
  }

  private func bytes(_ type: DataType, _ shape: Shape, _ noise: inout Noise) throws -> Tensor {
    try tensor(
      type,
      noise.doubles(shape.elementCount).map {
        let byte = isExtreme ? ($0 < 0.2 ? 0 : 255) : Int(128 + 127.9 * $0)
        return type == .int8 ? byte - 128 : byte
      }, shape)
  }

  private func zero(_ type: DataType, _ numbers: [Int], _ shape: Shape) throws -> Tensor {
    try tensor(type, numbers, shape)
  }

  private func tensor(_ type: DataType, _ numbers: [Int], _ shape: Shape) throws -> Tensor {
    type == .int8
      ? try Tensor(numbers.map { Int8($0) }, shape: shape)
      : try Tensor(numbers.map { UInt8($0) }, shape: shape)
  }

  /// Runs every candidate with the image in each of `layouts`, and compares all with the portable plain one.
  func check(
    _ set: InstructionSet, _ layouts: [InputLayout] = InputLayout.allCases,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Set<String> {
    let inputs = try inputs()
    let expected = try node.run(inputs)[0]
    var names: Set<String> = []
    for layout in layouts {
      var harness = CandidateHarness(
        node: node, inputs: inputs, constants: Set(1..<inputs.count), instructionSet: set)
      harness.available[0] = layout
      for result in try harness.run(sourceLocation: sourceLocation) {
        names.insert(result.name)
        let isSame = result.tensor.withUnsafeBytes { a in
          expected.withUnsafeBytes { a.elementsEqual($0) }
        }
        #expect(
          isSame, "\(result.name) of \(self) with the image \(layout)",
          sourceLocation: sourceLocation)
      }
    }
    return names
  }
}

@Suite struct QuantizedConvolutionTests {
  private static let kernels = [[1, 1], [3, 3], [1, 3], [5, 1], [2, 4], [7, 7]]
  private static let channels = [(1, 16), (3, 24), (4, 12), (12, 17), (17, 4), (24, 40), (64, 9)]
  private static let windows: [[String: Attribute]] = [
    ["pads": ints([1, 1, 1, 1])], [:], ["auto_pad": .string(Array("SAME_UPPER".utf8))],
    ["strides": ints([2, 2]), "pads": ints([3, 2, 1, 3])],
    ["dilations": ints([2, 1]), "pads": ints([2, 3, 4, 0])],
    ["dilations": ints([1, 2]), "strides": ints([2, 1]), "pads": ints([0, 6, 6, 7])],
  ]
  /// Types and zero points of image, filters and results.
  private static let numbers: [((DataType, DataType, DataType), (Int, Int, Int))] = [
    ((.uint8, .int8, .uint8), (0, 0, 0)), ((.uint8, .int8, .uint8), (114, 0, 7)),
    ((.uint8, .uint8, .uint8), (3, 128, 128)), ((.uint8, .uint8, .uint8), (255, 100, 255)),
    ((.int8, .int8, .int8), (-5, 0, 3)), ((.int8, .int8, .int8), (127, -9, -128)),
  ]

  @Test(arguments: kernels, InstructionSet.available)
  func allWaysAgree(kernel: [Int], set: InstructionSet) throws {
    var names: Set<String> = []
    var turn = kernel[0]
    for (index, channels) in Self.channels.enumerated() {
      for (batch, input) in [(1, [17, 15]), (3, [9, 14])] {
        let numbers = Self.numbers[turn % Self.numbers.count]
        names.formUnion(
          try ByteConvolutionCase(
            batch: batch, channels: channels.0, outputs: channels.1, input: input, kernel: kernel,
            attributes: Self.windows[turn / 2 % Self.windows.count], types: numbers.0,
            zeros: numbers.1, isPerChannel: turn % 4 != 1, hasBias: index % 3 != 0,
            isExtreme: turn % 5 == 0, seed: UInt64(turn)
          ).check(set))
        turn += 1
      }
    }
    #expect(names.isSuperset(of: ["integer-convolution", "integer-blocked"]))
    #expect(names.contains("integer-stem") == (kernel != [1, 1]))
    #expect(names.contains("integer-winograd") == (kernel == [3, 3]))
  }

  @Test(arguments: InstructionSet.available)
  func depthwiseAgrees(set: InstructionSet) throws {
    var names: Set<String> = []
    for (turn, channels) in [3, 8, 12, 17, 64, 5].enumerated() {
      for kernel in [[3, 3], [5, 5], [1, 7]] {
        let numbers = Self.numbers[turn % Self.numbers.count]
        names.formUnion(
          try ByteConvolutionCase(
            batch: 1 + turn % 2, channels: channels, outputs: channels, groups: channels,
            input: [13, 22], kernel: kernel, attributes: Self.windows[turn % Self.windows.count],
            types: numbers.0, zeros: numbers.1, isExtreme: turn == 3, seed: UInt64(turn)
          ).check(set))
      }
    }
    #expect(names == ["integer-convolution", "integer-depthwise"])
  }

  /// Images that are cut into bands of rows and of pixels, and channels into shares.
  @Test(arguments: InstructionSet.available)
  func largeImagesAgree(set: InstructionSet) throws {
    let same = ["pads": ints([1, 1, 1, 1])]
    for large in [
      ByteConvolutionCase(
        channels: 24, outputs: 17, input: [57, 61], kernel: [3, 3], attributes: same,
        zeros: (7, 0, 9)),
      ByteConvolutionCase(
        channels: 64, outputs: 270, input: [29, 27], kernel: [3, 3],
        attributes: ["pads": ints([1, 1, 1, 1]), "strides": ints([2, 2])]),
      ByteConvolutionCase(batch: 2, channels: 96, outputs: 200, input: [33, 35], kernel: [1, 1]),
      ByteConvolutionCase(
        channels: 320, outputs: 72, input: [30, 31], kernel: [1, 1],
        attributes: ["strides": ints([2, 2])]),
      ByteConvolutionCase(
        channels: 3, outputs: 16, input: [133, 135], kernel: [7, 7],
        attributes: ["pads": ints([3, 3, 3, 3]), "strides": ints([2, 2])], zeros: (114, 0, 0)),
      ByteConvolutionCase(
        channels: 1, outputs: 8, input: [501], kernel: [9], attributes: ["pads": ints([4, 4])]),
      ByteConvolutionCase(
        channels: 9, outputs: 9, groups: 9, input: [130, 131], kernel: [3, 3], attributes: same),
      ByteConvolutionCase(
        channels: 6, outputs: 12, groups: 3, input: [9, 8], kernel: [3, 3], attributes: same),
      ByteConvolutionCase(
        channels: 5, outputs: 6, input: [2, 2], kernel: [3, 3],
        attributes: ["pads": ints([7, 7, 7, 7])], zeros: (40, 0, 0)),
    ] {
      _ = try large.check(set, [.plain, .part])
    }
  }

  /// Sums at both ends of what tiles of 4 x 4 results can tell, and beyond it, where they are left to direct products.
  @Test(arguments: InstructionSet.available, [DataType.uint8, .int8])
  func winogradIsExact(set: InstructionSet, type: DataType) throws {
    let same = ["pads": ints([1, 1, 1, 1])]
    for (channels, isExtreme, zero) in [(227, true, 0), (240, true, 100), (520, false, -3)] {
      let names = try ByteConvolutionCase(
        channels: channels, outputs: 20, input: [7, 6], kernel: [3, 3], attributes: same,
        types: (type, .int8, .uint8), zeros: (type == .int8 ? zero : abs(zero), 0, 3),
        isExtreme: isExtreme, seed: UInt64(channels)
      ).check(set, [.plain, .scattered])
      #expect(names.contains("integer-winograd"))
    }
  }

  /// Results far outside of their range, some beyond all integers, on all ways: they are at its ends.
  @Test(arguments: InstructionSet.available, [DataType.uint8, .int8])
  func resultsSaturate(set: InstructionSet, type: DataType) throws {
    let same = ["pads": ints([1, 1, 1, 1])]
    for scale: Float in [0.05, 1e-4, 1e-12, 1e-36] {
      for zero in [0, type == .int8 ? -128 : 255, 100] {
        let convolution = ByteConvolutionCase(
          channels: 16, outputs: 17, input: [9, 7], kernel: [3, 3], attributes: same,
          types: (type, .int8, type), zeros: (type == .int8 ? -9 : 9, 0, zero), isExtreme: true,
          resultScale: scale, seed: 77)
        let names = try convolution.check(set)
        #expect(names.isSuperset(of: ["integer-blocked", "integer-winograd"]))
        let (low, high) = type == .int8 ? (-128, 127) : (0, 255)
        let results = try #require(try convolution.node.run(convolution.inputs())[0].integers)
        #expect(results.min() == low && results.max() == high)
      }
    }
  }

  /// What the plain way is held to.
  @Test func sumsAreThoseOfIntegers() throws {
    let convolution = ByteConvolutionCase(
      channels: 5, outputs: 4, input: [7], kernel: [3], types: (.uint8, .uint8, .uint8),
      zeros: (100, 90, 31))
    let inputs = try convolution.inputs()
    func whole(_ index: Int) -> [Int] { inputs[index]?.integers ?? [] }
    let (x, w, zeros, bias) = (whole(0), whole(3), whole(5), whole(8))
    let scales = inputs[4]?.elements(as: Float.self) ?? []
    let (left, result) = (Float(0.02), inputs[6]?.elements(as: Float.self)?[0] ?? 0)
    var expected: [Int] = []
    for channel in 0..<4 {
      for pixel in 0..<5 {
        var sum = bias[channel]
        for input in 0..<5 {
          for tap in 0..<3 {
            sum +=
              (x[input * 7 + pixel + tap] - 100)
              * (w[(channel * 5 + input) * 3 + tap] - zeros[channel])
          }
        }
        let number = Float(sum) * (left * scales[channel] / result)
        expected.append(max(0, min(255, Int(number.rounded(.toNearestOrEven)) + 31)))
      }
    }
    #expect(try convolution.node.run(inputs)[0].integers == expected)
  }

  @Test(arguments: InstructionSet.available, [DataType.uint8, .int8])
  func maximaAgreeInAnyLayout(set: InstructionSet, type: DataType) throws {
    for (channels, attributes) in [
      (16, ["kernel_shape": ints([3, 3]), "strides": ints([2, 2]), "pads": ints([1, 1, 1, 1])]),
      (
        13,
        ["kernel_shape": ints([2, 3]), "dilations": ints([2, 2]), "pads": ints([0, 2, 1, 1])]
      ),
    ] {
      var noise = Noise(UInt64(channels))
      let shape = Shape([2, channels, 11, 9])
      let numbers = noise.doubles(shape.elementCount).map { Int(127 * $0) }
      let x =
        type == .int8
        ? try Tensor(numbers.map { Int8($0) }, shape: shape)
        : try Tensor(numbers.map { UInt8($0 + 128) }, shape: shape)
      let node = OperatorCase("MaxPool", attributes)
      let expected = try node.run([x])[0].integers
      for layout in InputLayout.allCases {
        var harness = CandidateHarness(node: node, inputs: [x], instructionSet: set)
        harness.available[0] = layout
        let results = try harness.run()
        #expect(results.map(\.isBlocked) == (layout == .plain ? [false] : [false, true]))
        for result in results { #expect(result.tensor.integers == expected, "\(layout)") }
      }
    }
  }

  @Test(arguments: InstructionSet.available, [DataType.uint8, .int8])
  func additionsAgreeInAnyLayout(set: InstructionSet, type: DataType) throws {
    for (operation, channels, scale) in [
      ("QLinearAdd", 16, Float(0.15)), ("QLinearMul", 13, 0.15), ("QLinearAdd", 3, 0.15),
      ("QLinearAdd", 8, 1e-12), ("QLinearMul", 24, 1e-12),
    ] {
      var node = OperatorCase(operation, opset: 1)
      node.domain = "com.microsoft"
      var noise = Noise(UInt64(channels))
      let shape = Shape([2, channels, 5, 7])
      func bytes() throws -> Tensor {
        let numbers = noise.doubles(shape.elementCount).map { Int(127 * $0) }
        return type == .int8
          ? try Tensor(numbers.map { Int8($0) }, shape: shape)
          : try Tensor(numbers.map { UInt8($0 + 128) }, shape: shape)
      }
      let zero = type == .int8 ? try Tensor(scalar: Int8(-3)) : try Tensor(scalar: UInt8(119))
      let inputs: [Tensor?] = [
        try bytes(), try Tensor(scalar: Float(0.11)), zero, try bytes(),
        try Tensor(scalar: Float(0.07)), zero, try Tensor(scalar: scale), zero,
      ]
      let expected = try node.run(inputs)[0].integers
      for layout in InputLayout.allCases {
        var harness = CandidateHarness(
          node: node, inputs: inputs, constants: [1, 2, 4, 5, 6, 7], instructionSet: set)
        (harness.available[0], harness.available[3]) = (layout, layout)
        let results = try harness.run()
        #expect(results.map(\.isBlocked) == (layout == .plain ? [false] : [false, true]))
        for result in results {
          #expect(result.tensor.integers == expected, "\(operation) of \(shape), \(layout)")
        }
      }
    }
  }
}
