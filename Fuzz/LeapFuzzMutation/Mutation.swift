// Mutation: changes to the fields of a model's file, so that most of what comes out is still a model: what libFuzzer calls in place of
// its own mutations, which come in between.

/// SplitMix64: small, and the same for the same seed.
struct Randomness: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }

  /// A number below `limit`.
  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }
}

enum Mutation {
  /// Numbers at which something changes: signs, widths, extents.
  private static let numbers: [UInt64] = [
    0, 1, 2, 3, 4, 5, 7, 8, 11, 16, 17, 28, 64, 255, 256, 4096, 1 << 20, (1 << 31) - 1, 1 << 31,
    1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, .max, .max - 1, .max - 3,
    UInt64(bitPattern: -(1 << 31)), UInt64(bitPattern: -(1 << 40)),
  ]

  /// A message with one to three changes.
  static func mutate(_ fields: [WireField], _ random: inout Randomness) -> [WireField] {
    var result = fields
    for _ in 0...random.below(3) { change(&result, &random, depth: 0) }
    return result
  }

  /// Changes one field, most often one that lies deeper.
  private static func change(
    _ fields: inout [WireField], _ random: inout Randomness, depth: Int
  ) {
    guard !fields.isEmpty else { return }
    let place = random.below(fields.count)
    if case .message(var inner) = fields[place].content, random.below(8) != 0 {
      change(&inner, &random, depth: depth + 1)
      fields[place].content = .message(inner)
      return
    }
    if random.below(3) == 0 { return rearrange(&fields, place, &random) }
    fields[place].content = changed(fields[place].content, &random)
  }

  /// Removes, doubles, swaps or renumbers fields of one message.
  private static func rearrange(
    _ fields: inout [WireField], _ place: Int, _ random: inout Randomness
  ) {
    switch random.below(5) {
    case 0: fields.remove(at: place)
    case 1: fields.insert(fields[place], at: random.below(fields.count + 1))
    case 2: fields.swapAt(place, random.below(fields.count))
    case 3: fields[place].content = fields[random.below(fields.count)].content
    default: fields[place].number = UInt64(1 + random.below(30))
    }
  }

  private static func changed(
    _ content: WireField.Content, _ random: inout Randomness
  ) -> WireField.Content {
    switch content {
    case .number(let value):
      switch random.below(4) {
      case 0: return .number(value &+ 1)
      case 1: return .number(value &- 1)
      default: return .number(numbers[random.below(numbers.count)])
      }
    case .fixed(let bytes): return .fixed(changed(bytes, &random, keepsLength: true))
    case .bytes(let bytes): return .bytes(changed(bytes, &random, keepsLength: false))
    case .message(let fields):
      return .bytes(changed(WireTree.bytes(fields), &random, keepsLength: false))
    }
  }

  /// Bytes as numbers of eight, of four, as floats, or as themselves.
  private static func changed(
    _ bytes: [UInt8], _ random: inout Randomness, keepsLength: Bool
  ) -> [UInt8] {
    var result = bytes
    switch random.below(keepsLength ? 3 : 5) {
    case 0: write(numbers[random.below(numbers.count)], width: 8, to: &result, &random)
    case 1:
      let floats: [Float] = [.nan, .infinity, -.infinity, 0, -1, 1e30, 1e-40, 0.5]
      let float = floats[random.below(floats.count)]
      write(UInt64(float.bitPattern), width: 4, to: &result, &random)
    case 2:
      if !result.isEmpty { result[random.below(result.count)] = UInt8(random.below(256)) }
    case 3: result.removeLast(random.below(min(result.count, 16) + 1))
    default: result += (0..<random.below(17)).map { _ in UInt8(random.below(4)) }
    }
    return result
  }

  /// Puts a little-endian number at a place that is a multiple of its width.
  private static func write(
    _ number: UInt64, width: Int, to bytes: inout [UInt8], _ random: inout Randomness
  ) {
    guard bytes.count >= width else { return }
    let place = random.below(bytes.count / width) * width
    for index in 0..<width {
      bytes[place + index] = UInt8(truncatingIfNeeded: number >> (8 * index))
    }
  }
}

/// libFuzzer's own mutation.
@_silgen_name("LLVMFuzzerMutate")
private func mutateBytes(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ limit: Int) -> Int

/// What libFuzzer calls for a new input: the fields of a message, or bytes where it is none.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutateModel(
  _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ limit: Int, _ seed: UInt32
) -> Int {
  var random = Randomness(seed: UInt64(seed))
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  guard random.below(8) != 0, let fields = WireTree.parse(bytes[...]) else {
    return mutateBytes(data, size, limit)
  }
  let made = WireTree.bytes(Mutation.mutate(fields, &random))
  guard !made.isEmpty, made.count <= limit else { return mutateBytes(data, size, limit) }
  for (index, byte) in made.enumerated() { data[index] = byte }
  return made.count
}
