// OutputPath: a path with {name} and {index}, for a file that is written for each of several pictures.

import LeapTensors
import LeapstoneImage

package struct OutputPath: Sendable {
  private let flag: String
  private let template: String
  private var written: Set<String> = []

  package init(flag: String, template: String) {
    self.flag = flag
    self.template = template
  }

  /// Whether different pictures can have different paths.
  package var distinguishes: Bool { template.contains("{name}") || template.contains("{index}") }

  /// The path for a picture.
  ///
  /// - Throws: `ToolError` with exit code 64 where an earlier picture had the same.
  package mutating func next(_ picture: NamedPicture) throws -> String {
    let name = picture.file == "-" ? "stdin" : picture.stem
    let path = OutputPath.replace(
      "{index}", "\(picture.index)", in: OutputPath.replace("{name}", name, in: template))
    guard written.insert(path).inserted else {
      throw ToolError.usage(
        "\(flag): two pictures would be written to \(escaped(path)); put {index} into the path")
    }
    return path
  }

  private static func replace(_ mark: String, _ text: String, in path: String) -> String {
    path.split(separator: mark, omittingEmptySubsequences: false).joined(separator: text)
  }
}
