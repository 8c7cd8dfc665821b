// LikelihoodLoss: the negative log-likelihood of the right classes.

import LeapTensors

package enum LossReduction: String, Sendable, CaseIterable {
  case none, mean, sum
}

package enum LikelihoodLoss {
  /// The kernel: input 0 is [images, classes, places], input 1 the class of each place, int32 or int64, and input 2, where
  /// there is one, a weight for each class. Sums are in double, in the order of the places.
  ///
  /// - Parameters:
  ///   - ignored: a class whose places count nothing.
  /// - Throws: `OperatorError` for a type other than float32 and float64. When it runs, a class out of range is one too.
  package static func kernel(
    _ request: KernelRequest, reduction: LossReduction, ignored: Int?
  ) throws -> Kernel {
    let (x, target) = (try request.requiredInput(0), try request.requiredInput(1))
    let shape = x.shape
    let sizes = Sizes(
      images: shape[0], classes: shape[1], places: shape.inner(from: 2),
      isWide: target.dataType == .int64, ignored: ignored)
    switch x.dataType {
    case .float32: return kernel(sizes, reduction, Float.self)
    case .float64: return kernel(sizes, reduction, Double.self)
    default: throw OperatorError.unsupported("there is no loss of \(x.dataType)")
    }
  }

  private struct Sizes: Sendable {
    let images: Int
    let classes: Int
    let places: Int
    let isWide: Bool
    let ignored: Int?

    /// The class of a place; nil where it is ignored.
    func label(_ invocation: Invocation, _ place: Int) throws -> Int? {
      let table = invocation.input(1)
      let label =
        isWide
        ? Int(table.load(fromByteOffset: 8 * place, as: Int64.self))
        : Int(table.load(fromByteOffset: 4 * place, as: Int32.self))
      if label == ignored { return nil }
      guard label >= 0, label < classes else {
        throw OperatorError("class \(label) is out of range; expected 0 to \(classes - 1)")
      }
      return label
    }
  }

  private static func kernel<Element: BinaryFloatingPoint & BitwiseCopyable & Sendable>(
    _ sizes: Sizes, _ reduction: LossReduction, _ type: Element.Type
  ) -> Kernel {
    @Sendable func loss(
      _ invocation: Invocation, _ image: Int,
      _ body: (_ place: Int, _ loss: Double, _ weight: Double) -> Void
    ) throws {
      let x = invocation.input(0).assumingMemoryBound(to: Element.self)
      let weights = invocation.optionalInput(2)?.assumingMemoryBound(to: Element.self)
      for place in 0..<sizes.places {
        let index = image * sizes.places + place
        guard let label = try sizes.label(invocation, index) else {
          body(index, 0, 0)
          continue
        }
        let weight = weights.map { Double($0[label]) } ?? 1
        let value = x[(image * sizes.classes + label) * sizes.places + place]
        body(index, -Double(value) * weight, weight)
      }
    }
    if reduction == .none {
      return Kernel(blocks: sizes.places == 0 ? 0 : sizes.images) { invocation, image in
        let y = invocation.output(0).assumingMemoryBound(to: Element.self)
        try loss(invocation, image) { place, loss, _ in y[place] = Element(loss) }
      }
    }
    return Kernel(blocks: 1) { invocation, _ in
      var (sum, weights) = (0.0, 0.0)
      for image in 0..<sizes.images {
        try loss(invocation, image) { _, loss, weight in
          sum += loss
          weights += weight
        }
      }
      let y = invocation.output(0).assumingMemoryBound(to: Element.self)
      y[0] = Element(reduction == .mean ? sum / weights : sum)
    }
  }
}
