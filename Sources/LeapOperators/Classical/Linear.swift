// Linear: LinearRegressor and LinearClassifier.

import LeapGraph
import LeapKernels
import LeapTensors

/// Products of a row with rows of coefficients, and what is added to each.
struct LinearScores: RowFunction {
  /// One row for each score.
  private let coefficients: [Double]
  private let intercepts: [Double]
  private let featureCount: Int
  private let transform: ScoreTransform
  /// Whether there are two classes, and one score for the second of them.
  let isPair: Bool

  /// - Parameter given: what is added to each, where no attribute says it.
  /// - Throws: `OperatorError` where the coefficients are no matrix of `rows` rows, or the intercepts are others than that.
  init(
    _ node: NodeReader, rows: Int, intercepts given: [Float]? = nil, isPair: Bool = false
  ) throws {
    let coefficients = try node.floats("coefficients") ?? []
    let intercepts = try given ?? node.floats("intercepts") ?? []
    guard !coefficients.isEmpty, coefficients.count % rows == 0 else {
      throw OperatorError(
        "there are \(coefficients.count) coefficients; expected a multiple of \(rows)")
    }
    guard intercepts.isEmpty || intercepts.count == rows else {
      throw OperatorError("there are \(intercepts.count) intercepts; expected \(rows)")
    }
    self.coefficients = coefficients.map(Double.init)
    self.intercepts =
      intercepts.isEmpty ? Array(repeating: 0, count: rows) : intercepts.map(Double.init)
    featureCount = coefficients.count / rows
    transform = try node.choice("post_transform", default: .none)
    self.isPair = isPair
  }

  func width(features: Int) throws -> Int {
    guard features == featureCount else {
      throw OperatorError(
        "input 0 has \(features) features; the coefficients are of \(featureCount)")
    }
    return isPair ? 2 : intercepts.count
  }

  func apply(_ row: UnsafeBufferPointer<Double>, _ scores: UnsafeMutableBufferPointer<Double>)
    -> Int
  {
    for index in intercepts.indices {
      var sum = intercepts[index]
      let first = index * featureCount
      for feature in row.indices { sum += row[feature] * coefficients[first + feature] }
      scores[index] = sum
    }
    if isPair {
      let score = scores[0]
      transform.apply(single: score, isShare: true, scores)
      return score > 0 ? 1 : 0
    }
    // Compared as the float32 that they become.
    var best = 0
    for index in scores.indices where Float(scores[index]) > Float(scores[best]) { best = index }
    transform.apply(scores)
    return best
  }
}

/// LinearRegressor (ai.onnx.ml 1).
package struct LinearRegressor: RowOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("LinearRegressor", domain: Texts.classical)]
  }
  package let function: any RowFunction

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let targets = try node.int("targets", default: 1)
    guard (1...1 << 24).contains(targets) else {
      throw OperatorError("attribute 'targets' is \(targets); expected 1 to \(1 << 24)")
    }
    function = try LinearScores(node, rows: targets)
  }
}

/// LinearClassifier (ai.onnx.ml 1). Of two classes there may be one row of coefficients, that of the second, which is chosen where its
/// score is above 0.
package struct LinearClassifier: RowOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("LinearClassifier", domain: Texts.classical)]
  }
  package let function: any RowFunction
  package let labels: ClassLabels?

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    let classes = try ClassLabels(node, integers: "classlabels_ints")
    labels = classes
    let intercepts = try node.floats("intercepts") ?? []
    let rows = intercepts.isEmpty ? classes.count : intercepts.count
    let isPair = rows == 1 && classes.count == 2
    guard isPair || rows == classes.count, classes.count > 1 else {
      throw OperatorError("there are \(rows) scores for \(classes.count) classes")
    }
    function = try LinearScores(node, rows: rows, isPair: isPair)
  }
}
