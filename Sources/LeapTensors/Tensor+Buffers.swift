// Tensor+Buffers: tensors from memory that somebody else owns: copied, or borrowed together with its owner.

extension Tensor {
  /// A tensor that holds a copy of bytes.
  ///
  /// - Parameters:
  ///   - dataType: the elements' type; not strings.
  ///   - shape: the extents.
  ///   - bytes: the elements in row-major order, little-endian, sub-byte types packed as ONNX packs them.
  /// - Throws: `RunError.elementCount` where the shape asks for another number of bytes; `ModelError.outOfMemory`.
  public init(_ dataType: DataType, shape: Shape, copying bytes: UnsafeRawBufferPointer) throws {
    try Tensor.check(bytes.count, dataType, shape)
    try self.init(dataType: dataType, shape: shape) { $0.copyMemory(from: bytes) }
  }

  /// A tensor over bytes that stay where they are. They must not change while the tensor or a run that it was given to lives.
  ///
  /// - Parameters:
  ///   - dataType: the elements' type; not strings.
  ///   - shape: the extents.
  ///   - bytes: the elements, as for `init(_:shape:copying:)`. Where they are not aligned for their type they are copied.
  ///   - owner: kept alive as long as the bytes are needed.
  /// - Throws: as `init(_:shape:copying:)`.
  public init(
    _ dataType: DataType, shape: Shape, borrowing bytes: UnsafeRawBufferPointer,
    owner: any AnyObject & Sendable
  ) throws {
    try self.init(dataType, shape: shape, borrowing: bytes) { withExtendedLifetime(owner) {} }
  }

  /// A tensor over bytes that stay where they are. They must not change before `release` is called.
  ///
  /// - Parameters:
  ///   - dataType: the elements' type; not strings.
  ///   - shape: the extents.
  ///   - bytes: the elements, as for `init(_:shape:copying:)`. Where they are not aligned for their type they are copied.
  ///   - release: called once, on any thread, when the bytes are no longer needed; not where this throws.
  /// - Throws: as `init(_:shape:copying:)`.
  public init(
    _ dataType: DataType, shape: Shape, borrowing bytes: UnsafeRawBufferPointer,
    release: @escaping @Sendable () -> Void
  ) throws {
    try Tensor.check(bytes.count, dataType, shape)
    let alignment = UInt(min(max(dataType.byteWidth, 1), 8))
    guard let base = bytes.baseAddress, UInt(bitPattern: base) % alignment == 0 else {
      try self.init(dataType, shape: shape, copying: bytes)
      release()
      return
    }
    let storage = TensorStorage(
      borrowing: UnsafeMutableRawPointer(mutating: base), byteCount: bytes.count, release: release)
    self.init(dataType: dataType, shape: shape, storage: storage)
  }

  #if compiler(>=6.2)
    /// A tensor that holds a copy of the elements of a span.
    ///
    /// - Parameters:
    ///   - elements: the elements in row-major order.
    ///   - shape: the extents; nil for one dimension as long as `elements`.
    /// - Throws: `RunError.elementCount` where the shape asks for another number of elements.
    public init<Element: TensorElement>(_ elements: Span<Element>, shape: Shape? = nil) throws {
      let shape = shape ?? [elements.count]
      guard shape.elementCount == elements.count else {
        throw RunError.elementCount(expected: shape.elementCount, shape: shape, got: elements.count)
      }
      self = try elements.withUnsafeBytes {
        try Tensor(Element.dataType, shape: shape, copying: $0)
      }
    }
  #endif

  private static func check(_ byteCount: Int, _ dataType: DataType, _ shape: Shape) throws {
    let expected = dataType.byteCount(elements: shape.elementCount)
    guard expected == byteCount, dataType != .string else {
      let width = max(dataType.bitWidth, 1)
      let (bits, overflow) = byteCount.multipliedReportingOverflow(by: 8)
      throw RunError.elementCount(
        expected: shape.elementCount, shape: shape,
        got: overflow ? .max : (bits + width - 1) / width)
    }
  }
}
