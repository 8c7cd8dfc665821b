// Dot products of bytes: which sums fit 16 bits is known beforehand, and what does not fit is multiplied otherwise.

import CLeapKernels
import LeapKernels
import LeapTensors
import Testing

@Suite struct DotProductTests {
  /// Filters of a step of `depth` input channels: [four][lanes][4].
  private static func step(depth: Int, lanes: Int, _ weight: (_ channel: Int, _ lane: Int) -> Int8)
    -> [Int8]
  {
    var filter = [Int8](repeating: 0, count: depth * lanes)
    for channel in 0..<depth {
      for lane in 0..<lanes {
        filter[(channel / 4 * lanes + lane) * 4 + channel % 4] = weight(channel, lane)
      }
    }
    return filter
  }

  private static func limits(_ filter: [Int8], depth: Int, lanes: Int) -> leap_byte_limits {
    var limits = leap_byte_limits()
    var sums = [Int32](repeating: -1, count: lanes)
    leap_byte_dot_describe(filter, 1, depth, lanes, &sums, &limits)
    #expect(sums.reduce(0, +) == filter.reduce(0) { $0 + Int32($1) })
    return limits
  }

  @Test func limitsAreThoseOfTheLargestSums() {
    // The pairs of a lane: (0, 1), (2, 3), (4, 5), (6, 7); the fours: (0, 1, 4, 5), (2, 3, 6, 7).
    let weights: [([Int: Int8], fours: UInt8, pairs: UInt8)] = [
      ([:], 255, 255), ([0: 127], 255, 255), ([0: -128], 255, 255), ([0: 64, 1: 64], 255, 255),
      ([0: 64, 1: 65], 254, 254), ([2: 127, 3: 127], 129, 129), ([6: -128, 7: -128], 127, 127),
      ([0: 127, 1: -128], 255, 255), ([0: 127, 5: 127], 129, 255), ([1: 127, 4: -128], 255, 255),
      ([0: 127, 2: 127], 255, 255), ([2: -128, 3: -128, 6: -128, 7: -128], 63, 127),
      ([0: 100, 1: 20, 4: 30, 5: -90, 7: -128], 218, 255),
    ]
    for (some, fours, pairs) in weights {
      for lane in [0, 5, 15] {
        let filter = Self.step(depth: 8, lanes: 16) { $1 == lane ? some[$0] ?? 0 : 0 }
        let limits = Self.limits(filter, depth: 8, lanes: 16)
        #expect(limits.fours == fours && limits.pairs == pairs, "\(some)")
      }
    }
  }

  @Test(arguments: InstructionSet.available) func stepsAreSortedByTheirPeaks(set: InstructionSet) {
    let limits = [(10, 20), (255, 255), (10, 20), (10, 255), (0, 9)].map {
      leap_byte_limits(fours: UInt8($0.0), pairs: UInt8($0.1))
    }
    let pixels = [7, 100, 200, 300, 400]
    let peaks: [UInt8] = [10, 255, 21, 11, 9]
    var places = [leap_byte_step](repeating: leap_byte_step(), count: 5)
    var kinds = [UInt8](repeating: 0, count: 5)
    let sorted = places.withUnsafeMutableBufferPointer { places in
      pixels.withUnsafeBufferPointer {
        var dot = leap_byte_dot()
        (dot.steps, dot.tap_steps, dot.pixels, dot.depth) = (5, 5, $0.baseAddress, 8)
        var sorted = leap_byte_steps(
          steps: places.baseAddress, fours: 0, pairs: 0, singles: 0)
        leap_byte_dot_sort(set.cValue, &dot, 16, limits, peaks, &kinds, &sorted)
        return sorted
      }
    }
    #expect(sorted.fours + sorted.pairs + sorted.singles == 5)
    if set == .avx2 {
      #expect(places.map(\.pixel) == [7, 100, 300, 400, 200])
      #expect(places.map(\.filter) == [0, 128, 384, 512, 256])
      #expect((sorted.fours, sorted.pairs, sorted.singles) == (2, 2, 1))
    } else if sorted.pairs == 5 {
      #expect(places.map(\.pixel) == pixels)
    }
  }

  /// Each chunk of output channels of a grouped convolution reads the groups of input channels that its own lie in.
  @Test(arguments: InstructionSet.available)
  func groupsReadTheirOwnChannels(set: InstructionSet) throws {
    for (turn, (groups, inputs, outputs)) in [
      (2, 8, 8), (3, 5, 7), (4, 4, 16), (32, 4, 4), (7, 9, 3), (5, 1, 4), (6, 24, 1), (2, 40, 33),
    ].enumerated() {
      // Zero points of filters that are not the middle of their range leave it to the plain way.
      for (type, zeros, isSymmetric) in [
        (DataType.int8, (114, 0, 7), true), (.uint8, (3, 128, 128), true),
        (.uint8, (3, 100, 128), false),
      ] {
        let names = try ByteConvolutionCase(
          batch: 1 + turn % 2, channels: groups * inputs, outputs: groups * outputs,
          groups: groups, input: [9, 7], kernel: turn % 3 == 0 ? [1, 1] : [3, 2],
          types: (.uint8, type, .uint8), zeros: zeros, isPerChannel: type == .int8,
          seed: UInt64(turn)
        ).check(set)
        #expect(names.contains("integer-blocked") == isSymmetric, "\(groups) groups, \(type)")
      }
    }
  }

