// How many processors there are, from what the system's files say.

import LeapWorkers
import Testing

struct ProcessorCountTests {
  static let version2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
  static let version1 = """
    30 23 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
    31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
    32 30 0:29 / /sys/fs/cgroup/cpuset rw shared:10 - cgroup cgroup rw,cpuset

    """

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var cgroups: String
    var mounts: String
    var files: [String: String]
    var quota: Double?
  }

  static let cases = [
    Case(
      testDescription: "version 2, no limit", cgroups: "0::/user.slice\n", mounts: version2,
      files: ["/sys/fs/cgroup/user.slice/cpu.max": "max 100000\n"], quota: nil),
    Case(
      testDescription: "version 2, the group's own", cgroups: "0::/a/b\n", mounts: version2,
      files: ["/sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"], quota: 1.5),
    Case(
      testDescription: "version 2, an ancestor's is smaller", cgroups: "0::/a/b/c\n",
      mounts: version2,
      files: [
        "/sys/fs/cgroup/a/cpu.max": "200000 100000\n",
        "/sys/fs/cgroup/a/b/c/cpu.max": "600000 100000\n",
      ], quota: 2),
    Case(
      testDescription: "version 2, namespace root with its own limit", cgroups: "0::/\n",
      mounts: version2, files: ["/sys/fs/cgroup/cpu.max": "50000 100000\n"], quota: 0.5),
    Case(
      testDescription: "version 1", cgroups: "5:cpuset:/\n4:cpu,cpuacct:/docker/7f\n0::/\n",
      mounts: version1,
      files: [
        "/sys/fs/cgroup/cpu,cpuacct/docker/7f/cpu.cfs_quota_us": "300000\n",
        "/sys/fs/cgroup/cpu,cpuacct/docker/7f/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      ], quota: 3),
    Case(
      testDescription: "version 1, mounted at the container's group",
      cgroups: "4:cpu,cpuacct:/docker/7f/inner\n",
      mounts: "31 30 0:28 /docker/7f /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
      files: [
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us": "400000\n",
        "/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us": "100000\n",
      ], quota: 2.5),
    Case(
      testDescription: "both versions, the smaller counts",
      cgroups: "4:cpu,cpuacct:/x\n0::/y\n", mounts: version1 + version2,
      files: [
        "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "400000\n",
        "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/y/cpu.max": "110000 100000\n",
      ], quota: 1.1),
    Case(
      testDescription: "a path outside the namespace", cgroups: "0::/../../other\n",
      mounts: version2, files: ["/sys/fs/cgroup/cpu.max": "400000 100000\n"], quota: 4),
    Case(
      testDescription: "a mount point with a space", cgroups: "0::/\n",
      mounts: "29 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n",
      files: ["/my groups/cpu.max": "200000 100000\n"], quota: 2),
    Case(
      testDescription: "nonsense", cgroups: "x\n\n::\n0:cpu\n", mounts: "a - b\n - \n-\n1 2 3 -",
      files: [:], quota: nil),
    Case(
      testDescription: "a quota that is none", cgroups: "0::/\n", mounts: version2,
      files: ["/sys/fs/cgroup/cpu.max": "0 0\n"], quota: nil),
  ]

  @Test(arguments: cases)
  func findsTheSmallestQuota(_ example: Case) {
    let quota = ProcessorCount.cpuQuota(
      cgroups: example.cgroups, mounts: example.mounts, read: { example.files[$0] })
    #expect(quota == example.quota)
  }

  @Test(
    arguments: [
      (8, nil, 8), (8, 2.9, 2), (8, 0.2, 1), (2, 64, 2), (1, nil, 1), (0, nil, 1), (4, 4, 4),
    ] as [(Int, Double?, Int)])
  func roundsDownToAtLeastOne(affinity: Int, quota: Double?, expected: Int) {
    #expect(ProcessorCount.count(affinity: affinity, quota: quota) == expected)
  }

  @Test func thisMachineHasProcessors() {
    let hardware = ProcessorCount.inAffinityMask()
    #expect(hardware >= 1)
    #expect((1...hardware).contains(ProcessorCount.available()))
  }
}
