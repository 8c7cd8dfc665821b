// Classify: says what a picture shows, by any image classifier in ONNX.
//
//   Classify MODEL LABELS PRESET PICTURE ...
//
// PRESET is how the model wants its pictures: imagenet, inception, unit, ...

import Leapstone
import LeapstoneImage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#endif

let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count >= 4, let preset = Preprocessing.named(arguments[2]) else {
  print("usage: Classify MODEL LABELS imagenet|imagenet-bgr255|inception|unit|none PICTURE ...")
  exit(64)
}

do {
  let session = try InferenceSession(path: arguments[0])
  let labels = try Labels.read(path: arguments[1])
  let (input, output) = (session.inputs[0], session.outputs[0])
  for path in arguments[3...] {
    let picture = try preset.tensor(from: Image(path: path), for: input.type)
    let outputs = try session.run([input.name: picture])
    guard let scores = outputs[output.name] else { continue }
    for found in try scores.topK(3, labels: labels) {
      let percent = (found.probability * 1000).rounded() / 10
      print("\(path): \(found.label ?? "class \(found.index)") \(percent) %")
    }
  }
} catch {
  print("Classify: \(error)")
  exit(2)
}
