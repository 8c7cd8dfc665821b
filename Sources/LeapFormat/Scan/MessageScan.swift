// MessageScan: walks a protobuf message once, checks every limit, and makes the owned skeleton that protobuf-c parses.
//
// 1. protobuf-c sees nothing that was not checked here: it has no limit on recursion or memory of its own.
// 2. Large payloads are not copied: a reference (TensorProto.leapstone_payload) takes their place.
// 3. The walk follows the generated descriptors, so that the schema is written down once; it keeps its own stack.
//
// Stricter than protobuf, since no known producer needs it: a singular field may not come twice (protobuf would merge
// sub-messages), groups are refused, a string may not contain NUL.

import CLeapProto
import LeapTensors

/// The limits of a scan.
enum ScanLimits {
  /// Nested messages.
  static let depth = 64
  /// Bytes that protobuf-c may allocate whatever the size of the model.
  static let expansionBase = 64 << 20
  /// Bytes that protobuf-c may allocate for each byte beside the payloads.
  static let expansionFactor = 16
  /// A payload at least this long is left where it is.
  static let payload = 1024
  /// The field that only the scan writes: TensorProto.leapstone_payload.
  static let privateField: UInt64 = 536_870_911
}

/// One scan, from the first byte to the last.
struct MessageScan {
  private var reader: WireReader
  private let skeleton = SkeletonBuffer()
  private let tensor = MessageKind.tensor.descriptor
  private var frames: [Frame] = []
  /// Bytes that protobuf-c will allocate for what was scanned so far.
  private var expansion = 0
  /// Bytes of the source that went into the skeleton.
  private var copied = 0

  /// A message whose end was not reached yet.
  private struct Frame {
    let descriptor: MessageDescriptor
    /// Where its content begins in the skeleton.
    let content: Int
    /// Where it ends in the source.
    let end: Int
    /// Singular fields that occurred, by their index in the descriptor.
    var seen: UInt64 = 0
    /// The number of the field that was left where it is.
    var payloadField: UInt32?
    /// Payload fields of which a piece was copied, by their numbers.
    var copiedPayloads: UInt64 = 0
  }

  private enum WireType: UInt64 {
    case varint = 0
    case fixed64 = 1
    case lengthDelimited = 2
    case startGroup = 3
    case endGroup = 4
    case fixed32 = 5
  }

  /// Scans a whole source as one message.
  ///
  /// - Throws: `ModelError.malformed`, `.limitExceeded`, `.outOfMemory`, and what reading the file throws.
  static func skeleton(
    of source: ByteSource, as kind: MessageKind, name: String
  ) throws -> SkeletonBuffer {
    var scan = MessageScan(reader: try WireReader(source, name: name))
    try scan.run(kind.descriptor)
    return scan.skeleton
  }

  private init(reader: WireReader) { self.reader = reader }

  private mutating func run(_ root: MessageDescriptor) throws {
    try open(root, end: reader.count)
    while let frame = frames.last {
      if reader.position < frame.end {
        try field(in: frame)
      } else {
        frames.removeLast()
        if !frames.isEmpty { skeleton.closeMessage(at: frame.content) }
      }
    }
  }

  private mutating func open(_ descriptor: MessageDescriptor, end: Int) throws {
    guard frames.count < ScanLimits.depth else {
      throw ModelError.limitExceeded(
        what: "depth of nested messages at byte \(reader.position) of \(reader.name)",
        found: frames.count + 1, limit: ScanLimits.depth)
    }
    try account(descriptor.pointee.sizeof_message)
    let content = frames.isEmpty ? 0 : try skeleton.openMessage()
    frames.append(Frame(descriptor: descriptor, content: content, end: end))
  }

  // MARK: Fields

  private mutating func field(in frame: Frame) throws {
    let start = reader.position
    let tag = try reader.varint()
    let number = tag >> 3
    let message = String(cString: frame.descriptor.pointee.short_name)
    guard tag <= UInt64(UInt32.max), number > 0 else {
      throw reader.malformed(at: start, "\(number) is no field number (in \(message))")
    }
    guard number != ScanLimits.privateField else {
      throw reader.malformed(
        at: start, "field \(number) of \(message) is reserved: no file may contain it")
    }
    guard let wire = WireType(rawValue: tag & 7) else {
      throw reader.malformed(
        at: start, "field \(number) of \(message) has wire type \(tag & 7), which does not exist")
    }
    if wire == .startGroup || wire == .endGroup {
      throw reader.malformed(
        at: start, "field \(number) of \(message) is a group, which ONNX does not use")
    }
    guard let index = index(of: UInt32(number), in: frame.descriptor) else {
      return try skipUnknown(wire, end: frame.end)
    }
    let field = frame.descriptor.pointee.fields + index
    if field.pointee.label != PROTOBUF_C_LABEL_REPEATED {
      try markSeen(index, in: frame.descriptor, at: start)
    }
    try value(of: field, wire: wire, tag: tag, start: start, frame: frame)
    guard reader.position <= frame.end else {
      throw reader.malformed(at: start, "\(path(field)) runs past the end of its message")
    }
  }

