// Models and values for tests, written field by field, so that a test can write what no library would.

import LeapFormat

package typealias WireWriter = LeapFormat.WireWriter

extension WireWriter {
  /// The value info of a sequence or an optional of tensors of unknown shape: `kinds` from the outside in.
  package mutating func container(
    _ field: UInt64, _ name: String, _ kinds: [Container], type: Int64 = 1
  ) {
    message(field) {
      $0.string(1, name)
      $0.message(2) { $0.type(kinds[...], type) }
    }
  }

  /// What holds values, by the number of its field in TypeProto.
  package enum Container: UInt64, Sendable {
    case sequence = 4
    case optional = 9
  }

  /// The fields of a type.
  private mutating func type(_ kinds: ArraySlice<Container>, _ elements: Int64) {
    guard let first = kinds.first else {
      message(1) { $0.int(1, elements) }
      return
    }
    message(first.rawValue) { $0.message(1) { $0.type(kinds.dropFirst(), elements) } }
  }

  /// The value info of a float32 tensor.
  package mutating func value(
    _ field: UInt64, _ name: String, type: Int64 = 1, shape: [Int64]? = [1]
  ) {
    message(field) {
      $0.string(1, name)
      $0.message(2) {
        $0.message(1) {
          $0.int(1, type)
          if let shape {
            $0.message(2) { for extent in shape { $0.message(1) { $0.int(1, extent) } } }
          }
        }
      }
    }
  }

  /// A node of a graph; of a function, whose nodes are in another field, with 7.
  package mutating func node(
    _ type: String, _ inputs: [String], _ outputs: [String], name: String = "", domain: String = "",
    attributes: [(inout WireWriter) -> Void] = [], field: UInt64 = 1
  ) {
    message(field) {
      for input in inputs { $0.string(1, input) }
      for output in outputs { $0.string(2, output) }
      if !name.isEmpty { $0.string(3, name) }
      $0.string(4, type)
      for attribute in attributes { $0.message(5, attribute) }
      if !domain.isEmpty { $0.string(7, domain) }
    }
  }

  /// The bytes of a model around a graph.
  package static func model(
    irVersion: Int64 = 10, opset: Int64 = 17, extra: (inout WireWriter) -> Void = { _ in },
    _ graph: (inout WireWriter) -> Void
  ) -> [UInt8] {
    WireWriter {
      $0.int(1, irVersion)
      $0.message(7, graph)
      $0.message(8) { $0.int(2, opset) }
      extra(&$0)
    }.bytes
  }
}
