// Options of a session: what they change, and that nonsense is an error when the session is made.

import LeapTestSupport
import Leapstone
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@Suite struct SessionOptionsTests {
  private static func network() throws -> TrainedNetwork {
    try #require(try TrainedNetwork.all().first)
  }

  private func results(_ options: SessionOptions) throws -> Tensor? {
    let network = try Self.network()
    let arrays = try TestData.arrays(TestData.path("\(network.name).npz"))
    let input = try #require(arrays["in:input"])
    return try network.session(options).run(["input": input])["output"]
  }

  private func expected() throws -> Tensor? {
    let network = try Self.network()
    return try TestData.arrays(TestData.path("\(network.name).npz"))["out:output"]
  }

  @Test(arguments: SessionOptions.MemoryPolicy.allCases)
  func everyMemoryPolicyRuns(policy: SessionOptions.MemoryPolicy) throws {
    var options = SessionOptions()
    options.memoryPolicy = policy
    options.poisonsDeadMemory = true
    #expect(Comparison.distance(try results(options), try expected()) < 1e-5)
  }

  @Test func aLeanPlanTakesNoMoreThanABalancedOne() throws {
    for network in try TrainedNetwork.all() {
      let arrays = try TestData.arrays(TestData.path("\(network.name).npz"))
      let shape = try #require(arrays["in:input"]).shape
      func peak(_ policy: SessionOptions.MemoryPolicy) throws -> Int {
        var options = SessionOptions()
        options.memoryPolicy = policy
        options.threads = 2
        return try network.session(options).memory.predicted(for: ["input": (.float32, shape)]).peak
      }
      #expect(try peak(.lean) <= peak(.balanced))
    }
  }

  /// Those of this machine run; the others are refused with a list of those that there are.
  @Test(arguments: SessionOptions.InstructionSet.allCases)
  func instructionSetsRunWhereTheyAre(set: SessionOptions.InstructionSet) throws {
    var options = SessionOptions()
    options.instructionSet = set
    do {
      #expect(Comparison.distance(try results(options), try expected()) < 1e-5)
    } catch ModelError.option(let name, let reason) {
      #expect(set != .portable)
      #expect(name == "instruction set")
      #expect(reason.contains("this machine has no \(set.rawValue)"))
      #expect(reason.contains("portable"))
    }
  }

  @Test(arguments: ["sse9", "AVX2", "portable "])
  func aWrongEnvironmentVariableIsAnErrorOfTheSession(name: String) async throws {
    await #expect(processExitsWith: .success) { [name = name as String] in
      setenv("LEAPSTONE_ISA", name, 1)
      #expect {
        try SessionOptionsTests.network().session()
      } throws: { error in
        guard case ModelError.option("LEAPSTONE_ISA", let reason) = error else { return false }
        return reason.contains("'\(name)' is no instruction set") && reason.contains("portable")
      }
      // What an option names counts, whatever the variable holds.
      var options = SessionOptions()
      options.instructionSet = .portable
      _ = try SessionOptionsTests.network().session(options)
    }
  }

  @Test func theEnvironmentVariableIsHeeded() async throws {
    await #expect(processExitsWith: .success) {
      setenv("LEAPSTONE_ISA", "portable", 1)
      let portable = try SessionOptionsTests().results(SessionOptions())
      var options = SessionOptions()
      options.instructionSet = .portable
      #expect(
        Comparison.identical(portable, try SessionOptionsTests().results(options)))
    }
  }

  @Test(arguments: [0, -3])
  func threadsAreAtLeastOne(threads: Int) throws {
    var options = SessionOptions()
    options.threads = threads
    #expect(throws: ModelError.self) { try Self.network().session(options) }
  }
}
