// Model: a graph with all that an ONNX file says around it.

import LeapTensors

/// A function that the model defines itself.
package struct LocalFunction: Sendable {
  package var domain: String
  package var name: String
  package var overload: String
  package var inputs: [String]
  package var outputs: [String]
  /// Attributes without a default, by name.
  package var attributes: [String]
  /// Attributes with a default.
  package var defaults: [String: Attribute]
  /// The versions of the domains that the body's nodes are written in.
  package var opsets: [String: Int]
  /// The body; its inputs and outputs have the order of `inputs` and `outputs`.
  package var body: Graph

  package init(
    domain: String, name: String, overload: String, inputs: [String], outputs: [String],
    attributes: [String], defaults: [String: Attribute], opsets: [String: Int], body: Graph
  ) {
    self.domain = domain
    self.name = name
    self.overload = overload
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
    self.defaults = defaults
    self.opsets = opsets
    self.body = body
  }
}

/// What tells a model in files from every other, without reading its weights.
package struct ModelIdentity: Sendable, Hashable {
  /// The digest, 128 bits, of all that is in the model beside its large payloads.
  package var skeleton: [UInt64]
  /// The model's file, and those of external data in the order of their paths, as they were when they were opened.
  package var files: [FileIdentity]

  package init(skeleton: [UInt64], files: [FileIdentity]) {
    self.skeleton = skeleton
    self.files = files
  }
}

/// A tensor whose elements are not where the model says.
package struct AbsentTensor: Sendable, Hashable {
  package var name: String
  /// The file that they should be in, relative to the model's directory.
  package var location: String
  /// Bytes from the file's start.
  package var offset: Int
  package var byteCount: Int
  /// Why they cannot be read.
  package var reason: String

  package init(name: String, location: String, offset: Int, byteCount: Int, reason: String) {
    self.name = name
    self.location = location
    self.offset = offset
    self.byteCount = byteCount
    self.reason = reason
  }
}

/// A model as it was read.
package struct Model: Sendable {
  package var graph: Graph
  package var functions: [LocalFunction] = []
  package var irVersion: Int
  /// The version of each domain that the model imports; ONNX's own domain is "".
  package var opsets: [String: Int]
  package var producerName = ""
  package var producerVersion = ""
  package var domain = ""
  package var modelVersion: Int64 = 0
  package var documentation = ""
  package var metadata: [(key: String, value: String)] = []
  /// nil for a model from bytes.
  package var identity: ModelIdentity?
  /// The path the model came from, or `<bytes>`.
  package var source: String
  /// Tensors that the reader was asked to go on without.
  package var absent: [AbsentTensor] = []
  /// Things worth telling that are no errors: a newer opset than known, odd but harmless fields.
  package var warnings: [String] = []

  package init(graph: Graph, irVersion: Int, opsets: [String: Int], source: String) {
    self.graph = graph
    self.irVersion = irVersion
    self.opsets = opsets
    self.source = source
  }
}
