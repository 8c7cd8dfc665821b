// Every function with every pointer NULL and every number odd: an error, and nothing worse.

import CLeapstone
import LeapTestSupport
import Testing

@Suite struct ArgumentsTests {
  /// A function, called with nothing.
  struct Call: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let call: @Sendable () -> leapstone_status

    init(_ name: String, _ call: @escaping @Sendable () -> leapstone_status) {
      testDescription = name
      self.call = call
    }
  }

  static let empty = [
    Call("options_create") { leapstone_options_create(nil) },
    Call("options_set") { leapstone_options_set(nil, nil, nil) },
    Call("session_open") { leapstone_session_open(nil, nil, nil) },
    Call("session_open_bytes") { leapstone_session_open_bytes(nil, 0, nil, nil) },
    Call("session_count") { leapstone_session_count(nil, 0, nil) },
    Call("session_info") { leapstone_session_info(nil, 0, 0, nil) },
    Call("session_value_names") { leapstone_session_value_names(nil, nil, nil) },
    Call("session_warnings") { leapstone_session_warnings(nil, nil, nil) },
    Call("session_metadata") { leapstone_session_metadata(nil, nil) },
    Call("session_weight_bytes") { leapstone_session_weight_bytes(nil, nil, nil) },
    Call("session_working_memory") {
      leapstone_session_working_memory(nil, nil, nil, nil, 0, nil)
    },
    Call("tensor_borrow") { leapstone_tensor_borrow(0, nil, 0, nil, 0, nil, nil, nil) },
    Call("tensor_create") { leapstone_tensor_create(0, nil, 0, nil, 0, nil) },
    Call("tensor_create_strings") { leapstone_tensor_create_strings(nil, 0, nil, nil, nil) },
    Call("sequence_create") { leapstone_sequence_create(nil, 0, nil) },
    Call("optional_create") { leapstone_optional_create(nil, nil) },
    Call("value_kind") { leapstone_value_kind(nil, nil) },
    Call("tensor_info") { leapstone_tensor_info(nil, nil, nil, nil) },
    Call("tensor_data") { leapstone_tensor_data(nil, nil, nil) },
    Call("tensor_strings") { leapstone_tensor_strings(nil, nil, nil, nil) },
    Call("value_count") { leapstone_value_count(nil, nil) },
    Call("value_item") { leapstone_value_item(nil, 0, nil) },
    Call("cancellation_create") { leapstone_cancellation_create(nil) },
    Call("cancellation_cancel") { leapstone_cancellation_cancel(nil) },
    Call("profile_create") { leapstone_profile_create(nil) },
    Call("profile_steps") { leapstone_profile_steps(nil, nil, nil) },
    Call("session_run") { leapstone_session_run(nil, nil, nil, nil, 0, nil, nil, 0) },
  ]

  @Test(arguments: empty)
  func nothingIsAnError(_ call: Call) {
    let status = Int(call.call())
    #expect([LEAPSTONE_INVALID_ARGUMENT, LEAPSTONE_INVALID_HANDLE].contains(status))
    #expect(message.contains("NULL"))
  }

  /// A tensor that cannot be: type, dimensions, bytes.
  struct Impossible: Sendable, CustomTestStringConvertible {
    let type: Int
    let dimensions: [Int64]
    let byteCount: Int
    var testDescription: String { "type \(type), \(dimensions), \(byteCount) bytes" }
  }

  @Test(arguments: [
    Impossible(type: 0, dimensions: [1], byteCount: 4),
    Impossible(type: 29, dimensions: [1], byteCount: 4),
    Impossible(type: -1, dimensions: [1], byteCount: 4),
    Impossible(type: LEAPSTONE_STRING, dimensions: [1], byteCount: 0),
    Impossible(type: LEAPSTONE_FLOAT32, dimensions: [-1], byteCount: 4),
    Impossible(type: LEAPSTONE_FLOAT32, dimensions: [.min, 2], byteCount: 4),
    Impossible(type: LEAPSTONE_FLOAT32, dimensions: [.max, .max, 4], byteCount: 4),
    Impossible(type: LEAPSTONE_FLOAT64, dimensions: [.max], byteCount: -8),
    Impossible(type: LEAPSTONE_FLOAT32, dimensions: [2, 3], byteCount: 23),
    Impossible(type: LEAPSTONE_FLOAT32, dimensions: [2, 3], byteCount: 25),
    Impossible(type: LEAPSTONE_INT4, dimensions: [3], byteCount: 3),
    Impossible(type: LEAPSTONE_FLOAT32, dimensions: [0], byteCount: 4),
  ])
  func impossibleTensorsAreRefused(_ tensor: Impossible) {
    var value = Handle(bitPattern: 1)
    let type = leapstone_element_type(tensor.type)
    let memory = [UInt64](repeating: 0, count: 8)
    memory.withUnsafeBytes { bytes in
      #expect(
        leapstone_tensor_create(
          type, tensor.dimensions, tensor.dimensions.count, bytes.baseAddress, tensor.byteCount,
          &value) == LEAPSTONE_INVALID_ARGUMENT)
      #expect(value == nil)
      #expect(
        leapstone_tensor_borrow(
          type, tensor.dimensions, tensor.dimensions.count,
          UnsafeMutableRawPointer(mutating: bytes.baseAddress), tensor.byteCount, nil, nil, &value)
          == LEAPSTONE_INVALID_ARGUMENT)
    }
  }

  @Test(arguments: [-1, 1025, Int.max, Int.min])
  func impossibleRanksAreRefused(rank: Int) {
    var value: Handle?
    let status = leapstone_tensor_create(1, [1, 2, 3], rank, nil, 24, &value)
    #expect(status == LEAPSTONE_INVALID_ARGUMENT)
  }

  @Test func memoryThatIsMissingOrMisalignedIsRefused() {
    var value: Handle?
    let type = leapstone_element_type(LEAPSTONE_FLOAT32)
    var memory = [Float](repeating: 0, count: 4)
    #expect(
      leapstone_tensor_borrow(type, [2], 1, nil, 8, nil, nil, &value) == LEAPSTONE_INVALID_ARGUMENT)
    memory.withUnsafeMutableBytes { bytes in
      #expect(
        leapstone_tensor_borrow(type, [2], 1, bytes.baseAddress! + 2, 8, nil, nil, &value)
          == LEAPSTONE_INVALID_ARGUMENT)
    }
  }

  @Test func placesAreEmptyAfterAnError() throws {
    let session = try Digits.session()
    defer { leapstone_session_free(session) }
    var info: UnsafePointer<leapstone_value_info>?
    var count = 7
    #expect(leapstone_session_count(session, 9, &count) == LEAPSTONE_INVALID_ARGUMENT)
    #expect(count == 0)
    try ok(leapstone_session_info(session, leapstone_role(LEAPSTONE_INPUT), 0, &info))
    #expect(info != nil)
    for index in [1, -1, Int.max] {
      let status = leapstone_session_info(session, leapstone_role(LEAPSTONE_INPUT), index, &info)
      #expect(status == LEAPSTONE_INVALID_ARGUMENT)
      #expect(info == nil)
    }
  }

  @Test(arguments: [
    ("threads", "0"), ("threads", "many"), ("threads", ""), ("weights", "borrowed"),
    ("memory-budget", "-1"), ("memory-budget", "64XB"), ("concurrency", "0"), ("queue", "-1"),
    ("dim", "4"), ("dim", "n=x"), ("dim", "n=-1"), ("memory-policy", "tiny"),
    ("memory-policy", "auto"), ("memory_policy", "lean"), ("isa", "sse9"), ("isa", "AVX2"),
    ("flush-denormals", "yes"), ("", ""),
    ("--threads", "2"), ("Threads", "2"),
  ])
  func optionsWithoutMeaningAreRefused(key: String, value: String) throws {
    let options = try made { leapstone_options_create($0) }
    #expect(leapstone_options_set(options, key, value) == LEAPSTONE_INVALID_ARGUMENT)
    try ok(leapstone_options_free(options))
  }
}
