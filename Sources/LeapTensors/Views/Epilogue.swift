// Epilogue: what a convolution or matrix product does to each result before it stores it.
//
// Stages run in order, after the full sum over K: starting the sum from the residual would lose a digit
// and change bits with fusion.

/// A function of one number. Parameters are in the operator's own terms.
package enum Activation: Sendable, Hashable {
  case relu
  case leakyRelu(alpha: Double)
  case clip(minimum: Double, maximum: Double)
  case sigmoid
  case tanh
  case hardSigmoid(alpha: Double, beta: Double)
  /// x · hardSigmoid(x) with alpha 1/6 and beta 0.5.
  case hardSwish
  /// x · sigmoid(x).
  case silu
}

/// One stage of an epilogue. Operands are named by their index among the node's inputs.
package enum EpilogueStage: Sendable, Hashable {
  /// Multiplies by a value for each output channel. Input shape [channels].
  case scale(input: Int)
  /// Adds a value for each output channel. Input shape [channels].
  case bias(input: Int)
  /// Adds a tensor of the output's shape and layout.
  case residual(input: Int)
  case activation(Activation)
}

/// What a convolution does to its input before it is multiplied: y = activation(x · scale + shift), where it is no padding:
/// what a normalisation and an activation before it computed. Operands are named by their index among the node's inputs.
package struct Prologue: Sendable, Hashable {
  /// A value for each input channel. Input shape [channels].
  package var scaleInput: Int
  package var shiftInput: Int
  /// The bounds that the result is clipped to.
  package var minimum: Float
  package var maximum: Float

  package init(scaleInput: Int, shiftInput: Int, minimum: Float, maximum: Float) {
    self.scaleInput = scaleInput
    self.shiftInput = shiftInput
    self.minimum = minimum
    self.maximum = maximum
  }
}

/// The kinds of stages that a kernel can take.
package struct EpilogueCapabilities: OptionSet, Sendable {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }
  package static let scale = EpilogueCapabilities(rawValue: 1)
  package static let bias = EpilogueCapabilities(rawValue: 2)
  package static let residual = EpilogueCapabilities(rawValue: 4)
  package static let activation = EpilogueCapabilities(rawValue: 8)
  package static let all: EpilogueCapabilities = [.scale, .bias, .residual, .activation]

  /// What a list of stages asks for.
  package init(requiredBy stages: [EpilogueStage]) {
    self = []
    for stage in stages {
      switch stage {
      case .scale: insert(.scale)
      case .bias: insert(.bias)
      case .residual: insert(.residual)
      case .activation: insert(.activation)
      }
    }
  }
}
