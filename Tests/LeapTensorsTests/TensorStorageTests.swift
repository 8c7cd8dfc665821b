// Where tensors' bytes come from, and whose they are.

import LeapTensors
import Testing

@Suite struct TensorStorageTests {
  @Test(arguments: [0, 1, 4095, 4096, 1 << 20])
  func pagesAreZeroAndWritable(byteCount: Int) throws {
    let storage = try TensorStorage(pagesFor: byteCount)
    let bytes = UnsafeMutableRawBufferPointer(start: storage.base, count: byteCount)
    #expect(storage.byteCount == byteCount)
    #expect(bytes.allSatisfy { $0 == 0 })
    bytes.initializeMemory(as: UInt8.self, repeating: 0xA5)
    #expect(bytes.allSatisfy { $0 == 0xA5 })
  }

  @Test(arguments: [-1, Int.max]) func impossibleSizesAreRefused(byteCount: Int) {
    #expect(throws: ModelError.self) { try TensorStorage(pagesFor: byteCount) }
  }

  @Test func whatNobodyElseHoldsStaysWhereItIs() throws {
    var tensor = try Tensor([1, 2, 3] as [Float])
    let address = tensor.address
    try tensor.unshare()
    #expect(tensor.address == address)
    #expect(tensor.elements(as: Float.self) == [1, 2, 3])
  }

  @Test func whatOthersHoldIsCopied() throws {
    var tensor = try Tensor([1, 2, 3, 4] as [Float])
    let other = tensor.reshaped([2, 2])
    try tensor.unshare()
    #expect(tensor.address != other.address)
    #expect(tensor.elements(as: Float.self) == [1, 2, 3, 4])
    #expect(other.elements(as: Float.self) == [1, 2, 3, 4])
  }

  @Test func onlyOwnMemoryIsReleased() throws {
    var tensor = try Tensor([1, 2, 3, 4] as [Float])
    let address = tensor.address
    var other: Tensor? = tensor
    #expect(tensor.releaseStorage() == nil && tensor.elements(as: Float.self) == [1, 2, 3, 4])
    other = nil
    #expect(other == nil && tensor.releaseStorage()?.base == address)
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 64)
    defer { bytes.deallocate() }
    bytes.initializeMemory(as: UInt8.self, repeating: 0, count: 16)
    let storage = TensorStorage(borrowing: bytes, byteCount: 16, release: nil)
    var borrowed = Tensor(dataType: .float32, shape: [4], storage: consume storage)
    #expect(borrowed.releaseStorage() == nil && borrowed.address == bytes)
    let whole = try TensorStorage(byteCount: 16)
    var part = Tensor(dataType: .float32, shape: [2], storage: consume whole, byteOffset: 8)
    #expect(part.releaseStorage() == nil)
  }

  @Test func stringsStayAsTheyAre() throws {
    var tensor = try Tensor(strings: ["a", "b"])
    let other = tensor
    try tensor.unshare()
    #expect(tensor.strings == ["a", "b"])
    #expect(other.strings == ["a", "b"])
  }
}
