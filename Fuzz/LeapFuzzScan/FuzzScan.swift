// FuzzScan: reads bytes as a model: the scan, protobuf-c, and all that makes a graph of its messages.

import LeapFormat
import LeapFuzzMutation
import LeapGraph

/// What libFuzzer calls with each input. An error is what most of them must end in.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzScan(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  let bytes = UnsafeRawBufferPointer(start: data, count: size)
  if let model = try? ModelReader.read(bytes: bytes) {
    // What is read holds what all later stages take for granted.
    do { try model.graph.checkInvariants() } catch { fatalError("a graph was read: \(error)") }
  }
  return 0
}
