// Winograd's algorithms: lines of each length of tile, what their sums round, and tiles alone and among others. The grid of
// shapes that all algorithms are tested with is BlockedConvolutionTests'.

import LeapGraph
import LeapKernels
import LeapTensors
import Testing

@Suite struct WinogradConvolutionTests {
  private static let lines = [[1, 3], [3, 1], [1, 5], [5, 1], [1, 7], [7, 1]]

  /// Lines over extents that leave a part of the last tile, of each size, and over images of many tiles.
  @Test(arguments: lines, InstructionSet.available)
  func linesAgreeWithDoublePrecision(kernel: [Int], set: InstructionSet) throws {
    let isRow = kernel[0] == 1
    func input(_ across: Int, _ along: Int) -> [Int] { isRow ? [across, along] : [along, across] }
    func pads(_ before: Int, _ behind: Int) -> [String: Attribute] {
      ["pads": ints(input(0, before) + input(0, behind))]
    }
    let taps = kernel.max()!
    var all: [ConstantConvolution] = []
    for along in 1...13 {
      let (before, behind) = [(taps / 2, taps / 2), (0, taps - 1), (taps, taps + 1)][along % 3]
      all.append(
        ConstantConvolution(
          batch: along % 2 + 1, channels: 5 * along, outputs: 3 * along, input: input(3, along),
          kernel: kernel, attributes: pads(before, behind), hasBias: along % 2 == 0,
          seed: UInt64(along)))
    }
    all.append(
      ConstantConvolution(
        channels: 40, outputs: 33, input: input(23, 61), kernel: kernel, attributes: pads(1, 0)))
    all.append(
      ConstantConvolution(
        channels: 16, outputs: 8, input: [101], kernel: [taps], attributes: ["pads": ints([1, 2])]))
    for convolution in all {
      let names = try convolution.check(set)
      #expect(names.contains("winograd1d"), "\(convolution)")
    }
    // What has other taps, steps or gaps is no line.
    for attributes in [["strides": ints([1, 2])], ["dilations": ints([2, 2])]] {
      let other = ConstantConvolution(
        channels: 8, outputs: 8, input: [15, 15], kernel: kernel, attributes: attributes)
      #expect(try !other.check(set, [.blocked]).contains("winograd1d"))
    }
  }

  /// Sums of many channels round at most 2.4 times as much as those of `direct`; those of F(3, 7) nearly 3 times if each were one
  /// chain.
  @Test(arguments: lines + [[3, 3]], InstructionSet.available)
  func sumsRoundWithinABound(kernel: [Int], set: InstructionSet) throws {
    let convolution = ConstantConvolution(
      channels: 128, outputs: 32, input: [17, 17], kernel: kernel,
      attributes: ["pads": ints(kernel.map { $0 / 2 } + kernel.map { $0 / 2 })], hasBias: false)
    let inputs = try convolution.inputs()
    let exact = try inputs.map { try $0.map { try Tensor($0.doubles, shape: $0.shape) } }
    let expected = try convolution.node.run(exact)[0].doubles
    let results = try CandidateHarness(
      node: convolution.node, inputs: inputs, constants: [1], available: [0: .blocked],
      instructionSet: set
    ).run()
    /// The mean square of what an algorithm is off by.
    func error(_ result: CandidateResult) -> Double {
      zip(result.tensor.doubles, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    let direct = try #require(results.first { $0.name == "direct" })
    let winograd = results.filter { $0.name.hasPrefix("winograd") }
    #expect(!winograd.isEmpty && error(direct) > 0)
    for result in winograd {
      let ratio = (error(result) / error(direct)).squareRoot()
      #expect(ratio < 2.4, "\(result.name) of \(kernel)")
    }
  }

  /// The first rows and columns of an image that is cut into blocks are those of a small one.
  @Test(arguments: lines + [[3, 3]], InstructionSet.available)
  func aTileIsTheSameAloneAndAmongOthers(kernel: [Int], set: InstructionSet) throws {
    let (large, small) = ((59, 61), (27, 26))
    /// Whole tiles of all sizes, of pixels that both images have.
    let (height, width) = (24, 12)
    let pads = ints(kernel.map { $0 / 2 } + kernel.map { $0 / 2 })
    let convolution = ConstantConvolution(
      channels: 24, outputs: 20, input: [large.0, large.1], kernel: kernel,
      attributes: ["pads": pads])
    let inputs = try convolution.inputs()
    let pixels = inputs[0]!.elements(as: Float.self)!
    let part = (0..<24 * small.0 * small.1).map { index in
      let (row, column) = (index / small.1, index % small.1)
      return pixels[(row / small.0 * large.0 + row % small.0) * large.1 + column]
    }
    func corner(_ x: Tensor, _ extent: (Int, Int)) throws -> [(name: String, bits: [UInt32])] {
      try CandidateHarness(
        node: convolution.node, inputs: [x] + inputs.dropFirst(), constants: [1, 2],
        available: [0: .blocked], instructionSet: set
      ).run().filter { $0.name.hasPrefix("winograd") }.map { result in
        let y = result.tensor.elements(as: Float.self)!
        let bits = (0..<20 * height * width).map { index in
          let (row, column) = (index / width, index % width)
          return y[(row / height * extent.0 + row % height) * extent.1 + column].bitPattern
        }
        return (result.name, bits)
      }
    }
    let all = try corner(inputs[0]!, large)
    let some = try corner(Tensor(part, shape: [1, 24, small.0, small.1]), small)
    #expect(!all.isEmpty && all.count == some.count)
    for (one, other) in zip(all, some) {
      #expect(one.bits == other.bits, "\(one.name) of \(kernel)")
    }
  }
}
