// Classification: the best classes of a classifier's scores, with labels and probabilities.

import LeapPictures
import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// A class and what a classifier thinks of it.
public struct Classification: Sendable, Equatable {
  /// The class, counted from 0.
  public let index: Int
  /// The class's name; nil where no labels were given, or too few.
  public let label: String?
  /// What the model said.
  public let score: Double
  /// The score itself where scores are a distribution, otherwise its softmax.
  public let probability: Double
}

extension Tensor {
  /// The classes with the highest scores, best first; equal scores in the order of their indices.
  ///
  /// - Parameters:
  ///   - count: how many; fewer where there are fewer classes.
  ///   - labels: class names, in the order of the classes.
  ///   - row: which picture of a batch.
  /// - Throws: `ImageError.mismatch` where this is no float tensor of scores `[N, classes]` or `[classes]`
  ///   (trailing dimensions of 1 are taken too), or has no such row.
  public func topK(_ count: Int, labels: [String] = [], row: Int = 0) throws -> [Classification] {
    let scores = try scores(row: row)
    let probabilities = Self.distribution(scores)
    let order = scores.indices.sorted {
      // A NaN is worse than every number.
      let (a, b) = (
        scores[$0].isNaN ? -.infinity : scores[$0], scores[$1].isNaN ? -.infinity : scores[$1]
      )
      return a == b ? $0 < $1 : a > b
    }
    return order.prefix(max(0, count)).map { index in
      Classification(
        index: index, label: labels.indices.contains(index) ? labels[index] : nil,
        score: scores[index], probability: probabilities[index])
    }
  }

  private func scores(row: Int) throws -> [Double] {
    guard let values = doubles else {
      throw ImageError.mismatch("scores are float32 or float64, this is \(self)")
    }
    let extents = shape.rank == 1 ? [1] + shape.dimensions : shape.dimensions
    guard extents.count >= 2, extents[2...].allSatisfy({ $0 == 1 }), extents[1] > 0 else {
      throw ImageError.mismatch("scores have the shape [N, classes], this is \(self)")
    }
    guard (0..<extents[0]).contains(row) else {
      throw ImageError.mismatch("row \(row) of scores \(self)")
    }
    return Array(values[(row * extents[1])..<((row + 1) * extents[1])])
  }

  /// The scores where they are a distribution already, otherwise their softmax.
  private static func distribution(_ scores: [Double]) -> [Double] {
    let sum = scores.reduce(0, +)
    if scores.allSatisfy({ $0 >= 0 && $0 <= 1.001 }) && abs(sum - 1) < 1e-3 { return scores }
    let largest = scores.max() ?? 0
    let powers = scores.map { exp($0 - largest) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }
}

/// Class names.
public enum Labels {
  /// Reads class names: line n names class n, or the `id2label` of a Hugging Face config.json.
  ///
  /// - Throws: `ImageError.malformed`.
  public static func parse(_ bytes: [UInt8]) throws -> [String] {
    if bytes.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") { return try configuration(bytes) }
    let text = String(decoding: bytes, as: UTF8.self)
    var lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }.map(String.init)
    if lines.last == "" { lines.removeLast() }
    return lines
  }

  /// Reads a file of class names.
  ///
  /// - Throws: `ImageError`.
  public static func read(path: String) throws -> [String] {
    do {
      return try parse(try FileBytes.read(path, limit: 1 << 26))
    } catch let error as FileError {
      throw ImageError.file(path: error.path, reason: error.reason)
    }
  }

  private static func configuration(_ bytes: [UInt8]) throws -> [String] {
    func malformed(_ reason: String) -> ImageError {
      .malformed(format: "config.json", reason: reason)
    }
    let json: JSON
    do {
      json = try JSON(parsing: bytes)
    } catch let error as JSONError {
      throw malformed(error.description)
    }
    guard let members = json["id2label"]?.members else { throw malformed("id2label is missing") }
    var labels = [String](repeating: "", count: members.count)
    for member in members {
      guard let index = Int(member.name), labels.indices.contains(index),
        let label = member.value.string
      else { throw malformed("id2label has the member '\(member.name)'") }
      labels[index] = label
    }
    return labels
  }
}
