// KernelTimer: one candidate with operands in memory, run again and again on one core.
//
// 1. Layouts are settled as the planner settles them: an input lies as it is available where the candidate takes that.
// 2. The time is the least of many: a core that is disturbed is slower, none is faster.

import LeapKernels
import LeapTensors
import LeapTools

struct KernelTimer {
  /// How long a kernel is run for at least, three times in any case.
  let seconds: Double

  private static let smallestCount = 3

  /// Nanoseconds that the candidate's kernel takes.
  ///
  /// - Parameter weights: the constants that it may pack, by input.
  /// - Throws: what binding or running throws; `ModelError.outOfMemory`.
  func nanoseconds(
    _ candidate: KernelCandidate, _ request: KernelRequest, weights: [Int: Tensor] = [:]
  ) throws -> Double {
    let request = settled(candidate, request)
    let kernel = try candidate.bind(request)
    let inputs = try request.inputs.enumerated().map { index, operand -> TensorStorage? in
      guard let operand, candidate.inputs[index] != .planned else { return nil }
      if let recipe = candidate.packing[index], let source = weights[index] {
        return try packed(source, recipe(request))
      }
      return try filled(operand, weights[index])
    }
    let outputs = try request.outputs.map { try $0.map { try filled($0, nil) } }
    let scratch = try TensorStorage(byteCount: kernel.scratchPerWorker)
    let shared = try TensorStorage(byteCount: kernel.sharedScratch)
    let pointers = (inputs + outputs).map { $0?.base }
    BLASThreads.enter()
    defer { BLASThreads.leave() }
    return try withExtendedLifetime((inputs, outputs, scratch, shared)) {
      try pointers.withUnsafeBufferPointer { operands in
        let invocation = Invocation(
          operands: operands.baseAddress!, inputCount: inputs.count, scratch: scratch.base,
          sharedScratch: shared.base)
        return try least { try KernelTimer.run(kernel, invocation) }
      }
    }
  }

  private static func run(_ kernel: Kernel, _ invocation: Invocation) throws {
    for phase in kernel.phases {
      for block in 0..<phase.blockCount { try phase.body(invocation, block) }
    }
  }

  /// The least time of a piece of work, in nanoseconds; the first does not count.
  func least(_ body: () throws -> Void) rethrows -> Double {
    try body()
    let begin = ContinuousClock.now
    var best = Double.infinity
    var count = 0
    while count < KernelTimer.smallestCount || ContinuousClock.now - begin < .seconds(seconds) {
      let start = ContinuousClock.now
      try body()
      best = min(best, (ContinuousClock.now - start) / .nanoseconds(1))
      count += 1
    }
    return best
  }

  // MARK: operands

  private func settled(_ candidate: KernelCandidate, _ request: KernelRequest) -> KernelRequest {
    var request = request
    for (index, requirement) in candidate.inputs.enumerated() where candidate.packing[index] == nil
    {
      guard var operand = request.inputs[index] else { continue }
      operand.layout = request.available[index] ?? .contiguous
      if !requirement.admits(operand) { operand.layout = layout(requirement, operand.shape) }
      request.inputs[index] = operand
    }
    let blocks = candidate.outputBlocks?(request) ?? []
    for (index, requirement) in candidate.outputs.enumerated() {
      guard let output = request.outputs[index] else { continue }
      let own = index < blocks.count ? blocks[index] : nil
      request.outputs[index]?.layout =
        own.map { .blocked($0) } ?? layout(requirement, output.shape)
    }
    return request
  }

  private func layout(_ requirement: LayoutRequirement, _ shape: Shape) -> Layout {
    switch requirement {
    case .blocked(let width): .blocked(ChannelBlocks(width: width, channels: shape[1]))
    case .blockedAs(let blocks): .blocked(blocks)
    default: .contiguous
    }
  }

  private func packed(_ source: Tensor, _ recipe: PackingRecipe) throws -> TensorStorage {
    let storage = try TensorStorage(byteCount: recipe.byteCount)
    source.withUnsafeBytes {
      if let start = $0.baseAddress { recipe.pack(0..<recipe.rows, start, storage.base) }
    }
    return storage
  }

  /// Memory of an operand: a tensor's elements where there is one that lies as it does, random ones otherwise.
  private func filled(_ operand: Operand, _ tensor: Tensor?) throws -> TensorStorage {
    let storage = try TensorStorage(byteCount: operand.byteCount)
    let width = max(operand.dataType.byteWidth, 1)
    let elements = try tensor ?? noise(operand.dataType, operand.byteCount / width)
    let target = UnsafeMutableRawBufferPointer(start: storage.base, count: operand.byteCount)
    elements.withUnsafeBytes { source in
      target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.prefix(target.count)))
    }
    return storage
  }

  /// Floats from 0 to 1, and integers that may divide and shift: from 1 to 7.
  private func noise(_ type: DataType, _ count: Int) throws -> Tensor {
    let range = type.isInteger ? 1.0...7.0 : 0.0...1.0
    if let tensor = try? RandomTensor.make(type, [count], seed: 0, stream: 0, range: range) {
      return tensor
    }
    // A type without random elements: 1 in each of its parts, which no type takes for not-a-number.
    return try Tensor([UInt8](repeating: 0x11, count: count))
  }
}
