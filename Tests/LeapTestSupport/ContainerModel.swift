// ContainerModel: the bytes of small models that take and give sequences and optionals.

/// Models for tests of the faces of a session.
package enum ContainerModel {
  /// `longer`: the sequence `s` of floats with the tensor `x` at its end; `length`: how many items that has; `last`: the last
  /// of them, negated.
  package static let inserting = WireWriter.model {
    $0.string(2, "inserting")
    $0.node(
      "Constant", [], ["end"],
      attributes: [
        {
          $0.string(1, "value_int")
          $0.int(3, -1)
          $0.int(20, 2)
        }
      ])
    $0.node("SequenceInsert", ["s", "x"], ["longer"])
    $0.node("SequenceLength", ["longer"], ["length"])
    $0.node("SequenceAt", ["longer", "end"], ["item"])
    $0.node("Neg", ["item"], ["last"])
    $0.container(11, "s", [.sequence])
    $0.value(11, "x", shape: nil)
    $0.container(12, "longer", [.sequence])
    $0.value(12, "length", type: 7, shape: [])
    $0.value(12, "last", shape: nil)
  }

  /// `y`: a sequence of the tensor `x` of one float.
  package static let constructing = WireWriter.model {
    $0.string(2, "constructing")
    $0.node("SequenceConstruct", ["x"], ["y"])
    $0.value(11, "x")
    $0.container(12, "y", [.sequence])
  }

  /// `same`: the optional sequence `o` of floats; `has`: whether it has a value.
  package static let looking = WireWriter.model {
    $0.string(2, "looking")
    $0.node("Identity", ["o"], ["same"])
    $0.node("OptionalHasElement", ["o"], ["has"])
    $0.container(11, "o", [.optional, .sequence])
    $0.container(12, "same", [.optional, .sequence])
    $0.value(12, "has", type: 9, shape: [])
  }
}
