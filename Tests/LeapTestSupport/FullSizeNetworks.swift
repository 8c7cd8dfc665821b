// FullSizeNetworks: the networks that `make models` writes, and ONNX Runtime's outputs of networks.

import Leapstone

package enum FullSizeNetworks {
  package static let names = [
    "resnet18", "resnet50", "resnet50v2", "densenet121", "unet", "unet_resnet34",
    "inception_resnet_v2", "inception_v3", "mobilenet_v3_large", "efficientnet_b0",
  ]

  /// ResNet-50 as ONNX Runtime's quantiser writes it; with `.top1.npz`, pictures and what ONNX Runtime makes of them.
  package static let quantized = "resnet50_qdq"

  /// The folder that they lie in; nil, with a line that says so, where they were not made.
  package static func folder() -> String? { TestData.generated("models", variable: "MODELS") }
}

/// A set of inputs with ONNX Runtime's outputs, as the scripts of testdata name them.
package struct ReferenceSet {
  package let inputs: [String: Tensor]
  package let outputs: [String: Tensor]

  package init(_ path: String) throws {
    let arrays = try TestData.arrays(path)
    func part(_ prefix: String) -> [String: Tensor] {
      Dictionary(
        uniqueKeysWithValues: arrays.filter { $0.key.hasPrefix(prefix) }.map {
          (String($0.key.dropFirst(prefix.count)), $0.value)
        })
    }
    inputs = part("in:")
    outputs = part("out:")
  }
}
