// ToolHarness: a tool as a function from its arguments to what it writes and its exit code.

import LeapTestSupport
import LeapTools
import LeapstoneImage
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// What a tool did.
struct ToolResult {
  let code: Int32
  let output: String
  let error: String

  var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// A process for tools to run in: its streams are in memory.
final class FakeProcess: Sendable {
  private struct State {
    var input: ArraySlice<UInt8> = []
    var output: [UInt8] = []
    var error: [UInt8] = []
    var reads = 0
  }
  private let state = Mutex(State())
  private let chunk: Int
  let interruption = Interruption()

  /// - Parameters:
  ///   - input: what stdin holds.
  ///   - chunk: how much of it a read gives at most.
  init(input: [UInt8] = [], chunk: Int = .max) {
    self.chunk = chunk
    state.withLock { $0.input = input[...] }
  }

  /// - Parameter onRead: called before each read of stdin with its number.
  func environment(
    variables: [String: String] = [:], isTerminal: Bool = false, columns: Int = 80,
    onRead: @escaping @Sendable (Int) -> Void = { _ in }
  ) -> ToolEnvironment {
    ToolEnvironment(
      variables: variables,
      read: { [self] count in
        let (bytes, number) = state.withLock { state in
          let part = Array(state.input.prefix(min(count, chunk)))
          state.input = state.input.dropFirst(part.count)
          state.reads += 1
          return (part, state.reads)
        }
        onRead(number)
        return bytes
      },
      writeOutput: { [self] bytes in state.withLock { $0.output += bytes } },
      writeError: { [self] bytes in state.withLock { $0.error += bytes } },
      outputIsTerminal: isTerminal, errorIsTerminal: isTerminal, columns: columns,
      interruption: interruption)
  }

  func result(_ code: Int32) -> ToolResult {
    state.withLock { state in
      ToolResult(
        code: code, output: String(decoding: state.output, as: UTF8.self),
        error: String(decoding: state.error, as: UTF8.self))
    }
  }
}

/// Runs onnx-run. `@NAME` in an argument stands for the file NAME of testdata.
func onnxRun(_ arguments: [String], input: [UInt8] = [], chunk: Int = .max) -> ToolResult {
  let process = FakeProcess(input: input, chunk: chunk)
  return process.result(RunCommand.run(arguments.map(located), process.environment()))
}

/// An argument with `@` replaced by the path of testdata.
func located(_ argument: String) -> String {
  argument.split(separator: "@", omittingEmptySubsequences: false)
    .joined(separator: TestData.path(""))
}

/// A directory that is gone when `body` is done.
func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
  var template = Array("/tmp/leapstone-test-XXXXXX".utf8CString)
  let path = try #require(mkdtemp(&template).map { String(cString: $0) })
  defer { remove(directory: path) }
  return try body(path)
}

private func remove(directory: String) {
  for name in (try? FileNames.of(directory)) ?? [] {
    let path = "\(directory)/\(name)"
    if unlink(path) != 0 { remove(directory: path) }
  }
  rmdir(directory)
}

enum FileNames {
  /// The names in a directory, in order.
  static func of(_ path: String) throws -> [String] {
    let directory = try #require(opendir(path))
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

/// A file's contents.
func contents(_ path: String) throws -> [UInt8] { try FileBytes.read(path, limit: 1 << 24) }

func contents(json path: String) throws -> JSON { try JSON(parsing: contents(path)) }
