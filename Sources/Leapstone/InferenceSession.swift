// InferenceSession: the face of Leapstone: a model, loaded and ready to run from any thread.

import LeapFormat
@_exported import LeapGraph
import LeapOperators
import LeapRuntime
@_exported import LeapTensors
import LeapWorkers

/// How a session is set up.
public struct SessionOptions: Sendable {
  /// How weights that kernels read as they stand are held.
  public enum Weights: Sendable {
    /// Those that lie aligned in the file stay mapped. Truncating the file while the session lives ends the process.
    case mapped
    /// All are read into memory of the session's own.
    case owned
  }

  /// Speed against memory. Results may differ in their last bits between policies, as kernels do.
  public enum MemoryPolicy: String, Sendable, CaseIterable {
    /// The fastest kernels, whatever weights they pack and scratch they take.
    case fast
    /// Fast kernels that take about as much memory as the model itself.
    case balanced
    /// The order that takes least, and kernels that take more than others only where each byte saves a nanosecond.
    case lean
  }

  /// Instruction sets that kernels are written for.
  public enum InstructionSet: String, Sendable, CaseIterable {
    case avx512, avx2, neon, portable
  }

  /// Workers of a run; nil for as many as affinity and the cgroup's quota allow. At least 1.
  public var threads: Int?
  /// Names of optimisation passes to leave out.
  public var disabledPasses: Set<String> = []
  /// Runs the graph as the model has it.
  public var disablesAllPasses = false
  public var weights = Weights.mapped
  public var memoryPolicy = MemoryPolicy.balanced
  /// Bytes that weights, working memory and outputs may take together; nil for 80 % of the machine's memory,
  /// or of what its control groups allow where that is less.
  public var memoryBudget: Int?
  /// The instruction set of the kernels; nil for what the environment variable `LEAPSTONE_ISA` names, or the best that there
  /// is. One that this machine does not have is an error when the session is made.
  public var instructionSet: InstructionSet?
  /// How many runs may be in flight.
  public var maximalConcurrentRuns = 2
  /// How many more may wait; a further one is refused with `RunError.busy`.
  public var maximalQueuedRuns = 64
  /// A directory in which weights are kept as the kernels want them, so that the next session with the same model and options
  /// is ready at once; nil for none. It is made where there is none, its files are for this user alone, and may be removed
  /// at any time. They are mapped whatever `weights` says, and never written again once they are there. A model given as
  /// bytes is not kept. What goes wrong is one of `InferenceSession.warnings`, no error.
  public var cacheDirectory: String?
  /// Directories, besides the model's own, in which files of external data may lie.
  public var externalDataRoots: [String] = []
  /// The algorithm that a node must use, by the node's name; the entry "" holds for every node that has it.
  public var algorithms: [String: String] = [:]
  /// Algorithms that no node may use.
  public var forbiddenAlgorithms: Set<String> = []
  /// Operators of the program's own, for nodes that Leapstone has no operator for.
  public var customOperators: [any CustomOperator] = []
  /// Extents for symbols in the types of the model's inputs, by the symbol's name.
  public var dimensions: [String: Int] = [:]
  /// Whether denormal floats are taken for zero, which is faster where a network meets many. Results then differ in
  /// their last places.
  public var flushesDenormals = false
  /// Whether values share memory. Switched off to check the plan: results are the same to the bit.
  public var reusesMemory = true
  /// Fills memory with NaN as soon as nothing reads it any more. For checking the plan.
  public var poisonsDeadMemory = false
  /// What looks at the steps of plans: for examining runs.
  package var instruments: [KernelInstrument] = []
  /// The optimisation passes.
  package var passes: [any Pass.Type] = standardPasses

  public init() {}
}

/// How one run goes about it.
public struct RunOptions: Sendable {
  /// How long it may take, waiting for other runs included; nil for no limit.
  public var timeout: Duration?
  /// Ends the run early when somebody cancels it.
  public var cancellation: Cancellation?
  /// Called on the run's thread after every stage, with the steps of that stage: for profiles. A run that is
  /// observed takes a little longer.
  public var observe: (@Sendable ([StepObservation]) -> Void)?

  public init(timeout: Duration? = nil, cancellation: Cancellation? = nil) {
    self.timeout = timeout
    self.cancellation = cancellation
  }
}

/// One step of a run: a node, what was fused into it included, or a change of layout that the plan added.
public struct StepObservation: Sendable {
  /// The node's name in the model.
  public let name: String
  public let operatorType: String
  /// The kernel that was chosen for it.
  public let algorithm: String
  /// Steps of the same stage may overlap; they are given the stage's time.
  public let stage: Int
  /// When it began, in nanoseconds of a clock that never goes back.
  public let start: UInt64
  /// When it ended, in nanoseconds of the same clock.
  public let end: UInt64

  init(_ step: Step, _ timing: StageTiming) {
    name = step.name
    operatorType = step.operatorType
    algorithm = step.algorithm
    stage = step.stage
    start = timing.start
    end = timing.end
  }
}

/// A switch that ends the runs that were started with it.
public final class Cancellation: Sendable {
  private let state = CancellationState()

  public init() {}

