// Sessions: models from files and bytes, and what they say of themselves.

import CLeapstone
import LeapGraph
import LeapTensors
import LeapWorkers
import Leapstone

final class SessionObject: HandledObject {
  static let kind = HandleKind.session
  let session: InferenceSession
  let description: SessionDescription

  init(_ session: InferenceSession) {
    self.session = session
    description = SessionDescription(session)
  }
}

private func sessionOptions(_ handle: OpaquePointer?) throws -> SessionOptions {
  guard handle != nil else { return .ofC }
  return try Handles.object(handle, as: OptionsObject.self).options.guarded { $0 }
}

@_cdecl("leapstone_session_open")
public func sessionOpen(
  _ path: UnsafePointer<CChar>?, _ options: OpaquePointer?,
  _ session: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  call {
    let place = try place(session, "session")
    let opened = try InferenceSession(
      path: try text(path, "path"), options: try sessionOptions(options))
    place.pointee = try Handles.add(SessionObject(opened))
  }
}

@_cdecl("leapstone_session_open_bytes")
public func sessionOpenBytes(
  _ bytes: UnsafeRawPointer?, _ size: Int, _ options: OpaquePointer?,
  _ session: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  call {
    let place = try place(session, "session")
    let content = try array(bytes?.assumingMemoryBound(to: UInt8.self), size, "bytes")
    let opened = try InferenceSession(
      bytes: UnsafeRawBufferPointer(content), options: try sessionOptions(options))
    place.pointee = try Handles.add(SessionObject(opened))
  }
}

@_cdecl("leapstone_session_free")
public func sessionFree(_ session: OpaquePointer?) -> Int32 {
  call { try Handles.remove(session, of: SessionObject.self) }
}

@_cdecl("leapstone_session_count")
public func sessionCount(
  _ session: OpaquePointer?, _ role: Int32, _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
  call {
    let place = try place(count, "count", empty: 0)
    let object = try Handles.object(session, as: SessionObject.self)
    place.pointee = try object.description.values(role).count
  }
}

@_cdecl("leapstone_session_info")
public func sessionInfo(
  _ session: OpaquePointer?, _ role: Int32, _ index: Int,
  _ info: UnsafeMutablePointer<UnsafePointer<leapstone_value_info>?>?
) -> Int32 {
  call {
    let place = try place(info, "info")
    let object = try Handles.object(session, as: SessionObject.self)
    let values = try object.description.values(role)
    guard values.indices.contains(index) else {
      throw CallFailure.argument(
        "index \(UInt(bitPattern: index)): the model has \(values.count) values of this role")
    }
    place.pointee = values[index]
  }
}

@_cdecl("leapstone_session_value_names")
public func sessionValueNames(
  _ session: OpaquePointer?,
  _ names: UnsafeMutablePointer<UnsafePointer<UnsafePointer<CChar>?>?>?,
  _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
  call {
    let (names, count) = (try place(names, "names"), try place(count, "count", empty: 0))
    let object = try Handles.object(session, as: SessionObject.self)
    names.pointee = object.description.valueNames
    count.pointee = object.description.valueNameCount
  }
}

@_cdecl("leapstone_session_warnings")
public func sessionWarnings(
  _ session: OpaquePointer?,
  _ warnings: UnsafeMutablePointer<UnsafePointer<UnsafePointer<CChar>?>?>?,
  _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
  call {
    let (warnings, count) = (try place(warnings, "warnings"), try place(count, "count", empty: 0))
    let object = try Handles.object(session, as: SessionObject.self)
    warnings.pointee = object.description.warnings
    count.pointee = object.description.warningCount
  }
}

@_cdecl("leapstone_session_metadata")
public func sessionMetadata(
  _ session: OpaquePointer?,
  _ metadata: UnsafeMutablePointer<UnsafePointer<leapstone_metadata>?>?
) -> Int32 {
  call {
    let place = try place(metadata, "metadata")
    place.pointee = try Handles.object(session, as: SessionObject.self).description.metadata
  }
}

@_cdecl("leapstone_session_weight_bytes")
public func sessionWeightBytes(
  _ session: OpaquePointer?, _ mapped: UnsafeMutablePointer<UInt64>?,
  _ owned: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  call {
    let (mapped, owned) = (
      try place(mapped, "mapped", empty: 0), try place(owned, "owned", empty: 0)
    )
    let counts = try Handles.object(session, as: SessionObject.self).session.memory
    mapped.pointee = UInt64(counts.mappedWeights)
    owned.pointee = UInt64(counts.packedWeights)
  }
}

@_cdecl("leapstone_session_working_memory")
public func sessionWorkingMemory(
  _ session: OpaquePointer?, _ names: UnsafePointer<UnsafePointer<CChar>?>?,
  _ dimensions: UnsafePointer<UnsafePointer<Int64>?>?, _ ranks: UnsafePointer<Int>?, _ count: Int,
  _ bytes: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  call(isRun: true) {
    let place = try place(bytes, "bytes", empty: 0)
    let object = try Handles.object(session, as: SessionObject.self)
    let names = try texts(names, count, "names")
    let shapes = try zip(
      array(dimensions, count, "dimensions"), array(ranks, count, "ranks")
    ).map { try shape($0, $1) }
    place.pointee = UInt64(
      try object.session.memory.predicted(for: try signatures(object.session, names, shapes)).peak)
  }
}

/// A type and shape for each input: those named, and those of which the model knows the shape.
private func signatures(
  _ session: InferenceSession, _ names: [String], _ shapes: [Shape]
) throws -> [String: (DataType, Shape)] {
  let values = session.inputs + session.overridableInitializers
  let types = Dictionary(values.map { ($0.name, $0.type) }) { first, _ in first }
  var signatures: [String: (DataType, Shape)] = [:]
  for input in session.inputs {
    if let type = input.type.dataType, let shape = input.type.fixedShape {
      signatures[input.name] = (type, shape)
    }
  }
  for (name, shape) in zip(names, shapes) {
    guard let type = types[name] else {
      throw RunError.unknownInput(name, known: values.map(\.name))
    }
    guard let elements = type.dataType else {
      throw CallFailure.argument("input '\(escaped(name))' is \(type), it has no shape")
    }
    signatures[name] = (elements, shape)
  }
  for input in session.inputs where signatures[input.name] == nil && !input.type.isContainer {
    throw RunError.missingInput(input.name, expected: "a shape for \(input.type)")
  }
  return signatures
}
