// The issue's own lines, and what classes come out of scores.

import Leapstone
import LeapstoneImage
import Testing

@Suite struct ClassificationTests {
  @Test func scoresBecomeADistributionUnlessTheyAreOne() throws {
    let scores = try Tensor([1, 3, 2] as [Float], shape: [1, 3])
    let best = try scores.topK(2, labels: ["a", "b", "c"])
    #expect(best.map(\.label) == ["b", "c"])
    #expect(best.map(\.index) == [1, 2])
    #expect(best.map(\.score) == [3, 2])
    #expect(abs(best[0].probability - 0.66524) < 1e-5)
    let distribution = try Tensor([0.25, 0.75] as [Float], shape: [1, 2, 1, 1])
    #expect(try distribution.topK(5).map(\.probability) == [0.75, 0.25])
  }
}
