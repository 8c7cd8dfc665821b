// SupportVectors: SVMRegressor and SVMClassifier.

import LeapGraph
import LeapKernels
import LeapTensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// How alike two rows are.
private struct SimilarityKernel {
  private enum Kind: String, CaseIterable {
    case linear = "LINEAR"
    case polynomial = "POLY"
    case radial = "RBF"
    case sigmoid = "SIGMOID"
  }

  private let kind: Kind
  private let gamma: Double
  private let offset: Double
  private let degree: Double

  init(_ node: NodeReader) throws {
    kind = try node.choice("kernel_type", default: .linear)
    let parameters = try node.floats("kernel_params") ?? []
    guard parameters.isEmpty || parameters.count == 3 else {
      throw OperatorError(
        "attribute 'kernel_params' has \(parameters.count) values; expected 3: gamma, coef0, degree"
      )
    }
    gamma = parameters.isEmpty ? 0 : Double(parameters[0])
    offset = parameters.isEmpty ? 0 : Double(parameters[1])
    degree = parameters.isEmpty ? 0 : Double(parameters[2])
  }

  func value(_ row: UnsafeBufferPointer<Double>, _ vector: ArraySlice<Double>) -> Double {
    var sum = 0.0
    if kind == .radial {
      for (a, b) in zip(row, vector) { sum += (a - b) * (a - b) }
      return exp(-gamma * sum)
    }
    for (a, b) in zip(row, vector) { sum += a * b }
    switch kind {
    case .polynomial: return pow(gamma * sum + offset, degree)
    case .sigmoid: return tanh(gamma * sum + offset)
    case .linear, .radial: return sum
    }
  }
}

/// How alike a row is to each of some vectors, weighted.
private struct SupportVectorScore: RowFunction {
  private let kernel: SimilarityKernel
  private let coefficients: [Double]
  private let vectors: [Double]
  private let featureCount: Int
  private let rho: Double
  private let isOneClass: Bool
  private let transform: ScoreTransform

  init(_ node: NodeReader) throws {
    kernel = try SimilarityKernel(node)
    let given = try (node.floats("coefficients") ?? []).map(Double.init)
    let count = try node.int("n_supports", default: 0)
    // Without vectors the coefficients are those of the features.
    let isLinear = count == 0
    let vectors = isLinear ? given : try (node.floats("support_vectors") ?? []).map(Double.init)
    coefficients = isLinear ? [1] : given
    guard count >= 0, !vectors.isEmpty, coefficients.count == max(count, 1),
      vectors.count % coefficients.count == 0
    else {
      throw OperatorError(
        "\(given.count) coefficients and \(vectors.count) numbers for \(count) support vectors")
    }
    self.vectors = vectors
    featureCount = vectors.count / coefficients.count
    guard let rho = try node.floats("rho")?.first else {
      throw OperatorError("attribute 'rho' is required")
    }
    self.rho = Double(rho)
    isOneClass = try node.flag("one_class", default: false)
    transform = try node.choice("post_transform", default: .none)
  }

  func width(features: Int) throws -> Int {
    guard features == featureCount else {
      throw OperatorError(
        "input 0 has \(features) features; the vectors are of \(featureCount)")
    }
    return 1
  }

  func apply(_ row: UnsafeBufferPointer<Double>, _ scores: UnsafeMutableBufferPointer<Double>)
    -> Int
  {
    var sum = rho
    for (index, coefficient) in coefficients.enumerated() {
      let first = index * featureCount
      sum += coefficient * kernel.value(row, vectors[first..<first + featureCount])
    }
    scores[0] = isOneClass ? (sum > 0 ? 1 : -1) : sum
    transform.apply(scores)
    return 0
  }
}

/// SVMRegressor (ai.onnx.ml 1).
package struct SVMRegressor: RowOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("SVMRegressor", domain: Texts.classical)]
  }
  package let function: any RowFunction

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    function = try SupportVectorScore(node)
  }
}

/// Scores of a row for pairs of classes, and the votes that they are.
private struct SupportVectorClasses: RowFunction {
  private let kernel: SimilarityKernel
  private let vectors: [Double]
  /// A row for each class but one, a column for each vector.
  private let coefficients: [Double]
  /// Where the vectors of each class begin, and where the last ones end.
  private let starts: [Int]
  private let rho: [Double]
  /// What makes probabilities of scores; none where scores stay what they are.
  private let slopes: [Double]
  private let offsets: [Double]
  private let featureCount: Int
  private let transform: ScoreTransform
  private var classCount: Int { starts.count - 1 }
  private var vectorCount: Int { starts[classCount] }

  init(_ node: NodeReader, vectorsPerClass: [Int], classes: Int) throws {
    func doubles(_ name: String) throws -> [Double] {
      try (node.floats(name) ?? []).map(Double.init)
    }
    kernel = try SimilarityKernel(node)
    let vectors = try doubles("support_vectors")
    coefficients = try doubles("coefficients")
    self.vectors = vectors
    (rho, slopes, offsets) = (try doubles("rho"), try doubles("prob_a"), try doubles("prob_b"))
    transform = try node.choice("post_transform", default: .none)
    guard classes > 1, vectorsPerClass.count == classes,
      vectorsPerClass.allSatisfy({ (0...vectors.count).contains($0) })
    else {
      throw OperatorError(
        "attribute 'vectors_per_class' is \(vectorsPerClass) for \(classes) classes")
    }
    starts = vectorsPerClass.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    let count = starts[classes]
    guard count > 0, !vectors.isEmpty, vectors.count % count == 0,
      coefficients.count == Shape.product([classes - 1, count])
    else {
      throw OperatorError(
        "\(coefficients.count) coefficients and \(vectors.count) numbers for \(count) support vectors"
      )
    }
    featureCount = vectors.count / count
    let pairs = classes * (classes - 1) / 2
    guard rho.count == pairs, slopes.count == offsets.count, [0, pairs].contains(slopes.count)
    else {
      throw OperatorError(
        "\(rho.count) rho, \(slopes.count) prob_a and \(offsets.count) prob_b for \(pairs) pairs")
    }
  }

