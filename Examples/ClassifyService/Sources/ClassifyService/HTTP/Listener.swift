// Listener: a listening TCP socket. Made here, and not by libmicrohttpd, for the sake of its errors.

#if canImport(Glibc)
  import Glibc
  private let stream = Int32(SOCK_STREAM.rawValue)
#elseif canImport(Darwin)
  import Darwin
  private let stream = SOCK_STREAM
#endif

struct ListenError: Error, CustomStringConvertible {
  let description: String
}

struct Listener: Sendable {
  let descriptor: Int32
  /// The port that it listens on: the one that was asked for, or what the system chose for 0.
  let port: UInt16

  /// - Parameters:
  ///   - address: an IPv4 address of this machine; 0.0.0.0 for all.
  ///   - port: 0 for any that is free.
  /// - Throws: `ListenError`.
  init(address: String, port: UInt16) throws {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    guard inet_pton(AF_INET, address, &name.sin_addr) == 1 else {
      throw ListenError(description: "'\(address)' is no IPv4 address")
    }
    let descriptor = socket(AF_INET, stream, 0)
    var yes: Int32 = 1
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listens = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        // A service that is started again must not wait for connections of the one before to be forgotten.
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
          == 0
          && fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0
          && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0
          && bind(descriptor, name, size) == 0
          && listen(descriptor, SOMAXCONN) == 0
          && getsockname(descriptor, name, &size) == 0
      }
    }
    guard listens else {
      let reason = String(cString: strerror(errno))
      if descriptor >= 0 { close(descriptor) }
      throw ListenError(description: "cannot listen on \(address):\(port): \(reason)")
    }
    self.descriptor = descriptor
    self.port = UInt16(bigEndian: name.sin_port)
  }

  /// Lets the system turn new connections away. The descriptor stays open, because another thread may still look at it.
  func refuseConnections() { shutdown(descriptor, Int32(SHUT_RD)) }
}
