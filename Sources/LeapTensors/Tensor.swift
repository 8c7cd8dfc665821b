// Tensor: a value that goes into a session or comes out of it: elements in row-major order, immutable, shared by reference.

/// An n-dimensional array of elements of one type, in row-major order.
///
/// Tensors are values: copying one shares its memory, and nothing changes that memory afterwards.
public struct Tensor: Sendable {
  /// Where the elements lie.
  package enum Contents: Sendable {
    case bytes(TensorStorage, offset: Int)
    case strings([String])
  }

  /// The type of the elements.
  public let dataType: DataType
  /// The extents, outermost first.
  public let shape: Shape
  package private(set) var contents: Contents

  /// A tensor over bytes that are there already. Row-major, little-endian, sub-byte types packed as ONNX packs them.
  package init(dataType: DataType, shape: Shape, storage: TensorStorage, byteOffset: Int = 0) {
    self.dataType = dataType
    self.shape = shape
    contents = .bytes(storage, offset: byteOffset)
  }

  /// A tensor whose bytes `fill` writes. They are not cleared before.
  ///
  /// - Parameter inPages: whether large memory goes back to the system as soon as the tensor is gone, as that of weights must
  ///   which are read to be packed.
  /// - Throws: `ModelError.outOfMemory`, and what `fill` throws.
  package init(
    dataType: DataType, shape: Shape, inPages: Bool = false,
    fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws {
    guard let bytes = dataType.byteCount(elements: shape.elementCount) else {
      throw ModelError.outOfMemory(bytes: .max)
    }
    let storage =
      inPages ? try TensorStorage(lasting: bytes) : try TensorStorage(byteCount: bytes)
    try fill(UnsafeMutableRawBufferPointer(start: storage.base, count: bytes))
    self.init(dataType: dataType, shape: shape, storage: storage)
  }

  /// A tensor of zeros.
  ///
  /// - Throws: `ModelError.outOfMemory`.
  public init(zeros dataType: DataType, shape: Shape) throws {
    if dataType == .string {
      self.init(
        unchecked: .strings(Array(repeating: "", count: shape.elementCount)), shape: shape)
      return
    }
    try self.init(dataType: dataType, shape: shape) { bytes in
      if let base = bytes.baseAddress {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes.count)
      }
    }
  }

  private init(unchecked contents: Contents, shape: Shape) {
    dataType = .string
    self.shape = shape
    self.contents = contents
  }

  /// A tensor that holds a copy of `elements`.
  ///
  /// - Parameters:
  ///   - elements: the elements in row-major order.
  ///   - shape: the extents; nil for one dimension as long as `elements`.
  /// - Throws: `RunError.elementCount` where the shape asks for another number of elements.
  public init<Element: TensorElement>(_ elements: [Element], shape: Shape? = nil) throws {
    let shape = shape ?? [elements.count]
    guard shape.elementCount == elements.count else {
      throw RunError.elementCount(expected: shape.elementCount, shape: shape, got: elements.count)
    }
    try self.init(dataType: Element.dataType, shape: shape) { bytes in
      elements.withUnsafeBytes { bytes.copyMemory(from: $0) }
    }
  }

  /// A tensor of strings.
  ///
  /// - Throws: `RunError.elementCount` where the shape asks for another number of elements.
  public init(strings: [String], shape: Shape? = nil) throws {
    let shape = shape ?? [strings.count]
    guard shape.elementCount == strings.count else {
      throw RunError.elementCount(expected: shape.elementCount, shape: shape, got: strings.count)
    }
    self.init(unchecked: .strings(strings), shape: shape)
  }

  /// A scalar.
  public init<Element: TensorElement>(scalar: Element) throws {
    try self.init([scalar], shape: [])
  }

  /// Gives the tensor memory that nobody else holds: a copy, where it is not so already.
  ///
  /// - Throws: `ModelError.outOfMemory`.
  package mutating func unshare() throws {
    guard let (storage, offset, isShared) = takeStorage() else { return }
    contents = .bytes(storage, offset: offset)
    guard isShared else { return }
    let copy = try TensorStorage(byteCount: byteCount)
    copy.base.copyMemory(from: storage.base + offset, byteCount: byteCount)
    contents = .bytes(copy, offset: 0)
  }

