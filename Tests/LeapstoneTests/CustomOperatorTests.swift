// Operators of a program's own: where they compute, how often, what they are told, and that whatever they do wrong is an error that
// names them.

import LeapGraph
import LeapTensors
import LeapTestSupport
import Leapstone
import Synchronization
import Testing

/// An operator made of closures, which counts its runs.
private final class Scripted: CustomOperator {
  let domain: String
  let name: String
  let version: Int
  let isDeterministic: Bool
  private let types: @Sendable (CustomNode) throws -> [ValueType]
  private let tensors: @Sendable (CustomNode, CustomInputs) throws -> [Tensor]
  private let count = Mutex(0)

  var runs: Int { count.withLock { $0 } }

  init(
    _ name: String = "Mine", domain: String = "org.example", version: Int = 1,
    isDeterministic: Bool = true,
    infer: @escaping @Sendable (CustomNode) throws -> [ValueType] = {
      [.tensor(try $0.dataType(0), shape: $0.shape(0))]
    },
    run: @escaping @Sendable (CustomNode, CustomInputs) throws -> [Tensor]
  ) {
    (self.domain, self.name, self.version) = (domain, name, version)
    (self.isDeterministic, types, tensors) = (isDeterministic, infer, run)
  }

  func infer(_ node: CustomNode) throws -> [ValueType] { try types(node) }

  func run(_ node: CustomNode, _ inputs: CustomInputs) throws -> [Tensor] {
    count.withLock { $0 += 1 }
    return try tensors(node, inputs)
  }

  /// x times the attribute `factor`, or 2.
  static func scale(isDeterministic: Bool = true) -> Scripted {
    Scripted(isDeterministic: isDeterministic) { node, inputs in
      let factor = try node.float("factor") ?? 2
      let x = try inputs.elements(0, as: Float.self)
      return [try Tensor(x.map { $0 * factor }, shape: inputs.tensor(0).shape)]
    }
  }
}

@Suite struct CustomOperatorTests {
  private static let domain = "org.example"
  /// With passes and without, on one worker and on several.
  static let settings = [(true, 1), (true, 3), (false, 2)]

  private func session(
    _ model: Model, _ operators: [Scripted], passes: Bool = true, threads: Int = 2
  ) throws -> InferenceSession {
    var options = SessionOptions()
    options.threads = threads
    options.disablesAllPasses = !passes
    options.poisonsDeadMemory = true
    options.customOperators = operators
    return try InferenceSession(model: model, options: options)
  }

  /// y = Mine(x), with a name that errors give.
  private func oneNode(
    type: DataType = .float32, shape: [Dimension]? = [3], outputs: [String] = ["y"],
    attributes: [String: Attribute] = [:]
  ) -> Model {
    var builder = ModelBuilder()
    let x = builder.input("x", shape, type: type)
    let made = builder.node(
      "Mine", domain: Self.domain, [x], attributes: attributes, outputs: outputs)
    return builder.model(outputs: made)
  }

  private func floats(_ tensor: Tensor?) -> [Float]? { tensor?.elements(as: Float.self) }

  /// What an error must say: the node, the operator, and the reason.
  private func expectError(_ reason: String, _ body: () throws -> Void) {
    do {
      try body()
      Issue.record("no error; expected '\(reason)'")
    } catch {
      for part in ["node 'Mine_y'", "operator org.example.Mine", reason] {
        #expect("\(error)".contains(part), "\(error)")
      }
    }
  }

  // MARK: Where it computes

