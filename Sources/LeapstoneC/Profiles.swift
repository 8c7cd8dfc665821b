// Profiles: the steps of runs, recorded for C.

import CLeapstone
import LeapWorkers
import Leapstone
import Synchronization

final class ProfileObject: HandledObject {
  static let kind = HandleKind.profile

  private struct Record: @unchecked Sendable {
    var steps: [StepObservation] = []
    /// The steps in C's structures, until a run adds to them.
    var view: (memory: CMemory, steps: UnsafePointer<leapstone_step>)?
  }
  private let record = Mutex(Record())

  /// Adds the steps of a run that has ended.
  func add(_ steps: [StepObservation]) {
    record.guarded { record in
      record.steps += steps
      record.view = nil
    }
  }

  /// All steps so far.
  var steps: UnsafeBufferPointer<leapstone_step> {
    record.guarded { record in
      if record.view == nil {
        let memory = CMemory()
        record.view = (memory, memory.array(record.steps.map { leapstone_step($0, memory) }))
      }
      return UnsafeBufferPointer(start: record.view?.steps, count: record.steps.count)
    }
  }
}

/// Collects the steps of one run.
final class RunRecorder: Sendable {
  private let collected = Mutex<[StepObservation]>([])

  func add(_ steps: [StepObservation]) { collected.guarded { $0 += steps } }

  var steps: [StepObservation] { collected.guarded { $0 } }
}

extension leapstone_step {
  fileprivate init(_ step: StepObservation, _ memory: CMemory) {
    self.init(
      name: memory.text(step.name), operator_type: memory.text(step.operatorType),
      algorithm: memory.text(step.algorithm), stage: Int64(step.stage), start: step.start,
      end: step.end)
  }
}

@_cdecl("leapstone_profile_create")
public func profileCreate(_ profile: UnsafeMutablePointer<OpaquePointer?>?) -> Int32 {
  call { try place(profile, "profile").pointee = Handles.add(ProfileObject()) }
}

@_cdecl("leapstone_profile_steps")
public func profileSteps(
  _ profile: OpaquePointer?, _ steps: UnsafeMutablePointer<UnsafePointer<leapstone_step>?>?,
  _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
  call {
    let (steps, count) = (try place(steps, "steps"), try place(count, "count", empty: 0))
    let recorded = try Handles.object(profile, as: ProfileObject.self).steps
    steps.pointee = recorded.baseAddress
    count.pointee = recorded.count
  }
}

@_cdecl("leapstone_profile_free")
public func profileFree(_ profile: OpaquePointer?) -> Int32 {
  call { try Handles.remove(profile, of: ProfileObject.self) }
}
