// Options of onnx-run by what they do to a run: where weights are found, which algorithms compute, what a picture becomes.

import Foundation
import LeapTestSupport
import LeapTools
import Leapstone
import LeapstoneImage
import Testing

@Suite struct RunOptionTests {
  // MARK: --input

  /// A model of `y = x + w`, where `w` is an input with a default.
  private static let defaulted = WireWriter.model {
    $0.node("Add", ["x", "w"], ["y"])
    $0.message(5) {
      $0.int(1, 2)
      $0.int(2, 1)
      $0.string(8, "w")
      $0.data(9, [Float(10), 20].withUnsafeBytes { Array($0) })
    }
    $0.value(11, "x", shape: [2])
    $0.value(11, "w", shape: [2])
    $0.value(12, "y", shape: [2])
  }

  @Test func filesReplaceTheDefaultsOfInputs() throws {
    try withTemporaryDirectory { directory in
      try write(Self.defaulted, "\(directory)/model.onnx")
      try NPZ.write([NamedTensor("x", try Tensor([Float(1), 2]))], to: "\(directory)/x.npz")
      try NPZ.write(
        [
          NamedTensor("x", try Tensor([Float(1), 2])), NamedTensor("w", try Tensor([Float(5), 6])),
        ],
        to: "\(directory)/both.npz")
      for (inputs, expected) in [("x", [Float(11), 22]), ("both", [6, 8])] {
        let result = onnxRun([
          "\(directory)/model.onnx", "--inputs", "\(directory)/\(inputs).npz", "--save",
          "\(directory)/y.npz",
        ])
        #expect(result.code == 0, "\(result.error)")
        #expect(try NPZ.read("\(directory)/y.npz")[0].tensor.elements(as: Float.self) == expected)
      }
    }
  }

  // MARK: names of algorithms

  @Test(arguments: ["--algorithm", "--forbid"]) func algorithmsThatAreNoneAreRefused(flag: String)
    throws
  {
    try withTemporaryDirectory { directory in
      try write(Self.defaulted, "\(directory)/model.onnx")
      let result = onnxRun(["\(directory)/model.onnx", "--random", "0", flag, "winnograd"])
      #expect(result.code == 64)
      #expect(result.error.contains("'winnograd'") && result.error.contains("winograd4"))
    }
  }

  // MARK: --cache

  @Test func aCacheIsKeptAndChangesNoResult() throws {
    try withTemporaryDirectory { directory in
      var saved: [[UInt8]] = []
      for flags in [[], ["--cache", directory], ["--cache", directory]] {
        try withTemporaryDirectory { results in
          let result = onnxRun(
            ["@resnet-digits.onnx", "--random", "1", "--save", "\(results)/y.npz"] + flags)
          #expect(result.code == 0 && !result.error.contains("cache"), "\(result.error)")
          saved.append(try contents("\(results)/y.npz"))
        }
      }
      #expect(saved[1] == saved[0] && saved[2] == saved[0])
      #expect(try FileNames.of(directory).count == 1)
    }
  }

  @Test func aCacheThatCannotBeIsAWarning() throws {
    let result = onnxRun(["@resnet-digits.onnx", "--random", "1", "--cache", "/dev/null"])
    #expect(result.code == 0)
    #expect(result.error.contains("warning: the cache keeps nothing: /dev/null: "))
  }

  // MARK: --external-root

  /// A model of `y = x + first + second`, three vectors of 2, whose constants lie in files beside it.
  private static let sum = WireWriter.model {
    $0.node("Add", ["x", "first"], ["part"])
    $0.node("Add", ["part", "second"], ["y"])
    for name in ["first", "second"] {
      $0.message(5) {
        $0.int(1, 2)
        $0.int(2, 1)
        $0.string(8, name)
        $0.message(13) {
          $0.string(1, "location")
          $0.string(2, "\(name).bin")
        }
        $0.int(14, 1)
      }
    }
    $0.value(11, "x", shape: [2])
    $0.value(12, "y", shape: [2])
  }

  /// Writes the model and its input into one directory, and each constant into one of its own; the paths of all three.
  private func withSum(
    _ body: (_ directory: String, _ first: String, _ second: String) throws -> Void
  )
    throws
  {
    try withTemporaryDirectory { directory in
      try write(Self.sum, "\(directory)/model.onnx")
      try NPZ.write([NamedTensor("x", try Tensor([Float(1), 2]))], to: "\(directory)/x.npz")
      try withTemporaryDirectory { first in
        try withTemporaryDirectory { second in
          try write([Float(10), 20].withUnsafeBytes { Array($0) }, "\(first)/first.bin")
          try write([Float(100), 200].withUnsafeBytes { Array($0) }, "\(second)/second.bin")
          try body(directory, first, second)
        }
      }
    }
  }

  private func runSum(_ directory: String, _ roots: [String]) -> ToolResult {
    onnxRun(
      ["\(directory)/model.onnx", "--inputs", "\(directory)/x.npz"]
        + ["--save", "\(directory)/y.npz"] + roots.flatMap { ["--external-root", $0] })
  }

