// TestData: where tests find their files, and how they say that something is not there.

import Foundation
import LeapTools
import Leapstone

/// The files that tests read.
package enum TestData {
  /// The checkout that this file was compiled in.
  package static let checkout = URL(fileURLWithPath: "\(#filePath)")
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  /// A file of `testdata/`.
  package static func path(_ name: String) -> String { "\(checkout)/testdata/\(name)" }

  /// A folder of what scripts make for tests; nil, with a line that says so, where it was not made. `variable` names
  /// an environment variable that points elsewhere.
  package static func generated(_ name: String, variable: String) -> String? {
    let path =
      ProcessInfo.processInfo.environment[variable] ?? "\(checkout)/.build/testdata/\(name)"
    if FileManager.default.fileExists(atPath: path) { return path }
    skip("\(name): \(path) does not exist; `make test` makes it")
    return nil
  }

  /// The folder of real trained models beside the checkout; nil, with a line that says so, where it is absent.
  package static func sharedModels() -> String? {
    let path =
      ProcessInfo.processInfo.environment["SHARED_MODELS"] ?? "\(checkout)/../shared/models"
    if FileManager.default.fileExists(atPath: path) { return path }
    skip("shared models: \(path) does not exist")
    return nil
  }

  /// Says that a test did nothing, in the form that `make test` counts.
  package static func skip(_ reason: String) { print("SKIPPED: \(reason)") }

  /// The arrays of an NPZ file by name.
  package static func arrays(_ path: String) throws -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: try NPZ.read(path).map { ($0.name, $0.tensor) })
  }

  /// One element of a batch, as a batch of one.
  package static func slice(_ tensor: Tensor, _ place: Int) throws -> Tensor {
    let bytes = tensor.byteCount / tensor.shape[0]
    let shape = Shape([1] + tensor.shape.dimensions.dropFirst())
    return try Tensor(dataType: tensor.dataType, shape: shape) { target in
      tensor.withUnsafeBytes {
        let part = $0[place * bytes..<(place + 1) * bytes]
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
      }
    }
  }
}
