// The passes in the order in which they run. A new pass adds its line here; one may run more than once.

package var standardPasses: [any Pass.Type] {
  [
    DeadCode.self,
    ShapeFolding.self,
    BranchInlining.self,
    IntegerEvaluation.self,
    QuantizedWeights.self,
    // The nodes that dequantised what is read as integers.
    DeadCode.self,
    ConstantFolding.self,
    // Conditions that were computed from constants.
    BranchInlining.self,
    IdentityRemoval.self,
    CommonSubexpressions.self,
    TransposeElimination.self,
    // Of what it transposes, constants.
    ConstantFolding.self,
    PadFolding.self,
    BatchNormalizationFolding.self,
    ActivationRecognition.self,
    EpilogueFusion.self,
    PrologueFusion.self,
    DeadCode.self,
  ]
}
