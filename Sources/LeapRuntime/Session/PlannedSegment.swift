// PlannedSegment: a segment of a plan with the segments that followed it in earlier runs.

import LeapGraph
import LeapTensors
import LeapWorkers

final class PlannedSegment: Sendable {
  let start: PlanningState
  let segment: Segment
  private let followers: SingleFlightCache<FollowerKey, PlannedSegment>

  /// What decides the next segment: shapes that only running told, and elements that planning must know. What a sequence or
  /// an optional holds decides nothing: no kernel reads it.
  private struct FollowerKey: Hashable, Sendable {
    var shapes: [ValueID: Shape]
    var elements: [ValueID: [UInt8]]
  }

  private static let followerLimit = 16

  init(_ state: PlanningState, _ planner: Planner) throws {
    start = state
    segment = try planner.segment(from: state)
    followers = SingleFlightCache(capacity: PlannedSegment.followerLimit)
  }

  /// The segment that follows when this one left `made`.
  func following(
    _ made: [ValueID: RunValue], _ execution: Execution, _ planner: Planner
  ) throws -> PlannedSegment {
    guard var state = segment.next else { return self }
    var learned = made
    for id in segment.observed { learned[id] = try execution.value(id) }
    let key = FollowerKey(
      shapes: learned.compactMapValues { $0.tensor?.shape },
      elements: Dictionary(
        uniqueKeysWithValues: segment.observed.map { id in
          (id, learned[id]?.tensor?.withUnsafeBytes { [UInt8]($0) } ?? [])
        }))
    return try followers.value(for: key) {
      state.learn(learned, elementsOf: segment.observed)
      return try PlannedSegment(state, planner)
    }
  }
}
