// MaxPool, AveragePool and LpPool against loops that follow the definition.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

/// A pooling to test. `output` and `begin` (the padding before the first pixel) are worked out by hand; `end` is the
/// padding behind the last pixel that an average may count.
struct PoolingCase: Sendable, CustomTestStringConvertible {
  var input: [Int]
  var kernel: [Int]
  var strides: [Int]? = nil
  var dilations: [Int]? = nil
  var pads: [Int]? = nil
  var autoPad: String? = nil
  var ceil = false
  var output: [Int]
  var begin: [Int]
  var end: [Int]

  var testDescription: String {
    "\(input) k\(kernel) s\(strides ?? []) d\(dilations ?? []) p\(pads ?? []) \(autoPad ?? "") ceil \(ceil)"
  }

  var attributes: [String: Attribute] {
    var result: [String: Attribute] = ["kernel_shape": .ints(kernel.map(Int64.init))]
    for (name, list) in ["strides": strides, "dilations": dilations, "pads": pads] {
      if let list { result[name] = .ints(list.map(Int64.init)) }
    }
    if let autoPad { result["auto_pad"] = .string(Array(autoPad.utf8)) }
    if ceil { result["ceil_mode"] = .int(1) }
    return result
  }

  /// For each window of one plane: the indices of its pixels in row-major order, and the number of its taps on pixels
  /// and padding.
  var windows: [(pixels: [Int], taps: Int)] {
    ConvolutionCase.positions(output).map { position in
      var pixels: [Int] = []
      var taps = 0
      for tap in ConvolutionCase.positions(kernel) {
        let place = input.indices.map {
          position[$0] * (strides?[$0] ?? 1) + tap[$0] * (dilations?[$0] ?? 1) - begin[$0]
        }
        if input.indices.allSatisfy({ place[$0] < input[$0] + end[$0] }) { taps += 1 }
        if input.indices.allSatisfy({ (0..<input[$0]).contains(place[$0]) }) {
          pixels.append(ConvolutionCase.index(place, input))
        }
      }
      return (pixels, taps)
    }
  }

  /// The index of a pixel with the first dimension running fastest.
  func columnMajor(_ index: Int) -> Int {
    var (rest, place) = (index, 0)
    for extent in input.reversed() {
      place = place * extent + rest % extent
      rest /= extent
    }
    // The digits came out last dimension first, which is the order that makes the first one run fastest.
    return place
  }
}

