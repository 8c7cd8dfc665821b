// PayloadSource: where the payloads lie that the scan left where they are.

import LeapTensors

/// The bytes behind a model: its file, or memory.
enum PayloadSource {
  case file(PayloadFile)
  /// `owner` keeps the bytes alive for tensors that refer to them; without one they must be copied.
  case memory(UnsafeRawBufferPointer, owner: TensorStorage?)

  var byteSource: ByteSource {
    switch self {
    case .file(let file): .file(file)
    case .memory(let bytes, _): .memory(bytes)
    }
  }

  /// Copies bytes. The range was checked by the scan.
  func read(into destination: UnsafeMutableRawPointer, offset: Int, count: Int) throws {
    switch self {
    case .file(let file): try file.read(into: destination, offset: offset, count: count)
    case .memory(let bytes, _):
      UnsafeMutableRawBufferPointer(start: destination, count: count)
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
    }
  }
}
