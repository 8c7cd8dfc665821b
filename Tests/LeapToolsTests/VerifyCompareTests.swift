// onnx-verify compare: agreement, changed predictions, and whether a difference exceeds chance.

import LeapGraph
import LeapTensors
import LeapTestSupport
import LeapTools
import LeapstoneImage
import Testing

@Suite struct VerifyCompareTests {
  /// Scores as a model: it gives back what it gets.
  private func withScores(
    _ new: [[Float]], _ old: [[Float]], truth: [Int]? = nil, _ body: ([String]) throws -> Void
  ) throws {
    try withTemporaryDirectory { directory in
      let classes = new[0].count
      try writeIdentity(
        "\(directory)/m.onnx", [.symbol("n"), .fixed(classes)], output: "scores")
      func tensor(_ rows: [[Float]]) throws -> Tensor {
        try Tensor(rows.flatMap { $0 }, shape: [rows.count, classes])
      }
      try NPZ.write([NamedTensor("x", try tensor(new))], to: "\(directory)/in.npz")
      try NPZ.write([NamedTensor("scores", try tensor(old))], to: "\(directory)/old.npz")
      var arguments = [
        "compare", "\(directory)/m.onnx", "--against", "\(directory)/old.npz", "--inputs",
        "\(directory)/in.npz",
      ]
      if let truth {
        let text = truth.map { "\($0)\n" }.joined()
        try FileBytes.write(Array(text.utf8), to: "\(directory)/truth.txt")
        arguments += ["--truth", "\(directory)/truth.txt"]
      }
      try body(arguments)
    }
  }

  /// Ten rows of three classes: the best one as given.
  private func rows(_ best: [Int]) -> [[Float]] {
    best.map { best in (0..<3).map { $0 == best ? 5 : Float($0) / 10 } }
  }

  @Test func theSameModelIsIdentical() throws {
    let json = try verifyJSON([
      "compare", "@resnet-digits.onnx", "--against", "@resnet-digits.onnx", "--data",
      "@resnet-digits.npz",
    ])
    let output = json["compare"]?["outputs"]?.array?.first
    #expect(output?["identical_sets"] == 1 && output?["max"] == 0)
    #expect(json["compare"]?["changed"]?.array?.isEmpty == true)
    #expect(json["summary"]?.array?.first == "identical: 1 output of 1 set")
  }

  @Test func changedPredictionsAreListed() throws {
    try withScores(rows([0, 1, 2, 0, 1]), rows([0, 1, 1, 0, 2])) { arguments in
      let json = try verifyJSON(arguments)
      let found = try #require(json["compare"])
      #expect(found["predictions"] == 5)
      let changed = try #require(found["changed"]?.array)
      #expect(changed.map { $0["name"]?.string ?? "" } == ["inputs[2]", "inputs[4]"])
      #expect(changed.first?["new"]?["class"] == 2 && changed.first?["old"]?["class"] == 1)
      let agreement = found["outputs"]?.array?.first?["agreement"]
      #expect(agreement?["rows"] == 5 && agreement?["top1"] == 3 && agreement?["top5"] == 5)
      #expect(json["summary"]?.array?.first == "the best class is the same for 3 of 5 (60.0 %)")
      // The margin: e^5 over e^5 + 1 + e^0.1 and so on, less the second best.
      let margin = changed.first?["new"]?["margin"]?.double ?? 0
      #expect(margin > 0.97 && margin < 0.99)
    }
  }

  @Test func agreementIsHeldToALimit() throws {
    try withScores(rows([0, 1, 2, 0, 1]), rows([0, 1, 1, 0, 1])) { arguments in
      for (limit, code) in [("0.8", 0), ("80%", 0), ("0.81", 1), ("1", 1)] as [(String, Int32)] {
        #expect(onnxVerify(arguments + ["--min-agreement", limit]).code == code, "\(limit)")
      }
      let wrong = onnxVerify(arguments + ["--min-agreement", "80"])
      #expect(wrong.code == 64 && wrong.error.contains("'80' is no share from 0 to 1"))
      // Tolerances hold for outputs.
      #expect(onnxVerify(arguments + ["--atol", "10"]).code == 0)
      #expect(onnxVerify(arguments + ["--atol", "scores:0.1", "--rtol", "0"]).code == 1)
    }
  }

  @Test func chance() throws {
    // Nine of ten changes are for the better: 2 * (1 + 10) / 1024.
    let truth = [Int](repeating: 1, count: 10)
    let old = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    let new = [1, 1, 1, 1, 1, 1, 1, 1, 1, 0]
    try withScores(rows(new), rows(old), truth: truth) { arguments in
      let json = try verifyJSON(arguments)
      let found = try #require(json["compare"]?["truth"])
      #expect(found["better"] == 9 && found["worse"] == 1 && found["both_right"] == 0)
      #expect(abs((found["p"]?.double ?? 0) - 22.0 / 1024) < 1e-9)
      #expect(json["summary"]?.array?[1].string?.contains("that exceeds chance") == true)
    }
    // Three and one are nothing: 2 * (1 + 4) / 16.
    try withScores(rows([1, 1, 1, 0]), rows([0, 0, 0, 1]), truth: [1, 1, 1, 1]) { arguments in
      let json = try verifyJSON(arguments)
      #expect(abs((json["compare"]?["truth"]?["p"]?.double ?? 0) - 0.625) < 1e-9)
      #expect(json["summary"]?.array?[1].string?.contains("no more than chance") == true)
    }
    try withScores(rows([1, 0]), rows([1, 0]), truth: [1, 1]) { arguments in
      let json = try verifyJSON(arguments)
      #expect(json["compare"]?["truth"]?["p"] == 1)
    }
    // Too few classes for the rows.
    try withScores(rows([1, 0]), rows([1, 0]), truth: [1]) { arguments in
      let result = onnxVerify(arguments)
      #expect(result.code == 2 && result.error.contains("the file has 1 classes"))
    }
  }

