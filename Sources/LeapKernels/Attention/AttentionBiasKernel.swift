// AttentionBiasKernel: from what tells padding apart to numbers that are added to the scores of an attention.

import LeapTensors

/// Writes [batch, 1, rows, keys]: 0 where a key counts, a filter where it does not.
package struct AttentionBiasKernel: Sendable {
  /// What a mask has, int32 or int64.
  package enum Form: Sendable {
    /// A number for each key of each row; above 0 it counts.
    case perKey
    /// Of each image the place after its last key, [batch], and then perhaps that of its first key, [2 · batch].
    case ends(hasStarts: Bool)
  }

  private let form: Form
  private let filter: Double
  private let batch: Int
  private let rows: Int
  private let keys: Int

  package init(_ form: Form, filter: Double, batch: Int, rows: Int, keys: Int) {
    self.form = form
    self.filter = filter
    self.batch = batch
    self.rows = rows
    self.keys = keys
  }

  /// The kernel: input 0 the mask, output 0 the numbers.
  ///
  /// - Throws: `OperatorError.unsupported` for other types than int32 and int64, float32 and float64.
  package func kernel(mask: DataType, result: DataType) throws -> Kernel {
    switch (mask, result) {
    case (.int32, .float32): kernel(Int32.self, Float.self)
    case (.int64, .float32): kernel(Int64.self, Float.self)
    case (.int32, .float64): kernel(Int32.self, Double.self)
    case (.int64, .float64): kernel(Int64.self, Double.self)
    default: throw OperatorError.unsupported("there is no bias of \(result) by a mask of \(mask)")
    }
  }

  private func kernel<
    Mark: FixedWidthInteger & BitwiseCopyable & Sendable,
    Element: BinaryFloatingPoint & BitwiseCopyable & Sendable
  >(_ mark: Mark.Type, _ element: Element.Type) -> Kernel {
    let filter = Element(filter)
    return Kernel(blocks: batch * rows) { invocation, row in
      let marks = invocation.input(0).assumingMemoryBound(to: Mark.self)
      let target =
        invocation.output(0).assumingMemoryBound(to: Element.self) + row * keys
      switch form {
      case .perKey:
        let own = marks + row * keys
        for key in 0..<keys { target[key] = own[key] > 0 ? 0 : filter }
      case .ends(let hasStarts):
        let image = row / rows
        let (start, end) = (hasStarts ? marks[batch + image] : 0, marks[image])
        for key in 0..<keys { target[key] = key >= start && key < end ? 0 : filter }
      }
    }
  }
}
