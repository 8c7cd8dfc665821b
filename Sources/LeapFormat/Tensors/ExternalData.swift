// ExternalData: opens the files in which a model keeps tensors outside of itself.
//
// 1. No file outside the model's directory, or a directory that the caller named, is ever opened: `..`, absolute paths,
//    symbolic links that lead out and hard links, behind which anything may lie, are refused.
// 2. Offsets and lengths are checked against the file.
// 3. A file is opened once however many tensors lie in it.

import LeapGraph
import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// The files of external data of one model.
final class ExternalData {
  /// Resolved directories in which files may lie; `searched` are those that a location may be relative to.
  private let permitted: [String]
  private let searched: [String]
  private var files: [String: PayloadFile] = [:]
  /// What was not found, and the reader went on without.
  private(set) var absent: [AbsentTensor] = []

  /// The files that were opened, in the order of their paths.
  var identities: [FileIdentity] { files.sorted { $0.key < $1.key }.map(\.value.identity) }

  /// - Parameters:
  ///   - modelPath: the model's file; nil for a model from bytes, which has no directory.
  ///   - extraRoots: further directories in which files may lie.
  /// - Throws: `ModelError.option` where an extra root is no directory.
  init(modelPath: String?, extraRoots: [String]) throws {
    let extra = try extraRoots.map { root in
      guard let resolved = resolve(root) else {
        throw ModelError.option(
          name: "externalDataRoots", reason: "\(root): \(String(cString: strerror(errno)))")
      }
      return resolved
    }
    guard let modelPath else {
      permitted = extra
      searched = extra
      return
    }
    // Where the model lies, and where it really lies: caches keep models as links into a store.
    let directory = resolve(parent(modelPath))
    let real = resolve(modelPath).map(parent)
    permitted = ([directory, real].compactMap { $0 } + extra).reduce(into: []) { roots, root in
      if !roots.contains(root) { roots.append(root) }
    }
    searched = permitted
  }

  /// Finds the bytes of a tensor.
  ///
  /// - Parameters:
  ///   - entries: the keys and values of `external_data`.
  ///   - initializer: the tensor's name, for errors.
  ///   - byteCount: the bytes that type and shape ask for.
  /// - Throws: `ModelError.externalData`.
  func place(
    _ entries: [(key: String, value: String)], initializer: String, byteCount: Int
  ) throws -> (file: PayloadFile, offset: Int) {
    var fields: [String: String] = [:]
    let location = entries.first { $0.key == "location" }?.value ?? ""
    func failure(_ reason: String) -> ModelError {
      .externalData(initializer: initializer, location: location, reason: reason)
    }
    for (key, value) in entries {
      guard ["location", "offset", "length", "checksum"].contains(key) else {
        throw failure("unknown key '\(key)'; known are location, offset, length and checksum")
      }
      guard fields.updateValue(value, forKey: key) == nil else {
        throw failure("key '\(key)' is given twice")
      }
    }
    func number(_ key: String) throws -> Int? {
      guard let text = fields[key] else { return nil }
      guard let value = Int(text), value >= 0 else {
        throw failure("\(key) '\(text)' is not a number of bytes")
      }
      return value
    }
    let offset = try number("offset") ?? 0
    if let length = try number("length"), length != byteCount {
      throw failure("length is \(length), type and shape ask for \(byteCount) bytes")
    }
    let file = try open(location, failure: failure)
    let (end, overflow) = offset.addingReportingOverflow(byteCount)
    guard !overflow, end <= file.byteCount else {
      throw failure(
        "offset \(offset) and \(byteCount) bytes lie beyond the file's \(file.byteCount) bytes")
    }
    return (file, offset)
  }

  /// Notes that a tensor's bytes are not where its entries say.
  func note(
    _ error: ModelError, _ entries: [(key: String, value: String)], initializer: String,
    byteCount: Int
  ) {
    var reason = "\(error)"
    if case .externalData(_, _, let inner) = error { reason = inner }
    func entry(_ key: String) -> String? { entries.first { $0.key == key }?.value }
    absent.append(
      AbsentTensor(
        name: initializer, location: entry("location") ?? "",
        offset: entry("offset").flatMap { Int($0) } ?? 0, byteCount: byteCount, reason: reason))
  }

  private func open(_ location: String, failure: (String) -> ModelError) throws -> PayloadFile {
    guard !location.isEmpty else { throw failure("it has no location") }
    guard !location.hasPrefix("/"), !location.hasPrefix("*/") else {
      throw failure("the location is not relative to the model's directory")
    }
    guard !location.split(separator: "/").contains("..") else {
      throw failure("the location leads out of the model's directory with '..'")
    }
    guard !searched.isEmpty else {
      throw failure("a model given as bytes has no directory; name one in externalDataRoots")
    }
    guard let path = searched.lazy.compactMap({ resolve("\($0)/\(location)") }).first else {
      throw failure(
        "\(String(cString: strerror(errno))) (looked in \(searched.joined(separator: ", ")))")
    }
    guard permitted.contains(where: { path.hasPrefix($0.hasSuffix("/") ? $0 : $0 + "/") }) else {
      throw failure(
        "a link leads out of the model's directory, to \(path); externalDataRoots can permit it")
    }
    if let file = files[path] { return file }
    var status = stat()
    guard lstat(path, &status) == 0 else { throw failure(String(cString: strerror(errno))) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw failure("\(path) is not a regular file")
    }
    guard status.st_nlink == 1 else {
      throw failure(
        "the file has \(status.st_nlink) hard links: any file may hide behind one; copy it")
    }
    let file = try PayloadFile(path: path)
    files[path] = file
    return file
  }
}

/// The path without links and dots; nil, with `errno`, where it does not exist.
private func resolve(_ path: String) -> String? {
  guard let resolved = realpath(path, nil) else { return nil }
  defer { free(resolved) }
  return String(cString: resolved)
}

/// The directory of a path.
private func parent(_ path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}
