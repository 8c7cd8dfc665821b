// HostileModelTests: every file of testdata/hostile is refused at the step that its index names, for the reason that it names,
// within a second and 100 MB; those that are odd but sound run to their end within the same limits.
//
// Each case runs in a process of its own (an exit test), one after the other: a trap ends that process and is the failure of
// that case alone, and the peak of its memory and its time are its own, whatever other tests do meanwhile.

import Foundation
import LeapFormat
import LeapTestSupport
import Leapstone
import Testing

/// An entry of the corpus's index.
struct HostileCase: Codable, Sendable, CustomTestStringConvertible {
  /// Where the file must be refused.
  enum Step: String, Codable {
    /// When the model is read.
    case load
    /// When a session is made of it.
    case session
    /// When it runs.
    case run
    /// Nowhere: it is odd but sound.
    case done
  }

  let file: String
  let cause: String
  let step: Step
  /// What the error must contain.
  let message: String
  /// The shapes of the inputs, by name, that the run is given zeros of.
  let inputs: [String: [Int]]?
  /// What the session may take, in bytes.
  let budget: Int?

  var testDescription: String { file }

  /// The cases of the corpus that `make test` writes; none, with a line that says so, where it was not written.
  static func corpus() throws -> [HostileCase] {
    guard let folder = TestData.generated("hostile", variable: "HOSTILE") else { return [] }
    let index = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/index.json"))
    return try JSONDecoder().decode([HostileCase].self, from: index)
  }

  /// Loads, makes a session and runs, until something refuses.
  func refusal(in folder: String) throws -> (step: Step, error: (any Error)?) {
    let path = "\(folder)/\(file)"
    do { _ = try ModelReader.read(path: path) } catch { return (.load, error) }
    let session: InferenceSession
    var options = SessionOptions()
    options.memoryBudget = budget
    do { session = try InferenceSession(path: path, options: options) } catch {
      return (.session, error)
    }
    var given: [String: Tensor] = [:]
    for input in session.inputs {
      let shape = try #require(inputs?[input.name], "the index gives no input '\(input.name)'")
      let dataType = try #require(input.type.dataType)
      given[input.name] = try Tensor(zeros: dataType, shape: Shape(shape))
    }
    do { _ = try session.run(given) } catch { return (.run, error) }
    return (.done, nil)
  }
}

@Suite(.serialized) struct HostileModelTests {
  /// Seconds of processor time that a refusal may take.
  private static let timeLimit: Double = {
    #if DEBUG
      // Code that nobody optimised.
      return 10
    #else
      return 1
    #endif
  }()
  /// Bytes by which a refusal may raise the peak of memory.
  private static let memoryLimit = 100 << 20

  @Test(arguments: try HostileCase.corpus())
  func endsAsItMust(_ item: HostileCase) async throws {
    let folder = try #require(TestData.generated("hostile", variable: "HOSTILE"))
    await #expect(processExitsWith: .success) {
      [item = item as HostileCase, folder = folder as String] in
      let before = ProcessUse.now()
      let (step, error) = try item.refusal(in: folder)
      let after = ProcessUse.now()
      let seconds = after.seconds - before.seconds
      let bytes = after.peakBytes - before.peakBytes

      // What an issue says of its values does not cross the border between processes; its comment does.

      let text = error.map { "\($0)" } ?? "nothing refused it: \(item.cause)"
      #expect(step == item.step, "refused at \(step): \(text)")
      #expect(item.message.isEmpty || text.contains(item.message), "\(item.message): \(text)")
      #expect(seconds < HostileModelTests.timeLimit, "\(seconds) s: \(text)")
      #expect(bytes < HostileModelTests.memoryLimit, "\(bytes) bytes: \(text)")
    }
  }
}
