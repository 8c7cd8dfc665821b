// PadFolding: a Pad of spatial axes becomes the padding of the convolution or pooling after it, and no padded copy is made.
//
// 1. Only where the operator's own padding is the same thing: zeros for Conv and for an AveragePool that counts them; for
//    MaxPool, whose padding never wins, minus infinity, or zeros beside numbers that are not negative.
// 2. A pooling window keeps at least one pixel: the operators differ in what they make of none.

import LeapGraph
import LeapOperators
import LeapTensors

package struct PadFolding: Pass {
  package static let name = "pad-folding"
  package static let summary = "let convolutions and poolings pad by themselves"

  package init() {}

  package func run(_ context: inout PassContext) throws {
    var merger = NodeMerger(context, pass: PadFolding.name)
    for position in merger.positions { try fold(position, &merger) }
    merger.finish(&context)
  }

  private func fold(_ position: Int, _ merger: inout NodeMerger) throws {
    guard let node = merger.node(position), node.domain.isEmpty,
      ["Conv", "AveragePool", "MaxPool"].contains(node.operatorType),
      let input = node.inputs.first ?? nil,
      let producer = merger.soleProducer(of: input, reader: position),
      let padded = try SpatialPad(producer, in: merger),
      let attributes = try attributes(of: node, with: padded, merger)
    else { return }
    merger.absorb([producer], into: position) {
      $0.inputs[0] = padded.input
      $0.attributes.merge(attributes) { $1 }
    }
  }

  /// What changes in a node's attributes when it pads by itself; nil where that would be something else.
  private func attributes(
    of node: Node, with padded: SpatialPad, _ merger: NodeMerger
  ) throws -> [String: Attribute]? {
    let reader = NodeReader(node)
    let rank = padded.pads.count
    let own = try reader.ints("pads") ?? []
    guard own.isEmpty || own.count == 2 * rank,
      try ["NOTSET", "VALID"].contains(reader.string("auto_pad") ?? "NOTSET")
    else { return nil }
    // VALID says that there are none, whatever `pads` holds.
    let counts = try !own.isEmpty && reader.string("auto_pad") != "VALID"
    var total: [Int] = []
    for (index, added) in (padded.pads.map(\.before) + padded.pads.map(\.after)).enumerated() {
      let (sum, overflow) = added.addingReportingOverflow(counts ? own[index] : 0)
      guard !overflow, sum <= Int(Int32.max) else { return nil }
      total.append(sum)
    }
    var changed: [String: Attribute] = [
      "auto_pad": .string(Array("NOTSET".utf8)), "pads": .ints(total.map(Int64.init)),
    ]
    if node.operatorType == "Conv" { return padded.number == 0 ? changed : nil }
    guard try hasWholeWindows(node, pads: total) else { return nil }
    if node.operatorType == "MaxPool" {
      let fits =
        padded.number == -.infinity || padded.number == 0 && isNotNegative(padded.input, merger)
      return fits ? changed : nil
    }
    let countsPadding = try reader.flag("count_include_pad", default: false)
    guard padded.number == 0, node.opset >= 7,
      countsPadding || !counts || own.allSatisfy({ $0 == 0 })
    else { return nil }
    changed["count_include_pad"] = .int(1)
    return changed
  }

  /// Whether every window of a pooling with these pads holds a pixel, lies within the padded image, and no place of a
  /// maximum is asked for.
  private func hasWholeWindows(_ node: Node, pads: [Int]) throws -> Bool {
    let reader = NodeReader(node)
    guard let kernel = try reader.ints("kernel_shape"), pads.count == 2 * kernel.count,
      try !reader.flag("ceil_mode", default: false),
      try (reader.ints("dilations") ?? []).allSatisfy({ $0 == 1 }),
      node.outputs.dropFirst().allSatisfy({ $0 == nil })
    else { return false }
    return zip(pads, kernel + kernel).allSatisfy { $0 < $1 }
  }

  /// Whether an activation made a value that has no number below zero.
  private func isNotNegative(_ value: ValueID, _ merger: NodeMerger) -> Bool {
    guard let producer = merger.producer(of: value), let node = merger.node(producer) else {
      return false
    }
    switch Activation(node, merger.operation(producer), in: merger) {
    case .relu, .sigmoid, .hardSigmoid: return true
    case .clip(let minimum, let maximum): return minimum >= 0 && maximum >= 0
    default: return false
    }
  }
}

/// A Pad by one number, of spatial axes alone, that cuts nothing off.
private struct SpatialPad {
  let input: ValueID
  /// Of the axes from the third on.
  let pads: [(before: Int, after: Int)]
  let number: Double

  /// nil for any other node, or where its pads are not known.
  ///
  /// - Throws: what reading constants throws.
  init?(_ position: Int, in merger: NodeMerger) throws {
    guard let node = merger.node(position), let pad = merger.operation(position) as? Pad,
      let input = node.inputs.first ?? nil, let type = merger.type(input),
      [.float32, .float64].contains(type.dataType), let rank = type.shape?.count, rank > 2,
      let known = try pad.constantPads(
        rank: rank,
        tensor: { index in
          guard index < node.inputs.count, let value = node.inputs[index] else { return nil }
          return try merger.known(value)
        }),
      known.pads.allSatisfy({ $0.before >= 0 && $0.after >= 0 }),
      known.pads[..<2].allSatisfy({ $0.before == 0 && $0.after == 0 })
    else { return nil }
    self.input = input
    pads = Array(known.pads[2...])
    number = known.number
  }
}
