// EpilogueProgram: the stages that a matrix product or convolution applies to a tile of results, bound to their
// operands. One program serves every kernel and layout; what differs is which way channels run.

import CLeapKernels
import LeapTensors

/// A bound epilogue.
package struct EpilogueProgram: Sendable {
  /// Along which side of a tile the output channels run.
  package enum ChannelAxis: Sendable { case rows, columns }

  /// Where a stage's operand lies.
  private enum Source: Sendable {
    case none
    case channels(input: Int)
    /// Of the output's shape: `imageStride` elements from one image (or row of a product) to the next.
    case residual(input: Int, imageStride: Int)
    /// A matrix broadcast to a product: Gemm's C.
    case matrix(input: Int, rowStride: Int, columnStride: Int)

    var isOperand: Bool { if case .none = self { false } else { true } }
  }

  private struct Stage: Sendable {
    var kind: leap_stage_kind
    var source = Source.none
    var a = 0.0
    var b = 0.0
  }

  /// Which part of the output a tile is.
  package struct Tile {
    /// The image, or the first row of a product.
    package var image: Int
    /// The channel of the tile's first row or column.
    package var channel: Int
    /// Elements from the start of the image to the tile, in the output's layout.
    package var offset: Int
    package var rows: Int
    package var columns: Int
    /// Elements from one row of the tile to the next in the output; nil where rows are images.
    package var rowStride: Int?

    package init(
      image: Int, channel: Int, offset: Int, rows: Int, columns: Int, rowStride: Int?
    ) {
      self.image = image
      self.channel = channel
      self.offset = offset
      self.rows = rows
      self.columns = columns
      self.rowStride = rowStride
    }
  }

  private let dataType: DataType
  private let instructionSet: leap_isa
  private let axis: ChannelAxis
  private var stages: [Stage] = []

  /// Whether a stage reads a tensor of the output's shape, which may be the output's own buffer: then the results before
  /// the epilogue must not be written there.
  package private(set) var hasResidual = false
  package var isEmpty: Bool { stages.isEmpty }
  /// Whether a stage reads anything but the results.
  package var hasOperands: Bool { stages.contains { $0.source.isOperand } }

  /// - Parameters:
  ///   - request: names the stages and their operands.
  ///   - dataType: of the results.
  ///   - channels: extent that scale and bias must have.
  ///   - axis: where channels run in a tile.
  /// - Throws: `OperatorError` where an operand does not fit the output.
  package init(
    _ request: KernelRequest, dataType: DataType, channels: Int, axis: ChannelAxis
  ) throws {
    self.dataType = dataType
    self.axis = axis
    instructionSet = request.instructionSet.cValue
    for stage in request.epilogue { try append(stage, request, channels) }
  }

  /// Puts y = factor x before all other stages.
  package mutating func prepend(factor: Double) {
    stages.insert(Stage(kind: LEAP_STAGE_FACTOR, a: factor), at: 0)
  }

  /// Puts y = x + bias[channel] before all other stages.
  package mutating func prepend(biasInput input: Int) {
    stages.insert(Stage(kind: LEAP_STAGE_ADD, source: .channels(input: input), a: 1), at: 0)
  }

  /// Puts y = x + factor · matrix[row, column] before all other stages. A stride of zero broadcasts.
  package mutating func prepend(
    matrixInput input: Int, factor: Double, rowStride: Int, columnStride: Int
  ) {
    let source = Source.matrix(input: input, rowStride: rowStride, columnStride: columnStride)
    stages.insert(Stage(kind: LEAP_STAGE_ADD, source: source, a: factor), at: 0)
  }

  private mutating func append(
    _ stage: EpilogueStage, _ request: KernelRequest, _ channels: Int
  ) throws {
    func operand(_ index: Int) throws -> Operand {
      guard index < request.inputs.count, let operand = request.inputs[index] else {
        throw OperatorError("epilogue input \(index) is missing")
      }
      guard operand.dataType == dataType else {
        throw OperatorError("epilogue input \(index) is \(operand.dataType); expected \(dataType)")
      }
      return operand
    }
    func channelOperand(_ index: Int) throws -> Source {
      let shape = try operand(index).shape
      guard shape == [channels] else {
        throw OperatorError("epilogue input \(index) has shape \(shape); expected \(channels)")
      }
      return .channels(input: index)
    }
    switch stage {
    case .scale(let input):
      stages.append(Stage(kind: LEAP_STAGE_SCALE, source: try channelOperand(input)))
    case .bias(let input):
      stages.append(Stage(kind: LEAP_STAGE_ADD, source: try channelOperand(input), a: 1))
    case .residual(let input):
      let residual = try operand(input)
      guard let output = request.outputs.first ?? nil, residual.shape == output.shape else {
        throw OperatorError("residual input \(input) has shape \(residual.shape), not the output's")
      }
      hasResidual = true
      let source = Source.residual(input: input, imageStride: residual.imageStride)
      stages.append(Stage(kind: LEAP_STAGE_ADD, source: source, a: 1))
    case .activation(let activation): stages.append(EpilogueProgram.stage(activation))
    }
  }

  private static func stage(_ activation: Activation) -> Stage {
    switch activation {
    case .relu: Stage(kind: LEAP_STAGE_RELU)
    case .leakyRelu(let alpha): Stage(kind: LEAP_STAGE_LEAKY_RELU, a: alpha)
    case .clip(let minimum, let maximum): Stage(kind: LEAP_STAGE_CLIP, a: minimum, b: maximum)
    case .sigmoid: Stage(kind: LEAP_STAGE_SIGMOID)
    case .tanh: Stage(kind: LEAP_STAGE_TANH)
    case .hardSigmoid(let alpha, let beta):
      Stage(kind: LEAP_STAGE_HARD_SIGMOID, a: alpha, b: beta)
    case .hardSwish: Stage(kind: LEAP_STAGE_HARD_SWISH)
    case .silu: Stage(kind: LEAP_STAGE_SILU)
    }
  }

  /// Applies the stages to a tile.
  ///
  /// - Parameters:
  ///   - source: the tile's first result; its rows lie `sourceStride` elements apart. They are overwritten.
  ///   - destination: where the tile goes, rows `destinationStride` elements apart. May be `source` with the same stride.
  package func apply(
    _ invocation: Invocation, _ tile: Tile, source: UnsafeMutableRawPointer, sourceStride: Int,
    destination: UnsafeMutableRawPointer, destinationStride: Int
  ) {
    withUnsafeTemporaryAllocation(of: leap_stage.self, capacity: max(1, stages.count)) { bound in
      for (index, stage) in stages.enumerated() {
        bound.initializeElement(at: index, to: bind(stage, invocation, tile))
      }
      let stages = UnsafePointer(bound.baseAddress!)
      let count = self.stages.count
      switch dataType {
      case .float64:
        leap_f64_epilogue(
          instructionSet, stages, count, source.assumingMemoryBound(to: Double.self), sourceStride,
          destination.assumingMemoryBound(to: Double.self), destinationStride, tile.rows,
          tile.columns)
      case .int32, .uint32:
        leap_u32_epilogue(
          stages, count, source.assumingMemoryBound(to: UInt32.self), sourceStride,
          destination.assumingMemoryBound(to: UInt32.self), destinationStride, tile.rows,
          tile.columns)
      case .int64, .uint64:
        leap_u64_epilogue(
          stages, count, source.assumingMemoryBound(to: UInt64.self), sourceStride,
          destination.assumingMemoryBound(to: UInt64.self), destinationStride, tile.rows,
          tile.columns)
      default:
        leap_f32_epilogue(
          instructionSet, stages, count, source.assumingMemoryBound(to: Float.self), sourceStride,
          destination.assumingMemoryBound(to: Float.self), destinationStride, tile.rows,
          tile.columns)
      }
    }
  }

  private func bind(_ stage: Stage, _ invocation: Invocation, _ tile: Tile) -> leap_stage {
    var bound = leap_stage(
      kind: stage.kind, operand: nil, row_stride: 0, column_stride: 0, a: stage.a, b: stage.b)
    let width = dataType.byteWidth
    switch stage.source {
    case .none: break
    case .channels(let input):
      bound.operand = invocation.input(input) + tile.channel * width
      bound.row_stride = axis == .rows ? 1 : 0
      bound.column_stride = axis == .rows ? 0 : 1
    case .residual(let input, let imageStride):
      bound.operand = invocation.input(input) + (tile.image * imageStride + tile.offset) * width
      bound.row_stride = tile.rowStride ?? imageStride
      bound.column_stride = 1
    case .matrix(let input, let rowStride, let columnStride):
      let offset = tile.image * rowStride + tile.channel * columnStride
      bound.operand = invocation.input(input) + offset * width
      bound.row_stride = rowStride
      bound.column_stride = columnStride
    }
    return bound
  }
}

extension Operand {
  /// Elements from one index of the first dimension to the next, padding lanes of a blocked layout included.
  package var imageStride: Int {
    if shape.isEmpty { return 0 }
    switch layout {
    case .contiguous: return shape.inner(from: 1)
    case .strided(let strides): return strides[0]
    case .blocked(_, let imageSlots): return imageSlots * shape.inner(from: 2)
    }
  }
}
