// PictureInput: the input of a model that pictures go to, and how many of them go there at a time.

import LeapTensors
import Leapstone

package struct PictureInput: Sendable {
  package let input: ValueInfo
  /// Pictures in one run.
  package let batch: Int
  /// Whether the model fixes the batch, so that the last one must be filled up.
  package let isBatchFixed: Bool

  /// - Parameters:
  ///   - inputs: the model's inputs, with the types that SHAPES options gave them.
  ///   - options: `--batch`, and the inputs that get their tensors elsewhere.
  /// - Throws: `ToolError` where no input takes a picture, or where it does not take as many as asked for.
  package init(_ inputs: [ValueInfo], _ options: InputOptions) throws {
    input = try PictureInput.first(inputs, options)
    (batch, isBatchFixed) = try PictureInput.batch(input, options.batch)
  }

  /// The first input that a picture fits and that no option gives a tensor for.
  private static func first(_ inputs: [ValueInfo], _ options: InputOptions) throws -> ValueInfo {
    let given = options.files.compactMap { splitAssignment($0).name }
    let candidates = inputs.filter { input in
      !given.contains(input.name) && (3...4).contains(input.type.shape?.count ?? 4)
        && input.type.dataType != nil
    }
    guard let input = candidates.first else {
      let list = inputs.map { "'\(escaped($0.name))' (\(escaped($0.type.description)))" }
      throw ToolError(
        "--image: the model has no input for a picture; it has \(list.joined(separator: ", "))")
    }
    return input
  }

  private static func batch(_ input: ValueInfo, _ asked: Int?) throws -> (Int, Bool) {
    let shape = input.type.shape ?? [.unknown, .unknown, .unknown, .unknown]
    let fixed = shape.count == 4 ? shape[0].value : 1
    guard let fixed else { return (asked ?? 1, false) }
    guard fixed > 0, asked == nil || asked == fixed else {
      throw ToolError.usage(
        "--batch: input '\(escaped(input.name))' is \(input.type), it takes \(fixed) at a time")
    }
    return (fixed, true)
  }
}
