// The families of operators, in alphabetical order. A new family adds its line here.

var standardFamilies: [any OperatorFamily.Type] {
  [
<<<<<<< HEAD
    BinaryMath.self,
=======
    Concatenation.self,
>>>>>>> 11b5061 (Add operators that reshape, concatenate, cut and spread tensors)
    Convolution.self,
    Generators.self,
    MatrixProducts.self,
<<<<<<< HEAD
    Selection.self,
    UnaryMath.self,
=======
    Shapes.self,
>>>>>>> 11b5061 (Add operators that reshape, concatenate, cut and spread tensors)
  ]
}