  @Test(arguments: settings) func betweenOthers(passes: Bool, threads: Int) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n"), 4])
    let a = builder.node("Add", [x, x], output: "a")
    let transposed = builder.node("Transpose", [a], output: "t")
    let b = builder.node(
      "Mine", domain: Self.domain, [transposed], attributes: ["factor": .float(3)], outputs: ["b"])
    let y = builder.node("Relu", [builder.node("Sub", b + [transposed], output: "s")], output: "y")
    let session = try session(
      builder.model(outputs: [y]), [.scale()], passes: passes, threads: threads)
    for rows in [2, 5] {
      let x = try Tensor((0..<rows * 4).map { Float($0) - 3 }, shape: [rows, 4])
      let y = try session.run(["x": x])["y"]
      let expected = (0..<4).flatMap { column in
        (0..<rows).map { max(4 * (Float($0 * 4 + column) - 3), 0) }
      }
      #expect(y?.shape == [4, rows])
      #expect(floats(y) == expected)
    }
  }

  @Test(arguments: settings) func inTheBodyOfALoop(passes: Bool, threads: Int) throws {
    var builder = ModelBuilder()
    let count = builder.input("count", [], type: .int64)
    let start = builder.input("start", [2])
    var body = ModelBuilder()
    _ = body.input("i", [], type: .int64)
    let on = body.input("on", [], type: .bool)
    let value = body.input("value")
    let scaled = body.node("Mine", domain: Self.domain, [value], outputs: ["scaled"])
    let results = builder.node(
      "Loop", [count, nil, start],
      attributes: ["body": body.body(outputs: [on] + scaled)], outputs: ["final"])
    let operation = Scripted.scale()
    let session = try session(
      builder.model(outputs: results), [operation], passes: passes, threads: threads)
    let inputs = [
      "count": try Tensor(scalar: Int64(5)), "start": try Tensor([1, -3] as [Float]),
    ]
    #expect(try floats(session.run(inputs)["final"]) == [32, -96])
    #expect(operation.runs == 5)
  }

  @Test(arguments: settings) func inOneOfTwoBranches(passes: Bool, threads: Int) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let condition = builder.input("c", [], type: .bool)
    var (then, other) = (ModelBuilder(), ModelBuilder())
    let inner = then.capture(x, as: "inner")
    let scaled = then.node("Mine", domain: Self.domain, [inner], outputs: ["scaled"])
    let outer = other.capture(x, as: "outer")
    let chosen = builder.node(
      "If", [condition],
      attributes: [
        "then_branch": then.body(outputs: scaled), "else_branch": other.body(outputs: [outer]),
      ], output: "chosen")
    let operation = Scripted.scale()
    let session = try session(
      builder.model(outputs: [chosen]), [operation], passes: passes, threads: threads)
    for (value, expected) in [(true, [2, 8]), (false, [1, 4])] as [(Bool, [Float])] {
      let inputs = ["x": try Tensor([1, 4] as [Float]), "c": try Tensor(scalar: value)]
      #expect(try floats(session.run(inputs)["chosen"]) == expected)
    }
    #expect(operation.runs == 1)
  }

  @Test func shapesThatOnlyRunningTells() throws {
    let positive = Scripted(
      infer: { _ in [.tensor(.float32, shape: [.unknown])] },
      run: { _, inputs in [try Tensor(inputs.elements(0, as: Float.self).filter { $0 > 0 })] })
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")])
    let kept = builder.node("Mine", domain: Self.domain, [x], outputs: ["kept"])
    let y = builder.node("Neg", kept, output: "y")
    let session = try session(builder.model(outputs: [y]), [positive])
    #expect(try floats(session.run(["x": Tensor([1, -1, 2] as [Float])])["y"]) == [-1, -2])
    #expect(try floats(session.run(["x": Tensor([-1] as [Float])])["y"]) == [])
  }

  @Test func severalOutputsAndInputsThatAreLeftOut() throws {
    let operation = Scripted(
      infer: { node in
        #expect(node.inputCount == 3 && node.hasInput(0) && !node.hasInput(1) && node.hasInput(2))
        #expect(node.shape(1) == nil && node.shape(7) == nil && node.constant(-1) == nil)
        return [.tensor(.string, shape: [1]), .tensor(.int64, shape: [])]
      },
      run: { node, inputs in
        #expect(inputs.count == 3 && inputs[1] == nil && inputs[9] == nil)
        let texts = try inputs.tensor(0).strings ?? []
        let counts = try inputs.elements(2, as: Int64.self)
        return [
          try Tensor(strings: [texts.joined(separator: "+")]), try Tensor(scalar: counts[0] + 1),
        ]
      })
    var builder = ModelBuilder()
    let texts = builder.input("texts", [2], type: .string)
    let count = builder.input("count", [1], type: .int64)
    let made = builder.node(
      "Mine", domain: Self.domain, [texts, nil, count], outputs: ["joined", "more"])
    let session = try session(builder.model(outputs: made), [operation])
    let results = try session.run([
      "texts": Tensor(strings: ["a", "b"]), "count": Tensor([4] as [Int64]),
    ])
    #expect(results["joined"]?.strings == ["a+b"])
    #expect(results["more"]?.elements(as: Int64.self) == [5])
  }

  // MARK: How often

  /// One node on a constant, and two equal ones on the input.
  @Test(arguments: [(true, 1, 2), (false, 0, 3)])
  func whatDependsOnConstants(isDeterministic: Bool, atLoad: Int, afterRun: Int) throws {
    var builder = ModelBuilder()
    let x = builder.input("x", [2])
    let constant = builder.constant("constant", try Tensor([1, 2] as [Float]))
    let known = builder.node("Mine", domain: Self.domain, [constant], outputs: ["known"])
    let left = builder.node("Mine", domain: Self.domain, [x], outputs: ["left"])
    let right = builder.node("Mine", domain: Self.domain, [x], outputs: ["right"])
    let sum = builder.node("Add", left + right, output: "sum")
    let y = builder.node("Add", known + [sum], output: "y")
    let operation = Scripted.scale(isDeterministic: isDeterministic)
    let session = try session(builder.model(outputs: [y]), [operation])
    #expect(operation.runs == atLoad)
    #expect(try floats(session.run(["x": Tensor([10, 20] as [Float])])["y"]) == [42, 84])
    #expect(operation.runs == afterRun)
  }

  // MARK: What it is told

  @Test func constantsAndAttributesDecideShapes() throws {
    let told = Mutex<Set<[Dimension]>>([])
    let repeating = Scripted(
      infer: { node in
        guard let count = try node.int("times") ?? node.constant(1)?.integers?[0] else {
          return [.tensor(.float32, shape: nil)]
        }
        let shape = [.fixed(count), (node.shape(0) ?? [.unknown])[0]]
        told.withLock { _ = $0.insert(shape) }
        return [.tensor(.float32, shape: shape)]
      },
      run: { node, inputs in
        let x = try inputs.elements(0, as: Float.self)
        let count = try node.int("times") ?? Int(inputs.elements(1, as: Int64.self)[0])
        return [
          try Tensor((0..<count).flatMap { _ in x }, shape: [count, x.count])
        ]
      })
    var builder = ModelBuilder()
    let x = builder.input("x", [.symbol("n")])
    let three = try builder.integers("three", [3])
    let a = builder.node("Mine", domain: Self.domain, [x, three], outputs: ["a"])
    let b = builder.node(
      "Mine", domain: Self.domain, [x], attributes: ["times": .int(2)], outputs: ["b"])
    let session = try session(builder.model(outputs: a + b), [repeating])
    // Before any run.
    #expect(told.withLock { $0 } == [[3, .symbol("n")], [2, .symbol("n")]])
    let results = try session.run(["x": Tensor([5] as [Float])])
    #expect(floats(results["a"]) == [5, 5, 5] && floats(results["b"]) == [5, 5])
  }

  @Test func everyKindOfAttribute() throws {
    let seen = Mutex(false)
    let operation = Scripted(
      infer: { node in
        let (int, ints) = (try node.int("int"), try node.ints("ints"))
        let (float, floats) = (try node.float("float"), try node.floats("floats"))
        let (string, strings) = (try node.string("string"), try node.strings("strings"))
        let (tensor, none) = (try node.tensor("tensor"), try node.int("none"))
        #expect(int == 3 && ints == [1, 2] && none == nil)
        #expect(float == 0.5 && floats == [1.5])
        #expect(string == "s" && strings == ["t"])
        #expect(tensor?.elements(as: Float.self) == [7])
        #expect(node.hasAttribute("int") && !node.hasAttribute("none") && node.version == 17)
        seen.withLock { $0 = true }
        return [.tensor(.float32, shape: node.shape(0))]
      }, run: { _, inputs in [try inputs.tensor(0)] })
    let attributes: [String: Attribute] = [
      "int": .int(3), "ints": .ints([1, 2]), "float": .float(0.5), "floats": .floats([1.5]),
      "string": .string(Array("s".utf8)), "strings": .strings([Array("t".utf8)]),
      "tensor": .tensor(Constant(try Tensor([7] as [Float]))),
    ]
    let session = try session(oneNode(attributes: attributes), [operation])
    #expect(try floats(session.run(["x": Tensor([1, 2, 3] as [Float])])["y"]) == [1, 2, 3])
    #expect(seen.withLock { $0 })
  }

  @Test(arguments: [(5, [30]), (1, [20]), (4, [20])] as [(Int, [Float])])
  func theVersionThatTheModelImports(opset: Int, expected: [Float]) throws {
    func times(_ factor: Float, since version: Int) -> Scripted {
      Scripted(version: version) { _, inputs in
        [try Tensor(inputs.elements(0, as: Float.self).map { $0 * factor })]
      }
    }
    var builder = ModelBuilder()
    builder.opset = opset
    let x = builder.input("x", [1])
    let y = builder.node("Mine", domain: Self.domain, [x], outputs: ["y"])
    let session = try session(
      builder.model(outputs: y), [times(2, since: 1), times(3, since: 5)])
    #expect(try floats(session.run(["x": Tensor([10] as [Float])])["y"]) == expected)
  }

  /// An operator that takes any type gets halves; one that takes float32 alone gets them widened.
  @Test(arguments: [false, true]) func halves(onlySingle: Bool) throws {
    let type = Mutex<DataType?>(nil)
    let operation = Scripted(
      infer: { node in
        let type = try onlySingle ? node.dataType(0, among: [.float32]) : node.dataType(0)
        return [.tensor(type, shape: node.shape(0))]
      },
      run: { _, inputs in
        type.withLock { [found = inputs[0]?.dataType] in $0 = found }
        return [try inputs.tensor(0)]
      })
    var builder = ModelBuilder()
    let x = builder.input("x", [2], type: .float16)
    // Something without a kernel for halves, so that its result waits in float32.
    let a = builder.node("Softmax", [x], output: "a")
    let y = builder.node("Mine", domain: Self.domain, [a], outputs: ["y"])
    let session = try session(builder.model(outputs: y), [operation])
    let result = try session.run(["x": Tensor(zeros: .float16, shape: [2])])["y"]
    #expect(result?.dataType == .float16)
    #expect(type.withLock { $0 } == (onlySingle ? .float32 : .float16))
  }

  // MARK: What goes wrong

  private struct Own: Error, CustomStringConvertible {
    var description: String { "the moon is full" }
  }

  @Test func errorsOfItsOwn() throws {
    let inferring = Scripted(infer: { _ in throw Own() }, run: { _, _ in [] })
    expectError("the moon is full") { _ = try self.session(oneNode(), [inferring]) }
    let running = Scripted { _, _ in throw Own() }
    let session = try self.session(oneNode(), [running])
    expectError("the moon is full") { _ = try session.run(["x": Tensor([1, 2, 3] as [Float])]) }
    let asking = Scripted { _, inputs in [try Tensor(inputs.elements(0, as: Int64.self))] }
    let other = try self.session(oneNode(), [asking])
    expectError("input 0 is float32 3; expected int64") {
      _ = try other.run(["x": Tensor([1, 2, 3] as [Float])])
    }
  }

  /// What `run` must not give where `infer` says float32 of three elements.
  static let wrong: [(String, @Sendable () throws -> [Tensor])] = [
    ("run made int32 3 as output 0; infer says float32 3", { [try Tensor([1, 2, 3] as [Int32])] }),
    ("run made float32 2 as output 0; infer says float32 3", { [try Tensor([1, 2] as [Float])] }),
    (
      "run made float32 3x1 as output 0",
      { [try Tensor([1, 2, 3] as [Float], shape: [3, 1])] }
    ),
    ("run gave 0 outputs, the node has 1", { [] }),
  ]

  @Test(arguments: wrong.indices) func whatRunGivesIsHeldToInfer(index: Int) throws {
    let (reason, results) = Self.wrong[index]
    let session = try session(oneNode(), [Scripted { _, _ in try results() }])
    expectError(reason) { _ = try session.run(["x": Tensor([1, 2, 3] as [Float])]) }
  }

  @Test(
    arguments: [
      ("infer gave 0 outputs, the node has 1", []),
      ("expected a tensor", [.sequence(.tensor(.float32, shape: nil))]),
      ("an extent is negative", [.tensor(.float32, shape: [-3])]),
    ] as [(String, [ValueType])])
  func whatInferSays(reason: String, types: [ValueType]) {
    expectError(reason) {
      _ = try session(oneNode(), [Scripted(infer: { _ in types }, run: { _, _ in [] })])
    }
  }

  @Test func withoutItTheErrorNamesIt() {
    expectError("a CustomOperator can supply it") {
      _ = try session(oneNode(), [])
    }
    expectError("a CustomOperator has it from version 18 on") {
      _ = try session(oneNode(), [Scripted(version: 18, run: { _, _ in [] })])
    }
  }

  @Test(arguments: [
    ("Relu", "", 1, 1, "Leapstone has one"), ("Relu", "ai.onnx", 1, 1, "Leapstone has one"),
    ("QuickGelu", "com.microsoft", 1, 1, "Leapstone has one"), ("", "own", 1, 1, "no name"),
    ("Mine", "own", 0, 1, "version 0 is not 1 or more"),
    ("Mine", "own", 2, 2, "own.Mine: version 2 is given twice"),
  ])
  func whatCannotBeRegistered(
    name: String, domain: String, version: Int, copies: Int, reason: String
  ) {
    let operation = Scripted(name, domain: domain, version: version) { _, _ in [] }
    do {
      _ = try session(oneNode(), Array(repeating: operation, count: copies))
      Issue.record("no error; expected '\(reason)'")
    } catch {
      #expect("\(error)".contains("option customOperators: "), "\(error)")
      #expect("\(error)".contains(reason), "\(error)")
    }
  }

  @Test func nothingIsCachedOfWhatItComputes() throws {
    var options = SessionOptions()
    options.cacheDirectory = "/tmp/leapstone-no-cache"
    options.customOperators = [Scripted.scale()]
    let session = try InferenceSession(model: oneNode(), options: options)
    #expect(
      session.warnings == [
        "the cache keeps nothing: the session has operators of the program's own"
      ])
  }
}
