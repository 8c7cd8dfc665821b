// HeldValue: what C holds as a value: a tensor, a sequence, or an optional.

import CLeapstone
import LeapTensors
import Leapstone
import Synchronization

enum HeldValue: Sendable {
  case tensor(Tensor)
  case sequence([HeldValue])
  indirect case optional(HeldValue?)

  /// The kind, by the header's number.
  var kind: Int {
    switch self {
    case .tensor: LEAPSTONE_TENSOR
    case .sequence: LEAPSTONE_SEQUENCE
    case .optional: LEAPSTONE_OPTIONAL
    }
  }

  /// What it is, for messages.
  var description: String {
    switch self {
    case .tensor(let tensor): tensor.description
    case .sequence(let items): "a sequence of \(items.count)"
    case .optional(let item): item == nil ? "an optional without value" : "an optional with a value"
    }
  }

  /// The values of a sequence, or that of an optional.
  ///
  /// - Throws: `CallFailure`.
  var items: [HeldValue] {
    get throws {
      switch self {
      case .tensor(let tensor): throw CallFailure.argument("\(tensor) is a tensor, it has no items")
      case .sequence(let items): return items
      case .optional(let item): return item.map { [$0] } ?? []
      }
    }
  }
}

final class ValueObject: HandledObject {
  static let kind = HandleKind.value
  let value: HeldValue
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

  init(_ value: HeldValue, isWritable: Bool = false) {
    self.value = value
    self.isWritable = isWritable
  }

  /// The tensor.
  ///
  /// - Throws: `CallFailure` where it is something else.
  var tensor: Tensor {
    get throws {
      guard case .tensor(let tensor) = value else {
        throw CallFailure.argument("the value is \(value.description), no tensor")
      }
      return tensor
    }
  }

  /// The extents of the tensor, for as long as the object lives.
  func dimensions(of tensor: Tensor) -> UnsafePointer<Int64> {
    views.withLock { views in
      if let made = views.dimensions { return made }
      let made = views.memory.array(tensor.shape.map(Int64.init))
      views.dimensions = made
      return made
    }
  }

  /// The strings of the tensor, for as long as the object lives.
  func view(of strings: [String]) -> StringsView {
    views.withLock { views in
      if let made = views.strings { return made }
      let made = StringsView(
        strings: views.memory.texts(strings),
        lengths: views.memory.array(strings.map(\.utf8.count)), count: strings.count)
      views.strings = made
      return made
    }
  }
}
