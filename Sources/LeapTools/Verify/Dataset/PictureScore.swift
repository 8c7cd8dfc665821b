// PictureScore: what a model made of one picture of a data set, and a line of a file for it.

import LeapTensors
import LeapstoneImage

struct PictureScore: Sendable, Equatable {
  enum Result: Sendable, Equatable {
    /// The class that it shows, the model's classes, best first (five at most), and how probable the best is.
    case classes(truth: Int, best: [Int], probability: Double)
    case mask(MaskCounts)
  }

  let file: String
  let result: Result

  /// A line of a file of progress.
  var json: JSON {
    var members: [JSON.Member] = [.init("file", .string(file))]
    switch result {
    case .classes(let truth, let best, let probability):
      members += [
        .init("truth", .integer(truth)), .init("best", .array(best.map { .integer($0) })),
        .init("probability", .number(probability)),
      ]
    case .mask(let counts):
      members += [
        .init("pixels", .integer(counts.pixels)), .init("right", .integer(counts.right)),
        .init(
          "classes",
          .array(
            counts.classes.map {
              .array([.integer($0.both), .integer($0.found), .integer($0.expected)])
            })),
      ]
    }
    return .object(members)
  }

  init(file: String, result: Result) {
    self.file = file
    self.result = result
  }

  /// More pixels than a mask has: sums over many pictures stay within an integer.
  private static let pixelLimit = 1 << 32

  /// nil for a line that is none: one that was cut off, or whose numbers cannot be.
  init?(_ json: JSON) {
    guard let file = json["file"]?.string else { return nil }
    self.file = file
    if let truth = json["truth"]?.int, let list = json["best"]?.array {
      let best = list.compactMap(\.int)
      let probability = json["probability"]?.double ?? .nan
      guard truth >= 0, !best.isEmpty, best.count == list.count, best.allSatisfy({ $0 >= 0 }),
        probability.isNaN || (0...1).contains(probability)
      else { return nil }
      result = .classes(truth: truth, best: best, probability: probability)
      return
    }
    guard let pixels = json["pixels"]?.int, let right = json["right"]?.int,
      let classes = json["classes"]?.array, (0...PictureScore.pixelLimit).contains(pixels),
      classes.count <= 256
    else { return nil }
    let counts = classes.compactMap { item -> MaskCounts.Class? in
      let numbers = item.array?.compactMap(\.int) ?? []
      return numbers.count == 3
        ? MaskCounts.Class(both: numbers[0], found: numbers[1], expected: numbers[2]) : nil
    }
    guard counts.count == classes.count,
      counts.allSatisfy({ own in
        (0...pixels).contains(own.found) && (0...pixels).contains(own.expected)
          && (0...min(own.found, own.expected)).contains(own.both)
      }), right == counts.reduce(0, { $0 + $1.both }),
      pixels == counts.reduce(0, { $0 + $1.found }),
      pixels == counts.reduce(0, { $0 + $1.expected })
    else { return nil }
    result = .mask(MaskCounts(classes: counts, pixels: pixels, right: right))
  }
}
