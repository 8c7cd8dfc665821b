// InspectHarness: onnx-inspect on files and on models written field by field.

import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

/// Runs onnx-inspect. `@NAME` in an argument stands for the file NAME of testdata.
///
/// - Parameter columns: those of the terminal; nil for none.
func onnxInspect(
  _ arguments: [String], input: [UInt8] = [], columns: Int? = nil
) -> ToolResult {
  let process = FakeProcess(input: input)
  let environment = process.environment(isTerminal: columns != nil, columns: columns ?? 80)
  return process.result(InspectCommand.run(arguments.map(located), environment))
}

/// What onnx-inspect finds out, as a value.
func inspected(_ arguments: [String], input: [UInt8] = []) throws -> InspectReport {
  try InspectCommand.report(arguments.map(located), FakeProcess(input: input).environment())
}

/// The paths of all models at hand: the project's own, those that scripts make, and real ones, where they are there.
func modelsAtHand() -> [String] {
  let generated = FullSizeNetworks.folder().map { folder in
    FullSizeNetworks.names.map { "\(folder)/\($0).onnx" }
  }
  return smallModels() + (generated ?? []) + lightModels()
}

/// Those that are quick to look at, whatever is asked: the project's own and the real ones.
func smallModels() -> [String] {
  let own = ["resnet", "preresnet", "densenet", "inception-resnet"].map { "\($0)-digits" }
  let shared = TestData.sharedModels().map { folder in
    ((try? FileNames.of(folder)) ?? []).filter { $0.hasSuffix(".onnx") }.map { "\(folder)/\($0)" }
  }
  return (own + ["unet-shapes"]).map { TestData.path("\($0).onnx") } + (shared ?? [])
}

/// The light models of the onnx Python package.
func lightModels() -> [String] {
  let library = "\(TestData.checkout)/.build/venv/lib"
  let found = ((try? FileNames.of(library)) ?? []).flatMap { python -> [String] in
    let folder = "\(library)/\(python)/site-packages/onnx/backend/test/data/light"
    return ((try? FileNames.of(folder)) ?? []).filter { $0.hasSuffix(".onnx") }
      .map { "\(folder)/\($0)" }
  }
  if found.isEmpty { TestData.skip("light models: 'make test' installs the package that has them") }
  return found
}

extension WireWriter {
  /// An initializer of float32.
  mutating func weights(_ name: String, _ elements: [Float], shape: [Int64]? = nil) {
    tensor(5, name, type: 1, shape: shape ?? [Int64(elements.count)]) {
      $0.data(9, elements.withUnsafeBytes { Array($0) })
    }
  }

  /// An initializer whose bytes are in another file.
  mutating func external(
    _ name: String, location: String, offset: Int, type: Int64 = 1, shape: [Int64]
  ) {
    tensor(5, name, type: type, shape: shape) {
      for (key, value) in [("location", location), ("offset", "\(offset)")] {
        $0.message(13) {
          $0.string(1, key)
          $0.string(2, value)
        }
      }
      $0.int(14, 1)
    }
  }

  mutating func tensor(
    _ field: UInt64, _ name: String, type: Int64, shape: [Int64],
    _ elements: (inout WireWriter) -> Void
  ) {
    message(field) {
      $0.packed(1, shape)
      $0.int(2, type)
      $0.string(8, name)
      elements(&$0)
    }
  }
}

/// An attribute, for a node.
func attribute(_ name: String, _ value: Float) -> (inout WireWriter) -> Void {
  {
    $0.string(1, name)
    $0.varint(2 << 3 | 5)
    $0.raw(withUnsafeBytes(of: value) { Array($0) })
    $0.int(20, 1)
  }
}

func attribute(_ name: String, _ value: Int64) -> (inout WireWriter) -> Void {
  {
    $0.string(1, name)
    $0.int(3, value)
    $0.int(20, 2)
  }
}

func attribute(
  _ name: String, graph: @escaping (inout WireWriter) -> Void
) -> (inout WireWriter) -> Void {
  {
    $0.string(1, name)
    $0.message(6, graph)
    $0.int(20, 5)
  }
}
