// Tensors from memory of others: copied or borrowed, and given back once.

import LeapTensors
import Synchronization
import Testing

@Suite struct TensorBufferTests {
  /// Bytes with an owner that says when it dies.
  private final class Owner: Sendable {
    nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer
    let deaths: Counter

    init(_ count: Int, _ deaths: Counter) {
      bytes = .allocate(byteCount: count, alignment: 64)
      for index in 0..<count { bytes[index] = UInt8(truncatingIfNeeded: index) }
      self.deaths = deaths
    }

    deinit {
      bytes.deallocate()
      deaths.count.add(1, ordering: .relaxed)
    }
  }

  private final class Counter: Sendable { let count = Atomic<Int>(0) }

  @Test func copiesStandAlone() throws {
    var floats: [Float] = [1, 2, 3, 4, 5, 6]
    let tensor = try floats.withUnsafeBytes {
      try Tensor(.float32, shape: [2, 3], copying: $0)
    }
    floats[0] = 7
    #expect(tensor.elements(as: Float.self) == [1, 2, 3, 4, 5, 6])
    #expect(tensor.shape == [2, 3])
    let packed = try [UInt8(0x21), 0x03].withUnsafeBytes {
      try Tensor(.int4, shape: [3], copying: $0)
    }
    #expect(packed.byteCount == 2)
  }

  @Test func borrowedBytesStayWhereTheyAreAndKeepTheirOwner() throws {
    let deaths = Counter()
    var tensor: Tensor?
    var address: UnsafeRawPointer?
    do {
      let owner = Owner(24, deaths)
      address = UnsafeRawPointer(owner.bytes.baseAddress)
      tensor = try Tensor(
        .uint8, shape: [24], borrowing: UnsafeRawBufferPointer(owner.bytes), owner: owner)
    }
    #expect(deaths.count.load(ordering: .relaxed) == 0)
    #expect(tensor?.withUnsafeBytes { $0.baseAddress } == address)
    #expect(tensor?.elements(as: UInt8.self) == (0..<24).map { UInt8($0) })
    var second = tensor
    tensor = nil
    #expect(deaths.count.load(ordering: .relaxed) == 0)
    #expect(second != nil)
    second = nil
    #expect(deaths.count.load(ordering: .relaxed) == 1)
  }

  @Test(arguments: [0, 1, 2, 4])
  func bytesThatAreNotAlignedAreCopied(offset: Int) throws {
    let released = Counter()
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 64)
    defer { bytes.deallocate() }
    for index in 0..<16 { bytes[index] = UInt8(index) }
    let part = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 8])
    let expected = Array(part)
    do {
      let tensor = try Tensor(.float32, shape: [2], borrowing: part) {
        released.count.add(1, ordering: .relaxed)
      }
      let isCopied = offset % 4 != 0
      #expect(released.count.load(ordering: .relaxed) == (isCopied ? 1 : 0))
      #expect(tensor.withUnsafeBytes { Array($0) } == expected)
      #expect(tensor.withUnsafeBytes { $0.baseAddress == part.baseAddress } != isCopied)
    }
    #expect(released.count.load(ordering: .relaxed) == 1)
  }

  @Test(
    arguments: [
      (DataType.float32, Shape([3]), 13), (.float32, [3], 11), (.float32, [3], 0), (.int4, [3], 1),
      (.string, [0], 0), (.uint8, [1 << 62, 1 << 62], 4),
    ] as [(DataType, Shape, Int)])
  func anotherNumberOfBytesIsAnError(type: DataType, shape: Shape, count: Int) {
    let released = Counter()
    let bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeBytes { bytes in
      #expect(throws: RunError.self) { try Tensor(type, shape: shape, copying: bytes) }
      #expect(throws: RunError.self) {
        try Tensor(type, shape: shape, borrowing: bytes) {
          released.count.add(1, ordering: .relaxed)
        }
      }
    }
    #expect(released.count.load(ordering: .relaxed) == 0)
  }

  #if compiler(>=6.2)
    @Test func spansAreCopied() throws {
      let numbers: [Int64] = [1, 2, 3, 4]
      #expect(try Tensor(numbers.span, shape: [2, 2]).elements(as: Int64.self) == numbers)
      #expect(try Tensor(numbers.span).shape == [4])
      #expect(throws: RunError.self) { try Tensor(numbers.span, shape: [3]) }
    }
  #endif
}
