// SharingDecision: how values of a plan came to share memory, and why others do not: recorded where it is decided, for tools.

import LeapTensors

/// One chance for a step's output to lie where an input lies, or an input where the output lies, and what became of it.
package struct SharingDecision: Sendable, Hashable {
  package enum Kind: String, Sendable, Hashable {
    /// The output is the input's bytes under another shape.
    case view
    /// The input is a part of a concat, which is its output.
    case part
    /// The output overwrites the input.
    case overwrite
  }

  package var kind: Kind
  /// The step, by its place in the draft.
  package var step: Int
  /// Which of the step's inputs; of a concat's, those counted that are given.
  package var input: Int
  /// Why both have memory of their own; nil where they share it.
  package var refusal: SharingRefusal?
}

/// Why two values do not share memory.
package enum SharingRefusal: Sendable, Hashable {
  /// The input is no value of the arena: it belongs to the caller or to the model.
  case givenOrConstant
  /// Results are memory of the caller's, one for each.
  case isResult
  /// It is read twice by the step.
  case occursTwice
  /// It lies in another concat, or in a buffer that was given out before.
  case liesElsewhere
  /// Its elements take less than a byte, and cannot begin anywhere.
  case isPacked
  /// Its elements are ordered in another way.
  case layout
  /// Something reads it under another shape, which gaps between images forbid.
  case otherShape
  /// The kernel that makes it writes without gaps.
  case producer
  /// The kernel of this step takes no gaps.
  case reader(step: Int)
  /// It takes another number of bytes.
  case size
  /// This step, no earlier than the one in question, reads it.
  case readAgain(step: Int)
  /// Other values in its buffer are needed longer.
  case sharesBuffer
}
