// Cancellation and deadlines by themselves.

import LeapTensors
import LeapWorkers
import Testing

struct InterruptTests {
  @Test func anUntouchedInterruptLetsEverythingPass() throws {
    try Interrupt().poll()
    try Interrupt(timeout: .seconds(3600)).poll()
    try Interrupt(deadline: .max).poll()
  }

  @Test func cancellingIsForGood() {
    let interrupt = Interrupt()
    #expect(!interrupt.isCancelled)
    interrupt.cancel()
    interrupt.cancel()
    #expect(interrupt.isCancelled)
    #expect(throws: RunError.self) { try interrupt.poll() }
  }

  @Test(arguments: [Duration.zero, .seconds(-5), .nanoseconds(1)])
  func aTimeoutThatIsOverThrows(timeout: Duration) {
    let interrupt = Interrupt(timeout: timeout)
    spin(nanoseconds: 100)
    #expect(throws: RunError.self) { try interrupt.poll() }
  }

  @Test func aTimeoutBeyondTheClockIsNone() {
    #expect(Interrupt(timeout: .seconds(Int64.max)).deadline == .max)
    let soon = Interrupt(timeout: .milliseconds(1500)).deadline!
    let ahead = soon - monotonicNanoseconds()
    #expect(ahead <= 1_500_000_000 && ahead > 1_000_000_000)
  }
}
