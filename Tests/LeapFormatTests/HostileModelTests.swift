// HostileModelTests: the files of testdata/hostile that loading must refuse are refused for the right reason, quickly and
// within little memory.

import Foundation
import LeapFormat
import Testing

@Suite struct HostileModelTests {
  struct Case: Decodable, Sendable, CustomTestStringConvertible {
    var file: String
    var cause: String
    var step: String
    var message: String
    var testDescription: String { file }
  }

  /// Cases of which the reader knows nothing: an operator says no, when a session is made.
  private static let operatorCases: Set<String> = [
    "unknown_operator.onnx", "conv_zero_stride.onnx", "conv_group.onnx", "conv_dilations_rank.onnx",
    "conv_large_kernel.onnx", "missing_attribute.onnx", "softmax_axis.onnx", "reshape_bomb.onnx",
    "gemm_ranks.onnx",
  ]

  /// Runs the script; nil, after a printed line, where there is no Python.
  private func makeFiles() throws -> URL? {
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../testdata/hostile/make_hostile.py").standardized
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("leapstone-hostile-\(UUID().uuidString)")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", script.path, folder.path]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus != 127 else {
      print("SKIPPED: there is no python3 to make the hostile files")
      return nil
    }
    #expect(process.terminationStatus == 0)
    return folder
  }

  @Test func everyFileIsRefused() throws {
    guard let folder = try makeFiles() else { return }
    defer { try? FileManager.default.removeItem(at: folder) }
    let index = try Data(contentsOf: folder.appendingPathComponent("index.json"))
    let cases = try JSONDecoder().decode([Case].self, from: index)
    #expect(cases.count >= 40)
    for item in cases {
      let path = folder.appendingPathComponent(item.file).path
      let start = ContinuousClock.now
      let isOperators = Self.operatorCases.contains(item.file) || item.step == "run"
      do {
        _ = try ModelReader.read(path: path)
        #expect(isOperators, "\(item.file) was read, though: \(item.cause)")
      } catch {
        #expect(!isOperators, "\(item.file) should be read, and fail later: \(error)")
        #expect("\(error)".contains(item.message), "\(item.file): \(error)")
      }
      #expect(ContinuousClock.now - start < .seconds(1), "\(item.file) took too long")
    }
  }
}
