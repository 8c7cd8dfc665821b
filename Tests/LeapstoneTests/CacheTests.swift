// The cache of packed weights: sessions that find one compute the same to the bit, and whatever lies in its place.

import LeapTensors
import LeapTestSupport
import Leapstone
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

/// A directory for a cache, gone when the tests are done: not before, when a test might have read its path already.
private final class CacheDirectory: Sendable {
  let path: String
  private static let made = Mutex<[CacheDirectory]>([])
  private static let removal: Void = {
    atexit { CacheDirectory.made.withLock { made in for directory in made { directory.remove() } } }
    return ()
  }()

  init() throws {
    var template = Array("/tmp/leapstone-cache-XXXXXX".utf8CString)
    path = try #require(mkdtemp(&template).map { String(cString: $0) })
    CacheDirectory.made.withLock { $0.append(self) }
    CacheDirectory.removal
  }

  private func remove() {
    for name in names {
      unlink("\(path)/\(name)")
      rmdir("\(path)/\(name)")
    }
    rmdir(path)
  }

  /// What lies in it.
  var names: [String] { CacheDirectory.names(in: path) }

  static func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names.filter { $0 != "." && $0 != ".." }.sorted()
  }

  /// The one file in it.
  func file() throws -> String {
    let names = names
    try #require(names.count == 1, "\(names)")
    return "\(path)/\(names[0])"
  }
}

/// What can be done to a file of the cache, or put in its place.
enum Damage: String, CaseIterable, CustomTestStringConvertible {
  case empty, header, key, table, firstWeight, lastWeight, truncated, longer, garbage
  case directory, fifo, link, danglingLink, writableByGroup, writableByOthers, hugeCounts

  var testDescription: String { rawValue }

  func apply(to path: String) throws {
    var bytes = try CacheTests.read(path)
    switch self {
    case .empty: bytes = []
    case .header: bytes[17] ^= 1
    case .key: bytes[70] ^= 1
    // The table lies between the key and the first weight.
    case .table: bytes[64 + Int(bytes[16]) + Int(bytes[17]) * 256 + 40] ^= 0x10
    case .firstWeight: bytes[CacheImage(bytes)[CacheImage(bytes).firstPlace]] ^= 0x80
    case .lastWeight: bytes[bytes.count - 1] ^= 1
    case .truncated: bytes.removeLast(bytes.count / 3)
    case .longer: bytes += [0]
    case .garbage: for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index) }
    case .hugeCounts: for index in 16..<40 { bytes[index] = 0xFF }
    case .writableByGroup: return try #require(chmod(path, 0o660) == 0)
    case .writableByOthers: return try #require(chmod(path, 0o602) == 0)
    case .directory:
      unlink(path)
      return try #require(mkdir(path, 0o700) == 0)
    case .fifo:
      unlink(path)
      return try #require(mkfifo(path, 0o600) == 0)
    case .link, .danglingLink:
      let target = "\(path).target"
      try #require(rename(path, target) == 0)
      try #require(symlink(target, path) == 0)
      if self == .danglingLink { unlink(target) }
      return
    }
    try CacheTests.write(bytes, to: path)
  }
}

/// Untruths of a file whose digests are right.
enum Forgery: String, CaseIterable, CustomTestStringConvertible {
  case keyBeyondTheEnd, keyNegative, tableBeyondTheEnd, sumOverflows, moreEntries, fewerEntries
  case nameBeyondTheEnd, nameNegative, weightBeyondTheEnd, weightTooLong, weightNegative
  case weightInTheTable, weightMisaligned, weightsExchanged, shorterWeight, otherKey

  var testDescription: String { rawValue }
}

