// EngineOptions: ENGINE of the tools' grammar: how the session computes.

import LeapTensors
import Leapstone

package enum EngineOptions {
  package static let group = FlagGroup(
    "ENGINE OPTIONS",
    [
      Flag(
        "--threads", value: "n|auto", completion: .words(["auto", "1", "2", "4", "8"]),
        "Workers of a run; auto: as many as affinity and the cgroup's quota allow. "
          + "(default: auto)"),
      Flag(
        "--isa", choices: ["auto", "avx512", "avx2", "neon", "portable"],
        "Instruction set of the kernels, as the variable LEAPSTONE_ISA. (default: auto)"),
      Flag(
        "--disable-pass", value: "name|all", repeatable: true,
        "Leave out an optimisation, or all. Repeatable."),
      Flag(
        "--algorithm", value: "[node=]name", repeatable: true,
        "The algorithm of a node, or of every node that has it. Repeatable."),
      Flag(
        "--forbid", value: "name", repeatable: true,
        "An algorithm that no node may use. Repeatable."
      ),
      Flag(
        "--memory-policy", choices: ["fast", "balanced", "lean"],
        "Speed against memory. (default: balanced)"),
      Flag(
        "--memory-budget", value: "size",
        "The most that weights, working memory and outputs may take: 64MiB, 64MB or bytes."),
      Flag(
        "--cache", value: "dir", completion: .directory,
        "A directory in which packed weights are kept, for a fast start the next time."),
      Flag("--concurrency", value: "c", "Runs in flight at once. (default: 1)"),
    ])

  /// How a session is set up.
  ///
  /// - Throws: `ToolError` with exit code 64.
  package static func session(
    _ arguments: ParsedArguments, shapes: ShapeOptions
  ) throws -> SessionOptions {
    var options = SessionOptions()
    if let name = arguments.last("--memory-policy"),
      let policy = SessionOptions.MemoryPolicy(rawValue: name)
    {
      options.memoryPolicy = policy
    }
    options.instructionSet = arguments.last("--isa").flatMap { .init(rawValue: $0) }
    if arguments.last("--threads") != "auto" {
      options.threads = try arguments.integer("--threads", in: 1...1024)
    }
    for pass in arguments.all("--disable-pass") {
      if pass == "all" {
        options.disablesAllPasses = true
      } else {
        options.disabledPasses.insert(pass)
      }
    }
    for text in arguments.all("--algorithm") {
      let (node, algorithm) = splitAssignment(text)
      options.algorithms[node ?? ""] = algorithm
    }
    options.forbiddenAlgorithms = Set(arguments.all("--forbid"))
    options.memoryBudget = try arguments.size("--memory-budget")
    options.cacheDirectory = arguments.last("--cache")
    options.maximalConcurrentRuns = try concurrency(arguments)
    options.externalDataRoots = shapes.externalRoots
    return options
  }

  /// How many runs may be in flight.
  ///
  /// - Throws: `ToolError` with exit code 64.
  package static func concurrency(_ arguments: ParsedArguments) throws -> Int {
    try arguments.integer("--concurrency", in: 1...1024) ?? 1
  }
}
