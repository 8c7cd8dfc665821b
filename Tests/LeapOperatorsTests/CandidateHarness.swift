// CandidateHarness: runs every candidate that an operator offers, as the planner would: inputs brought into the layouts
// that it takes, constants packed by its recipes, all of its blocks.
//
// 1. Whatever a kernel may not rely on is NaN: scratch, the output before the run, and all memory around operands.
// 2. A candidate runs several times: blocks in order and in reverse, the blocked output alone and as a part of a larger
//    one, and over each input that it says it may overwrite. All must give the same bits.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

/// How an input lies while candidates are chosen.
enum InputLayout: CaseIterable, Sendable {
  case plain
  /// Channels one behind the other.
  case blocked
  /// What a concat of two parts leaves behind, the first with an odd number of channels.
  case scattered
  /// The same, in a larger tensor.
  case part

  func layout(_ shape: Shape, width: Int) -> Layout {
    if self == .plain { return .contiguous }
    let channels = shape[1]
    if self == .blocked { return .blocked(ChannelBlocks(width: width, channels: channels)) }
    let first = min(channels, channels / 2 | 1)
    let blocks = ChannelBlocks.joined(
      [first, channels - first].map { (ChannelBlocks(width: width, channels: $0), $0) })
    return .blocked(blocks, imageSlots: blocks.slots + (self == .part ? 2 * width : 0))
  }
}

/// An operand in memory of its own, with NaN around it.
final class OperandBuffer {
  let operand: Operand
  private let storage: TensorStorage
  private let margin = 256

  init(_ operand: Operand) throws {
    self.operand = operand
    storage = try TensorStorage(byteCount: operand.byteCount + 2 * margin)
    storage.base.initializeMemory(
      as: UInt8.self, repeating: 0xFF, count: operand.byteCount + 2 * margin)
  }

  /// Writes a tensor's elements to their places, and zeros to the unused slots.
  convenience init(_ tensor: Tensor, _ layout: Layout) throws {
    try self.init(Operand(tensor.dataType, tensor.shape, layout: layout))
    guard operand.blocks != nil else {
      tensor.withUnsafeBytes {
        if let from = $0.baseAddress { pointer.copyMemory(from: from, byteCount: $0.count) }
      }
      return
    }
    let width = operand.dataType.byteWidth
    for range in ownElements {
      (pointer + range.lowerBound * width)
        .initializeMemory(as: UInt8.self, repeating: 0, count: range.count * width)
    }
    let places = places
    tensor.withUnsafeBytes { source in
      for (index, place) in places.enumerated() {
        (pointer + place * width)
          .copyMemory(from: source.baseAddress! + index * width, byteCount: width)
      }
    }
  }

  var pointer: UnsafeMutableRawPointer { storage.base + margin }

  /// For each element in row-major order: where it lies, in elements.
  private var places: [Int] {
    guard case .blocked(let blocks, let imageSlots) = operand.layout else {
      return Array(0..<operand.shape.elementCount)
    }
    let (pixels, width) = (operand.shape.inner(from: 2), blocks.width)
    let slots = blocks.channelSlots(operand.shape[1])
    var places: [Int] = []
    places.reserveCapacity(operand.shape.elementCount)
    for image in 0..<operand.shape[0] {
      for slot in slots {
        let lane = (image * imageSlots + slot / width * width) * pixels + slot % width
        for pixel in 0..<pixels { places.append(lane + pixel * width) }
      }
    }
    return places
  }

  /// The elements that belong to it: between the images of a part lie others.
  private var ownElements: [Range<Int>] {
    guard case .blocked(let blocks, let imageSlots) = operand.layout else {
      return [0..<operand.shape.elementCount]
    }
    let pixels = operand.shape.inner(from: 2)
    return (0..<operand.shape[0]).map {
      $0 * imageSlots * pixels..<($0 * imageSlots + blocks.slots) * pixels
    }
  }

