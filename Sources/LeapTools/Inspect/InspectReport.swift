// InspectReport: what onnx-inspect found out about a model: a value from which every format is written.
//
// 1. Whatever can be told is there; what cannot is nil, never a guess.
// 2. No format looks at the model itself: what one says, all can.

import LeapGraph
import LeapTensors

package struct InspectReport: Sendable {
  /// The model's path; `-` for stdin.
  package var model: String
  package var header: ModelHeader
  /// The machine and the options that the plan is made for.
  package var target: PlanTarget
  package var size: ModelSize
  /// The operators of the model, those of subgraphs and of functions where they are called included; most nodes first.
  package var operators: [OperatorCount]
  /// Memory of the runs in flight, by kind; nil where no plan can be made.
  package var memory: MemoryKinds?
  /// Where that memory goes; nil where no plan can be made.
  package var plan: MemoryReport?
  /// What keeps the model from running.
  package var problems: [InspectProblem]
  /// What is odd, but keeps nothing from running.
  package var findings: [InspectFinding]
  /// The state that `graph` shows.
  package var stage: ModelStage
  /// Every node, whatever the filter says.
  package var graph: GraphReport
  /// Which of them are shown.
  var filter: NodeFilter
  /// The model's own functions.
  package var functions: [FunctionReport]
  /// All constants; nil where they were not asked for.
  package var weights: [WeightReport]?
  /// What passes did; nil where that was not asked for.
  package var changes: [StageChanges]?
  /// Why the model does not come to a stage that was asked for; nil where it does.
  package var shortfall: ToolError?

  /// The nodes that the filter leaves, those of subgraphs behind the node that holds them.
  package var shownNodes: [NodeReport] { graph.allNodes.filter(filter.admits) }
}

/// A function of the model's own.
package struct FunctionReport: Sendable {
  /// With domain and overload.
  package var name: String
  package var inputs: [String]
  package var outputs: [String]
  /// By name; the default, as text, where there is one.
  package var attributes: [(name: String, value: String?)]
  package var opsets: [(domain: String, version: Int)]
  /// Calls in the model and in its functions, as they are written down.
  package var calls: Int
  package var graph: GraphReport
}

/// A constant of the model.
package struct WeightReport: Sendable {
  /// `main`, the path of a subgraph, or the name of a function.
  package var graph: String
  package var name: String
  package var dataType: DataType
  package var shape: Shape
  package var byteCount: Int
  /// Whether it is an initializer, and no node's attribute.
  package var isInitializer: Bool
  /// Operators of the nodes that read it, each once.
  package var readers: [String]
  /// nil for strings, and for what is not there.
  package var statistics: WeightStatistics?
  /// Elements in each of equal parts of the range from the least to the largest; empty where there are no statistics.
  package var histogram: [Int]
}

/// What the file says of itself.
package struct ModelHeader: Sendable {
  package struct Value: Sendable {
    package var name: String
    package var declared: ValueType?
    /// With the extents that the figures are for.
    package var planned: ValueType?
  }

  package var producer: String
  package var producerVersion: String
  package var domain: String
  package var modelVersion: Int64
  package var irVersion: Int
  /// By domain; ONNX's own is "".
  package var opsets: [(domain: String, version: Int)]
  package var graphName: String
  package var documentation: String
  package var properties: [(key: String, value: String)]
  /// Those that a run must give.
  package var inputs: [Value]
  /// Inputs that have a default.
  package var optionalInputs: [Value]
  package var outputs: [Value]
  package var functions: [String]
}

/// How large a model is, and what a run of it costs.
package struct ModelSize: Sendable {
  /// Nodes, those of subgraphs included; calls of functions count for what they call.
  package var nodes: Int
  package var initializers: Int
  /// Elements of all constants but integers of 64 bits, booleans and strings, which are shapes and indices.
  package var parameters: Int
  /// Elements that nodes make of constants alone, and others read as parameters: in files without weights, all there are.
  package var computedParameters: Int
  /// Bytes of all constants.
  package var weightBytes: Int
  /// Multiply-adds of the nodes whose operators and shapes are known, subgraphs included; `Int.max` on overflow.
  package var multiplyAdds: Int
  /// Nodes whose multiply-adds are not known.
  package var uncounted: Int
}

/// All nodes of one operator.
package struct OperatorCount: Sendable, Equatable {
  /// With its domain, where that is not ONNX's own.
  package var name: String
  package var nodes: Int
  /// nil where those of a node are not known.
  package var multiplyAdds: Int?
  package var parameters: Int
  /// Whether Leapstone can compute all of them.
  package var isSupported: Bool
}

/// What a plan is made for.
package struct PlanTarget: Sendable, Equatable {
  package var instructionSet: String
  package var threads: Int
  package var memoryPolicy: String
  package var concurrency: Int
}

/// Memory by kind, in bytes, for all runs in flight together.
package struct MemoryKinds: Sendable, Equatable {
  package var mappedWeights: Int
  package var packedWeights: Int
  package var arena: Int
  package var scratch: Int
  package var outputs: Int
  /// A bound on what BLAS takes for itself; not part of the peak.
  package var blasAtMost: Int
  /// What follows from data, at its largest; nil where that has no bound.
  package var rest: Int?
  /// Nodes that make what has no bound.
  package var unbounded: [String]

  /// Kinds by name, in the order in which they are shown.
  package var kinds: [(name: String, bytes: Int)] {
    [
      ("mapped_weights", mappedWeights), ("packed_weights", packedWeights), ("arena", arena),
      ("scratch", scratch), ("outputs", outputs),
    ]
  }

  /// All kinds together, with what follows from data at its largest; nil where that has no bound.
  package var peak: Int? {
    rest.map { kinds.reduce($0) { saturatingSum($0, $1.bytes) } }
  }
}

/// Something that keeps the model from running here.
package struct InspectProblem: Sendable, Hashable {
  package enum Kind: String, Sendable {
    case externalData = "external-data"
    case unsupported
    case inference
    case optimization
    case planning
    case budget
  }

  package var kind: Kind
  /// What is wrong.
  package var reason: String
  /// The operator, or the file, that it is about; nil where it is about the model.
  package var subject: String?
  /// Names of the nodes, or tensors, that it is about.
  package var names: [String]
}

/// Something odd.
package struct InspectFinding: Sendable, Equatable {
  package enum Kind: String, Sendable {
    /// Something that reading the file showed.
    case reader
    /// Extents of inputs are not known, and what depends on them.
    case openShape = "open-shape"
    case denormalWeights = "denormal-weights"
    case notANumber = "nan-weights"
    case infinite = "infinite-weights"
    case unusedInitializers = "unused-initializers"
    case unusedInputs = "unused-inputs"
    case deadNodes = "dead-nodes"
    case duplicateConstants = "duplicate-constants"
    case suspiciousEpsilon = "suspicious-epsilon"
    case negativeVariance = "negative-variance"
    case standIns = "stand-ins"
  }

  package var kind: Kind
  package var message: String
  /// Names of the tensors, or nodes, that it is about.
  package var names: [String]
}
