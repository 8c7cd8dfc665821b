// onnx-inspect on models that cannot run, and on odd ones: all that can be told is told, each trouble once.

import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct InspectOddModelTests {
  /// x of 1x2x4x4, y of the last node.
  private func model(_ graph: @escaping (inout WireWriter) -> Void) -> [UInt8] {
    WireWriter.model {
      $0.string(2, "odd")
      graph(&$0)
      $0.value(11, "x", shape: [1, 2, 4, 4])
      $0.value(12, "y", shape: nil)
    }
  }

  private func report(_ bytes: [UInt8]) throws -> InspectReport {
    try inspected(["-"], input: bytes)
  }

  private func finding(
    _ kind: InspectFinding.Kind, _ report: InspectReport
  ) -> InspectFinding? {
    let found = report.findings.filter { $0.kind == kind }
    #expect(found.count <= 1, "\(found)")
    return found.first
  }

  // MARK: what cannot run

  @Test func unknownOperatorsAreToldOnce() throws {
    let bytes = model {
      $0.weights("w", [Float](repeating: 0.5, count: 8), shape: [4, 2, 1, 1])
      $0.node("Conv", ["x", "w"], ["a"], name: "conv")
      $0.node("Sharpen", ["a"], ["b"], name: "s1")
      // What follows from it is no trouble of its own.
      $0.node("Conv", ["b", "w"], ["c"], name: "lost")
      $0.node("Sharpen", ["c"], ["d"], name: "s2")
      $0.node("Relu", ["d"], ["y"], name: "relu")
    }
    let report = try report(bytes)
    #expect(report.problems.count == 1)
    let problem = try #require(report.problems.first)
    #expect(problem.kind == .unsupported)
    #expect(problem.reason == "the operator is not known; a CustomOperator can supply it")
    #expect(problem.subject == "Sharpen" && problem.names == ["s1", "s2"])
    // The one convolution whose shapes are known.
    #expect(report.size.multiplyAdds == 4 * 16 * 2 && report.size.uncounted == 3)
    #expect(report.size.parameters == 8 && report.memory == nil)
    let page = onnxInspect(["-"], input: bytes).output
    #expect(
      page.contains(
        "Sharpen: the operator is not known; a CustomOperator can supply it (2 nodes:\n    's1', 's2')"
      ))
  }

  /// Nodes of one name have plans of their own.
  @Test func namesThatRepeatDoNotMixNodesUp() throws {
    let report = try report(
      model {
        $0.weights("w", [Float](repeating: 0.5, count: 4), shape: [2, 2, 1, 1])
        $0.node("Conv", ["x", "w"], ["a"], name: "same")
        $0.node(
          "MaxPool", ["a"], ["b"], name: "same",
          attributes: [
            {
              $0.string(1, "kernel_shape")
              $0.packed(8, [2, 2])
              $0.int(20, 7)
            }
          ])
        $0.node("Relu", ["b"], ["y"], name: "same")
      })
    let plans = report.graph.nodes.map { $0.plan?.label }
    #expect(plans == ["im2col", "window", "elementwise"], "\(plans)")
    #expect(Set(report.graph.nodes.compactMap { $0.plan?.stage }).count == 3)
  }

  /// Only the node that nobody knows is unsupported, whatever others are called.
  @Test func namesThatRepeatDoNotMakeNodesUnsupported() throws {
    let report = try report(
      model {
        $0.node("Sharpen", ["x"], ["a"], name: "same")
        $0.node("Relu", ["x"], ["b"], name: "same")
        $0.node("Add", ["a", "b"], ["y"], name: "same")
      })
    #expect(report.graph.nodes.map(\.isSupported) == [false, true, true])
  }

  /// Neither the squares nor the range of doubles need be doubles.
  @Test func spreadThatNoDoubleHolds() throws {
    let huge = Double.greatestFiniteMagnitude
    let bytes = model {
      $0.tensor(5, "w", type: 11, shape: [3]) {
        $0.data(9, [huge, -huge, huge / 2].withUnsafeBytes { Array($0) })
      }
      $0.node("Relu", ["x"], ["y"])
    }
    let weight = try #require(inspected(["-", "--weights"], input: bytes).weights?.first)
    #expect(weight.statistics?.maximum == huge && weight.statistics?.deviation == nil)
    let histogram = weight.histogram
    #expect(histogram.first == 1 && histogram.last == 1 && histogram.reduce(0, +) == 3)
  }

  @Test func whatTheModelDeclaresIsUsedBehindAnUnknownOperator() throws {
    let report = try report(
      model {
        $0.weights("w", [Float](repeating: 0.5, count: 8), shape: [4, 2, 1, 1])
        $0.node("Sharpen", ["x"], ["a"])
        $0.node("Conv", ["a", "w"], ["y"])
        $0.value(13, "a", shape: [1, 2, 4, 4])
      })
    #expect(report.size.multiplyAdds == 4 * 16 * 2 && report.size.uncounted == 1)
  }

  @Test func failedInferenceIsToldWithItsNode() throws {
    let report = try report(
      model {
        $0.weights("w", [Float](repeating: 0.5, count: 12), shape: [4, 3, 1, 1])
        $0.node("Conv", ["x", "w"], ["a"], name: "conv")
        $0.node("Relu", ["a"], ["y"])
      })
    #expect(report.problems.count == 1)
    #expect(report.problems.first?.kind == .inference)
    #expect(report.problems.first?.names == ["conv"])
    #expect(report.problems.first?.reason == "2 input channels; the weights for 1 groups take 3")
  }

  @Test func subgraphsAreLookedInto() throws {
    let bytes = WireWriter.model {
      $0.node("Not", ["c"], ["n"])
      $0.node(
        "If", ["n"], ["y"], name: "choice",
        attributes: [
          attribute("then_branch") {
            $0.string(2, "then")
            $0.weights("w", [1, 2, 3])
            $0.node("Mul", ["x", "w"], ["t"])
            $0.value(12, "t", shape: [3])
          },
          attribute("else_branch") {
            $0.string(2, "else")
            $0.node("Sharpen", ["x"], ["e"], name: "inner")
            $0.node("Neg", ["x"], ["nobody"], name: "dead")
            $0.value(12, "e", shape: [3])
          },
        ])
      $0.value(11, "c", type: 9, shape: [])
      $0.value(11, "x", shape: [3])
      $0.value(12, "y", shape: [3])
    }
    let report = try report(bytes)
    #expect(report.size.nodes == 5 && report.size.parameters == 3)
    #expect(report.operators.map(\.name).sorted() == ["If", "Mul", "Neg", "Not", "Sharpen"])
    #expect(report.problems.contains { $0.names == ["inner"] })
    #expect(finding(.deadNodes, report)?.names == ["dead"])
    let multiplied = report.operators.first { $0.name == "Mul" }
    #expect(multiplied?.parameters == 3 && multiplied?.isSupported == true)
  }

  @Test func missingFilesAreListedWithTheirSizes() throws {
    let bytes = model {
      $0.external("w", location: "weights.bin", offset: 4096, shape: [4, 2, 1, 1])
      $0.external("b", location: "weights.bin", offset: 8192, shape: [4])
      $0.external("v", location: "../secret.bin", offset: 0, shape: [4, 4, 1, 1])
      $0.node("Conv", ["x", "w", "b"], ["a"])
      $0.node("Conv", ["a", "v"], ["y"])
    }
    try withTemporaryDirectory { directory in
      let path = "\(directory)/model.onnx"
      try FileBytes.write(bytes, to: path)
      let report = try inspected([path])
      #expect(report.problems.count == 2)
      #expect(report.problems.map(\.subject) == ["../secret.bin", "weights.bin"])
      #expect(report.problems[0].reason.contains("leads out of the model's directory"))
      #expect(report.problems[1].reason.contains("No such file"))
      #expect(report.problems[1].reason.contains("(8208 bytes)"))
      #expect(report.problems[1].names == ["w", "b"])
      // All else is there, memory too.
      #expect(report.size.parameters == 8 + 4 + 16)
      #expect(report.size.multiplyAdds == 4 * 16 * 2 + 4 * 16 * 4)
      #expect(finding(.standIns, report) != nil)
      let memory = try #require(report.memory)

      // As it is when the files are there.
      try FileBytes.write([UInt8](repeating: 0, count: 8208), to: "\(directory)/weights.bin")
      let rest = try inspected([path])
      #expect(rest.problems.map(\.subject) == ["../secret.bin"])
      #expect(rest.memory == memory)
      #expect(onnxInspect([path, "--assert-supported"]).code == 1)
    }
  }

  /// A shape that is not there cannot be planned with, and that is told.
  @Test func aMissingShapeEndsThePlan() throws {
    let report = try report(
      model {
        $0.external("s", location: "shape.bin", offset: 0, type: 7, shape: [2])
        $0.node("Reshape", ["x", "s"], ["y"])
      })
    #expect(report.memory == nil)
    #expect(report.problems.first?.kind == .externalData)
    #expect(
      report.problems.first?.reason.contains("a model given as bytes has no directory") == true)
  }

  @Test func openShapesAreToldWithTheOptionsToAdd() throws {
    let bytes = WireWriter.model {
      $0.node("Relu", ["x"], ["y"])
      $0.value(11, "x", shape: nil)
      $0.value(12, "y", shape: nil)
    }
    let report = try report(bytes)
    #expect(report.problems.isEmpty && report.memory == nil)
    #expect(finding(.openShape, report)?.message.contains("add --shape x=...") == true)
    let told = try inspected(["-", "--shape", "x=3x5"], input: bytes)
    #expect(told.memory?.outputs == 60 && finding(.openShape, told) == nil)
  }

  // MARK: what is odd

  @Test func oddWeightsAreCounted() throws {
    let report = try report(
      model {
        $0.weights("a", [1, .nan, .infinity, 1e-40, -1e-41, 0, -0.0, 2], shape: [1, 2, 1, 4])
        $0.weights("b", [.nan, 0], shape: [1, 2, 1, 1])
        $0.node("Mul", ["x", "a"], ["m"])
        $0.node("Add", ["m", "b"], ["y"])
      })
    let (denormal, nan, infinite) = (
      finding(.denormalWeights, report), finding(.notANumber, report), finding(.infinite, report)
    )
    #expect(denormal?.message.hasPrefix("2 weights are denormal") == true)
    #expect(nan?.message == "2 weights are NaN" && nan?.names == ["a", "b"])
    #expect(infinite?.message == "1 weight is infinite" && infinite?.names == ["a"])
  }

  @Test func whatNobodyReadsIsNamed() throws {
    let report = try report(
      model {
        $0.weights("unread", [1])
        $0.weights("read", [1])
        $0.node("Add", ["x", "read"], ["y"])
        $0.node("Neg", ["x"], ["n"], name: "first")
        $0.node("Neg", ["n"], ["m"], name: "second")
        $0.value(11, "spare")
      })
    #expect(finding(.unusedInitializers, report)?.names == ["unread"])
    #expect(finding(.deadNodes, report)?.names == ["first", "second"])
    #expect(finding(.unusedInputs, report)?.names == ["spare"])
    #expect(report.problems.isEmpty)
  }

  @Test func doublesAreNamedWithWhatTheyRepeat() throws {
    let many = (0..<300).map(Float.init)
    let report = try report(
      model {
        $0.weights("a", many, shape: [300, 1, 1, 1])
        $0.weights("b", many, shape: [300, 1, 1, 1])
        $0.weights("c", many.reversed(), shape: [300, 1, 1, 1])
        // Another shape, and one too small to matter.
        $0.weights("d", many, shape: [1, 300, 1, 1])
        $0.weights("e", [1], shape: [1, 1, 1, 1])
        $0.weights("f", [1], shape: [1, 1, 1, 1])
        $0.node("Sum", ["a", "b", "c", "d", "e", "f"], ["y"])
      })
    #expect(finding(.duplicateConstants, report)?.names == ["b = a"])
    #expect(finding(.duplicateConstants, report)?.message.contains("1.17 KiB") == true)
  }

  @Test(
    arguments: [
      (0, "a deviation of 0 gives infinities"), (-1e-5, "a deviation of 0 gives infinities"),
      (.nan, "a deviation of 0 gives infinities"), (0.5, "it weighs as much as a deviation"),
      (1e-20, "it is lost beside any deviation"), (1e-5, nil), (1e-3, nil), (1e-12, nil),
    ] as [(Float, String?)])
  func suspiciousEpsilons(epsilon: Float, reason: String?) throws {
    let report = try report(
      model {
        for name in ["s", "b", "m", "v"] { $0.weights(name, [1, 1]) }
        $0.node(
          "BatchNormalization", ["x", "s", "b", "m", "v"], ["a"], name: "n1",
          attributes: [attribute("epsilon", epsilon)])
        $0.node(
          "BatchNormalization", ["a", "s", "b", "m", "v"], ["y"], name: "n2",
          attributes: [attribute("epsilon", epsilon)])
      })
    let found = finding(.suspiciousEpsilon, report)
    #expect((found == nil) == (reason == nil))
    if let reason {
      #expect(found?.message.contains(reason) == true && found?.names == ["n1", "n2"])
    }
  }

  @Test func variancesBelowZero() throws {
    let report = try report(
      model {
        for name in ["s", "b", "m"] { $0.weights(name, [-1, 1]) }
        $0.weights("v", [1, -0.5])
        $0.node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"])
      })
    #expect(finding(.negativeVariance, report)?.names == ["v"])
  }

  @Test func whatTheReaderFindsOddIsTold() throws {
    let report = try report(
      WireWriter.model(irVersion: 999) {
        $0.node("Relu", ["x"], ["y"])
        $0.value(11, "x")
        $0.value(12, "y")
      })
    #expect(finding(.reader, report)?.message.contains("IR version 999") == true)
  }

  // MARK: parameters

  /// Files without weights make them of shapes: the light models of the onnx package do.
  @Test func parametersThatNodesMakeAreCountedWhereTheyAreRead() throws {
    let report = try report(
      model {
        $0.tensor(5, "shape", type: 7, shape: [4]) { $0.packed(7, [4, 2, 3, 3]) }
        $0.node("ConstantOfShape", ["shape"], ["w"])
        $0.node("Conv", ["x", "w"], ["a"])
        $0.node("Relu", ["a"], ["y"])
      })
    #expect(report.size.parameters == 0 && report.size.computedParameters == 72)
    #expect(report.operators.first { $0.name == "Conv" }?.parameters == 72)
    #expect(report.operators.first { $0.name == "ConstantOfShape" }?.parameters == 0)
  }

  @Test func aConstantThatSeveralNodesReadCountsOnce() throws {
    let report = try report(
      model {
        $0.weights("w", [Float](repeating: 0.5, count: 4), shape: [2, 2, 1, 1])
        $0.node("Conv", ["x", "w"], ["a"])
        $0.node("Conv", ["a", "w"], ["y"])
      })
    #expect(report.size.parameters == 4)
    #expect(report.operators.first { $0.name == "Conv" }?.parameters == 4)
    // Both convolutions read one packed copy.
    #expect((report.memory?.packedWeights ?? .max) < 2 * 16 * 16 * 4)
  }

  // MARK: hostile names

  @Test func namesCannotWriteToTheTerminal() {
    let evil = "a\u{1B}[2J\u{202E}\nb\u{7}"
    let header: (inout WireWriter) -> Void = {
      $0.string(2, evil)
      $0.string(4, evil)
      $0.string(6, evil)
      $0.message(14) {
        $0.string(1, evil)
        $0.string(2, evil)
      }
    }
    let bytes = WireWriter.model(extra: header) {
      $0.string(2, evil)
      $0.weights("w\(evil)", [.nan])
      $0.external("e\(evil)", location: evil, offset: 0, shape: [1])
      $0.node("Op\(evil)", ["x\(evil)", "w\(evil)", "e\(evil)"], ["y\(evil)"], name: evil)
      $0.value(11, "x\(evil)")
      $0.value(12, "y\(evil)")
    }
    for columns in [nil, 80, 200] {
      let result = onnxInspect(["-", "--color", "never"], input: bytes, columns: columns)
      #expect(result.code == 0, "\(result.error)")
      let allowed = result.output.unicodeScalars.allSatisfy { scalar in
        scalar == "\n" || ![.control, .format].contains(scalar.properties.generalCategory)
      }
      #expect(allowed, "\(result.output)")
      #expect(result.output.contains("\\u{1b}[2J"))
    }
  }
}
