// Every way to compute Conv and ConvTranspose on float32, on every instruction set that is there, against the same node in
// double precision; and the same bits wherever an image stands in its batch.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

@Suite struct BlockedConvolutionTests {
  private static let kernels = [
    [1, 1], [3, 3], [1, 3], [3, 1], [1, 5], [5, 1], [1, 7], [7, 1], [5, 5], [7, 7], [1, 4],
  ]
  /// Input and output channels.
  private static let channels = [
    (1, 16), (3, 24), (4, 12), (12, 17), (16, 64), (17, 4), (24, 3), (64, 16), (3, 1),
  ]
  private static let windows: [[String: Attribute]] = [
    ["pads": ints([1, 1, 1, 1])], [:], ["auto_pad": .string(Array("SAME_UPPER".utf8))],
    ["strides": ints([2, 2]), "pads": ints([3, 2, 1, 3])],
    ["auto_pad": .string(Array("SAME_LOWER".utf8)), "strides": ints([1, 2])],
    ["dilations": ints([2, 1]), "pads": ints([2, 3, 4, 0])],
    ["dilations": ints([1, 2]), "strides": ints([2, 1]), "pads": ints([0, 6, 6, 7])],
  ]

  @Test(arguments: kernels, InstructionSet.available)
  func agreesWithDoublePrecision(kernel: [Int], set: InstructionSet) throws {
    var names: Set<String> = []
    var window = kernel[0]
    for (index, channels) in BlockedConvolutionTests.channels.enumerated() {
      for (batch, input) in [(1, [17, 15]), (3, [13, 19])] {
        names.formUnion(
          try ConstantConvolution(
            batch: batch, channels: channels.0, outputs: channels.1, input: input, kernel: kernel,
            attributes: BlockedConvolutionTests.windows[
              window % BlockedConvolutionTests.windows.count], hasBias: index % 3 != 0,
            seed: UInt64(index)
          ).check(set))
        window += 1
      }
    }
    #expect(names.isSuperset(of: ["im2col", kernel == [1, 1] ? "pointwise" : "direct"]))
    #expect(names.contains("winograd4") == (kernel == [3, 3]))
    let isLine = kernel.contains(1) && [3, 5, 7].contains(kernel.max()!)
    #expect(names.contains("winograd1d") == isLine)
    #expect(names.contains("stem") == (kernel != [1, 1]))
  }

  /// Images that kernels cut into runs of pixels, bands of rows and runs of tiles.
  @Test(arguments: InstructionSet.available)
  func largeImagesAgreeWithDoublePrecision(set: InstructionSet) throws {
    let same = ["pads": ints([1, 1, 1, 1])]
    for large in [
      ConstantConvolution(
        channels: 24, outputs: 17, input: [57, 61], kernel: [3, 3], attributes: same),
      ConstantConvolution(
        channels: 64, outputs: 16, input: [49, 47], kernel: [3, 3],
        attributes: ["pads": ints([1, 1, 1, 1]), "strides": ints([2, 2])]),
      ConstantConvolution(
        channels: 64, outputs: 40, input: [47, 49], kernel: [3, 3], attributes: same),
      ConstantConvolution(
        channels: 3, outputs: 16, input: [233, 235], kernel: [7, 7],
        attributes: ["pads": ints([3, 3, 3, 3]), "strides": ints([2, 2])]),
      ConstantConvolution(batch: 2, channels: 96, outputs: 72, input: [33, 35], kernel: [1, 1]),
      ConstantConvolution(
        channels: 1, outputs: 8, input: [1501], kernel: [9], attributes: ["pads": ints([4, 4])]),
      ConstantConvolution(
        batch: 3, channels: 20, outputs: 12, input: [31], kernel: [3],
        attributes: ["strides": ints([2]), "pads": ints([1, 0])]),
      ConstantConvolution(
        channels: 5, outputs: 6, input: [2, 2], kernel: [3, 3],
        attributes: ["pads": ints([7, 7, 7, 7])]),
    ] {
      _ = try large.check(set, [.plain, .part])
    }
  }