  @Test func outputsByNameByPlaceAndByHand() throws {
    try withTemporaryDirectory { directory in
      func write(_ name: String, _ outputs: [String], scale: Float = 1) throws {
        var builder = ModelBuilder()
        let x = builder.input("x", [4])
        var ids: [ValueID] = []
        for (index, output) in outputs.enumerated() {
          let factor = builder.constant("c\(index)", try Tensor([Float(index + 1) * scale]))
          let y = builder.node("Mul", [x, factor], output: output)
          builder.graph[y].type = .tensor(.float32, shape: [4])
          ids.append(y)
        }
        try builder.write(outputs: ids, to: "\(directory)/\(name).onnx")
      }
      try write("new", ["a", "b"])
      try write("same", ["b", "a"])
      try write("other", ["p", "q"])
      try write("three", ["p", "q", "r"])
      func compare(_ old: String, _ options: [String] = []) -> ToolResult {
        onnxVerify(
          [
            "compare", "\(directory)/new.onnx", "--against", "\(directory)/\(old).onnx", "--random",
            "0",
          ]
            + ["--format", "csv", "--rtol", "1e-6", "--atol", "0"] + options)
      }
      // Names go before places: b and a are swapped, and so differ.
      #expect(compare("same").code == 1)
      #expect(compare("same", ["--map", "a=b", "--map", "b=a"]).code == 0)
      let places = compare("other")
      #expect(
        places.code == 0 && places.lines[1].hasPrefix("a,p,") && places.lines[2].hasPrefix("b,q,"))
      let open = compare("three")
      #expect(open.code == 64 && open.error.contains("say which to compare: --map NEW=OLD"))
      #expect(compare("three", ["--map", "b=q"]).code == 0)
      let unknown = compare("three", ["--map", "b=x"])
      #expect(unknown.code == 64 && unknown.error.contains("the old model has no output 'x'"))
      #expect(compare("three", ["--map", "b"]).error.contains("'b' is not NEW=OLD"))
    }
  }

  @Test func masksAreCompared() throws {
    try withTemporaryDirectory { directory in
      try writeIdentity("\(directory)/m.onnx", [1, 1, 2, 4], output: "mask")
      func write(_ name: String, _ values: [Float], key: String) throws {
        try NPZ.write(
          [NamedTensor(key, try Tensor(values, shape: [1, 1, 2, 4]))], to: "\(directory)/\(name)")
      }
      // Class 1: three pixels and four, three in both. Class 0: five and four, four in both.
      try write("in.npz", [1, 1, 1, 0, 0, 0, 0, 0], key: "x")
      try write("old.npz", [1, 1, 1, 1, 0, 0, 0, 0], key: "mask")
      let arguments = [
        "compare", "\(directory)/m.onnx", "--against", "\(directory)/old.npz", "--inputs",
        "\(directory)/in.npz",
      ]
      let json = try verifyJSON(arguments)
      let iou = json["compare"]?["outputs"]?.array?.first?["mean_iou"]?.double ?? 0
      #expect(abs(iou - (0.75 + 0.8) / 2) < 1e-9)
      #expect(onnxVerify(arguments + ["--min-agreement", "0.77"]).code == 0)
      #expect(onnxVerify(arguments + ["--min-agreement", "0.78"]).code == 1)
    }
  }

  @Test func picturesAndTheirClasses() throws {
    let pictures = (0..<10).map { "@pictures/digit-\($0).png" }
    try withTemporaryDirectory { directory in
      let truth = "\(directory)/truth.csv"
      let lines = ["file,class"] + (0..<10).map { "digit-\($0).png,\($0)" }
      try FileBytes.write(Array(lines.joined(separator: "\n").utf8), to: truth)
      let arguments =
        [
          "compare", "@resnet-digits.onnx", "--against", "@densenet-digits.onnx", "--preset",
          "unit",
        ]
        + ["--truth", truth, "--labels", "@digits.txt", "--image"] + pictures
      let json = try verifyJSON(arguments)
      #expect(json["compare"]?["predictions"] == 10)
      let counts = try #require(json["compare"]?["truth"])
      let sum = ["both_right", "better", "worse", "both_wrong"].reduce(0) {
        $0 + (counts[$1]?.int ?? 0)
      }
      #expect(sum == 10 && (counts["both_right"]?.int ?? 0) >= 8)
      for columns in [80, 200] {
        for line in onnxVerify(arguments, columns: columns).lines { #expect(line.count <= columns) }
      }
      // In batches it is the same.
      let batches = try verifyJSON(arguments + ["--batch", "4"])
      #expect(batches["compare"]?["truth"] == counts)
    }
  }

  @Test(arguments: [
    (["compare", "@resnet-digits.onnx"], "what with? add --against OLD.onnx or FILE.npz"),
    (["compare", "@resnet-digits.onnx", "--against", "x.pt"], "ends neither in .onnx nor in .npz"),
    (
      ["compare", "@resnet-digits.onnx", "--against", "@unet-shapes.onnx", "--truth", "dirs"],
      "--truth dirs goes with --image"
    ),
    (
      [
        "compare", "@unet-shapes.onnx", "--against", "@unet-shapes.onnx", "--random", "0", "--map",
        "y=output",
      ],
      "the new model has no output 'y'; it has 'output'"
    ),
  ])
  func wrongUsageIsTold(arguments: [String], message: String) {
    let result = onnxVerify(arguments)
    #expect(result.code == 64 && result.error.contains(message), "\(result.error)")
  }
}
