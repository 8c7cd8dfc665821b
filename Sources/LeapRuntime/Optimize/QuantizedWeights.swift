// QuantizedWeights: constants that DequantizeLinear makes floats of stay as they are in memory, where a matrix product reads them, or a
// Gather its rows.
//
// 1. The same bits: a number becomes the float that it would have become, later.
// 2. All readers of the floats or none: a constant that is wanted in both forms would take more memory, not less.
// 3. What `IntegerEvaluation` makes of quantised activations goes before; constants are folded afterwards.

import LeapGraph
import LeapOperators
import LeapTensors

package struct QuantizedWeights: Pass {
  package static let name = "quantized-weights"
  package static let summary =
    "keep constants that DequantizeLinear makes floats of as they are, for matrix products and Gather"

  package init() {}

  package func run(_ context: inout PassContext) throws {
    guard context.graph.nodes.contains(where: { $0.operatorType == "DequantizeLinear" }) else {
      return
    }
    let merger = NodeMerger(context, pass: QuantizedWeights.name)
    var products: [Int: DequantizedMatrix] = [:]
    var lookups: [Int: DequantizedMatrix] = [:]
    for position in merger.positions {
      products[position] = product(position, merger)
      lookups[position] = lookup(position, merger)
    }
    let matches = Set(products.keys).union(lookups.keys)
    func isWhole(_ matrix: DequantizedMatrix) -> Bool {
      matrix.readers(in: merger)?.allSatisfy(matches.contains) ?? false
    }
    products = products.filter { isWhole($0.value) }
    lookups = lookups.filter { isWhole($0.value) }
    if products.isEmpty && lookups.isEmpty { return }
    var graph = context.graph
    for (position, matrix) in products { multiply(by: matrix, at: position, &graph) }
    // From the end, since each moves the nodes behind it.
    for (position, matrix) in lookups.sorted(by: { $0.key > $1.key }) {
      lookUp(in: matrix, at: position, &graph)
    }
    context.graph = graph
  }

  // MARK: products

  /// The right operand of a matrix product, with its scales along the columns of the product.
  private func product(_ position: Int, _ merger: NodeMerger) -> DequantizedMatrix? {
    guard let node = merger.node(position), node.isProduct, node.number("transA") ?? 0 == 0,
      node.inputs.count >= 2, let value = node.inputs[1],
      var matrix = DequantizedMatrix(value, in: merger)
    else { return nil }
    if node.number("transB") ?? 0 != 0 { matrix.isTransposed.toggle() }
    let depthAxis = matrix.isTransposed ? 1 : 0
    switch matrix.granularity {
    case .matrix: return matrix
    case .axis(let axis): return axis == 1 - depthAxis ? matrix : nil
    case .block(let axis, _): return axis == depthAxis ? matrix : nil
    }
  }

  private func multiply(by matrix: DequantizedMatrix, at position: Int, _ graph: inout Graph) {
    let sources = matrix.nodes.map { graph.nodes[$0] }
    graph.updateNode(at: position) { node in
      let factors = node.attributes.filter { $0.key == "alpha" || $0.key == "beta" }
      let addend = node.inputs.count > 2 ? node.inputs[2] : nil
      node.inputs = [node.inputs[0], matrix.numbers, matrix.scale, matrix.zero, addend]
      while case .some(.none) = node.inputs.last { node.inputs.removeLast() }
      node.domain = OperatorTable.ownDomain
      node.operatorType = DequantizedMatMul.name
      node.opset = 1
      node.attributes = ["transB": .int(matrix.isTransposed ? 1 : 0)].merging(factors) { $1 }
      if case .block(_, let size) = matrix.granularity {
        node.attributes["block_size"] = .int(Int64(size))
      }
      node.origin = origin([node] + sources)
    }
  }

  // MARK: lookups

  /// The matrix of bytes whose rows a Gather takes.
  private func lookup(_ position: Int, _ merger: NodeMerger) -> DequantizedMatrix? {
    guard let node = merger.node(position), node.domain.isEmpty, node.operatorType == "Gather",
      node.epilogue.isEmpty, [0, -2].contains(node.number("axis") ?? 0),
      node.inputs.count == 2, let value = node.inputs[0],
      let matrix = DequantizedMatrix(value, in: merger), !matrix.isTransposed,
      [.int8, .uint8].contains(matrix.type)
    else { return nil }
    if case .block(0, _) = matrix.granularity { return nil }
    return matrix
  }

  /// Puts a DequantizeLinear in the place of a Gather, and before it those of numbers, and of scales and zero points where rows
  /// have their own.
  private func lookUp(in matrix: DequantizedMatrix, at position: Int, _ graph: inout Graph) {
    let gather = graph.nodes[position]
    let sources = matrix.nodes.map { graph.nodes[$0] }
    let whole = origin([gather] + sources)
    var attributes: [String: Attribute] = ["axis": .int(-1)]
    var operands: [ValueID?] = [matrix.numbers, matrix.scale, matrix.zero]
    var gathered = 1
    switch matrix.granularity {
    case .matrix, .axis(1): break
    case .axis:
      // One for each row is one for each block of a whole row.
      attributes["block_size"] = .int(Int64(matrix.shape[1]))
      for index in 1...2 { operands[index] = operands[index].map { column(of: $0, &graph) } }
      gathered = 3
    case .block(_, let size):
      attributes["block_size"] = .int(Int64(size))
      gathered = 3
    }
    var added: [(inputs: [ValueID?], output: ValueID)] = []
    for index in 0..<gathered {
      guard let operand = operands[index] else { continue }
      let rows = graph.addValue(
        Value(name: graph.freshName("\(graph[operand].name)_rows"), type: nil, origin: whole))
      added.append(([operand, gather.inputs[1]], rows))
      operands[index] = rows
    }
    graph.updateNode(at: position) { node in
      node.operatorType = "DequantizeLinear"
      node.opset = max(node.opset, 21)
      node.inputs = operands[2] == nil ? Array(operands.prefix(2)) : operands
      node.attributes = attributes
      node.origin = whole
    }
    for (index, (inputs, output)) in added.enumerated() {
      graph.addNode(
        name: "\(gather.name)_rows\(index)", operatorType: "Gather", opset: gather.opset,
        inputs: inputs, outputs: [output], attributes: ["axis": .int(0)], origin: whole,
        at: position + index)
    }
  }

  /// A constant vector as a matrix of one column.
  private func column(of value: ValueID, _ graph: inout Graph) -> ValueID {
    guard let constant = graph.constants[value] else { return value }
    let name = graph.freshName("\(graph[value].name)_column")
    let column = constant.reshaped(Shape(constant.shape.dimensions + [1]))
    let added = graph.addValue(
      Value(
        name: name, type: .tensor(column.dataType, shape: column.shape.map(Dimension.fixed)),
        origin: Origin(graph[value].origin.names, pass: QuantizedWeights.name)))
    graph.constants[added] = column
    return added
  }

  private func origin(_ nodes: [Node]) -> Origin {
    var names: [String] = []
    for name in nodes.flatMap({ $0.origin.names }) where !names.contains(name) {
      names.append(name)
    }
    return Origin(names, pass: QuantizedWeights.name)
  }
}

extension Node {
  /// An attribute of one number, whatever its type.
  fileprivate func number(_ name: String) -> Double? {
    switch attributes[name] {
    case .float(let value)?: Double(value)
    case .int(let value)?: Double(value)
    default: nil
    }
  }

  /// Whether it is a product of two matrices, with a factor and a sum or not.
  fileprivate var isProduct: Bool {
    guard epilogue.isEmpty, prologue == nil else { return false }
    switch operatorType {
    case "MatMul", "Gemm": return domain.isEmpty
    case "FusedMatMul", "TransposeMatMul":
      return domain == "com.microsoft"
        && ["transBatchA", "transBatchB"].allSatisfy { number($0) ?? 0 == 0 }
    default: return false
    }
  }
}
