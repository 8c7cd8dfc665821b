// Pictures: operators that read picture files: ImageDecoder.

import LeapGraph
import LeapKernels
import LeapPictures
import LeapTensors

package enum Pictures: OperatorFamily {
  package static var operators: [any Operator.Type] { [ImageDecoder.self] }
}

/// ImageDecoder, from ONNX opset 20 on: the pixels of a picture's file, `[height, width, channels]`.
///
/// It reads what `--image` reads: JPEG, PNG, binary PPM and PGM. Other formats, and files that are damaged, are errors; ONNX would have
/// an empty result, which the operators behind it would not survive.
package struct ImageDecoder: TensorHostOperator {
  package static var declarations: [OperatorDeclaration] {
    [OperatorDeclaration("ImageDecoder", opsets: 20...OperatorTable.latestOpset)]
  }

  private enum PixelFormat: String, CaseIterable {
    case rgb = "RGB"
    case bgr = "BGR"
    case gray = "Grayscale"
  }

  private let format: PixelFormat
  private var channels: Int { format == .gray ? 1 : 3 }

  package init(_ node: NodeReader) throws {
    try node.requireInputs(1...1)
    format = try node.choice("pixel_format", default: .rgb)
  }

  package func infer(_ context: inout InferenceContext) throws {
    _ = try context.dataType(0, among: [.uint8])
    _ = try context.shape(0, ranks: 1...1)
    context.setOutput(0, .uint8, [.unknown, .unknown, .fixed(channels)])
  }

  /// The file tells, and its length no bound that helps.
  package func largestOutputs(_ inputs: [Operand?]) -> [Operand]? { nil }

  package func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let bytes = inputs.first??.elements(as: UInt8.self) else {
      throw OperatorError("input 0 is no tensor of uint8")
    }
    var image: Image
    do { image = try Image(decoding: bytes) } catch let error as ImageError {
      throw OperatorError("the picture cannot be decoded: \(error)")
    }
    image = format == .gray ? image.gray : image.rgb
    var pixels = image.pixels
    if format == .bgr {
      for red in stride(from: 0, to: pixels.count, by: 3) { pixels.swapAt(red, red + 2) }
    }
    return [try Tensor(pixels, shape: [image.height, image.width, channels])]
  }
}
