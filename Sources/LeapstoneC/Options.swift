// Options: how a session is set up, by keys and values.

import LeapWorkers
import Leapstone
import Synchronization

final class OptionsObject: HandledObject {
  static let kind = HandleKind.options
  let options = Mutex(SessionOptions.ofC)
}

extension SessionOptions {
  /// What a session gets from C unless told otherwise: the host program may well outlive a model file.
  static var ofC: SessionOptions {
    var options = SessionOptions()
    options.weights = .owned
    return options
  }

  /// Sets one option. The keys are the tools' flags without dashes; the header lists them.
  ///
  /// - Throws: `CallFailure`.
  mutating func set(_ key: String, _ value: String) throws {
    switch key {
    case "threads": threads = value == "auto" ? nil : try number(key, value, 1...1024)
    case "disable-pass":
      if value == "all" { disablesAllPasses = true } else { disabledPasses.insert(value) }
    case "weights": weights = try choice(key, value, ["owned": .owned, "mapped": .mapped])
    case "memory-policy": memoryPolicy = try name(key, value)
    case "isa": instructionSet = value == "auto" ? nil : try name(key, value) as InstructionSet
    case "memory-budget": memoryBudget = try budget(key, value)
    case "cache": cacheDirectory = value.isEmpty ? nil : value
    case "concurrency": maximalConcurrentRuns = try number(key, value, 1...1024)
    case "queue": maximalQueuedRuns = try number(key, value, 0...1_000_000)
    case "algorithm":
      let (node, algorithm) = splitAssignment(value)
      algorithms[node ?? ""] = algorithm
    case "forbid": forbiddenAlgorithms.insert(value)
    case "external-root": externalDataRoots.append(value)
    case "dim":
      guard let name = splitAssignment(value).name else { throw meaningless(key, value) }
      dimensions[name] = try number(key, splitAssignment(value).value, 0...Int.max)
    case "flush-denormals":
      flushesDenormals = try choice(key, value, ["true": true, "false": false])
    default: throw CallFailure.argument("there is no option '\(escaped(key))'")
    }
  }

  private func meaningless(_ key: String, _ value: String) -> CallFailure {
    .argument("option \(key): '\(escaped(value))' means nothing")
  }

  private func number(_ key: String, _ value: String, _ range: ClosedRange<Int>) throws -> Int {
    guard let number = Int(value), range.contains(number) else { throw meaningless(key, value) }
    return number
  }

  private func budget(_ key: String, _ value: String) throws -> Int? {
    if value == "auto" { return nil }
    guard let size = parseSize(value) else { throw meaningless(key, value) }
    return size
  }

  /// A case by its name.
  private func name<Value: RawRepresentable>(_ key: String, _ value: String) throws -> Value
  where Value.RawValue == String {
    guard let named = Value(rawValue: value) else { throw meaningless(key, value) }
    return named
  }

  private func choice<Value>(
    _ key: String, _ value: String, _ choices: [String: Value]
  ) throws -> Value {
    guard let chosen = choices[value] else { throw meaningless(key, value) }
    return chosen
  }
}

@_cdecl("leapstone_options_create")
public func optionsCreate(_ options: UnsafeMutablePointer<OpaquePointer?>?) -> Int32 {
  call { try place(options, "options").pointee = Handles.add(OptionsObject()) }
}

@_cdecl("leapstone_options_set")
public func optionsSet(
  _ options: OpaquePointer?, _ key: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?
) -> Int32 {
  call {
    let object = try Handles.object(options, as: OptionsObject.self)
    let (key, value) = (try text(key, "key"), try text(value, "value"))
    try object.options.guarded { try $0.set(key, value) }
  }
}

@_cdecl("leapstone_options_free")
public func optionsFree(_ options: OpaquePointer?) -> Int32 {
  call { try Handles.remove(options, of: OptionsObject.self) }
}
