// BlockedIntegerConvolution: QLinearConv on images whose channels are blocked: dot products of bytes, products of widened pixels
// with filters that stay bytes, and depthwise convolutions.
//
// 1. The same bits as IntegerConvolution: sums are exact, their requantisation is the same operations.
// 2. A block widens what its windows cover into scratch, and computes all that it makes from there.

import CLeapKernels
import LeapTensors

extension IntegerConvolution {
  /// The candidates whose results are blocked; empty where there are none: filters must be constants, and results bytes.
  package func blockedCandidates(_ request: KernelRequest) -> [KernelCandidate] {
    guard requantization != nil, request.constantInputs.contains(filters),
      Shape.product([geometry.batch, geometry.outputPixels, geometry.inputPixels]) > 0,
      geometry.outputChannels > 0, geometry.inputChannels > 0,
      let planar = PlanarGeometry(geometry)
    else { return [] }
    let width = request.instructionSet.blockWidth
    let blocked = LayoutRequirement.blocked(width: width)
    let dot = blockedCandidate(
      .integerBlocked, request, planar, input: blocked, speed: 190,
      operations: ByteDot.operations(geometry, planar, width: width)
    ) {
      DotFilters(geometry, planar, $0.inputs[image]?.blocks, width: width).recipe
    } bind: {
      try ByteDot(self, planar, $0).kernel()
    }
    if geometry.groups > 1 {
      guard geometry.groupInputs == 1, geometry.groupOutputs == 1 else {
        return filtersAreSymmetric(request) ? [dot] : []
      }
      let own = ChannelBlocks(width: width, channels: geometry.outputChannels)
      return [
        blockedCandidate(.integerDepthwise, request, planar, input: .blockedAs(own), speed: 30) {
          _ in
          ByteFilters(depthwise: geometry, planar, width: width).recipe
        } bind: {
          try ByteDepthwise(self, planar, $0).kernel()
        }
      ]
    }
    let isStem =
      geometry.inputChannels <= 4 && planar.taps > 1 && planar.dilation.width == 1
      && request.available[image]?.blocks == nil
    let winograd =
      ByteWinograd.applies(to: planar)
      ? [
        blockedCandidate(
          .integerWinograd, request, planar, input: blocked, speed: 175,
          operations: ByteWinograd.operations(geometry, planar, width: width)
        ) {
          ByteFilters(
            geometry, planar, $0.inputs[image]?.blocks, isStem: false, width: width, hasSums: true
          ).recipe
        } bind: {
          try ByteWinograd(self, planar, $0).kernel()
        }
      ] : []
    let stem =
      isStem
      ? [
        blockedCandidate(
          .integerStem, request, planar, input: .innerContiguous(from: 2), speed: 150
        ) { _ in
          ByteFilters(geometry, planar, nil, isStem: true, width: width).recipe
        } bind: {
          try ByteStem(self, planar, $0).kernel()
        }
      ] : []
    return winograd + stem + [dot]
  }

  /// Whether the zero points of filters are known, and those of numbers with a sign around 0.
  private func filtersAreSymmetric(_ request: KernelRequest) -> Bool {
    guard let filterZero, filterZero < request.inputs.count, request.inputs[filterZero] != nil
    else { return request.inputs[filters]?.dataType == .int8 }
    guard let zeros = request.values[filterZero] else { return false }
    let middle: UInt8 = zeros.dataType == .int8 ? 0 : 128
    return zeros.withUnsafeBytes { $0.allSatisfy { $0 == middle } }
  }

