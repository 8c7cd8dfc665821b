// Constants read by rows: the same elements wherever they come from.

import LeapGraph
import LeapTensors
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

@Suite struct ConstantTests {
  enum Origin: CaseIterable, Sendable { case tensor, file, derived, derivedRows }

  private static let elements = (0..<30).map { Int32($0 * 3) }

  private func constant(_ origin: Origin) throws -> Constant {
    let tensor = try Tensor(ConstantTests.elements, shape: [5, 6])
    switch origin {
    case .tensor: return Constant(tensor)
    case .derived: return Constant(dataType: .int32, shape: [5, 6]) { tensor }
    case .derivedRows:
      return Constant(
        dataType: .int32, shape: [5, 6],
        source: .derivedRows { rows, bytes in
          let values = rows.flatMap { ConstantTests.elements[$0 * 6..<$0 * 6 + 6] }
          values.withUnsafeBytes { bytes.copyMemory(from: $0) }
        })
    case .file:
      var path = Array("/tmp/leapstone-constant-XXXXXX".utf8CString)
      let descriptor = mkstemp(&path)
      try #require(descriptor >= 0)
      defer { unlink(path) }
      // Three bytes before it: a payload lies wherever the file has it.
      let written = tensor.withUnsafeBytes { bytes in
        write(descriptor, "abc", 3) + write(descriptor, bytes.baseAddress, bytes.count)
      }
      #expect(written == 3 + 4 * 30)
      let file = try PayloadFile(adopting: descriptor, path: "constant")
      return Constant(dataType: .int32, shape: [5, 6], file: file, offset: 3)
    }
  }

  @Test(arguments: Origin.allCases, [0..<5, 0..<1, 2..<4, 4..<5])
  func rowsAreThoseOfTheWhole(origin: Origin, rows: Range<Int>) throws {
    let constant = try constant(origin)
    #expect(try constant.tensor().elements(as: Int32.self) == ConstantTests.elements)
    #expect(constant.rows == 5)
    #expect(constant.rowByteCount == 24)
    var read = [Int32](repeating: -1, count: rows.count * 6)
    try read.withUnsafeMutableBytes { try constant.read(rows: rows, into: $0) }
    #expect(read == Array(ConstantTests.elements[rows.lowerBound * 6..<rows.upperBound * 6]))
  }

  @Test(arguments: Origin.allCases) func anotherShapeKeepsTheElements(origin: Origin) throws {
    let constant = try constant(origin).reshaped([3, 10])
    var read = [Int32](repeating: -1, count: 10)
    try read.withUnsafeMutableBytes { try constant.read(rows: 1..<2, into: $0) }
    #expect(read == Array(ConstantTests.elements[10..<20]))
  }
}
