// RandomKernel: numbers drawn one after the other, so that there is one block.

import CLeapKernels
import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

package enum RandomDistribution: Sendable {
  case uniform(low: Double, high: Double)
  /// By Marsaglia's polar method, as NumPy's legacy generator draws them.
  case normal(mean: Double, deviation: Double)
}

package enum RandomKernel {
  private static let grain = 1024

  /// Draws from one generator.
  private struct Source {
    let twister: UnsafeMutablePointer<leap_twister>
    private var spare: Double?

    /// - Parameter memory: room for the generator.
    init(_ memory: UnsafeMutableRawPointer, seed: UInt32?) {
      twister = memory.assumingMemoryBound(to: leap_twister.self)
      leap_twister_seed(twister, seed ?? .random(in: .min ... .max))
    }

    func uniform() -> Double { leap_twister_uniform(twister) }

    mutating func normal() -> Double {
      if let value = spare {
        spare = nil
        return value
      }
      while true {
        let (a, b) = (2 * uniform() - 1, 2 * uniform() - 1)
        let square = a * a + b * b
        if square >= 1 || square == 0 { continue }
        let factor = (-2 * log(square) / square).squareRoot()
        spare = factor * a
        return factor * b
      }
    }

    mutating func draw(_ distribution: RandomDistribution) -> Double {
      switch distribution {
      case .uniform(let low, let high): low + (high - low) * uniform()
      case .normal(let mean, let deviation): mean + deviation * normal()
      }
    }
  }

  private static var stateBytes: Int { (MemoryLayout<leap_twister>.stride + 63) / 64 * 64 }

  /// A kernel whose one block writes a number for each element of output 0, from what `next` gives.
  private static func filling(
    _ y: Operand, seed: UInt32?,
    next: @escaping @Sendable (Invocation, inout Source, _ index: Int) -> Double
  ) throws -> Kernel {
    let count = y.shape.elementCount
    let writer = try NumberWriter(y.dataType)
    let isDouble = y.dataType == .float64
    return Kernel(
      blocks: count == 0 ? 0 : 1, scratchPerWorker: stateBytes + grain * 5
    ) { invocation, _ in
      var source = Source(invocation.scratch, seed: seed)
      let floats = (invocation.scratch + stateBytes).assumingMemoryBound(to: Float.self)
      let patterns = (invocation.scratch + stateBytes + 4 * grain)
        .assumingMemoryBound(to: UInt8.self)
      for first in stride(from: 0, to: count, by: grain) {
        let own = min(grain, count - first)
        for index in 0..<own {
          let number = next(invocation, &source, first + index)
          if isDouble {
            invocation.output(0).storeBytes(
              of: number, toByteOffset: 8 * (first + index), as: Double.self)
          } else {
            floats[index] = Float(number)
          }
        }
        if isDouble { continue }
        writer.write(floats, count: own, to: invocation.output(0), from: first, patterns: patterns)
      }
    }
  }

  /// Output 0, of any type of floats, drawn from a distribution.
  package static func fill(
    _ y: Operand, _ distribution: RandomDistribution, seed: UInt32?
  ) throws -> Kernel {
    try filling(y, seed: seed) { _, source, _ in source.draw(distribution) }
  }

  /// An element of input 0 as a double.
  private static func number(_ input: UnsafeRawPointer, _ type: DataType, _ index: Int) -> Double {
    type == .float64
      ? input.load(fromByteOffset: 8 * index, as: Double.self)
      : Double(input.float(type, at: index))
  }

  /// Output 0 is 1 with the probabilities of input 0, else 0.
  package static func bernoulli(_ x: Operand, _ y: Operand, seed: UInt32?) throws -> Kernel {
    let type = x.dataType
    return try filling(y, seed: seed) { invocation, source, index in
      source.uniform() < number(invocation.input(0), type, index) ? 1 : 0
    }
  }

  /// Output 0 [rows, samples] holds classes drawn by input 0 [rows, classes], logarithms of probabilities.
  package static func multinomial(_ x: Operand, _ y: Operand, seed: UInt32?) throws -> Kernel {
    let (type, classes, samples) = (x.dataType, x.shape[1], y.shape[1])
    return try filling(y, seed: seed) { invocation, source, index in
      let input = invocation.input(0)
      let row = index / samples * classes
      var largest = -Double.infinity
      for place in 0..<classes { largest = max(largest, number(input, type, row + place)) }
      var total = 0.0
      for place in 0..<classes { total += exp(number(input, type, row + place) - largest) }
      let drawn = source.uniform() * total
      var sum = 0.0
      for place in 0..<classes {
        sum += exp(number(input, type, row + place) - largest)
        if drawn < sum { return Double(place) }
      }
      return Double(classes - 1)
    }
  }
}
