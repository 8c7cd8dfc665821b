// BuildNotice: an unoptimised build says so, because its kernels are some forty times slower and nobody would guess why.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

enum BuildNotice {
  /// Says it on stderr, once for the process; nothing in a release build.
  static func give() {
    #if DEBUG
      _ = notice
    #endif
  }

  #if DEBUG
    private static let notice: Void = {
      let text = "leapstone: an unoptimised build, many times slower; build with -c release\n"
      _ = Array(text.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }()
  #endif
}
