// MemoryLedger: what a session holds and is about to take, against its budget.

import LeapTensors
import LeapWorkers
import Synchronization

/// The account of a session: weights, working memory, and what runs in flight make. Charged before memory is taken.
package final class MemoryLedger: Sendable {
  package let budget: Int
  private let used = Mutex(0)

  package init(budget: Int) { self.budget = budget }

  /// Bytes that are charged now.
  package var charged: Int { used.guarded { $0 } }

  /// Charges bytes.
  ///
  /// - Throws: `RunError.overBudget` with what all together would come to; then nothing is charged.
  func charge(_ bytes: Int) throws {
    try used.guarded { used in
      let (sum, overflow) = used.addingReportingOverflow(bytes)
      guard !overflow, sum <= budget else {
        throw RunError.overBudget(required: overflow ? .max : sum, budget: budget)
      }
      used = sum
    }
  }

  func release(_ bytes: Int) { used.guarded { $0 -= bytes } }
}