  /// Takes the memory of a tensor that is not needed any more, where nobody else holds it, it may be written, and it begins with
  /// the tensor's elements; nil where it is not so, and then nothing changes.
  package mutating func releaseStorage() -> TensorStorage? {
    guard let (storage, offset, isShared) = takeStorage() else { return nil }
    if !isShared, storage.isOwned, offset == 0 { return storage }
    contents = .bytes(storage, offset: offset)
    return nil
  }

  /// Takes the memory out of the tensor, whose own reference would count as another's; nil for strings.
  private mutating func takeStorage() -> (TensorStorage, offset: Int, isShared: Bool)? {
    guard case .bytes(var storage, let offset) = contents else { return nil }
    contents = .strings([])
    let isShared = !isKnownUniquelyReferenced(&storage)
    return (storage, offset, isShared)
  }

  /// The number of elements.
  public var elementCount: Int { shape.elementCount }

  /// Bytes that the elements take; 0 for strings.
  public var byteCount: Int { dataType.byteCount(elements: elementCount) ?? 0 }

  /// The elements' bytes, for the duration of `body`; an empty buffer for strings.
  public func withUnsafeBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    guard case .bytes(let storage, let offset) = contents else {
      return try body(UnsafeRawBufferPointer(start: nil, count: 0))
    }
    defer { withExtendedLifetime(storage) {} }
    return try body(
      UnsafeRawBufferPointer(start: UnsafeRawPointer(storage.base + offset), count: byteCount))
  }

  /// Where the first element lies, as long as the tensor lives; nil for strings.
  package var address: UnsafeMutableRawPointer? {
    if case .bytes(let storage, let offset) = contents { storage.base + offset } else { nil }
  }

  /// The elements in row-major order, or nil where `Element` is not the tensor's type.
  public func elements<Element: TensorElement>(as type: Element.Type) -> [Element]? {
    guard type.dataType == dataType else { return nil }
    return withUnsafeBytes { bytes in
      [Element](unsafeUninitializedCapacity: elementCount) { buffer, count in
        UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
        count = elementCount
      }
    }
  }

  /// The elements of a tensor of strings, or nil where it holds something else.
  public var strings: [String]? {
    if case .strings(let strings) = contents { strings } else { nil }
  }

  /// The same elements under another shape of as many elements.
  package func reshaped(_ shape: Shape) -> Tensor {
    precondition(shape.elementCount == elementCount, "reshaped keeps the number of elements")
    switch contents {
    case .bytes(let storage, let offset):
      return Tensor(dataType: dataType, shape: shape, storage: storage, byteOffset: offset)
    case .strings: return Tensor(unchecked: contents, shape: shape)
    }
  }

  /// The elements of a float32 or float64 tensor; nil for other types.
  package var doubles: [Double]? {
    elements(as: Float.self).map { $0.map(Double.init) } ?? elements(as: Double.self)
  }

  /// The elements of an integer or bool tensor as `Int`, or nil for any other type, or where one does not fit.
  package var integers: [Int]? {
    switch dataType {
    case .int64: elements(as: Int64.self).map { $0.map(Int.init) }
    case .int32: elements(as: Int32.self).map { $0.map(Int.init) }
    case .int16: elements(as: Int16.self).map { $0.map(Int.init) }
    case .int8: elements(as: Int8.self).map { $0.map(Int.init) }
    case .uint8: elements(as: UInt8.self).map { $0.map(Int.init) }
    case .uint16: elements(as: UInt16.self).map { $0.map(Int.init) }
    case .uint32: elements(as: UInt32.self).map { $0.map(Int.init) }
    case .uint64:
      elements(as: UInt64.self).flatMap { values in
        let exact = values.compactMap { Int(exactly: $0) }
        return exact.count == values.count ? exact : nil
      }
    case .bool:
      elements(as: UInt8.self).map { $0.map(Int.init) }
        ?? elements(as: Bool.self).map { $0.map { $0 ? 1 : 0 } }
    default: nil
    }
  }
}

extension Tensor: CustomStringConvertible {
  /// Type and shape: `float32 1x3x224x224`.
  public var description: String { "\(dataType) \(shape)" }
}
