// SessionDescription: what a model says of itself, in C's structures.

import CLeapstone
import Leapstone

struct SessionDescription: @unchecked Sendable {
  private let memory = CMemory()
  let inputs: [UnsafePointer<leapstone_value_info>]
  let outputs: [UnsafePointer<leapstone_value_info>]
  let initializers: [UnsafePointer<leapstone_value_info>]
  let valueNames: UnsafePointer<UnsafePointer<CChar>?>
  let valueNameCount: Int
  let warnings: UnsafePointer<UnsafePointer<CChar>?>
  let warningCount: Int
  let metadata: UnsafePointer<leapstone_metadata>

  init(_ session: InferenceSession) {
    let memory = memory
    func pointers(_ values: [ValueInfo]) -> [UnsafePointer<leapstone_value_info>] {
      values.map { memory.array([SessionDescription.info($0, memory)]) }
    }
    inputs = pointers(session.inputs)
    outputs = pointers(session.outputs)
    initializers = pointers(session.overridableInitializers)
    let names = session.valueNames
    valueNames = memory.texts(names)
    valueNameCount = names.count
    warnings = memory.texts(session.warnings)
    warningCount = session.warnings.count
    metadata = memory.array([SessionDescription.metadata(session.metadata, memory)])
  }

  /// The values of a role.
  ///
  /// - Throws: `CallFailure`.
  func values(_ role: leapstone_role) throws -> [UnsafePointer<leapstone_value_info>] {
    switch Int(role) {
    case LEAPSTONE_INPUT: inputs
    case LEAPSTONE_OUTPUT: outputs
    case LEAPSTONE_INITIALIZER: initializers
    default: throw CallFailure.argument("\(role) is no role of a value")
    }
  }

  private static func info(_ value: ValueInfo, _ memory: CMemory) -> leapstone_value_info {
    let kind =
      switch value.type {
      case .tensor: LEAPSTONE_TENSOR
      case .sequence: LEAPSTONE_SEQUENCE
      case .optional: LEAPSTONE_OPTIONAL
      case .map: LEAPSTONE_MAP
      case .sparseTensor: LEAPSTONE_SPARSE_TENSOR
      }
    let tensor = value.type.innermostTensor
    let shape = tensor?.shape ?? []
    return leapstone_value_info(
      name: memory.text(value.name), type: memory.text(value.type.onnxName),
      kind: leapstone_kind(kind), element_type: tensor?.type.rawValue ?? 0,
      rank: tensor?.shape == nil ? -1 : Int32(clamping: shape.count),
      dimensions: memory.array(shape.map { Int64($0.value ?? -1) }),
      symbols: memory.array(shape.map { symbol(of: $0, memory) }))
  }

  private static func symbol(
    of dimension: Dimension, _ memory: CMemory
  ) -> UnsafePointer<CChar>? {
    switch dimension {
    case .fixed, .unknown: nil
    case .symbol, .expression: memory.text(dimension.description)
    }
  }

  private static func metadata(
    _ source: ModelMetadata, _ memory: CMemory
  ) -> leapstone_metadata {
    let opsets = source.opsets.sorted { $0.key < $1.key }
    return leapstone_metadata(
      producer_name: memory.text(source.producerName),
      producer_version: memory.text(source.producerVersion),
      domain: memory.text(source.domain), graph_name: memory.text(source.graphName),
      graph_description: memory.text(source.graphDescription),
      description: memory.text(source.description),
      version: source.version, ir_version: Int64(source.irVersion),
      property_count: source.properties.count,
      property_keys: memory.texts(source.properties.map(\.key)),
      property_values: memory.texts(source.properties.map(\.value)),
      opset_count: opsets.count, opset_domains: memory.texts(opsets.map(\.key)),
      opset_versions: memory.array(opsets.map { Int64($0.value) }))
  }
}
