// Hashing: MurmurHash3, of numbers and texts.

import LeapGraph
import LeapTensors

/// MurmurHash3 (com.microsoft): the hash of 32 bits of each element's bytes (MurmurHash3_x86_32, by Austin Appleby), as uint32 or
/// int32.
package struct MurmurHash: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("MurmurHash3", domain: Quantization.microsoft)]
  }
  private let seed: UInt32
  private let type: DataType

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    seed = UInt32(truncatingIfNeeded: try node.int("seed", default: 0))
    type = try node.flag("positive", default: true) ? .uint32 : .int32
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(
      0, among: [.string, .int32, .int64, .uint32, .uint64, .float32, .float64])
    context.setOutput(0, type, context.shape(0))
  }

  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    inputs.first.flatMap { $0 }.map { [Operand(type, $0.shape)] }
  }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil else { throw OperatorError("input 0 is required") }
    let hashes: [UInt32]
    if let texts = input.strings {
      hashes = texts.map { MurmurHash.hash($0.utf8, seed: seed) }
    } else {
      let width = input.dataType.byteWidth
      hashes = input.withUnsafeBytes { bytes in
        (0..<input.elementCount).map {
          MurmurHash.hash(bytes[($0 * width)..<(($0 + 1) * width)], seed: seed)
        }
      }
    }
    guard type == .int32 else { return [try Tensor(hashes, shape: input.shape)] }
    return [try Tensor(hashes.map { Int32(bitPattern: $0) }, shape: input.shape)]
  }

  /// Words of four bytes, little-endian, each mixed in; then what is left, and the length.
  private static func hash(_ bytes: some Collection<UInt8>, seed: UInt32) -> UInt32 {
    var hash = seed
    var (word, count): (UInt32, UInt32) = (0, 0)
    for byte in bytes {
      word |= UInt32(byte) << (8 * (count % 4))
      count &+= 1
      if count % 4 > 0 { continue }
      hash ^= scrambled(word)
      hash = rotated(hash, 13) &* 5 &+ 0xe654_6b64
      word = 0
    }
    if count % 4 > 0 { hash ^= scrambled(word) }
    hash ^= count
    hash = (hash ^ hash >> 16) &* 0x85eb_ca6b
    hash = (hash ^ hash >> 13) &* 0xc2b2_ae35
    return hash ^ hash >> 16
  }

  private static func scrambled(_ word: UInt32) -> UInt32 {
    rotated(word &* 0xcc9e_2d51, 15) &* 0x1b87_3593
  }

  private static func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 {
    word << count | word >> (32 - count)
  }
}
