// ConstantConvolution: a Conv or ConvTranspose whose filters and bias are constants, all ways to compute it against the same node
// in double precision.

import LeapGraph
import LeapKernels
import LeapOperators
import LeapTensors
import Testing

/// A convolution whose weights and bias are constants.
struct ConstantConvolution {
  var type = "Conv"
  var batch = 1
  var channels: Int
  var outputs: Int
  var groups = 1
  var input: [Int]
  var kernel: [Int]
  var attributes: [String: Attribute] = [:]
  var epilogue: [EpilogueStage] = []
  var hasBias = true
  var seed: UInt64 = 1

  var node: OperatorCase {
    OperatorCase(
      type, attributes.merging(["group": .int(Int64(groups))]) { $1 }, epilogue: epilogue)
  }

  /// Inputs of the node, those of the epilogue last, as its stages say: scale, bias and residual in turn.
  func inputs() throws -> [Tensor?] {
    var noise = Noise(seed)
    let weights =
      type == "Conv" ? [outputs, channels / groups] : [channels, outputs / groups]
    var inputs: [Tensor?] = [
      try noise.tensor(.float32, Shape([batch, channels] + input)),
      try noise.tensor(.float32, Shape(weights + kernel)),
    ]
    if hasBias { inputs.append(try noise.tensor(.float32, [outputs])) }
    let shape = try OperatorCase(type, node.attributes).inferred(
      inputs.map { $0!.shape.map(Dimension.fixed) })[0]!
    for stage in epilogue {
      switch stage {
      case .scale, .bias: inputs.append(try noise.tensor(.float32, [outputs]))
      case .residual: inputs.append(try noise.tensor(.float32, Shape(shape.map { $0.value! })))
      case .activation: break
      }
    }
    return inputs
  }

  /// All inputs but the images: the input itself and residuals.
  func constants(_ inputs: [Tensor?]) -> Set<Int> {
    Set(inputs.indices.filter { $0 > 0 && inputs[$0]!.shape != residualShape(inputs) })
  }

  private func residualShape(_ inputs: [Tensor?]) -> Shape? {
    for case .residual(let input) in epilogue { return inputs[input]!.shape }
    return nil
  }

  /// Runs every candidate with the input in each of `layouts` and compares it with the node in double precision.
  func check(
    _ set: InstructionSet, _ layouts: [InputLayout] = InputLayout.allCases,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Set<String> {
    let inputs = try inputs()
    let exact = try inputs.map { try $0.map { try Tensor($0.doubles, shape: $0.shape) } }
    let expected = try node.run(exact)[0].doubles
    // What the epilogue clips away has its rounding errors left behind: they are relative to the sums.
    let sums = try OperatorCase(type, node.attributes).run(Array(exact.prefix(hasBias ? 3 : 2)))
    let scale = max(greatest(expected), greatest(sums[0].doubles))
    var names: Set<String> = []
    for layout in layouts {
      var harness = CandidateHarness(
        node: node, inputs: inputs, constants: constants(inputs), instructionSet: set)
      for index in inputs.indices { harness.available[index] = layout }
      for result in try harness.run(sourceLocation: sourceLocation) {
        names.insert(result.name)
        let difference =
          relativeDifference(result.tensor.doubles, expected) * greatest(expected) / scale
        #expect(
          difference < tolerance(result.name),
          "\(result.name) of \(self) with inputs \(layout) is off by \(difference)",
          sourceLocation: sourceLocation)
      }
    }
    return names
  }
}

/// What an algorithm may be off by, of the largest result.
func tolerance(_ algorithm: String) -> Double {
  ["winograd1d", "winograd4"].contains(algorithm) ? 5e-6 : 2e-6
}

private func greatest(_ values: [Double]) -> Double { values.map(\.magnitude).max() ?? 0 }

/// An attribute of a node.
func ints(_ values: [Int]) -> Attribute { .ints(values.map(Int64.init)) }
