// TensorEncoder: Tensor -> the bytes of a TensorProto, as test data sets keep them.

import CLeapProto
import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

package enum TensorEncoder {
  /// The TensorProto of a tensor: raw_data, or string_data for strings.
  ///
  /// - Throws: `ModelError.limitExceeded` where it exceeds the 2 GiB that protobuf allows.
  package static func encode(_ tensor: Tensor, name: String) throws -> [UInt8] {
    var dims = tensor.shape.map { Int64($0) }
    var name = Array(name.utf8CString)
    return try dims.withUnsafeMutableBufferPointer { dims in
      try name.withUnsafeMutableBufferPointer { name in
        var message = TensorMessage()
        leapstone__onnx__tensor_proto__init(&message)
        message.n_dims = dims.count
        message.dims = dims.baseAddress
        message.name = name.baseAddress
        message.has_data_type = 1
        message.data_type = tensor.dataType.rawValue
        if let strings = tensor.strings { return try pack(&message, strings) }
        return try tensor.withUnsafeBytes { bytes in
          message.has_raw_data = 1
          message.raw_data = binaryData(bytes)
          return try pack(&message)
        }
      }
    }
  }

  private static func pack(_ message: inout TensorMessage, _ strings: [String]) throws -> [UInt8] {
    // All strings lie end to end in one buffer while the message refers to them.
    let texts = strings.map { Array($0.utf8) }
    let joined = texts.flatMap { $0 }
    return try joined.withUnsafeBytes { joined in
      var start = 0
      var list = texts.map { text in
        defer { start += text.count }
        return binaryData(UnsafeRawBufferPointer(rebasing: joined[start..<start + text.count]))
      }
      return try list.withUnsafeMutableBufferPointer { list in
        message.n_string_data = list.count
        message.string_data = list.baseAddress
        return try pack(&message)
      }
    }
  }

  /// Bytes that protobuf-c only reads.
  private static func binaryData(_ bytes: UnsafeRawBufferPointer) -> ProtobufCBinaryData {
    ProtobufCBinaryData(
      len: bytes.count,
      data: UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(
        to: UInt8.self))
  }

  private static func pack(_ message: inout TensorMessage) throws -> [UInt8] {
    let size = withUnsafePointer(to: &message) {
      leapstone__onnx__tensor_proto__get_packed_size($0)
    }
    guard size <= Int(Int32.max) else {
      throw ModelError.limitExceeded(
        what: "bytes of an encoded tensor", found: size, limit: Int(Int32.max))
    }
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      count = withUnsafePointer(to: &message) {
        leapstone__onnx__tensor_proto__pack($0, buffer.baseAddress)
      }
    }
  }
}
