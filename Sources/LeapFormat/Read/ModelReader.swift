// ModelReader: the way in, from a file or bytes to a Model.

import CLeapProto
import LeapGraph
import LeapTensors

/// Reads ONNX models.
package enum ModelReader {
  /// The newest version of the file format that is known here.
  package static let newestIRVersion = 14
  /// The newest version of ONNX's own operators that is known here.
  package static let newestOpset = 28
  /// The newest version that is known of each domain, which the nodes of a model have where the model forgets to import the
  /// domain, but imports another. So it is in ONNX Runtime; bodies of functions must import what they use there, too.
  package static let newestOpsets = [
    "": newestOpset, "ai.onnx.ml": 5, "ai.onnx.preview": 1, "ai.onnx.preview.training": 1,
    "com.microsoft": 1, "com.microsoft.nchwc": 1,
  ]

  /// Reads a model from a file. Its large payloads stay in the file.
  ///
  /// - Throws: `ModelError`: `.unreadable`, `.notONNX`, `.malformed`, `.limitExceeded`, `.invalid`, `.externalData`,
  ///   `.outOfMemory`.
  package static func read(path: String, options: ReadOptions = ReadOptions()) throws -> Model {
    let file = try PayloadFile(path: path)
    return try read(.file(file), name: path, modelPath: path, options: options)
  }

  /// Reads a model from bytes, of which every payload is copied once; nothing refers to them afterwards.
  ///
  /// - Throws: as `read(path:options:)`.
  package static func read(
    bytes: UnsafeRawBufferPointer, name: String = "<bytes>", options: ReadOptions = ReadOptions()
  ) throws -> Model {
    try read(.memory(bytes, owner: nil), name: name, modelPath: nil, options: options)
  }

  /// Reads a model from bytes that live as long as the model: payloads that are aligned for their element type are
  /// not copied.
  ///
  /// - Throws: as `read(path:options:)`.
  package static func read(
    storage: TensorStorage, name: String = "<bytes>", options: ReadOptions = ReadOptions()
  ) throws -> Model {
    let bytes = UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount)
    return try read(.memory(bytes, owner: storage), name: name, modelPath: nil, options: options)
  }

  private static func read(
    _ source: PayloadSource, name: String, modelPath: String?, options: ReadOptions
  ) throws -> Model {
    let parsed = try ParsedMessage(source.byteSource, as: .model, name: name)
    return try withExtendedLifetime(parsed) {
      let message = parsed.pointer(to: ModelMessage.self)
      guard let graph = message.pointee.graph else {
        let found = ForeignFormat.identify(source.byteSource)
        throw ModelError.notONNX(file: name, found: found ?? "it has no graph")
      }
      let external = try ExternalData(modelPath: modelPath, extraRoots: options.externalDataRoots)
      let tensors = TensorReader(
        source: source, sourceName: name, external: external, options: options)
      var model = try model(message.pointee, UnsafePointer(graph), tensors, name: name)
      model.absent = external.absent
      if case .file(let file) = source {
        model.identity = ModelIdentity(
          skeleton: parsed.digest, files: [file.identity] + external.identities)
      }
      return model
    }
  }

  private static func model(
    _ message: ModelMessage, _ graph: UnsafePointer<GraphMessage>, _ tensors: TensorReader,
    name: String
  ) throws -> Model {
    let irVersion = Int(clamping: message.ir_version)
    let functions = messages(message.functions, message.n_functions)
    let context = ReadContext(
      tensors: tensors, irVersion: irVersion,
      functionDomains: Set(functions.map { normalisedDomain(string($0.pointee.domain)) }))
    var opsets = try importedOpsets(
      messages(message.opset_import, message.n_opset_import), label: "model")
    // Before IR version 3 there was but one set of operators.
    if opsets.isEmpty && irVersion < 3 { opsets[""] = 1 }
    warnOfVersions(irVersion, opsets, context)
    let reader = GraphReader(context: context, opsets: opsets, isFunction: false)
    var model = Model(
      graph: try reader.mainGraph(graph), irVersion: irVersion, opsets: opsets, source: name)
    model.functions = try FunctionReader.functions(
      functions, modelOpsets: opsets, context: context)
    model.producerName = string(message.producer_name)
    model.producerVersion = string(message.producer_version)
    model.domain = string(message.domain)
    model.modelVersion = message.model_version
    model.documentation = string(message.doc_string)
    model.metadata = messages(message.metadata_props, message.n_metadata_props)
      .map { (key: string($0.pointee.key), value: string($0.pointee.value)) }
    model.warnings = context.warnings
    return model
  }

  private static func warnOfVersions(
    _ irVersion: Int, _ opsets: [String: Int], _ context: ReadContext
  ) {
    if irVersion > newestIRVersion {
      context.warnings.append(
        "the model has IR version \(irVersion), newer than the \(newestIRVersion) known here")
    }
    if let opset = opsets[""], opset > newestOpset {
      context.warnings.append(
        "the model imports opset \(opset), newer than the \(newestOpset) known here")
    }
  }
}
