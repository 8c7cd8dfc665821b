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
        cgroups: contents(of: "/proc/self/cgroup") ?? "",
        mounts: contents(of: "/proc/self/mountinfo") ?? "", read: contents(of:))
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
    var smallest: Double?
    for mount in mounts.split(separator: "\n").compactMap(CgroupMount.init) {
      guard let path = mount.path(in: cgroups) else { continue }
      for directory in mount.directories(of: path) {
        guard let quota = mount.quota(in: directory, read: read) else { continue }
        smallest = min(smallest ?? quota, quota)
      }
    }
    return smallest
  }

  /// A small file of a file system whose files have no size.
  private static func contents(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    let limit = 1 << 20
    return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer -> String? in
      while bytes.count < limit {
        let count = read(descriptor, buffer.baseAddress!, buffer.count)
        if count == 0 { break }
        if count < 0 {
          if errno == EINTR { continue }
          return nil
        }
        bytes.append(contentsOf: buffer[..<count])
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}

/// A mounted hierarchy of control groups that can hold CPU quotas.
private struct CgroupMount {
  /// Where it is mounted.
  let mountPoint: String
  /// Which group is mounted there: in a container often not the hierarchy's root.
  let root: String
  let isVersion2: Bool

  /// Reads a line of mountinfo; nil where it is no such hierarchy.
  init?(line: Substring) {
    // 36 35 98:0 /root /mount/point rw,noatime shared:1 - type source options; any number of fields
    // before the dash
    let fields = line.split(separator: " ")
    guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 1 else {
      return nil
    }
    switch fields[dash + 1] {
    case "cgroup2": isVersion2 = true
    case "cgroup":
      guard fields.count > dash + 3, fields[dash + 3].split(separator: ",").contains("cpu") else {
        return nil
      }
      isVersion2 = false
    default: return nil
    }
    root = unescaped(fields[3])
    mountPoint = unescaped(fields[4])
  }

  /// The group that the process is in, as /proc/self/cgroup has it.
  func path(in cgroups: String) -> String? {
    for line in cgroups.split(separator: "\n") {
      // 4:cpu,cpuacct:/a/b in version 1, 0::/a/b in version 2
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let matches =
        isVersion2
        ? fields[0] == "0" && fields[1].isEmpty : fields[1].split(separator: ",").contains("cpu")
      if matches { return String(fields[2]) }
    }
    return nil
  }

  /// The directories of a group and of its ancestors, as far up as the mount shows them.
  func directories(of path: String) -> [String] {
    var components = path.split(separator: "/")
    let above = root.split(separator: "/")
    if components.starts(with: above) {
      components.removeFirst(above.count)
    } else {
      // The mount shows a part of the hierarchy that the process's path does not lead through:
      // another namespace's view.
      components = []
    }
    if components.contains("..") { components = [] }
    return (0...components.count).map { count in
      components.prefix(count).reduce(mountPoint) { $0 + "/" + $1 }
    }
  }

  /// The quota of one group in processors; nil where it has none.
  func quota(in directory: String, read: (String) -> String?) -> Double? {
    let values: [Substring]
    if isVersion2 {
      guard let text = read(directory + "/cpu.max") else { return nil }
      values = text.split { $0 == " " || $0 == "\n" }
    } else {
      guard let quota = read(directory + "/cpu.cfs_quota_us"),
        let period = read(directory + "/cpu.cfs_period_us")
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

/// Undoes the octal escapes of mountinfo: \040 for a space and their like.
private func unescaped(_ field: Substring) -> String {
  var result: [UInt8] = []
  var bytes = Array(field.utf8)[...]
  while let byte = bytes.popFirst() {
    let digits = bytes.prefix(3)
    if byte == UInt8(ascii: "\\"), digits.count == 3,
      let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
    {
      result.append(code)
      bytes.removeFirst(3)
    } else {
      result.append(byte)
    }
  }
  return String(decoding: result, as: UTF8.self)
}