  /// The elements as a plain tensor.
  func tensor() throws -> Tensor {
    guard operand.blocks != nil else {
      return try Tensor(dataType: operand.dataType, shape: operand.shape) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: operand.byteCount))
      }
    }
    let (places, width) = (places, operand.dataType.byteWidth)
    return try Tensor(dataType: operand.dataType, shape: operand.shape) { target in
      for (index, place) in places.enumerated() {
        (target.baseAddress! + index * width)
          .copyMemory(from: pointer + place * width, byteCount: width)
      }
    }
  }

  /// The slots that no channel uses.
  private var unusedSlots: [Int] {
    guard let blocks = operand.blocks, let used = operand.channelSlots else { return [] }
    return Set(0..<blocks.slots).subtracting(used).sorted()
  }

  /// What a kernel did wrong in memory: unused slots that are not zero, writes outside of the operand; nil if nothing.
  func flaw() -> String? {
    let end = operand.byteCount + 2 * margin
    let bytes = UnsafeRawBufferPointer(start: storage.base, count: end)
    let width = operand.dataType.byteWidth
    var outside = 0
    for range in ownElements {
      let gap = outside..<margin + range.lowerBound * width
      if !bytes[gap].allSatisfy({ $0 == 0xFF }) { return "it writes outside" }
      outside = margin + range.upperBound * width
    }
    if !bytes[outside...].allSatisfy({ $0 == 0xFF }) { return "it writes outside" }
    let pixels = operand.shape.rank < 2 ? 0 : operand.shape.inner(from: 2)
    let blockWidth = operand.blocks?.width ?? 1
    for image in ownElements {
      for slot in unusedSlots {
        let lane = image.lowerBound + slot / blockWidth * blockWidth * pixels + slot % blockWidth
        for pixel in 0..<pixels {
          let element = margin + (lane + pixel * blockWidth) * width
          if bytes[element..<element + width].contains(where: { $0 != 0 }) {
            return "unused slot \(slot) is not zero"
          }
        }
      }
    }
    return nil
  }
}

/// What one candidate made.
struct CandidateResult {
  let name: String
  let isBlocked: Bool
  let tensor: Tensor
}

struct CandidateHarness {
  var node: OperatorCase
  var inputs: [Tensor?]
  /// The inputs that a kernel may have packed.
  var constants: Set<Int> = []
  /// How inputs that are not constants lie, by index; plain unless said.
  var available: [Int: InputLayout] = [:]
  var instructionSet: InstructionSet

  /// Runs all candidates.
  ///
  /// - Throws: what the operator throws.
  func run(sourceLocation: SourceLocation = #_sourceLocation) throws -> [CandidateResult] {
    let operation = try node.makeOperator(inputs.map { $0 != nil })
    let request = try request(operation)
    return try operation.candidates(request).map {
      try run($0, request, sourceLocation: sourceLocation)
    }
  }

  private func request(_ operation: any Operator) throws -> KernelRequest {
    var context = InferenceContext(
      inputs: inputs.map { tensor in
        tensor.map {
          InferredValue(
            .tensor($0.dataType, shape: $0.shape.map(Dimension.fixed)), known: .tensor($0))
        }
      }, given: inputs.map { $0 != nil }, outputCount: node.outputCount)
    try operation.infer(&context)
    var values: [Int: Tensor] = [:]
    for index in constants.union(operation.valueInputs) where index < inputs.count {
      values[index] = inputs[index]
    }
    var request = KernelRequest(
      inputs: inputs.map { $0.map { Operand($0.dataType, $0.shape) } },
      outputs: try context.outputs.map {
        let type = try #require($0?.type)
        return Operand(try #require(type.dataType), try #require(type.fixedShape))
      }, values: values, constantInputs: constants, epilogue: node.epilogue,
      instructionSet: instructionSet, memoryPolicy: .fast)
    request.prologue = node.prologue
    request.available = inputs.enumerated().map { index, tensor in
      tensor.map { layout(of: index, $0) }
    }
    return request
  }

  private func layout(of index: Int, _ tensor: Tensor) -> Layout {
    if constants.contains(index) { return .contiguous }
    return (available[index] ?? .plain).layout(tensor.shape, width: instructionSet.blockWidth)
  }

  /// The layout in which a candidate gets an input: the one in which it lies, where that will do.
  private func settled(_ operand: Operand, _ requirement: LayoutRequirement) -> Layout {
    if requirement.admits(operand) { return operand.layout }
    return switch requirement {
    case .blocked(let width): .blocked(ChannelBlocks(width: width, channels: operand.shape[1]))
    case .blockedAs(let blocks): .blocked(blocks)
    default: .contiguous
    }
  }

  /// How a run differs from others of the same candidate.
  private struct Variant {
    var isReversed = false
    /// Whether blocked outputs lie in a larger tensor.
    var isPart = false
    var inPlace: InPlacePair?
  }

  private func run(
    _ candidate: KernelCandidate, _ request: KernelRequest, sourceLocation: SourceLocation
  ) throws -> CandidateResult {
    var request = request
    for (index, requirement) in candidate.inputs.enumerated() {
      guard let tensor = inputs[index], candidate.packing[index] == nil else { continue }
      let operand = Operand(tensor.dataType, tensor.shape, layout: layout(of: index, tensor))
      request.inputs[index]?.layout = settled(operand, requirement)
    }
    let blocks = candidate.outputBlocks?(request) ?? []
    for (index, requirement) in candidate.outputs.enumerated() {
      guard case .blocked(let width) = requirement, let output = request.outputs[index] else {
        continue
      }
      let own = index < blocks.count ? blocks[index] : nil
      request.outputs[index]?.layout = .blocked(
        own ?? ChannelBlocks(width: width, channels: output.shape[1]))
    }
    let sources = try inputs.enumerated().map { index, tensor -> OperandBuffer? in
      guard let tensor, candidate.inputs[index] != .planned else { return nil }
      if let recipe = candidate.packing[index] { return try packed(tensor, recipe(request)) }
      return try OperandBuffer(tensor, request.inputs[index]?.layout ?? .contiguous)
    }
    let first = try execute(candidate, request, sources, Variant())
    var variants = [Variant(isReversed: true, isPart: true)]
    for pair in candidate.inPlace where !constants.contains(pair.input) {
      if request.inputs[pair.input]?.layout == request.outputs[pair.output]?.layout {
        variants.append(Variant(inPlace: pair))
      }
    }
    for variant in variants {
      var sources = sources
      if let input = variant.inPlace?.input, let tensor = inputs[input] {
        sources[input] = try OperandBuffer(tensor, request.inputs[input]?.layout ?? .contiguous)
      }
      let again = try execute(candidate, request, sources, variant)
      let isSame = first.withUnsafeBytes { a in again.withUnsafeBytes { a.elementsEqual($0) } }
      #expect(
        isSame, "\(candidate.name): other bits with \(variant)", sourceLocation: sourceLocation)
    }
    return CandidateResult(
      name: candidate.name.rawValue, isBlocked: request.outputs[0]?.blocks != nil, tensor: first)
  }

