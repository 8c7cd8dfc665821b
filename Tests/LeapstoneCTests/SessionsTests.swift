// Sessions as C sees them: how they are opened, what they say of the model, what they take as options.

import CLeapstone
import Foundation
import LeapTestSupport
import Leapstone
import Testing

@Suite struct SessionsTests {
  @Test func theModelDescribesItself() throws {
    let session = try Digits.session()
    defer { leapstone_session_free(session) }
    let expected = try InferenceSession(path: Digits.path)
    for (role, values) in [
      (LEAPSTONE_INPUT, expected.inputs), (LEAPSTONE_OUTPUT, expected.outputs),
      (LEAPSTONE_INITIALIZER, expected.overridableInitializers),
    ] {
      var count = 0
      try ok(leapstone_session_count(session, leapstone_role(role), &count))
      #expect(count == values.count)
      for (index, value) in values.enumerated() {
        let info = try #require(
          try made { leapstone_session_info(session, leapstone_role(role), index, $0) }
        ).pointee
        #expect(String(cString: info.name) == value.name)
        #expect(String(cString: info.type) == "tensor(float)")
        #expect(info.kind == LEAPSTONE_TENSOR)
        #expect(info.element_type == value.type.dataType?.rawValue)
        #expect(Int(info.rank) == value.type.shape?.count)
      }
    }
    let info = try #require(
      try made { leapstone_session_info(session, leapstone_role(LEAPSTONE_INPUT), 0, $0) }
    ).pointee
    #expect((0..<4).map { info.dimensions[$0] } == [-1, 1, 32, 32])
    #expect(info.symbols[0].map { String(cString: $0) } == "batch")
    #expect(info.symbols[1] == nil)
  }

  @Test func metadataAndNamesAreTheModels() throws {
    let session = try Digits.session()
    defer { leapstone_session_free(session) }
    let expected = try InferenceSession(path: Digits.path)
    let metadata = try #require(try made { leapstone_session_metadata(session, $0) }).pointee
    #expect(String(cString: metadata.producer_name) == expected.metadata.producerName)
    #expect(String(cString: metadata.graph_name) == expected.metadata.graphName)
    #expect(metadata.ir_version == Int64(expected.metadata.irVersion))
    #expect(metadata.opset_count == expected.metadata.opsets.count)
    #expect(metadata.opset_domains[0].map { String(cString: $0) } == "")
    #expect(metadata.opset_versions[0] == expected.metadata.opsets[""].map(Int64.init))
    #expect(metadata.property_count == expected.metadata.properties.count)

    var names: UnsafePointer<UnsafePointer<CChar>?>?
    var count = 0
    try ok(leapstone_session_value_names(session, &names, &count))
    let found = (0..<count).compactMap { names?[$0].map { String(cString: $0) } }
    #expect(found == expected.valueNames)
    try ok(leapstone_session_warnings(session, &names, &count))
    #expect(count == expected.warnings.count)
  }

  @Test func bytesAreAsGoodAsAFile() throws {
    let bytes = try Data(contentsOf: URL(fileURLWithPath: Digits.path))
    let session = try bytes.withUnsafeBytes { bytes in
      try made { leapstone_session_open_bytes(bytes.baseAddress, bytes.count, nil, $0) }
    }
    let other = try Digits.session()
    let input = try Digits.input()
    let results = [run(session, [("input", input)]), run(other, [("input", input)])]
    #expect(try floats(results[0].outputs[0]) == floats(results[1].outputs[0]))
    for result in results { try ok(leapstone_value_free(result.outputs[0])) }
    try ok(leapstone_value_free(input))
    try ok(leapstone_session_free(session))
    try ok(leapstone_session_free(other))
  }

  @Test(arguments: [
    ("no-such-model.onnx", LEAPSTONE_NO_SUCH_FILE), ("", LEAPSTONE_UNREADABLE),
    ("digits.txt", LEAPSTONE_NOT_ONNX), ("pictures/digit-0.png", LEAPSTONE_NOT_ONNX),
  ])
  func filesThatAreNoModels(name: String, status: Int) {
    var session: Handle?
    #expect(leapstone_session_open(TestData.path(name), nil, &session) == status)
    #expect(session == nil)
    #expect(message.contains(TestData.path(name)))
  }

  @Test(arguments: [0, 1, 1000])
  func bytesThatAreNoModel(count: Int) {
    let bytes = [UInt8](repeating: 0xFF, count: count)
    var session: Handle?
    let status = leapstone_session_open_bytes(bytes, count, nil, &session)
    #expect(status == LEAPSTONE_NOT_ONNX)
    #expect(session == nil)
  }

  @Test func hostileModelsAreErrors() throws {
    guard let folder = TestData.generated("hostile", variable: "HOSTILE_MODELS") else { return }
    for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
      guard name.hasSuffix(".onnx") else { continue }
      var session: Handle?
      if leapstone_session_open("\(folder)/\(name)", nil, &session) != LEAPSTONE_OK {
        #expect(session == nil)
        #expect(!message.isEmpty)
      } else {
        #expect(leapstone_session_free(session) == LEAPSTONE_OK)
      }
    }
  }

  @Test func weightsAreOwnedUnlessTheyAreToBeMapped() throws {
    let session = try Digits.session()
    let input = try Digits.input()
    let result = run(session, [("input", input)])
    try ok(result.status)
    var (mapped, owned): (UInt64, UInt64) = (1, 0)
    try ok(leapstone_session_weight_bytes(session, &mapped, &owned))
    #expect(mapped == 0)
    #expect(owned > 0)
    try ok(leapstone_value_free(result.outputs[0]))
    try ok(leapstone_value_free(input))
    try ok(leapstone_session_free(session))
  }

  @Test func workingMemoryIsPredicted() throws {
    let session = try Digits.session([("threads", "1")])
    defer { leapstone_session_free(session) }
    let expected = try InferenceSession(
      path: Digits.path,
      options: {
        var options = SessionOptions()
        options.threads = 1
        return options
      }())
    var bytes: UInt64 = 0
    "input".withCString { name in
      [2, 1, 32, 32].withUnsafeBufferPointer { (shape: UnsafeBufferPointer<Int64>) in
        #expect(
          leapstone_session_working_memory(session, [name], [shape.baseAddress], [4], 1, &bytes)
            == LEAPSTONE_OK)
      }
    }
    #expect(
      Int(bytes)
        == (try expected.memory.predicted(for: ["input": (.float32, [2, 1, 32, 32])]).peak))
    // The batch is not known.
    #expect(
      leapstone_session_working_memory(session, nil, nil, nil, 0, &bytes)
        == LEAPSTONE_INVALID_ARGUMENT)
    let bound = try Digits.session([("threads", "1"), ("dim", "batch=2")])
    let before = try {
      var bytes: UInt64 = 0
      try ok(leapstone_session_working_memory(bound, nil, nil, nil, 0, &bytes))
      return bytes
    }()
    #expect(before > 0)
    try ok(leapstone_session_free(bound))
  }

  @Test func everyOptionOfTheHeaderIsTaken() throws {
    let session = try Digits.session([
      ("threads", "2"), ("disable-pass", "all"), ("weights", "mapped"), ("memory-budget", "1GiB"),
      ("concurrency", "3"), ("cache", ""), ("queue", "0"), ("forbid", "winograd"),
      ("external-root", "/"),
      ("dim", "batch=1"), ("flush-denormals", "true"), ("memory-policy", "lean"),
      ("isa", "portable"),
    ])
    let input = try Digits.input()
    let result = run(session, [("input", input)])
    try ok(result.status)
    try ok(leapstone_value_free(result.outputs[0]))
    // The batch is bound to 1.
    let two = try Digits.input(batch: 2)
    #expect(run(session, [("input", two)]).status == LEAPSTONE_INVALID_ARGUMENT)
    for value in [input, two] { try ok(leapstone_value_free(value)) }
    try ok(leapstone_session_free(session))
  }

  @Test(arguments: SessionOptions.MemoryPolicy.allCases)
  func theMemoryPolicyIsThatOfSwift(policy: SessionOptions.MemoryPolicy) throws {
    var options = SessionOptions()
    options.memoryPolicy = policy
    try expectAgreement([("memory-policy", policy.rawValue)], options)
  }

  @Test(arguments: SessionOptions.InstructionSet.allCases)
  func theInstructionSetIsThatOfSwift(instructionSet: SessionOptions.InstructionSet) throws {
    let name = instructionSet.rawValue
    let available = String(cString: leapstone_instruction_sets()).split(separator: ",")
    guard available.contains(Substring(name)) else {
      let options = try made { leapstone_options_create($0) }
      try ok(leapstone_options_set(options, "isa", name))
      var session: Handle?
      #expect(
        leapstone_session_open(Digits.path, options, &session) == LEAPSTONE_INVALID_ARGUMENT)
      #expect(message.contains(name))
      try ok(leapstone_options_free(options))
      return
    }
    var options = SessionOptions()
    options.instructionSet = instructionSet
    try expectAgreement([("isa", name)], options)
  }

  /// Options of C and of Swift must mean the same: the results, and the weights that kernels packed.
  private func expectAgreement(_ texts: [(String, String)], _ options: SessionOptions) throws {
    var options = options
    options.weights = .owned
    let expected = try InferenceSession(path: Digits.path, options: options)
    let picture = try Tensor(Digits.picture, shape: [1, 1, 32, 32])
    let scores = try expected.run(["input": picture])["output"]?.elements(as: Float.self)
    let session = try Digits.session(texts)
    let input = try Digits.input()
    let result = run(session, [("input", input)])
    try ok(result.status)
    #expect(try floats(result.outputs[0]) == scores)
    var (mapped, owned): (UInt64, UInt64) = (0, 0)
    try ok(leapstone_session_weight_bytes(session, &mapped, &owned))
    #expect(Int(owned) == expected.memory.packedWeights)
    for value in [input, result.outputs[0]] { try ok(leapstone_value_free(value)) }
    try ok(leapstone_session_free(session))
  }

  @Test func aBudgetThatDoesNotSufficeIsAnError() throws {
    let session = try Digits.session([("memory-budget", "1KiB")])
    let input = try Digits.input()
    #expect(run(session, [("input", input)]).status == LEAPSTONE_OUT_OF_MEMORY)
    try ok(leapstone_value_free(input))
    try ok(leapstone_session_free(session))
  }

  @Test func theLibraryNamesItsVersionAndInstructionSets() throws {
    let version = try String(contentsOfFile: "\(TestData.checkout)/VERSION", encoding: .utf8)
    #expect(String(cString: leapstone_version()) + "\n" == version)
    #expect(String(cString: leapstone_instruction_sets()).hasSuffix("portable"))
  }
}
