// ControlGroup: the control groups above this process that may limit it, found as the system's files describe them.
//
// Sources: cgroups(7), proc_pid_mountinfo(5).

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// A control group that the process is in, or an ancestor of one.
struct ControlGroup {
  /// Where its files are.
  let directory: String
  let isVersion2: Bool

  /// Every group that can limit a resource, with its ancestors as far up as the mounts show them.
  ///
  /// - Parameters:
  ///   - controller: the resource's controller: `cpu`, `memory`.
  ///   - cgroups: the contents of /proc/self/cgroup.
  ///   - mounts: the contents of /proc/self/mountinfo.
  static func all(limiting controller: String, cgroups: String, mounts: String) -> [ControlGroup] {
    mounts.split(separator: "\n").flatMap { line -> [ControlGroup] in
      guard let mount = Mount(line: line, controller: controller),
        let path = mount.path(in: cgroups, controller: controller)
      else { return [] }
      return mount.directories(of: path).map {
        ControlGroup(directory: $0, isVersion2: mount.isVersion2)
      }
    }
  }
}

/// A mounted hierarchy of control groups.
private struct Mount {
  /// Where it is mounted.
  let mountPoint: String
  /// Which group is mounted there: in a container often not the hierarchy's root.
  let root: String
  let isVersion2: Bool

  /// Reads a line of mountinfo; nil where it is no hierarchy that has the controller.
  init?(line: Substring, controller: String) {
    // 36 35 98:0 /root /mount/point rw,noatime shared:1 - type source options; any number of fields
    // before the dash
    let fields = line.split(separator: " ")
    guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 1 else {
      return nil
    }
    switch fields[dash + 1] {
    case "cgroup2": isVersion2 = true
    case "cgroup":
      guard fields.count > dash + 3,
        fields[dash + 3].split(separator: ",").contains(Substring(controller))
      else { return nil }
      isVersion2 = false
    default: return nil
    }
    root = unescaped(fields[3])
    mountPoint = unescaped(fields[4])
  }

  /// The group that the process is in, as /proc/self/cgroup has it.
  func path(in cgroups: String, controller: String) -> String? {
    for line in cgroups.split(separator: "\n") {
      // 4:cpu,cpuacct:/a/b in version 1, 0::/a/b in version 2
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let matches =
        isVersion2
        ? fields[0] == "0" && fields[1].isEmpty
        : fields[1].split(separator: ",").contains(Substring(controller))
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

/// The contents of a small file of a file system whose files have no size; nil where it cannot be read.
func systemFile(_ path: String) -> String? {
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
