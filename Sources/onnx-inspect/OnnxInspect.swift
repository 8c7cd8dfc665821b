// onnx-inspect: shows what is in a model. Its logic is LeapTools/Inspect.

import LeapTools

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@main enum OnnxInspect {
  static func main() {
    exit(InspectCommand.run(Array(CommandLine.arguments.dropFirst()), .process()))
  }
}
