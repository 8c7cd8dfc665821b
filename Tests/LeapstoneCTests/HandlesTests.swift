// Handles that are no handles, no longer, or of something else.

import CLeapstone
import Dispatch
import LeapTestSupport
import Testing

@Suite struct HandlesTests {
  static let notHandles: [UInt] = [
    1, 64, 0x1000, .max, UInt(Int.max), 0x1E1F_FFFF_FFFF_FFFF, 0x1E2F_FFFF_FFFF_FFFF,
    0x1E60_0000_0000_0000, 0x7FFF_FFFF_FFF0,
  ]

  @Test(arguments: notHandles)
  func madeUpHandlesAreRefused(bits: UInt) {
    let handle = Handle(bitPattern: bits)
    var count = 0
    #expect(leapstone_session_count(handle, 1, &count) == LEAPSTONE_INVALID_HANDLE)
    #expect(leapstone_session_free(handle) == LEAPSTONE_INVALID_HANDLE)
    #expect(leapstone_options_free(handle) == LEAPSTONE_INVALID_HANDLE)
    #expect(leapstone_value_free(handle) == LEAPSTONE_INVALID_HANDLE)
    #expect(leapstone_profile_free(handle) == LEAPSTONE_INVALID_HANDLE)
    #expect(leapstone_cancellation_free(handle) == LEAPSTONE_INVALID_HANDLE)
    #expect(!message.isEmpty)
  }

  @Test func addressesOfRealMemoryAreRefused() {
    withUnsafeTemporaryAllocation(byteCount: 64, alignment: 64) { memory in
      let handle = Handle(memory.baseAddress!)
      #expect(leapstone_value_free(handle) == LEAPSTONE_INVALID_HANDLE)
      #expect(leapstone_cancellation_cancel(handle) == LEAPSTONE_INVALID_HANDLE)
    }
  }

  @Test func aFreedHandleStaysFreed() throws {
    let first = try made { leapstone_cancellation_create($0) }
    #expect(leapstone_cancellation_free(first) == LEAPSTONE_OK)
    #expect(leapstone_cancellation_free(first) == LEAPSTONE_INVALID_HANDLE)
    // Others take its place in the table.
    let others = try (0..<100).map { _ in try made { leapstone_cancellation_create($0) } }
    #expect(!others.contains(first))
    #expect(leapstone_cancellation_cancel(first) == LEAPSTONE_INVALID_HANDLE)
    for other in others { #expect(leapstone_cancellation_free(other) == LEAPSTONE_OK) }
  }

  @Test func aHandleOfSomethingElseIsRefused() throws {
    let value = try tensor([1, 2], [2])
    let options = try made { leapstone_options_create($0) }
    #expect(leapstone_session_free(value) == LEAPSTONE_INVALID_HANDLE)
    #expect(message == "expected a handle of session, got one of value")
    #expect(leapstone_value_free(options) == LEAPSTONE_INVALID_HANDLE)
    #expect(leapstone_options_set(value, "threads", "1") == LEAPSTONE_INVALID_HANDLE)
    #expect(leapstone_value_free(value) == LEAPSTONE_OK)
    #expect(leapstone_options_free(options) == LEAPSTONE_OK)
  }

  @Test func freeingNothingDoesNothing() {
    #expect(leapstone_session_free(nil) == LEAPSTONE_OK)
    #expect(leapstone_options_free(nil) == LEAPSTONE_OK)
    #expect(leapstone_value_free(nil) == LEAPSTONE_OK)
    #expect(leapstone_profile_free(nil) == LEAPSTONE_OK)
    #expect(leapstone_cancellation_free(nil) == LEAPSTONE_OK)
  }

  @Test func messagesBelongToTheirThread() {
    DispatchQueue.concurrentPerform(iterations: 8) { index in
      for turn in 0..<100 {
        let key = "no option \(index) \(turn)"
        var options: Handle?
        _ = leapstone_options_create(&options)
        #expect(leapstone_options_set(options, key, "") == LEAPSTONE_INVALID_ARGUMENT)
        #expect(message == "there is no option '\(key)'")
        _ = leapstone_options_free(options)
      }
    }
  }

  @Test func whatIsFreedWhileItIsUsedLivesUntilThen() throws {
    for _ in 0..<20 {
      let session = try Digits.session([("threads", "1")])
      let input = try Digits.input()
      nonisolated(unsafe) let (shared, given) = (session, input)
      let group = DispatchGroup()
      for _ in 0..<2 {
        DispatchQueue.global().async(group: group) {
          let result = run(shared, [("input", given)])
          #expect([LEAPSTONE_OK, LEAPSTONE_INVALID_HANDLE].contains(Int(result.status)))
          _ = leapstone_value_free(result.outputs[0])
        }
      }
      #expect(leapstone_session_free(session) == LEAPSTONE_OK)
      #expect(leapstone_value_free(input) == LEAPSTONE_OK)
      group.wait()
    }
  }
}
