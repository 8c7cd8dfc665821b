// ParsedMessage: a message as protobuf-c parsed it from a skeleton, freed with its last user.

import CLeapProto
import LeapTensors

/// An owned protobuf-c message and where its payloads lie.
final class ParsedMessage {
  private let message: UnsafeMutablePointer<ProtobufCMessage>
  /// The digest, 128 bits, of the skeleton.
  let digest: [UInt64]

  /// Scans and parses a source.
  ///
  /// - Throws: what `MessageScan` throws; `ModelError.notONNX` where the bytes are another known format;
  ///   `ModelError.outOfMemory` where protobuf-c is refused memory.
  init(_ source: ByteSource, as kind: MessageKind, name: String) throws {
    let skeleton: SkeletonBuffer
    do {
      skeleton = try MessageScan.skeleton(of: source, as: kind, name: name)
    } catch let error as ModelError {
      if let found = ForeignFormat.identify(source) {
        throw ModelError.notONNX(file: name, found: found)
      }
      throw error
    }
    let bytes = skeleton.bytes
    guard
      let message = protobuf_c_message_unpack(
        kind.descriptor, nil, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    else {
      // The scan has checked the wire format, so that memory is what is left to be wanting.
      throw ModelError.outOfMemory(bytes: bytes.count)
    }
    self.message = message
    digest = Digest.wide(bytes)
  }

  deinit { protobuf_c_message_free_unpacked(message, nil) }

  /// The message as the C type of its kind, valid while this object lives.
  func pointer<Message>(to type: Message.Type) -> UnsafePointer<Message> {
    UnsafePointer(UnsafeMutableRawPointer(message).assumingMemoryBound(to: type))
  }
}

/// The elements of a repeated message field. protobuf-c leaves no gaps.
func messages<Message>(
  _ list: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?, _ count: Int
) -> [UnsafePointer<Message>] {
  UnsafeBufferPointer(start: list, count: list == nil ? 0 : count).compactMap {
    $0.map { UnsafePointer($0) }
  }
}

/// The elements of a repeated string field.
func strings(
  _ list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int
) -> [String] {
  UnsafeBufferPointer(start: list, count: list == nil ? 0 : count).map(string)
}

/// A string field; empty where it is absent. Bytes that are no UTF-8 become U+FFFD.
func string(_ text: UnsafeMutablePointer<CChar>?) -> String {
  text.map { String(cString: $0) } ?? ""
}

/// A bytes field.
func bytes(_ data: ProtobufCBinaryData) -> UnsafeRawBufferPointer {
  UnsafeRawBufferPointer(start: data.data, count: data.data == nil ? 0 : data.len)
}
