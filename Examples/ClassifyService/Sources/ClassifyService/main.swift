// ClassifyService: names what pictures show, over HTTP, by any image classifier in ONNX.

import LeapstoneImage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Writes a line to the standard error, at once.
func log(_ line: String) {
  let bytes = Array("ClassifyService: \(line)\n".utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Serves until a signal says stop.
///
/// - Returns: whether all requests were answered.
func serve(_ options: Options) throws -> Bool {
  StopSignal.install()
  let listener = try Listener(address: options.address, port: UInt16(options.port))
  let metrics = Metrics()
  let service = Service(
    classifier: try Classifier(
      model: options.model, labels: options.labels, preprocessing: options.preset,
      concurrency: options.concurrency, top: options.top),
    queue: JobQueue(concurrency: options.concurrency, limit: options.queue),
    metrics: metrics, timeout: .seconds(options.timeout))
  let server = try Server(
    listener,
    limits: Server.Limits(
      body: options.maximalBody, connections: options.connections, idle: options.timeout),
    observe: metrics.count, respond: service.respond)
  log("listening on \(options.address):\(server.port)")

  StopSignal.wait()
  log("stopping")
  return server.stop(within: .seconds(options.timeout))
}

do {
  guard let options = try Options(Array(CommandLine.arguments.dropFirst())) else {
    print(Options.help)
    exit(0)
  }
  let answered = try serve(options)
  log(answered ? "all requests are answered" : "some requests could not be answered in time")
  if answered { exit(0) }
  // Threads are still at work on what is left: libraries must not be torn down below them.
  _exit(1)
} catch let error as UsageError {
  log("\(error)")
  exit(64)
} catch {
  log("\(error)")
  exit(2)
}