  @Test(arguments: InstructionSet.available)
  func depthwiseAgreesWithDoublePrecision(set: InstructionSet) throws {
    var names: Set<String> = []
    for (index, channels) in [3, 4, 12, 16, 17, 64].enumerated() {
      for (place, kernel) in [[3, 3], [5, 5], [1, 7], [7, 1]].enumerated() {
        names.formUnion(
          try ConstantConvolution(
            batch: index % 2 * 2 + 1, channels: channels, outputs: channels, groups: channels,
            input: [15, 13], kernel: kernel,
            attributes: BlockedConvolutionTests.windows[(index + 2 * place) % 7],
            hasBias: place != 1, seed: UInt64(index)
          ).check(set))
      }
    }
    names.formUnion(
      try ConstantConvolution(
        channels: 9, outputs: 9, groups: 9, input: [130, 131], kernel: [3, 3],
        attributes: ["pads": ints([1, 1, 1, 1])]
      ).check(set))
    #expect(names == ["depthwise", "depthwise-planes"])
  }

  private static let transposed: [(kernel: [Int], attributes: [String: Attribute])] = [
    ([2, 2], ["strides": ints([2, 2])]),
    (
      [3, 3],
      ["strides": ints([2, 2]), "pads": ints([1, 1, 1, 1]), "output_padding": ints([1, 1])]
    ),
    ([4, 4], ["strides": ints([2, 2]), "pads": ints([1, 1, 1, 1])]),
    ([3, 3], ["strides": ints([2, 3]), "pads": ints([1, 0, 1, 2])]),
    ([3, 5], ["strides": ints([1, 1]), "pads": ints([1, 2, 0, 3])]),
    ([1, 2], ["strides": ints([3, 3])]),
    ([2, 1], ["strides": ints([3, 2]), "output_padding": ints([2, 1])]),
    ([3, 3], ["strides": ints([2, 2]), "auto_pad": .string(Array("SAME_UPPER".utf8))]),
    ([3, 3], ["strides": ints([2, 2]), "auto_pad": .string(Array("SAME_LOWER".utf8))]),
    ([5, 5], ["strides": ints([3, 2]), "pads": ints([4, 3, 4, 3])]),
    ([2, 2], ["strides": ints([2, 2]), "output_shape": ints([17, 15])]),
  ]

  @Test(arguments: InstructionSet.available)
  func transposedAgreesWithDoublePrecision(set: InstructionSet) throws {
    var names: Set<String> = []
    let channels = [(3, 12), (16, 17), (17, 4), (24, 1), (12, 24)]
    for (index, (kernel, attributes)) in BlockedConvolutionTests.transposed.enumerated() {
      for (place, channels) in channels.enumerated() {
        names.formUnion(
          try ConstantConvolution(
            type: "ConvTranspose", batch: place % 2 * 2 + 1, channels: channels.0,
            outputs: channels.1, input: [7, 6], kernel: kernel, attributes: attributes,
            hasBias: (index + place) % 3 != 0, seed: UInt64(index)
          ).check(set))
      }
    }
    names.formUnion(
      try ConstantConvolution(
        type: "ConvTranspose", channels: 32, outputs: 40, input: [31, 33], kernel: [4, 4],
        attributes: ["strides": ints([2, 2]), "pads": ints([1, 1, 1, 1])]
      ).check(set))
    names.formUnion(
      try ConstantConvolution(
        type: "ConvTranspose", channels: 12, outputs: 20, input: [31], kernel: [3],
        attributes: ["strides": ints([2])]
      ).check(set))
    #expect(names == ["col2im", "transposed"])
  }

