// RealModelTests: every model at hand loads. Models are not part of the project; where they are absent the tests say so.

import Foundation
import LeapFormat
import LeapGraph
import Testing

@Suite struct RealModelTests {
  /// The files below a folder with a suffix, or nil, after a printed line, where the folder is absent.
  private func files(below folder: String, suffix: String) -> [String]? {
    guard FileManager.default.fileExists(atPath: folder),
      let walker = FileManager.default.enumerator(atPath: folder)
    else {
      print("SKIPPED: \(folder) is absent")
      return nil
    }
    return walker.compactMap { $0 as? String }.filter { $0.hasSuffix(suffix) }.sorted()
      .map { "\(folder)/\($0)" }
  }

  private func check(_ paths: [String]) {
    for path in paths {
      do {
        let model = try ModelReader.read(path: path)
        #expect(!model.graph.outputs.isEmpty, "\(path)")
      } catch {
        Issue.record("\(path): \(error)")
      }
    }
  }

  @Test func sharedModelsLoad() {
    let here = URL(fileURLWithPath: #filePath)
    let folder = here.deletingLastPathComponent().appendingPathComponent("../../../shared/models")
    guard let paths = files(below: folder.standardized.path, suffix: ".onnx") else { return }
    #expect(!paths.isEmpty)
    check(paths)
  }

  /// The official operator tests, where LEAPSTONE_ONNX_DATA names the folder that ONNX's generator wrote.
  @Test func operatorSuiteLoads() {
    guard let folder = ProcessInfo.processInfo.environment["LEAPSTONE_ONNX_DATA"] else {
      print("SKIPPED: LEAPSTONE_ONNX_DATA names no folder of the ONNX operator tests")
      return
    }
    guard let paths = files(below: folder, suffix: "model.onnx") else { return }
    print("\(paths.count) models of the ONNX operator tests")
    check(paths)
  }
}
