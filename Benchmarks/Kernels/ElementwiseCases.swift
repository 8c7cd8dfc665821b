// ElementwiseCases: every operator of the table that offers an element-wise kernel, for every type that it takes. Nothing
// is listed here: what the table has is asked.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors

/// An element-wise operator on tensors of one shape.
struct ElementwiseCase {
  let operatorType: String
  /// `float32`, `float32 -> int8`, `bool int64 int64`.
  let types: String
  let request: KernelRequest
  let candidate: KernelCandidate

  /// Bytes that it reads and writes.
  var bytes: Double {
    let inputs = zip(request.inputs, candidate.inputs).map { $1 == .planned ? nil : $0 }
    return (inputs + request.outputs).reduce(0) { $0 + Double($1?.byteCount ?? 0) }
  }
}

enum ElementwiseCases {
  /// All cases on so many elements, by name and type.
  static func all(_ elements: Int, _ instructionSet: InstructionSet) -> [ElementwiseCase] {
    let opset = OperatorTable.latestOpset
    let declarations = OperatorTable.standard.declarations.filter {
      $0.domain.isEmpty && $0.opsets.contains(opset)
    }
    return declarations.flatMap { cases($0.name, [elements], instructionSet) }
  }

  /// As many operands as the operator takes of any type: two for Max rather than one.
  private static func cases(
    _ operatorType: String, _ shape: Shape, _ instructionSet: InstructionSet
  ) -> [ElementwiseCase] {
    let lists: [(DataType) -> [DataType]] = [{ [.bool, $0, $0] }, { [$0, $0] }, { [$0] }]
    for list in lists {
      let found = DataType.allCases.flatMap {
        cases(operatorType, $0, list($0), shape, instructionSet)
      }
      if !found.isEmpty { return found }
    }
    return []
  }

  /// Attributes that some operators cannot do without; the first list of which any will do is what is measured.
  private static func attributes(_ type: DataType) -> [[[String: Attribute]]] {
    func text(_ text: String) -> Attribute { .string(Array(text.utf8)) }
    // Conversions from and to float32 stand for those between all types.
    let targets = type == .float32 ? DataType.allCases : [.float32]
    return [
      [[:]], [["direction": text("LEFT")], ["direction": text("RIGHT")]],
      targets.filter { $0 != type }.map { ["to": .int(Int64($0.rawValue))] },
    ]
  }

  private static func cases(
    _ operatorType: String, _ type: DataType, _ inputs: [DataType], _ shape: Shape,
    _ instructionSet: InstructionSet
  ) -> [ElementwiseCase] {
    for list in attributes(type) {
      let found = list.compactMap { attributes in
        try? make(operatorType, inputs, shape, attributes, instructionSet)
      }
      if !found.isEmpty { return found }
    }
    return []
  }

  /// nil where the operator computes this in another way. Throws where it does not take it.
  private static func make(
    _ operatorType: String, _ types: [DataType], _ shape: Shape, _ attributes: [String: Attribute],
    _ instructionSet: InstructionSet
  ) throws -> ElementwiseCase? {
    let node = Node(
      id: NodeID(0), name: operatorType, operatorType: operatorType,
      opset: OperatorTable.latestOpset, inputs: types.indices.map { ValueID($0) },
      outputs: [ValueID(types.count)], attributes: attributes)
    guard let declared = OperatorTable.standard.type(of: node) else { return nil }
    let operation = try declared.init(NodeReader(node))
    guard operation.hostOperator(for: types) == nil else { return nil }
    var context = InferenceContext(
      inputs: types.map { InferredValue(.tensor($0, shape: shape.map(Dimension.fixed))) },
      given: types.map { _ in true }, outputCount: 1)
    try operation.infer(&context)
    guard let type = context.outputs[0]?.type, let dataType = type.dataType,
      let result = type.fixedShape
    else { return nil }
    let request = KernelRequest(
      inputs: types.map { Operand($0, shape) }, outputs: [Operand(dataType, result)],
      instructionSet: instructionSet)
    guard
      let candidate = try operation.candidates(request).first(where: { $0.name == .elementwise })
    else { return nil }
    _ = try candidate.bind(request)
    return ElementwiseCase(
      operatorType: operatorType, types: label(types, dataType, attributes), request: request,
      candidate: candidate)
  }

  private static func label(
    _ inputs: [DataType], _ output: DataType, _ attributes: [String: Attribute]
  ) -> String {
    let types =
      Set(inputs).count == 1 ? "\(inputs[0])" : inputs.map { "\($0)" }.joined(separator: " ")
    if case .string(let direction)? = attributes["direction"] {
      return "\(types) \(String(decoding: direction, as: UTF8.self).lowercased())"
    }
    return inputs.contains(output) ? types : "\(types) -> \(output)"
  }
}
