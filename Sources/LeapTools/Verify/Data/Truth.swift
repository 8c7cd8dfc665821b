// Truth: which class a picture shows, from directories, file names or a file.
//
// 1. A class that cannot be found is an error: a wrong number would make a good model look bad.
// 2. Classes have numbers, or the names that --labels gives; a label's first word (a WordNet id, say) names it too.

import LeapTensors
import LeapstoneImage

struct Truth: Sendable {
  static let flag = Flag(
    "--truth", value: "dirs|prefix|file", completion: .file,
    "The class of each picture: the name of its directory; what its file's name begins with; or a "
      + "file with lines 'NAME CLASS' (comma, tab or blank between), a class on each line in the order "
      + "of the pictures, or an .npy or .npz of numbers. Classes are numbers or names of --labels.")

  private enum Source: Sendable {
    case directories([String: Int])
    case prefixes
    /// Classes by file names.
    case names([String: Int])
    /// Classes in the order of pictures.
    case order([Int])
  }

  private let source: Source
  private let labels: ClassNames

  /// - Parameters:
  ///   - text: what `--truth` says.
  ///   - files: the pictures, in order.
  /// - Throws: `ToolError`, `FileError`, `ArrayFileError`.
  init(_ text: String, labels: [String], files: [String]) throws {
    self.labels = ClassNames(labels)
    switch text {
    case "dirs": source = .directories(try Truth.directories(files, self.labels))
    case "prefix":
      guard !labels.isEmpty else {
        throw ToolError.usage("--truth prefix needs class names: add --labels FILE")
      }
      source = .prefixes
    case let path where path.hasSuffix(".npz") || path.hasSuffix(".npy"):
      source = .order(try Truth.array(path))
    default: source = try Truth.lines(text, self.labels)
    }
  }

  /// The class of a picture.
  ///
  /// - Parameters:
  ///   - file: its path.
  ///   - index: its place among all pictures.
  /// - Throws: `ToolError` where it is not known.
  func label(of file: String, index: Int) throws -> Int {
    switch source {
    case .directories(let classes):
      if let found = classes[Truth.directory(of: file)] { return found }
      throw ToolError("--truth dirs: \(escaped(file)) lies in no directory of a class")
    case .prefixes:
      if let found = labels.prefix(of: Truth.name(of: file)) { return found }
      throw ToolError("--truth prefix: \(escaped(file)) begins with no class of --labels")
    case .names(let classes):
      let name = Truth.name(of: file)
      if let found = classes[file] ?? classes[name] ?? classes[Truth.stem(of: name)] {
        return found
      }
      throw ToolError("--truth: the file says nothing of \(escaped(name))")
    case .order(let classes):
      guard classes.indices.contains(index) else {
        throw ToolError(
          "--truth: the file has \(classes.count) classes, but there are more pictures")
      }
      return classes[index]
    }
  }

  // MARK: sources

  private static func name(of file: String) -> String {
    file.split(separator: "/").last.map(String.init) ?? file
  }

  private static func stem(of name: String) -> String {
    name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
  }

  private static func directory(of file: String) -> String {
    let parts = file.split(separator: "/")
    return parts.count > 1 ? String(parts[parts.count - 2]) : ""
  }

