// leap-kernel-bench: measures kernels one by one. Its logic is Benchmarks/Kernels.

import LeapBenchmarks
import LeapTools

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@main enum LeapKernelBench {
  static func main() {
    exit(KernelBenchCommand.run(Array(CommandLine.arguments.dropFirst()), .process()))
  }
}
