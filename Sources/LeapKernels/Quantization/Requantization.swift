// Requantization: from sums of products of quantised numbers to quantised numbers.

import CLeapKernels
import LeapTensors

/// The places, among a request's inputs, of what turns sums into quantised results.
package struct Requantization: Sendable {
  /// Scales of the left operand, the right one, and the result.
  package var leftScale: Int
  package var rightScale: Int
  package var resultScale: Int
  package var resultZero: Int?
  package var bias: Int?

  package init(
    leftScale: Int, rightScale: Int, resultScale: Int, resultZero: Int?, bias: Int? = nil
  ) {
    self.leftScale = leftScale
    self.rightScale = rightScale
    self.resultScale = resultScale
    self.resultZero = resultZero
    self.bias = bias
  }

  /// A requantisation bound to the types and numbers of its operands.
  struct Bound: Sendable {
    let places: Requantization
    let types: (left: DataType, right: DataType, result: DataType)
    let counts: (left: Int, right: Int)
    let isSigned: Bool

    init(_ places: Requantization, _ request: KernelRequest) throws {
      self.places = places
      let left = try request.requiredInput(places.leftScale)
      let right = try request.requiredInput(places.rightScale)
      let result = try request.requiredInput(places.resultScale)
      types = (left.dataType, right.dataType, result.dataType)
      counts = (left.shape.elementCount, right.shape.elementCount)
      isSigned = try request.requiredOutput(0).dataType == .int8
    }

    /// left · right / result, each rounded as ONNX Runtime does.
    func scale(_ invocation: Invocation, left: Int, right: Int) -> Float {
      let a = invocation.input(places.leftScale)
        .float(types.left, at: counts.left == 1 ? 0 : left)
      let b = invocation.input(places.rightScale)
        .float(types.right, at: counts.right == 1 ? 0 : right)
      return a * b / invocation.input(places.resultScale).float(types.result)
    }

    func zero(_ invocation: Invocation) -> Float {
      guard let index = places.resultZero, let input = invocation.optionalInput(index) else {
        return 0
      }
      return input.float(isSigned ? .int8 : .uint8)
    }

    func bias(_ invocation: Invocation, at index: Int) -> Int32 {
      guard let place = places.bias, let input = invocation.optionalInput(place) else { return 0 }
      return input.load(fromByteOffset: 4 * index, as: Int32.self)
    }

    /// The biases, where there are any.
    func biases(_ invocation: Invocation) -> UnsafePointer<Int32>? {
      places.bias.flatMap { invocation.optionalInput($0) }?.assumingMemoryBound(to: Int32.self)
    }

    /// Scales of float32.
    func floats(_ invocation: Invocation, _ place: Int) -> UnsafePointer<Float> {
      invocation.input(place).assumingMemoryBound(to: Float.self)
    }

    var low: Float { isSigned ? -128 : 0 }
    var high: Float { isSigned ? 127 : 255 }
  }
}
