// Runs from C: the results of Swift's to the bit, in memory of the caller's too, ended early, recorded.

import CLeapstone
import Dispatch
import LeapTestSupport
import Leapstone
import Testing

@Suite struct RunsTests {
  private func expected(batch: Int = 1) throws -> [Float] {
    let session = try InferenceSession(path: Digits.path)
    let elements = [[Float]](repeating: Digits.picture, count: batch).flatMap { $0 }
    let input = try Tensor(elements, shape: [batch, 1, 32, 32])
    return try #require(try session.run(["input": input])["output"]?.elements(as: Float.self))
  }

  /// A session and a picture, for as long as `body` takes.
  private func withDigits(
    _ options: [(String, String)] = [], batch: Int = 1, _ body: (Handle?, Handle?) throws -> Void
  ) throws {
    let session = try Digits.session(options)
    let input = try Digits.input(batch: batch)
    try body(session, input)
    try ok(leapstone_value_free(input))
    try ok(leapstone_session_free(session))
  }

  @Test(arguments: [1, 3], [["output"], nil] as [[String]?])
  func resultsAreThoseOfSwift(batch: Int, names: [String]?) throws {
    try withDigits(batch: batch) { session, input in
      let result = run(session, [("input", input)], outputs: names)
      try ok(result.status)
      #expect(try floats(result.outputs[0]) == (try expected(batch: batch)))
      try ok(leapstone_value_free(result.outputs[0]))
    }
  }

  @Test func everyValueOfTheGraphCanBeAskedFor() throws {
    try withDigits { session, input in
      var names: UnsafePointer<UnsafePointer<CChar>?>?
      var count = 0
      try ok(leapstone_session_value_names(session, &names, &count))
      let middle = try #require((names?[count / 2]).map { String(cString: $0) })
      let result = run(
        session, [("input", input)], outputs: [middle, "output", middle], into: [nil, nil, nil])
      try ok(result.status)
      #expect(try floats(result.outputs[0]) == (try floats(result.outputs[2])))
      // A value that is to be kept is fused into nothing, which may change the last bits of what follows.
      for (found, expected) in zip(try floats(result.outputs[1]), try expected()) {
        #expect(abs(found - expected) < 1e-4)
      }
      for output in result.outputs { try ok(leapstone_value_free(output)) }
    }
  }