/// The bytes of a file of the cache, by its words.
struct CacheImage {
  private(set) var bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The 64-bit word at a place.
  subscript(_ offset: Int) -> Int {
    get { bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int.self) } }
    set {
      let word = newValue
      withUnsafeBytes(of: word) { bytes.replaceSubrange(offset..<offset + 8, with: $0) }
    }
  }

  private var table: Int { 64 + self[16] }
  /// Where the table says where the first weight lies.
  var firstPlace: Int { table + 8 + self[table] }
  private var secondPlace: Int { firstPlace + 24 + 8 + self[firstPlace + 24] }

  mutating func apply(_ forgery: Forgery) {
    let (table, place, second) = (table, firstPlace, secondPlace)
    switch forgery {
    case .keyBeyondTheEnd: self[16] = bytes.count
    case .keyNegative: self[16] = -1
    case .tableBeyondTheEnd: self[24] = bytes.count
    case .sumOverflows: (self[16], self[24]) = (.max, .max)
    case .moreEntries: self[32] += 1
    case .fewerEntries: self[32] = 0
    case .nameBeyondTheEnd: self[table] = bytes.count
    case .nameNegative: self[table] = -8
    case .weightBeyondTheEnd: self[place] = bytes.count / 64 * 64 + 64
    case .weightTooLong: self[place + 8] = bytes.count
    case .weightNegative: self[place] = -64
    case .weightInTheTable: self[place] = 0
    case .weightMisaligned: self[place] += 4
    case .weightsExchanged: (self[place], self[second]) = (self[second], self[place])
    case .shorterWeight: self[place + 8] -= 4
    case .otherKey: bytes[70] ^= 1
    }
  }

  /// Makes the digests of what the header says right, as far as it says anything sensible.
  mutating func seal() {
    let end = 64.addingReportingOverflow(self[16]).partialValue
      .addingReportingOverflow(self[24]).partialValue
    if (64...bytes.count).contains(end) {
      self[48] = Int(bitPattern: UInt(digest(64..<end)))
    }
    self[56] = Int(bitPattern: UInt(digest(0..<56)))
  }

  private func digest(_ range: Range<Int>) -> UInt64 {
    bytes.withUnsafeBytes { Digest.xxh64(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}

private func isSame(_ a: Tensor, _ b: Tensor) -> Bool {
  a.shape == b.shape
    && a.withUnsafeBytes { a in b.withUnsafeBytes { b in a.elementsEqual(b) } }
}

@Suite struct CacheTests {
  private let directory: CacheDirectory
  private let network: TrainedNetwork
  private let input: Tensor

  init() throws {
    directory = try CacheDirectory()
    network = try #require(try TrainedNetwork.all().first)
    input = try #require(
      try TestData.arrays(TestData.path("\(network.name).npz"))["in:input"])
  }

  static func read(_ path: String) throws -> [UInt8] {
    let file = try #require(fopen(path, "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 24)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<count])
  }

  static func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "w"))
    defer { fclose(file) }
    try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
  }

  private func options(_ change: (inout SessionOptions) -> Void = { _ in }) -> SessionOptions {
    var options = SessionOptions()
    options.weights = .owned
    options.cacheDirectory = directory.path
    change(&options)
    return options
  }

  private func output(_ session: InferenceSession) throws -> Tensor {
    try #require(try session.run(["input": input])["output"])
  }

  /// What a session without a cache computes.
  private func expected() throws -> Tensor { try output(network.session()) }

  @Test(arguments: try TrainedNetwork.all())
  func resultsAreTheSameToTheBit(network: TrainedNetwork) throws {
    let arrays = try TestData.arrays(TestData.path("\(network.name).npz"))
    let input = try #require(arrays["in:input"])
    let expected = try #require(try network.session().run(["input": input])["output"])
    for use in 0..<3 {
      let session = try network.session(options())
      #expect(session.warnings.isEmpty)
      let got = try #require(try session.run(["input": input])["output"])
      #expect(isSame(got, expected))
      #expect((session.memory.mappedWeights > 0) == (use > 0))
      if use > 0 { #expect(session.memory.packedWeights < session.memory.mappedWeights) }
    }
    _ = try directory.file()
  }

  /// The weights of graphs that nodes run are kept too: each graph's own, also where two call theirs the same.
  @Test func weightsInGraphsOfNodesAreKept() throws {
    func weights(_ seed: Int) throws -> Tensor {
      try Tensor((0..<64 * 64).map { Float(($0 * 7 + seed) % 13 - 6) / 64 }, shape: [64, 64])
    }
    var builder = ModelBuilder()
    let x = builder.input("x", [1, 64])
    let condition = builder.input("c", [], type: .bool)
    let count = builder.constant("count", try Tensor(scalar: Int64(3)))
    let first = builder.node("MatMul", [x, builder.constant("w", try weights(1))], output: "first")
    var body = ModelBuilder()
    _ = body.input("i", [], type: .int64)
    let on = body.input("on", [], type: .bool)
    let (value, asked) = (body.input("value"), body.capture(condition, as: "c"))
    let product = body.node(
      "MatMul", [value, body.constant("u", try weights(2))], output: "second")
    func branch(_ seed: Int) throws -> Attribute {
      var branch = ModelBuilder()
      let inner = branch.capture(product, as: "second")
      let result = branch.node(
        "MatMul", [inner, branch.constant("v", try weights(seed))], output: "third")
      return branch.body(outputs: [result])
    }
    let chosen = body.node(
      "If", [asked],
      attributes: ["then_branch": try branch(3), "else_branch": try branch(4)], output: "chosen")
    let result = builder.node(
      "Loop", [count, nil, first], attributes: ["body": body.body(outputs: [on, chosen])],
      output: "result")
    let path = "\(try CacheDirectory().path)/model.onnx"
    try builder.write(outputs: [result], to: path)
    func outputs(_ session: InferenceSession) throws -> [Tensor] {
      let x = try Tensor((0..<64).map { Float($0 % 5) }, shape: [1, 64])
      return try [true, false].map { flag in
        try #require(try session.run(["x": x, "c": try Tensor(scalar: flag)])["result"])
      }
    }
    let expected = try outputs(InferenceSession(path: path))
    #expect(!isSame(expected[0], expected[1]))
    for use in 0..<3 {
      let session = try InferenceSession(path: path, options: options())
      let got = try outputs(session)
      #expect(zip(got, expected).allSatisfy { isSame($0, $1) })
      let bytes = 64 * 64 * 4
      #expect((session.memory.mappedWeights >= 4 * bytes) == (use > 0))
      #expect((session.memory.packedWeights < bytes) == (use > 0))
    }
  }

  @Test func theFileIsTheUsersAlone() throws {
    let inner = "\(directory.path)/a/b"
    let session = try network.session(options { $0.cacheDirectory = inner })
    _ = try output(session)
    var status = stat()
    #expect(stat(inner, &status) == 0 && status.st_mode & 0o777 == 0o700)
    let names = CacheDirectory.names(in: inner)
    #expect(names.count == 1)
    for name in names {
      #expect(stat("\(inner)/\(name)", &status) == 0 && status.st_mode & 0o777 == 0o600)
      unlink("\(inner)/\(name)")
    }
    rmdir(inner)
    rmdir("\(directory.path)/a")
  }

  @Test func openingIsEnough() throws {
    _ = try network.session(options())
    let session = try network.session(options())
    #expect(session.memory.mappedWeights > 0)
  }

  @Test(arguments: Damage.allCases)
  func whatIsDamagedIsMadeAnew(damage: Damage) throws {
    _ = try network.session(options())
    let path = try directory.file()
    let whole = try Self.read(path)
    try damage.apply(to: path)
    let session = try network.session(options())
    #expect(isSame(try output(session), try expected()))
    #expect(session.warnings.isEmpty)
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & (S_IFMT | 0o777) == S_IFREG | 0o600)
    #expect(try Self.read(path) == whole)
    let last = try network.session(options())
    #expect(
      last.memory.mappedWeights > 0,
      "\(last.warnings), \(last.memory.packedWeights), \(directory.names), \(path)")
  }

  /// Files whose digests are right, of which nothing else is.
  @Test(arguments: Forgery.allCases)
  func whatIsForgedIsMadeAnew(forgery: Forgery) throws {
    _ = try network.session(options())
    let path = try directory.file()
    let whole = try Self.read(path)
    var forged = CacheImage(whole)
    forged.apply(forgery)
    forged.seal()
    #expect(forged.bytes != whole)
    try Self.write(forged.bytes, to: path)
    let session = try network.session(options())
    #expect(isSame(try output(session), try expected()))
    #expect(session.warnings.isEmpty)
    #expect(try Self.read(path) == whole)
  }

  /// The disk is full: a file may grow no longer.
  @Test func aFullDiskIsAWarning() async throws {
    await #expect(processExitsWith: .success) {
      let test = try CacheTests()
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 10_000, rlim_max: 10_000)
      try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
      let session = try test.network.session(test.options())
      #expect(isSame(try test.output(session), try test.expected()))
      #expect(session.warnings.count == 1)
      #expect(session.warnings.first?.contains("the cache keeps nothing: ") == true)
      #expect(test.directory.names.isEmpty)
    }
  }

  /// A damaged weight does not take the others with it.
  @Test func aDamagedWeightIsTheOnlyOneThatIsPacked() throws {
    _ = try network.session(options())
    let whole = try network.session(options()).memory
    try Damage.lastWeight.apply(to: directory.file())
    let session = try network.session(options())
    #expect(session.memory.mappedWeights > 0)
    #expect(session.memory.mappedWeights < whole.mappedWeights)
    #expect(isSame(try output(session), try expected()))
  }

  @Test func anotherDirectoryThatIsNotEmptyIsAWarning() throws {
    _ = try network.session(options())
    let path = try directory.file()
    unlink(path)
    mkdir(path, 0o700)
    try Self.write([1], to: "\(path)/file")
    let session = try network.session(options())
    #expect(isSame(try output(session), try expected()))
    #expect(session.warnings.count == 1)
    #expect(session.warnings[0].contains("the cache keeps nothing: \(path): "))
    unlink("\(path)/file")
    #expect(directory.names.count == 1)
  }

  @Test(arguments: ["/proc/nowhere", "/dev/null", "/dev/null/below"])
  func aDirectoryThatCannotBeIsAWarning(path: String) throws {
    let session = try network.session(options { $0.cacheDirectory = path })
    #expect(isSame(try output(session), try expected()))
    #expect(session.warnings.count == 1)
    #expect(session.warnings[0].contains("the cache keeps nothing: /"))
  }

  @Test func aModelFromBytesIsNotKept() throws {
    let bytes = try Self.read(TestData.path(network.model))
    let session = try bytes.withUnsafeBytes { try InferenceSession(bytes: $0, options: options()) }
    #expect(isSame(try output(session), try expected()))
    #expect(session.warnings == ["the cache keeps nothing: the model is not in a file"])
    #expect(directory.names.isEmpty)
  }

  /// What is kept for other options, or under another name, is not used.
  @Test(arguments: ["policy", "isa", "pass", "forbid", "dim"])
  func otherOptionsHaveAFileOfTheirOwn(option: String) throws {
    _ = try network.session(options())
    let first = try directory.file()
    let other = options { options in
      switch option {
      case "policy": options.memoryPolicy = .lean
      case "isa": options.instructionSet = .portable
      case "pass": options.disabledPasses = ["epilogue-fusion"]
      case "forbid": options.forbiddenAlgorithms = ["winograd"]
      default: options.dimensions = ["batch": 1]
      }
    }
    #expect(try network.session(other).memory.mappedWeights == 0)
    #expect(directory.names.count == 2)
    let names = directory.names.map { "\(directory.path)/\($0)" }
    let second = try #require(names.first { $0 != first })
    let kept = try Self.read(second)
    // The first one's bytes in the second one's place.
    try Self.write(try Self.read(first), to: second)
    let session = try network.session(other)
    #expect(session.memory.mappedWeights == 0)
    #expect(try Self.read(second) == kept)
  }

  /// A model that was replaced, and one that is another at once, have files of their own.
  @Test func anotherModelIsForeign() throws {
    let model = "\(directory.path)/model.onnx"
    var bytes = try Self.read(TestData.path(network.model))
    try Self.write(bytes, to: model)
    let before = try output(InferenceSession(path: model, options: options()))
    #expect(isSame(before, try expected()))
    // The last bytes of a weight.
    let payload = try #require(Self.longestRun(of: bytes))
    for index in payload { bytes[index] = 0 }
    unlink(model)
    try Self.write(bytes, to: model)
    let session = try InferenceSession(path: model, options: options())
    #expect(session.memory.mappedWeights == 0)
    var plain = SessionOptions()
    plain.weights = .owned
    #expect(
      isSame(try output(session), try output(InferenceSession(path: model, options: plain))))
    #expect(directory.names.count == 3)
  }

  /// Some bytes in the middle of a model's file, which lie in a weight.
  private static func longestRun(of bytes: [UInt8]) -> Range<Int>? {
    let middle = bytes.count / 2
    return middle + 400 < bytes.count ? middle..<middle + 400 : nil
  }

  @Test func aFileThatIsReplacedWhileItIsMappedChangesNothing() throws {
    _ = try network.session(options())
    let session = try network.session(options())
    let path = try directory.file()
    let whole = try Self.read(path)
    unlink(path)
    try Self.write([UInt8](repeating: 0, count: whole.count), to: path)
    #expect(isSame(try output(session), try expected()))
  }

  @Test func manyWritersAtOnceAreAllRight() throws {
    let expected = try expected()
    let wrong = Mutex(0)
    let (network, input, kept) = (network, input, options())
    inThreads(8) { _ in
      let got = try? network.session(kept).run(["input": input])["output"]
      if !(got.map { isSame($0, expected) } ?? false) { wrong.withLock { $0 += 1 } }
    }
    #expect(wrong.withLock { $0 } == 0)
    _ = try directory.file()
    #expect(try network.session(options()).memory.mappedWeights > 0)
  }

  /// Other shapes find what there is, and add what they need.
  @Test func furtherShapesAddToTheFile() throws {
    let session = try network.session(options())
    _ = try output(session)
    let several = try TestData.arrays(TestData.path("\(network.name).batch5.npz"))
    let batch = try #require(several["in:input"])
    let got = try #require(try session.run(["input": batch])["output"])
    let expected = try #require(try network.session().run(["input": batch])["output"])
    #expect(isSame(got, expected))
    let again = try network.session(options())
    #expect(isSame(try #require(try again.run(["input": batch])["output"]), expected))
    #expect(again.memory.packedWeights < again.memory.mappedWeights)
  }
}
