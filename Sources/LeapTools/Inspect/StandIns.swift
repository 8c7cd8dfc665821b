// StandIns: constants in the place of those whose elements are not where the model says, so that the rest can be planned.

import LeapGraph
import LeapTensors

extension Graph {
  /// The graph with numbers near 1 in the place of floats that are not there, different ones for each constant, so that none is
  /// taken for another's double. Integers stay absent: they may decide shapes.
  func withStandIns() -> Graph {
    var ordinal = 0
    return withStandIns(&ordinal)
  }

  private func withStandIns(_ ordinal: inout Int) -> Graph {
    var graph = self
    for (id, constant) in constants.sorted(by: { $0.key < $1.key }) where constant.isAbsent {
      graph.constants[id] = constant.standIn(&ordinal)
    }
    for position in nodes.indices {
      graph.updateNode(at: position) { node in
        for (name, attribute) in node.attributes.sorted(by: { $0.key < $1.key }) {
          if case .tensor(let constant) = attribute, constant.isAbsent {
            node.attributes[name] = .tensor(constant.standIn(&ordinal))
          } else {
            node.attributes[name] = attribute.mapGraphs { $0.withStandIns(&ordinal) }
          }
        }
      }
    }
    return graph
  }
}

extension Constant {
  fileprivate func standIn(_ ordinal: inout Int) -> Constant {
    ordinal += 1
    // Exact in float32, and different for a million constants.
    let number = 1 + Float(ordinal % (1 << 20)) / Float(1 << 21)
    switch dataType {
    case .float32: return filled { $0.repeating(number) }
    case .float64: return filled { $0.repeating(Double(number)) }
    default: return self
    }
  }

  private func filled(
    _ fill: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Void
  ) -> Constant {
    Constant(dataType: dataType, shape: shape, source: .derivedRows { _, bytes in fill(bytes) })
  }
}

extension UnsafeMutableRawBufferPointer {
  fileprivate func repeating(_ number: Float) {
    withMemoryRebound(to: Float.self) { $0.update(repeating: number) }
  }

  fileprivate func repeating(_ number: Double) {
    withMemoryRebound(to: Double.self) { $0.update(repeating: number) }
  }
}
