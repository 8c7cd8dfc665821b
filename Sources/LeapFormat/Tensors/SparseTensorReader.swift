// SparseTensorReader: SparseTensorProto -> a dense Constant. Nothing later has to know that it was sparse.

import CLeapProto
import LeapGraph
import LeapTensors

extension TensorReader {
  /// Bytes that a sparse tensor may take when it is made dense, whatever its own size.
  private static let denseBase = 64 << 20
  /// Bytes that it may take for each byte that it stores.
  private static let denseFactor = 64

  /// - Throws: what reading its values and indices throws; `ModelError.invalid` where an index is out of range or not
  ///   ascending; `.limitExceeded` where the dense tensor would be out of all proportion.
  func sparseConstant(
    _ message: UnsafePointer<SparseTensorMessage>, label: String
  ) throws -> Constant {
    func invalid(_ reason: String) -> ModelError { .invalid(location: label, reason: reason) }
    guard let valuesMessage = message.pointee.values else { throw invalid("it has no values") }
    let dims = UnsafeBufferPointer(start: message.pointee.dims, count: message.pointee.n_dims)
    guard dims.allSatisfy({ $0 >= 0 }) else { throw invalid("it has a negative dimension") }
    let shape = Shape(dims.map { Int($0) })
    let values = try constant(valuesMessage, label: "values of \(label)").tensor()
    guard values.shape.rank == 1 else {
      throw invalid("its values have shape \(values.shape), expected rank 1")
    }
    guard values.dataType.bitWidth >= 8 else {
      throw invalid("sparse tensors of \(values.dataType) are not supported")
    }
    let places = try indices(message, count: values.elementCount, shape: shape, label: label)
    guard let size = values.dataType.byteCount(elements: shape.elementCount) else {
      throw invalid("the product of the dimensions \(shape) overflows")
    }
    let limit = TensorReader.denseBase + TensorReader.denseFactor * values.byteCount
    guard size <= limit else {
      throw ModelError.limitExceeded(
        what: "bytes of sparse tensor \(label) when it is dense", found: size, limit: limit)
    }
    let width = values.dataType.byteWidth
    return Constant(
      try Tensor(dataType: values.dataType, shape: shape) { dense in
        if let base = dense.baseAddress {
          base.initializeMemory(as: UInt8.self, repeating: 0, count: dense.count)
        }
        values.withUnsafeBytes { source in
          for (index, place) in places.enumerated() {
            UnsafeMutableRawBufferPointer(rebasing: dense[place * width..<(place + 1) * width])
              .copyMemory(
                from: UnsafeRawBufferPointer(rebasing: source[index * width..<(index + 1) * width]))
          }
        }
      })
  }

  /// The places of the values, as linear indices, checked.
  private func indices(
    _ message: UnsafePointer<SparseTensorMessage>, count: Int, shape: Shape, label: String
  ) throws -> [Int] {
    func invalid(_ reason: String) -> ModelError { .invalid(location: label, reason: reason) }
    if count == 0 { return [] }
    guard let indicesMessage = message.pointee.indices else { throw invalid("it has no indices") }
    let indices = try constant(indicesMessage, label: "indices of \(label)").tensor()
    guard let numbers = indices.elements(as: Int64.self) else {
      throw invalid("its indices are \(indices.dataType), expected int64")
    }
    let isLinear = indices.shape == [count]
    guard isLinear || indices.shape == [count, shape.rank] else {
      throw invalid(
        "its indices have shape \(indices.shape), expected \(count) or \(count)x\(shape.rank)")
    }
    let extent = shape.elementCount
    guard extent < Int.max else {
      throw invalid("the product of the dimensions \(shape) overflows")
    }
    var places: [Int] = []
    for row in 0..<count {
      var place = 0
      if isLinear {
        guard numbers[row] >= 0, numbers[row] < extent else {
          throw invalid("index \(numbers[row]) is outside of \(shape)")
        }
        place = Int(numbers[row])
      } else {
        for axis in 0..<shape.rank {
          let coordinate = numbers[row * shape.rank + axis]
          guard coordinate >= 0, coordinate < shape[axis] else {
            throw invalid("coordinate \(coordinate) of axis \(axis) is outside of \(shape)")
          }
          // Cannot overflow: the place is below the product of the extents, which was checked.
          place = place * shape[axis] + Int(coordinate)
        }
      }
      if let last = places.last, place <= last { throw invalid("its indices do not ascend") }
      places.append(place)
    }
    return places
  }
}
