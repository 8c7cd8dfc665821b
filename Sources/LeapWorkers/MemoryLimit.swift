// MemoryLimit: how much memory this process may really use: what the machine has, and what every control group above
// the process allows.
//
// Sources: cgroups(7), and the kernel's admin-guide/cgroup-v2 (memory.max) and cgroup-v1/memory
// (memory.limit_in_bytes).

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// Bytes of memory, asked of the system each time.
package enum MemoryLimit {
  /// The smaller of the machine's memory and the limits of all cgroup v1 and v2 ancestors, in bytes.
  package static func available() -> Int {
    #if os(Linux)
      let limit = groupLimit(
        cgroups: systemFile("/proc/self/cgroup") ?? "",
        mounts: systemFile("/proc/self/mountinfo") ?? "", read: systemFile)
      return min(installed(), limit ?? .max)
    #else
      return installed()
    #endif
  }

  /// What a session may use unless it is told otherwise: 80 % of what is available, in bytes.
  package static func defaultBudget() -> Int { available() / 5 * 4 }

  /// The machine's memory in bytes; `Int.max` where the system does not say.
  private static func installed() -> Int {
    let (pages, size) = (Int(sysconf(Int32(_SC_PHYS_PAGES))), Int(sysconf(Int32(_SC_PAGESIZE))))
    let (bytes, overflow) = pages.multipliedReportingOverflow(by: size)
    return pages > 0 && size > 0 && !overflow ? bytes : .max
  }

  /// The smallest limit among the control groups of a process and their ancestors, in bytes; nil: there is none.
  ///
  /// - Parameters:
  ///   - cgroups: the contents of /proc/self/cgroup.
  ///   - mounts: the contents of /proc/self/mountinfo.
  ///   - read: the contents of a file, nil where it cannot be read.
  package static func groupLimit(
    cgroups: String, mounts: String, read: (String) -> String?
  ) -> Int? {
    ControlGroup.all(limiting: "memory", cgroups: cgroups, mounts: mounts).compactMap { group in
      let name = group.isVersion2 ? "memory.max" : "memory.limit_in_bytes"
      // "max" in version 2, and a number of almost 2^63 in version 1, say that there is none.
      return read("\(group.directory)/\(name)").flatMap { text in
        Int(text.prefix { $0 != "\n" }).flatMap { $0 > 0 ? $0 : nil }
      }
    }.min()
  }
}
