// ReadOptions: what a caller may choose about reading a model.

/// Choices about reading a model.
package struct ReadOptions: Sendable {
  /// Directories, besides the model's own, in which files of external data may lie.
  package var externalDataRoots: [String] = []
  /// A payload at least this long stays in its file until it is needed. Bytes.
  package var smallestFilePayload = 64 << 10
  /// Whether a model is read though elements of tensors are not where it says: for tools that look at it. Such constants are
  /// `absent`, and listed in `Model.absent`.
  package var goesOnWithoutPayloads = false

  package init(externalDataRoots: [String] = []) {
    self.externalDataRoots = externalDataRoots
  }
}
