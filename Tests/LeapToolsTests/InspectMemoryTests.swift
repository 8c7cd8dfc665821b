// onnx-inspect --memory: the plan explained, in figures that are the session's and the run's.

import LeapGraph
import LeapTensors
import LeapTestSupport
import LeapTools
import Leapstone
import LeapstoneImage
import Testing

@Suite struct InspectMemoryTests {
  static let networks = InspectToolTests.networks + ["@unet-shapes.onnx"]

  private func plan(_ arguments: [String], input: [UInt8] = []) throws -> MemoryReport {
    try #require(try inspected(arguments, input: input).plan)
  }

  /// What a run leaves behind in the session is what was predicted.
  @Test(arguments: networks, [1, 3])
  func aRunTakesWhatIsTold(model: String, threads: Int) throws {
    let report = try inspected([model, "--threads", "\(threads)", "--dim", "batch=2"])
    let memory = try #require(report.memory)
    var options = SessionOptions()
    options.threads = threads
    let session = try InferenceSession(path: located(model), options: options)
    let shape = try #require(session.inputs[0].type.shape).map { $0.value ?? 2 }
    let input = try Tensor(zeros: .float32, shape: Shape(shape))
    let outputs = try session.run([session.inputs[0].name: input])
    #expect(session.memory.idle == memory.arena + memory.scratch)
    #expect(session.memory.mappedWeights == memory.mappedWeights)
    #expect(session.memory.packedWeights == memory.packedWeights)
    #expect(outputs.values.reduce(0) { $0 + $1.byteCount } == memory.outputs)
    #expect(session.memory.charged + memory.outputs == memory.peak)
    // The parts that the plan tells of are that memory.
    let plan = try #require(report.plan)
    #expect(plan.arena.byteCount == memory.arena)
    #expect(
      plan.weights.reduce(0) { $0 + $1.byteCount } == memory.packedWeights + memory.mappedWeights)
    #expect(plan.weights.filter(\.isMapped).reduce(0) { $0 + $1.byteCount } == memory.mappedWeights)
  }

  @Test(arguments: networks)
  func theArenaLiesBetweenItsBounds(model: String) throws {
    for flags in [[], ["--memory-policy", "lean"], ["--isa", "neon", "--threads", "4"]] {
      let plan = try plan([model] + flags)
      #expect(plan.arena.largestLiveSet <= plan.arena.byteCount)
      #expect(plan.arena.byteCount <= plan.arena.withoutSharing)
      #expect(plan.arena.withoutSharing <= plan.arena.withoutReuse)
      // The fullest stage, and what fills it.
      #expect(plan.stages.map(\.live).max() == plan.arena.largestLiveSet)
      #expect(plan.stages[plan.peakStage].live == plan.arena.largestLiveSet)
      let live = plan.live.reduce(0) { $0 + ($1.byteCount + 63) / 64 * 64 }
      #expect(live == plan.arena.largestLiveSet)
      for buffer in plan.live {
        #expect(!buffer.values.isEmpty && !buffer.from.isEmpty && !buffer.until.isEmpty)
        #expect(buffer.offset + buffer.byteCount <= plan.arena.byteCount)
        #expect(buffer.first <= plan.peakStage && plan.peakStage <= buffer.last)
      }
      #expect(plan.scratchStep != nil && plan.scratchPerWorker + plan.sharedScratch > 0)
    }
  }

  /// Residual sums overwrite; a dense block's concats lie in one growing buffer; the U-Net's skips say what becomes of them.
  @Test func whoSharesWhoseMemory() throws {
    let residual = try plan(["@resnet-digits.onnx"]).sharing
    let sums = residual.filter { $0.kind == .overwrite && $0.operatorType == "Conv" }
    #expect(sums.count == 6 && sums.filter { $0.refusal == nil }.count >= 4, "\(sums)")
    let dense = try plan(["@densenet-digits.onnx"]).sharing.filter { $0.kind == .part }
    #expect(!dense.isEmpty && dense.allSatisfy { $0.refusal == nil }, "\(dense)")
    let skips = try plan(["@unet-shapes.onnx"]).sharing.filter { $0.kind == .part }
    #expect(skips.count >= 6)
  }

  @Test func refusalsNameWhoIsInTheWay() throws {
    let bytes = WireWriter.model {
      $0.node("Sqrt", ["x"], ["a"], name: "root")
      $0.node("Tanh", ["a"], ["b"], name: "tanh")
      $0.node("Mul", ["b", "a"], ["c"], name: "product")
      $0.node("Erf", ["c"], ["y"], name: "erf")
      $0.value(11, "x", shape: [4, 300])
      $0.value(12, "y", shape: [4, 300])
    }
    let sharing = try plan(["-"], input: bytes).sharing
    let tanh = try #require(sharing.first { $0.step == "tanh" })
    #expect(tanh.kind == .overwrite && tanh.value == "a")
    #expect(tanh.refusal == "read again by product")
    let text = onnxInspect(["-", "--memory"], input: bytes)
    #expect(text.code == 0, "\(text.error)")
    #expect(
      text.lines.contains {
        $0.contains("tanh") && $0.contains("not in place") && $0.contains("read again by product")
      }, "\(text.output)")
    #expect(text.lines.contains { $0.contains("product") && $0.contains("overwrites") })
    let filtered = onnxInspect(["-", "--memory", "--filter", "op=Mul"], input: bytes)
    #expect(!filtered.output.contains("read again by product"))
  }

  @Test(arguments: networks)
  func thePageShowsAllParts(model: String) throws {
    let result = onnxInspect([model, "--memory"])
    #expect(result.code == 0, "\(result.error)")
    for text in [
      "arena and scratch of a run", "largest live set", "nothing in place", "without reuse",
      "live in the fullest stage", "live bytes of the arena by stage", "largest weights",
      "who shares whose memory",
    ] {
      #expect(result.output.contains(text), "\(text)")
    }
    let peak = try #require(try inspected([model]).plan).arena.largestLiveSet
    // The longest bar is that of the fullest stage.
    let bars = result.lines.filter { $0.contains("█") }
    let longest = bars.max { a, b in
      a.filter { $0 == "█" }.count < b.filter { $0 == "█" }.count
    }
    #expect(longest?.contains(readableSize(peak)) == true, "\(longest ?? "")")
  }

  @Test(arguments: [20, 80, 200])
  func memoryFitsTheTerminal(columns: Int) {
    for path in smallModels() {
      let result = onnxInspect([path, "--memory", "--color", "never"], columns: columns)
      let longest = result.lines.max { $0.count < $1.count } ?? ""
      #expect(longest.count <= columns, "\(path): \(longest)")
    }
  }

  // MARK: assertions

  @Test func assertionsOnMemory() throws {
    let memory = try #require(try inspected(["@resnet-digits.onnx"]).memory)
    let peak = try #require(memory.peak)
    for (flag, bytes) in [("--assert-peak", peak), ("--assert-arena", memory.arena)] {
      let fits = onnxInspect(["@resnet-digits.onnx", flag, "\(bytes)"])
      #expect(fits.code == 0 && fits.error.isEmpty)
      let exceeds = onnxInspect(["@resnet-digits.onnx", flag, "\(bytes - 1)"])
      #expect(exceeds.code == 1)
      #expect(exceeds.error.contains("\(flag): \(readableSize(bytes)) (\(bytes) bytes), more than"))
      // The page is there all the same.
      #expect(exceeds.output == fits.output)
    }
    #expect(onnxInspect(["@resnet-digits.onnx", "--assert-peak", "1GiB"]).code == 0)
    // Runs in flight count together.
    #expect(
      onnxInspect(
        ["@resnet-digits.onnx", "--concurrency", "2", "--assert-arena", "\(memory.arena)"]
      ).code == 1)
    let both = onnxInspect(
      ["@resnet-digits.onnx", "--assert-peak", "1", "--assert-arena", "1", "--assert-supported"])
    #expect(both.code == 1)
    #expect(both.error.split(separator: "\n").count == 2)
  }

  @Test func whatCannotBePlannedCannotBeAsserted() {
    let open = WireWriter.model {
      $0.node("Relu", ["x"], ["y"])
      $0.value(11, "x", shape: nil)
      $0.value(12, "y", shape: nil)
    }
    let unknown = WireWriter.model {
      $0.node("Sharpen", ["x"], ["y"])
      $0.value(11, "x")
      $0.value(12, "y")
    }
    for flags in [["--memory"], ["--assert-peak", "1GB"], ["--assert-arena", "1GB"]] {
      let free = onnxInspect(["-"] + flags, input: open)
      #expect(free.code == 64 && free.error.contains("add --shape x=..."), "\(free.error)")
      let lost = onnxInspect(["-"] + flags, input: unknown)
      #expect(lost.code == 2 && lost.error.contains("Sharpen"), "\(lost.error)")
    }
    let wrong = onnxInspect(["@resnet-digits.onnx", "--assert-peak", "much"])
    #expect(wrong.code == 64 && wrong.error.contains("'much' is no size"))
  }

  /// What follows from data has a bound here and none there.
  @Test func whatRunningTellsIsToldApart() throws {
    let bounded = WireWriter.model {
      $0.node("NonZero", ["x"], ["p"], name: "places")
      $0.node("Transpose", ["p"], ["y"], name: "turn")
      $0.value(11, "x", shape: [4, 8])
      $0.value(12, "y", type: 7, shape: nil)
    }
    let report = try inspected(["-"], input: bounded)
    #expect((report.memory?.rest ?? 0) >= 2 * 32 * 8)
    #expect(report.plan?.laterNodes == ["turn"])
    let nodes = Dictionary(uniqueKeysWithValues: report.graph.nodes.map { ($0.name, $0.plan) })
    #expect(nodes["places"]??.state == .host && nodes["turn"]??.state == .later)
    let unbounded = WireWriter.model {
      $0.node("NonZero", ["x"], ["p"], name: "places")
      $0.tensor(5, "s", type: 7, shape: [1]) { $0.packed(7, [-1]) }
      $0.node("Reshape", ["p", "s"], ["q"])
      $0.node("Expand", ["x", "q"], ["y"], name: "spread")
      $0.value(11, "x", shape: [4])
      $0.value(12, "y", shape: nil)
    }
    let memory = try #require(try inspected(["-"], input: unbounded).memory)
    #expect(memory.rest == nil && memory.peak == nil && memory.unbounded == ["spread"])
    let asserted = onnxInspect(["-", "--assert-peak", "1TiB"], input: unbounded)
    #expect(asserted.code == 1 && asserted.error.contains("no bound"), "\(asserted.error)")
    #expect(asserted.output.contains("what these make follows from data: 'spread'"))
  }

  /// Graphs of nodes are planned where their shapes are known, and what the larger one takes is the bound of an If.
  @Test func graphsOfNodesHavePlans() throws {
    try withTemporaryDirectory { directory in
      var builder = ModelBuilder()
      let x = builder.input("x", [1, 8, 6, 6])
      let condition = builder.input("c", [], type: .bool)
      var then = ModelBuilder()
      let inner = then.capture(x, as: "x")
      let w = then.constant(
        "w", try Tensor([Float](repeating: 0.1, count: 64), shape: [8, 8, 1, 1]))
      let convolved = then.node("Conv", [inner, w], output: "convolved")
      let rectified = then.node("Relu", [convolved], output: "rectified")
      var other = ModelBuilder()
      let same = other.capture(x, as: "x")
      let negated = other.node("Neg", [same], output: "negated")
      let chosen = builder.node(
        "If", [condition],
        attributes: [
          "then_branch": then.body(outputs: [rectified]),
          "else_branch": other.body(outputs: [negated]),
        ], output: "chosen")
      let y = builder.node("Exp", [chosen], output: "y")
      builder.graph[y].type = .tensor(.float32, shape: nil)
      let path = "\(directory)/m.onnx"
      try builder.write(outputs: [y], to: path)
      let report = try inspected([path])
      let plans = Dictionary(
        uniqueKeysWithValues: report.graph.allNodes.map { ($0.name, $0.plan) })
      #expect(plans["Conv_convolved"]??.state == .kernel)
      #expect(plans["Conv_convolved"]??.algorithm?.isEmpty == false)
      #expect(plans["Relu_rectified"]??.mergedInto == "Conv_convolved")
      #expect(plans["Neg_negated"]??.state == .kernel)
      #expect((report.memory?.rest ?? 0) >= 8 * 36 * 4 && report.memory?.peak != nil)
    }
  }
}
