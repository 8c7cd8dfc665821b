// BLAS: one single-threaded call of OpenBLAS, for either float type.
//
// Its results depend on how a product is cut into calls, so callers cut by per-image shape alone.

import CLeapBLAS
import LeapTensors

/// The product of two row-major matrices, C = A B or C = Aᵀ B, all sizes checked to fit OpenBLAS's 32-bit integers.
package struct BLASProduct: Sendable {
  package let isDouble: Bool
  package let transposesA: Bool
  package let rows: Int
  package let columns: Int
  package let depth: Int

  /// - Parameters:
  ///   - dataType: float32 or float64.
  ///   - transposesA: whether A is stored [depth][rows].
  ///   - rows: rows of C.
  ///   - columns: columns of C.
  ///   - depth: the length of the sums.
  package init(_ dataType: DataType, transposesA: Bool, rows: Int, columns: Int, depth: Int) {
    isDouble = dataType == .float64
    self.transposesA = transposesA
    self.rows = rows
    self.columns = columns
    self.depth = depth
  }

  /// Throws `OperatorError` where a size does not fit OpenBLAS.
  package static func check(_ sizes: Int...) throws {
    for size in sizes where size > Int(Int32.max) {
      throw OperatorError("a matrix extent of \(size) exceeds the limit of \(Int32.max)")
    }
  }

  /// OpenBLAS's version and the kernels that it chose for this machine, which decide the last bits of its results. Asked for
  /// once: it puts the text together in one place for all threads.
  package static let library = String(cString: openblas_get_config())

  /// The memory that OpenBLAS maps for each thread that calls it, in bytes; pages that no product touches take none.
  package static let mapping = 128 << 20

  /// A bound on the bytes that OpenBLAS touches of it: it packs both operands, at most whole, in panels of up to 64 rows.
  package var workspace: Int {
    let width = isDouble ? 8 : 4
    let elements = Shape.product([depth, rows + columns + 128])
    let (bytes, overflow) = elements.multipliedReportingOverflow(by: width)
    return overflow ? BLASProduct.mapping : min(bytes, BLASProduct.mapping)
  }

  /// Computes `c` from `a` and `b`. Leading dimensions are counted in elements.
  package func run(
    a: UnsafeRawPointer, leadingA: Int, b: UnsafeRawPointer, leadingB: Int,
    c: UnsafeMutableRawPointer, leadingC: Int
  ) {
    if rows == 0 || columns == 0 { return }
    let transpose = transposesA ? CblasTrans : CblasNoTrans
    let (m, n, k) = (Int32(rows), Int32(columns), Int32(depth))
    // OpenBLAS refuses a leading dimension of zero even where nothing is read.
    let (lda, ldb, ldc) = (Int32(max(1, leadingA)), Int32(max(1, leadingB)), Int32(leadingC))
    if isDouble {
      cblas_dgemm(
        CblasRowMajor, transpose, CblasNoTrans, m, n, k, 1,
        a.assumingMemoryBound(to: Double.self), lda, b.assumingMemoryBound(to: Double.self), ldb,
        0, c.assumingMemoryBound(to: Double.self), ldc)
    } else {
      cblas_sgemm(
        CblasRowMajor, transpose, CblasNoTrans, m, n, k, 1,
        a.assumingMemoryBound(to: Float.self), lda, b.assumingMemoryBound(to: Float.self), ldb,
        0, c.assumingMemoryBound(to: Float.self), ldc)
    }
  }
}
