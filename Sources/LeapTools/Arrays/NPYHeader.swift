// NPYHeader: the Python dictionary at the head of a .npy file, and what it says of the bytes behind it.

import LeapTensors

/// Element type, order and shape of a numpy array.
struct NPYHeader {
  enum Element: Equatable {
    case number(DataType)
    /// Fixed-width text: UTF-32 units (`U`), or bytes (`S`).
    case text(width: Int, unit: Int)
  }

  var element: Element = .number(.float32)
  var isBigEndian = false
  var isFortranOrder = false
  var shape: Shape = []

  /// Bytes that the elements take; nil where that overflows.
  var byteCount: Int? {
    switch element {
    case .number(let type): return type.byteCount(elements: shape.elementCount)
    case .text(let width, let unit):
      let (size, overflow) = shape.elementCount.multipliedReportingOverflow(by: width * unit)
      return overflow ? nil : size
    }
  }

  /// numpy's name of a type, little-endian; nil where it has none.
  static func description(of type: DataType) -> String? {
    types.first { $0.type == type }.map { (type.byteWidth == 1 ? "|" : "<") + $0.name }
  }

  private static let types: [(name: String, type: DataType)] = [
    ("f4", .float32), ("f8", .float64), ("f2", .float16), ("b1", .bool),
    ("i1", .int8), ("i2", .int16), ("i4", .int32), ("i8", .int64),
    ("u1", .uint8), ("u2", .uint16), ("u4", .uint32), ("u8", .uint64),
    ("c8", .complex64), ("c16", .complex128),
  ]

  /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }`.
  init(parsing text: ArraySlice<UInt8>) throws {
    var parser = LiteralParser(text)
    var seen: Set<String> = []
    try parser.expect("{")
    while !parser.take("}") {
      let key = try parser.string()
      try parser.expect(":")
      guard seen.insert(key).inserted else { throw ArrayFileError("'\(key)' is given twice") }
      switch key {
      case "descr": try setElement(try parser.elementDescription())
      case "fortran_order": isFortranOrder = try parser.boolean()
      case "shape": shape = try parser.tuple()
      default: throw ArrayFileError("unknown key '\(key)' in the header")
      }
      if !parser.take(",") {
        try parser.expect("}")
        break
      }
    }
    guard seen.count == 3 else {
      throw ArrayFileError("the header lacks one of 'descr', 'fortran_order' and 'shape'")
    }
  }

  private mutating func setElement(_ description: String) throws {
    guard let order = description.first, "<>|=".contains(order) else {
      throw ArrayFileError("unknown element type '\(description)'")
    }
    let name = description.dropFirst()
    isBigEndian = order == ">"
    if let known = NPYHeader.types.first(where: { $0.name == name }) {
      element = .number(known.type)
    } else if let kind = name.first, kind == "U" || kind == "S",
      let width = Int(name.dropFirst()), (0...1 << 20).contains(width)
    {
      element = .text(width: width, unit: kind == "U" ? 4 : 1)
    } else if name.hasPrefix("O") {
      throw ArrayFileError("it holds pickled Python objects, which are not read")
    } else {
      throw ArrayFileError("element type '\(description)' has no counterpart in ONNX")
    }
  }

  /// The tensor whose elements `body` holds as this header says. `body` has `byteCount` bytes.
  func tensor(from body: ArraySlice<UInt8>) throws -> Tensor {
    switch element {
    case .number(let type):
      return try Tensor(dataType: type, shape: shape) { bytes in
        body.withUnsafeBytes { write($0, to: bytes, type: type) }
      }
    case .text(let width, let unit):
      // Strings of no width take no bytes in the file, so that nothing else bounds their number.
      guard width > 0 || shape.elementCount <= 1 << 20 else {
        throw ArrayFileError("\(shape) strings of no width")
      }
      let strings = (0..<shape.elementCount).map { index in
        string(body, at: body.startIndex + sourceIndex(index) * width * unit, width, unit)
      }
      return try Tensor(strings: strings, shape: shape)
    }
  }

  private func string(_ body: ArraySlice<UInt8>, at start: Int, _ width: Int, _ unit: Int) -> String
  {
    if unit == 1 {
      let bytes = body[start..<(start + width)]
      let end = bytes.lastIndex { $0 != 0 }.map { $0 + 1 } ?? start
      return String(decoding: bytes[..<end], as: UTF8.self)
    }
    var units = (0..<width).map { index in
      let value = UInt32(body.littleEndian(at: start + 4 * index, count: 4))
      return isBigEndian ? value.byteSwapped : value
    }
    while units.last == 0 { units.removeLast() }
    return String(decoding: units, as: UTF32.self)
  }

  private func write(
    _ source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer, type: DataType
  ) {
    guard let from = source.baseAddress, let to = target.baseAddress, !target.isEmpty else {
      return
    }
    let width = type.byteWidth
    if isFortranOrder && shape.rank > 1 {
      for index in 0..<shape.elementCount {
        (to + index * width).copyMemory(from: from + sourceIndex(index) * width, byteCount: width)
      }
    } else {
      target.copyMemory(from: source)
    }
    if isBigEndian {
      // A complex number is two numbers, each in its own byte order.
      let unit = type == .complex64 || type == .complex128 ? width / 2 : width
      for start in stride(from: 0, to: target.count, by: unit) {
        target[start..<(start + unit)].reverse()
      }
    }
    if type == .bool {
      for index in target.indices where target[index] > 1 { target[index] = 1 }
    }
  }

  /// Where the file holds the element that is `index`-th in row-major order.
  private func sourceIndex(_ index: Int) -> Int {
    guard isFortranOrder else { return index }
    var rest = index
    var source = 0
    for axis in shape.indices.reversed() {
      source += (rest % shape[axis]) * shape.outer(axis)
      rest /= shape[axis]
    }
    return source
  }
}

/// The few forms of Python's literals that a header is made of.
private struct LiteralParser {
  private let bytes: ArraySlice<UInt8>
  private var position: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  private var next: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

  private mutating func skipSpaces() {
    while let byte = next, byte == 0x20 || byte == 0x0A { position += 1 }
  }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpaces()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws {
    guard take(character) else { throw ArrayFileError("'\(character)' is expected in the header") }
  }

  mutating func string() throws -> String {
    let quote: Unicode.Scalar = take("'") ? "'" : "\""
    if quote == "\"" { try expect("\"") }
    guard let end = bytes[position...].firstIndex(of: UInt8(ascii: quote)) else {
      throw ArrayFileError("a string in the header does not end")
    }
    defer { position = end + 1 }
    return String(decoding: bytes[position..<end], as: UTF8.self)
  }

  mutating func elementDescription() throws -> String {
    if take("[") { throw ArrayFileError("it is a structured array, which a tensor cannot hold") }
    return try string()
  }

  private mutating func word() -> String {
    skipSpaces()
    let rest = bytes[position...].prefix { byte in
      (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2D
    }
    position = rest.endIndex
    return String(decoding: rest, as: UTF8.self)
  }

  mutating func boolean() throws -> Bool {
    switch word() {
    case "True": return true
    case "False": return false
    default: throw ArrayFileError("True or False is expected in the header")
    }
  }

  mutating func tuple() throws -> Shape {
    try expect("(")
    var extents: [Int] = []
    while !take(")") {
      guard let extent = Int(word()), extent >= 0 else {
        throw ArrayFileError("the shape has an extent that is no number of elements")
      }
      guard extents.count < 64 else { throw ArrayFileError("more than 64 dimensions") }
      extents.append(extent)
      if !take(",") {
        try expect(")")
        break
      }
    }
    return Shape(extents)
  }
}
