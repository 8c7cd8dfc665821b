// Every operator on thousands of one-node models: this project's own cases, with outputs of ONNX Runtime and of
// onnx.reference, and the node cases of the onnx package. `make test` writes both.
//
// What Leapstone says it does not have yet is counted, and said in one line; all else must be right, but for what the list of the
// official suite (python/tests/official/known_failures.txt) says differs.

import Foundation
import LeapTestSupport
import Testing

@Suite struct OperatorCaseTests {
  static let collections = [("cases", "CASES"), ("onnx", "ONNX_CASES")]

  @Test(arguments: collections)
  func everyCaseIsRight(name: String, variable: String) async throws {
    guard let directory = TestData.generated(name, variable: variable) else { return }
    let cases = try NodeCase.all(in: directory)
    var passed = 0
    var unsupported: [String: Int] = [:]
    let known = try knownDifferences()
    var different: [String] = []
    for (node, outcome) in await outcomes(cases, directory) {
      switch outcome {
      case .passed: passed += 1
      case .unsupported(let what): unsupported[what, default: 0] += 1
      case .failed where known.contains(node.name): different.append(node.name)
      case .failed(let reason): Issue.record("\(node.name): \(reason)")
      }
    }
    print("\(name): \(passed) of \(cases.count) cases passed")
    if !different.isEmpty {
      TestData.skip("known to differ: \(different.sorted().joined(separator: ", "))")
    }
    if !unsupported.isEmpty {
      let list = unsupported.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
      TestData.skip(
        "\(unsupported.values.reduce(0, +)) \(name) need what is not supported: "
          + list.joined(separator: "; "))
    }
  }

  /// The official cases that are listed as differing: random numbers, rounding within bfloat16, what is not admitted. Operators
  /// that are not there are told by the cases themselves.
  private func knownDifferences() throws -> Set<String> {
    let path = "\(TestData.checkout)/python/tests/official/known_failures.txt"
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    return Set(
      lines.compactMap { line in
        guard line.hasPrefix("node/"), let colon = line.firstIndex(of: ":"),
          !line[colon...].hasPrefix(": NotImplemented")
        else { return nil }
        return String(line[line.index(line.startIndex, offsetBy: 5)..<colon])
      })
  }

  private func outcomes(
    _ cases: [NodeCase], _ directory: String
  ) async -> [(NodeCase, NodeCase.Outcome)] {
    let share = 64
    return await withTaskGroup(of: [(NodeCase, NodeCase.Outcome)].self) { group in
      for start in stride(from: 0, to: cases.count, by: share) {
        let part = cases[start..<min(start + share, cases.count)]
        group.addTask { part.map { ($0, $0.run(in: directory)) } }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
  }
}
