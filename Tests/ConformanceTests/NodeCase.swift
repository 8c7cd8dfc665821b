// NodeCase: one case in ONNX's own layout: NAME/model.onnx with test_data_set_K/input_J.pb and output_J.pb.

import Foundation
import LeapFormat
import LeapTensors
import LeapTestSupport
import Leapstone

/// A line of index.jsonl.
struct NodeCase: Decodable, Sendable {
  let name: String
  let `operator`: String
  let opset: Int
  let rtol: Double
  let atol: Double

  /// The cases that a folder's index lists; `OPERATOR` in the environment leaves those of the operators or cases
  /// that it names, with | between them.
  static func all(in directory: String) throws -> [NodeCase] {
    let index = try String(contentsOfFile: "\(directory)/index.jsonl", encoding: .utf8)
    let wanted = ProcessInfo.processInfo.environment["OPERATOR"].map {
      Set($0.split(separator: "|").map(String.init))
    }
    return try index.split(separator: "\n").map {
      try JSONDecoder().decode(NodeCase.self, from: Data($0.utf8))
    }.filter { wanted?.isDisjoint(with: [$0.operator, $0.name]) != true }
  }

  enum Outcome {
    case passed
    /// Leapstone says that it has no such operator, or no kernel for such elements.
    case unsupported(String)
    case failed(String)
  }

  /// Runs the case on the graph as it is and on the optimised one.
  func run(in directory: String) -> Outcome {
    do {
      for optimized in [false, true] {
        var options = SessionOptions()
        options.disablesAllPasses = !optimized
        options.threads = 1
        let session = try InferenceSession(
          path: "\(directory)/\(name)/model.onnx", options: options)
        for data in dataSets(in: directory) {
          if let reason = try compare(session, data) {
            return .failed("\(optimized ? "optimised" : "unoptimised"): \(reason)")
          }
        }
      }
      return .passed
    } catch ModelError.unsupportedOperators(let operators) {
      let names = Set(operators.map { "\($0.node.operatorType)-\($0.node.opset)" })
      return .unsupported(names.sorted().joined(separator: ", "))
    } catch let unreadable as UnreadableCase {
      return .unsupported(unreadable.reason)
    } catch {
      let narrow = narrowTypes(in: directory)
      return narrow.isEmpty
        ? .failed("\(error)") : .unsupported(narrow.sorted().joined(separator: ", "))
    }
  }

  /// A case whose values no run takes or gives.
  private struct UnreadableCase: Error {
    let reason: String
  }

  private func compare(_ session: InferenceSession, _ data: String) throws -> String? {
    let results = try session.run(values: inputs(of: session, data))
    for (index, output) in session.outputs.enumerated() {
      let expected = try value("\(data)/output_\(index).pb", output.type)
      guard let got = results[output.name] else { return "output '\(output.name)' is missing" }
      if let reason = mismatch(got, expected) { return "output '\(output.name)': \(reason)" }
    }
    return nil
  }

  /// What a data set gives for a session's inputs.
  func inputs(of session: InferenceSession, _ data: String) throws -> [String: RunValue] {
    var inputs: [String: RunValue] = [:]
    for (index, input) in session.inputs.enumerated() {
      guard FileManager.default.fileExists(atPath: "\(data)/input_\(index).pb") else { continue }
      inputs[input.name] = try value("\(data)/input_\(index).pb", input.type)
    }
    return inputs
  }

  /// The data sets of the case.
  func dataSets(in directory: String) -> [String] {
    (0...).lazy.map { "\(directory)/\(name)/test_data_set_\($0)" }
      .prefix { FileManager.default.fileExists(atPath: $0) }.map { $0 }
  }

  private func mismatch(_ got: RunValue, _ expected: RunValue) -> String? {
    func first(_ got: [RunValue], _ expected: [RunValue]) -> String? {
      guard got.count == expected.count else { return "\(got.count) items for \(expected.count)" }
      return zip(got, expected).lazy.compactMap { mismatch($0, $1) }.first
    }
    switch (got, expected) {
    case (.tensor(let got), .tensor(let expected)):
      return Comparison.mismatch(got, expected, relative: rtol, absolute: atol)
    case (.sequence(let got, _), .sequence(let expected, _)): return first(got, expected)
    case (.optional(let got, _), .optional(let expected, _)):
      return first(got.map { [$0] } ?? [], expected.map { [$0] } ?? [])
    default: return "\(got) for \(expected)"
    }
  }

  private func value(_ path: String, _ type: ValueType) throws -> RunValue {
    guard let kind = StoredValue.kind(of: type),
      let value = try StoredValue.read(path: path, as: kind).value.runValue
    else { throw UnreadableCase(reason: "\(type)") }
    return value
  }

  /// The element types of the model's values beyond float32, float64, integers of 8 bits and more, and bool.
  private func narrowTypes(in directory: String) -> Set<String> {
    let wide: Set<DataType> = [
      .float32, .float64, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .bool,
    ]
    guard let model = try? ModelReader.read(path: "\(directory)/\(name)/model.onnx") else {
      return []
    }
    let declared = model.graph.values.compactMap { $0.type?.dataType }
    let constants = model.graph.constants.values.map(\.dataType)
    return Set((declared + constants).filter { !wide.contains($0) }.map(\.description))
  }
}
