// onnx-verify: whether a model computes what it should, and where not. Its logic is LeapTools/Verify.

import LeapTools

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@main enum OnnxVerify {
  static func main() {
    exit(VerifyCommand.run(Array(CommandLine.arguments.dropFirst()), .process()))
  }
}
