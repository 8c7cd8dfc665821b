// Unpooling: zeros, with elements scattered among them by their indices.

import CLeapKernels
import LeapTensors

package enum Unpooling {
  /// Elements that one block sets to zero.
  private static let grain = 64 << 10

  /// The candidate that writes each element of input 0 at its index, input 1, and zeros elsewhere. Of elements with the
  /// same index the last is kept. When it runs, an index out of range is an `OperatorError`.
  ///
  /// - Parameter indexed: the shape whose elements indices count, in row-major order; no extent exceeds the output's.
  /// - Throws: `OperatorError` for a type other than float32 and float64.
  package static func candidate(
    _ request: KernelRequest, indexed: Shape
  ) throws -> KernelCandidate {
    guard request.inputs.count > 1, let x = request.inputs[0], request.inputs[1] != nil,
      let y = request.outputs.first ?? nil
    else { throw OperatorError("inputs 0 and 1 and output 0 are required") }
    guard [.float32, .float64].contains(x.dataType) else {
      throw OperatorError("elements are \(x.dataType); expected float32 or float64")
    }
    let (count, total) = (x.shape.elementCount, y.shape.elementCount)
    let width = x.dataType.byteWidth
    let isSameShape = indexed == y.shape
    let places = StridedIndex(
      zip(indexed, y.shape.rowMajorStrides).map { (extent: $0, input: $1, output: 0) })
    let clear = Phase(blockCount: total == 0 ? 0 : (total - 1) / grain + 1) { invocation, block in
      let first = block * grain
      (invocation.output(0) + first * width).initializeMemory(
        as: UInt8.self, repeating: 0, count: min(grain, total - first) * width)
    }
    // One block: elements of the same index must not meet.
    let scatter = Phase(blockCount: count == 0 ? 0 : 1) { invocation, _ in
      let indices = invocation.input(1).assumingMemoryBound(to: Int64.self)
      for element in 0..<count {
        guard let index = Int(exactly: indices[element]), (0..<places.count).contains(index) else {
          throw OperatorError(
            "index \(indices[element]) is out of range; expected 0 to \(places.count - 1) for \(indexed)"
          )
        }
        let place = isSameShape ? index : places.offsets(index).input
        (invocation.output(0) + place * width).copyMemory(
          from: invocation.input(0) + element * width, byteCount: width)
      }
    }
    return KernelCandidate(
      name: .scatter, inputs: request.inputs.indices.map { $0 < 2 ? .contiguous : .planned },
      outputs: [.contiguous],
      cost: Cost(
        operations: Double(count), bytes: Double(x.byteCount) + Double(y.byteCount),
        operationsPerNanosecond: 0.5)
    ) { _ in Kernel(phases: [clear, scatter]) }
  }
}
