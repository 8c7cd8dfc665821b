// The passes in the order in which they run. A new pass adds its line here.

package var standardPasses: [any Pass.Type] {
  []
}
