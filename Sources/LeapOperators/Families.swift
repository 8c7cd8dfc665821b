// The families of operators, in alphabetical order. A new family adds its line here.

package var standardFamilies: [any OperatorFamily.Type] {
  [
    Attentions.self,
    BinaryMath.self,
    Concatenation.self,
    Convolution.self,
    Einsums.self,
    Extrema.self,
    Filtering.self,
    Generators.self,
    Indexing.self,
    Losses.self,
    MatrixProducts.self,
    Normalization.self,
    Optionals.self,
    Padding.self,
    Patterns.self,
    Pooling.self,
    Progressions.self,
    Quantization.self,
    Recurrent.self,
    Reductions.self,
    Resizing.self,
    Sampling.self,
    Selection.self,
    Sequences.self,
    Shapes.self,
    SpaceDepth.self,
    Spectral.self,
    UnaryMath.self,
  ]
}