  /// Stages whose operands are numbered from `first` on.
  private static func epilogues(_ first: Int) -> [[EpilogueStage]] {
    let silu = EpilogueStage.activation(.silu)
    let relu = EpilogueStage.activation(.relu)
    return [
      [relu], [.residual(input: first)], [.residual(input: first), relu],
      [relu, .residual(input: first)], [silu, .residual(input: first)],
      [.activation(.clip(minimum: -0.5, maximum: 0.75)), .residual(input: first), relu],
      [.activation(.clip(minimum: 0.1, maximum: 0.9))], [.activation(.hardSwish)],
      [.scale(input: first), .bias(input: first + 1), .residual(input: first + 2), silu],
      [.bias(input: first), .residual(input: first + 1), relu],
      [.bias(input: first), .activation(.hardSwish), .scale(input: first + 1)],
      [.activation(.sigmoid), .residual(input: first), .bias(input: first + 1)],
      [.residual(input: first), .residual(input: first + 1), .activation(.leakyRelu(alpha: 0.1))],
      [.residual(input: first), relu, .residual(input: first + 1)],
      [.scale(input: first), .residual(input: first + 1)],
    ]
  }

  @Test(arguments: [false, true], InstructionSet.available)
  func epiloguesAgreeWithDoublePrecision(hasBias: Bool, set: InstructionSet) throws {
    let padded = ["pads": ints([1, 1, 1, 1])]
    for (index, stages) in BlockedConvolutionTests.epilogues(hasBias ? 3 : 2).enumerated() {
      for outputs in [17, 16] {
        var all = [
          ConstantConvolution(channels: 12, outputs: outputs, input: [9, 11], kernel: [1, 1]),
          ConstantConvolution(
            channels: 3, outputs: outputs, input: [11, 9], kernel: [3, 3], attributes: padded),
          ConstantConvolution(
            batch: 2, channels: 20, outputs: outputs, input: [11, 9], kernel: [3, 3],
            attributes: padded),
          ConstantConvolution(channels: 20, outputs: outputs, input: [5, 17], kernel: [1, 7]),
          ConstantConvolution(
            batch: 2, channels: 9, outputs: outputs, input: [11, 3], kernel: [3, 1],
            attributes: padded),
          ConstantConvolution(
            channels: outputs, outputs: outputs, groups: outputs, input: [10, 9], kernel: [3, 3],
            attributes: padded),
          ConstantConvolution(
            type: "ConvTranspose", channels: 9, outputs: outputs, input: [5, 4], kernel: [3, 3],
            attributes: ["strides": ints([2, 2])]),
        ]
        for place in all.indices {
          all[place].epilogue = stages
          all[place].hasBias = hasBias
          all[place].seed = UInt64(index)
          _ = try all[place].check(set)
        }
      }
    }
  }

