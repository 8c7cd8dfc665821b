// DataSet: inputs of one run with the outputs that are expected of it, from ONNX's test data folders and from .npz.
//
// 1. A set is read when its turn comes, so that a tree of models needs the memory of one set.
// 2. What is in a folder that no input or output takes is an error: a set that is read wrong would pass.

import LeapFormat
import LeapGraph
import LeapTensors
import Leapstone

/// One set, read.
struct DataSet: Sendable {
  let name: String
  var inputs: [String: RunValue]
  /// By the names of outputs.
  var expected: [String: RunValue]
}

/// What a model takes and gives, for finding a set's values.
struct ModelSignature: Sendable {
  /// Inputs that a run must give, in order.
  let inputs: [ValueInfo]
  /// Inputs with a default.
  let defaulted: [ValueInfo]
  let outputs: [ValueInfo]

  init(_ session: InferenceSession) {
    inputs = session.inputs
    defaulted = session.overridableInitializers
    outputs = session.outputs
  }

  var known: [ValueInfo] { inputs + defaulted }
}

/// Where a set lies.
enum DataSetPlace: Sendable {
  /// A folder with `input_K.pb` and `output_K.pb`.
  case folder(String)
  /// An archive; of one with several sets the keys that begin with a prefix.
  case archive(String, prefix: String)

  /// Sets of a folder or an archive.
  ///
  /// - Parameter path: a folder of sets, a set itself, or an .npz.
  /// - Throws: `ToolError` where there are none; `FileError`, `ArrayFileError`.
  static func all(in path: String) throws -> [DataSetPlace] {
    guard let names = try DirectoryListing.names(in: path) else {
      guard path.hasSuffix(".npz") else {
        if !DirectoryListing.exists(path) {
          throw ToolError("\(escaped(path)): there is no such file or directory")
        }
        throw ToolError.usage("'\(escaped(path))' is neither a directory nor an .npz file")
      }
      return try archives(path)
    }
    let found = try sets(in: path, names)
    guard !found.isEmpty else {
      throw ToolError(
        "\(escaped(path)): no test_data_set_N, no input_K.pb and no .npz in this directory")
    }
    return found
  }

  /// The sets of a folder; none where it has none.
  static func sets(in path: String, _ names: [String]) throws -> [DataSetPlace] {
    let folders = DataSetPlace.numbered(names)
    if !folders.isEmpty { return folders.map { .folder("\(path)/\($0)") } }
    if names.contains(where: { DataSetPlace.index(of: $0, "input_") != nil }) {
      return [.folder(path)]
    }
    return try names.filter { $0.hasSuffix(".npz") }.flatMap { try archives("\(path)/\($0)") }
  }

  /// `test_data_set_N` by ascending N.
  static func numbered(_ names: [String]) -> [String] {
    let prefix = "test_data_set_"
    return names.compactMap { name -> (Int, String)? in
      guard name.hasPrefix(prefix), let number = Int(name.dropFirst(prefix.count)) else {
        return nil
      }
      return (number, name)
    }.sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// One set, or one for each `test_data_set_N_` that keys begin with.
  private static func archives(_ path: String) throws -> [DataSetPlace] {
    let keys = try NPZ.names(path)
    var prefixes: Set<String> = []
    for key in keys {
      let parts = key.split(separator: "_", omittingEmptySubsequences: false)
      if parts.count == 6, parts[..<3] == ["test", "data", "set"], Int(parts[3]) != nil {
        prefixes.insert(parts[..<4].joined(separator: "_"))
      }
    }
    let sets = numbered(Array(prefixes))
    return sets.isEmpty
      ? [.archive(path, prefix: "")] : sets.map { .archive(path, prefix: $0 + "_") }
  }

  /// What reports call it: its last name.
  var name: String {
    switch self {
    case .folder(let path): DataSetPlace.last(path)
    case .archive(let path, ""): DataSetPlace.last(path)
    case .archive(_, let prefix): String(prefix.dropLast())
    }
  }

  private static func last(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// The K of `input_K.pb`.
  fileprivate static func index(of name: String, _ prefix: String) -> Int? {
    guard name.hasPrefix(prefix), name.hasSuffix(".pb") else { return nil }
    return Int(name.dropFirst(prefix.count).dropLast(3))
  }

  // MARK: reading

  /// Reads the set for a model.
  ///
  /// - Throws: `ToolError` where it does not go with the model; `ModelError`, `FileError`, `ArrayFileError`.
  func read(for model: ModelSignature) throws -> DataSet {
    switch self {
    case .folder(let path): try DataSetPlace.readFolder(path, name, model)
    case .archive(let path, let prefix):
      try DataSetPlace.readArchive(path, prefix, name, model)
    }
  }

  private static func readFolder(
    _ path: String, _ name: String, _ model: ModelSignature
  ) throws -> DataSet {
    var set = DataSet(name: name, inputs: [:], expected: [:])
    for file in try DirectoryListing.names(in: path) ?? [] {
      let full = "\(path)/\(file)"
      if let index = index(of: file, "input_") {
        let input = try value(index, of: model.inputs, "input", full)
        set.inputs[input.name] = try read(full, as: input.type)
      } else if let index = index(of: file, "output_") {
        let output = try value(index, of: model.outputs, "output", full)
        set.expected[output.name] = try read(full, as: output.type)
      }
    }
    return set
  }

  private static func value(
    _ index: Int, of values: [ValueInfo], _ kind: String, _ path: String
  ) throws -> ValueInfo {
    guard values.indices.contains(index) else {
      throw ToolError("\(escaped(path)): the model has \(counted(values.count, kind))")
    }
    return values[index]
  }

  private static func read(_ path: String, as type: ValueType) throws -> RunValue {
    guard let kind = StoredValue.kind(of: type),
      let value = try StoredValue.read(path: path, as: kind).value.runValue
    else { throw ToolError("\(escaped(path)): values of type \(type) are not read") }
    return value
  }

  private static func readArchive(
    _ path: String, _ prefix: String, _ name: String, _ model: ModelSignature
  ) throws -> DataSet {
    var set = DataSet(name: name, inputs: [:], expected: [:])
    let inputs = model.known.map(\.name)
    let outputs = model.outputs.map(\.name)
    for entry in try NPZ.read(path) where entry.name.hasPrefix(prefix) {
      let key = String(entry.name.dropFirst(prefix.count))
      if let input = named(key, "in:", among: inputs) ?? positional(key, "input_", model.inputs) {
        set.inputs[input] = .tensor(entry.tensor)
      } else if let output = named(key, "out:", among: outputs)
        ?? positional(key, "output_", model.outputs)
      {
        set.expected[output] = .tensor(entry.tensor)
      } else {
        throw ToolError(
          "\(escaped(path)): '\(escaped(entry.name))' is neither an input (\(quoted(inputs))) nor an "
            + "output (\(quoted(outputs))) of the model")
      }
    }
    return set
  }

  /// A value by its own name, with or without what tells inputs from outputs.
  private static func named(_ key: String, _ mark: String, among names: [String]) -> String? {
    if key.hasPrefix(mark) {
      let short = String(key.dropFirst(mark.count))
      if names.contains(short) { return short }
    }
    return names.contains(key) ? key : nil
  }

  /// A value by its place: `input_0`.
  private static func positional(
    _ key: String, _ prefix: String, _ values: [ValueInfo]
  ) -> String? {
    guard key.hasPrefix(prefix), let index = Int(key.dropFirst(prefix.count)),
      values.indices.contains(index)
    else { return nil }
    return values[index].name
  }
}
