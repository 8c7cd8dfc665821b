// Conv and ConvTranspose against loops in double precision that follow the definition.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

/// A convolution to test, of any number of spatial dimensions up to three.
struct ConvolutionCase: Sendable, CustomTestStringConvertible {
  var batch = 2
  var channels = 4
  var outputs = 6
  var groups = 1
  var input: [Int]
  var kernel: [Int]
  var strides: [Int]? = nil
  var dilations: [Int]? = nil
  var pads: [Int]? = nil
  var autoPad: String? = nil
  var outputPadding: [Int]? = nil

  var testDescription: String {
    "\(channels)->\(outputs)/\(groups) \(input) k\(kernel) s\(strides ?? []) d\(dilations ?? []) p\(pads ?? []) \(autoPad ?? "")"
  }

  var attributes: [String: Attribute] {
    var result: [String: Attribute] = ["group": .int(Int64(groups))]
    for (name, list) in [
      "strides": strides, "dilations": dilations, "pads": pads, "output_padding": outputPadding,
    ] {
      if let list { result[name] = .ints(list.map(Int64.init)) }
    }
    if let autoPad { result["auto_pad"] = .string(Array(autoPad.utf8)) }
    return result
  }

  /// Position lists in row-major order.
  static func positions(_ extents: [Int]) -> [[Int]] {
    extents.reduce([[]]) { all, extent in all.flatMap { head in (0..<extent).map { head + [$0] } } }
  }

  static func index(_ position: [Int], _ extents: [Int]) -> Int {
    zip(position, extents).reduce(0) { $0 * $1.1 + $1.0 }
  }

  /// Pairs each output position with the input position that a tap reads; nil on the padding. `begin`: pads before.
  func reference(x: [Double], w: [Double], bias: [Double], output: [Int], begin: [Int]) -> [Double]
  {
    let (groupIn, groupOut) = (channels / groups, outputs / groups)
    let taps = ConvolutionCase.positions(kernel)
    let pixels = input.reduce(1, *)
    var result: [Double] = []
    for image in 0..<batch {
      for o in 0..<outputs {
        for position in ConvolutionCase.positions(output) {
          var sum = bias[o]
          for (t, tap) in taps.enumerated() {
            let source = input.indices.map {
              position[$0] * (strides?[$0] ?? 1) + tap[$0] * (dilations?[$0] ?? 1) - begin[$0]
            }
            guard zip(source, input).allSatisfy({ $0 >= 0 && $0 < $1 }) else { continue }
            let offset = ConvolutionCase.index(source, input)
            for c in 0..<groupIn {
              let channel = o / groupOut * groupIn + c
              sum +=
                x[(image * channels + channel) * pixels + offset]
                * w[(o * groupIn + c) * taps.count + t]
            }
          }
          result.append(sum)
        }
      }
    }
    return result
  }

  /// The transposed convolution: every input pixel adds to the output pixels that it reaches.
  func transposedReference(
    x: [Double], w: [Double], bias: [Double], output: [Int], begin: [Int]
  ) -> [Double] {
    let (groupIn, groupOut) = (channels / groups, outputs / groups)
    let taps = ConvolutionCase.positions(kernel)
    let sources = ConvolutionCase.positions(input)
    let pixels = output.reduce(1, *)
    var result = (0..<batch * outputs * pixels).map { bias[$0 / pixels % outputs] }
    for image in 0..<batch {
      for c in 0..<channels {
        for (i, source) in sources.enumerated() {
          for (t, tap) in taps.enumerated() {
            let target = input.indices.map {
              source[$0] * (strides?[$0] ?? 1) + tap[$0] * (dilations?[$0] ?? 1) - begin[$0]
            }
            guard zip(target, output).allSatisfy({ $0 >= 0 && $0 < $1 }) else { continue }
            for o in 0..<groupOut {
              let channel = c / groupIn * groupOut + o
              result[
                (image * outputs + channel) * pixels + ConvolutionCase.index(target, output)] +=
                x[(image * channels + c) * sources.count + i]
                * w[(c * groupOut + o) * taps.count + t]
            }
          }
        }
      }
    }
    return result
  }
}

