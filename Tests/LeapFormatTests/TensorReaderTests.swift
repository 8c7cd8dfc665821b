// TensorReaderTests: every way to write a tensor down, and what is wrong with one.

import Foundation
import LeapFormat
import LeapGraph
import LeapTensors
import LeapTestSupport
import Testing

/// Reads a TensorProto made by `write`.
func readTensor(_ write: (inout WireWriter) -> Void) throws -> Tensor {
  try WireWriter(write).bytes.withUnsafeBytes { bytes in
    let stored = try StoredValue.read(bytes: bytes, as: .tensor, name: "test")
    guard case .tensor(let tensor) = stored.value else {
      throw ModelError.invalid(location: "test", reason: "no tensor")
    }
    return tensor
  }
}

/// The message of the error that `body` throws; empty where it throws none.
func message(of body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch { return "\(error)" }
}

@Suite struct TensorReaderTests {
  private func bytes(_ tensor: Tensor) -> [UInt8] { tensor.withUnsafeBytes { Array($0) } }

  private func header(_ writer: inout WireWriter, _ type: DataType, _ dims: [Int64]) {
    for extent in dims { writer.int(1, extent) }
    writer.int(2, Int64(type.rawValue))
  }

  /// Each numeric type as raw bytes, with as many bytes as it needs for three elements.
  @Test(arguments: DataType.allCases.filter { $0 != .string && $0 != .bool })
  func rawData(_ type: DataType) throws {
    let count = try #require(type.byteCount(elements: 3))
    let raw = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 1) }
    let tensor = try readTensor {
      header(&$0, type, [3])
      $0.data(9, raw)
    }
    #expect(tensor.dataType == type)
    #expect(tensor.shape == [3])
    #expect(bytes(tensor) == raw)
  }

  struct Typed: Sendable, CustomTestStringConvertible {
    var type: DataType
    var field: UInt64
    var entries: [Int64]
    var count: Int64
    var bytes: [UInt8]
    var testDescription: String { "\(type) in field \(field)" }
  }

  static let typed: [Typed] = [
    Typed(
      type: .int32, field: 5, entries: [-1, 7], count: 2, bytes: [255, 255, 255, 255, 7, 0, 0, 0]),
    Typed(type: .int16, field: 5, entries: [-2, 3], count: 2, bytes: [254, 255, 3, 0]),
    Typed(type: .uint16, field: 5, entries: [65535], count: 1, bytes: [255, 255]),
    Typed(type: .int8, field: 5, entries: [-128, 127], count: 2, bytes: [128, 127]),
    Typed(type: .uint8, field: 5, entries: [0, 255], count: 2, bytes: [0, 255]),
    Typed(type: .bool, field: 5, entries: [0, 1, 5], count: 3, bytes: [0, 1, 1]),
    Typed(type: .float16, field: 5, entries: [0x3c00], count: 1, bytes: [0, 0x3c]),
    Typed(type: .bfloat16, field: 5, entries: [0x3f80], count: 1, bytes: [0x80, 0x3f]),
    Typed(type: .float8e4m3fn, field: 5, entries: [0x38, 0xff], count: 2, bytes: [0x38, 0xff]),
    Typed(type: .float8e8m0, field: 5, entries: [127], count: 1, bytes: [127]),
    Typed(type: .int4, field: 5, entries: [0x21, 0x0f], count: 3, bytes: [0x21, 0x0f]),
    Typed(type: .float4e2m1, field: 5, entries: [0x21], count: 2, bytes: [0x21]),
    Typed(type: .uint2, field: 5, entries: [0xe4], count: 4, bytes: [0xe4]),
    // Six bits to an entry: 1 | 2 << 6 | 3 << 12 | 63 << 18, and 5.
    Typed(
      type: .float6e2m3, field: 5, entries: [1, 2, 3, 63, 5], count: 5,
      bytes: [0x81, 0x30, 0xfc, 0x05]),
    Typed(
      type: .int64, field: 7, entries: [-1], count: 1, bytes: [UInt8](repeating: 255, count: 8)),
    Typed(type: .uint32, field: 11, entries: [0xffff_ffff], count: 1, bytes: [255, 255, 255, 255]),
    Typed(
      type: .uint64, field: 11, entries: [-1], count: 1, bytes: [UInt8](repeating: 255, count: 8)),
  ]

  @Test(arguments: typed) func typedFieldPackedAndUnpacked(_ item: Typed) throws {
    let packed = try readTensor {
      header(&$0, item.type, [item.count])
      $0.packed(item.field, item.entries)
    }
    #expect(bytes(packed) == item.bytes)
    let unpacked = try readTensor {
      header(&$0, item.type, [item.count])
      for entry in item.entries { $0.int(item.field, entry) }
    }
    #expect(bytes(unpacked) == item.bytes)
  }

  /// Above a kilobyte the scan leaves the list where it is.
  @Test(arguments: [DataType.int64, .int32, .int8, .float16, .uint64, .float6e3m2, .bool])
  func longTypedField(_ type: DataType) throws {
    let count = 5000
    let entries = (0..<count).map { type == .bool ? Int64($0 % 2) : Int64($0 % 64) }
    let field: UInt64 = type == .int64 ? 7 : type == .uint64 ? 11 : 5
    let tensor = try readTensor {
      header(&$0, type, [Int64(count)])
      $0.packed(field, entries)
    }
    if type.bitWidth == 6 {
      let found = tensor.withUnsafeBytes { bytes in
        (0..<count).map { Int64(PackedElements.bits(bytes, at: $0, width: 6)) }
      }
      #expect(found == entries)
    } else if type == .float16 {
      #expect(bytes(tensor) == entries.flatMap { [UInt8($0), 0] })
    } else {
      #expect(tensor.integers == entries.map { Int($0) })
    }
  }

  @Test(arguments: [1, 5000]) func floatsAndDoubles(_ count: Int) throws {
    let floats = (0..<count).map { Float($0) * 0.5 }
    let raw = floats.flatMap { value in withUnsafeBytes(of: value) { Array($0) } }
    let tensor = try readTensor {
      header(&$0, .float32, [Int64(count)])
      $0.data(4, raw)
    }
    #expect(tensor.elements(as: Float.self) == floats)
    let doubles = floats.map { Double($0) }
    let rawDoubles = doubles.flatMap { value in withUnsafeBytes(of: value) { Array($0) } }
    let wide = try readTensor {
      header(&$0, .float64, [Int64(count)])
      $0.data(10, rawDoubles)
    }
    #expect(wide.elements(as: Double.self) == doubles)
    // Two floats to a complex number.
    guard count % 2 == 0 else { return }
    let complex = try readTensor {
      header(&$0, .complex64, [Int64(count / 2)])
      $0.data(4, raw)
    }
    #expect(bytes(complex) == raw)
  }

  @Test func strings() throws {
    let tensor = try readTensor {
      header(&$0, .string, [2])
      $0.string(6, "häuser")
      $0.string(6, "")
    }
    #expect(tensor.strings == ["häuser", ""])
  }

  @Test func scalarAndEmpty() throws {
    #expect(
      try readTensor {
        header(&$0, .int64, [])
        $0.packed(7, [4])
      }.integers == [4])
    #expect(try readTensor { header(&$0, .float32, [0, 3]) }.elementCount == 0)
  }

  @Test func encodedTensorsComeBack() throws {
    let tensors: [Tensor] = [
      try Tensor([Float(1), 2, 3, 4, 5, 6], shape: [2, 3]), try Tensor(scalar: Int64(-3)),
      try Tensor(strings: ["a", "", "längeres Wort"], shape: [3, 1]),
      try Tensor([UInt8](), shape: [0]),
    ]
    for tensor in tensors {
      let encoded = try TensorEncoder.encode(tensor, name: "näme")
      let (name, value) = try encoded.withUnsafeBytes {
        try StoredValue.read(bytes: $0, as: .tensor)
      }
      guard case .tensor(let back) = value else {
        Issue.record("no tensor came back")
        return
      }
      #expect(name == "näme")
      #expect(back.dataType == tensor.dataType && back.shape == tensor.shape)
      #expect(back.strings == tensor.strings)
      #expect(bytes(back) == bytes(tensor))
    }
  }

  @Test func wrongTensorsAreNamed() {
    func error(_ write: @escaping (inout WireWriter) -> Void) -> String {
      message { _ = try readTensor(write) }
    }
    #expect(
      error {
        self.header(&$0, .float32, [2])
        $0.data(9, [0, 0, 0, 0])
      }.contains("needs 8 bytes"))
    #expect(
      error {
        self.header(&$0, .float32, [3])
        $0.data(4, [0, 0, 0, 0])
      }.contains("number of entries"))
    #expect(
      error {
        self.header(&$0, .float32, [1])
        $0.packed(7, [1])
      }.contains("belong in"))
    #expect(
      error {
        self.header(&$0, .int8, [1])
        $0.packed(5, [300])
      }.contains("out of the range"))
    #expect(
      error {
        self.header(&$0, .int64, [-1])
        $0.packed(7, [1])
      }.contains("not negative"))
    #expect(
      error {
        $0.int(1, 1)
        $0.int(2, 0)
        $0.data(9, [0])
      }.contains("undefined"))
    #expect(
      error {
        $0.int(1, 1)
        $0.int(2, 77)
        $0.data(9, [0])
      }.contains("77"))
    #expect(
      error {
        self.header(&$0, .string, [1])
        $0.data(9, [0])
      }.contains("string_data"))
    #expect(
      error {
        self.header(&$0, .string, [2])
        $0.string(6, "a")
        $0.data(6, [0x61, 0xFF])
      }.contains("string 1 is not UTF-8"))
    #expect(
      error {
        self.header(&$0, .int64, [2000])
        $0.packed(7, Array(repeating: 1, count: 1999))
      }.contains("1999"))
    #expect(
      error {
        self.header(&$0, .int64, [1500])
        $0.packed(7, Array(repeating: 300, count: 1501))
      }
      .contains("more are there"))
    #expect(
      error {
        self.header(&$0, .int32, [4])
        $0.data(5, [0x80])
      }.contains("truncated"))
    let chunk = [UInt8](repeating: 0, count: 2048)
    #expect(
      error {
        self.header(&$0, .float32, [1024])
        $0.data(4, chunk)
        $0.data(4, chunk)
      }.contains("is split"))
    #expect(
      error {
        self.header(&$0, .float32, [1024])
        $0.data(4, chunk)
        $0.data(9, chunk)
      }.contains("second payload"))
  }

  /// A model with two tensors in files that are not there, one of them outside of the model's directory.
  private let scattered = WireWriter.model {
    for (name, location, offset) in [("a", "weights.bin", "128"), ("b", "../b.bin", "0")] {
      $0.message(5) {
        $0.packed(1, [3, 2])
        $0.int(2, 1)
        $0.string(8, name)
        for (key, value) in [("location", location), ("offset", offset)] {
          $0.message(13) {
            $0.string(1, key)
            $0.string(2, value)
          }
        }
        $0.int(14, 1)
      }
    }
    $0.node("Add", ["a", "b"], ["y"])
    $0.value(12, "y")
  }

  @Test func aReaderMayGoOnWithoutPayloads() throws {
    let path = "/tmp/leapstone-scattered-\(UInt32.random(in: 0 ... .max)).onnx"
    #expect(FileManager.default.createFile(atPath: path, contents: Data(scattered)))
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(throws: ModelError.self) { try ModelReader.read(path: path) }
    var options = ReadOptions()
    options.goesOnWithoutPayloads = true
    let model = try ModelReader.read(path: path, options: options)
    #expect(model.absent.map(\.name) == ["a", "b"])
    #expect(model.absent.map(\.location) == ["weights.bin", "../b.bin"])
    #expect(model.absent.map(\.offset) == [128, 0] && model.absent.map(\.byteCount) == [24, 24])
    #expect(model.absent[0].reason.hasPrefix("No such file"))
    #expect(model.absent[1].reason.contains("leads out of the model's directory"))
    #expect(model.graph.constants.count == 2)
    for constant in model.graph.constants.values {
      #expect(constant.isAbsent && constant.shape == [3, 2] && constant.reshaped([6]).isAbsent)
      #expect(throws: ModelError.self) { try constant.tensor() }
    }
  }
}
