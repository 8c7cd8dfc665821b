// OperatorPage: docs/operators.md, written from the program's own tables: what operators there are, since when, for which types, and
// how each is computed.
//
// 1. Nothing is listed twice by hand: names and opsets are those of the table, types those that inference takes.
// 2. The same on every machine.

import LeapGraph
import LeapOperators
import LeapRuntime
import LeapTensors

enum OperatorPage {
  /// The page.
  ///
  /// - Throws: what makes no line of an operator: a form of it that inference takes is not found.
  static func text() throws -> String {
    var lines = [introduction]
    let rows = try ownRows() + rewrittenRows()
    for (domain, rows) in Dictionary(grouping: rows, by: \.domain).sorted(by: { $0.key < $1.key }) {
      lines.append("## \(domain.isEmpty ? "ONNX" : domain)\n")
      lines.append("| operator | opsets | types | computed by |")
      lines.append("|---|---|---|---|")
      for row in rows.sorted(by: { $0.name < $1.name }) {
        lines.append("| \(row.name) | \(row.opsets) | \(row.types) | \(row.means) |")
      }
      lines.append("")
    }
    return lines.joined(separator: "\n")
  }

  private struct Row {
    let domain: String
    let name: String
    var opsets: String
    var types: String
    var means: String
  }

  private static let introduction = """
    # Operators

    What Leapstone computes, as its own tables have it: `make operators` writes this page, and a test holds it to them. Any other
    operator is an error that names all its nodes; a program can supply it as a `CustomOperator`.

    - **Opsets** are versions of the operator's domain: `13+` from 13 to the newest known, \(OperatorTable.latestOpset) for ONNX's own, and what
      comes after it as long as it means the same.
    - **Types** are those of the elements that the operator works on; indices, axes and conditions have types of their own. *floats*
      are float16, bfloat16, float32 and float64; *integers* int8 to int64 and uint8 to uint64; *small* the types of less than a byte and
      float8. Where a star follows, float16 and bfloat16 are widened to float32, and
      results rounded.
    - **Computed by** a *kernel* that all workers share; nothing, where it is a *view* of its input under another shape; the *host*,
      on one thread, where the elements decide how large the results are, or are no numbers; *graphs* of the node; or *other operators*, put
      in its place when the model is loaded, so that they are fused and planned as such.

    Where ONNX Runtime gives something else, Leapstone follows ONNX's text and its official cases:

    - Resize with `align_corners` and scales whose output is not whole: coordinates follow the scale, not the extents.
    - RNN, GRU and LSTM of a sequence of length 0: the last state is the initial one.
    - com.microsoft's QLinearAveragePool with `ceil_mode` and `count_include_pad`: pixels beyond the padding count for nothing.
    - com.microsoft's MultiHeadAttention with `unidirectional` and more keys than queries: the last query sees no later key either.
    - com.microsoft's GatherBlockQuantized: an index out of range is an error, not zeros.
    - Cast of large floats to strings: all digits before the point, `10000000000` for 1e10.

    """

  // MARK: rows

  /// The operators of the table.
  private static func ownRows() throws -> [Row] {
    let declarations = OperatorTable.standard.declarations
      .filter { $0.domain != OperatorTable.ownDomain }
    let named = Dictionary(grouping: declarations) {
      OperatorName(domain: $0.domain, name: $0.name)
    }
    var rows: [Row] = []
    var missing: [OperatorName] = []
    for (name, declarations) in named {
      let latest = declarations.map(\.opsets.upperBound).max() ?? 1
      guard let probe = OperatorProbe(name, opset: latest) else {
        missing.append(name)
        continue
      }
      rows.append(
        Row(
          domain: name.domain, name: name.name,
          opsets: describe(declarations.map(\.opsets)), types: TypeList.text(probe.types),
          means: means(probe)))
    }
    if !missing.isEmpty { throw NoForm(names: missing.map(\.name).sorted()) }
    return rows
  }

  /// The operators that others stand for.
  private static func rewrittenRows() throws -> [Row] {
    var rows: [Row] = []
    var missing: [OperatorName] = []
    for operation in FunctionInliner.rewrittenOperators {
      let name = OperatorName(domain: operation.domain, name: operation.name)
      guard let probe = RewritingProbe(name, opset: operation.opsets.lowerBound) else {
        missing.append(name)
        continue
      }
      rows.append(
        Row(
          domain: name.domain, name: name.name, opsets: describe([operation.opsets]),
          types: "those of its operators",
          means: probe.operators.joined(separator: ", ")))
    }
    if !missing.isEmpty { throw NoForm(names: missing.map(\.name).sorted()) }
    return rows
  }

  private static func means(_ probe: OperatorProbe) -> String {
    guard let operation = probe.operation else { return "graphs" }
    if operation is any HostOperator { return "host" }
    if operation.viewInput != nil { return "view" }
    let isMovedOnHost = operation.movedOutputs > 0 && probe.types.contains(.string)
    return isMovedOnHost ? "kernel; host for strings and small" : "kernel"
  }

  /// Ranges of versions, those joined that touch: `1–9, 13+`.
  private static func describe(_ ranges: [ClosedRange<Int>]) -> String {
    var joined: [ClosedRange<Int>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = joined.last, last.upperBound + 1 >= range.lowerBound {
        joined[joined.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        joined.append(range)
      }
    }
    return joined.map { range in
      if range.upperBound >= OperatorTable.latestOpset { return "\(range.lowerBound)+" }
      return range.count == 1
        ? "\(range.lowerBound)" : "\(range.lowerBound)–\(range.upperBound)"
    }.joined(separator: ", ")
  }
}

/// Element types in few words.
enum TypeList {
  static func text(_ types: Set<DataType>) -> String {
    if types.count == DataType.allCases.count { return "all" }
    if types.isEmpty { return "what attributes say" }
    var rest = types
    let isWidened = types.contains(.float32) && !types.contains(.float16)
    if isWidened { rest.formUnion([.float16, .bfloat16]) }
    var words: [String] = []
    for (word, group) in groups where group.isSubset(of: rest) {
      if word == "float32", group.count > 1, !isWidened { continue }
      words.append(word + (isWidened && group.contains(.float16) ? "*" : ""))
      rest.subtract(group)
    }
    return words.joined(separator: ", ")
  }

  private static let signed: Set<DataType> = [.int8, .int16, .int32, .int64]
  private static let unsigned: Set<DataType> = [.uint8, .uint16, .uint32, .uint64]
  private static let float8: Set<DataType> = [
    .float8e4m3fn, .float8e4m3fnuz, .float8e5m2, .float8e5m2fnuz, .float8e8m0,
  ]
  private static let small: Set<DataType> = float8.union([
    .uint4, .int4, .float4e2m1, .uint2, .int2, .float6e2m3, .float6e3m2,
  ])

  /// The widest first; then each type by itself.
  private static let groups: [(String, Set<DataType>)] =
    [
      ("floats", [.float16, .bfloat16, .float32, .float64]),
      ("float32", [.float16, .bfloat16, .float32]),
      ("integers", signed.union(unsigned)), ("int8 to int64", signed),
      ("uint8 to uint64", unsigned), ("small", small), ("float8", float8),
      ("complex", [.complex64, .complex128]),
    ] + DataType.allCases.map { ($0.description, [$0]) }
}
