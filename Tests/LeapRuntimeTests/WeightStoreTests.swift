// WeightStore: one copy of a constant for each packing, as long as a plan uses it.

import LeapGraph
import LeapKernels
import LeapRuntime
import LeapTensors
import Testing

@Suite struct WeightStoreTests {
  private let value: ValueID
  private let ledger = MemoryLedger(budget: 1000)
  private let store: WeightStore

  init() throws {
    var builder = ModelBuilder()
    value = builder.constant("w", try ramp([4, 25]))
    store = WeightStore(
      graph: builder.model(outputs: [value]).graph, policy: .owned, ledger: ledger)
  }

  private static func recipe(_ order: String, rows: Int = 4) -> PackingRecipe {
    PackingRecipe(key: PackingKey(order), byteCount: 400, rows: rows) { own, source, target in
      target.advanced(by: own.lowerBound * 400 / rows)
        .copyMemory(from: source, byteCount: own.count * 400 / rows)
    }
  }

  @Test func aPackingIsSharedAndGivenBackWithItsLastUser() throws {
    let plain = try store.weight(value, packing: nil)
    var packed: Weight? = try store.weight(value, packing: Self.recipe("a"))
    var again: Weight? = try store.weight(value, packing: Self.recipe("a"))
    #expect(packed === again)
    #expect(packed !== plain)
    #expect(store.byteCounts == (0, 800))
    #expect(ledger.charged == 800)
    again = nil
    #expect(store.byteCounts == (0, 800))
    packed = nil
    #expect(store.byteCounts == (0, 400))
    #expect(ledger.charged == 400)
    let anew = try store.weight(value, packing: Self.recipe("a"))
    #expect(ledger.charged == 800)
    withExtendedLifetime((plain, anew, again)) {}
  }

  @Test func theBudgetHoldsBeforeAnythingIsMade() throws {
    let first = try store.weight(value, packing: Self.recipe("a"))
    let second = try store.weight(value, packing: Self.recipe("b"))
    #expect(throws: RunError.self) { try store.weight(value, packing: Self.recipe("c")) }
    #expect(ledger.charged == 800)
    withExtendedLifetime((first, second)) {}
  }
}
