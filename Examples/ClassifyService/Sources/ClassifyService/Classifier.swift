// Classifier: pictures in, labels out.

import Leapstone
import LeapstoneImage

struct Classifier: Sendable {
  /// A model that is no classifier of pictures, or not of these labels.
  struct Mismatch: Error, CustomStringConvertible {
    let description: String
  }

  let session: InferenceSession
  private let preprocessing: ResolvedPreprocessing
  private let labels: [String]
  private let top: Int

  /// Loads a model and tries it, so that what does not fit shows when the service starts, and the first client does not wait for
  /// the plan.
  ///
  /// - Parameters:
  ///   - concurrency: how many pictures may be classified at a time.
  ///   - top: how many labels a picture gets.
  /// - Throws: `ModelError`, `RunError`, `ImageError`, `Mismatch`.
  init(
    model: String, labels: String, preprocessing: Preprocessing, concurrency: Int, top: Int
  ) throws {
    var options = SessionOptions()
    options.maximalConcurrentRuns = concurrency
    // A service outlives files: one that is replaced while it is mapped would end the process.
    options.weights = .owned
    session = try InferenceSession(path: model, options: options)
    guard session.inputs.count == 1, session.outputs.count == 1 else {
      throw Mismatch(
        description: "\(model) has \(session.inputs.count) inputs and \(session.outputs.count) "
          + "outputs; a classifier has one of each")
    }
    self.preprocessing = try preprocessing.resolved(for: session.inputs[0].type)
    self.labels = try Labels.read(path: labels)
    self.top = top

    let blank = try Image(
      width: 64, height: 64, channels: 1, pixels: [UInt8](repeating: 128, count: 64 * 64))
    let scores = try session.run(input(blank))
    let classes = try best(scores, .max).count
    guard classes == self.labels.count else {
      throw Mismatch(
        description: "\(model) has \(classes) classes, \(labels) names \(self.labels.count)")
    }
  }

  /// Classifies a picture.
  ///
  /// - Parameters:
  ///   - file: a JPEG, PNG or binary PPM.
  ///   - deadline: when the answer is no longer wanted.
  /// - Returns: the best classes, best first.
  /// - Throws: `ImageError` where it is no picture; `RunError`.
  func classify(_ file: [UInt8], before deadline: ContinuousClock.Instant) async throws
    -> [Classification]
  {
    guard .now < deadline else { throw RunError.deadlineExceeded }
    let inputs = try input(Image(decoding: file, appliesOrientation: true))
    let time = max(.zero, deadline - .now)
    return try best(await session.run(inputs, options: RunOptions(timeout: time)), top)
  }

  private func input(_ image: Image) throws -> [String: Tensor] {
    [session.inputs[0].name: try preprocessing.tensor(from: [image])]
  }

  private func best(_ outputs: [String: Tensor], _ count: Int) throws -> [Classification] {
    try outputs[session.outputs[0].name]?.topK(count, labels: labels) ?? []
  }
}