@Suite struct ConvolutionTests {
  static let cases: [(ConvolutionCase, output: [Int], begin: [Int])] = [
    (.init(input: [7], kernel: [3]), [5], [0]),
    (.init(input: [9], kernel: [3], strides: [2], dilations: [2], pads: [2, 1]), [4], [2]),
    (.init(input: [5, 6], kernel: [1, 1]), [5, 6], [0, 0]),
    (.init(input: [5, 6], kernel: [1, 1], strides: [2, 2]), [3, 3], [0, 0]),
    (.init(input: [8, 7], kernel: [3, 3], pads: [1, 1, 1, 1]), [8, 7], [1, 1]),
    (
      .init(input: [8, 7], kernel: [3, 2], strides: [2, 3], pads: [1, 0, 2, 1]), [5, 3], [1, 0]
    ),
    (
      .init(input: [8, 7], kernel: [3, 3], dilations: [2, 3], pads: [2, 3, 2, 3]), [8, 7], [2, 3]
    ),
    (.init(groups: 2, input: [6, 6], kernel: [3, 3]), [4, 4], [0, 0]),
    (
      .init(channels: 6, groups: 6, input: [9, 5], kernel: [3, 3], pads: [1, 1, 1, 1]), [9, 5],
      [1, 1]
    ),
    (
      .init(
        channels: 3, groups: 3, input: [9, 8], kernel: [5, 3], strides: [2, 2], pads: [2, 1, 2, 1]),
      [5, 4], [2, 1]
    ),
    (
      .init(input: [5, 8], kernel: [3, 3], strides: [2, 2], autoPad: "SAME_UPPER"), [3, 4], [1, 0]
    ),
    (
      .init(input: [5, 8], kernel: [3, 3], strides: [2, 2], autoPad: "SAME_LOWER"), [3, 4], [1, 1]
    ),
    (.init(input: [5, 8], kernel: [3, 3], autoPad: "VALID"), [3, 6], [0, 0]),
    (
      .init(input: [4, 5, 6], kernel: [2, 3, 3], pads: [1, 0, 1, 0, 1, 1]), [4, 4, 6], [1, 0, 1]
    ),
    (
      .init(channels: 5, outputs: 40, input: [40, 41], kernel: [3, 3], pads: [1, 1, 1, 1]),
      [40, 41], [1, 1]
    ),
    (.init(input: [2, 2], kernel: [2, 2], pads: [7, 7, 7, 7]), [15, 15], [7, 7]),
  ]

  @Test(arguments: cases.indices, [DataType.float32, .float64])
  func agreesWithDefinition(index: Int, type: DataType) throws {
    let (c, output, begin) = ConvolutionTests.cases[index]
    var noise = Noise(UInt64(index))
    let x = try noise.tensor(type, Shape([c.batch, c.channels] + c.input))
    let w = try noise.tensor(type, Shape([c.outputs, c.channels / c.groups] + c.kernel))
    let bias = try noise.tensor(type, [c.outputs])
    let y = try OperatorCase("Conv", c.attributes).run([x, w, bias])[0]
    #expect(y.shape == Shape([c.batch, c.outputs] + output))
    let expected = c.reference(
      x: x.doubles, w: w.doubles, bias: bias.doubles, output: output, begin: begin)
    #expect(relativeDifference(y.doubles, expected) < (type == .float64 ? 1e-14 : 2e-6))
  }

  static let transposed: [(ConvolutionCase, output: [Int], begin: [Int])] = [
    (.init(input: [5], kernel: [3]), [7], [0]),
    (.init(input: [4, 5], kernel: [2, 2], strides: [2, 2]), [8, 10], [0, 0]),
    (
      .init(input: [4, 5], kernel: [3, 3], strides: [2, 3], pads: [1, 0, 1, 2]), [7, 13], [1, 0]
    ),
    (
      .init(
        input: [4, 5], kernel: [3, 3], strides: [2, 3], pads: [1, 1, 1, 1], outputPadding: [1, 2]),
      [8, 15], [1, 1]
    ),
    (.init(input: [4, 5], kernel: [3, 2], dilations: [2, 3]), [8, 8], [0, 0]),
    (.init(groups: 2, input: [3, 3], kernel: [3, 3], strides: [2, 2]), [7, 7], [0, 0]),
    (
      .init(input: [3, 3], kernel: [3, 3], strides: [2, 2], autoPad: "SAME_UPPER"), [6, 6], [0, 0]
    ),
    (
      .init(input: [3, 3], kernel: [3, 3], strides: [2, 2], autoPad: "SAME_LOWER"), [6, 6], [1, 1]
    ),
    (.init(input: [3, 3], kernel: [1, 1], strides: [3, 3]), [7, 7], [0, 0]),
    (.init(input: [2, 3, 2], kernel: [2, 2, 3], strides: [1, 2, 1]), [3, 6, 4], [0, 0, 0]),
  ]