  func width(features: Int) throws -> Int {
    guard features == featureCount else {
      throw OperatorError(
        "input 0 has \(features) features; the vectors are of \(featureCount)")
    }
    return classCount == 2 || !slopes.isEmpty ? classCount : rho.count
  }

  func apply(_ row: UnsafeBufferPointer<Double>, _ scores: UnsafeMutableBufferPointer<Double>)
    -> Int
  {
    let pairs = pairScores(row)
    var votes = [Int](repeating: 0, count: classCount)
    forEachPair { pair, first, second in votes[pairs[pair] > 0 ? first : second] += 1 }
    let chosen = votes.indices.reduce(0) { votes[$1] > votes[$0] ? $1 : $0 }
    if !slopes.isEmpty {
      for (index, value) in probabilities(pairs).enumerated() { scores[index] = value }
      transform.apply(scores)
    } else if classCount == 2 {
      let isShare = transform == .softmax || transform == .softmaxZero
      transform.apply(single: pairs[0], isShare: isShare, scores)
    } else {
      for (index, value) in pairs.enumerated() { scores[index] = value }
      transform.apply(scores)
    }
    return chosen
  }

  private func forEachPair(_ body: (_ pair: Int, _ first: Int, _ second: Int) -> Void) {
    var pair = 0
    for first in 0..<classCount {
      for second in first + 1..<classCount {
        body(pair, first, second)
        pair += 1
      }
    }
  }

  /// Above 0 for the first of the two classes.
  private func pairScores(_ row: UnsafeBufferPointer<Double>) -> [Double] {
    let alike = (0..<vectorCount).map { index in
      kernel.value(row, vectors[index * featureCount..<(index + 1) * featureCount])
    }
    func sum(_ of: Int, against other: Int) -> Double {
      let line = (other < of ? other : other - 1) * vectorCount
      return (starts[of]..<starts[of + 1]).reduce(0) { $0 + coefficients[line + $1] * alike[$1] }
    }
    var scores = rho
    forEachPair { pair, first, second in
      scores[pair] += sum(first, against: second) + sum(second, against: first)
    }
    return scores
  }

  /// The probabilities of classes that go best with those of pairs, by the second method of Wu, Lin and Weng (2004), which libsvm uses.
  private func probabilities(_ scores: [Double]) -> [Double] {
    let count = classCount
    var pairwise = [Double](repeating: 0, count: count * count)
    forEachPair { pair, first, second in
      let share = 1 / (1 + exp(scores[pair] * slopes[pair] + offsets[pair]))
      let bounded = min(max(share, 1e-7), 1 - 1e-7)
      pairwise[first * count + second] = bounded
      pairwise[second * count + first] = 1 - bounded
    }
    var q = [Double](repeating: 0, count: count * count)
    for row in 0..<count {
      for column in 0..<count where column != row {
        q[row * count + row] += pairwise[column * count + row] * pairwise[column * count + row]
        q[row * count + column] = -pairwise[column * count + row] * pairwise[row * count + column]
      }
    }
    var shares = [Double](repeating: 1 / Double(count), count: count)
    for _ in 0..<max(100, count) {
      var products = (0..<count).map { row in
        (0..<count).reduce(0) { $0 + q[row * count + $1] * shares[$1] }
      }
      var total = zip(shares, products).reduce(0) { $0 + $1.0 * $1.1 }
      let error = products.reduce(0) { max($0, abs($1 - total)) }
      guard error >= 0.005 / Double(count) else { break }
      for row in 0..<count {
        let own = q[row * count + row]
        let step = (total - products[row]) / own
        let scale = 1 + step
        shares[row] += step
        total = (total + step * (step * own + 2 * products[row])) / scale / scale
        for column in 0..<count {
          products[column] = (products[column] + step * q[row * count + column]) / scale
          shares[column] /= scale
        }
      }
    }
    return shares
  }
}

/// SVMClassifier (ai.onnx.ml 1). Without support vectors there is a row of coefficients for each class, and the largest score is chosen;
/// of two rows ONNX Runtime chooses the second where either score is above 0.
package struct SVMClassifier: RowOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("SVMClassifier", domain: Texts.classical)]
  }
  package let function: any RowFunction
  package let labels: ClassLabels?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let classes = try ClassLabels(node, integers: "classlabels_ints")
    labels = classes
    let counts = try node.ints("vectors_per_class") ?? []
    guard counts.allSatisfy({ $0 == 0 }) else {
      function = try SupportVectorClasses(node, vectorsPerClass: counts, classes: classes.count)
      return
    }
    guard let rho = try node.floats("rho")?.first else {
      throw OperatorError("attribute 'rho' is required")
    }
    function = try LinearScores(
      node, rows: classes.count, intercepts: Array(repeating: rho, count: classes.count))
  }
}
