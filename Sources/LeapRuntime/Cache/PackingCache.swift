// PackingCache: the packed weights of a session, kept in a directory for the sessions that come later.
//
// 1. Results are the same to the bit with it and without it.
// 2. A session works without it: what goes wrong is a warning, given once.

import LeapTensors
import LeapWorkers
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Where packed weights are kept between sessions.
package struct CacheOptions: Sendable, Hashable {
  /// The directory, which is made where there is none.
  package var directory: String
  /// The library's version: what another one has kept is not used.
  package var version: String

  package init(directory: String, version: String) {
    self.directory = directory
    self.version = version
  }
}

/// The file of the cache that belongs to one session.
final class PackingCache: Sendable {
  private let path: String
  private let key: CacheKey
  private let state: Mutex<State>

  private struct State {
    /// What the directory holds, as far as this session knows.
    var file: CacheFile?
    /// Weights were made that the file does not have.
    var isIncomplete = false
    var isSaving = false
    var saves = 0
    var warning: String?
  }

  /// How often a session writes its file: one that meets ever new shapes would do nothing else.
  private static let saveLimit = 8

  init(_ options: CacheOptions, _ key: CacheKey) {
    self.key = key
    path = "\(options.directory)/\(key.fileName)"
    let trouble = PackingCache.makeDirectory(options.directory)
    let file = CacheFile(path: path, key: key)
    state = Mutex(State(file: file))
    if let trouble { fail(trouble) }
    if file == nil && trouble == nil && access(options.directory, W_OK) != 0 {
      fail(CacheError(options.directory))
    }
  }

  /// What is wrong with the cache.
  var warning: String? { state.guarded { $0.warning } }

  /// A weight that an earlier session kept; nil where there is none, or it is damaged: then it will be kept again.
  func weight(_ name: [UInt8], byteCount: Int) -> TensorStorage? {
    let file = state.guarded { $0.file }
    if let found = file?.weight(name, byteCount: byteCount) { return found }
    state.guarded { $0.isIncomplete = true }
    return nil
  }

  /// Writes what is missing in the file, where anything is.
  ///
  /// - Parameter held: the weights that the session's plans hold, by name.
  func save(_ held: () -> [(name: [UInt8], weight: Weight)]) {
    let isNeeded = state.guarded { state in
      guard state.isIncomplete, !state.isSaving, state.warning == nil,
        state.saves < PackingCache.saveLimit
      else { return false }
      state.isIncomplete = false
      state.isSaving = true
      state.saves += 1
      return true
    }
    guard isNeeded else { return }
    do { try write(held()) } catch let error as CacheError { fail(error) } catch {}
    state.guarded { $0.isSaving = false }
  }

  private func write(_ held: [(name: [UInt8], weight: Weight)]) throws {
    // In an order of their own, so that the same weights make the same file.
    let held = held.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    var weights: [CachedWeight] = held.map { name, weight in
      CachedWeight(
        name: name,
        bytes: UnsafeRawBufferPointer(
          start: weight.storage.base, count: weight.byteCount))
    }
    // Those that the session has no use for, for shapes that it has not met.
    let names = Set(held.map(\.name))
    if let file = state.guarded({ $0.file }) {
      for (name, place) in file.places where !names.contains(name) {
        weights.append(
          CachedWeight(name: name, bytes: file.bytes(of: place), digest: place.digest))
      }
    }
    try withExtendedLifetime(held) { try CacheWriter.write(weights, key, to: path) }
    let file = CacheFile(path: path, key: key)
    state.guarded { $0.file = file }
  }

  private func fail(_ error: CacheError) {
    state.guarded { $0.warning = "the cache keeps nothing: \(error.reason)" }
  }

  /// Makes a directory that only the user may enter, and those above it.
  private static func makeDirectory(_ path: String) -> CacheError? {
    var status = stat()
    if stat(path, &status) == 0 {
      if status.st_mode & S_IFMT == S_IFDIR { return nil }
      errno = ENOTDIR
      return CacheError(path)
    }
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex,
      let trouble = makeDirectory(String(path[..<slash]))
    {
      return trouble
    }
    return mkdir(path, 0o700) == 0 || errno == EEXIST ? nil : CacheError(path)
  }
}
