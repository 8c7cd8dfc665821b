// JSON: as much of it as the answers need.

import LeapstoneImage

/// A text as a JSON string.
func json(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\": result += "\\\(scalar)"
    case "\u{0}"..<"\u{20}":
      let digits = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

/// A number as JSON has them: there is none that is infinite or no number.
func json(_ number: Double) -> String { number.isFinite ? "\(number)" : "null" }

/// The classes of a picture, named as onnx-run names them.
func json(_ found: [Classification]) -> String {
  let classes = found.map {
    "{\"index\": \($0.index), \"label\": \($0.label.map(json) ?? "null"), "
      + "\"score\": \(json($0.score)), \"probability\": \(json($0.probability))}"
  }
  return "{\"top\": [\(classes.joined(separator: ", "))]}\n"
}
