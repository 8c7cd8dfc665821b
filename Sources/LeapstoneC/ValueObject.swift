// ValueObject: what C holds as a value, with what it was shown of it.

import CLeapstone
import LeapTensors
import LeapWorkers
import Leapstone
import Synchronization

extension RunValue {
  /// The kind, by the header's number.
  var kind: Int {
    switch self {
    case .tensor: LEAPSTONE_TENSOR
    case .sequence: LEAPSTONE_SEQUENCE
    case .optional: LEAPSTONE_OPTIONAL
    }
  }

  /// The values of a sequence, or that of an optional.
  ///
  /// - Throws: `CallFailure`.
  var items: [RunValue] {
    get throws {
      switch self {
      case .tensor(let tensor): throw CallFailure.argument("\(tensor) is a tensor, it has no items")
      case .sequence(let items, _): return items
      case .optional(let item, _): return item.map { [$0] } ?? []
      }
    }
  }

  /// How many containers lie in one another.
  var depth: Int {
    switch self {
    case .tensor: 0
    case .sequence(let items, _): 1 + (items.lazy.map(\.depth).max() ?? 0)
    case .optional(let item, _): 1 + (item?.depth ?? 0)
    }
  }

  /// Whether two values may be in one sequence. What is empty goes with anything of its kind.
  func hasType(of other: RunValue) -> Bool {
    switch (self, other) {
    case (.tensor(let mine), .tensor(let theirs)): return mine.dataType == theirs.dataType
    case (.sequence, .sequence), (.optional, .optional):
      return other.valueType.map { isOf($0) } ?? valueType.map { other.isOf($0) } ?? true
    default: return false
    }
  }
}

final class ValueObject: HandledObject {
  static let kind = HandleKind.value
  let value: RunValue
  /// Whether a run may write into the tensor: into memory of the caller's, and none that others may share.
  let isWritable: Bool
  private let views = Mutex(Views())

  /// What C was shown of the value.
  private struct Views: @unchecked Sendable {
    let memory = CMemory()
    var dimensions: UnsafePointer<Int64>?
    var strings: StringsView?
  }

  struct StringsView: @unchecked Sendable {
    let strings: UnsafePointer<UnsafePointer<CChar>?>
    let lengths: UnsafePointer<Int>
    let count: Int
  }

  init(_ value: RunValue, isWritable: Bool = false) {
    self.value = value
    self.isWritable = isWritable
  }

  /// The tensor.
  ///
  /// - Throws: `CallFailure` where it is something else.
  var tensor: Tensor {
    get throws {
      guard case .tensor(let tensor) = value else {
        throw CallFailure.argument("the value is \(value), no tensor")
      }
      return tensor
    }
  }

  /// The extents of the tensor, for as long as the object lives.
  func dimensions(of tensor: Tensor) -> UnsafePointer<Int64> {
    views.guarded { views in
      if let made = views.dimensions { return made }
      let made = views.memory.array(tensor.shape.map(Int64.init))
      views.dimensions = made
      return made
    }
  }

  /// The strings of the tensor, for as long as the object lives.
  func view(of strings: [String]) -> StringsView {
    views.guarded { views in
      if let made = views.strings { return made }
      let made = StringsView(
        strings: views.memory.texts(strings),
        lengths: views.memory.array(strings.map(\.utf8.count)), count: strings.count)
      views.strings = made
      return made
    }
  }
}
