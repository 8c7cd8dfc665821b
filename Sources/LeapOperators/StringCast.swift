// StringCast: conversions between numbers and strings, which no kernel reads.
//
// 1. Every number comes back from its string as it was.
// 2. Text that is no number is an error that names it.

import LeapGraph
import LeapKernels
import LeapTensors

/// What Cast and CastLike do where one side is strings, ONNX opset 9 on.
struct StringCast: TensorHostOperator {
  static let declarations: [OperatorDeclaration] = []

  private let type: DataType
  private let options: ConversionOptions

  init(to type: DataType, _ options: ConversionOptions) {
    self.type = type
    self.options = options
  }

  init(_ node: NodeReader) throws {
    throw OperatorError("'\(node.operatorType)' is made by the operator that it stands for")
  }

  func infer(_ context: inout InferenceContext) throws {
    context.setOutput(0, type, context.shape(0))
  }

  func largestOutputs(_ inputs: [Operand?]) -> [Operand]? {
    // How long texts are nobody knows.
    guard type != .string, let shape = inputs.first??.shape else { return nil }
    return [Operand(type, shape)]
  }

  func run(_ inputs: [Tensor?]) throws -> [Tensor] {
    guard let input = inputs.first ?? nil else { throw OperatorError("input 0 is required") }
    if let strings = input.strings {
      return [type == .string ? input : try StringCast.numbers(strings, input.shape, type, options)]
    }
    return [try Tensor(strings: try StringCast.texts(input), shape: input.shape)]
  }

  // MARK: Numbers to text

  /// Integers as they are; floats in the fewest digits that say which they are, without an exponent.
  private static func texts(_ tensor: Tensor) throws -> [String] {
    switch tensor.dataType {
    case .uint64: return tensor.elements(as: UInt64.self)?.map(String.init) ?? []
    case .float64: return tensor.elements(as: Double.self)?.map { text($0, "\($0)") } ?? []
    case let type where type.isInteger || type == .bool:
      return tensor.integers?.map(String.init) ?? []
    default:
      let single = try Cast(to: .float32).convert(tensor)
      return single.elements(as: Float.self)?.map { text(Double($0), "\($0)") } ?? []
    }
  }

  /// A float whose shortest text is `digits`, which may have an exponent.
  private static func text(_ value: Double, _ digits: String) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-INF" : "INF" }
    let parts = digits.split(separator: "e")
    guard parts.count == 2, let exponent = Int(parts[1]) else {
      return digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits
    }
    let isNegative = parts[0].hasPrefix("-")
    let halves = parts[0].drop { $0 == "-" }.split(separator: ".")
    var figures = halves.joined()
    if halves.count == 2, halves[1] == "0" { figures = String(halves[0]) }
    let point = (halves.first?.count ?? 0) + exponent
    let plain: String
    if point <= 0 {
      plain = "0." + String(repeating: "0", count: -point) + figures
    } else if point >= figures.count {
      plain = figures + String(repeating: "0", count: point - figures.count)
    } else {
      plain = "\(figures.prefix(point)).\(figures.dropFirst(point))"
    }
    return (isNegative ? "-" : "") + plain
  }

  // MARK: Text to numbers

  private static func numbers(
    _ strings: [String], _ shape: Shape, _ type: DataType, _ options: ConversionOptions
  ) throws -> Tensor {
    if type == .int64 || type == .uint64,
      let exact = try exactIntegers(strings, shape, isSigned: type == .int64)
    {
      return exact
    }
    let values = try strings.map(number)
    return try Cast(to: type, options).convert(try Tensor(values, shape: shape))
  }

  /// The integers that all strings are; nil where one is written otherwise.
  private static func exactIntegers(
    _ strings: [String], _ shape: Shape, isSigned: Bool
  ) throws -> Tensor? {
    if isSigned {
      let values = strings.compactMap { Int64($0) }
      return values.count == strings.count ? try Tensor(values, shape: shape) : nil
    }
    let values = strings.compactMap { UInt64($0) }
    return values.count == strings.count ? try Tensor(values, shape: shape) : nil
  }

  private static func number(_ text: String) throws -> Double {
    switch text.lowercased() {
    case "inf", "+inf": return .infinity
    case "-inf": return -.infinity
    case "nan": return .nan
    default:
      // Swift reads hexadecimal, too, and "infinity"; ONNX knows plain and scientific numbers.
      let isDecimal = text.utf8.allSatisfy {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "+-.eE".utf8.contains($0)
      }
      guard isDecimal, let value = Double(text) else {
        throw OperatorError("'\(text.prefix(40))' is not a number")
      }
      return value
    }
  }
}