  private func blockedCandidate(
    _ name: Algorithm, _ request: KernelRequest, _ planar: PlanarGeometry,
    input: LayoutRequirement, speed: Double, operations: Double? = nil,
    filters packed: @escaping @Sendable (KernelRequest) -> (_ isSigned: Bool) -> PackingRecipe,
    bind: @escaping @Sendable (KernelRequest) throws -> Kernel
  ) -> KernelCandidate {
    let isSigned = request.inputs[filters]?.dataType == .int8
    var inputs = [LayoutRequirement](repeating: .contiguous, count: request.inputs.count)
    inputs[image] = input
    // Widening an element costs about as much as 8 operations.
    let covered = planar.sampled.covered
    let widened = Double(
      geometry.batch * covered.height * covered.width * geometry.inputChannels)
    let weights = Double(geometry.batch * (request.inputs[filters]?.byteCount ?? 0))
    return KernelCandidate(
      name: name, inputs: inputs,
      outputs: [.blocked(width: request.instructionSet.blockWidth)],
      packing: [filters: { packed($0)(isSigned) }],
      cost: Cost(
        operations: (operations ?? geometry.operations) + 8 * widened, bytes: request.variableBytes,
        weightBytes: weights, operationsPerNanosecond: speed),
      bind: bind)
  }
}

/// What blocked convolutions of bytes share: operands, and how results become bytes.
struct ByteOperands: Sendable {
  let places: IntegerConvolution
  let planar: PlanarGeometry
  let set: leap_isa
  let width: Int
  /// All groups of output channels.
  let groups: Int
  let imageStride: Int
  let outputStride: Int
  let channels: Int
  private let xIsSigned: Bool
  private let wIsSigned: Bool
  private let zeroCount: Int
  /// Slots of the image that no channel uses.
  private let unusedSlots: [Int]
  private let slots: Int
  private let finish: Requantization.Bound
  private let clearing: Phase?

  init(_ places: IntegerConvolution, _ planar: PlanarGeometry, _ request: KernelRequest) throws {
    guard let requantization = places.requantization else {
      throw OperatorError("a blocked convolution of bytes makes bytes")
    }
    let (x, y) = (try request.requiredInput(places.image), try request.requiredOutput(0))
    self.places = places
    self.planar = planar
    set = request.instructionSet.cValue
    width = request.instructionSet.blockWidth
    channels = places.geometry.outputChannels
    groups = ChannelBlocks(width: width, channels: channels).groups
    imageStride = x.imageStride
    outputStride = y.imageStride
    xIsSigned = x.dataType == .int8
    wIsSigned = try request.requiredInput(places.filters).dataType == .int8
    let zeros = places.filterZero.flatMap { $0 < request.inputs.count ? request.inputs[$0] : nil }
    zeroCount = zeros?.shape.elementCount ?? 0
    let used = Set(x.channelSlots ?? [])
    slots = x.blocks?.slots ?? 0
    unusedSlots = (0..<slots).filter { !used.contains($0) }
    finish = try Requantization.Bound(requantization, request)
    clearing = UnusedSlots.clearing(y)
  }

  /// The kernel of these blocks, and of what clears unused slots.
  func kernel(
    blocks: Int, scratch: Int, body: @escaping @Sendable (Invocation, Int) -> Void
  ) -> Kernel {
    let compute = Phase(blockCount: blocks) { body($0, $1) }
    return Kernel(phases: [compute] + (clearing.map { [$0] } ?? []), scratchPerWorker: scratch)
  }

  func x(_ invocation: Invocation, image: Int) -> UnsafePointer<UInt8> {
    (invocation.input(places.image) + image * imageStride).assumingMemoryBound(to: UInt8.self)
  }

  /// The first byte of a group's plane in the output.
  func y(_ invocation: Invocation, image: Int, group: Int) -> UnsafeMutablePointer<UInt8> {
    (invocation.output(0) + image * outputStride + group * planar.outputPixels * width)
      .assumingMemoryBound(to: UInt8.self)
  }

  var sign: Int32 { xIsSigned ? 1 : 0 }

  /// Widens a part of an image. Slots that no channel uses become zeros, which sums of pixels do not see.
  func widen(
    _ invocation: Invocation, image: Int, _ window: leap_blocked_window,
    into panel: UnsafeMutablePointer<Int16>
  ) {
    var window = window
    leap_byte_panel(
      set, sign, &window, slots / width, zeroPoint(invocation), x(invocation, image: image), panel)
    for slot in unusedSlots {
      for pixel in 0..<window.rows * window.columns { panel[pixel * slots + slot] = 0 }
    }
  }