  /// A prologue of scale and shift is what multiplies and adds before the convolution; padding stays zero.
  @Test(arguments: [(Float(0), Float.infinity), (0.1, 0.8)], InstructionSet.available)
  func prologuesAgreeWithDoublePrecision(bounds: (Float, Float), set: InstructionSet) throws {
    for (channels, kernel, input) in [
      (12, [1, 1], [9, 11]), (17, [3, 3], [11, 9]), (64, [3, 3], [47, 49]), (5, [7, 1], [13, 6]),
      (20, [1, 7], [4, 17]), (17, [1, 3], [23, 49]), (12, [5, 1], [9, 7]),
    ] {
      let convolution = ConstantConvolution(
        batch: 2, channels: channels, outputs: 20, input: input, kernel: kernel,
        attributes: ["pads": ints(kernel.map { $0 / 2 } + kernel.map { $0 / 2 })])
      var noise = Noise(5)
      var inputs = try convolution.inputs()
      let (scale, shift) = (
        try noise.tensor(.float32, [channels]), try noise.tensor(.float32, [channels])
      )
      let (factors, terms) = (scale.doubles, shift.doubles)
      let pixels = input.reduce(1, *)
      let read = inputs[0]!.doubles.enumerated().map { place, value in
        let channel = place / pixels % channels
        let scaled = value * factors[channel] + terms[channel]
        return min(max(scaled, Double(bounds.0)), Double(bounds.1))
      }
      let exact =
        try [Tensor(read, shape: inputs[0]!.shape)]
        + inputs.dropFirst().map { try Tensor($0!.doubles, shape: $0!.shape) }
      let expected = try convolution.node.run(exact)[0].doubles
      inputs += [scale, shift]
      var node = convolution.node
      node.prologue = Prologue(
        scaleInput: 3, shiftInput: 4, minimum: bounds.0, maximum: bounds.1)
      for layout in InputLayout.allCases {
        let results = try CandidateHarness(
          node: node, inputs: inputs, constants: [1, 2, 3, 4], available: [0: layout],
          instructionSet: set
        ).run()
        #expect(results.count > 1)
        for result in results {
          let difference = relativeDifference(result.tensor.doubles, expected)
          #expect(
            difference < tolerance(result.name),
            "\(result.name) of \(channels) channels, \(kernel), \(layout): \(difference)")
        }
      }
    }
  }

  @Test(arguments: InstructionSet.available)
  func anImageIsTheSameWhereverItStands(set: InstructionSet) throws {
    for (type, groups, kernel, input) in [
      ("Conv", 1, [1, 1], [9, 11]), ("Conv", 1, [3, 3], [13, 11]), ("Conv", 1, [3, 3], [61, 57]),
      ("Conv", 1, [1, 7], [13, 11]), ("Conv", 1, [3, 1], [61, 57]),
      ("Conv", 20, [3, 3], [13, 11]), ("ConvTranspose", 1, [3, 3], [9, 7]),
    ] {
      let convolution = ConstantConvolution(
        type: type, batch: 3, channels: 20, outputs: 20, groups: groups, input: input,
        kernel: kernel, attributes: ["pads": ints(kernel.map { $0 / 2 } + kernel.map { $0 / 2 })])
      let inputs = try convolution.inputs()
      let one = inputs[0]!.elements(as: Float.self)!.prefix(inputs[0]!.elementCount / 3)
      let thrice = try Tensor(Array([one, one, one].joined()), shape: inputs[0]!.shape)
      let alone = try Tensor(Array(one), shape: Shape([1, 20] + input))
      func run(_ x: Tensor) throws -> [CandidateResult] {
        try CandidateHarness(
          node: convolution.node, inputs: [x] + inputs.dropFirst(), constants: [1, 2],
          available: [0: .blocked], instructionSet: set
        ).run()
      }
      for (together, single) in zip(try run(thrice), try run(alone)) {
        let bits = together.tensor.elements(as: Float.self)!.map(\.bitPattern)
        let expected = single.tensor.elements(as: Float.self)!.map(\.bitPattern)
        #expect(bits == expected + expected + expected, "\(type) \(kernel): \(together.name)")
      }
    }
  }

  @Test(arguments: InstructionSet.available)
  func anInfinitePixelStaysInTheChannelsThatThereAre(set: InstructionSet) throws {
    for (type, groups, kernel) in [
      ("Conv", 1, [1, 1]), ("Conv", 1, [3, 3]), ("Conv", 21, [3, 3]), ("ConvTranspose", 1, [3, 3]),
    ] {
      let convolution = ConstantConvolution(
        type: type, channels: 21, outputs: 21, groups: groups, input: [9, 11], kernel: kernel,
        attributes: ["pads": ints(kernel.map { $0 / 2 } + kernel.map { $0 / 2 })])
      var inputs = try convolution.inputs()
      var pixels = inputs[0]!.elements(as: Float.self)!
      pixels[4 * 11 + 5] = .infinity
      inputs[0] = try Tensor(pixels, shape: inputs[0]!.shape)
      let exact = try inputs.map { try $0.map { try Tensor($0.doubles, shape: $0.shape) } }
      let expected = try convolution.node.run(exact)[0].doubles.map(\.isFinite)
      // The harness looks into the slots that no channel uses.
      let results = try CandidateHarness(
        node: convolution.node, inputs: inputs, constants: [1, 2], available: [0: .blocked],
        instructionSet: set
      ).run()
      // Winograd's transforms spread it over a tile.
      for result in results where !result.name.hasPrefix("winograd") {
        let finite = result.tensor.doubles.map(\.isFinite)
        #expect(finite == expected, "\(type) \(kernel): \(result.name)")
      }
    }
  }
}
