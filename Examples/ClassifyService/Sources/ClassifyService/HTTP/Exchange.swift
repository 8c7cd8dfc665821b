// Exchange: one request on its way in, and its answer on its way out. libmicrohttpd's thread and the task that answers meet here.

import Synchronization

final class Exchange: Sendable {
  private struct State {
    var body: [UInt8] = []
    var received = 0
    var response: Response?
  }

  /// What became of the bytes of a body.
  enum Reception { case kept, discarded, endless }

  let method: String
  let path: String
  private let bodyLimit: Int
  private let state = Mutex(State())

  init(method: String, path: String, bodyLimit: Int) {
    self.method = method
    self.path = path
    self.bodyLimit = bodyLimit
  }

  /// Takes the next bytes of the body. One that is too large is read on without being kept, since many clients look for an
  /// answer only when they have sent all; but not for ever.
  func receive(_ bytes: UnsafeRawBufferPointer) -> Reception {
    state.withLock { state in
      state.received += bytes.count
      if state.received <= bodyLimit {
        state.body += bytes
        return .kept
      }
      state.body = []
      return state.received <= 16 * bodyLimit ? .discarded : .endless
    }
  }

  /// The whole request, whose body is handed over; nil where it was too large.
  func takeRequest() -> Request? {
    state.withLock { state in
      guard state.received <= bodyLimit else { return nil }
      defer { state.body = [] }
      return Request(method: method, path: path, body: state.body)
    }
  }

  var response: Response? {
    get { state.withLock { $0.response } }
    set { state.withLock { $0.response = newValue } }
  }
}
