// The families of operators, in alphabetical order. A new family adds its line here.

var standardFamilies: [any OperatorFamily.Type] {
  [
    BinaryMath.self,
    Concatenation.self,
    Convolution.self,
    Generators.self,
    MatrixProducts.self,
    Normalization.self,
    Padding.self,
    Reductions.self,
    Pooling.self,
    Selection.self,
    Shapes.self,
    UnaryMath.self,
  ]
}