  /// Memory of the caller's is aligned as its elements are, and no better.
  @Test(arguments: 0..<3)
  func resultsAreWrittenIntoGivenMemory(offset: Int) throws {
    try withDigits { session, _ in
      let all = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2048)
      defer { all.deallocate() }
      all.initialize(repeating: -1)
      let memory = UnsafeMutableBufferPointer(rebasing: all[offset..<offset + 10])
      let picture = UnsafeMutableBufferPointer(rebasing: all[16 + offset..<16 + offset + 1024])
      _ = picture.update(from: Digits.picture)
      let input = try made {
        leapstone_tensor_borrow(1, Digits.shape, 4, picture.baseAddress, 4096, nil, nil, $0)
      }
      defer { leapstone_value_free(input) }
      let place = try made {
        leapstone_tensor_borrow(1, [1, 10], 2, memory.baseAddress, 40, nil, nil, $0)
      }
      for _ in 0..<2 {
        let result = run(session, [("input", input)], into: [place])
        try ok(result.status)
        #expect(result.outputs[0] == place)
        #expect(Array(memory) == (try expected()))
        memory.update(repeating: -1)
      }
      try ok(leapstone_value_free(place))
    }
  }

  @Test func memoryThatDoesNotFitIsRefused() throws {
    try withDigits { session, input in
      let wrong = [
        try tensor([Float](repeating: 0, count: 10), [10]),
        try made { leapstone_tensor_create(7, [1, 10], 2, nil, 80, $0) },
        try made { leapstone_sequence_create(nil, 0, $0) },
        try made { leapstone_tensor_create_strings([0], 1, nil, nil, $0) },
        input,
      ]
      for place in wrong {
        let result = run(session, [("input", input)], into: [place])
        #expect(result.status == LEAPSTONE_INVALID_ARGUMENT)
        #expect(result.outputs[0] == place)
      }
      for place in wrong.dropLast() { try ok(leapstone_value_free(place)) }
      // A result that the session made may be shared.
      let first = run(session, [("input", input)])
      let second = run(session, [("input", input)], into: first.outputs)
      #expect(second.status == LEAPSTONE_INVALID_ARGUMENT)
      try ok(leapstone_value_free(first.outputs[0]))
    }
  }

  @Test func memoryOfTwoOutputsMayNotOverlap() throws {
    try withDigits { session, input in
      var names: UnsafePointer<UnsafePointer<CChar>?>?
      var count = 0
      try ok(leapstone_session_value_names(session, &names, &count))
      let other = try #require((names?[count - 2]).map { String(cString: $0) })
      let place = try tensor([Float](repeating: 0, count: 10), [1, 10])
      let result = run(
        session, [("input", input)], outputs: ["output", other], into: [place, place])
      #expect(result.status == LEAPSTONE_INVALID_ARGUMENT)
      #expect(message.contains("overlaps"))
      try ok(leapstone_value_free(place))
    }
  }

  @Test func inputsThatDoNotFitAreRefused() throws {
    try withDigits { session, input in
      let shape = try tensor([1, 2], [2])
      let type = try made { leapstone_tensor_create(7, [1, 1, 32, 32], 4, nil, 8192, $0) }
      let sequence = try made { leapstone_sequence_create([input], 1, $0) }
      for inputs in [
        [], [("output", input)], [("input", shape)], [("input", type)], [("input", sequence)],
        [("input", input), ("input", input)], [("input", input), ("other", input)],
      ] {
        let result = run(session, inputs)
        #expect(result.status == LEAPSTONE_INVALID_ARGUMENT)
        #expect(result.outputs == [nil])
      }
      #expect(run(session, [("input", nil)]).status == LEAPSTONE_INVALID_HANDLE)
      #expect(run(session, [("input", session)]).status == LEAPSTONE_INVALID_HANDLE)
      let unknown = run(session, [("input", input)], outputs: ["no such value"])
      #expect(unknown.status == LEAPSTONE_INVALID_ARGUMENT)
      #expect(message.contains("no such value"))
      #expect(run(session, [("input", input)], into: []).status == LEAPSTONE_INVALID_ARGUMENT)
      #expect(
        run(session, [("input", input)], into: [nil, nil]).status == LEAPSTONE_INVALID_ARGUMENT)
      for value in [shape, type, sequence] { try ok(leapstone_value_free(value)) }
    }
  }

  @Test func runOptionsOfAnotherSizeAreRefused() throws {
    try withDigits { session, input in
      for size in [0, 8, 31, 33, 4096, -1] {
        var options = leapstone_run_options(size: size, timeout: 0, cancellation: nil, profile: nil)
        var output: Handle?
        "input".withCString { name in
          #expect(
            leapstone_session_run(session, &options, [name], [input], 1, nil, &output, 1)
              == LEAPSTONE_INVALID_ARGUMENT)
        }
      }
      for timeout in [-1, Double.nan, -Double.infinity] {
        let options = leapstone_run_options(
          size: 0, timeout: timeout, cancellation: nil, profile: nil)
        let result = run(session, [("input", input)], options: options)
        #expect(result.status == LEAPSTONE_INVALID_ARGUMENT)
      }
    }
  }

  @Test(arguments: [0, 10, 1e12, Double.infinity])
  func aTimeoutThatSufficesChangesNothing(timeout: Double) throws {
    try withDigits { session, input in
      let options = leapstone_run_options(
        size: 0, timeout: timeout, cancellation: nil, profile: nil)
      let result = run(session, [("input", input)], options: options)
      try ok(result.status)
      try ok(leapstone_value_free(result.outputs[0]))
    }
  }

  @Test func aRunThatTakesTooLongIsEnded() throws {
    try withDigits { session, input in
      let options = leapstone_run_options(size: 0, timeout: 1e-9, cancellation: nil, profile: nil)
      let result = run(session, [("input", input)], options: options)
      #expect(result.status == LEAPSTONE_TIMED_OUT)
      #expect(result.outputs == [nil])
    }
  }

  @Test func aCancelledRunIsEndedAndSoAreLaterOnes() throws {
    try withDigits(batch: 64) { session, input in
      let cancellation = try made { leapstone_cancellation_create($0) }
      let options = leapstone_run_options(
        size: 0, timeout: 0, cancellation: cancellation, profile: nil)
      nonisolated(unsafe) let (shared, given, chosen) = (session, input, options)
      let group = DispatchGroup()
      for _ in 0..<2 {
        DispatchQueue.global().async(group: group) {
          var status = leapstone_status(LEAPSTONE_OK)
          while status == LEAPSTONE_OK {
            let result = run(shared, [("input", given)], options: chosen)
            _ = leapstone_value_free(result.outputs[0])
            status = result.status
          }
          #expect(status == LEAPSTONE_CANCELLED)
        }
      }
      try ok(leapstone_cancellation_cancel(cancellation))
      group.wait()
      #expect(run(session, [("input", input)], options: options).status == LEAPSTONE_CANCELLED)
      try ok(leapstone_cancellation_free(cancellation))
      #expect(run(session, [("input", input)], options: options).status == LEAPSTONE_INVALID_HANDLE)
    }
  }

  @Test func stepsAreRecorded() throws {
    try withDigits { session, input in
      let profile = try made { leapstone_profile_create($0) }
      let options = leapstone_run_options(size: 0, timeout: 0, cancellation: nil, profile: profile)
      var steps: UnsafePointer<leapstone_step>?
      var counts = [0]
      for _ in 0..<2 {
        let result = run(session, [("input", input)], options: options)
        try ok(result.status)
        try ok(leapstone_value_free(result.outputs[0]))
        var count = 0
        try ok(leapstone_profile_steps(profile, &steps, &count))
        counts.append(count)
      }
      #expect(counts[1] > 0)
      #expect(counts[2] == 2 * counts[1])
      let first = try #require(steps?[0])
      #expect(String(cString: first.operator_type) == "Conv")
      #expect(String(cString: first.algorithm) != "")
      #expect(first.start <= first.end)
      try ok(leapstone_profile_free(profile))
      #expect(run(session, [("input", input)], options: options).status == LEAPSTONE_INVALID_HANDLE)
    }
  }

  @Test func manyThreadsShareASession() throws {
    try withDigits([("queue", "100")]) { session, input in
      let expected = try expected()
      nonisolated(unsafe) let (shared, given) = (session, input)
      DispatchQueue.concurrentPerform(iterations: 8) { _ in
        for _ in 0..<20 {
          let result = run(shared, [("input", given)])
          #expect(result.status == LEAPSTONE_OK)
          #expect((try? floats(result.outputs[0])) == expected)
          _ = leapstone_value_free(result.outputs[0])
        }
      }
    }
  }

  @Test func borrowedInputsAreGivenBackAfterTheRun() throws {
    let session = try Digits.session()
    let count = ReleaseCount()
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 1024)
    defer { memory.deallocate() }
    _ = memory.initialize(from: Digits.picture)
    let input = try made {
      leapstone_tensor_borrow(
        1, Digits.shape, 4, memory.baseAddress, 4096, ReleaseCount.released, count.context(), $0)
    }
    let result = run(session, [("input", input)])
    #expect(try floats(result.outputs[0]) == (try expected()))
    try ok(leapstone_value_free(input))
    #expect(count.value == 1)
    try ok(leapstone_value_free(result.outputs[0]))
    try ok(leapstone_session_free(session))
  }
}
