// ModelDiff as JSON, by docs/schema/inspect-1.schema.json.

import LeapRuntime
import LeapTensors
import Leapstone
import LeapstoneImage

extension ModelDiff {
  var json: JSON {
    [
      "schema": "leapstone.inspect/1", "version": .string(leapstoneVersion),
      "model": .string(model), "other": .string(other), "same": .bool(isSame),
      "matched_nodes": .integer(matchedNodes), "compared_constants": .integer(comparedConstants),
      "uncompared_constants": .array(uncomparedConstants.map { .string($0) }),
      "differences": .array(entries.map(\.json)),
      "weight_differences": .array(weights.map(\.json)),
      "remarks": .array(remarks.map(\.json)),
    ]
  }
}

extension ModelDiff.Entry {
  fileprivate var json: JSON {
    [
      "kind": .string(kind.rawValue), "subject": .string(subject.rawValue),
      "graph": .string(graph), "type": .string(type), "name": .string(name),
      "other_name": otherName.map { .string($0) } ?? .null,
      "aspects": .array(aspects.map(\.json)),
    ]
  }
}

extension WeightDifference {
  fileprivate var json: JSON {
    func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }
    return [
      "graph": .string(graph), "name": .string(name), "other_name": .string(otherName),
      "type": .string("\(dataType)"), "shape": .array(shape.map { .integer($0) }),
      "elements": .integer(count), "largest": number(largest), "relative": number(relative),
      "overall": number(overall),
    ]
  }
}
