// BlockedElementwise: element-wise operators on blocked tensors, by the kernels for plain ones: a blocked tensor is a plain
// one of groups and lanes.

import LeapTensors

extension KernelCandidate {
  /// The candidate, and its blocked counterpart where there is one.
  package func inAnyLayout(_ request: KernelRequest) -> [KernelCandidate] {
    [self] + (blocked(request).map { [$0] } ?? [])
  }

  /// The same maths where at least one input of the output's shape is there in a blocked layout; nil where an operand has no
  /// blocked counterpart.
  ///
  /// Inputs may have the output's shape, one number for each channel, or one number.
  package func blocked(_ request: KernelRequest) -> KernelCandidate? {
    guard let output = request.outputs.first ?? nil,
      BlockedElementwise.types.contains(output.dataType), output.shape.rank >= 3,
      request.outputs.count == 1,
      let blocks = BlockedElementwise.blocks(request, output)
    else { return nil }
    var roles: [BlockedElementwise.Role?] = []
    for index in request.inputs.indices {
      guard let operand = request.inputs[index] else {
        roles.append(nil)
        continue
      }
      guard let role = BlockedElementwise.role(operand, index, request, output) else { return nil }
      roles.append(role)
    }
    let channels = output.shape[1]
    var packing: [Int: @Sendable (KernelRequest) throws -> PackingRecipe] = [:]
    for (index, role) in roles.enumerated() where role == .constantChannels {
      packing[index] = { _ in BlockedElementwise.recipe(channels: channels, blocks) }
    }
    let bind = bind
    let settledRoles = roles
    return KernelCandidate(
      name: name, inputs: roles.map { $0?.requirement(blocks) ?? .contiguous },
      outputs: [.blocked(width: blocks.width)], outputBlocks: { _ in [blocks] }, inPlace: inPlace,
      packing: packing, cost: cost,
      bind: { settled in
        guard let output = settled.outputs[0] else { throw OperatorError("output 0 is required") }
        var physical = settled
        physical.outputs = [output.physical]
        for (index, role) in settledRoles.enumerated() {
          physical.inputs[index] = settled.inputs[index].flatMap {
            role?.physical($0, blocks, rank: output.shape.rank + 1)
          }
        }
        var kernel = try bind(physical)
        if let clearing = UnusedSlots.clearing(output) { kernel.phases.append(clearing) }
        return kernel
      })
  }
}

enum BlockedElementwise {
  /// The element types of blocked tensors.
  static let types: Set<DataType> = [.float32, .int8, .uint8]

  /// What an operand is to the output.
  enum Role: Sendable {
    /// Of its shape, or of one pixel for each channel.
    case blocked
    /// A constant with one number for each channel.
    case constantChannels
    case scalar

    func requirement(_ blocks: ChannelBlocks) -> LayoutRequirement {
      self == .blocked ? .blockedAs(blocks) : .contiguous
    }

    /// The operand as a plain one of `rank` dimensions.
    func physical(_ operand: Operand, _ blocks: ChannelBlocks, rank: Int) -> Operand {
      switch self {
      case .blocked: operand.physical
      case .scalar: Operand(operand.dataType, [])
      case .constantChannels:
        Operand(
          operand.dataType,
          Shape([1, blocks.groups] + Array(repeating: 1, count: rank - 3) + [blocks.width]))
      }
    }
  }

  /// How the channels of the first blocked input of the output's shape are grouped.
  static func blocks(_ request: KernelRequest, _ output: Operand) -> ChannelBlocks? {
    for (operand, layout) in zip(request.inputs, request.available) {
      if let operand, operand.shape == output.shape, operand.dataType == output.dataType,
        let blocks = layout?.blocks, blocks.width == request.instructionSet.blockWidth
      {
        return blocks
      }
    }
    return nil
  }

  static func role(
    _ operand: Operand, _ index: Int, _ request: KernelRequest, _ output: Operand
  ) -> Role? {
    if operand.shape.elementCount == 1 { return .scalar }
    guard operand.dataType == output.dataType else { return nil }
    let (rank, channels) = (output.shape.rank, output.shape[1])
    let own = Array(repeating: 1, count: max(0, rank - operand.shape.rank)) + operand.shape
    guard own.count == rank, own[1] == channels else { return nil }
    let isOnePixel = own[2...].allSatisfy { $0 == 1 }
    if request.constantInputs.contains(index) {
      return isOnePixel && own[0] == 1 && operand.dataType == .float32 ? .constantChannels : nil
    }
    guard operand.shape.rank == rank, own[0] == output.shape[0] || own[0] == 1,
      isOnePixel || operand.shape.dimensions[2...] == output.shape.dimensions[2...]
    else { return nil }
    return .blocked
  }

  /// The recipe that spreads one number for each channel to its slot.
  static func recipe(channels: Int, _ blocks: ChannelBlocks) -> PackingRecipe {
    PackingRecipe(
      key: PackingKey("slots", layout: .blocked(blocks)), byteCount: blocks.slots * 4
    ) { _, source, target in
      let from = source.assumingMemoryBound(to: Float.self)
      let to = target.assumingMemoryBound(to: Float.self)
      for slot in 0..<blocks.slots { to[slot] = 0 }
      for (channel, slot) in blocks.channelSlots(channels).enumerated() {
        to[slot] = from[channel]
      }
    }
  }
}
