// Shape: the extents of a tensor whose dimensions are all known.
//
// 1. Hostile extents never trap: products saturate, and a saturated size cannot be allocated.
// 2. Reads like an array.

/// The extents of a tensor, outermost first. A scalar has no dimensions and one element.
public struct Shape: Hashable, Sendable, RandomAccessCollection, MutableCollection,
  ExpressibleByArrayLiteral
{
  /// The extents. Each is zero or more.
  public var dimensions: [Int]

  public init(_ dimensions: [Int]) { self.dimensions = dimensions }
  public init(arrayLiteral elements: Int...) { dimensions = elements }

  public var startIndex: Int { 0 }
  public var endIndex: Int { dimensions.count }
  public subscript(position: Int) -> Int {
    get { dimensions[position] }
    set { dimensions[position] = newValue }
  }

  /// The number of dimensions.
  public var rank: Int { dimensions.count }

  /// The product of the extents; `Int.max` where it overflows.
  public var elementCount: Int { Shape.product(dimensions[...]) }

  /// The product of some extents; `Int.max` where it overflows, 0 where any is zero.
  package static func product(_ extents: ArraySlice<Int>) -> Int {
    if extents.contains(0) { return 0 }
    var product = 1
    for extent in extents {
      let (next, overflow) = product.multipliedReportingOverflow(by: extent)
      if overflow { return .max }
      product = next
    }
    return product
  }

  /// Bytes that offsets into a tensor of this shape stay below, a tensor without elements included: extents of zero count
  /// as one. nil where an extent is negative or the figure overflows.
  package func span(of dataType: DataType) -> Int? {
    guard allSatisfy({ $0 >= 0 }) else { return nil }
    let count = Shape.product(dimensions.map { Swift.max($0, 1) }[...])
    let (bits, overflow) = count.multipliedReportingOverflow(by: Swift.max(dataType.bitWidth, 8))
    return overflow ? nil : bits / 8
  }

  /// The product of the extents before `axis`.
  package func outer(_ axis: Int) -> Int { Shape.product(dimensions[..<axis]) }

  /// The product of the extents from `axis` on.
  package func inner(from axis: Int) -> Int { Shape.product(dimensions[axis...]) }

  /// Row-major strides, counted in elements.
  package var rowMajorStrides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    for axis in stride(from: rank - 2, through: 0, by: -1) {
      let (product, overflow) = strides[axis + 1].multipliedReportingOverflow(by: self[axis + 1])
      strides[axis] = overflow ? .max : product
    }
    return strides
  }

  /// The shape of an elementwise result, by the rules of ONNX's multidirectional broadcasting
  /// (that is numpy's); nil where the two do not go together.
  package func broadcast(with other: Shape) -> Shape? {
    var result = [Int](repeating: 1, count: Swift.max(rank, other.rank))
    for back in 1..<(result.count + 1) {
      let mine = back <= rank ? self[rank - back] : 1
      let theirs = back <= other.rank ? other[other.rank - back] : 1
      guard mine == theirs || mine == 1 || theirs == 1 else { return nil }
      result[result.count - back] = mine == 1 ? theirs : mine
    }
    return Shape(result)
  }
}

extension Shape: CustomStringConvertible {
  /// `1x3x224x224`; `scalar` without dimensions.
  public var description: String {
    isEmpty ? "scalar" : dimensions.map(String.init).joined(separator: "x")
  }
}

/// A sum of sizes that stays at `Int.max` where it overflows.
package func saturatingSum(_ a: Int, _ b: Int) -> Int {
  let (sum, overflow) = a.addingReportingOverflow(b)
  return overflow ? .max : sum
}
