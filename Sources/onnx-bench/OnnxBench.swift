// onnx-bench: measures a model. Its logic is LeapTools/Bench.

import LeapTools

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@main enum OnnxBench {
  static func main() {
    exit(BenchCommand.run(Array(CommandLine.arguments.dropFirst()), .process()))
  }
}
