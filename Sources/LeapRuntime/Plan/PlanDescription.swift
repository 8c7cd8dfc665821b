// PlanDescription: what a plan decided, in terms of the graph, for tools that explain it. Runs have no use for it.

import LeapGraph
import LeapKernels
import LeapTensors

/// A segment's values, steps and buffers, and how they came to be so.
package struct PlanDescription: Sendable {
  /// A value of the plan. Copies of a value in another layout are values of their own.
  package struct Value: Sendable {
    package enum Kind: Sendable, Hashable {
      /// A step makes it.
      case computed
      /// It is there when the segment begins.
      case given
      /// A weight, packed or as it is in the file.
      case weight(packed: Bool, isMapped: Bool)
      /// Planning computed its elements.
      case known
    }

    /// The graph's name for it; that of the value that it is a copy of.
    package var name: String
    package var isCopy: Bool
    package var kind: Kind
    package var dataType: DataType
    package var shape: Shape
    package var layout: Layout
    /// Bytes that it takes in its layout; of a weight as it is packed.
    package var byteCount: Int
    /// The buffer that it lies in, and bytes from its start; nil for what is not computed, and views of that.
    package var place: (buffer: Int, byteOffset: Int)?
    /// The step that makes it.
    package var producer: Int?
    /// The steps that read it, ascending.
    package var readers: [Int]
  }

  /// A step of the plan, in the order in which they run.
  package struct Step: Sendable {
    package enum Work: Sendable, Hashable {
      /// A kernel runs.
      case kernel
      /// Copies of so many parts of a concat; the others are computed in their places.
      case copies(Int)
      /// Nothing is left to do: the output lies where it should.
      case none
    }

    /// The place of its node in the program's graph; nil for a change of layout that the planner added.
    package var node: Int?
    package var name: String
    package var operatorType: String
    package var algorithm: String
    package var stage: Int
    package var work: Work
    /// Values, by their places in `PlanDescription.values`.
    package var inputs: [Int?]
    package var outputs: [Int?]
    /// Estimated time on one core.
    package var nanoseconds: Double
    package var scratchPerWorker: Int
    package var sharedScratch: Int
  }

  /// Memory that values share.
  package struct Buffer: Sendable {
    package var byteCount: Int
    /// Bytes from the start of the arena; nil where it is memory of a result's own.
    package var offset: Int?
    /// The first and the last stage in which it is used.
    package var first: Int
    package var last: Int
    /// The values in it, by their places.
    package var values: [Int]
  }

  package var values: [Value]
  package var steps: [Step]
  package var stageCount: Int
  package var buffers: [Buffer]
  /// Decisions on sharing; their steps are places in `steps`.
  package var decisions: [SharingDecision]
  /// Places, in the program's graph, of nodes that planning computed; of those that make their own outputs after the steps; and of
  /// those that are planned later, when running has told what they need.
  package var computedNodes: [Int]
  package var hostNodes: [Int]
  package var laterNodes: [Int]
}

extension PlanDescription {
  /// Bytes of the arena that are in use in each stage: no placement of these buffers takes less than the largest.
  package var liveBytes: [Int] {
    var live = [Int](repeating: 0, count: max(stageCount, 1))
    for buffer in buffers where buffer.offset != nil {
      let size = (try? TensorStorage.aligned(buffer.byteCount)) ?? .max
      for stage in buffer.first...max(buffer.first, buffer.last) where stage < live.count {
        live[stage] = saturatingSum(live[stage], size)
      }
    }
    return live
  }
}
