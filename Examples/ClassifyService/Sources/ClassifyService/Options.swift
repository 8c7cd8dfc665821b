// Options: the command line.

import LeapstoneImage

/// A command line that means nothing.
struct UsageError: Error, CustomStringConvertible {
  let description: String
}

struct Options {
  static let help = """
    OVERVIEW: Serves an ONNX classifier of pictures over HTTP.

    USAGE: ClassifyService [options] <model> <labels>

    ARGUMENTS:
      <model>                 the network, in ONNX
      <labels>                class names: line n names class n

    OPTIONS:
      --preset <name>         how the model wants its pictures: imagenet, imagenet-bgr255,
                              inception, unit or none (default: imagenet)
      --address <ipv4>        where to listen; 0.0.0.0 is everywhere (default: 127.0.0.1)
      --port <n>              0 is any that is free (default: 8080)
      --concurrency <n>       pictures that are classified at a time (default: 2)
      --queue <n>             pictures that may wait beside those; more are answered 503 (default: 64)
      --top <n>               labels in an answer (default: 5)
      --max-body <bytes>      the largest picture, as a file (default: 8388608)
      --connections <n>       connections at a time (default: 256)
      --timeout <seconds>     how long a client waits or may be silent, and how long a stop waits for
                              requests in flight (default: 10)
      -h, --help              this text

    POST /classify            a JPEG, PNG or binary PPM as the body; the answer is JSON
    GET /healthz              200 while the service runs
    GET /metrics              counters, in Prometheus's text format

    SIGTERM and SIGINT end the service when the requests in flight are answered.
    EXIT: 0 stopped and all answered, 1 stopped with requests left, 2 cannot start, 64 wrong usage
    """

  var model = ""
  var labels = ""
  var preset = Preprocessing.imagenet
  var address = "127.0.0.1"
  var port = 8080
  var concurrency = 2
  var queue = 64
  var top = 5
  var maximalBody = 8 << 20
  var connections = 256
  var timeout = 10

  /// - Returns: nil where help is wanted.
  /// - Throws: `UsageError`.
  init?(_ arguments: [String]) throws {
    var files: [String] = []
    var rest = arguments.makeIterator()
    while let argument = rest.next() {
      if argument == "-h" || argument == "--help" { return nil }
      guard argument.hasPrefix("-") else {
        files.append(argument)
        continue
      }
      guard let value = rest.next() else {
        throw UsageError(description: "there is no option \(argument) without a value")
      }
      try set(argument, value)
    }
    guard files.count == 2 else {
      throw UsageError(description: "a model and a file of labels are wanted; see --help")
    }
    (model, labels) = (files[0], files[1])
  }

  private mutating func set(_ option: String, _ value: String) throws {
    func number(_ range: ClosedRange<Int>) throws -> Int {
      guard let number = Int(value), range.contains(number) else {
        throw UsageError(
          description:
            "\(option) \(value): wanted is a number from \(range.lowerBound) to \(range.upperBound)"
        )
      }
      return number
    }
    switch option {
    case "--preset":
      guard let named = Preprocessing.named(value) else {
        throw UsageError(description: "there is no preset '\(value)'; see --help")
      }
      preset = named
    case "--address": address = value
    case "--port": port = try number(0...65535)
    case "--concurrency": concurrency = try number(1...1024)
    case "--queue": queue = try number(0...100_000)
    case "--top": top = try number(1...100_000)
    case "--max-body": maximalBody = try number(1...1 << 30)
    case "--connections": connections = try number(1...100_000)
    case "--timeout": timeout = try number(1...86400)
    default: throw UsageError(description: "there is no option \(option); see --help")
    }
  }
}
