// Options as text: sizes, and names before an equals sign.

import Leapstone
import Testing

@Suite struct OptionTextTests {
  @Test(arguments: [
    ("64MiB", 67_108_864), ("64MB", 64_000_000), ("12", 12), ("2GiB", 2_147_483_648), ("0B", 0),
  ])
  func sizes(text: String, bytes: Int) { #expect(parseSize(text) == bytes) }

  @Test(arguments: ["", "x", "-1", "+1", "9999999999GiB", "1.5MB", "MiB", "64 MiB", "٣"])
  func wrongSizes(text: String) { #expect(parseSize(text) == nil) }

  @Test(arguments: [
    ("a=b", "a", "b"), ("b", nil, "b"), ("a=b=c", "a", "b=c"), ("=b", "", "b"), ("a=", "a", ""),
  ])
  func assignments(text: String, name: String?, value: String) {
    #expect(splitAssignment(text) == (name, value))
  }
}