@Suite struct PoolingTests {
  static let cases: [PoolingCase] = [
    .init(input: [7], kernel: [3], output: [5], begin: [0], end: [0]),
    .init(
      input: [9], kernel: [3], strides: [2], dilations: [2], pads: [2, 1], output: [4], begin: [2],
      end: [1]),
    .init(input: [5, 6], kernel: [1, 1], output: [5, 6], begin: [0, 0], end: [0, 0]),
    .init(
      input: [112, 11], kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], output: [56, 6],
      begin: [1, 1], end: [1, 1]),
    .init(
      input: [17, 18], kernel: [3, 3], pads: [1, 1, 1, 1], output: [17, 18], begin: [1, 1],
      end: [1, 1]),
    .init(
      input: [8, 7], kernel: [3, 2], strides: [2, 3], pads: [1, 0, 2, 1], output: [5, 3],
      begin: [1, 0], end: [2, 1]),
    .init(
      input: [8, 7], kernel: [3, 3], dilations: [2, 3], pads: [2, 2, 2, 2], output: [8, 5],
      begin: [2, 2], end: [2, 2]),
    .init(
      input: [5, 8], kernel: [3, 3], strides: [2, 2], autoPad: "SAME_UPPER", output: [3, 4],
      begin: [1, 0], end: [1, 1]),
    .init(
      input: [5, 8], kernel: [3, 3], strides: [2, 2], autoPad: "SAME_LOWER", output: [3, 4],
      begin: [1, 1], end: [1, 0]),
    .init(
      input: [5, 8], kernel: [2, 1], strides: [3, 3], autoPad: "SAME_LOWER", output: [2, 3],
      begin: [0, 0], end: [0, 0]),
    .init(
      input: [5, 8], kernel: [3, 3], autoPad: "VALID", output: [3, 6], begin: [0, 0], end: [0, 0]),
    .init(
      input: [5, 6], kernel: [2, 3], strides: [2, 2], ceil: true, output: [3, 3], begin: [0, 0],
      end: [0, 0]),
    // The last window along both axes would start behind the image.
    .init(
      input: [2, 5], kernel: [1, 2], strides: [2, 3], pads: [0, 1, 1, 1], ceil: true,
      output: [1, 2], begin: [0, 1], end: [1, 1]),
    // A window larger than the image, of which there is one because sizes are rounded up.
    .init(input: [4], kernel: [6], strides: [3], ceil: true, output: [1], begin: [0], end: [0]),
    .init(
      input: [5], kernel: [3], strides: [2], autoPad: "VALID", ceil: true, output: [2], begin: [0],
      end: [0]),
    .init(
      input: [4, 5, 6], kernel: [2, 3, 3], strides: [1, 2, 1], pads: [1, 0, 1, 0, 1, 1],
      output: [4, 2, 6], begin: [1, 0, 1], end: [0, 1, 1]),
    .init(
      input: [3, 9, 5], kernel: [2, 2, 2], strides: [2, 2, 3], dilations: [1, 3, 2], ceil: true,
      output: [2, 4, 2], begin: [0, 0, 0], end: [0, 0, 0]),
    // A window whose every tap lies on the padding.
    .init(
      input: [1, 3], kernel: [2, 2], dilations: [2, 1], pads: [1, 0, 1, 0], output: [1, 2],
      begin: [1, 0], end: [1, 0]),
  ]

  static let images = 2 * 3

  /// Noise [2, 3, input], quantised so that 8-bit integers hold it.
  func noise(_ c: PoolingCase, _ type: DataType, seed: Int) throws -> (Tensor, [[Double]]) {
    var noise = Noise(UInt64(seed))
    let shape = Shape([2, 3] + c.input)
    let values = noise.doubles(shape.elementCount).map { ($0 * 100).rounded() }
    let pixels = values.count / PoolingTests.images
    let planes = (0..<PoolingTests.images).map { Array(values[$0 * pixels..<($0 + 1) * pixels]) }
    switch type {
    case .float64: return (try Tensor(values, shape: shape), planes)
    case .int8: return (try Tensor(values.map { Int8($0) }, shape: shape), planes)
    case .uint8:
      let shifted = planes.map { $0.map { $0 + 100 } }
      return (try Tensor(shifted.joined().map { UInt8($0) }, shape: shape), shifted)
    default: return (try Tensor(values.map { Float($0) }, shape: shape), planes)
    }
  }

  @Test(arguments: cases.indices, [DataType.float32, .float64, .int8, .uint8])
  func maximaAgreeWithDefinition(index: Int, type: DataType) throws {
    let c = PoolingTests.cases[index]
    let (x, planes) = try noise(c, type, seed: index)
    let lowest = [DataType.int8: -128, .uint8: 0][type] ?? -Double.infinity
    let expected = planes.flatMap { plane in
      c.windows.map { $0.pixels.map { plane[$0] }.max() ?? lowest }
    }
    let y = try OperatorCase("MaxPool", c.attributes).run([x])[0]
    expectClose(y, expected, shape: Shape([2, 3] + c.output), relative: 0, absolute: 0)
    for order in [0, 1] {
      var attributes = c.attributes
      attributes["storage_order"] = .int(Int64(order))
      let both = try OperatorCase("MaxPool", attributes, outputCount: 2).run([x])
      expectClose(both[0], expected, shape: y.shape, relative: 0, absolute: 0)
      #expect(both[1].shape == y.shape)
      let places = planes.enumerated().flatMap { number, plane in
        c.windows.map { window -> Int64 in
          guard let largest = window.pixels.map({ plane[$0] }).max() else { return -1 }
          let first = window.pixels.first { plane[$0] == largest } ?? -1
          return Int64(number * plane.count + (order == 0 ? first : c.columnMajor(first)))
        }
      }
      #expect(both[1].elements(as: Int64.self) == places)
    }
  }

  @Test(arguments: cases.indices, [DataType.float32, .float64])
  func averagesAgreeWithDefinition(index: Int, type: DataType) throws {
    let c = PoolingTests.cases[index]
    let (x, planes) = try noise(c, type, seed: index)
    for counts in [false, true] {
      var attributes = c.attributes
      if counts { attributes["count_include_pad"] = .int(1) }
      let expected = planes.flatMap { plane in
        c.windows.map { window in
          window.pixels.reduce(0) { $0 + plane[$1] }
            / Double(counts ? window.taps : window.pixels.count)
        }
      }
      let y = try OperatorCase("AveragePool", attributes).run([x])[0]
      expectClose(
        y, expected, shape: Shape([2, 3] + c.output), relative: type == .float64 ? 1e-15 : 1e-7,
        absolute: 1e-12)
    }
  }

  @Test(arguments: cases.indices, [1, 2, 3]) func normsAgreeWithDefinition(index: Int, p: Int)
    throws
  {
    let c = PoolingTests.cases[index]
    let (x, planes) = try noise(c, .float64, seed: index)
    var attributes = c.attributes
    attributes["p"] = .int(Int64(p))
    let y = try OperatorCase("LpPool", attributes).run([x])[0]
    #expect(y.shape == Shape([2, 3] + c.output))
    // The p-th power of the result is the sum of p-th powers.
    let power: (Double) -> Double = { v in (0..<p).reduce(1) { product, _ in product * v.magnitude }
    }
    let expected = planes.flatMap { plane in
      c.windows.map { window in window.pixels.reduce(0) { $0 + power(plane[$1]) } }
    }
    #expect(relativeDifference(y.doubles.map(power), expected) < 1e-13)
  }

  @Test(arguments: ["MaxPool", "AveragePool"]) func anImageDoesNotDependOnItsBatch(type: String)
    throws
  {
    var noise = Noise(3)
    let attributes: [String: Attribute] = [
      "kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1]),
    ]
    let x = try noise.tensor(.float32, [3, 5, 61, 67])
    let all = try OperatorCase(type, attributes).run([x])[0].doubles
    let size = 5 * 61 * 67
    for image in 0..<3 {
      let one = try Tensor(
        Array(x.doubles[image * size..<(image + 1) * size]).map { Float($0) },
        shape: [1, 5, 61, 67])
      let y = try OperatorCase(type, attributes).run([one])[0].doubles
      #expect(y == Array(all[image * size..<(image + 1) * size]))
    }
  }

  @Test(arguments: [0, 1, 2]) func aNaNIsTheMaximum(place: Int) throws {
    var values: [Float] = [1, 7, 2]
    values[place] = .nan
    let x = try Tensor(values + [-.infinity, -.infinity, -.infinity], shape: [1, 2, 3])
    let attributes: [String: Attribute] = ["kernel_shape": .ints([3])]
    let alone = try OperatorCase("MaxPool", attributes).run([x])[0]
    expectClose(alone, [.nan, -.infinity], shape: [1, 2, 1])
    let both = try OperatorCase("MaxPool", attributes, outputCount: 2).run([x])
    expectClose(both[0], [.nan, -.infinity])
    #expect(both[1].elements(as: Int64.self) == [Int64(place), 3])
  }

  @Test func emptyBatchesGiveEmptyOutputs() throws {
    for shape: Shape in [[0, 2, 4, 4], [2, 0, 4, 4]] {
      let x = try Tensor([Float](), shape: shape)
      let y = try OperatorCase("MaxPool", ["kernel_shape": .ints([2, 2])], outputCount: 2).run([x])
      #expect(y.map(\.shape) == [Shape([shape[0], shape[1], 3, 3]), y[0].shape])
    }
  }

  @Test func infersSymbolicShapes() throws {
    let n = Dimension.symbol("n")
    let plain = OperatorCase(
      "MaxPool",
      ["kernel_shape": .ints([3, 3]), "strides": .ints([2, 2]), "pads": .ints([1, 1, 1, 1])],
      outputCount: 2)
    let shapes = try plain.inferred([[n, 64, 112, n]])
    #expect(shapes[0]! == [n, 64, 56, (n - 1) / 2 + 1])
    #expect(shapes[1]! == shapes[0]!)
    let up = OperatorCase(
      "AveragePool",
      ["kernel_shape": .ints([2]), "strides": .ints([3]), "ceil_mode": .int(1)])
    for extent in 2..<12 {
      let symbolic = try up.inferred([[1, 1, n]])[0]![2].substituting(["n": extent])
      #expect(try symbolic == up.inferred([[1, 1, .fixed(extent)]])[0]![2])
    }
  }

  static let broken: [(String, [String: Attribute], [Dimension])] = [
    ("MaxPool", [:], [1, 3, 8, 8]),
    ("MaxPool", ["kernel_shape": .ints([3])], [1, 3, 8, 8]),
    ("MaxPool", ["kernel_shape": .ints([0, 1])], [1, 3, 8, 8]),
    ("MaxPool", ["kernel_shape": .ints([9, 1])], [1, 3, 8, 8]),
    ("MaxPool", ["kernel_shape": .ints([1 << 40, 1])], [1, 3, 8, 8]),
    ("MaxPool", ["kernel_shape": .ints([2, 2]), "pads": .ints([1])], [1, 3, 8, 8]),
    ("MaxPool", ["kernel_shape": .ints([2, 2]), "dilations": .ints([0, 1])], [1, 3, 8, 8]),
    ("MaxPool", ["kernel_shape": .ints([2]), "ceil_mode": .int(1)], [1, 3, 0]),
    ("AveragePool", ["kernel_shape": .ints([2, 2]), "strides": .ints([-1, 1])], [1, 3, 8, 8]),
    ("AveragePool", ["kernel_shape": .ints([])], [1, 3]),
  ]

  @Test(arguments: broken.indices) func refusesWhatDoesNotFit(index: Int) {
    let (type, attributes, shape) = PoolingTests.broken[index]
    #expect(throws: (any Error).self) { try OperatorCase(type, attributes).inferred([shape]) }
  }

  @Test func refusesOtherTypes() {
    let node = OperatorCase("AveragePool", ["kernel_shape": .ints([2])])
    #expect(throws: (any Error).self) { try node.inferred([[1, 1, 4]], .int8) }
  }
}
