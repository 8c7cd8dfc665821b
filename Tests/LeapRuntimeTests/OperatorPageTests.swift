// docs/operators.md is what the tables say. LEAPSTONE_WRITE_PAGES=1 writes it anew: `make operators`.

import Foundation
import LeapTensors
import LeapTestSupport
import Testing

@Suite struct OperatorPageTests {
  private static let path = "\(TestData.checkout)/docs/operators.md"

  @Test func thePageIsUpToDate() throws {
    let text = try OperatorPage.text()
    if ProcessInfo.processInfo.environment["LEAPSTONE_WRITE_PAGES"] == "1" {
      try text.write(toFile: Self.path, atomically: true, encoding: .utf8)
    }
    let written = (try? String(contentsOfFile: Self.path, encoding: .utf8)) ?? ""
    let (found, expected) = (lines(written), lines(text))
    let missing = expected.filter { !found.contains($0) }
    let outdated = found.filter { !expected.contains($0) }
    #expect(
      written == text,
      "run `make operators`; the page lacks \(missing), and has \(outdated)")
  }

  private func lines(_ text: String) -> [Substring] { text.split(separator: "\n") }

  @Test(arguments: [
    (Set([DataType.float32, .float64]), "floats*"),
    (Set([.float16, .bfloat16, .float32, .float64]), "floats"),
    (Set([.float32]), "float32*"),
    (Set([.int8, .int16, .int32, .int64, .bool]), "int8 to int64, bool"),
    (Set(DataType.allCases), "all"),
  ])
  func typesInFewWords(types: Set<DataType>, text: String) {
    #expect(TypeList.text(types) == text)
  }
}
