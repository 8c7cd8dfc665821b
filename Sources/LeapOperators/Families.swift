// The families of operators, in alphabetical order. A new family adds its line here.

var standardFamilies: [any OperatorFamily.Type] {
  [
    BinaryMath.self,
    Convolution.self,
    MatrixProducts.self,
    Selection.self,
    UnaryMath.self,
  ]
}
