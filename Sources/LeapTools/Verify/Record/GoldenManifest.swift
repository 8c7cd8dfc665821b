// GoldenManifest: leapstone.json, what the recorder says of the sets beside it: which model, how it was run, and how far outputs may
// be from what is there.

import LeapTensors
import Leapstone
import LeapstoneImage

/// How far an output may be from the exact result, on any processor.
struct GoldenBudget: Sendable, Equatable {
  var output: String
  var type: String
  /// The largest error that an element may have.
  var absolute: Double
  /// Elements that may differ altogether: where rounding decides between integers.
  var differing: Int
  /// The largest error that was measured, by how the model was run.
  var measured: [(name: String, error: Double)]
  /// The largest error under simulated rounding.
  var simulated: Double
  /// The largest magnitude of the exact result.
  var largest: Double

  static func == (a: GoldenBudget, b: GoldenBudget) -> Bool {
    a.output == b.output && a.absolute == b.absolute && a.differing == b.differing
  }
}

struct GoldenManifest: Sendable {
  static let schema = "leapstone.goldens/1"

  var version: String
  /// The model's file, without its folder.
  var model: String
  var digest: String
  var instructionSet: String
  var memoryPolicy: String
  /// The pre-processing of pictures, as flags; nil where tensors were given.
  var preset: String?
  /// Nodes that have no kernel for float64.
  var narrowNodes: [String]
  var sets: Int
  var outputs: [GoldenBudget]

  /// By `docs/schema/goldens-1.schema.json`.
  var json: JSON {
    [
      "schema": .string(GoldenManifest.schema), "version": .string(version),
      "model": .string(model), "model_digest": .string(digest), "reference": "float64",
      "narrow_nodes": .array(narrowNodes.map { .string($0) }),
      "instruction_set": .string(instructionSet), "memory_policy": .string(memoryPolicy),
      "preset": preset.map { .string($0) } ?? .null, "sets": .integer(sets),
      "outputs": .array(
        outputs.map { budget in
          [
            "output": .string(budget.output), "type": .string(budget.type),
            "atol": .number(budget.absolute), "differing": .integer(budget.differing),
            "largest": .number(budget.largest), "simulated": .number(budget.simulated),
            "measured": .object(budget.measured.map { .init($0.name, .number($0.error)) }),
          ]
        }),
    ]
  }

  /// Reads a manifest.
  ///
  /// - Parameter directory: the folder that it lies in.
  /// - Returns: nil where there is none.
  /// - Throws: `ToolError` where it is damaged, or of a later major version; `FileError`.
  static func read(in directory: String) throws -> GoldenManifest? {
    let path = "\(directory)/\(GoldenFile.name)"
    guard DirectoryListing.exists(path) else { return nil }
    func damaged(_ reason: String) -> ToolError { ToolError("\(escaped(path)): \(reason)") }
    let json: JSON
    do {
      json = try JSON(parsing: try FileBytes.read(path, limit: 1 << 26))
    } catch let error as JSONError { throw damaged(error.description) }
    guard json["schema"]?.string == schema else {
      throw damaged(
        "expected the schema \(schema), it is '\(escaped(json["schema"]?.string ?? ""))'")
    }
    let budgets = try (json["outputs"]?.array ?? []).map { item -> GoldenBudget in
      guard let name = item["output"]?.string, let absolute = item["atol"]?.double, absolute >= 0
      else { throw damaged("an output has no name or no atol") }
      return GoldenBudget(
        output: name, type: item["type"]?.string ?? "", absolute: absolute,
        differing: max(0, item["differing"]?.int ?? 0), measured: [],
        simulated: item["simulated"]?.double ?? 0, largest: item["largest"]?.double ?? 0)
    }
    guard let digest = json["model_digest"]?.string else {
      throw damaged("model_digest is missing")
    }
    return GoldenManifest(
      version: json["version"]?.string ?? "", model: json["model"]?.string ?? "", digest: digest,
      instructionSet: json["instruction_set"]?.string ?? "",
      memoryPolicy: json["memory_policy"]?.string ?? "", preset: json["preset"]?.string,
      narrowNodes: (json["narrow_nodes"]?.array ?? []).compactMap(\.string),
      sets: json["sets"]?.int ?? 0, outputs: budgets)
  }

  /// The budget of an output.
  func budget(of output: String) -> GoldenBudget? { outputs.first { $0.output == output } }
}
