// ProcessorCount: how many processors this process may really use: what the scheduler's mask
// allows, and what the CPU quota of every control group above it pays for.
//
// Sources: sched_getaffinity(2), cgroups(7), proc_pid_mountinfo(5), and the kernel's
// admin-guide/cgroup-v2 (cpu.max) and scheduler/sched-bwc (cpu.cfs_quota_us).

import CLeapKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Counts of processors, asked of the system each time.
package enum ProcessorCount {
  /// max(1, floor(min(affinity mask, the CPU quota of each cgroup v1 or v2 ancestor))).
  package static func available() -> Int {
    let affinity = inAffinityMask()
    #if os(Linux)
      let quota = cpuQuota(
        cgroups: systemFile("/proc/self/cgroup") ?? "",
        mounts: systemFile("/proc/self/mountinfo") ?? "", read: systemFile)
      return count(affinity: affinity, quota: quota)
    #else
      return affinity
    #endif
  }

  /// The hardware threads that the calling thread may run on: at least 1.
  package static func inAffinityMask() -> Int {
    let count = Int(leap_affinity_count())
    if count > 0 { return count }
    return max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }

  package static func count(affinity: Int, quota: Double?) -> Int {
    guard let quota, quota < Double(affinity) else { return max(1, affinity) }
    return max(1, Int(quota.rounded(.down)))
  }

  /// The smallest CPU quota among the control groups of a process and their ancestors, in
  /// processors; nil: there is none.
  ///
  /// - Parameters:
  ///   - cgroups: the contents of /proc/self/cgroup.
  ///   - mounts: the contents of /proc/self/mountinfo.
  ///   - read: the contents of a file, nil where it cannot be read.
  package static func cpuQuota(
    cgroups: String, mounts: String, read: (String) -> String?
  ) -> Double? {
    ControlGroup.all(limiting: "cpu", cgroups: cgroups, mounts: mounts).compactMap {
      quota($0, read)
    }.min()
  }

  /// The quota of one group in processors; nil where it has none.
  private static func quota(_ group: ControlGroup, _ read: (String) -> String?) -> Double? {
    let values: [Substring]
    if group.isVersion2 {
      guard let text = read(group.directory + "/cpu.max") else { return nil }
      values = text.split { $0 == " " || $0 == "\n" }
    } else {
      guard let quota = read(group.directory + "/cpu.cfs_quota_us"),
        let period = read(group.directory + "/cpu.cfs_period_us")
      else { return nil }
      values = (quota + " " + period).split { $0 == " " || $0 == "\n" }
    }
    // "max" and -1 say that there is none.
    guard values.count == 2, let quota = Double(values[0]), let period = Double(values[1]),
      quota > 0, period > 0
    else { return nil }
    return quota / period
  }
}
