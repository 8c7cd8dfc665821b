// NodeFilter: which nodes are shown: `--filter op=Conv* --filter name=*downsample*`.

import LeapTensors

/// Patterns for operators, names and graphs. Patterns of one kind are alternatives; all kinds must fit.
struct NodeFilter: Sendable {
  static let keys = ["op", "name", "graph"]
  private var patterns: [String: [String]] = [:]

  /// - Parameter texts: `op=PATTERN`, `name=PATTERN` or `graph=PATTERN` each.
  /// - Throws: `ToolError` with exit code 64.
  init(_ texts: [String]) throws {
    for text in texts {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, NodeFilter.keys.contains(String(parts[0])), !parts[1].isEmpty else {
        throw ToolError.usage(
          "--filter: '\(escaped(text))' is none of op=PATTERN, name=PATTERN and graph=PATTERN, like "
            + "op=Conv* or name=*layer3*")
      }
      patterns[String(parts[0]), default: []].append(String(parts[1]))
    }
  }

  var isEmpty: Bool { patterns.isEmpty }

  /// Whether a node is shown.
  func admits(_ node: NodeReport) -> Bool {
    admits("op", [node.operatorName]) && admits("name", [node.name])
      && admits("graph", [node.graph])
  }

  /// Whether something is shown that has several operators, those that read a weight say.
  func admits(operators: [String], name: String, graph: String) -> Bool {
    admits("op", operators) && admits("name", [name]) && admits("graph", [graph])
  }

  private func admits(_ key: String, _ texts: [String]) -> Bool {
    guard let patterns = patterns[key] else { return true }
    return texts.contains { text in patterns.contains { NodeFilter.matches(text, $0) } }
  }

  /// Whether a text is of a pattern: `*` stands for any letters, `?` for one. O(text x pattern).
  static func matches(_ text: String, _ pattern: String) -> Bool {
    let (text, pattern) = (Array(text), Array(pattern))
    var (place, next) = (0, 0)
    // Where to go on with one more letter for the last star.
    var retry: (place: Int, next: Int)?
    while place < text.count {
      if next < pattern.count, pattern[next] == "*" {
        retry = (place, next)
        next += 1
      } else if next < pattern.count, pattern[next] == "?" || pattern[next] == text[place] {
        (place, next) = (place + 1, next + 1)
      } else if let last = retry {
        retry = (last.place + 1, last.next)
        (place, next) = (last.place + 1, last.next + 1)
      } else {
        return false
      }
    }
    return pattern[next...].allSatisfy { $0 == "*" }
  }
}
