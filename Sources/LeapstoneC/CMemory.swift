// CMemory: text and arrays that C reads, as long as the object lives that made them.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Memory with one owner. Whoever fills it does so before another thread sees it, and nothing changes it afterwards,
/// which is what makes the unchecked conformance hold.
final class CMemory: @unchecked Sendable {
  private var blocks: [UnsafeMutableRawPointer] = []

  /// A copy of `elements`; never NULL.
  func array<Element>(_ elements: [Element]) -> UnsafePointer<Element> {
    let copy = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
    copy.initialize(from: elements, count: elements.count)
    blocks.append(UnsafeMutableRawPointer(copy))
    return UnsafePointer(copy)
  }

  /// A copy of `text`, ended by a NUL.
  func text(_ text: String) -> UnsafePointer<CChar> {
    array(text.utf8CString.map { $0 })
  }

  /// Copies of texts.
  func texts(_ texts: [String]) -> UnsafePointer<UnsafePointer<CChar>?> {
    array(texts.map { text($0) as UnsafePointer<CChar>? })
  }

  deinit {
    for block in blocks { block.deallocate() }
  }
}

/// Text that lives as long as the process.
struct ConstantText: @unchecked Sendable {
  let pointer: UnsafePointer<CChar>

  init(_ text: String) { pointer = UnsafePointer(strdup(text)) }
}
