// Values of runs: which memory they alone hold.

import LeapGraph
import LeapTensors
import Testing

@Suite struct RunValueTests {
  @Test func whatNobodyElseHoldsIsNotCopied() throws {
    let tensor = try Tensor([1, 2, 3] as [Float])
    let address = tensor.address
    var value = RunValue.sequence([.optional(.tensor(consume tensor))])
    try value.unshare()
    #expect(value.tensors.map(\.address) == [address])
    let other = value
    try value.unshare()
    #expect(value.tensors.map(\.address) != [address])
    #expect(other.tensors.map(\.address) == [address])
  }

  @Test func onlyOwnMemoryIsReleased() throws {
    var value = RunValue.tensor(try Tensor([1, 2, 3] as [Float]))
    let address = value.tensor?.address
    var other: RunValue? = value
    #expect(value.releaseStorage() == nil && value.tensor?.address == address)
    other = nil
    #expect(other?.tensor == nil && value.releaseStorage()?.base == address)
    var sequence = RunValue.sequence([.tensor(try Tensor([1] as [Float]))])
    #expect(sequence.releaseStorage() == nil && sequence.tensors.count == 1)
  }
}
