// Values: what goes in comes out, memory is given back once and not too early.

import CLeapstone
import LeapTestSupport
import Leapstone
import Synchronization
import Testing

/// Counts how often memory was given back; C carries it as context.
final class ReleaseCount: Sendable {
  private let count = Atomic<Int>(0)
  var value: Int { count.load(ordering: .sequentiallyConsistent) }

  /// The context to borrow memory with. Each is for one call of `released`.
  func context() -> UnsafeMutableRawPointer { Unmanaged.passRetained(self).toOpaque() }

  static let released: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
    guard let context else { return }
    let owner = Unmanaged<ReleaseCount>.fromOpaque(context).takeRetainedValue()
    owner.count.add(1, ordering: .sequentiallyConsistent)
  }
}

@Suite struct ValuesTests {
  private func borrow(
    _ memory: UnsafeMutableBufferPointer<Float>, _ dimensions: [Int64], _ count: ReleaseCount
  ) throws -> Handle? {
    try made {
      leapstone_tensor_borrow(
        leapstone_element_type(LEAPSTONE_FLOAT32), dimensions, dimensions.count,
        memory.baseAddress, memory.count * 4, ReleaseCount.released, count.context(), $0)
    }
  }

  private func info(_ value: Handle?) throws -> (type: Int32, shape: [Int64]) {
    var (type, rank) = (Int32(0), 0)
    var dimensions: UnsafePointer<Int64>?
    try ok(leapstone_tensor_info(value, &type, &dimensions, &rank))
    return (type, (0..<rank).compactMap { dimensions?[$0] })
  }

