// ShapeOptions: SHAPES of the tools' grammar: extents that a model leaves open.
//
// 1. What is left open is an error that lists the options to add, word for word.
// 2. A first dimension is taken as 1 where nobody says otherwise, and that is told.

import LeapTensors
import Leapstone

package struct ShapeOptions: Sendable {
  package static let group = FlagGroup(
    "SHAPE OPTIONS",
    [
      Flag(
        "--shape", value: "[name=]1x3x224x224", repeatable: true,
        "The shape of an input; of the only one without a name. Repeatable."),
      Flag(
        "--dim", value: "name=n", repeatable: true, "The extent of a named dimension. Repeatable."),
      Flag(
        "--external-root", value: "dir", repeatable: true, completion: .directory,
        "A further directory in which the model's external data may lie. Repeatable."),
    ])

  private let shapes: [(input: String?, shape: Shape)]
  private let dimensions: [String: Int]
  package let externalRoots: [String]

  /// - Throws: `ToolError` with exit code 64.
  package init(_ arguments: ParsedArguments) throws {
    shapes = try arguments.all("--shape").map { text in
      // The shape holds no "=", an input's name may.
      let sign = text.lastIndex(of: "=")
      let value = sign.map { String(text[text.index(after: $0)...]) } ?? text
      guard let shape = ShapeOptions.parse(value) else {
        throw ToolError.usage("--shape: '\(escaped(value))' is no shape, like 1x3x224x224")
      }
      return (sign.map { String(text[..<$0]) }, shape)
    }
    var dimensions: [String: Int] = [:]
    for text in arguments.all("--dim") {
      let sign = text.lastIndex(of: "=")
      guard let sign, let extent = Int(text[text.index(after: sign)...]), extent >= 0 else {
        throw ToolError.usage("--dim: '\(escaped(text))' is not NAME=N, like batch=4")
      }
      dimensions[String(text[..<sign])] = extent
    }
    self.dimensions = dimensions
    externalRoots = arguments.all("--external-root")
  }

  private static func parse(_ text: String) -> Shape? {
    if text == "scalar" { return [] }
    let extents = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
    return extents.allSatisfy { $0 >= 0 } ? Shape(extents) : nil
  }

  /// The types of a model's inputs, with what these options say put in.
  ///
  /// - Throws: `ToolError` with exit code 64 where an option names no input or dimension of the model, or contradicts it.
  package func apply(to inputs: [ValueInfo]) throws -> [String: ValueType] {
    var types: [String: ValueType] = [:]
    for input in inputs { types[input.name] = input.type }
    var bindings = try knownDimensions(of: inputs)
    for (name, shape) in shapes {
      let input = try self.input(name, among: inputs)
      guard case .tensor(let dataType, let declared) = input.type else {
        throw ToolError.usage("--shape: input '\(escaped(input.name))' is \(input.type)")
      }
      let declaredExtents = declared ?? shape.map { .fixed($0) }
      let fits =
        declaredExtents.count == shape.rank
        && zip(declaredExtents, shape).allSatisfy { $0.value == nil || $0.value == $1 }
      guard fits else {
        throw ToolError.usage(
          "--shape: input '\(escaped(input.name))' is \(input.type), which \(shape) does not fit")
      }
      for case (.symbol(let symbol), let extent) in zip(declaredExtents, shape) {
        if let known = bindings[symbol], known != extent {
          throw ToolError.usage(
            "the dimension '\(escaped(symbol))' is given as \(known) and as \(extent)")
        }
        bindings[symbol] = extent
      }
      types[input.name] = .tensor(dataType, shape: shape.map { .fixed($0) })
    }
    return types.mapValues { $0.substituting(bindings) }
  }

  private func knownDimensions(of inputs: [ValueInfo]) throws -> [String: Int] {
    let symbols = Set(inputs.flatMap { ShapeOptions.symbols($0.type) })
    if let unknown = dimensions.keys.sorted().first(where: { !symbols.contains($0) }) {
      let known = symbols.sorted()
      throw ToolError.usage(
        "--dim: the model's inputs have no dimension '\(escaped(unknown))'; "
          + (known.isEmpty ? "all are fixed" : "they have \(quoted(known))")
          + suggestion(for: unknown, among: known))
    }
    return dimensions
  }

  private func input(_ name: String?, among inputs: [ValueInfo]) throws -> ValueInfo {
    let names = inputs.map(\.name)
    guard let name else {
      if inputs.count == 1 { return inputs[0] }
      throw ToolError.usage(
        "--shape: the model has several inputs, say which: --shape NAME=...; it has \(quoted(names))"
      )
    }
    guard let input = inputs.first(where: { $0.name == name }) else {
      throw ToolError.usage(
        "--shape: the model has no input '\(escaped(name))'; it has \(quoted(names))"
          + suggestion(for: name, among: names))
    }
    return input
  }

  private static func symbols(_ type: ValueType) -> [String] {
    (type.shape ?? []).compactMap { if case .symbol(let name) = $0 { name } else { nil } }
  }

  // MARK: choosing whole shapes

  /// Shapes of inputs that nobody gave tensors for.
  ///
  /// - Parameters:
  ///   - inputs: the inputs to choose shapes for, with the types that `apply` gave.
  ///   - given: tensors of other inputs: dimensions of the same name follow them.
  ///   - types: the declared types of the given inputs.
  /// - Returns: shapes by name, and what was assumed.
  /// - Throws: `ToolError` with exit code 64 and the options to add, where extents are left open.
  package static func choose(
    _ inputs: [ValueInfo], given: [(type: ValueType, shape: Shape)]
  ) throws -> (shapes: [String: Shape], notes: [String]) {
    var bindings: [String: Int] = [:]
    for (type, shape) in given {
      for case (.symbol(let name), let extent) in zip(type.shape ?? [], shape) {
        bindings[name] = extent
      }
    }
    var shapes: [String: Shape] = [:]
    var notes: [String] = []
    var missing: [String] = []
    var open: [ValueInfo] = []
    for input in inputs {
      let label = escaped(input.name)
      guard let extents = input.type.substituting(bindings).shape else {
        missing.append("--shape \(label)=...")
        open.append(input)
        continue
      }
      var chosen: [Int] = []
      for (axis, extent) in extents.enumerated() {
        if let value = extent.substituting(bindings).value {
          chosen.append(value)
        } else if axis == 0 {
          if case .symbol(let name) = extent { bindings[name] = 1 }
          notes.append("input '\(label)': the free first dimension is taken as 1")
          chosen.append(1)
        } else {
          missing.append(option(for: extent, of: input, extents))
          if open.last?.name != input.name { open.append(input) }
          chosen.append(0)
        }
      }
      shapes[input.name] = Shape(chosen)
    }
    var told: Set<String> = []
    let options = missing.filter { told.insert($0).inserted }
    guard options.isEmpty else {
      let names = open.map { "'\(escaped($0.name))' (\(escaped($0.type.description)))" }
      throw ToolError.usage(
        "the model leaves extents of \(names.joined(separator: ", ")) open: add "
          + options.joined(separator: " ") + " with numbers")
    }
    return (shapes, notes)
  }

  private static func option(
    for extent: Dimension, of input: ValueInfo, _ extents: [Dimension]
  ) -> String {
    if case .symbol(let name) = extent { return "--dim \(escaped(name))=N" }
    let shape = extents.map { $0.value.map(String.init) ?? "N" }.joined(separator: "x")
    return "--shape \(escaped(input.name))=\(shape)"
  }
}

/// Names in quotes, for messages; at most 20 of them.
func quoted(_ names: [String]) -> String {
  let shown = names.prefix(20).map { "'\(escaped($0))'" }.joined(separator: ", ")
  return names.count > 20 ? "\(shown) and \(names.count - 20) more" : shown
}