  /// Output 0 of one run.
  private func execute(
    _ candidate: KernelCandidate, _ request: KernelRequest, _ sources: [OperandBuffer?],
    _ variant: Variant
  ) throws -> Tensor {
    var request = request
    if variant.isPart {
      for (index, output) in request.outputs.enumerated() {
        guard let blocks = output?.blocks else { continue }
        request.outputs[index]?.layout = .blocked(
          blocks, imageSlots: blocks.slots + 3 * blocks.width)
      }
    }
    let kernel = try candidate.bind(request)
    let targets = try request.outputs.enumerated().map { index, output -> OperandBuffer? in
      if let pair = variant.inPlace, pair.output == index { return sources[pair.input] }
      return try output.map { try OperandBuffer($0) }
    }
    try withExtendedLifetime(sources) {
      try run(kernel, (sources + targets).map { $0?.pointer }, isReversed: variant.isReversed)
    }
    for target in targets {
      if let flaw = target?.flaw() {
        Issue.record("\(candidate.name.rawValue), \(variant): \(flaw)")
      }
    }
    return try #require(targets[0]).tensor()
  }

  private func packed(_ tensor: Tensor, _ recipe: PackingRecipe) throws -> OperandBuffer {
    let buffer = try OperandBuffer(Operand(.uint8, [recipe.byteCount]))
    tensor.withUnsafeBytes {
      guard let source = $0.baseAddress else { return }
      // In three pieces, as a session may read it.
      let cuts = [0, recipe.rows / 3, (recipe.rows + 1) / 2, recipe.rows]
      for (first, end) in zip(cuts, cuts.dropFirst()) where end > first {
        let rowBytes = $0.count / recipe.rows
        recipe.pack(first..<end, source + first * rowBytes, buffer.pointer)
      }
    }
    if let flaw = buffer.flaw() { Issue.record("recipe '\(recipe.key)': \(flaw)") }
    return buffer
  }

  private func run(
    _ kernel: Kernel, _ pointers: [UnsafeMutableRawPointer?], isReversed: Bool
  ) throws {
    let scratch = try OperandBuffer(Operand(.uint8, [kernel.scratchPerWorker]))
    let shared = try OperandBuffer(Operand(.uint8, [kernel.sharedScratch]))
    BLASThreads.enter()
    defer { BLASThreads.leave() }
    try pointers.withUnsafeBufferPointer { operands in
      let invocation = Invocation(
        operands: operands.baseAddress!, inputCount: inputs.count, scratch: scratch.pointer,
        sharedScratch: shared.pointer)
      for phase in kernel.phases {
        for block in 0..<phase.blockCount {
          try phase.body(invocation, isReversed ? phase.blockCount - 1 - block : block)
        }
      }
    }
    for buffer in [scratch, shared] {
      if let flaw = buffer.flaw() { Issue.record("scratch: \(flaw)") }
    }
  }
}