  @Test(arguments: transposed.indices, [DataType.float32, .float64])
  func transposedAgreesWithDefinition(index: Int, type: DataType) throws {
    let (c, output, begin) = ConvolutionTests.transposed[index]
    var noise = Noise(UInt64(100 + index))
    let x = try noise.tensor(type, Shape([c.batch, c.channels] + c.input))
    let w = try noise.tensor(type, Shape([c.channels, c.outputs / c.groups] + c.kernel))
    let bias = try noise.tensor(type, [c.outputs])
    let y = try OperatorCase("ConvTranspose", c.attributes).run([x, w, bias])[0]
    #expect(y.shape == Shape([c.batch, c.outputs] + output))
    let expected = c.transposedReference(
      x: x.doubles, w: w.doubles, bias: bias.doubles, output: output, begin: begin)
    #expect(relativeDifference(y.doubles, expected) < (type == .float64 ? 1e-14 : 2e-6))
  }

  @Test(arguments: ["Conv", "ConvTranspose"], [1, 16])
  func anImageDoesNotDependOnItsBatch(type: String, groups: Int) throws {
    var noise = Noise(7)
    let x = try noise.tensor(.float32, [5, 16, 33, 29])
    let w = try noise.tensor(.float32, [16, 16 / groups, 3, 3])
    let node = OperatorCase(type, ["group": .int(Int64(groups)), "pads": .ints([1, 1, 1, 1])])
    let together = try node.run([x, w])[0].elements(as: Float.self)!
    let elements = x.elements(as: Float.self)!
    let size = 16 * 33 * 29
    for image in 0..<5 {
      let alone = try Tensor(
        Array(elements[image * size..<(image + 1) * size]), shape: [1, 16, 33, 29])
      let y = try node.run([alone, w])[0].elements(as: Float.self)!
      #expect(
        y.map(\.bitPattern) == together[image * y.count..<(image + 1) * y.count].map(\.bitPattern))
    }
  }

  static let activations: [(Activation, @Sendable (Double) -> Double)] = [
    (.relu, { max($0, 0) }), (.leakyRelu(alpha: 0.1), { $0 < 0 ? 0.1 * $0 : $0 }),
    (.clip(minimum: -0.5, maximum: 0.75), { min(max($0, -0.5), 0.75) }),
    (.hardSigmoid(alpha: 0.2, beta: 0.4), { min(max(0.2 * $0 + 0.4, 0), 1) }),
    (.hardSwish, { $0 * min(max($0 / 6 + 0.5, 0), 1) }),
  ]

  @Test(arguments: ["Conv", "ConvTranspose"], activations.indices)
  func epilogueEqualsSeparateSteps(type: String, index: Int) throws {
    let (activation, function) = ConvolutionTests.activations[index]
    for groups in [1, 6] {
      var noise = Noise(11)
      let x = try noise.tensor(.float32, [2, 6, 9, 7])
      let w = try noise.tensor(.float32, [6, 6 / groups, 3, 3])
      let (scale, shift) = (try noise.tensor(.float32, [6]), try noise.tensor(.float32, [6]))
      let attributes: [String: Attribute] = [
        "pads": .ints([1, 1, 1, 1]), "group": .int(Int64(groups)),
      ]
      let plain = try OperatorCase(type, attributes).run([x, w])[0]
      let residual = try noise.tensor(.float32, plain.shape)
      let fused = try OperatorCase(
        type, attributes,
        epilogue: [
          .scale(input: 2), .bias(input: 3), .residual(input: 4), .activation(activation),
        ]
      ).run([x, w, scale, shift, residual])[0]
      let expected = zip(plain.doubles, residual.doubles).enumerated().map { place, pair in
        let channel = place / 63 % 6
        return function(pair.0 * scale.doubles[channel] + shift.doubles[channel] + pair.1)
      }
      #expect(relativeDifference(fused.doubles, expected) < 1e-6)
    }
  }

  @Test func reluKeepsNaN() throws {
    let x = try Tensor([Float.nan, -1, 2], shape: [1, 1, 3])
    let w = try Tensor([Float(1)], shape: [1, 1, 1])
    let y = try OperatorCase("Conv", epilogue: [.activation(.relu)]).run([x, w])[0]
      .elements(as: Float.self)!
    #expect(y[0].isNaN && y[1] == 0 && y[2] == 2)
  }

  @Test func infersSymbolicShapes() throws {
    let n = Dimension.symbol("n")
    let same = OperatorCase(
      "Conv", ["auto_pad": .string(Array("SAME_UPPER".utf8)), "strides": .ints([2, 2])])
    let shape = try same.inferred([[n, 3, 224, n], [64, 3, 7, 7]])[0]!
    #expect(shape == [n, 64, 112, (n + 1) / 2])
    let up = OperatorCase("ConvTranspose", ["strides": .ints([2, 2])])
    #expect(try up.inferred([[n, 8, 5, n], [8, 4, 2, 2]])[0]! == [n, 4, 10, (n - 1) * 2 + 2])
  }

  static let broken: [(String, [String: Attribute], [[Dimension]?])] = [
    ("Conv", [:], [[1, 3, 8, 8], [4, 2, 3, 3]]),
    ("Conv", [:], [[1, 3, 2, 2], [4, 3, 3, 3]]),
    ("Conv", [:], [[1, 3, 8, 8], [4, 3, 3]]),
    ("Conv", [:], [[1, 3], [4, 3]]),
    ("Conv", ["strides": .ints([0, 1])], [[1, 3, 8, 8], [4, 3, 3, 3]]),
    ("Conv", ["strides": .ints([1 << 62, 1])], [[1, 3, 8, 8], [4, 3, 3, 3]]),
    ("Conv", ["pads": .ints([-1, 0, 0, 0])], [[1, 3, 8, 8], [4, 3, 3, 3]]),
    ("Conv", ["pads": .ints([1, 1])], [[1, 3, 8, 8], [4, 3, 3, 3]]),
    ("Conv", ["group": .int(0)], [[1, 3, 8, 8], [4, 3, 3, 3]]),
    ("Conv", ["group": .int(3)], [[1, 3, 8, 8], [4, 1, 3, 3]]),
    ("Conv", ["kernel_shape": .ints([5, 5])], [[1, 3, 8, 8], [4, 3, 3, 3]]),
    ("Conv", [:], [[1, 3, 8, 8], [4, 3, 3, 3], [5]]),
    ("ConvTranspose", [:], [[1, 3, 8, 8], [4, 3, 3, 3]]),
    ("ConvTranspose", ["pads": .ints([9, 9, 9, 9])], [[1, 3, 2, 2], [3, 3, 3, 3]]),
    ("ConvTranspose", ["output_padding": .ints([1])], [[1, 3, 2, 2], [3, 3, 3, 3]]),
  ]

  @Test(arguments: broken.indices)
  func refusesWhatDoesNotFit(index: Int) {
    let (type, attributes, shapes) = ConvolutionTests.broken[index]
    #expect(throws: (any Error).self) { try OperatorCase(type, attributes).inferred(shapes) }
  }

  /// An odd rest is cut off in front, unless SAME_UPPER says otherwise.
  @Test(arguments: [
    (nil, [10.0, 102, 20, 203, 30, 300]), ("SAME_LOWER", [10, 102, 20, 203, 30, 300]),
    ("SAME_UPPER", [1, 10, 102, 20, 203, 30]),
  ])
  func transposedConvolutionsHaveTheShapeThatIsAsked(
    _ autoPad: String?, _ expected: [Double]
  ) throws {
    var harness = OperatorHarness(
      "ConvTranspose", attributes: ["strides": .ints([2]), "output_shape": .ints([6])])
    harness.attributes["auto_pad"] = autoPad.map { .string(Array($0.utf8)) }
    let result = try harness.run([
      Tensor([Float(1), 2, 3], shape: [1, 1, 3]), Tensor([Float(1), 10, 100], shape: [1, 1, 3]),
    ])[0]
    expectClose(result, expected, shape: [1, 1, 6])
  }
}