  @Test func externalRootsAreSearched() throws {
    try withSum { directory, first, second in
      let without = runSum(directory, [second])
      #expect(without.code == 2)
      #expect(
        without.error.contains("external data of 'first' (location 'first.bin'): No such file"),
        "\(without.error)")
      #expect(!FileManager.default.fileExists(atPath: "\(directory)/y.npz"))
      let with = runSum(directory, [first, second])
      #expect(with.code == 0, "\(with.error)")
      let saved = try TestData.arrays("\(directory)/y.npz")
      #expect(saved["y"]?.elements(as: Float.self) == [111, 222])
    }
  }

  @Test func externalRootsPermitLinksThatLeadThere() throws {
    try withSum { directory, first, second in
      for (root, name) in [(first, "first"), (second, "second")] {
        try FileManager.default.createSymbolicLink(
          atPath: "\(directory)/\(name).bin", withDestinationPath: "\(root)/\(name).bin")
      }
      let without = runSum(directory, [first])
      #expect(without.code == 2)
      #expect(
        without.error.contains("'second.bin'): a link leads out of the model's directory"),
        "\(without.error)")
      let with = runSum(directory, [first, second])
      #expect(with.code == 0, "\(with.error)")
      let saved = try TestData.arrays("\(directory)/y.npz")
      #expect(saved["y"]?.elements(as: Float.self) == [111, 222])
    }
  }

  // MARK: --forbid

  /// Whatever convolutions use is forbidden for the next run, which then uses none of it, until a node has nothing left.
  @Test func forbiddenAlgorithmsComputeNothing() throws {
    let expected = try TestData.arrays(TestData.path("resnet-digits.npz"))["out:output"]
    try withTemporaryDirectory { directory in
      var forbidden: Set<String> = []
      func run() -> ToolResult {
        onnxRun(
          ["@resnet-digits.onnx", "--inputs", "@resnet-digits.npz", "--save"]
            + ["\(directory)/out.npz", "--profile", "\(directory)/trace.json"]
            + forbidden.sorted().flatMap { ["--forbid", $0] })
      }
      var result = run()
      for _ in 0..<20 where result.code == 0 {
        let output = try TestData.arrays("\(directory)/out.npz")["output"]
        #expect(Comparison.distance(output, expected) < 1e-5)
        let events = try contents(json: "\(directory)/trace.json")["traceEvents"]?.array ?? []
        let steps = events.compactMap { $0["args"] }.filter { $0["operator"] == "Conv" }
        let used = Set(steps.compactMap { $0["algorithm"]?.string })
        #expect(!used.isEmpty && used.isDisjoint(with: forbidden), "\(used) despite \(forbidden)")
        forbidden.formUnion(used)
        result = run()
      }
      #expect(forbidden.count > 2)
      #expect(result.code == 2)
      #expect(result.error.contains("node '/stem/conv/Conv'"), "\(result.error)")
      #expect(result.error.contains("every algorithm that it has is forbidden"), "\(result.error)")
    }
  }

  // MARK: --interpolation, --exif

  /// What a network of this many rows and columns is given of a picture: the network returns its input, values from 0 to 255.
  private func prepared(
    _ picture: [UInt8], rows: Int, columns: Int, _ options: [String]
  ) throws -> Tensor {
    try withTemporaryDirectory { directory in
      let shape: [Int64] = [1, Int64(rows), Int64(columns), 3]
      let identity = WireWriter.model {
        $0.node("Identity", ["x"], ["y"])
        $0.value(11, "x", shape: shape)
        $0.value(12, "y", shape: shape)
      }
      try write(picture, "\(directory)/picture")
      let result = onnxRun(
        ["-", "--preset", "none", "--layout", "nhwc", "--save", "\(directory)/y.npz"] + options
          + ["--image", "\(directory)/picture"], input: identity)
      try #require(result.code == 0, "\(result.error)")
      return try #require(try TestData.arrays("\(directory)/y.npz")["y"])
    }
  }

  /// The largest difference between what a network is given and a picture that Pillow made.
  private func distance(_ given: Tensor, _ key: String) throws -> Float {
    let arrays = try TestData.arrays(TestData.path("pictures/expected.npz"))
    let expected = try #require(arrays[key])
    try #require(given.shape.dimensions == [1] + expected.shape.dimensions)
    let pairs = zip(
      try #require(given.elements(as: Float.self)), try #require(expected.elements(as: UInt8.self)))
    return pairs.map { abs($0 - Float($1)) }.max() ?? .infinity
  }

  @Test(arguments: Interpolation.allCases, [(24, 32), (61, 75)])
  func interpolationsArePillows(_ filter: Interpolation, _ size: (rows: Int, columns: Int)) throws {
    let source = try #require(
      try TestData.arrays(TestData.path("pictures/expected.npz"))["source:rgb"])
    let picture = try Image(
      width: source.shape[1], height: source.shape[0], channels: 3,
      pixels: try #require(source.elements(as: UInt8.self)))
    let given = try prepared(
      try picture.encodedPNG(), rows: size.rows, columns: size.columns,
      ["--interpolation", filter.rawValue])
    let key = "resized:rgb:\(filter.rawValue):\(size.rows)x\(size.columns)"
    // Lanczos' sines may differ in their last bit from Pillow's.
    #expect(try distance(given, key) <= (filter == .lanczos ? 1 : 0))
  }

  /// The picture is 14 wide and 9 high as it is stored; the orientations from 5 on stand it up.
  @Test(arguments: 1...8)
  func picturesAreTurnedWhereThatIsAskedFor(orientation: Int) throws {
    let name = "jpeg-orientation-\(orientation)"
    let arrays = try TestData.arrays(TestData.path("pictures/expected.npz"))
    let picture = try #require(arrays["file:\(name)"]?.elements(as: UInt8.self))
    let (rows, columns) = orientation < 5 ? (9, 14) : (14, 9)
    let turned = try prepared(
      picture, rows: rows, columns: columns, ["--resize", "none", "--exif"])
    #expect(try distance(turned, "oriented:\(name)") <= 1)
    let stored = try prepared(picture, rows: 9, columns: 14, ["--resize", "none"])
    #expect(try distance(stored, "decoded:\(name)") <= 1)
  }
}

private func write(_ bytes: [UInt8], _ path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}