  @Test func borrowedMemoryIsShownAndGivenBackOnce() throws {
    let count = ReleaseCount()
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 6)
    defer { memory.deallocate() }
    _ = memory.initialize(from: [1, 2, 3, 4, 5, 6])
    let value = try borrow(memory, [2, 3], count)
    var (data, size): (UnsafeMutableRawPointer?, Int) = (nil, 0)
    try ok(leapstone_tensor_data(value, &data, &size))
    #expect(data == UnsafeMutableRawPointer(memory.baseAddress))
    #expect(size == 24)
    #expect(try info(value) == (1, [2, 3]))
    #expect(count.value == 0)
    try ok(leapstone_value_free(value))
    #expect(count.value == 1)
    #expect(leapstone_value_free(value) == LEAPSTONE_INVALID_HANDLE)
    #expect(count.value == 1)
  }

  @Test func memoryThatIsSharedIsGivenBackWithTheLastThatSharesIt() throws {
    let count = ReleaseCount()
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2)
    defer { memory.deallocate() }
    memory.initialize(repeating: 7)
    let value = try borrow(memory, [2], count)
    let sequence = try made { leapstone_sequence_create([value, value], 2, $0) }
    let optional = try made { leapstone_optional_create(value, $0) }
    try ok(leapstone_value_free(value))
    let item = try made { leapstone_value_item(sequence, 1, $0) }
    try ok(leapstone_value_free(sequence))
    try ok(leapstone_value_free(optional))
    #expect(count.value == 0)
    #expect(try floats(item) == [7, 7])
    try ok(leapstone_value_free(item))
    #expect(count.value == 1)
  }

  @Test func memoryOfACallThatFailsIsNotGivenBack() {
    let count = ReleaseCount()
    let context = count.context()
    var value: Handle?
    var memory: [Float] = [1, 2]
    let status = leapstone_tensor_borrow(
      1, [3], 1, &memory, 8, ReleaseCount.released, context, &value)
    #expect(status == LEAPSTONE_INVALID_ARGUMENT)
    #expect(count.value == 0)
    Unmanaged<ReleaseCount>.fromOpaque(context).release()
  }

  @Test(arguments: DataType.allCases.filter { $0 != .string })
  func everyElementTypeHoldsItsBytes(type: DataType) throws {
    let bytes = try #require(type.byteCount(elements: 15))
    let content = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let value = try made {
      leapstone_tensor_create(type.rawValue, [3, 5], 2, content, bytes, $0)
    }
    let zeros = try made { leapstone_tensor_create(type.rawValue, [3, 5], 2, nil, bytes, $0) }
    #expect(try info(value) == (type.rawValue, [3, 5]))
    for (handle, expected) in [(value, content), (zeros, [UInt8](repeating: 0, count: bytes))] {
      var (data, size): (UnsafeMutableRawPointer?, Int) = (nil, 0)
      try ok(leapstone_tensor_data(handle, &data, &size))
      #expect([UInt8](UnsafeRawBufferPointer(start: data, count: size)) == expected)
      #expect(UInt(bitPattern: data) % 64 == 0)
      try ok(leapstone_value_free(handle))
    }
  }

  @Test(arguments: [[], [0], [2, 0, 3], [1]] as [[Int64]])
  func scalarsAndTensorsWithoutElements(dimensions: [Int64]) throws {
    let bytes = 4 * Int(dimensions.reduce(1, *))
    let number = UnsafeMutablePointer<Float>.allocate(capacity: 1)
    defer { number.deallocate() }
    number.initialize(to: 5)
    let value = try made {
      leapstone_tensor_borrow(
        1, dimensions, dimensions.count, bytes == 0 ? nil : number, bytes, nil, nil, $0)
    }
    #expect(try info(value).shape == dimensions)
    #expect(try floats(value) == (bytes == 0 ? [] : [5]))
    try ok(leapstone_value_free(value))
  }

  @Test func stringsKeepTheirBytes() throws {
    let texts = ["", "skip", "größer", "a\0b", "\u{1F409}", "end"]
    let buffers = texts.map { Array($0.utf8CString) }
    let pointers = buffers.map { buffer in
      buffer.withUnsafeBufferPointer { source -> UnsafePointer<CChar>? in
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: source.count)
        copy.initialize(from: source.baseAddress!, count: source.count)
        return UnsafePointer(copy)
      }
    }
    defer { for pointer in pointers { pointer?.deallocate() } }
    let value = try made {
      leapstone_tensor_create_strings([2, 3], 2, pointers, texts.map(\.utf8.count), $0)
    }
    defer { leapstone_value_free(value) }
    var strings: UnsafePointer<UnsafePointer<CChar>?>?
    var lengths: UnsafePointer<Int>?
    var count = 0
    try ok(leapstone_tensor_strings(value, &strings, &lengths, &count))
    #expect(count == 6)
    for (index, text) in texts.enumerated() {
      let bytes = UnsafeRawBufferPointer(start: strings?[index], count: lengths?[index] ?? 0)
      #expect(String(decoding: bytes, as: UTF8.self) == text)
    }
    #expect(try info(value) == (8, [2, 3]))
    var data: UnsafeMutableRawPointer?
    #expect(leapstone_tensor_data(value, &data, &count) == LEAPSTONE_INVALID_ARGUMENT)

    // Without lengths a NUL ends each.
    let cut = try made { leapstone_tensor_create_strings([6], 1, pointers, nil, $0) }
    try ok(leapstone_tensor_strings(cut, &strings, &lengths, &count))
    #expect(lengths?[3] == 1)
    try ok(leapstone_value_free(cut))
  }

  @Test func missingStringsAreRefused() {
    var value: Handle?
    #expect(
      leapstone_tensor_create_strings([2], 1, [nil, nil], nil, &value) == LEAPSTONE_INVALID_ARGUMENT
    )
    #expect(
      leapstone_tensor_create_strings([1], 1, [nil], [3], &value) == LEAPSTONE_INVALID_ARGUMENT)
    #expect(
      leapstone_tensor_create_strings([1], 1, [nil], [-1], &value) == LEAPSTONE_INVALID_ARGUMENT)
  }

  /// Bytes alone, cut off, Latin-1, a surrogate, longer than need be.
  @Test(
    arguments: [
      [0xFF], [0x61, 0xC3], [0x63, 0x61, 0x66, 0xE9], [0xED, 0xA0, 0x80], [0xC0, 0xAF],
    ] as [[UInt8]])
  func stringsThatAreNotUTF8AreRefused(bytes: [UInt8]) {
    let text = (bytes + [0]).map { CChar(bitPattern: $0) }
    text.withUnsafeBufferPointer { text in
      "fine".withCString { fine in
        var value: Handle?
        for lengths in [[4, bytes.count], nil] as [[Int]?] {
          let status = leapstone_tensor_create_strings(
            [2], 1, [fine, text.baseAddress], lengths, &value)
          #expect(status == LEAPSTONE_INVALID_ARGUMENT)
          #expect(value == nil)
          #expect(message.contains("strings[1] is not UTF-8"))
        }
        #expect(
          leapstone_session_open(text.baseAddress, nil, &value) == LEAPSTONE_INVALID_ARGUMENT)
        #expect(message.contains("path is not UTF-8"))
      }
    }
  }

  @Test func sequencesAndOptionalsNest() throws {
    let value = try tensor([1, 2], [2])
    let empty = try made { leapstone_optional_create(nil, $0) }
    let full = try made { leapstone_optional_create(value, $0) }
    let none = try made { leapstone_sequence_create(nil, 0, $0) }
    let inner = try made { leapstone_sequence_create([value], 1, $0) }
    let outer = try made { leapstone_sequence_create([inner, none], 2, $0) }
    for (handle, kind, items) in [
      (empty, LEAPSTONE_OPTIONAL, 0), (full, LEAPSTONE_OPTIONAL, 1), (none, LEAPSTONE_SEQUENCE, 0),
      (outer, LEAPSTONE_SEQUENCE, 2),
    ] {
      var (found, count): (leapstone_kind, Int) = (0, 9)
      try ok(leapstone_value_kind(handle, &found))
      try ok(leapstone_value_count(handle, &count))
      #expect(Int(found) == kind)
      #expect(count == items)
    }
    var item = Handle(bitPattern: 1)
    #expect(leapstone_value_item(empty, 0, &item) == LEAPSTONE_INVALID_ARGUMENT)
    #expect(item == nil)
    #expect(leapstone_value_item(outer, -1, &item) == LEAPSTONE_INVALID_ARGUMENT)
    #expect(leapstone_value_item(value, 0, &item) == LEAPSTONE_INVALID_ARGUMENT)
    var (type, rank) = (Int32(0), 0)
    #expect(leapstone_tensor_info(outer, &type, nil, &rank) == LEAPSTONE_INVALID_ARGUMENT)
    for handle in [value, empty, full, none, inner, outer] { try ok(leapstone_value_free(handle)) }
  }

  @Test func aSequenceHoldsValuesOfOneType() throws {
    let value = try tensor([1], [1])
    let other = try made { leapstone_tensor_create(7, [1], 1, nil, 8, $0) }
    let optional = try made { leapstone_optional_create(value, $0) }
    var sequence: Handle?
    for mixed in [[value, other], [value, optional]] {
      #expect(leapstone_sequence_create(mixed, 2, &sequence) == LEAPSTONE_INVALID_ARGUMENT)
    }
    #expect(leapstone_sequence_create([value, nil], 2, &sequence) == LEAPSTONE_INVALID_HANDLE)
    for handle in [value, other, optional] { try ok(leapstone_value_free(handle)) }
  }

  @Test func valuesNestNoDeeperThanTypes() throws {
    var values = [try tensor([1], [1])]
    while let value = try? made({ leapstone_optional_create(values.last ?? nil, $0) }) {
      values.append(value)
    }
    #expect(values.count == 65)
    #expect(message.contains("64"), "\(message)")
    var sequence: Handle?
    let status = leapstone_sequence_create([values.last ?? nil], 1, &sequence)
    #expect(status == LEAPSTONE_INVALID_ARGUMENT)
    for value in values { try ok(leapstone_value_free(value)) }
  }
}
