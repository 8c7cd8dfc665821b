// VerifyFaults: faults for onnx-verify bisect to find: in kernels, through instruments, and in passes of the test's own.

import LeapFormat
import LeapGraph
import LeapKernels
import LeapOperators
import LeapRuntime
import LeapTensors
import LeapstoneImage
import Testing

enum KernelFault {
  /// What a faulty kernel does to the numbers that it makes.
  enum Damage: Sendable {
    /// All are a little off, some up, some down.
    case noise(Float)
    /// The last one is off by as much as the largest is large.
    case lastElement
    /// One is not a number.
    case notANumber
    /// Those of the last row of each picture are zero.
    case lastRow
  }

  /// An instrument that damages what some steps make.
  static func damaging(
    _ damage: Damage, where condition: @escaping @Sendable (BoundStep) -> Bool
  ) -> KernelInstrument {
    .visiting { _, step, _, tensor in
      guard condition(step), var numbers = tensor.elements(as: Float.self), !numbers.isEmpty else {
        return nil
      }
      switch damage {
      case .noise(let size):
        for index in numbers.indices { numbers[index] *= index % 3 == 0 ? 1 + size : 1 - size }
      case .lastElement:
        numbers[numbers.count - 1] += max(1e-3, numbers.map(abs).max() ?? 0)
      case .notANumber: numbers[numbers.count / 2] = .nan
      case .lastRow:
        let (height, width) = (
          tensor.shape[tensor.shape.rank - 2], tensor.shape[tensor.shape.rank - 1]
        )
        for index in numbers.indices where index / width % height == height - 1 {
          numbers[index] = 0
        }
      }
      return try Tensor(numbers, shape: tensor.shape)
    }
  }

  /// An instrument whose copies between layouts swap two elements, for one value.
  static func swappingCopies(of value: String) -> KernelInstrument {
    KernelInstrument { step, kernel in
      guard step.isCopy, step.inputValues.first == value, let target = step.outputs.first ?? nil
      else { return kernel }
      return try kernel.followed(by: [(step.inputs.count, target)]) { _, tensor in
        guard var numbers = tensor.elements(as: Float.self), let first = numbers.first else {
          return nil
        }
        numbers[0] = numbers[numbers.count - 1] + 1
        numbers[numbers.count - 1] = first
        return try Tensor(numbers, shape: tensor.shape)
      }
    }
  }
}

extension PassContext {
  /// Changes the node at a place; nil stands for none.
  fileprivate mutating func change(
    at position: Int?, _ change: (inout Node, inout Graph) throws -> Void
  ) rethrows {
    guard let position else { return }
    var changed = graph
    var node = changed.nodes[position]
    try change(&node, &changed)
    changed.updateNode(at: position) { $0 = node }
    graph = changed
  }

  /// A constant with its elements changed.
  fileprivate static func scaled(
    _ graph: inout Graph, _ value: ValueID, by factor: Float, step: Int
  ) throws -> ValueID {
    guard let tensor = try graph.constants[value]?.tensor(),
      var numbers = tensor.elements(as: Float.self)
    else { return value }
    for index in stride(from: 0, to: numbers.count, by: step) { numbers[index] *= factor }
    let made = graph.addValue(
      Value(name: graph.freshName("damaged"), type: graph[value].type, origin: graph[value].origin))
    graph.constants[made] = Constant(try Tensor(numbers, shape: tensor.shape))
    return made
  }
}

/// Scales every fifth element of the third convolution's weights.
struct WeightDamage: Pass {
  static let name = "weight-damage"
  static let summary = "a faulty pass of a test"
  func run(_ context: inout PassContext) throws {
    let nodes = context.graph.nodes
    let third = nodes.indices.filter { nodes[$0].operatorType == "Conv" }.dropFirst(2).first
    try context.change(at: third) { node, graph in
      node.inputs[1] = try PassContext.scaled(&graph, node.inputs[1]!, by: 1.01, step: 5)
    }
  }
}

/// Takes the activation off the first node that has one.
struct ActivationLoss: Pass {
  static let name = "activation-loss"
  static let summary = "a faulty pass of a test"
  func run(_ context: inout PassContext) throws {
    let first = context.graph.nodes.firstIndex { !$0.epilogue.isEmpty }
    context.change(at: first) { node, _ in node.epilogue.removeLast() }
  }
}

/// Moves the padding of a convolution from one side to the other.
struct PadShift: Pass {
  static let name = "pad-shift"
  static let summary = "a faulty pass of a test"
  func run(_ context: inout PassContext) throws {
    let first = context.graph.nodes.firstIndex {
      if case .ints([1, 1, 1, 1])? = $0.attributes["pads"] {
        $0.operatorType == "Conv"
      } else {
        false
      }
    }
    context.change(at: first) { node, _ in node.attributes["pads"] = .ints([2, 1, 0, 1]) }
  }
}

/// The pass that folds normalisations, and then a bias that is a little off.
struct CarelessFolding: Pass {
  static let name = BatchNormalizationFolding.name
  static let summary = "a faulty pass of a test"
  func run(_ context: inout PassContext) throws {
    try BatchNormalizationFolding().run(&context)
    let first = context.graph.nodes.firstIndex {
      $0.operatorType == "Conv" && $0.inputs.count > 2
    }
    try context.change(at: first) { node, graph in
      node.inputs[2] = try PassContext.scaled(&graph, node.inputs[2]!, by: 1.05, step: 1)
    }
  }
}

enum InstructionSetCount {
  static var available: Int { InstructionSet.available.count }
}

/// Writes a copy of a model with the weights of one convolution off by 2 %.
///
/// - Parameter position: the convolution's among all.
/// - Returns: its node.
func writeDamaged(_ name: String, convolution position: Int, to path: String) throws -> String {
  var model = try ModelReader.read(path: located(name))
  let node = model.graph.nodes.filter { $0.operatorType == "Conv" }[position]
  let weights = try #require(node.inputs[1])
  let tensor = try #require(try model.graph.constants[weights]?.tensor())
  let numbers = try #require(tensor.elements(as: Float.self)).map { $0 * 1.02 }
  model.graph.constants[weights] = Constant(try Tensor(numbers, shape: tensor.shape))
  try FileBytes.write(ModelEncoder.encode(model), to: path)
  return node.name
}
