// Planes: where the channels of image batches lie, for kernels that take one channel of one image at a time.

import LeapTensors

/// Where the planes of an image batch lie in input 0 and in the outputs that somebody reads.
struct Planes: Sendable {
  /// The element type of input 0, and its bytes.
  let type: DataType
  let width: Int
  /// Images times channels.
  let count: Int
  private let channels: Int
  private let input: (image: Int, channel: Int)
  private let outputs: [(image: Int, channel: Int)]

  /// - Throws: `OperatorError` where an operand is not in a plain layout.
  init(_ request: KernelRequest) throws {
    guard let x = request.inputs.first ?? nil else { throw OperatorError("input 0 is required") }
    type = x.dataType
    width = x.dataType.byteWidth
    count = x.shape.outer(2)
    channels = x.shape[1]
    input = try Planes.strides(x)
    outputs = try request.outputs.map { try $0.map(Planes.strides) ?? (0, 0) }
  }

  private static func strides(_ operand: Operand) throws -> (image: Int, channel: Int) {
    guard let strides = operand.strides else { throw OperatorError("expected a plain layout") }
    return (strides[0], strides[1])
  }

  /// The first element of a plane of input 0.
  func source(_ plane: Int) -> Int { offset(of: plane, input) }

  /// The first element of a plane of an output.
  func target(_ plane: Int, output: Int = 0) -> Int { offset(of: plane, outputs[output]) }

  private func offset(of plane: Int, _ strides: (image: Int, channel: Int)) -> Int {
    let (image, channel) = plane.quotientAndRemainder(dividingBy: channels)
    return image * strides.image + channel * strides.channel
  }
}
