// ScoreTransform: what models of ai.onnx.ml do to scores at the end.

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// ONNX's `post_transform`.
package enum ScoreTransform: String, Sendable, CaseIterable {
  case none = "NONE"
  case softmax = "SOFTMAX"
  case logistic = "LOGISTIC"
  /// A softmax in which scores of 0 stay what they are.
  case softmaxZero = "SOFTMAX_ZERO"
  case probit = "PROBIT"

  /// Transforms the scores of a row. As ONNX Runtime has it, a score by itself is left as it is by all but the probit.
  package func apply(_ scores: UnsafeMutableBufferPointer<Double>) {
    guard scores.count > 1 || self == .probit else { return }
    switch self {
    case .none: return
    case .logistic: for index in scores.indices { scores[index] = sigmoid(scores[index]) }
    case .probit: for index in scores.indices { scores[index] = probit(scores[index]) }
    case .softmax, .softmaxZero: distribute(scores)
    }
  }

  /// Transforms the one score of a model of two classes into those of both.
  ///
  /// - Parameter isShare: whether the score is a share of 1, the other class's is what is left; otherwise it is the negative.
  package func apply(
    single score: Double, isShare: Bool, _ scores: UnsafeMutableBufferPointer<Double>
  ) {
    switch self {
    case .logistic: (scores[0], scores[1]) = (sigmoid(-score), sigmoid(score))
    case .probit: (scores[0], scores[1]) = (probit(1 - score), probit(score))
    case .none, .softmax, .softmaxZero:
      (scores[0], scores[1]) = (isShare ? 1 - score : -score, score)
    }
  }

  private func sigmoid(_ x: Double) -> Double {
    let share = 1 / (1 + exp(-abs(x)))
    return x < 0 ? 1 - share : share
  }

  private func distribute(_ scores: UnsafeMutableBufferPointer<Double>) {
    let largest = scores.max() ?? 0
    var sum = 0.0
    for index in scores.indices {
      if self == .softmaxZero && abs(scores[index]) <= 1e-7 {
        scores[index] *= exp(-largest)
        continue
      }
      scores[index] = exp(scores[index] - largest)
      sum += scores[index]
    }
    for index in scores.indices { scores[index] /= sum }
  }

  /// The root of 2 times the inverse of the error function of 2 x - 1, by Winitzki's approximation, as ONNX Runtime has it.
  private func probit(_ x: Double) -> Double {
    let x = 2 * x - 1
    let logarithm = log((1 - x) * (1 + x))
    let a = 2 / (Double.pi * 0.147) + 0.5 * logarithm
    let root = (-a + (a * a - logarithm / 0.147).squareRoot()).squareRoot()
    return Double(2).squareRoot() * (x < 0 ? -root : root)
  }
}
