// The array files: what was written reads back, what numpy writes is understood, and damage is an error.

import LeapTensors
import LeapTools
import Testing

@Suite struct NPZTests {
  @Test func roundTrip() throws {
    let tensors = [
      NamedTensor("in:x", try Tensor([1.5, -2, 3, 4, 5, 6] as [Float], shape: [2, 3])),
      NamedTensor("scalar", try Tensor(scalar: Int64(-7))),
      NamedTensor("vector", try Tensor([true, false, true])),
      NamedTensor("empty", try Tensor([] as [UInt8], shape: [0, 4])),
      NamedTensor("text", try Tensor(strings: ["", "häuser", "🜨"])),
    ]
    let read = try NPZ.decode(try NPZ.encode(tensors), name: "test")
    #expect(read.map(\.name) == tensors.map(\.name))
    for (before, after) in zip(tensors, read) {
      #expect(before.tensor.dataType == after.tensor.dataType)
      #expect(before.tensor.shape == after.tensor.shape)
      #expect(before.tensor.strings == after.tensor.strings)
      let same = before.tensor.withUnsafeBytes { a in
        after.tensor.withUnsafeBytes { a.elementsEqual($0) }
      }
      #expect(same, "\(before.name)")
    }
  }

  /// A .npy file of version 1 with this header and data.
  private func file(_ header: String, _ data: [UInt8]) -> ArraySlice<UInt8> {
    let text = Array(header.utf8)
    return ([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(text.count), 0] + text + data)[...]
  }

  @Test func bigEndianAndFortranOrder() throws {
    // numpy: np.asfortranarray(np.arange(6, dtype='>i2').reshape(2, 3))
    let bytes = file(
      "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }",
      [0, 0, 0, 3, 0, 1, 0, 4, 0, 2, 0, 5])
    let tensor = try NPY.decode(bytes, name: "test")
    #expect(tensor.shape == [2, 3])
    #expect(tensor.elements(as: Int16.self) == [0, 1, 2, 3, 4, 5])
  }

  @Test(arguments: [
    ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "pickled"),
    ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "structured"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }", "2^63"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "extent"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "needs 8 bytes"),
    ("{'descr': '<f4', 'fortran_order': False}", "lacks"),
    ("{'descr': '<f4", "does not end"),
    ("", "expected"),
  ])
  func damagedHeaders(header: String, reason: String) throws {
    let error = #expect(throws: ArrayFileError.self) {
      try NPY.decode(file(header, [0, 0, 128, 63]), name: "test")
    }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test func damagedArchives() throws {
    let bytes = try NPZ.encode([NamedTensor("x", try Tensor([1, 2, 3] as [Float]))])
    for length in stride(from: 0, to: bytes.count, by: 7) {
      #expect(throws: ArrayFileError.self) {
        try NPZ.decode(Array(bytes[..<length]), name: "cut at \(length)")
      }
    }
    var flipped = bytes
    flipped[bytes.count / 3] ^= 0x40
    #expect(throws: ArrayFileError.self) { try NPZ.decode(flipped, name: "flipped") }
  }
}
