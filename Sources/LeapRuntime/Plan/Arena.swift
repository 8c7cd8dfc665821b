// Arena: where buffers lie in one block of memory, so that those whose lifetimes overlap do not.

import LeapTensors

/// A buffer that wants a place: its size, and the first and last stage in which it is used.
struct ArenaRequest: Sendable, Hashable {
  var byteCount: Int
  var first: Int
  var last: Int

  func overlaps(_ other: ArenaRequest) -> Bool { first <= other.last && other.first <= last }
}

/// Offsets for a list of buffers.
struct ArenaLayout: Sendable {
  /// Byte offsets, multiples of `TensorStorage.alignment`, in the order of the requests.
  var offsets: [Int]
  var byteCount: Int

  /// Places buffers greedily, the largest first, each at the lowest offset where no buffer of an overlapping lifetime lies
  /// (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020). O(n²).
  ///
  /// - Throws: `ModelError.outOfMemory` where the sum overflows.
  init(_ requests: [ArenaRequest]) throws {
    offsets = Array(repeating: 0, count: requests.count)
    byteCount = 0
    let order = requests.indices.sorted {
      (requests[$1].byteCount, requests[$0].first, $0)
        < (requests[$0].byteCount, requests[$1].first, $1)
    }
    // Placed buffers by ascending offset.
    var placed: [(index: Int, offset: Int, end: Int)] = []
    for index in order where requests[index].byteCount > 0 {
      let size = try TensorStorage.aligned(requests[index].byteCount)
      var offset = 0
      for other in placed where requests[other.index].overlaps(requests[index]) {
        if other.offset - offset >= size { break }
        offset = max(offset, other.end)
      }
      let (end, overflow) = offset.addingReportingOverflow(size)
      if overflow { throw ModelError.outOfMemory(bytes: .max) }
      offsets[index] = offset
      byteCount = max(byteCount, end)
      let position = placed.firstIndex { $0.offset > offset } ?? placed.count
      placed.insert((index, offset, end), at: position)
    }
  }

  /// The least memory that any placement needs: the largest sum of the buffers alive in one stage.
  static func liveBound(_ requests: [ArenaRequest]) -> Int {
    var changes: [Int: Int] = [:]
    for request in requests {
      let size = (try? TensorStorage.aligned(request.byteCount)) ?? .max
      changes[request.first, default: 0] &+= size
      changes[request.last + 1, default: 0] &-= size
    }
    var live = 0
    var peak = 0
    for stage in changes.keys.sorted() {
      live &+= changes[stage]!
      peak = max(peak, live)
    }
    return peak
  }
}
