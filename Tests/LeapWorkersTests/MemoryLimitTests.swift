// How much memory there is, from what the system's files say.

import LeapWorkers
import Testing

struct MemoryLimitTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var cgroups: String
    var mounts: String
    var files: [String: String]
    var limit: Int?
  }

  static let version2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
  static let version1 =
    "31 30 0:28 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"

  static let cases = [
    Case(
      testDescription: "version 2, no limit", cgroups: "0::/a\n", mounts: version2,
      files: ["/sys/fs/cgroup/a/memory.max": "max\n"], limit: nil),
    Case(
      testDescription: "version 2, an ancestor's is smaller", cgroups: "0::/a/b\n",
      mounts: version2,
      files: [
        "/sys/fs/cgroup/a/memory.max": "1073741824\n",
        "/sys/fs/cgroup/a/b/memory.max": "2147483648\n",
      ], limit: 1 << 30),
    Case(
      testDescription: "version 1", cgroups: "4:cpu:/x\n3:memory:/docker/7f\n", mounts: version1,
      files: [
        "/sys/fs/cgroup/memory/docker/7f/memory.limit_in_bytes": "536870912\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      ], limit: 512 << 20),
    Case(
      testDescription: "nonsense", cgroups: "0::/\n", mounts: version2,
      files: ["/sys/fs/cgroup/memory.max": "-5\n"], limit: nil),
    Case(testDescription: "no files at all", cgroups: "", mounts: "", files: [:], limit: nil),
  ]

  @Test(arguments: cases)
  func findsTheSmallestLimit(_ example: Case) {
    let limit = MemoryLimit.groupLimit(
      cgroups: example.cgroups, mounts: example.mounts, read: { example.files[$0] })
    #expect(limit == example.limit)
  }

  @Test func thisMachineHasMemory() {
    #expect((16 << 20..<1 << 50).contains(MemoryLimit.available()))
    #expect(MemoryLimit.defaultBudget() < MemoryLimit.available())
  }
}
