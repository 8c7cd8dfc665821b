// VerifyHarness: onnx-verify as a function, and small models and data for it.

import LeapFormat
import LeapGraph
import LeapTensors
import LeapTestSupport
import LeapTools
import Leapstone
import LeapstoneImage
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Runs onnx-verify. `@NAME` in an argument stands for the file NAME of testdata.
///
/// - Parameter adjust: changes the options of every session.
func onnxVerify(
  _ arguments: [String], columns: Int = 80, isTerminal: Bool = false,
  adjusting adjust: (inout SessionOptions) -> Void = { _ in }
) -> ToolResult {
  let process = FakeProcess()
  let environment = process.environment(isTerminal: isTerminal, columns: columns)
  return process.result(
    VerifyCommand.run(arguments.map(located), environment, adjusting: adjust))
}

/// What onnx-verify says as JSON, checked against its schema.
func verifyJSON(
  _ arguments: [String], code: Int32 = 0,
  adjusting adjust: (inout SessionOptions) -> Void = { _ in }
) throws -> JSON {
  let result = onnxVerify(arguments + ["--format", "json"], adjusting: adjust)
  try #require(result.code == code, "\(result.code): \(result.error) \(result.output)")
  let json = try JSON(parsing: Array(result.output.utf8))
  let schema = JSONSchema(
    try contents(json: "\(TestData.checkout)/docs/schema/verify-1.schema.json"))
  #expect(schema.violations(json).isEmpty, "\(schema.violations(json))")
  #expect(json.members?.prefix(3).map(\.name) == ["schema", "version", "model"])
  return json
}

/// A directory that is made.
func makeDirectory(_ path: String) { mkdir(path, 0o777) }

/// Writes a set in ONNX's layout.
func writeSet(_ path: String, inputs: [Tensor], outputs: [Tensor]) throws {
  makeDirectory(path)
  for (kind, tensors) in [("input", inputs), ("output", outputs)] {
    for (index, tensor) in tensors.enumerated() {
      try FileBytes.write(
        TensorEncoder.encode(tensor, name: ""), to: "\(path)/\(kind)_\(index).pb")
    }
  }
}

/// A model that gives back what it gets: `x` as `y`.
func writeIdentity(
  _ path: String, _ shape: [Dimension], type: DataType = .float32, input: String = "x",
  output: String = "y"
) throws {
  var builder = ModelBuilder()
  let x = builder.input(input, shape, type: type)
  let y = builder.node("Identity", [x], output: output)
  builder.graph[y].type = .tensor(type, shape: shape)
  try builder.write(outputs: [y], to: path)
}