  /// Copies a part of an image with a border, as bytes without a sign, groups some bytes apart. `peaks`: the largest of each, as
  /// often as it makes steps.
  func copy(
    _ invocation: Invocation, image: Int, _ window: leap_blocked_window, groupStride: Int,
    panel: UnsafeMutableRawPointer, groupSteps: Int, peaks: UnsafeMutableRawPointer
  ) {
    var window = window
    let bytes = panel.assumingMemoryBound(to: UInt8.self)
    let zero = UInt8(zeroByte(invocation))
    leap_byte_dot_panel(
      set, sign, &window, slots / width, zero, x(invocation, image: image), groupStride, bytes,
      groupSteps, peaks.assumingMemoryBound(to: UInt8.self))
    for slot in unusedSlots {
      let first = bytes + slot / width * groupStride + slot % width
      for pixel in 0..<window.rows * window.columns { first[pixel * width] = zero }
    }
  }

  /// What stands for 0 in such a copy.
  func zeroByte(_ invocation: Invocation) -> Int32 { zeroPoint(invocation) + (xIsSigned ? 128 : 0) }

  func zeroPoint(_ invocation: Invocation) -> Int32 {
    guard let zero = places.imageZero.flatMap({ invocation.optionalInput($0) }) else { return 0 }
    return xIsSigned ? Int32(zero.load(as: Int8.self)) : Int32(zero.load(as: UInt8.self))
  }

  /// Bytes of the parameters of so many groups.
  func parameterBytes(_ groups: Int) -> Int { groups * width * 12 }

  /// Writes the parameters of some groups' results to scratch. `sums`: of all filters, for pixels that are copied as they are.
  func results(
    _ invocation: Invocation, of groups: Range<Int>, sums: UnsafePointer<Int32>? = nil,
    into scratch: UnsafeMutableRawPointer
  ) -> ByteResults {
    let slots = groups.count * width
    let bias = scratch.assumingMemoryBound(to: Int32.self)
    let scale = (scratch + 4 * slots).assumingMemoryBound(to: Float.self)
    let zeros = (scratch + 8 * slots).assumingMemoryBound(to: Int32.self)
    let first = groups.lowerBound * width
    let zero = zeroCount == 0 ? nil : places.filterZero.flatMap { invocation.optionalInput($0) }
    let zeroStride = zeroCount == 1 ? 0 : 1
    let scaleStride = finish.counts.right == 1 ? 0 : 1
    var parameters = leap_byte_parameters(
      bias: finish.biases(invocation).map { $0 + first },
      scale: finish.floats(invocation, finish.places.rightScale) + first * scaleStride,
      scale_stride: scaleStride,
      zero: zero.map { $0.assumingMemoryBound(to: UInt8.self) + first * zeroStride },
      zero_stride: zeroStride, zero_is_signed: wIsSigned ? 1 : 0,
      left: finish.floats(invocation, finish.places.leftScale)[0],
      result: finish.floats(invocation, finish.places.resultScale)[0],
      sums: sums.map { $0 + first }, image_zero: zeroByte(invocation))
    let hasZeros = leap_byte_find_parameters(
      &parameters, min(slots, channels - first), slots, bias, scale, zeros)
    return ByteResults(
      bias: bias, scale: scale, zeros: hasZeros != 0 ? zeros : nil, zero: finish.zero(invocation),
      low: finish.low, high: finish.high)
  }
}

/// The parameters of a few groups' results in scratch.
struct ByteResults {
  let bias: UnsafePointer<Int32>
  let scale: UnsafePointer<Float>
  let zeros: UnsafePointer<Int32>?
  let zero: Float
  let low: Float
  let high: Float

  /// Those from a slot on, for C.
  func from(_ slot: Int) -> leap_byte_results {
    leap_byte_results(
      bias: bias + slot, scale: scale + slot, filter_zero: zeros.map { $0 + slot }, zero: zero,
      low: low, high: high)
  }
}
