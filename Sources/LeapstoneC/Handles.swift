// Handles: what C holds instead of objects: numbers in the shape of pointers, looked up and never followed.
//
// 1. A handle that is freed, of another type, or made up is an error, never a trap.
// 2. An object lives until the last call that looked it up returns.
//
// A handle is, from its highest bit down: a mark that no address on this machine begins with, the kind of object, the
// generation of its place in the table, and the place. A place that is used again has another generation.

import CLeapstone
import LeapWorkers
import Synchronization

/// An object that C can hold.
protocol HandledObject: AnyObject, Sendable {
  /// Tells handles of different objects apart.
  static var kind: HandleKind { get }
}

enum HandleKind: UInt64, CaseIterable {
  case options = 1
  case session
  case value
  case cancellation
  case profile
}

enum Handles {
  private struct Place {
    var generation: UInt64 = 0
    var object: (any HandledObject)?
  }

  private struct Table {
    var places: [Place] = []
    var free: [Int] = []

    mutating func newPlace() -> Int? {
      guard places.count < placeLimit else { return nil }
      places.append(Place())
      return places.count - 1
    }

    func holds(_ index: Int, _ generation: UInt64) -> Bool {
      index < places.count && places[index].generation == generation && places[index].object != nil
    }
  }

  private static let table = Mutex(Table())

  private static let mark: UInt64 = 0x1E
  private static let placeBits: UInt64 = 28
  private static let generationBits: UInt64 = 24
  private static let placeLimit = 1 << placeBits
  private static let generationLimit: UInt64 = 1 << generationBits

  /// A new handle of an object.
  ///
  /// - Throws: `CallFailure` where 2^28 objects are held already.
  static func add<Object: HandledObject>(_ object: Object) throws -> OpaquePointer? {
    let bits = table.guarded { table -> UInt64? in
      guard let index = table.free.popLast() ?? table.newPlace() else { return nil }
      table.places[index].object = object
      return encoded(Object.kind, table.places[index].generation, index)
    }
    guard let bits else {
      throw CallFailure(LEAPSTONE_OUT_OF_MEMORY, "there are \(placeLimit) handles already")
    }
    return OpaquePointer(bitPattern: UInt(bits))
  }

  /// The object behind a handle.
  ///
  /// - Throws: `CallFailure`.
  static func object<Object: HandledObject>(
    _ handle: OpaquePointer?, as type: Object.Type = Object.self
  ) throws -> Object {
    let (generation, index) = try decoded(handle, Object.kind)
    let found = table.guarded { table -> (any HandledObject)? in
      guard table.holds(index, generation) else { return nil }
      return table.places[index].object
    }
    guard let object = found as? Object else { throw stale(Object.kind) }
    return object
  }

  /// Frees a handle; NULL is none. The object goes when nothing else uses it.
  ///
  /// - Throws: `CallFailure`.
  static func remove<Object: HandledObject>(
    _ handle: OpaquePointer?, of type: Object.Type
  ) throws {
    guard handle != nil else { return }
    let (generation, index) = try decoded(handle, Object.kind)
    // Taken out under the lock and let go after it: what is freed may call back.
    let object = table.guarded { table -> (any HandledObject)? in
      guard table.holds(index, generation) else { return nil }
      let object = table.places[index].object.take()
      table.places[index].generation += 1
      if table.places[index].generation < generationLimit { table.free.append(index) }
      return object
    }
    guard object != nil else { throw stale(Object.kind) }
  }

  private static func encoded(_ kind: HandleKind, _ generation: UInt64, _ index: Int) -> UInt64 {
    ((mark << 4 | kind.rawValue) << generationBits | generation) << placeBits | UInt64(index)
  }

  private static func decoded(
    _ handle: OpaquePointer?, _ kind: HandleKind
  ) throws -> (generation: UInt64, index: Int) {
    guard let handle else { throw CallFailure(LEAPSTONE_INVALID_HANDLE, "the \(kind) is NULL") }
    let bits = UInt64(UInt(bitPattern: handle))
    let head = bits >> (generationBits + placeBits)
    guard head >> 4 == mark, let found = HandleKind(rawValue: head & 15) else {
      throw CallFailure(LEAPSTONE_INVALID_HANDLE, "what was given for the \(kind) is no handle")
    }
    guard found == kind else {
      throw CallFailure(
        LEAPSTONE_INVALID_HANDLE, "expected a handle of \(kind), got one of \(found)")
    }
    return (bits >> placeBits & (generationLimit - 1), Int(bits & UInt64(placeLimit - 1)))
  }

  private static func stale(_ kind: HandleKind) -> CallFailure {
    CallFailure(LEAPSTONE_INVALID_HANDLE, "the handle of \(kind) is freed, or never was one")
  }
}