  private mutating func value(
    of field: FieldDescriptor, wire: WireType, tag: UInt64, start: Int, frame: Frame
  ) throws {
    guard let element = elementWire(field.pointee.type) else {
      throw reader.malformed(at: start, "\(path(field)) has a type that ONNX does not use")
    }
    let repeated = field.pointee.label == PROTOBUF_C_LABEL_REPEATED
    switch (wire, element) {
    case (.varint, .varint):
      try skeleton.appendVarint(tag)
      let value = try reader.varint()
      try skeleton.appendVarint(value)
    case (.fixed32, .fixed32), (.fixed64, .fixed64):
      let width = wire == .fixed32 ? 4 : 8
      try require(width, field, at: start, end: frame.end)
      try skeleton.appendVarint(tag)
      try reader.copy(width, to: skeleton)
    case (.lengthDelimited, .lengthDelimited):
      try lengthDelimited(field, tag: tag, start: start, frame: frame)
      return
    case (.lengthDelimited, _) where repeated:
      try packed(field, element: element, tag: tag, start: start, frame: frame)
      return
    default:
      throw reader.malformed(
        at: start, "\(path(field)) has wire type \(wire.rawValue), expected \(element.rawValue)")
    }
    copied += reader.position - start
    try account(8)
  }

  /// A string, bytes or a sub-message.
  private mutating func lengthDelimited(
    _ field: FieldDescriptor, tag: UInt64, start: Int, frame: Frame
  ) throws {
    let length = try length(field, at: start, end: frame.end)
    if try refer(to: length, of: field, frame: frame, at: start) { return }
    try skeleton.appendVarint(tag)
    if let descriptor = field.subMessage {
      copied += reader.position - start
      return try open(descriptor, end: reader.position + length)
    }
    try skeleton.appendVarint(UInt64(length))
    let content = skeleton.count
    copied += length
    try account(length)
    try reader.copy(length, to: skeleton)
    if field.pointee.type == PROTOBUF_C_TYPE_STRING,
      skeleton.bytes[content...].contains(0)
    {
      throw reader.malformed(at: start, "\(path(field)) contains a NUL character")
    }
  }

  /// Many numbers in one field.
  private mutating func packed(
    _ field: FieldDescriptor, element: WireType, tag: UInt64, start: Int, frame: Frame
  ) throws {
    let length = try length(field, at: start, end: frame.end)
    let width = element == .fixed32 ? 4 : element == .fixed64 ? 8 : 1
    guard length % width == 0 else {
      throw reader.malformed(
        at: start, "\(path(field)) has \(length) bytes, expected a multiple of \(width)")
    }
    if try refer(to: length, of: field, frame: frame, at: start) { return }
    copied += length
    try account(length / width * 8)
    try skeleton.appendVarint(tag)
    if element == .varint {
      // Rewritten one by one: protobuf-c meets no varint that was not checked.
      let end = reader.position + length
      let content = try skeleton.openMessage()
      while reader.position < end { try skeleton.appendVarint(reader.varint()) }
      guard reader.position == end else {
        throw reader.malformed(at: start, "\(path(field)) ends inside a varint")
      }
      skeleton.closeMessage(at: content)
    } else {
      try skeleton.appendVarint(UInt64(length))
      try reader.copy(length, to: skeleton)
    }
  }

  /// Leaves a large payload of a tensor where it is, and says so in the skeleton.
  ///
  /// - Returns: whether it did.
  private mutating func refer(
    to length: Int, of field: FieldDescriptor, frame: Frame, at start: Int
  ) throws -> Bool {
    guard frame.descriptor == tensor, let payload = TensorPayload(rawValue: field.pointee.id) else {
      return false
    }
    let top = frames.count - 1
    if frame.payloadField == field.pointee.id {
      throw reader.malformed(at: start, "\(path(field)) is split: its payload comes in pieces")
    }
    // A first small piece was copied: protobuf-c appends the others to it.
    let bit = UInt64(1) << UInt64(payload.rawValue)
    guard length >= ScanLimits.payload, frames[top].copiedPayloads & bit == 0 else {
      frames[top].copiedPayloads |= bit
      return false
    }
    if let other = frame.payloadField {
      throw reader.malformed(
        at: start, "\(path(field)) is a second payload of a tensor, beside field \(other)")
    }
    frames[top].payloadField = field.pointee.id
    try writeReference(field: field.pointee.id, offset: reader.position, length: length)
    reader.skip(length)
    try account(MemoryLayout<PayloadReferenceMessage>.size + 8)
    return true
  }