  /// Operands of a product, how many numbers their zero points have (0: none), and the types.
  struct Matrices: Sendable {
    var rows: Int
    var depth: Int
    var columns: Int
    var leftZeros = 1
    var rightZeros = 1
    var types: (DataType, DataType) = (.uint8, .int8)
    var batch: [Int] = []
  }

  private static let matrices = [
    Matrices(rows: 3, depth: 70, columns: 67), Matrices(rows: 1, depth: 1, columns: 1),
    Matrices(rows: 1, depth: 512, columns: 300, leftZeros: 0, rightZeros: 0),
    Matrices(rows: 197, depth: 64, columns: 40, types: (.int8, .int8)),
    Matrices(rows: 5, depth: 33, columns: 17, leftZeros: 5, rightZeros: 17),
    Matrices(rows: 97, depth: 8, columns: 259, rightZeros: 259, types: (.int8, .uint8)),
    Matrices(rows: 4, depth: 100, columns: 9, rightZeros: 0, types: (.uint8, .uint8)),
    Matrices(
      rows: 30, depth: 129, columns: 32, leftZeros: 30, types: (.int8, .int8), batch: [2, 4]),
  ]

  private func tensor(_ type: DataType, _ numbers: [Int], _ shape: Shape) throws -> Tensor {
    type == .int8
      ? try Tensor(numbers.map { Int8(truncatingIfNeeded: $0) }, shape: shape)
      : try Tensor(numbers.map { UInt8(truncatingIfNeeded: $0) }, shape: shape)
  }

  /// A constant right operand is packed, in pieces of rows; the products are those of one that is not.
  @Test(arguments: InstructionSet.available, matrices.indices)
  func packedMatricesGiveTheSameProducts(set: InstructionSet, index: Int) throws {
    let matrices = Self.matrices[index]
    var noise = Noise(UInt64(index))
    func bytes(_ type: DataType, _ shape: Shape) throws -> Tensor {
      try tensor(type, noise.doubles(shape.elementCount).map { Int(128 * $0) }, shape)
    }
    func zeros(_ type: DataType, _ count: Int) throws -> Tensor? {
      if count == 0 { return nil }
      return try tensor(type, (0..<count).map { 90 + $0 % 60 }, count == 1 ? [] : [count])
    }
    let (left, right) = matrices.types
    let a = try bytes(left, Shape(matrices.batch + [matrices.rows, matrices.depth]))
    let b = try bytes(right, [matrices.depth, matrices.columns])
    let (aZero, bZero) = (
      try zeros(left, matrices.leftZeros), try zeros(right, matrices.rightZeros)
    )
    let scales: [Tensor?] = try [0.02, 0.03, 5].map { try Tensor(scalar: Float($0)) }
    let leftZero = try aZero ?? tensor(left, [0], [])
    let rightZero = try bZero ?? tensor(right, [0], [])
    let quantized: [Tensor?] = [
      a, scales[0], leftZero, b, scales[1], rightZero, scales[2], try tensor(.uint8, [100], []),
    ]
    let cases: [(String, [Tensor?], Set<Int>)] = [
      ("MatMulInteger", [a, b, aZero, bZero], [1, 3]),
      ("QLinearMatMul", quantized, [1, 2, 3, 4, 5, 6, 7]),
    ]
    for (name, inputs, constants) in cases {
      let expected = try OperatorCase(name).run(inputs)[0].integers
      let results = try CandidateHarness(
        node: OperatorCase(name), inputs: inputs, constants: constants, instructionSet: set
      ).run()
      for result in results { #expect(result.tensor.integers == expected, "\(name)") }
    }
  }

  /// Pixels at the limits of these filters and just beyond, of all kinds in one sum.
  @Test(arguments: InstructionSet.available, [DataType.uint8, .int8])
  func sumsAreExactAtTheirLimits(set: InstructionSet, type: DataType) throws {
    for (turn, peaks) in [
      [63, 64, 65], [127, 255, 128], [129, 130, 62, 9], [64, 129, 255], [0],
    ]
    .enumerated() {
      for isExtreme in [true, false] {
        for kernel in [[1, 1], [2, 3]] {
          _ = try ByteConvolutionCase(
            channels: 16 * peaks.count, outputs: 33, input: [7, 5], kernel: kernel,
            types: (type, .int8, .uint8), zeros: (type == .int8 ? -128 : 0, 0, 128),
            isExtreme: isExtreme, peaks: peaks, seed: UInt64(turn + 3)
          ).check(set, [.plain, .scattered])
        }
      }
    }
  }
}
