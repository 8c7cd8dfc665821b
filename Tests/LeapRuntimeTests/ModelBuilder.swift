// Models for tests of the runtime, from the builder that all tests share.

import LeapTensors
import LeapTestSupport

typealias ModelBuilder = LeapTestSupport.ModelBuilder

/// 0, 1, 2, …
func ramp(_ shape: Shape) throws -> Tensor {
  try Tensor((0..<shape.elementCount).map(Float.init), shape: shape)
}
