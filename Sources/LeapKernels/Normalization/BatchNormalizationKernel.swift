// BatchNormalizationKernel: scales each channel by statistics that are given, or by those of the batch.
//
// A first phase makes a factor and a shift of each channel, in double precision. Then a block is a run of channels of one
// image, so that what it computes does not depend on the batch.

import CLeapKernels
import LeapTensors

/// What training makes of the batch's statistics.
package struct BatchStatisticsOutputs: Sendable {
  /// The outputs of running mean and variance, and of the batch's own; nil where there are none.
  package var running: (mean: Int, variance: Int)?
  package var batch: (mean: Int, variance: Int)?
  /// What is kept of the running statistics that are given.
  package var momentum: Double

  package init(
    running: (mean: Int, variance: Int)?, batch: (mean: Int, variance: Int)?, momentum: Double
  ) {
    self.running = running
    self.batch = batch
    self.momentum = momentum
  }
}

package struct BatchNormalizationKernel: Sendable {
  /// An operand as images x channels x pixels.
  private struct View {
    let extents: [Int]
    let strides: [Int]

    init(_ operand: Operand, elementwise: Bool) throws {
      guard let strides = operand.strides else { throw OperatorError("expected a plain layout") }
      let shape = operand.shape
      if shape.rank == 1 {
        extents = [shape[0], 1, 1]
        self.strides = [strides[0], 1, 1]
      } else if elementwise {
        extents = [shape[0], shape.inner(from: 1), 1]
        self.strides = [strides[0], 1, 1]
      } else {
        extents = [shape[0], shape[1], shape.inner(from: 2)]
        self.strides = [strides[0], strides[1], 1]
      }
    }

    func operand(_ type: DataType) -> Operand {
      Operand(type, Shape(extents), layout: .strided(strides))
    }
  }

  private let epsilon: Double
  private let type: DataType
  private let from: View
  private let to: View
  private let cut: ChannelCut
  private let inputs: [DataType]
  private let stores: [ElementStore?]
  /// nil in inference.
  private let training: (moments: GroupMoments, outputs: BatchStatisticsOutputs)?

  /// - Parameters:
  ///   - request: inputs x, scale, bias, mean, variance; the last four of any floating-point type. Output 0 may lie where x
  ///     lies.
  ///   - elementwise: whether each element of an image is a channel of its own.
  ///   - training: nil to normalise by mean and variance as they are given.
  /// - Throws: `OperatorError` for an x other than float32 and float64.
  package init(
    _ request: KernelRequest, epsilon: Double, elementwise: Bool,
    training: BatchStatisticsOutputs?
  ) throws {
    guard let x = request.inputs.first ?? nil, let y = request.outputs.first ?? nil else {
      throw OperatorError("input 0 and output 0 are required")
    }
    guard [.float32, .float64].contains(x.dataType), x.dataType == y.dataType else {
      throw OperatorError("elements are \(x.dataType); expected float32 or float64")
    }
    self.epsilon = epsilon
    type = x.dataType
    from = try View(x, elementwise: elementwise)
    to = try View(y, elementwise: elementwise)
    cut = ChannelCut(images: from.extents[0], channels: from.extents[1], pixels: from.extents[2])
    inputs = request.inputs.map { $0?.dataType ?? x.dataType }
    stores = try request.outputs.map { try $0.map { try ElementStore($0.dataType) } }
    for type in inputs {
      try check(
        leap_convert_run(type.rawValue, DataType.float64.rawValue, nil, 1, nil, 1, 0),
        "statistics of \(type)")
    }
    if let training {
      let moments = try GroupMoments(
        .deviations, from.operand(type), to.operand(type), axes: [true, false, true])
      self.training = (moments, training)
    } else {
      self.training = nil
    }
  }

  /// The candidate with this kernel.
  package static func candidate(
    _ request: KernelRequest, epsilon: Double, elementwise: Bool,
    training: BatchStatisticsOutputs?
  ) throws -> KernelCandidate {
    let bind: @Sendable (KernelRequest) throws -> Kernel = {
      try BatchNormalizationKernel(
        $0, epsilon: epsilon, elementwise: elementwise, training: training
      ).kernel
    }
    _ = try bind(request)
    let image = LayoutRequirement.innerContiguous(from: elementwise ? 1 : 2)
    let bytes = Double(request.outputs.first??.byteCount ?? 0)
    let elements = Double(request.outputs.first??.shape.elementCount ?? 0)
    return KernelCandidate(
      name: .channelwise,
      inputs: request.inputs.indices.map { $0 == 0 ? image : .contiguous },
      outputs: request.outputs.indices.map { $0 == 0 ? image : .contiguous },
      inPlace: [InPlacePair(input: 0, output: 0)],
      cost: Cost(
        operations: (training == nil ? 2 : 6) * elements,
        bytes: (training == nil ? 2 : 4) * bytes),
      bind: bind)
  }

  package var kernel: Kernel {
    let start = training?.moments.sharedScratch ?? 0
    let preparation = Phase(blockCount: 1) { invocation, _ in
      prepare(invocation, GroupMoments.numbers(invocation.sharedScratch + start))
    }
    let application = Phase(blockCount: cut.blocks) { invocation, block in
      apply(invocation, block, GroupMoments.numbers(invocation.sharedScratch + start))
    }
    return Kernel(
      phases: (training?.moments.phases ?? []) + [preparation, application],
      scratchPerWorker: 2 * MemoryLayout<Double>.stride,
      sharedScratch: start + Shape.product([4, cut.channels, MemoryLayout<Double>.stride]))
  }

  /// Leaves factors, then shifts of the channels at the start of `numbers`, which has room for four each.
  private func prepare(_ invocation: Invocation, _ numbers: UnsafeMutablePointer<Double>) {
    let count = cut.channels
    for index in 1...4 {
      _ = leap_convert_run(
        inputs[index].rawValue, DataType.float64.rawValue, invocation.input(index), 1,
        numbers + (index - 1) * count, 1, count)
    }
    for channel in 0..<count {
      var mean = numbers[2 * count + channel]
      var variance = numbers[3 * count + channel]
      if let training {
        let statistics = statistics(invocation, channel)
        record(invocation, channel, statistics, training.outputs, mean, variance)
        (mean, variance) = (statistics.mean, statistics.variance)
      }
      let factor = numbers[channel] / (variance + epsilon).squareRoot()
      numbers[channel] = factor
      numbers[count + channel] -= mean * factor
    }
  }

  /// The batch's statistics of one channel, in training.
  private func statistics(_ invocation: Invocation, _ channel: Int) -> GroupStatistics {
    guard let moments = training?.moments else { preconditionFailure("inference has none") }
    let means = GroupMoments.numbers(invocation.scratch)
    moments.join(invocation, channel, means: means, sums: means + 1)
    return GroupStatistics(
      mean: means[0], sum: means[1], count: moments.geometry.reducedCount)
  }

  private func record(
    _ invocation: Invocation, _ channel: Int, _ statistics: GroupStatistics,
    _ training: BatchStatisticsOutputs, _ mean: Double, _ variance: Double
  ) {
    let new = 1 - training.momentum
    if let running = training.running {
      store(
        mean * training.momentum + statistics.mean * new, invocation, running.mean, channel)
      store(
        variance * training.momentum + statistics.variance * new, invocation, running.variance,
        channel)
    }
    if let batch = training.batch {
      store(statistics.mean, invocation, batch.mean, channel)
      store(statistics.variance, invocation, batch.variance, channel)
    }
  }

  private func store(_ value: Double, _ invocation: Invocation, _ output: Int, _ channel: Int) {
    guard output < stores.count, let target = invocation.optionalOutput(output) else { return }
    stores[output]?(value, to: target, at: channel)
  }

  /// Scales the channels of one block.
  private func apply(
    _ invocation: Invocation, _ block: Int, _ numbers: UnsafeMutablePointer<Double>
  ) {
    let (image, channels) = cut.range(block)
    let (x, y) = (invocation.input(0), invocation.output(0))
    for channel in channels {
      let source = image * from.strides[0] + channel * from.strides[1]
      let target = image * to.strides[0] + channel * to.strides[1]
      let (factor, shift) = (numbers[channel], numbers[cut.channels + channel])
      if type == .float32 {
        leap_f32_affine(
          x.assumingMemoryBound(to: Float.self) + source,
          y.assumingMemoryBound(to: Float.self) + target, cut.pixels, Float(factor), Float(shift))
      } else {
        leap_f64_affine(
          x.assumingMemoryBound(to: Double.self) + source,
          y.assumingMemoryBound(to: Double.self) + target, cut.pixels, factor, shift)
      }
    }
  }
}
