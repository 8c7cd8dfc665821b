// onnx-run: runs a model on pictures, arrays or random numbers. Its logic is LeapTools/Run.

import LeapTools

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@main enum OnnxRun {
  static func main() {
    exit(RunCommand.run(Array(CommandLine.arguments.dropFirst()), .process()))
  }
}
