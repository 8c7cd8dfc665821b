// Messages: what a client asks, and what it is answered.

struct Request: Sendable {
  let method: String
  /// Without the query.
  let path: String
  let body: [UInt8]
}

struct Response: Sendable {
  var status: Int
  var contentType = "application/json"
  var headers: [(name: String, value: String)] = []
  var body: [UInt8]

  /// An answer that says in words why there is none.
  static func failure(_ status: Int, _ reason: String) -> Response {
    Response(status: status, body: Array("{\"error\": \(json(reason))}\n".utf8))
  }

  /// The service could answer this, but not now: the client, or a proxy before it, tries again.
  static func unavailable(_ reason: String) -> Response {
    var response = failure(503, reason)
    response.headers = [("Retry-After", "1")]
    return response
  }
}
