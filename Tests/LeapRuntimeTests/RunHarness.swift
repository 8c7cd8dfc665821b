// RunHarness: sessions in which a value that is read after its time is found out: dead memory is poisoned.

import LeapGraph
import LeapRuntime

enum RunHarness {
  /// - Parameter budget: bytes that the session may take; nil for any number.
  static func session(
    _ model: Model, passes: Bool = true, width: Int = 2, budget: Int? = nil
  ) throws -> SessionCore {
    var configuration = SessionConfiguration()
    configuration.width = width
    configuration.disablesAllPasses = !passes
    configuration.poisonsDeadMemory = true
    configuration.memoryBudget = budget
    return try SessionCore(model: model, configuration: configuration)
  }
}
