// Digest: XXH64 against its published values.

import LeapTensors
import Testing

@Suite struct DigestTests {
  private static let published: [(text: String, digest: UInt64)] = [
    ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
    ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
  ]

  @Test(arguments: published)
  func knownValues(text: String, digest: UInt64) {
    #expect(Array(text.utf8).withUnsafeBytes { Digest.xxh64($0) } == digest)
  }

  /// Of every length around those at which the algorithm changes its step, and of any alignment.
  @Test func everyBitCounts() {
    for count in [1, 3, 4, 7, 8, 31, 32, 33, 63, 64, 100] {
      var bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
      let whole = bytes.withUnsafeBytes { Digest.xxh64($0) }
      var seen: Set<UInt64> = [whole]
      for bit in 0..<8 * count {
        bytes[bit / 8] ^= 1 << (bit % 8)
        #expect(seen.insert(bytes.withUnsafeBytes { Digest.xxh64($0) }).inserted)
        bytes[bit / 8] ^= 1 << (bit % 8)
      }
      let shifted = [0] + bytes
      let again = shifted.withUnsafeBytes {
        Digest.xxh64(UnsafeRawBufferPointer(rebasing: $0[1...]))
      }
      #expect(again == whole)
      #expect(bytes.withUnsafeBytes { Digest.wide($0) }[0] == whole)
    }
  }
}
