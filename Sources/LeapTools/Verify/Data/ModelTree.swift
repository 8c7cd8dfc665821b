// ModelTree: models with their test data, found in a directory and all that is in it.

import LeapTensors

/// A model with the sets that lie beside it.
struct ModelWithData: Sendable {
  let model: String
  var sets: [DataSetPlace]
  /// The folder with `leapstone.json`; nil where the sets were not recorded.
  var goldens: String?
}

enum ModelTree {
  /// Directories deeper than this are not entered: links may lead round in circles.
  private static let depthLimit = 32

  /// All models of a directory, in the order of their paths; those without data have no sets.
  ///
  /// - Throws: `ToolError` where there is no model; `FileError`, `ArrayFileError`.
  static func models(in root: String) throws -> [ModelWithData] {
    var found: [ModelWithData] = []
    let root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
    try visit(root, depth: 0, &found)
    guard !found.isEmpty else {
      throw ToolError("\(escaped(root)): no .onnx file in this directory or below")
    }
    return found
  }

  private static func visit(_ path: String, depth: Int, _ found: inout [ModelWithData]) throws {
    guard depth < depthLimit, let names = try DirectoryListing.names(in: path) else { return }
    let models = names.filter { $0.hasSuffix(".onnx") }
    for model in models {
      found.append(try data(for: "\(path)/\(model)", isAlone: models.count == 1, names))
    }
    for name in names where !name.hasPrefix("test_data_set_") && !name.contains(".onnx") {
      try visit("\(path)/\(name)", depth: depth + 1, &found)
    }
  }

  /// A model with what lies beside it.
  ///
  /// - Throws: `FileError`, `ArrayFileError`.
  static func data(for model: String) throws -> ModelWithData {
    let parts = model.split(separator: "/", omittingEmptySubsequences: false)
    let folder = parts.count > 1 ? parts.dropLast().joined(separator: "/") : "."
    let names = try DirectoryListing.names(in: folder.isEmpty ? "/" : folder) ?? []
    let models = names.filter { $0.hasSuffix(".onnx") }
    return try data(for: model, isAlone: models.count == 1, names)
  }

  /// `test_data_set_N` beside a model that is alone; a folder of its name; `NAME.npz` and `NAME.*.npz`.
  private static func data(
    for model: String, isAlone: Bool, _ names: [String]
  ) throws -> ModelWithData {
    let folder = model.split(separator: "/", omittingEmptySubsequences: false).dropLast()
      .joined(separator: "/")
    func path(_ name: String) -> String { folder.isEmpty ? name : "\(folder)/\(name)" }
    let file = model.split(separator: "/").last.map(String.init) ?? model
    let stem = file.hasSuffix(".onnx") ? String(file.dropLast(5)) : file
    var found = ModelWithData(model: model, sets: [])
    if isAlone {
      found.sets = DataSetPlace.numbered(names).map { .folder(path($0)) }
      if names.contains(GoldenFile.name) { found.goldens = folder.isEmpty ? "." : folder }
    }
    if found.sets.isEmpty, names.contains(stem),
      let inner = try DirectoryListing.names(in: path(stem))
    {
      found.sets = DataSetPlace.numbered(inner).map { .folder(path(stem) + "/\($0)") }
      if inner.contains(GoldenFile.name) { found.goldens = path(stem) }
    }
    if found.sets.isEmpty {
      let archives = names.filter {
        $0 == "\(stem).npz" || $0.hasPrefix("\(stem).") && $0.hasSuffix(".npz")
      }
      found.sets = try archives.flatMap { try DataSetPlace.all(in: path($0)) }
    }
    return found
  }
}

/// What the recorder leaves beside its sets.
enum GoldenFile {
  static let name = "leapstone.json"
}
