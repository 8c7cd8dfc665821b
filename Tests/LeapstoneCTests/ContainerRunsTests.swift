// Sequences and optionals that C gives to runs and gets from them.

import CLeapstone
import LeapTestSupport
import Testing

@Suite struct ContainerRunsTests {
  /// A session of a model, for as long as `body` takes.
  private func with(_ model: [UInt8], _ body: (Handle?) throws -> Void) throws {
    let session = try made { leapstone_session_open_bytes(model, model.count, nil, $0) }
    try body(session)
    try ok(leapstone_session_free(session))
  }

  private func kind(_ value: Handle?) throws -> Int {
    var kind: leapstone_kind = 0
    try ok(leapstone_value_kind(value, &kind))
    return Int(kind)
  }

  /// The elements of all items, which are tensors of floats.
  private func items(_ value: Handle?) throws -> [[Float]] {
    var count = 0
    try ok(leapstone_value_count(value, &count))
    return try (0..<count).map { index in
      let item = try made { leapstone_value_item(value, index, $0) }
      defer { leapstone_value_free(item) }
      return try floats(item)
    }
  }

  private func free(_ values: [Handle?]) throws {
    for value in values { try ok(leapstone_value_free(value)) }
  }

  @Test func modelsTellTheirTypes() throws {
    try with(ContainerModel.looking) { session in
      var info: UnsafePointer<leapstone_value_info>?
      try ok(leapstone_session_info(session, leapstone_role(LEAPSTONE_INPUT), 0, &info))
      let input = try #require(info?.pointee)
      #expect(Int(input.kind) == LEAPSTONE_OPTIONAL)
      #expect(String(cString: input.type) == "optional(seq(tensor(float)))")
      #expect(Int(input.element_type) == LEAPSTONE_FLOAT32)
    }
  }

  @Test(arguments: [[], [[1, 2], [3]]] as [[[Float]]])
  func sequencesGoThroughARun(elements: [[Float]]) throws {
    try with(ContainerModel.inserting) { session in
      let tensors = try elements.map { try tensor($0, [Int64($0.count)]) }
      let sequence = try made { leapstone_sequence_create(tensors, tensors.count, $0) }
      let x = try tensor([4, 5, 6], [3])
      let result = run(session, [("s", sequence), ("x", x)], into: [nil, nil, nil])
      try ok(result.status)
      #expect(try kind(result.outputs[0]) == LEAPSTONE_SEQUENCE)
      #expect(try items(result.outputs[0]) == elements + [[4, 5, 6]])
      #expect(try floats(result.outputs[2]) == [-4, -5, -6])
      try free(tensors + [sequence, x] + result.outputs)
    }
  }

  @Test func optionalsGoThroughARun() throws {
    try with(ContainerModel.looking) { session in
      let x = try tensor([1], [1])
      let sequence = try made { leapstone_sequence_create([x], 1, $0) }
      for (item, expected) in [(nil, []), (sequence, [[1]])] as [(Handle?, [[Float]])] {
        let optional = try made { leapstone_optional_create(item, $0) }
        let result = run(session, [("o", optional)], into: [nil, nil])
        try ok(result.status)
        #expect(try kind(result.outputs[0]) == LEAPSTONE_OPTIONAL)
        var count = 0
        try ok(leapstone_value_count(result.outputs[0], &count))
        #expect(count == expected.count)
        if count == 1 {
          let inside = try made { leapstone_value_item(result.outputs[0], 0, $0) }
          #expect(try items(inside) == expected)
          try free([inside])
        }
        try free([optional] + result.outputs)
      }
      try free([x, sequence])
    }
  }

  /// Items of an output may be written into: they are no input's memory, nor another item's.
  @Test func memoryOfItemsIsNobodyElses() throws {
    try with(ContainerModel.inserting) { session in
      let x = try tensor([1, 2], [2])
      let sequence = try made { leapstone_sequence_create([x], 1, $0) }
      let result = run(session, [("s", sequence), ("x", x)], into: [nil, nil, nil])
      try ok(result.status)
      let item = try made { leapstone_value_item(result.outputs[0], 0, $0) }
      var data: UnsafeMutableRawPointer?
      var size = 0
      try ok(leapstone_tensor_data(item, &data, &size))
      data?.storeBytes(of: 99, as: Float.self)
      #expect(try items(result.outputs[0]) == [[99, 2], [1, 2]])
      #expect(try floats(x) == [1, 2])
      try free([x, sequence, item] + result.outputs)
    }
  }

  @Test func otherKindsAndTypesAreRefused() throws {
    try with(ContainerModel.inserting) { session in
      let x = try tensor([1], [1])
      let integer = try made { leapstone_tensor_create(7, [1], 1, nil, 8, $0) }
      let wrong = [
        x, try made { leapstone_sequence_create([integer], 1, $0) },
        try made { leapstone_optional_create(nil, $0) },
      ]
      for (value, text) in zip(wrong, ["got float32 1", "int64 1", "an optional without value"]) {
        let result = run(session, [("s", value), ("x", x)], into: [nil, nil, nil])
        #expect(result.status == LEAPSTONE_INVALID_ARGUMENT)
        #expect(message.contains("'s'") && message.contains(text), "\(message)")
        #expect(result.outputs == [nil, nil, nil])
      }
      try free(wrong + [integer])
    }
  }

  @Test func aSequenceIsNotWrittenIntoATensor() throws {
    try with(ContainerModel.inserting) { session in
      let (x, place) = (try tensor([1], [1]), try tensor([0], [1]))
      let empty = try made { leapstone_sequence_create(nil, 0, $0) }
      let result = run(
        session, [("s", empty), ("x", x)], outputs: ["longer"], into: [place])
      #expect(result.status == LEAPSTONE_INVALID_ARGUMENT)
      #expect(message.contains("a sequence of 1: float32 1"), "\(message)")
      let last = run(session, [("s", empty), ("x", x)], outputs: ["last"], into: [place])
      try ok(last.status)
      #expect(try floats(place) == [-1])
      try free([x, place, empty])
    }
  }

  @Test func memoryOfItemsMayNotBeWritten() throws {
    try with(ContainerModel.inserting) { session in
      let (x, item) = (try tensor([1], [1]), try tensor([0], [1]))
      let sequence = try made { leapstone_sequence_create([item], 1, $0) }
      let result = run(session, [("s", sequence), ("x", x)], outputs: ["last"], into: [item])
      #expect(result.status == LEAPSTONE_INVALID_ARGUMENT)
      #expect(message.contains("overlaps"), "\(message)")
      try free([x, item, sequence])
    }
  }

  @Test func workingMemoryIsToldWithoutSequences() throws {
    try with(ContainerModel.inserting) { session in
      var bytes: UInt64 = 1
      let status = "x".withCString { name in
        let extents: [Int64] = [3]
        return extents.withUnsafeBufferPointer {
          leapstone_session_working_memory(session, [name], [$0.baseAddress], [1], 1, &bytes)
        }
      }
      try ok(status)
      #expect(bytes == 0)
    }
  }
}
