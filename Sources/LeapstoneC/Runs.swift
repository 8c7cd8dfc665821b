// Runs: one run of a session, with values that C gives and values that it gets.

import CLeapstone
import LeapTensors
import Leapstone

@_cdecl("leapstone_session_run")
public func sessionRun(
  _ session: OpaquePointer?, _ options: UnsafePointer<leapstone_run_options>?,
  _ inputNames: UnsafePointer<UnsafePointer<CChar>?>?, _ inputs: UnsafePointer<OpaquePointer?>?,
  _ inputCount: Int, _ outputNames: UnsafePointer<UnsafePointer<CChar>?>?,
  _ outputs: UnsafeMutablePointer<OpaquePointer?>?, _ outputCount: Int
) -> Int32 {
  call(isRun: true) {
    let session = try Handles.object(session, as: SessionObject.self).session
    let inputs = try namedInputs(
      try texts(inputNames, inputCount, "input_names"), try array(inputs, inputCount, "inputs"))
    let given = try array(UnsafePointer(outputs), outputCount, "outputs")
    let names = try wantedNames(outputNames, outputCount, session)
    let destinations = try namedDestinations(names, given, inputs)
    let (options, profile, recorder) = try runOptions(options)
    defer { profile?.add(recorder.steps) }
    let results = try session.run(
      values: inputs, outputs: names, into: destinations, options: options)
    try giveOut(consume results, names, outputs)
  }
}

/// The values that a run is given, by name.
private func namedInputs(
  _ names: [String], _ handles: UnsafeBufferPointer<OpaquePointer?>
) throws -> [String: RunValue] {
  var inputs: [String: RunValue] = [:]
  for (name, handle) in zip(names, handles) {
    let value = try Handles.object(handle, as: ValueObject.self).value
    guard inputs.updateValue(value, forKey: name) == nil else {
      throw CallFailure.argument("input '\(escaped(name))' is given twice")
    }
  }
  return inputs
}

/// The names of the values that are asked for.
private func wantedNames(
  _ names: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int, _ session: InferenceSession
) throws -> [String] {
  if names != nil { return try texts(names, count, "output_names") }
  guard count == session.outputs.count else {
    throw CallFailure.argument(
      "the model has \(session.outputs.count) outputs, output_count is \(UInt(bitPattern: count))")
  }
  return session.outputs.map(\.name)
}

/// Tensors whose memory is to hold outputs, by the outputs' names. No two, and none of them and an input, may overlap.
private func namedDestinations(
  _ names: [String], _ handles: UnsafeBufferPointer<OpaquePointer?>, _ inputs: [String: RunValue]
) throws -> [String: Tensor] {
  var destinations: [String: Tensor] = [:]
  for (name, handle) in zip(names, handles) where handle != nil {
    let object = try Handles.object(handle, as: ValueObject.self)
    let tensor = try object.tensor
    guard object.isWritable else {
      throw CallFailure.argument(
        "output '\(escaped(name))': only tensors that the caller made, not of strings, are written")
    }
    let taken = inputs.flatMap { name, value in value.tensors.map { (name, $0) } }
    for (other, memory) in taken + Array(destinations) where tensor.overlaps(memory) {
      throw CallFailure.argument(
        "the memory for output '\(escaped(name))' overlaps that of '\(escaped(other))'")
    }
    guard destinations.updateValue(tensor, forKey: name) == nil else {
      throw CallFailure.argument("output '\(escaped(name))' has memory twice")
    }
  }
  return destinations
}

extension Tensor {
  fileprivate func overlaps(_ other: Tensor) -> Bool {
    guard let mine = address, let theirs = other.address else { return false }
    return mine < theirs + other.byteCount && theirs < mine + byteCount
  }
}

/// More seconds than any run takes.
private let endlessTimeout = 1e9

private func runOptions(
  _ pointer: UnsafePointer<leapstone_run_options>?
) throws -> (RunOptions, ProfileObject?, RunRecorder) {
  let recorder = RunRecorder()
  var options = RunOptions()
  guard let pointer else { return (options, nil, recorder) }
  // Only the size may be read before it is known that the rest is there.
  let size = UnsafeRawPointer(pointer).load(as: Int.self)
  guard size == MemoryLayout<leapstone_run_options>.size else {
    throw CallFailure.argument(
      "the run options are \(UInt(bitPattern: size)) bytes long: start from LEAPSTONE_RUN_OPTIONS")
  }
  let given = pointer.pointee
  guard given.timeout >= 0 else {
    throw CallFailure.argument("a timeout of \(given.timeout) seconds means nothing")
  }
  if given.timeout > 0, given.timeout < endlessTimeout {
    options.timeout = .seconds(given.timeout)
  }
  if let handle = given.cancellation {
    options.cancellation = try Handles.object(handle, as: CancellationObject.self).cancellation
  }
  guard let handle = given.profile else { return (options, nil, recorder) }
  options.observe = { recorder.add($0) }
  return (options, try Handles.object(handle, as: ProfileObject.self), recorder)
}

/// Puts results where no value was given for them: all of them, or, where one cannot be, none. Memory that others hold too, an
/// input's say, a constant's or another item's, is copied.
private func giveOut(
  _ results: consuming [String: RunValue], _ names: [String],
  _ outputs: UnsafeMutablePointer<OpaquePointer?>?
) throws {
  guard let outputs else { return }
  var results = results
  let lastPlaces = Dictionary(names.enumerated().map { ($1, $0) }) { $1 }
  let made = try names.enumerated().compactMap { index, name -> (Int, ValueObject)? in
    guard outputs[index] == nil else { return nil }
    guard var value = results[name] else { throw RunError.unknownOutput(name, known: names) }
    if lastPlaces[name] == index { results[name] = nil }
    try value.unshare()
    return (index, ValueObject(value))
  }
  do {
    for (index, object) in made { outputs[index] = try Handles.add(object) }
  } catch {
    for (index, _) in made {
      try Handles.remove(outputs[index], of: ValueObject.self)
      outputs[index] = nil
    }
    throw error
  }
}
