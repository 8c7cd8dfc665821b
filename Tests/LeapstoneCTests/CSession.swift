// The C interface, called as C calls it, with what tests need around it.

import CLeapstone
import LeapTestSupport
import Testing

typealias Handle = OpaquePointer

/// A call that was to succeed and did not.
struct UnexpectedStatus: Error {
  let status: leapstone_status
  let message: String
}

/// The message of the last call that failed.
var message: String { String(cString: leapstone_error_message()) }

/// Expects a call to succeed.
func ok(_ status: leapstone_status) throws {
  if status != LEAPSTONE_OK { throw UnexpectedStatus(status: status, message: message) }
}

/// What a call puts into a place.
func made<Value>(_ call: (UnsafeMutablePointer<Value?>) -> leapstone_status) throws -> Value? {
  var value: Value?
  try ok(call(&value))
  return value
}

/// A network that names digits, and a picture for it.
enum Digits {
  static let path = TestData.path("resnet-digits.onnx")
  static let shape: [Int64] = [1, 1, 32, 32]
  static let picture = (0..<1024).map { Float($0 % 256) / 255 }

  static func session(_ options: [(String, String)] = []) throws -> Handle? {
    let handle = try made { leapstone_options_create($0) }
    defer { leapstone_options_free(handle) }
    for (key, value) in options { try ok(leapstone_options_set(handle, key, value)) }
    return try made { leapstone_session_open(path, handle, $0) }
  }

  /// A tensor of `batch` pictures.
  static func input(batch: Int = 1) throws -> Handle? {
    let elements = [[Float]](repeating: picture, count: batch).flatMap { $0 }
    return try tensor(elements, [Int64(batch)] + shape.dropFirst())
  }
}

/// A tensor of float32 with memory of its own.
func tensor(_ elements: [Float], _ dimensions: [Int64]) throws -> Handle? {
  try made {
    leapstone_tensor_create(
      leapstone_element_type(LEAPSTONE_FLOAT32), dimensions, dimensions.count, elements,
      elements.count * 4, $0)
  }
}

/// The elements of a tensor of float32.
func floats(_ value: Handle?) throws -> [Float] {
  var data: UnsafeMutableRawPointer?
  var count = 0
  try ok(leapstone_tensor_data(value, &data, &count))
  return [Float](UnsafeRawBufferPointer(start: data, count: count).bindMemory(to: Float.self))
}

/// Runs a model with one input.
func run(
  _ session: Handle?, _ inputs: [(String, Handle?)], outputs names: [String]? = nil,
  into places: [Handle?] = [nil], options: leapstone_run_options? = nil
) -> (status: leapstone_status, outputs: [Handle?]) {
  var outputs = places
  let status = withCStrings(inputs.map(\.0)) { inputNames in
    withCStrings(names ?? []) { outputNames in
      var options = options ?? leapstone_run_options()
      options.size = MemoryLayout<leapstone_run_options>.size
      return leapstone_session_run(
        session, &options, inputNames, inputs.map(\.1), inputs.count,
        names == nil ? nil : outputNames, &outputs, outputs.count)
    }
  }
  return (status, outputs)
}

private func withCStrings<Result>(
  _ texts: [String], _ body: ([UnsafePointer<CChar>?]) -> Result
) -> Result {
  func next(_ index: Int, _ pointers: [UnsafePointer<CChar>?]) -> Result {
    if index == texts.count { return body(pointers) }
    return texts[index].withCString { next(index + 1, pointers + [$0]) }
  }
  return next(0, [])
}
