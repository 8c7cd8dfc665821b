// CastTests: Cast and CastLike between all types of numbers.

import LeapGraph
import LeapOperators
import LeapTensors
import Testing

@Suite struct CastTests {
  private func cast(to type: DataType) -> OperatorHarness {
    OperatorHarness("Cast", attributes: ["to": .int(Int64(type.rawValue))])
  }

  @Test func castsCutTowardsZero() throws {
    let x = try Tensor([Float(-1.9), 1.9, 300.5, .nan])
    expectClose(try cast(to: .int32).run([x])[0], [-1, 1, 300, 0])
    expectClose(try cast(to: .uint8).run([x])[0], [255, 1, 44, 0])
    #expect(
      try cast(to: .bool).run([Tensor([Float(0), 0.1, .nan])])[0].elements(as: Bool.self) == [
        false, true, true,
      ])
    expectClose(
      try cast(to: .int64).run([Tensor([1e30, -1e30])])[0], [Double(Int64.max), Double(Int64.min)])
    expectClose(try cast(to: .float32).run([Tensor([true, false])])[0], [1, 0])
  }

  @Test func oldCastsNameTheirType() throws {
    let old = OperatorHarness("Cast", opset: 1, attributes: ["to": .string(Array("INT64".utf8))])
    expectClose(try old.run([Tensor([Float(2.5)])])[0], [2])
    #expect(throws: OperatorError.self) {
      try OperatorHarness("Cast", attributes: ["to": .int(99)]).run([Tensor([Float(1)])])
    }
  }

  @Test func castLikeTakesTheTypeOfItsSecondInput() throws {
    let result = try OperatorHarness("CastLike").run([Tensor([Float(2.5)]), Tensor([Int8(0)])])[0]
    #expect(result.elements(as: Int8.self) == [2])
  }

  /// The patterns of 16-bit elements.
  private func patterns(_ tensor: Tensor) -> [UInt16] {
    tensor.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
  }

  private func tensor(_ type: DataType, _ bytes: [UInt8], _ shape: Shape) throws -> Tensor {
    try Tensor(dataType: type, shape: shape) { $0.copyBytes(from: bytes) }
  }

  @Test(arguments: [DataType.float16, .bfloat16])
  func everyPatternOfSixteenBitsSurvives(_ type: DataType) throws {
    let all = (0...UInt16.max).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    let half = try tensor(type, all, [1 << 16])
    let format = try #require(FloatFormat(type))
    let single = try cast(to: .float32).run([half])[0]
    let values = try #require(single.elements(as: Float.self))
    for (pattern, value) in values.enumerated() {
      let expected = format.decode(UInt32(pattern))
      #expect(value.bitPattern == expected.bitPattern || (value.isNaN && expected.isNaN))
    }
    let back = patterns(try cast(to: type).run([single])[0])
    for (pattern, bits) in back.enumerated() where !values[pattern].isNaN {
      #expect(Int(bits) == pattern)
    }
  }

  @Test(arguments: [DataType.float16, .bfloat16])
  func roundsOnceWhateverTheSource(_ type: DataType) throws {
    let format = try #require(FloatFormat(type))
    var noise = Noise(3)
    var values = noise.doubles(5000).enumerated().map { index, value in
      Float(value * Double(sign: .plus, exponent: index % 60 - 40, significand: 1))
    }
    values += [
      0, -0.0, .infinity, -.infinity, 65504, 65519, 65520, 65536, 1e38, 3.4e38, 6e-8, 3e-8,
    ]
    let expected = values.map { UInt16(format.encode($0)) }
    #expect(patterns(try cast(to: type).run([Tensor(values)])[0]) == expected)
    // A hair beyond the middle between two neighbours, which float32 cannot tell from the middle.
    let middles = (0..<2000).map { step in
      let bits = UInt32(type == .float16 ? 0x3c00 + step : 0x3f00 + step % 128)
      return (Double(format.decode(bits)) + Double(format.decode(bits + 1))) / 2
    }
    let above = try cast(to: type).run([Tensor(middles.map { $0 + 0x1p-45 })])[0]
    let below = try cast(to: type).run([Tensor(middles.map { $0 - 0x1p-45 })])[0]
    for (up, down) in zip(patterns(above), patterns(below)) { #expect(up == down + 1) }
  }

  @Test func wideIntegersRoundOnce() throws {
    // 2^60 + 2^52 is the middle between two bfloat16 numbers; one more is above.
    let middle = Int64(1) << 60 + Int64(1) << 52
    let x = try Tensor([middle - 1, middle, middle + 1, -middle - 1])
    #expect(patterns(try cast(to: .bfloat16).run([x])[0]) == [0x5d80, 0x5d80, 0x5d81, 0xdd81])
    let unsigned = try Tensor([UInt64(middle) << 3 + 1, UInt64.max])
    #expect(patterns(try cast(to: .bfloat16).run([unsigned])[0]) == [0x5f01, 0x5f80])
  }

  @Test func narrowFloatsSaturateUnlessToldNotTo() throws {
    let x = try Tensor([Float(1), 0.3, 1000, -1000, .infinity, .nan, -0.0])
    func bytes(_ type: DataType, _ attributes: [String: Attribute] = [:]) throws -> [UInt8] {
      var harness = cast(to: type)
      harness.attributes.merge(attributes) { $1 }
      return try harness.run([x])[0].withUnsafeBytes { Array($0) }
    }
    let keep: [String: Attribute] = ["saturate": .int(0)]
    #expect(try bytes(.float8e4m3fn) == [0x38, 0x2a, 0x7e, 0xfe, 0x7e, 0x7f, 0x80])
    #expect(try bytes(.float8e4m3fn, keep) == [0x38, 0x2a, 0x7f, 0xff, 0x7f, 0x7f, 0x80])
    #expect(try bytes(.float8e4m3fnuz, keep) == [0x40, 0x32, 0x80, 0x80, 0x80, 0x80, 0])
    #expect(try bytes(.float8e5m2, keep) == [0x3c, 0x35, 0x64, 0xe4, 0x7c, 0x7e, 0x80])
    #expect(try bytes(.float8e5m2) == [0x3c, 0x35, 0x64, 0xe4, 0x7b, 0x7e, 0x80])
    // Two to a byte, the first in the low bits: 1, 0.5, 6, -6, 6, -0 for NaN, -0.
    #expect(try bytes(.float4e2m1) == [0x12, 0xf7, 0x87, 0x08])
  }

  @Test(arguments: [
    ("up", [127, 127, 128, 128]), ("down", [127, 126, 127, 127]),
    ("nearest", [127, 126, 127, 128]),
  ])
  func scalesRoundAsAsked(_ mode: String, _ expected: [UInt8]) throws {
    var harness = cast(to: .float8e8m0)
    harness.attributes["round_mode"] = .string(Array(mode.utf8))
    let result = try harness.run([Tensor([Float(1), 0.6, 1.4, 1.7])])[0]
    #expect(result.withUnsafeBytes { Array($0) } == expected)
    harness.attributes["round_mode"] = .string(Array("sideways".utf8))
    #expect(throws: OperatorError.self) { try harness.run([Tensor([Float(1)])]) }
  }

  @Test func narrowIntegersKeepTheirLowBits() throws {
    let x = try Tensor([Float(-9), -8, -1.9, 7.9, 8, 15, 16])
    let int4 = try cast(to: .int4).run([x])[0]
    #expect(int4.withUnsafeBytes { Array($0) } == [0x87, 0x7f, 0xf8, 0x00])
    expectClose(try cast(to: .int32).run([int4])[0], [7, -8, -1, 7, -8, -1, 0])
    let uint4 = try cast(to: .uint4).run([Tensor([Int64(1) << 40 + 3, 255, -1])])[0]
    expectClose(try cast(to: .float64).run([uint4])[0], [3, 15, 15])
    let int2 = try cast(to: .int2).run([Tensor([Int8(-2), -1, 0, 1, 2])])[0]
    #expect(int2.withUnsafeBytes { Array($0) } == [0b01_00_11_10, 0b10])
    expectClose(try cast(to: .float32).run([int2])[0], [-2, -1, 0, 1, -2])
    let again = try cast(to: .int4).run([int2])[0]
    expectClose(try cast(to: .int8).run([again])[0], [-2, -1, 0, 1, -2])
    #expect(
      try cast(to: .bool).run([int2])[0].elements(as: Bool.self) == [true, true, false, true, true])
  }

  /// Numbers of every exponent, the middles between patterns, and their neighbours.
  @Test(
    arguments: [
      DataType.float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float6e2m3,
      .float6e3m2, .float4e2m1,
    ], [true, false])
  func narrowFloatsAreTheNearest(_ type: DataType, _ saturates: Bool) throws {
    let format = try #require(FloatFormat(type))
    var values = stride(from: UInt32(0), to: .max - 65_521, by: 65_521).map {
      Float(bitPattern: $0)
    }
    for pattern in 0..<format.largestFinite {
      let middle = (format.decode(pattern) + format.decode(pattern + 1)) / 2
      for value in [middle.nextDown, middle, middle.nextUp] { values += [value, -value] }
    }
    values += [.infinity, -.infinity, .nan, -0.0, 0]
    var harness = cast(to: type)
    harness.attributes["saturate"] = .int(saturates ? 1 : 0)
    let result = try harness.run([Tensor(values)])[0]
    let width = type.bitWidth
    result.withUnsafeBytes { bytes in
      for (index, value) in values.enumerated() {
        let bits = width == 8 ? bytes[index] : PackedElements.bits(bytes, at: index, width: width)
        let expected = format.encode(value, saturate: saturates)
        #expect(UInt32(bits) == expected, "\(value) as \(type)")
      }
    }
  }

  @Test func longNarrowTensorsAreCutBetweenBytes() throws {
    let count = 10_001
    let numbers = (0..<count).map { Float($0 % 16) / 4 }
    for type: DataType in [.float6e2m3, .float6e3m2, .float4e2m1] {
      let packed = try cast(to: type).run([Tensor(numbers)])[0]
      #expect(packed.byteCount == (count * type.bitWidth + 7) / 8)
      let values = try #require(
        try cast(to: .float32).run([packed])[0].elements(as: Float.self))
      let format = try #require(FloatFormat(type))
      for (value, number) in zip(values, numbers) {
        #expect(value == format.decode(format.encode(number)))
      }
      let same = try cast(to: type).run([packed])[0]
      #expect(
        same.withUnsafeBytes { a in packed.withUnsafeBytes { a.elementsEqual($0) } })
    }
  }

  @Test func stringsBecomeNumbers() throws {
    let texts = ["3.14", "-1e-5", "1E8", "+INF", "inf", "-Inf", "nan", "100.5"]
    let x = try Tensor(strings: texts, shape: [2, 4])
    let expected = [3.14, -1e-5, 1e8, .infinity, .infinity, -.infinity, .nan, 100.5]
    expectClose(try cast(to: .float64).run([x])[0], expected, shape: [2, 4], relative: 0)
    expectClose(try cast(to: .float32).run([x])[0], expected)
    let integers = try Tensor(strings: ["-9223372036854775807", "9007199254740993"])
    #expect(
      try cast(to: .int64).run([integers])[0].elements(as: Int64.self)
        == [-9_223_372_036_854_775_807, 9_007_199_254_740_993])
    expectClose(try cast(to: .int8).run([Tensor(strings: ["100.5", "-3"])])[0], [100, -3])
    for text in ["Hello World!", "", "0x10", "1,5", "infinity"] {
      #expect(throws: OperatorError.self) {
        try cast(to: .float32).run([Tensor(strings: [text])])
      }
    }
  }

  @Test func numbersBecomeStrings() throws {
    func texts(_ tensor: Tensor) throws -> [String]? {
      try cast(to: .string).run([tensor])[0].strings
    }
    #expect(
      try texts(Tensor([Float(314.15926), 0.1, 1, -2.5, 1e-5, -1.25e10, .nan, -.infinity, 1e20]))
        == [
          "314.15927", "0.1", "1", "-2.5", "0.00001", "-12500000000", "NaN", "-INF",
          "100000000000000000000",
        ])
    #expect(
      try texts(Tensor([0.1, 1.5e-7, 123456789.125])) == ["0.1", "0.00000015", "123456789.125"])
    #expect(try texts(Tensor([Int64.min, 7])) == ["-9223372036854775808", "7"])
    #expect(try texts(Tensor([UInt64.max])) == ["18446744073709551615"])
    #expect(try texts(Tensor([true, false])) == ["1", "0"])
    #expect(try texts(tensor(.float16, [0, 0x3e], [1])) == ["1.5"])
    let like = OperatorHarness("CastLike")
    #expect(
      try like.run([Tensor([Int8(5)]), Tensor(strings: ["x"])])[0].strings == ["5"])
    expectClose(try like.run([Tensor(strings: ["5"]), Tensor([Float(0)])])[0], [5])
  }

  @Test func complexNumbersAreRefused() throws {
    #expect(throws: OperatorError.self) { try cast(to: .complex64).run([Tensor([Float(1)])]) }
  }
}
