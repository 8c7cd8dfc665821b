// JSONSchema: as much of JSON Schema (draft 2020-12) as the project's schemas use. A keyword that it does not know is a
// violation, so that a schema cannot promise what nobody checks.

import LeapstoneImage

struct JSONSchema {
  private let root: JSON

  /// Keywords without a rule.
  private static let annotations: Set<String> = ["$schema", "$id", "$defs", "title", "description"]

  init(_ root: JSON) { self.root = root }

  /// What is wrong with a value, by its path; empty where it conforms. Members that the schema does not name are
  /// wrong too, though it admits them: what the tools write must be described.
  func violations(_ value: JSON) -> [String] { check(value, root, "$") }

  private func check(_ value: JSON, _ schema: JSON, _ path: String) -> [String] {
    guard let rules = schema.members else { return ["\(path): the schema is no object"] }
    return rules.flatMap { rule -> [String] in
      switch rule.name {
      case "$ref": return reference(value, rule.value, path)
      case "type": return type(value, rule.value, path)
      case "const": return value == rule.value ? [] : ["\(path): not \(rule.value.text())"]
      case "minimum": return minimum(value, rule.value, path)
      case "required":
        // Of an object alone: what else a value may be, its type says.
        guard value.members != nil else { return [] }
        return (rule.value.array ?? []).compactMap(\.string).filter { value[$0] == nil }
          .map { "\(path): \($0) is missing" }
      case "properties": return properties(value, rule.value, path)
      case "additionalProperties":
        return (value.members ?? []).flatMap { check($0.value, rule.value, "\(path).\($0.name)") }
      case "items":
        return (value.array ?? []).enumerated().flatMap {
          check($1, rule.value, "\(path)[\($0)]")
        }
      default:
        return JSONSchema.annotations.contains(rule.name) ? [] : ["unknown keyword \(rule.name)"]
      }
    }
  }

  private func reference(_ value: JSON, _ target: JSON, _ path: String) -> [String] {
    let prefix = "#/$defs/"
    guard let name = target.string, name.hasPrefix(prefix),
      let schema = root["$defs"]?[String(name.dropFirst(prefix.count))]
    else { return ["\(path): the reference \(target.text()) leads nowhere"] }
    return check(value, schema, path)
  }

  private func type(_ value: JSON, _ types: JSON, _ path: String) -> [String] {
    let names = (types.array ?? [types]).compactMap(\.string)
    let fits = names.contains { name in
      switch name {
      case "object": value.members != nil
      case "array": value.array != nil
      case "string": value.string != nil
      case "integer": value.int != nil
      case "number": value.double != nil
      case "boolean": value.bool != nil
      case "null": value == .null
      default: false
      }
    }
    return fits ? [] : ["\(path): \(value.text()) is not \(names.joined(separator: " or "))"]
  }

  private func minimum(_ value: JSON, _ limit: JSON, _ path: String) -> [String] {
    guard let value = value.double, let limit = limit.double else { return [] }
    return value >= limit ? [] : ["\(path): \(value) is less than \(limit)"]
  }

  private func properties(_ value: JSON, _ schemas: JSON, _ path: String) -> [String] {
    (value.members ?? []).flatMap { member -> [String] in
      guard let schema = schemas[member.name] else {
        return ["\(path).\(member.name): the schema does not name it"]
      }
      return check(member.value, schema, "\(path).\(member.name)")
    }
  }
}
