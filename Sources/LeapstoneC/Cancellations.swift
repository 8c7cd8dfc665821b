// Cancellations: C's switch that ends runs.

import Leapstone

final class CancellationObject: HandledObject {
  static let kind = HandleKind.cancellation
  let cancellation = Cancellation()
}

@_cdecl("leapstone_cancellation_create")
public func cancellationCreate(_ cancellation: UnsafeMutablePointer<OpaquePointer?>?) -> Int32 {
  call { try place(cancellation, "cancellation").pointee = Handles.add(CancellationObject()) }
}

@_cdecl("leapstone_cancellation_cancel")
public func cancellationCancel(_ cancellation: OpaquePointer?) -> Int32 {
  call { try Handles.object(cancellation, as: CancellationObject.self).cancellation.cancel() }
}

@_cdecl("leapstone_cancellation_free")
public func cancellationFree(_ cancellation: OpaquePointer?) -> Int32 {
  call { try Handles.remove(cancellation, of: CancellationObject.self) }
}
