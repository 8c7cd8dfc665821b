// Centre: runs a model that has a node of an operator of this program's own.
//
//   Centre [MODEL]      centre.onnx, which make_model.py writes, unless told otherwise

import Leapstone

let path = CommandLine.arguments.dropFirst().first ?? "centre.onnx"

// Without the operator the model is refused, in an error that names it.
do {
  _ = try InferenceSession(path: path)
} catch {
  print("without it: \(error)")
}

// With it, the node is one like all others.
var options = SessionOptions()
options.customOperators = [Median()]
do {
  let session = try InferenceSession(path: path, options: options)
  let x = try Tensor([3, 1, 2, 10, 30, 20] as [Float], shape: [2, 3])
  let y = try session.run(["x": x])["y"]
  print("x less the median of its row:", y?.elements(as: Float.self) ?? [])
  // What it throws is an error of the run, which says where.
  _ = try session.run(["x": Tensor(zeros: .float32, shape: [2, 0])])
} catch {
  print("with it: \(error)")
}