  private mutating func writeReference(field: UInt32, offset: Int, length: Int) throws {
    try skeleton.appendVarint(ScanLimits.privateField << 3 | WireType.lengthDelimited.rawValue)
    let content = try skeleton.openMessage()
    for (number, value) in [(1, UInt64(field)), (2, UInt64(offset)), (3, UInt64(length))] {
      try skeleton.appendVarint(UInt64(number) << 3)
      try skeleton.appendVarint(value)
    }
    skeleton.closeMessage(at: content)
  }

  private mutating func skipUnknown(_ wire: WireType, end: Int) throws {
    let start = reader.position
    let length: Int
    switch wire {
    case .varint:
      _ = try reader.varint()
      length = 0
    case .fixed32: length = 4
    case .fixed64: length = 8
    default:
      let claimed = try reader.varint()
      length = Int(clamping: claimed)
    }
    guard reader.position <= end, length <= end - reader.position else {
      throw reader.malformed(at: start, "an unknown field runs past the end of its message")
    }
    reader.skip(length)
  }

  // MARK: Checks

  private mutating func length(_ field: FieldDescriptor, at start: Int, end: Int) throws -> Int {
    let claimed = try reader.varint()
    let length = Int(clamping: claimed)
    try require(length, field, at: start, end: end)
    return length
  }

  private func require(_ length: Int, _ field: FieldDescriptor, at start: Int, end: Int) throws {
    let left = end - reader.position
    guard left >= 0, length <= left else {
      let cause = end == reader.count ? "the file is truncated" : "its message ends before"
      throw reader.malformed(
        at: start, "\(path(field)) claims \(length) bytes, \(max(left, 0)) are left: \(cause)")
    }
  }

  /// Refuses a singular field that comes twice, and two members of one choice.
  private mutating func markSeen(
    _ index: Int, in descriptor: MessageDescriptor, at start: Int
  ) throws {
    let fields = descriptor.pointee.fields!
    let top = frames.count - 1
    guard frames[top].seen & (1 << UInt64(index)) == 0 else {
      let isChoice = fields[index].flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0
      throw reader.malformed(
        at: start,
        isChoice
          ? "\(path(fields + index)) comes twice, or beside another member of its choice"
          : "\(path(fields + index)) comes twice; it is not a list")
    }
    frames[top].seen |= 1 << UInt64(index)
    guard fields[index].flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0 else { return }
    for other in 0..<Int(descriptor.pointee.n_fields)
    where fields[other].flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0
      && fields[other].quantifier_offset == fields[index].quantifier_offset
    {
      frames[top].seen |= 1 << UInt64(other)
    }
  }

  /// Adds to what protobuf-c will allocate.
  private mutating func account(_ bytes: Int) throws {
    // An allocation's own overhead, the pointer in a list, and protobuf-c's note of the field.
    expansion += bytes + 56
    let limit = ScanLimits.expansionBase + ScanLimits.expansionFactor * copied
    guard expansion <= limit else {
      throw ModelError.limitExceeded(
        what: "bytes that parsing \(reader.name) would allocate, at byte \(reader.position)",
        found: expansion, limit: limit)
    }
  }

  // MARK: Descriptors

  private func index(of number: UInt32, in descriptor: MessageDescriptor) -> Int? {
    let fields = descriptor.pointee.fields
    for index in 0..<Int(descriptor.pointee.n_fields) where fields?[index].id == number {
      return index
    }
    return nil
  }

  private func elementWire(_ type: ProtobufCType) -> WireType? {
    switch type {
    case PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_UINT32,
      PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_ENUM:
      .varint
    case PROTOBUF_C_TYPE_FLOAT: .fixed32
    case PROTOBUF_C_TYPE_DOUBLE: .fixed64
    case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_MESSAGE: .lengthDelimited
    default: nil
    }
  }

  private func path(_ field: FieldDescriptor) -> String {
    let message = frames.last.map { String(cString: $0.descriptor.pointee.short_name) } ?? ""
    return "field '\(String(cString: field.pointee.name))' of \(message)"
  }
}
