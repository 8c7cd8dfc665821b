// Algorithm: the names of the ways to compute a step, as profiles show them and options choose among them.

package enum Algorithm: String, Sendable, Hashable, CaseIterable {
  case argExtreme = "arg-extreme"
  case attention
  case channelwise
  case col2im
  case concatBlocked = "concat-blocked"
  case constant
  case copy
  case deformable
  case depthwise
  case depthwisePlanes = "depthwise-planes"
  case dequantize
  case direct
  case dropout
  case einsum
  case elementwise
  case elimination
  case fill
  case fourier
  case gather
  case gatherElements = "gather-elements"
  case gatherNd = "gather-nd"
  case heap
  case identity
  case im2col
  case integerBlocked = "integer-blocked"
  case integerConvolution = "integer-convolution"
  case integerDepthwise = "integer-depthwise"
  case integerProduct = "integer-product"
  case integerStem = "integer-stem"
  case integerWinograd = "integer-winograd"
  case localResponse = "local-response"
  case loss
  case mean
  case numberPanel = "number-panel"
  case oneHot = "one-hot"
  case pad
  case panel
  case pointwise
  case quantize
  case quantizedElementwise = "quantized-elementwise"
  case random
  case range
  case recurrent
  case reduction
  case reorder
  case resizeCubic = "resize-cubic"
  case resizeLinear = "resize-linear"
  case resizeNearest = "resize-nearest"
  case reverse
  case rows
  case running
  case sampling
  case scatter
  case scatterElements = "scatter-elements"
  case scatterNd = "scatter-nd"
  case softmax
  case standardization
  case stem
  case transposed
  case triangle
  case window
  case winograd1d
  case winograd2
  case winograd4

  /// Whether a name stands for this algorithm: its own, or that of its family.
  package func isMeant(by name: String) -> Bool { rawValue == name || family == name }

  private var family: String? {
    switch self {
    case .integerWinograd, .winograd1d, .winograd2, .winograd4: "winograd"
    default: nil
    }
  }
}
