// Server: HTTP/1.1 over libmicrohttpd.
//
// 1. A request is answered once, or its connection ends. When the server stops, requests that have begun are answered first.
// 2. One thread reads and writes for all connections. While a request is being answered, its connection is suspended and the answer
//    comes from a Swift task: no thread waits for it.
// 3. Clients decide over no memory without limit: bodies, connections and idle time are bounded.

import CMicrohttpd
import Synchronization

final class Server: Sendable {
  struct Limits: Sendable {
    /// Bytes of a request's body.
    var body: Int
    /// Connections at a time; more wait in the system's queue.
    var connections: Int
    /// How long a connection may be silent, in seconds.
    var idle: Int
  }

  /// What befalls requests, for those who count.
  enum Event: Sendable {
    case began
    case answered(status: Int)
    /// The client went away, was silent for too long, or sent without end.
    case aborted
  }

  private let listener: Listener
  private let limits: Limits
  private let observe: @Sendable (Event) -> Void
  private let respond: @Sendable (Request) async -> Response
  private let open = Atomic(0)
  private let stopping = Atomic(false)
  /// Set once, by `init`.
  private nonisolated(unsafe) var daemon: OpaquePointer?

  var port: UInt16 { listener.port }

  /// Serves a listener until `stop`.
  ///
  /// - Parameters:
  ///   - observe: called on the server's thread; it must not block.
  ///   - respond: answers a request; called for many at once.
  /// - Throws: `ListenError`.
  init(
    _ listener: Listener, limits: Limits, observe: @escaping @Sendable (Event) -> Void,
    respond: @escaping @Sendable (Request) async -> Response
  ) throws {
    self.listener = listener
    self.limits = limits
    self.observe = observe
    self.respond = respond
    // The server outlives its daemon: `stop` ends the one before the other can go.
    let context = Unmanaged.passUnretained(self).toOpaque()
    daemon = start_daemon(
      listener.descriptor, UInt32(limits.connections), UInt32(limits.idle),
      { context, connection, path, method, _, bytes, count, state in
        Unmanaged<Server>.fromOpaque(context!).takeUnretainedValue().advance(
          connection!, path!, method!, bytes, count!, state!)
      },
      { context, _, state, termination in
        Unmanaged<Server>.fromOpaque(context!).takeUnretainedValue().end(state!, termination)
      }, context)
    guard daemon != nil else {
      throw ListenError(description: "libmicrohttpd does not start")
    }
  }

  /// Turns new connections away, answers the requests that have begun, and ends.
  ///
  /// - Returns: whether all were answered within the time.
  func stop(within time: Duration) -> Bool {
    stopping.store(true, ordering: .sequentiallyConsistent)
    _ = MHD_quiesce_daemon(daemon)
    listener.refuseConnections()
    let deadline = ContinuousClock.now + time
    while open.load(ordering: .sequentiallyConsistent) > 0 {
      // libmicrohttpd cannot be ended while connections are suspended: the process must end instead.
      guard ContinuousClock.now < deadline else { return false }
      usleep(5000)
    }
    MHD_stop_daemon(daemon)
    close(listener.descriptor)
    return true
  }

  /// The next thing that happens to a request: its head is there, some of its body, or all of it; or its answer.
  private func advance(
    _ connection: OpaquePointer, _ path: UnsafePointer<CChar>, _ method: UnsafePointer<CChar>,
    _ bytes: UnsafePointer<CChar>?, _ count: UnsafeMutablePointer<Int>,
    _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> MHD_Result {
    guard let pointer = state.pointee else {
      let exchange = Exchange(
        method: String(cString: method), path: String(cString: path), bodyLimit: limits.body)
      if stopping.load(ordering: .sequentiallyConsistent) {
        exchange.response = .unavailable("the service is stopping")
      }
      begin(exchange, state)
      return .YES
    }
    let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
    if count.pointee > 0 {
      let part = UnsafeRawBufferPointer(start: bytes, count: count.pointee)
      count.pointee = 0
      return exchange.receive(part) == .endless ? .NO : .YES
    }
    if let response = exchange.response { return send(response, connection) }
    answer(exchange, connection)
    return .YES
  }

  private func begin(
    _ exchange: Exchange, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) {
    state.pointee = Unmanaged.passRetained(exchange).toOpaque()
    open.add(1, ordering: .sequentiallyConsistent)
    observe(.began)
  }

  /// Has a whole request answered. libmicrohttpd comes back for the answer when the connection is resumed.
  private func answer(_ exchange: Exchange, _ connection: OpaquePointer) {
    guard let request = exchange.takeRequest() else {
      exchange.response = .failure(413, "a body may have \(limits.body) bytes")
      return
    }
    MHD_suspend_connection(connection)
    nonisolated(unsafe) let connection = connection
    Task {
      exchange.response = await respond(request)
      MHD_resume_connection(connection)
    }
  }

  private func send(_ response: Response, _ connection: OpaquePointer) -> MHD_Result {
    let message = response.body.withUnsafeBytes {
      MHD_create_response_from_buffer(
        $0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let message else { return .NO }
    defer { MHD_destroy_response(message) }
    MHD_add_response_header(message, "Content-Type", response.contentType)
    for (name, value) in response.headers { MHD_add_response_header(message, name, value) }
    if stopping.load(ordering: .sequentiallyConsistent) {
      MHD_add_response_header(message, "Connection", "close")
    }
    return MHD_queue_response(connection, UInt32(response.status), message)
  }

  /// A request is over, answered or not.
  private func end(
    _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
    _ termination: MHD_RequestTerminationCode
  ) {
    // A connection may end before the head of a request is there.
    guard let pointer = state.pointee else { return }
    state.pointee = nil
    let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
    if termination == .REQUEST_TERMINATED_COMPLETED_OK, let response = exchange.response {
      observe(.answered(status: response.status))
    } else {
      observe(.aborted)
    }
    open.subtract(1, ordering: .sequentiallyConsistent)
  }
}
