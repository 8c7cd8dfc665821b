// Service: what there is to ask, and what is answered when something goes wrong.

import Leapstone
import LeapstoneImage

struct Service: Sendable {
  let classifier: Classifier
  let queue: JobQueue
  let metrics: Metrics
  /// How long a client waits for an answer.
  let timeout: Duration

  func respond(to request: Request) async -> Response {
    switch (request.path, request.method) {
    case ("/classify", "POST"): return await classify(request.body)
    case ("/healthz", "GET"), ("/healthz", "HEAD"):
      return Response(status: 200, contentType: "text/plain", body: Array("ok\n".utf8))
    case ("/metrics", "GET"), ("/metrics", "HEAD"):
      let text = metrics.text(sessionMemory: classifier.session.memory.charged)
      return Response(
        status: 200, contentType: "text/plain; version=0.0.4", body: Array(text.utf8))
    case ("/classify", _): return notAllowed("POST")
    case ("/healthz", _), ("/metrics", _): return notAllowed("GET, HEAD")
    default: return .failure(404, "there are /classify, /healthz and /metrics")
    }
  }

  private func classify(_ picture: [UInt8]) async -> Response {
    let start = ContinuousClock.now
    do {
      let found = try await queue.run {
        try await classifier.classify(picture, before: start + timeout)
      }
      metrics.observe(.now - start)
      return Response(status: 200, body: Array(json(found).utf8))
    } catch is JobQueue.Full {
      return .unavailable("the queue is full")
    } catch RunError.deadlineExceeded, RunError.busy {
      return .unavailable("the picture had to wait for too long")
    } catch ImageError.tooLarge(let width, let height, let limit) {
      return .failure(
        413, "\(ImageError.tooLarge(width: width, height: height, limit: limit))")
    } catch let error as ImageError {
      return .failure(400, "\(error)")
    } catch {
      log("\(error)")
      return .failure(500, "the model failed on this picture")
    }
  }

  private func notAllowed(_ methods: String) -> Response {
    var response = Response.failure(405, "the method is \(methods)")
    response.headers = [("Allow", methods)]
    return response
  }
}
