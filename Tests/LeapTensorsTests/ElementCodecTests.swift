// ElementCodecTests: the narrow types against tables that others made, and against the middle between neighbours.

import LeapTensors
import Testing

@Suite struct ElementCodecTests {
  private static let narrow: [DataType] = [
    .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float6e2m3, .float6e3m2,
    .float4e2m1,
  ]

  /// Hexadecimal digits as numbers of `digits` digits each.
  private func numbers(_ text: String, digits: Int) -> [UInt32] {
    let characters = Array(text)
    return stride(from: 0, to: characters.count, by: digits).compactMap {
      UInt32(String(characters[$0..<$0 + digits]), radix: 16)
    }
  }

  private func decoded(_ type: DataType) throws -> [Float] {
    numbers(try #require(CodecTables.decoded[type]), digits: 4).map {
      $0 == 0x7fff ? .nan : Float(bitPattern: $0 << 16)
    }
  }

  private var samples: [Float] {
    numbers(CodecTables.samples, digits: 8).map { Float(bitPattern: $0) }
  }

  private func same(_ a: Float, _ b: Float) -> Bool {
    a.isNaN ? b.isNaN : a.bitPattern == b.bitPattern
  }

  @Test(arguments: narrow + [.float8e8m0]) func decodesEveryPattern(_ type: DataType) throws {
    let expected = try decoded(type)
    #expect(expected.count == 1 << type.bitWidth)
    var bytes = [UInt8](repeating: 0, count: type.byteCount(elements: expected.count) ?? 0)
    var found = [Float](repeating: 0, count: expected.count)
    bytes.withUnsafeMutableBytes { bytes in
      for index in expected.indices {
        PackedElements.store(UInt8(index), to: bytes, at: index, width: type.bitWidth)
      }
      ElementCodec.decode(type, UnsafeRawBufferPointer(bytes), count: found.count, to: &found)
    }
    for index in expected.indices {
      #expect(same(found[index], expected[index]), "\(type) pattern \(index)")
    }
  }

  @Test(arguments: narrow + [.float16, .bfloat16]) func encodesAsOthersDo(_ type: DataType) throws {
    let format = try #require(FloatFormat(type))
    let digits = type.bitWidth == 16 ? 4 : 2
    let expected = numbers(try #require(CodecTables.encoded[type]), digits: digits)
    #expect(expected.count == samples.count)
    for (sample, pattern) in zip(samples, expected) {
      #expect(format.encode(sample) == pattern, "\(type) of \(sample)")
    }
  }

  @Test(arguments: narrow) func encodesToTheNearestAndTiesToEven(_ type: DataType) throws {
    let format = try #require(FloatFormat(type))
    let table = try decoded(type)
    let positive = table.indices.filter { table[$0].isFinite && table[$0].sign == .plus }
      .sorted { table[$0] < table[$1] }
    for (low, high) in zip(positive, positive.dropFirst()) {
      // Both ends have few bits, so that the middle between them is exact.
      let middle = (table[low] + table[high]) / 2
      #expect(format.encode(table[low]) == UInt32(low))
      #expect(format.encode(table[high]) == UInt32(high))
      #expect(format.encode(middle) == UInt32(low % 2 == 0 ? low : high))
      #expect(format.encode(middle.nextDown) == UInt32(low))
      #expect(format.encode(middle.nextUp) == UInt32(high))
    }
  }

  @Test(arguments: narrow) func saturatesWhereAsked(_ type: DataType) throws {
    let format = try #require(FloatFormat(type))
    let largest = try #require(try decoded(type).filter(\.isFinite).max())
    #expect(format.decode(format.encode(.infinity, saturate: true)) == largest)
    #expect(format.decode(format.encode(-1e30, saturate: true)) == -largest)
  }

  #if !(os(macOS) && arch(x86_64))
    @Test func float16IsTheProcessors() {
      for pattern in UInt16.min...UInt16.max {
        let expected = Float(Float16(bitPattern: pattern))
        let found = FloatFormat.float16.decode(UInt32(pattern))
        #expect(same(found, expected))
        if !expected.isNaN { #expect(FloatFormat.float16.encode(expected) == UInt32(pattern)) }
      }
    }
  #endif

  @Test func bfloat16IsTheUpperHalf() {
    for pattern in UInt16.min...UInt16.max {
      let expected = Float(bitPattern: UInt32(pattern) << 16)
      #expect(same(FloatFormat.bfloat16.decode(UInt32(pattern)), expected))
      if !expected.isNaN { #expect(FloatFormat.bfloat16.encode(expected) == UInt32(pattern)) }
    }
  }

  @Test(arguments: [DataType.int4, .uint4, .int2, .uint2]) func narrowIntegers(_ type: DataType) {
    let isSigned = type == .int4 || type == .int2
    let levels = 1 << type.bitWidth
    let lowest = isSigned ? -levels / 2 : 0
    // All levels, and one more so that the last byte is not full.
    let values = (0...levels).map { Float(lowest + $0 % levels) }
    #expect(roundTrip(values, type) == values)
    let clamped = roundTrip([-1000, 1000, .nan], type)
    #expect(clamped == [Float(lowest), Float(lowest + levels - 1), 0])
  }

  private func roundTrip(_ values: [Float], _ type: DataType) -> [Float] {
    var bytes = [UInt8](repeating: 0xff, count: type.byteCount(elements: values.count) ?? 0)
    var found = [Float](repeating: 0, count: values.count)
    bytes.withUnsafeMutableBytes { bytes in
      ElementCodec.encode(type, values, count: values.count, to: bytes)
      ElementCodec.decode(type, UnsafeRawBufferPointer(bytes), count: values.count, to: &found)
    }
    return found
  }

  @Test func elementsLieFromTheLowestBitsOn() {
    var bytes: [UInt8] = [0, 0]
    bytes.withUnsafeMutableBytes {
      ElementCodec.encode(.uint4, [1, 2, 3], count: 3, to: $0)
    }
    #expect(bytes == [0x21, 0x03])
    bytes.withUnsafeMutableBytes {
      ElementCodec.encode(.uint2, [1, 2, 3, 0, 2], count: 5, to: $0)
    }
    #expect(bytes == [0b00_11_10_01, 0b10])
  }

  @Test func scalesRoundAsAsked() {
    #expect(ScaleFormat.encode(3, rounding: .up) == 129)
    #expect(ScaleFormat.encode(3, rounding: .down) == 128)
    #expect(ScaleFormat.encode(3, rounding: .nearest) == 129)
    #expect(ScaleFormat.encode(2.9, rounding: .nearest) == 128)
    #expect(ScaleFormat.encode(-4) == 129)
    #expect(ScaleFormat.encode(0) == 0)
    #expect(ScaleFormat.encode(.greatestFiniteMagnitude) == 254)
    #expect(ScaleFormat.encode(.infinity, saturate: false) == 255)
    #expect(ScaleFormat.encode(.nan) == 255)
  }
}
