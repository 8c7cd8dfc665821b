// Constant: a tensor that the model carries, read when it is needed, as a whole or in pieces.
//
// 1. Nothing holds elements in memory that nobody reads.
// 2. What is packed or scaled on its way to a kernel is read through a small buffer.

import LeapTensors

/// A tensor that the model carries: an initializer, or an attribute.
package struct Constant: Sendable {
  package enum Source: Sendable {
    /// Decoded, in memory.
    case tensor(Tensor)
    /// Row-major little-endian bytes in a file, read when they are needed.
    case file(PayloadFile, offset: Int)
    /// Made from others when it is needed, so that what a pass computes from weights (a folded
    /// normalisation) does not lie in memory beside the copy that a kernel packs from it.
    case derived(@Sendable () throws -> Tensor)
    /// Made from others in the same way, some rows at a time: what the buffer holds in the end are the elements of these
    /// indices of the first dimension.
    case derivedRows(@Sendable (Range<Int>, UnsafeMutableRawBufferPointer) throws -> Void)
    /// Not where the model says: reading it throws this. Only where the reader was asked to go on without.
    case absent(ModelError)
  }

  package let dataType: DataType
  package let shape: Shape
  package let source: Source

  package init(_ tensor: Tensor) {
    dataType = tensor.dataType
    shape = tensor.shape
    source = .tensor(tensor)
  }

  /// A constant that comes from elsewhere: the same bytes, of this type and shape, at each reading.
  package init(dataType: DataType, shape: Shape, source: Source) {
    self.dataType = dataType
    self.shape = shape
    self.source = source
  }

  package init(dataType: DataType, shape: Shape, file: PayloadFile, offset: Int) {
    self.init(dataType: dataType, shape: shape, source: .file(file, offset: offset))
  }

  package init(
    dataType: DataType, shape: Shape, derived make: @escaping @Sendable () throws -> Tensor
  ) {
    self.init(dataType: dataType, shape: shape, source: .derived(make))
  }

  /// The same elements under another shape of as many elements; what lies in a file stays there.
  package func reshaped(_ shape: Shape) -> Constant {
    switch source {
    case .tensor(let tensor): return Constant(tensor.reshaped(shape))
    case .file, .absent: return Constant(dataType: dataType, shape: shape, source: source)
    case .derived, .derivedRows:
      let made = self
      return Constant(dataType: dataType, shape: shape) { try made.tensor().reshaped(shape) }
    }
  }

  /// Bytes of the elements, sub-byte types packed; `Int.max` on overflow.
  package var byteCount: Int { dataType.byteCount(elements: shape.elementCount) ?? .max }

  /// The tensor in memory. A constant in a file, or derived from one, is read anew at each call.
  ///
  /// - Throws: `ModelError` where the file changed, cannot be read, or memory is refused.
  package func tensor() throws -> Tensor {
    switch source {
    case .tensor(let tensor): return tensor
    case .derived(let make): return try make()
    case .absent(let error): throw error
    case .file, .derivedRows:
      return try Tensor(dataType: dataType, shape: shape, inPages: true) { bytes in
        try read(rows: 0..<rows, into: bytes)
      }
    }
  }

  /// Whether its elements are not where the model says.
  package var isAbsent: Bool {
    if case .absent = source { true } else { false }
  }

  /// Indices of the first dimension; 1 for a scalar.
  package var rows: Int { shape.rank > 0 ? shape[0] : 1 }

  /// Bytes of one row, where the constant is made of whole bytes; nil where rows do not begin at bytes.
  package var rowByteCount: Int? {
    guard rows > 0, dataType.bitWidth >= 8, byteCount != .max else { return nil }
    return byteCount / rows
  }

  /// Copies rows to memory of their size. One that is `derived` as a whole is made for each call.
  ///
  /// - Throws: as `tensor()`.
  package func read(rows: Range<Int>, into bytes: UnsafeMutableRawBufferPointer) throws {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    let before = rows.lowerBound * (rowByteCount ?? 0)
    switch source {
    case .derivedRows(let make): try make(rows, bytes)
    case .absent(let error): throw error
    case .file(let file, let offset):
      try file.read(into: base, offset: offset + before, count: bytes.count)
    case .tensor, .derived:
      try tensor().withUnsafeBytes { source in
        bytes.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[before...].prefix(bytes.count)))
      }
    }
  }
}