  /// Directories by name; numbered in their order where they are neither numbers nor labels.
  private static func directories(_ files: [String], _ labels: ClassNames) throws -> [String: Int] {
    let names = Set(files.map(directory)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var classes: [String: Int] = [:]
    for (index, name) in names.enumerated() {
      if let number = labels.number(of: name) {
        classes[name] = number
      } else if labels.isEmpty {
        classes[name] = index
      } else {
        throw ToolError(
          "--truth dirs: '\(escaped(name))' is no class of --labels"
            + suggestion(for: name, among: Array(labels.names.prefix(2000))))
      }
    }
    return classes
  }

  private static func array(_ path: String) throws -> [Int] {
    let tensor: Tensor
    if path.hasSuffix(".npy") {
      tensor = try NPY.decode(try FileBytes.read(path, limit: NPZ.fileLimit)[...], name: path)
    } else {
      let entries = try NPZ.read(path)
      let integers = entries.filter { $0.tensor.integers != nil && $0.tensor.shape.rank == 1 }
      guard integers.count == 1 else {
        throw ToolError(
          "--truth: \(escaped(path)) holds \(integers.count) vectors of numbers; expected one")
      }
      tensor = integers[0].tensor
    }
    guard let numbers = tensor.integers else {
      throw ToolError("--truth: \(escaped(path)) holds \(tensor); expected integers")
    }
    return numbers
  }

  private static func lines(_ path: String, _ labels: ClassNames) throws -> Source {
    let bytes = try FileBytes.read(path, limit: 1 << 28)
    let lines = String(decoding: bytes, as: UTF8.self).split { $0.isNewline }
    var names: [String: Int] = [:]
    var order: [Int] = []
    for (index, line) in lines.enumerated() {
      func fail(_ word: Substring) -> ToolError {
        ToolError(
          "--truth: \(escaped(path)), line \(index + 1): '\(escaped(String(word)))' is neither a number "
            + "nor a class of --labels")
      }
      let text = line.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
      guard let gap = text.lastIndex(where: { ",\t;".contains($0) }) ?? text.firstIndex(of: " ")
      else {
        guard let number = labels.number(of: text) else { throw fail(text[...]) }
        order.append(number)
        continue
      }
      let word = text[text.index(after: gap)...]
      let value = String(word).split(separator: " ").joined(separator: " ")
      guard let number = labels.number(of: value) else {
        // A first line of titles is passed over.
        if index == 0 { continue }
        throw fail(word)
      }
      names[String(text[..<gap])] = number
    }
    if !names.isEmpty, !order.isEmpty {
      throw ToolError("--truth: \(escaped(path)): some lines have a name, others have none")
    }
    guard !names.isEmpty || !order.isEmpty else {
      throw ToolError("--truth: \(escaped(path)) holds no class")
    }
    return order.isEmpty ? .names(names) : .order(order)
  }
}

/// Names of classes, and the numbers that they stand for.
struct ClassNames: Sendable {
  let names: [String]
  private var numbers: [String: Int] = [:]

  init(_ names: [String]) {
    self.names = names
    for (index, name) in names.enumerated() {
      if numbers[name] == nil { numbers[name] = index }
      let first = name.split(separator: " ").first.map(String.init) ?? name
      if numbers[first] == nil { numbers[first] = index }
    }
  }

  var isEmpty: Bool { names.isEmpty }

  /// The class of a name or number.
  func number(of text: String) -> Int? {
    if let found = numbers[text] { return found }
    guard let number = Int(text), number >= 0 else { return nil }
    return number
  }

  /// The class whose name, or its first word, a text begins with.
  func prefix(of text: String) -> Int? {
    var end = text.endIndex
    while end > text.startIndex {
      if end == text.endIndex || !(text[end].isLetter || text[end].isNumber),
        let found = numbers[String(text[..<end])]
      {
        return found
      }
      end = text.index(before: end)
    }
    return nil
  }

  /// What a class is called in few words: `281 tabby`; its number where it has no name. A WordNet id in front and further names
  /// behind a comma are left away.
  func name(of number: Int) -> String {
    guard names.indices.contains(number) else { return "\(number)" }
    var words = names[number][...]
    if let first = words.split(separator: " ").first, ClassNames.isWordNetID(first),
      first.count < words.count
    {
      words = words.dropFirst(first.count).drop { $0 == " " }
    }
    return "\(number) \(words.split(separator: ",").first ?? words)"
  }

  /// `n` and eight digits.
  private static func isWordNetID(_ word: Substring) -> Bool {
    word.count == 9 && word.first == "n" && word.dropFirst().allSatisfy(\.isNumber)
  }
}
