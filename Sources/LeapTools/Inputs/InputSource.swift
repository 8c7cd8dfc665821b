// InputSource: the tensors of one run, from files and from a seed.

import LeapFormat
import LeapTensors
import Leapstone
import LeapstoneImage

/// Finds a tensor for each input of a model.
package struct InputSource {
  private let options: InputOptions
  /// The inputs that need a tensor.
  private let inputs: [ValueInfo]
  /// These, and those that have a default in the model.
  private let known: [ValueInfo]
  private let preprocessing: () throws -> Preprocessing

  /// - Parameters:
  ///   - inputs: the model's inputs, with the types that SHAPES options gave them.
  ///   - defaulted: inputs that the model has a default for: files may replace it.
  ///   - preprocessing: what makes tensors of pictures; asked for where a picture is given.
  package init(
    _ options: InputOptions, inputs: [ValueInfo], defaulted: [ValueInfo] = [],
    preprocessing: @escaping () throws -> Preprocessing
  ) {
    self.options = options
    self.inputs = inputs
    known = inputs + defaulted
    self.preprocessing = preprocessing
  }

  /// The tensors: those of `--inputs`, replaced and completed by `--input`, the rest by `--random`.
  ///
  /// - Parameter excluded: an input that gets its tensor elsewhere.
  /// - Returns: tensors by name, and what was assumed about their shapes.
  /// - Throws: `ToolError`, `FileError`, `ArrayFileError`, `ImageError`, `ModelError`.
  package func tensors(
    except excluded: String? = nil
  ) throws -> (tensors: [String: Tensor], notes: [String]) {
    try checkNames()
    var tensors = try options.set.map(readSet) ?? [:]
    try readFiles(&tensors, excluded)
    for input in known {
      if let tensor = tensors[input.name] { try check(tensor, input) }
    }
    let missing = inputs.filter { tensors[$0.name] == nil && $0.name != excluded }
    guard let seed = options.seed else {
      guard missing.isEmpty else { throw nothingFor(missing, isPicture: excluded != nil) }
      return (tensors, [])
    }
    let given = inputs.compactMap { input in
      tensors[input.name].map { (type: input.type, shape: $0.shape) }
    }
    if let other = missing.first(where: { $0.type.dataType == nil }) {
      throw ToolError("--random: input '\(escaped(other.name))' is \(other.type), no tensor")
    }
    let (shapes, notes) = try ShapeOptions.choose(missing, given: given)
    for (stream, input) in inputs.enumerated() {
      guard let shape = shapes[input.name], let type = input.type.dataType else { continue }
      tensors[input.name] = try RandomTensor.make(
        type, shape, seed: seed, stream: stream, range: options.ranges[input.name])
    }
    return (tensors, notes)
  }

  private func nothingFor(_ missing: [ValueInfo], isPicture: Bool) -> ToolError {
    let list = missing.map { "'\(escaped($0.name))' (\(escaped($0.type.description)))" }
    let further = isPicture ? "" : " --image FILE,"
    return .usage(
      "nothing is given for input \(list.joined(separator: ", ")): add\(further) --input NAME=FILE, "
        + "--inputs FILE.npz or --random SEED")
  }

  private func checkNames() throws {
    let names = inputs.map(\.name)
    if let unknown = options.ranges.keys.sorted().first(where: { !names.contains($0) }) {
      throw ToolError.usage("--range: \(noInput(unknown))")
    }
  }

  private func noInput(_ name: String) -> String {
    let names = known.map(\.name)
    return "the model has no input '\(escaped(name))'; it has \(quoted(names))"
      + suggestion(for: name, among: names)
  }

  /// What the options say of a shape holds for tensors from files too.
  private func check(_ tensor: Tensor, _ input: ValueInfo) throws {
    guard let expected = input.type.shape, let type = input.type.dataType else { return }
    let fits =
      tensor.dataType == type && expected.count == tensor.shape.rank
      && zip(expected, tensor.shape).allSatisfy { $0.value == nil || $0.value == $1 }
    if !fits {
      throw ToolError(
        "input '\(escaped(input.name))': expected \(escaped(input.type.description)), got \(tensor)"
      )
    }
  }

  // MARK: sets

  private func readSet(_ path: String) throws -> [String: Tensor] {
    guard let entries = try DirectoryListing.names(in: path) else {
      return try archive(path)
    }
    var tensors: [String: Tensor] = [:]
    for name in entries {
      let file = "\(path)/\(name)"
      if name.hasSuffix(".npy"), let input = known.first(where: { "\($0.name).npy" == name }) {
        tensors[input.name] = try readArray(file)
      } else if name.hasPrefix("input_"), name.hasSuffix(".pb") {
        guard let index = Int(name.dropFirst(6).dropLast(3)), inputs.indices.contains(index) else {
          throw ToolError("\(escaped(file)): the model has \(inputs.count) inputs")
        }
        tensors[inputs[index].name] = try readProtobuf(file)
      }
    }
    if tensors.isEmpty {
      let sets = entries.filter { $0.hasPrefix("test_data_set_") }
      let hint = sets.isEmpty ? "" : "; it has the sets \(quoted(sets)), give one of them"
      throw ToolError("\(escaped(path)): no input_K.pb and no NAME.npy in this directory\(hint)")
    }
    return tensors
  }

  private func archive(_ path: String) throws -> [String: Tensor] {
    let names = Set(known.map(\.name))
    var tensors: [String: Tensor] = [:]
    for entry in try NPZ.read(path) where !entry.name.hasPrefix("out:") {
      let short = entry.name.hasPrefix("in:") ? String(entry.name.dropFirst(3)) : entry.name
      guard names.contains(short) || names.contains(entry.name) else {
        throw ToolError("\(escaped(path)): \(noInput(short))")
      }
      tensors[names.contains(short) ? short : entry.name] = entry.tensor
    }
    return tensors
  }

  // MARK: files

  private func readFiles(_ tensors: inout [String: Tensor], _ excluded: String?) throws {
    var unnamed: [String] = []
    for text in options.files {
      guard let (name, path) = named(text) else {
        unnamed.append(text)
        continue
      }
      tensors[name] = try read(path, for: name)
    }
    for path in unnamed {
      let open = inputs.filter { tensors[$0.name] == nil && $0.name != excluded }
      guard open.count == 1 else {
        let (name, _) = splitAssignment(path)
        let reason = name.map(noInput) ?? "say which input: --input NAME=\(escaped(path))"
        throw ToolError.usage(
          "--input: \(reason)"
            + (name == nil ? "; without a tensor are \(quoted(open.map(\.name)))" : ""))
      }
      if let name = splitAssignment(path).name, !DirectoryListing.exists(path) {
        throw ToolError.usage("--input: \(noInput(name))")
      }
      tensors[open[0].name] = try read(path, for: open[0].name)
    }
  }

  /// `NAME=FILE` where the model has such an input; names may hold `=` too.
  private func named(_ text: String) -> (name: String, path: String)? {
    let input = known.filter { text.hasPrefix("\($0.name)=") }
      .max { $0.name.count < $1.name.count }
    return input.map { ($0.name, String(text.dropFirst($0.name.count + 1))) }
  }

  private func read(_ path: String, for name: String) throws -> Tensor {
    let kind = path.split(separator: ".").last.map { $0.lowercased() } ?? ""
    switch kind {
    case "npy": return try readArray(path)
    case "pb": return try readProtobuf(path)
    case "png", "jpg", "jpeg", "ppm", "pgm":
      guard let input = known.first(where: { $0.name == name }) else {
        throw ToolError.usage("--input: \(noInput(name))")
      }
      let steps = try preprocessing()
      let image = try Image(path: path, appliesOrientation: steps.appliesOrientation)
      return try steps.tensor(from: image, for: input.type)
    default:
      throw ToolError.usage("--input: '\(escaped(path))' ends in none of .npy, .pb, .png, .jpg")
    }
  }

  private func readArray(_ path: String) throws -> Tensor {
    try NPY.decode(try FileBytes.read(path, limit: NPZ.fileLimit)[...], name: path)
  }

  private func readProtobuf(_ path: String) throws -> Tensor {
    guard case .tensor(let tensor) = try StoredValue.read(path: path, as: .tensor).value else {
      throw ToolError("\(escaped(path)): holds no tensor")
    }
    return tensor
  }
}