  /// Ends the runs, those under way now and others as soon as they start. They throw `RunError.cancelled`.
  public func cancel() { state.cancel() }

  func attach(_ interrupt: Interrupt) { state.attach(interrupt) }

  func detach(_ interrupt: Interrupt) { state.detach(interrupt) }
}

/// An input or output of a model.
public struct ValueInfo: Sendable {
  public let name: String
  /// The type, with symbolic extents as the model names them.
  public let type: ValueType

  package init(name: String, type: ValueType) {
    self.name = name
    self.type = type
  }
}

/// What a model's file says about itself.
public struct ModelMetadata: Sendable {
  public let producerName: String
  public let producerVersion: String
  public let domain: String
  public let graphName: String
  public let graphDescription: String
  public let description: String
  public let version: Int64
  public let irVersion: Int
  /// The opset version of each domain; ONNX's own is "".
  public let opsets: [String: Int]
  /// The model's own key-value pairs, in the order of the file.
  public let properties: [(key: String, value: String)]
}

/// A model, loaded, optimised, and planned for each shape that it meets.
///
/// A session may be used from any number of threads at once. Results are the same to the bit for any number of
/// workers and any place in a batch.
public final class InferenceSession: Sendable {
  let core: SessionCore
  let queues = RunQueues()

  /// Inputs that a run must give, in the model's order.
  public let inputs: [ValueInfo]
  /// Inputs that a run may give because the model has a default for each, in the model's order.
  public let overridableInitializers: [ValueInfo]
  public let outputs: [ValueInfo]
  public let metadata: ModelMetadata
  /// What was odd so far, about the model or the cache of its weights, but no error.
  public var warnings: [String] { core.warnings }

  /// Loads a model from a file.
  ///
  /// - Parameters:
  ///   - path: the file; external data is looked for in its directory alone.
  ///   - options: how the session is set up.
  /// - Throws: `ModelError`.
  public convenience init(path: String, options: SessionOptions = SessionOptions()) throws {
    let reading = ReadOptions(externalDataRoots: options.externalDataRoots)
    try self.init(model: ModelReader.read(path: path, options: reading), options: options)
  }

  /// Loads a model from bytes, which are copied as far as they are needed.
  ///
  /// - Throws: `ModelError`.
  public convenience init(
    bytes: UnsafeRawBufferPointer, options: SessionOptions = SessionOptions()
  ) throws {
    let reading = ReadOptions(externalDataRoots: options.externalDataRoots)
    try self.init(model: ModelReader.read(bytes: bytes, options: reading), options: options)
  }

  /// A session on a model that is in memory already.
  ///
  /// - Throws: `ModelError`.
  package init(model: Model, options: SessionOptions) throws {
    BuildNotice.give()
    core = try SessionCore(model: model, configuration: SessionConfiguration(options))
    let graph = core.model.graph
    func info(_ id: ValueID) -> ValueInfo {
      ValueInfo(name: graph[id].name, type: graph[id].type ?? .tensor(.float32, shape: nil))
    }
    inputs = graph.inputs.filter { graph.constants[$0] == nil }.map(info)
    overridableInitializers = graph.inputs.filter { graph.constants[$0] != nil }.map(info)
    outputs = graph.outputs.map(info)
    metadata = ModelMetadata(
      producerName: model.producerName, producerVersion: model.producerVersion,
      domain: model.domain, graphName: graph.name, graphDescription: graph.documentation,
      description: model.documentation, version: model.modelVersion, irVersion: model.irVersion,
      opsets: model.opsets,
      properties: model.metadata)
  }

  /// Names of all values that the model's nodes compute, in the order in which they are computed: each may be asked for
  /// as an output.
  public var valueNames: [String] {
    let graph = core.model.graph
    return graph.nodes.flatMap { $0.outputs.compactMap { $0.map { graph[$0].name } } }
  }

  /// What the session holds in memory, and what a run would take.
  public var memory: SessionMemory { SessionMemory(core) }
}

extension SessionConfiguration {
  /// - Throws: `ModelError.option` for operators that cannot be registered.
  package init(_ options: SessionOptions) throws {
    self.init()
    try register(options.customOperators.map { ForeignOperator($0) })
    width = options.threads
    disabledPasses = options.disabledPasses
    disablesAllPasses = options.disablesAllPasses
    weights = options.weights == .mapped ? .mapped : .owned
    memoryBudget = options.memoryBudget
    cache = options.cacheDirectory.map { CacheOptions(directory: $0, version: leapstoneVersion) }
    maximalConcurrentRuns = max(options.maximalConcurrentRuns, 1)
    maximalQueuedRuns = max(options.maximalQueuedRuns, 0)
    instructionSet = options.instructionSet?.rawValue
    plan.memoryPolicy =
      switch options.memoryPolicy {
      case .fast: .fast
      case .balanced: .balanced
      case .lean: .lean
      }
    plan.algorithms = options.algorithms
    plan.forbidden = options.forbiddenAlgorithms
    dimensions = options.dimensions
    flushesDenormals = options.flushesDenormals
    plan.reuse = options.reusesMemory ? .full : .none
    poisonsDeadMemory = options.poisonsDeadMemory
    plan.instruments = options.instruments
    passes = options.passes
  }
}
